//! The stored form of one event.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::rollout::{Event, PhaseName, RolloutNumber};

/// Who runs a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub name: String,
    pub host: String,
    pub process_id: u32,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} on {} (process {})",
            self.name, self.host, self.process_id
        )
    }
}

/// One object of a journal. `version` counts up when the meaning of a field changes; readers know all versions up to
/// their own. Events are stored by their serialized form, whose names are part of this version.
///
/// Version 2: the first record of a rollout carries the hash of the last record of the rollout before, so that all
/// journals of an environment are one chain. In version 1 each was a chain of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub version: u32,
    /// From 0 in each journal; also the object's name.
    pub sequence: u64,
    pub epoch: u64,
    pub time: Timestamp,
    pub actor: Actor,
    pub tool_version: String,
    /// The state after the event.
    pub state: PhaseName,
    /// The traffic step, from 0, where the state has one.
    pub step: Option<usize>,
    /// How often this effect was intended in this rollout, from 1; 0 for what is no intent or outcome.
    pub attempt: u32,
    pub event: Event,
    /// SHA-256 in hex of the record before, as stored; empty in the very first, and in the first of each rollout of
    /// version 1.
    pub previous_hash: String,
}

impl Record {
    pub const VERSION: u32 = 2;
}

/// A record named by its place and its hash. The hash stands for that record and all before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub rollout: RolloutNumber,
    pub sequence: u64,
    /// SHA-256 in hex of the record as stored.
    pub hash: String,
}

impl std::fmt::Display for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "record {} of rollout {}", self.sequence, self.rollout)
    }
}

/// The hash that the next record carries.
pub(crate) fn hash(stored: &[u8]) -> String {
    hex::encode(Sha256::digest(stored))
}
