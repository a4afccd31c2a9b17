//! A backup of an RDS database before its schema changes.

use std::time::Duration;

use aws_sdk_rds::types::DbSnapshot;
use orchestrator::ports::PortErrorKind;
use tokio::time::Instant;

use crate::connection::Aws;
use crate::failure::{Failure, failed};

/// The first snapshot of a large instance takes long, later ones are incremental.
const WAIT_LIMIT: Duration = Duration::from_secs(4 * 60 * 60);

/// A snapshot that was seen to be complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub id: String,
    pub arn: Option<String>,
    pub instance: String,
    /// Such as `postgres 15.17`.
    pub engine: String,
    pub allocated_gib: i32,
    pub encrypted: bool,
}

impl Aws {
    /// Takes a snapshot of the instance, waits until it is complete, and checks that it is of this instance. A snapshot
    /// of that label which is there already is waited for and checked likewise, so repeating it is safe.
    /// `progress` gets the percentage.
    pub async fn snapshot_database(
        &self,
        instance: &str,
        label: &str,
        progress: &(dyn Fn(i32) + Send + Sync),
    ) -> Result<Snapshot, Failure> {
        let id = snapshot_id(instance, label);
        let created = self
            .rds()
            .create_db_snapshot()
            .db_instance_identifier(instance)
            .db_snapshot_identifier(&id)
            .send()
            .await
            .map_err(failed("CreateDBSnapshot", instance));
        match created {
            Ok(_) => {}
            Err(failure) if failure.code == "DBSnapshotAlreadyExists" => {}
            // Either it shows up now, or describing it says NotFound.
            Err(failure) if failure.kind == PortErrorKind::Ambiguous => {}
            Err(failure) => return Err(failure),
        }
        let begun = Instant::now();
        loop {
            let snapshot = self.describe_snapshot(&id).await?;
            progress(snapshot.percent_progress.unwrap_or(0));
            match snapshot.status.as_deref() {
                Some("available") => return verified(snapshot, &id, instance),
                Some("creating" | "pending") | None => {}
                Some(other) => {
                    let message =
                        format!("the snapshot is {other} and will not become available: delete it, and try again");
                    return Err(Failure::invalid("CreateDBSnapshot", id, message));
                }
            }
            if begun.elapsed() > WAIT_LIMIT {
                let message = format!("not complete after {} minutes", WAIT_LIMIT.as_secs() / 60);
                return Err(Failure::ambiguous("DescribeDBSnapshots", id, message));
            }
            tokio::time::sleep(self.poll_interval()).await;
        }
    }

    async fn describe_snapshot(&self, id: &str) -> Result<DbSnapshot, Failure> {
        let found = self
            .rds()
            .describe_db_snapshots()
            .db_snapshot_identifier(id)
            .send()
            .await
            .map_err(failed("DescribeDBSnapshots", id))?;
        let first = found.db_snapshots.unwrap_or_default().into_iter().next();
        first.ok_or_else(|| Failure::not_found("DescribeDBSnapshots", id, "there is no such snapshot"))
    }
}

fn verified(snapshot: DbSnapshot, id: &str, instance: &str) -> Result<Snapshot, Failure> {
    if snapshot.db_instance_identifier.as_deref() != Some(instance) {
        let of = snapshot.db_instance_identifier.unwrap_or_default();
        let message = format!("the snapshot is of `{of}`, not of `{instance}`");
        return Err(Failure::conflict("DescribeDBSnapshots", id, message));
    }
    Ok(Snapshot {
        id: id.to_owned(),
        arn: snapshot.db_snapshot_arn,
        instance: instance.to_owned(),
        engine: [snapshot.engine, snapshot.engine_version]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
        allocated_gib: snapshot.allocated_storage.unwrap_or(0),
        encrypted: snapshot.encrypted.unwrap_or(false),
    })
}

/// RDS takes letters, digits and single hyphens, begins with a letter, and at most 255 characters.
fn snapshot_id(instance: &str, label: &str) -> String {
    let mut id = String::new();
    for character in format!("llama-deploy-{instance}-{label}").chars() {
        let character = if character.is_ascii_alphanumeric() {
            character.to_ascii_lowercase()
        } else {
            '-'
        };
        if character != '-' || !id.ends_with('-') {
            id.push(character);
        }
    }
    id.truncate(255);
    id.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_ids_are_ones_that_rds_takes() {
        assert_eq!(
            snapshot_id("phase2-db", "release_12 (v1.2)"),
            "llama-deploy-phase2-db-release-12-v1-2"
        );
        assert_eq!(snapshot_id("d", &"x".repeat(400)).len(), 255);
        assert_eq!(snapshot_id("d", "--"), "llama-deploy-d");
    }

    #[test]
    fn a_snapshot_of_another_instance_is_no_backup() {
        let snapshot = DbSnapshot::builder()
            .db_instance_identifier("other")
            .engine("postgres")
            .build();
        assert_eq!(
            verified(snapshot, "s", "mine").unwrap_err().kind,
            PortErrorKind::Conflict
        );
        let snapshot = DbSnapshot::builder()
            .db_instance_identifier("mine")
            .engine("postgres")
            .engine_version("15.17");
        assert_eq!(
            verified(snapshot.build(), "s", "mine").unwrap().engine,
            "postgres 15.17"
        );
    }
}
