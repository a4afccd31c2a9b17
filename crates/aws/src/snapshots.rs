//! Snapshots of an RDS instance or an Aurora cluster: taken, waited for, and checked to be of what was asked.

use aws_sdk_rds::types::{DbClusterSnapshot, DbSnapshot, Tag};
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use orchestrator::ports::PortErrorKind;

use crate::connection::Aws;
use crate::failure::{Failure, failed};
use crate::waiting::{Look, Progress, TakenBackup};

/// Pages of a hundred instances or snapshots.
pub(crate) const PAGE_LIMIT: usize = 50;

/// The tag that makes a snapshot ours; its value is the environment.
pub(crate) const ENVIRONMENT: &str = "llama-deploy:environment";
/// The tag of a snapshot that a proved restore was made from; its value is when.
pub(crate) const VERIFIED: &str = "llama-deploy:verified";
/// The tag beside it: the newest migration that the restored database had.
pub(crate) const SCHEMA: &str = "llama-deploy:schema-version";
/// What the name of each of ours begins with.
pub(crate) const PREFIX: &str = "llama-deploy-";

/// What RDS takes snapshots of, by its identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RdsDatabase {
    Instance(String),
    /// Aurora, whose instances share one storage, or a Multi-AZ cluster.
    Cluster(String),
}

impl Aws {
    /// Takes a snapshot, waits until it is complete, and checks that it is of this database. A snapshot of that label
    /// which is there already is waited for and checked likewise, so repeating it is safe.
    pub async fn snapshot(
        &self,
        database: &RdsDatabase,
        environment: &str,
        label: &str,
        progress: &Progress<'_>,
    ) -> Result<TakenBackup, Failure> {
        match database {
            RdsDatabase::Instance(instance) => self.snapshot_instance(instance, environment, label, progress).await,
            RdsDatabase::Cluster(cluster) => self.snapshot_cluster(cluster, environment, label, progress).await,
        }
    }

    async fn snapshot_instance(
        &self,
        instance: &str,
        environment: &str,
        label: &str,
        progress: &Progress<'_>,
    ) -> Result<TakenBackup, Failure> {
        let id = snapshot_id(instance, label);
        let created = self
            .rds()
            .create_db_snapshot()
            .db_instance_identifier(instance)
            .db_snapshot_identifier(&id)
            .tags(ours(environment))
            .send()
            .await
            .map_err(failed("CreateDBSnapshot", instance));
        let was_there = was_there(created.map(drop), "DBSnapshotAlreadyExists")?;
        let calls = ["CreateDBSnapshot", "DescribeDBSnapshots"];
        self.until_complete(calls, &id, progress, || async {
            let DbSnapshot {
                db_instance_identifier: of,
                status,
                percent_progress,
                snapshot_create_time: made,
                ..
            } = self.describe_snapshot(&id).await?;
            look(status, percent_progress, || taken(&id, instance, of, made, was_there))
        })
        .await
    }

    async fn snapshot_cluster(
        &self,
        cluster: &str,
        environment: &str,
        label: &str,
        progress: &Progress<'_>,
    ) -> Result<TakenBackup, Failure> {
        let id = snapshot_id(cluster, label);
        let created = self
            .rds()
            .create_db_cluster_snapshot()
            .db_cluster_identifier(cluster)
            .db_cluster_snapshot_identifier(&id)
            .tags(ours(environment))
            .send()
            .await
            .map_err(failed("CreateDBClusterSnapshot", cluster));
        let was_there = was_there(created.map(drop), "DBClusterSnapshotAlreadyExistsFault")?;
        let calls = ["CreateDBClusterSnapshot", "DescribeDBClusterSnapshots"];
        self.until_complete(calls, &id, progress, || async {
            let DbClusterSnapshot {
                db_cluster_identifier: of,
                status,
                percent_progress,
                snapshot_create_time: made,
                ..
            } = self.describe_cluster_snapshot(&id).await?;
            look(status, percent_progress, || taken(&id, cluster, of, made, was_there))
        })
        .await
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

    async fn describe_cluster_snapshot(&self, id: &str) -> Result<DbClusterSnapshot, Failure> {
        let found = self
            .rds()
            .describe_db_cluster_snapshots()
            .db_cluster_snapshot_identifier(id)
            .send()
            .await
            .map_err(failed("DescribeDBClusterSnapshots", id))?;
        let first = found.db_cluster_snapshots.unwrap_or_default().into_iter().next();
        first.ok_or_else(|| Failure::not_found("DescribeDBClusterSnapshots", id, "there is no such snapshot"))
    }
}

fn ours(environment: &str) -> Tag {
    Tag::builder().key(ENVIRONMENT).value(environment).build()
}

/// Whether nothing was begun because there is one of that name; `code` is how the service says so.
pub(crate) fn was_there(created: Result<(), Failure>, code: &str) -> Result<bool, Failure> {
    match created {
        Ok(()) => Ok(false),
        Err(failure) if failure.code == code => Ok(true),
        // Either it shows up now, or describing it says NotFound.
        Err(failure) if failure.kind == PortErrorKind::Ambiguous => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// RDS's words for how far a snapshot is, of an instance and of a cluster alike.
fn look(
    status: Option<String>,
    percent: Option<i32>,
    complete: impl FnOnce() -> Result<TakenBackup, Failure>,
) -> Result<Look<TakenBackup>, Failure> {
    Ok(match status.as_deref() {
        Some("available") => Look::Complete(complete()?),
        Some("creating" | "pending") | None => Look::Making(format!("{} %", percent.unwrap_or(0))),
        Some(other) => Look::Broken(other.to_owned()),
    })
}

fn taken(
    id: &str,
    wanted: &str,
    of: Option<String>,
    made: Option<DateTime>,
    was_there: bool,
) -> Result<TakenBackup, Failure> {
    if of.as_deref() != Some(wanted) {
        let message = format!(
            "the snapshot is of `{}`, not of `{wanted}`: choose another label",
            of.unwrap_or_default()
        );
        return Err(Failure::conflict("describe the snapshot", id, message));
    }
    Ok(TakenBackup {
        id: id.to_owned(),
        of: wanted.to_owned(),
        made: made.as_ref().and_then(moment),
        was_there,
    })
}

pub(crate) fn moment(at: &DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

/// RDS takes letters, digits and single hyphens, begins with a letter, and at most 255 characters.
pub(crate) fn snapshot_id(instance: &str, label: &str) -> String {
    let mut id = String::new();
    for character in format!("{PREFIX}{instance}-{label}").chars() {
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
                 <SnapshotCreateTime>2026-11-23T04:38:12Z</SnapshotCreateTime>\
                 <Status>{status}</Status><PercentProgress>{percent}</PercentProgress>\
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
        let instance = RdsDatabase::Instance("phase2".to_owned());
        let snapshot = aws
            .snapshot(&instance, "prod", "release 3", &|how_far| {
                seen.lock().unwrap().push(how_far)
            })
            .await
            .unwrap();
        assert_eq!(*seen.lock().unwrap(), ["40 %"]);
        assert!(snapshot.was_there, "{snapshot:?}");
        assert_eq!(snapshot.made, Some("2026-11-23T04:38:12Z".parse().unwrap()));
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
            .snapshot(&RdsDatabase::Instance("phase2".to_owned()), "prod", "x", &|_| {})
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
    fn a_snapshot_of_another_database_is_no_backup() {
        let of = |name: &str| taken("s", "mine", Some(name.to_owned()), None, false);
        assert_eq!(of("other").unwrap_err().kind, PortErrorKind::Conflict);
        assert_eq!(of("mine").unwrap().of, "mine");
    }
}
