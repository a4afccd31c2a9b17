//! The snapshots that we took, which of them are proved, and which of them may go.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use aws_sdk_rds::types::{DbSnapshot, Tag};
use jiff::Timestamp;
use orchestrator::ports::PortErrorKind;

use crate::connection::Aws;
use crate::failure::{Failure, failed};
use crate::snapshots::{ENVIRONMENT, PAGE_LIMIT, SCHEMA, VERIFIED, moment};

/// One snapshot of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSnapshot {
    pub id: String,
    pub arn: Option<String>,
    pub instance: String,
    /// As RDS calls it: `available` when it is complete.
    pub status: String,
    pub percent: i32,
    pub created: Option<Timestamp>,
    /// The size of the instance's storage; RDS does not tell a snapshot's own.
    pub allocated_gib: i32,
    /// Such as `postgres 15.17`.
    pub engine: String,
    pub encrypted: bool,
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
    /// Whether it is of this instance, or of one that had its name before a restore.
    pub fn is_of(&self, instance: &str) -> bool {
        is_of(&self.instance, instance)
    }
}

/// RDS does not say whether a snapshot keeps the name of an instance that was renamed, so both count.
pub(crate) fn is_of(snapshot_of: &str, instance: &str) -> bool {
    let before = snapshot_of.strip_prefix(instance);
    before.is_some_and(|rest| rest.is_empty() || rest.starts_with("-before-"))
}

/// How long snapshots are kept. One goes when it is beyond every limit that is given; without a limit all stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotRetention {
    /// The newest of each instance that stay, whatever their age.
    pub keep: Option<usize>,
    /// Days that each stays.
    pub days: Option<u32>,
}

/// The snapshots that retention lets go. The newest complete one and the newest verified one of an instance never are
/// among them, nor is one that is not complete.
pub fn expired<'s>(
    snapshots: &'s [DatabaseSnapshot],
    retention: SnapshotRetention,
    now: Timestamp,
) -> Vec<&'s DatabaseSnapshot> {
    if retention == SnapshotRetention::default() {
        return Vec::new();
    }
    let mut newest: Vec<&DatabaseSnapshot> = snapshots
        .iter()
        .filter(|snapshot| snapshot.status == "available" && snapshot.created.is_some())
        .collect();
    newest.sort_by_key(|snapshot| std::cmp::Reverse((snapshot.created, &snapshot.id)));
    let goes = |(index, snapshot): (usize, &&'s DatabaseSnapshot)| {
        let newer = newest[..index]
            .iter()
            .filter(|newer| newer.instance == snapshot.instance);
        let rank = newer.clone().count();
        let proved = snapshot.verified.is_some() && newer.clone().all(|newer| newer.verified.is_none());
        let age = snapshot.created.map(|created| now.duration_since(created));
        let old = |days: u32| age.is_some_and(|age| age > jiff::SignedDuration::from_hours(i64::from(days) * 24));
        let beyond = retention.keep.is_none_or(|keep| rank >= keep) && retention.days.is_none_or(old);
        (rank > 0 && !proved && beyond).then_some(*snapshot)
    };
    newest.iter().enumerate().filter_map(goes).collect()
}

impl Aws {
    /// The environment's snapshots that we took, the newest first.
    pub async fn snapshots(&self, environment: &str) -> Result<Vec<DatabaseSnapshot>, Failure> {
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
                .map_err(failed("DescribeDBSnapshots", environment))?;
            let ours = page.db_snapshots.unwrap_or_default().into_iter();
            found.extend(
                ours.filter(|snapshot| tag(snapshot, ENVIRONMENT) == Some(environment))
                    .map(ours_as),
            );
            marker = page.marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                found.sort_by_key(|snapshot: &DatabaseSnapshot| std::cmp::Reverse(snapshot.created));
                return Ok(found);
            }
        }
        let message = format!("more than {PAGE_LIMIT} pages");
        Err(Failure::ambiguous("DescribeDBSnapshots", environment, message))
    }

    /// One that is gone already is no failure.
    pub async fn delete_snapshot(&self, id: &str) -> Result<(), Failure> {
        let deleted = self
            .rds()
            .delete_db_snapshot()
            .db_snapshot_identifier(id)
            .send()
            .await
            .map_err(failed("DeleteDBSnapshot", id));
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

fn tag<'s>(snapshot: &'s DbSnapshot, key: &str) -> Option<&'s str> {
    let tags = snapshot.tag_list.iter().flatten();
    tags.into_iter().find(|tag| tag.key() == Some(key))?.value()
}

fn ours_as(snapshot: DbSnapshot) -> DatabaseSnapshot {
    let verified = tag(&snapshot, VERIFIED).and_then(|at| at.parse().ok());
    let schema = tag(&snapshot, SCHEMA).and_then(|schema| schema.parse().ok());
    DatabaseSnapshot {
        verified,
        schema,
        created: snapshot.snapshot_create_time.as_ref().and_then(moment),
        engine: crate::snapshots::engine(&snapshot),
        id: snapshot.db_snapshot_identifier.unwrap_or_default(),
        arn: snapshot.db_snapshot_arn,
        instance: snapshot.db_instance_identifier.unwrap_or_default(),
        status: snapshot.status.unwrap_or_default(),
        percent: snapshot.percent_progress.unwrap_or(0),
        allocated_gib: snapshot.allocated_storage.unwrap_or(0),
        encrypted: snapshot.encrypted.unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(id: &str, instance: &str, day: i8, verified: bool) -> DatabaseSnapshot {
        let created = Timestamp::from_second(i64::from(day) * 86_400).ok();
        DatabaseSnapshot {
            id: id.to_owned(),
            arn: None,
            instance: instance.to_owned(),
            status: "available".to_owned(),
            percent: 100,
            created,
            allocated_gib: 20,
            engine: "postgres 15.17".to_owned(),
            encrypted: false,
            verified: created.filter(|_| verified),
            schema: None,
        }
    }

    #[test]
    fn only_what_is_beyond_every_limit_goes() {
        let creating = DatabaseSnapshot {
            status: "creating".to_owned(),
            ..snapshot("creating", "main", 1, false)
        };
        let all = [
            snapshot("a", "main", 1, false),
            snapshot("b", "main", 2, true),
            snapshot("c", "main", 3, false),
            snapshot("d", "main", 9, false),
            snapshot("alone", "other", 1, false),
            creating,
        ];
        let now = Timestamp::from_second(10 * 86_400).unwrap();
        let gone = |keep: Option<usize>, days: Option<u32>| -> Vec<&str> {
            let gone = expired(&all, SnapshotRetention { keep, days }, now);
            gone.iter().map(|snapshot| snapshot.id.as_str()).collect()
        };
        assert_eq!(gone(None, None), [] as [&str; 0]);
        // `b` is the newest that is verified; `d` and `alone` are the newest of their instances.
        assert_eq!(gone(Some(0), None), ["c", "a"]);
        assert_eq!(gone(Some(2), None), ["a"]);
        assert_eq!(gone(None, Some(7)), ["a"]);
        assert_eq!(gone(Some(1), Some(6)), ["c", "a"]);
        assert_eq!(gone(Some(1), Some(30)), [] as [&str; 0]);
        assert_eq!(gone(Some(9), Some(0)), [] as [&str; 0]);
    }
}
