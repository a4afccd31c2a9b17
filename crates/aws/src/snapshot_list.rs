//! The snapshots that we took and which of them are proved. Which of them go is the caller's to decide.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use aws_sdk_rds::types::{DbClusterSnapshot, DbSnapshot, Tag};
use jiff::Timestamp;
use orchestrator::ports::PortErrorKind;

use crate::connection::Aws;
use crate::failure::{Failure, failed};
use crate::snapshots::{ENVIRONMENT, PAGE_LIMIT, PREFIX, RdsDatabase, SCHEMA, VERIFIED, moment};

/// One snapshot of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSnapshot {
    pub id: String,
    pub arn: Option<String>,
    pub of: RdsDatabase,
    /// As RDS calls it: `available` when it is complete.
    pub status: String,
    pub percent: i32,
    pub created: Option<Timestamp>,
    /// When a restore of it was proved; never, where none was.
    pub verified: Option<Timestamp>,
    /// What the restored database was at; `None` where that was not read.
    pub schema: Option<SchemaVersion>,
}

/// The newest migration that a database has applied, if any. In a tag: its number, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaVersion(pub Option<i64>);

impl fmt::Display for SchemaVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(version) => write!(formatter, "{version}"),
            None => formatter.write_str("none"),
        }
    }
}

impl FromStr for SchemaVersion {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        Ok(Self(match text {
            "none" => None,
            version => Some(version.parse()?),
        }))
    }
}

impl DatabaseSnapshot {
    /// Whether it is of this database, or of an instance that had its name before a restore.
    pub fn is_of(&self, database: &RdsDatabase) -> bool {
        match (&self.of, database) {
            (RdsDatabase::Instance(of), RdsDatabase::Instance(instance)) => is_of(of, instance),
            (of, database) => of == database,
        }
    }
}

/// RDS does not say whether a snapshot keeps the name of an instance that was renamed, so both count.
pub(crate) fn is_of(snapshot_of: &str, instance: &str) -> bool {
    let before = snapshot_of.strip_prefix(instance);
    before.is_some_and(|rest| rest.is_empty() || rest.starts_with("-before-"))
}

impl Aws {
    /// Of the environment's snapshots that we took, those of this database, the newest first.
    pub async fn snapshots_of(
        &self,
        database: &RdsDatabase,
        environment: &str,
    ) -> Result<Vec<DatabaseSnapshot>, Failure> {
        let mut found = match database {
            RdsDatabase::Instance(_) => self.instance_snapshots(environment).await?,
            RdsDatabase::Cluster(_) => self.cluster_snapshots(environment).await?,
        };
        found.retain(|snapshot| snapshot.is_of(database));
        Ok(found)
    }

    /// The environment's snapshots of instances that we took, the newest first.
    pub async fn instance_snapshots(&self, environment: &str) -> Result<Vec<DatabaseSnapshot>, Failure> {
        const OPERATION: &str = "DescribeDBSnapshots";
        let mut found = Vec::new();
        let mut marker = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .rds()
                .describe_db_snapshots()
                .snapshot_type("manual")
                .set_marker(marker)
                .send()
                .await
                .map_err(failed(OPERATION, environment))?;
            let snapshots = page.db_snapshots().iter();
            found.extend(snapshots.filter_map(|snapshot| of_instance(snapshot, environment)));
            marker = page.marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(newest_first(found));
            }
        }
        Err(too_many(OPERATION, environment))
    }

    /// The same of clusters.
    pub async fn cluster_snapshots(&self, environment: &str) -> Result<Vec<DatabaseSnapshot>, Failure> {
        const OPERATION: &str = "DescribeDBClusterSnapshots";
        let mut found = Vec::new();
        let mut marker = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .rds()
                .describe_db_cluster_snapshots()
                .snapshot_type("manual")
                .set_marker(marker)
                .send()
                .await
                .map_err(failed(OPERATION, environment))?;
            let snapshots = page.db_cluster_snapshots().iter();
            found.extend(snapshots.filter_map(|snapshot| of_cluster(snapshot, environment)));
            marker = page.marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(newest_first(found));
            }
        }
        Err(too_many(OPERATION, environment))
    }

    /// One that is gone already is no failure.
    pub async fn delete_snapshot(&self, snapshot: &DatabaseSnapshot) -> Result<(), Failure> {
        let id = snapshot.id.as_str();
        let deleted = match &snapshot.of {
            RdsDatabase::Instance(_) => {
                let call = self.rds().delete_db_snapshot().db_snapshot_identifier(id);
                call.send().await.map(drop).map_err(failed("DeleteDBSnapshot", id))
            }
            RdsDatabase::Cluster(_) => {
                let call = self
                    .rds()
                    .delete_db_cluster_snapshot()
                    .db_cluster_snapshot_identifier(id);
                call.send()
                    .await
                    .map(drop)
                    .map_err(failed("DeleteDBClusterSnapshot", id))
            }
        };
        match deleted {
            Err(failure) if failure.kind != PortErrorKind::NotFound => Err(failure),
            _ => Ok(()),
        }
    }

    pub(crate) async fn mark_verified(&self, arn: &str, at: Timestamp, schema: SchemaVersion) -> Result<(), Failure> {
        self.rds()
            .add_tags_to_resource()
            .resource_name(arn)
            .tags(Tag::builder().key(VERIFIED).value(at.to_string()).build())
            .tags(Tag::builder().key(SCHEMA).value(schema.to_string()).build())
            .send()
            .await
            .map(drop)
            .map_err(failed("AddTagsToResource", arn))
    }
}

fn too_many(operation: &'static str, environment: &str) -> Failure {
    Failure::ambiguous(operation, environment, format!("more than {PAGE_LIMIT} pages"))
}

fn newest_first(mut found: Vec<DatabaseSnapshot>) -> Vec<DatabaseSnapshot> {
    found.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.created));
    found
}

/// The tag alone does not make one ours: an instance that we restored bears it, and may copy its tags to the snapshots
/// that somebody else takes of it.
fn is_ours(id: &str, tags: &[Tag], environment: &str) -> bool {
    id.starts_with(PREFIX) && tag(tags, ENVIRONMENT) == Some(environment)
}

fn tag<'t>(tags: &'t [Tag], key: &str) -> Option<&'t str> {
    tags.iter().find(|tag| tag.key() == Some(key))?.value()
}

fn verified(tags: &[Tag]) -> Option<Timestamp> {
    tag(tags, VERIFIED).and_then(|at| at.parse().ok())
}

fn of_instance(snapshot: &DbSnapshot, environment: &str) -> Option<DatabaseSnapshot> {
    let (id, tags) = (snapshot.db_snapshot_identifier()?, snapshot.tag_list());
    is_ours(id, tags, environment).then(|| DatabaseSnapshot {
        id: id.to_owned(),
        arn: snapshot.db_snapshot_arn.clone(),
        of: RdsDatabase::Instance(snapshot.db_instance_identifier.clone().unwrap_or_default()),
        status: snapshot.status.clone().unwrap_or_default(),
        percent: snapshot.percent_progress.unwrap_or(0),
        created: snapshot.snapshot_create_time().and_then(moment),
        verified: verified(tags),
        schema: tag(tags, SCHEMA).and_then(|schema| schema.parse().ok()),
    })
}

fn of_cluster(snapshot: &DbClusterSnapshot, environment: &str) -> Option<DatabaseSnapshot> {
    let (id, tags) = (snapshot.db_cluster_snapshot_identifier()?, snapshot.tag_list());
    is_ours(id, tags, environment).then(|| DatabaseSnapshot {
        id: id.to_owned(),
        arn: snapshot.db_cluster_snapshot_arn.clone(),
        of: RdsDatabase::Cluster(snapshot.db_cluster_identifier.clone().unwrap_or_default()),
        status: snapshot.status.clone().unwrap_or_default(),
        percent: snapshot.percent_progress.unwrap_or(0),
        created: snapshot.snapshot_create_time().and_then(moment),
        verified: verified(tags),
        schema: tag(tags, SCHEMA).and_then(|schema| schema.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A restored instance has the environment's tag, and may copy it to what others take of it.
    #[test]
    fn a_snapshot_that_somebody_else_took_is_not_ours() {
        let snapshot = |id: &str, environment: &str| {
            let tag = Tag::builder().key(ENVIRONMENT).value(environment).build();
            DbSnapshot::builder()
                .db_snapshot_identifier(id)
                .db_instance_identifier("main-before-20261123")
                .tag_list(tag)
                .build()
        };
        assert_eq!(of_instance(&snapshot("by-hand", "prod"), "prod"), None);
        assert_eq!(of_instance(&snapshot("llama-deploy-main-one", "test"), "prod"), None);
        let ours = of_instance(&snapshot("llama-deploy-main-one", "prod"), "prod").unwrap();
        assert!(ours.is_of(&RdsDatabase::Instance("main".to_owned())));
        assert!(!ours.is_of(&RdsDatabase::Instance("mai".to_owned())));
        assert!(!ours.is_of(&RdsDatabase::Cluster("main-before-20261123".to_owned())));
    }
}
