//! A deterministic simulator of rollouts: the real state machine, journal, lock and driver against a world in memory,
//! over virtual time. One seed decides which task goes next, how long each call takes, and what goes wrong.
//!
//! [`executor`] runs tasks, [`world`] is the cloud with its ground truth, [`process`] is one run of the tool with its
//! clock, [`invariants`] is what must always hold. `docs/simulation.md` says how a seed is replayed and how an invariant
//! is added. Nothing here knows AWS; the same over the wire is in `tests/e2e`.

mod by_hand;
mod ending;
pub mod executor;
pub mod faults;
pub mod invariants;
mod ledger;
pub mod met;
mod people;
mod ports;
pub mod process;
pub mod random;
pub mod scenario;
pub mod shrink;
pub mod simulate;
pub mod trace;
pub mod world;
