//! What operators ask of the rollout that is open: written by one machine, read by the run on another.
//!
//! A sequence of its own, `<environment>/requests/000001.json`. A request is never changed or taken back; what became of
//! it stands in the rollout's journal. This holds no opinion on what a request does: that is the state machine's.

use bytes::Bytes;
use jiff::Timestamp;
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};

use super::sequence::{Created, Sequence};
use super::{Actor, LedgerError};
use crate::domain::EnvironmentName;
use crate::rollout::{Request, RolloutNumber};

/// How many others may write a request between a listing and a writing before it is given up.
const ATTEMPTS: u32 = 16;

/// The stored form of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRequest {
    pub version: u32,
    /// From 1, over all rollouts of the environment; also the object's name.
    pub sequence: u64,
    /// The rollout that was open when it was written. No other obeys it.
    pub rollout: RolloutNumber,
    pub time: Timestamp,
    pub actor: Actor,
    #[serde(flatten)]
    pub request: Request,
}

impl OperatorRequest {
    const VERSION: u32 = 1;
}

fn sequence<'a>(store: &'a dyn ObjectStore, environment: &EnvironmentName) -> Sequence<'a> {
    Sequence::new(store, format!("{environment}/requests"), 6)
}

/// Writes the request after all that there are.
///
/// # Errors
/// [`LedgerError::Lost`] when others kept being faster.
pub async fn write_request(
    store: &dyn ObjectStore,
    environment: &EnvironmentName,
    rollout: RolloutNumber,
    time: Timestamp,
    actor: &Actor,
    request: Request,
) -> Result<OperatorRequest, LedgerError> {
    let sequence = sequence(store, environment);
    let mut object = sequence.object(1);
    for _ in 0..ATTEMPTS {
        let number = sequence.numbers().await?.last().map_or(1, |last| last + 1);
        object = sequence.object(number);
        let written = OperatorRequest {
            version: OperatorRequest::VERSION,
            sequence: number,
            rollout,
            time,
            actor: actor.clone(),
            request: request.clone(),
        };
        let stored = serde_json::to_vec_pretty(&written).map_err(|source| LedgerError::Damaged {
            object: object.clone(),
            what: "a request",
            source,
        })?;
        if sequence.create(number, Bytes::from(stored)).await? == Created::Yes {
            return Ok(written);
        }
    }
    Err(LedgerError::Lost { object })
}

/// The number of the newest request; 0 where there is none.
pub async fn newest_request(store: &dyn ObjectStore, environment: &EnvironmentName) -> Result<u64, LedgerError> {
    Ok(sequence(store, environment)
        .numbers()
        .await?
        .last()
        .copied()
        .unwrap_or(0))
}

/// The requests whose number is above `after`, in order.
pub async fn requests_after(
    store: &dyn ObjectStore,
    environment: &EnvironmentName,
    after: u64,
) -> Result<Vec<OperatorRequest>, LedgerError> {
    let sequence = sequence(store, environment);
    let mut requests = Vec::new();
    for number in sequence.numbers().await? {
        if number <= after {
            continue;
        }
        let object = sequence.object(number);
        let Some(stored) = sequence.read(number).await? else {
            continue;
        };
        let request: OperatorRequest = serde_json::from_slice(&stored).map_err(|source| LedgerError::Damaged {
            object: object.clone(),
            what: "a request",
            source,
        })?;
        if request.version > OperatorRequest::VERSION {
            return Err(LedgerError::TooNew {
                object,
                version: request.version,
                known: OperatorRequest::VERSION,
            });
        }
        requests.push(request);
    }
    Ok(requests)
}
