//! The ledger in its bucket, read past the product.

use serde_json::Value;

use super::BUCKET;
use crate::Wire;
use crate::poller::exchange;
use crate::templates::authorization;

/// The records of one rollout; empty where there is none of that number.
pub(super) fn journal(wire: &Wire<'_>, number: u64) -> Result<Vec<Value>, String> {
    let mut records = Vec::new();
    while let Some(record) = record(wire, number, records.len())? {
        records.push(record);
    }
    Ok(records)
}

fn record(wire: &Wire<'_>, rollout: u64, number: usize) -> Result<Option<Value>, String> {
    let url = format!(
        "{}/{BUCKET}/ledger/local/rollouts/{rollout:06}/{number:06}.json",
        wire.cloud()
    );
    let answer = exchange("GET", &url, &[("Authorization", &authorization("s3"))], "");
    match answer.map_err(|error| format!("{url}: {error}"))? {
        (200, body) => serde_json::from_str(&body)
            .map(Some)
            .map_err(|error| format!("{url}: {error}")),
        (404, _) => Ok(None),
        (status, body) => Err(format!("{url}: {status} {body}")),
    }
}
