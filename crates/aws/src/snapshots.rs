//! A backup of an RDS database before its schema changes.

use std::time::Duration;

use aws_sdk_rds::types::{DbSnapshot, Tag};
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use orchestrator::ports::PortErrorKind;
use tokio::time::Instant;

use crate::connection::Aws;
use crate::failure::{Failure, failed};

/// The first snapshot of a large instance takes long, later ones are incremental.
pub(crate) const WAIT_LIMIT: Duration = Duration::from_secs(4 * 60 * 60);

/// Pages of a hundred instances or snapshots.
pub(crate) const PAGE_LIMIT: usize = 50;

/// The tag that makes a snapshot ours; its value is the environment.
pub(crate) const ENVIRONMENT: &str = "llama-deploy:environment";
/// The tag of a snapshot that a proved restore was made from; its value is when.
pub(crate) const VERIFIED: &str = "llama-deploy:verified";
/// The tag beside it: the newest migration that the restored database had.
pub(crate) const SCHEMA: &str = "llama-deploy:schema-version";

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
        environment: &str,
        label: &str,
        progress: &(dyn Fn(i32) + Send + Sync),
    ) -> Result<Snapshot, Failure> {
        let id = snapshot_id(instance, label);
        let created = self
            .rds()
            .create_db_snapshot()
            .db_instance_identifier(instance)
            .db_snapshot_identifier(&id)
            .tags(Tag::builder().key(ENVIRONMENT).value(environment).build())
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

    pub(crate) async fn describe_snapshot(&self, id: &str) -> Result<DbSnapshot, Failure> {
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
        instance: instance.to_owned(),
        engine: engine(&snapshot),
        arn: snapshot.db_snapshot_arn,
        allocated_gib: snapshot.allocated_storage.unwrap_or(0),
        encrypted: snapshot.encrypted.unwrap_or(false),
    })
}

pub(crate) fn engine(snapshot: &DbSnapshot) -> String {
    let parts = [snapshot.engine.as_deref(), snapshot.engine_version.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

pub(crate) fn moment(at: &DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

/// RDS takes letters, digits and single hyphens, begins with a letter, and at most 255 characters.
pub(crate) fn snapshot_id(instance: &str, label: &str) -> String {
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
    use crate::testing::{Stub, connected};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn described(status: &str, percent: u32) -> Vec<u8> {
        Stub::answer(
            200,
            &format!(
                "<DescribeDBSnapshotsResponse><DescribeDBSnapshotsResult><DBSnapshots><DBSnapshot>\
                 <DBSnapshotIdentifier>s</DBSnapshotIdentifier><DBInstanceIdentifier>phase2</DBInstanceIdentifier>\
                 <Engine>postgres</Engine><EngineVersion>15.17</EngineVersion><AllocatedStorage>500</AllocatedStorage>\
                 <Status>{status}</Status><PercentProgress>{percent}</PercentProgress><Encrypted>true</Encrypted>\
                 </DBSnapshot></DBSnapshots></DescribeDBSnapshotsResult></DescribeDBSnapshotsResponse>"
            ),
        )
    }

    /// The snapshot is there already when it is created, as after a lost answer, and then takes its time.
    #[tokio::test]
    async fn a_snapshot_that_was_begun_before_is_waited_for_and_checked() {
        let looks = AtomicUsize::new(0);
        let stub = Stub::start_connected(move |request| {
            if request.contains("Action=CreateDBSnapshot") {
                assert!(request.contains("llama-deploy-phase2-release-3"), "{request}");
                return Stub::answer(
                    400,
                    "<ErrorResponse><Error><Type>Sender</Type><Code>DBSnapshotAlreadyExists</Code>\
                     <Message>It exists</Message></Error></ErrorResponse>",
                );
            }
            match looks.fetch_add(1, Ordering::SeqCst) {
                0 => described("creating", 40),
                _ => described("available", 100),
            }
        })
        .await;
        let seen = Mutex::new(Vec::new());
        let aws = connected(&stub).await;
        let snapshot = aws
            .snapshot_database("phase2", "prod", "release 3", &|percent| {
                seen.lock().unwrap().push(percent)
            })
            .await
            .unwrap();
        assert_eq!(*seen.lock().unwrap(), [40, 100]);
        assert_eq!(
            (snapshot.engine.as_str(), snapshot.allocated_gib, snapshot.encrypted),
            ("postgres 15.17", 500, true)
        );
    }

    #[tokio::test]
    async fn a_snapshot_that_failed_is_no_backup() {
        let stub = Stub::start_connected(|request| match request.contains("Action=CreateDBSnapshot") {
            true => Stub::answer(
                200,
                "<CreateDBSnapshotResponse><CreateDBSnapshotResult/></CreateDBSnapshotResponse>",
            ),
            false => described("failed", 0),
        })
        .await;
        let failure = connected(&stub)
            .await
            .snapshot_database("phase2", "prod", "x", &|_| {})
            .await
            .unwrap_err();
        assert!(failure.to_string().contains("is failed"), "{failure}");
    }

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
