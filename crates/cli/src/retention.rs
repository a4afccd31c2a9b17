//! Which backups go once a new one is made, and their removal. The rules are the same for every kind: one goes when it is
//! beyond every limit that is given, but never the newest, never the newest verified one, never the one just made, and
//! none that is not whole. Called after each backup, by hand or of a rollout; a removal that fails makes no backup fail.

use std::path::Path;

use aws::{Aws, RdsDatabase};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::console::Console;

/// How long backups are kept; all of them where no limit is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The newest of each kind and database that stay, whatever their age.
    pub keep: Option<usize>,
    /// Days that each stays.
    pub days: Option<u32>,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Retained {
    pub deleted: Vec<String>,
    pub not_deleted: Vec<NotDeleted>,
}

#[derive(Debug, Serialize)]
pub struct NotDeleted {
    pub id: String,
    pub error: String,
}

impl Retained {
    /// 1 where something is left that should be gone.
    pub fn status(&self) -> u8 {
        u8::from(!self.not_deleted.is_empty())
    }

    fn note(&mut self, what: &str, id: &str, removed: Result<(), String>, console: &Console) {
        let id = id.to_owned();
        match removed {
            Ok(()) => {
                console.say(&format!("  deleted the {what} {id}, past its retention"));
                self.deleted.push(id);
            }
            Err(error) => {
                console.say(&format!(
                    "  the {what} {id} is past its retention and could NOT be deleted: {error}"
                ));
                self.not_deleted.push(NotDeleted { id, error });
            }
        }
    }
}

/// A whole backup as the rules see it.
struct Held {
    id: String,
    /// Each database's backups are counted by themselves.
    of: String,
    made_at: Timestamp,
    is_verified: bool,
}

/// Those of them that go, the newest first.
fn expired(mut held: Vec<Held>, retention: Retention, just_made: &[String], now: Timestamp) -> Vec<String> {
    if retention == Retention::default() {
        return Vec::new();
    }
    // Times are of seconds: what was just made is the newest of its second.
    let age = |held: &Held| (held.made_at, just_made.contains(&held.id), held.id.clone());
    held.sort_by_key(|held| std::cmp::Reverse(age(held)));
    let goes = |(index, candidate): (usize, &Held)| {
        let newer = held[..index].iter().filter(|newer| newer.of == candidate.of);
        let rank = newer.clone().count();
        let is_proof = candidate.is_verified && !newer.clone().any(|newer| newer.is_verified);
        let age = now.duration_since(candidate.made_at);
        let is_old = |days: u32| age > SignedDuration::from_hours(i64::from(days) * 24);
        let is_beyond = retention.keep.is_none_or(|keep| rank >= keep) && retention.days.is_none_or(is_old);
        let goes = rank > 0 && !is_proof && is_beyond && !just_made.contains(&candidate.id);
        goes.then(|| candidate.id.clone())
    };
    held.iter().enumerate().filter_map(goes).collect()
}

/// Of the environment's snapshots, those of what `databases` are: instances, clusters, or both.
pub async fn of_snapshots(
    aws: &Aws,
    environment: &str,
    databases: &[RdsDatabase],
    just_made: &[String],
    (retention, now): (Retention, Timestamp),
    console: &Console,
) -> Retained {
    let mut retained = Retained::default();
    if retention == Retention::default() {
        return retained;
    }
    let any = |is: fn(&RdsDatabase) -> bool| databases.iter().any(is);
    let mut listings = Vec::new();
    if any(|database| matches!(database, RdsDatabase::Instance(_))) {
        listings.push(aws.instance_snapshots(environment).await);
    }
    if any(|database| matches!(database, RdsDatabase::Cluster(_))) {
        listings.push(aws.cluster_snapshots(environment).await);
    }
    for listing in listings {
        let snapshots = match listing {
            Ok(snapshots) => snapshots,
            Err(failure) => {
                retained.note("old", "snapshots", Err(failure.to_string()), console);
                continue;
            }
        };
        let whole = snapshots.iter().filter(|snapshot| snapshot.status == "available");
        let held = whole.filter_map(|snapshot| {
            let (RdsDatabase::Instance(of) | RdsDatabase::Cluster(of)) = &snapshot.of;
            Some(Held {
                id: snapshot.id.clone(),
                of: of.clone(),
                made_at: snapshot.created?,
                is_verified: snapshot.verified.is_some(),
            })
        });
        let gone = expired(held.collect(), retention, just_made, now);
        for snapshot in snapshots.iter().filter(|snapshot| gone.contains(&snapshot.id)) {
            let deleted = aws.delete_snapshot(snapshot).await;
            let deleted = deleted.map_err(|failure| failure.to_string());
            retained.note("snapshot", &snapshot.id, deleted, console);
        }
    }
    retained
}

/// Of the dumps in an environment's folder. One that cannot be read is left where it is: nobody knows what it is.
pub fn of_dumps(
    folder: &Path,
    just_made: &str,
    (retention, now): (Retention, Timestamp),
    console: &Console,
) -> Retained {
    let mut retained = Retained::default();
    if retention == Retention::default() {
        return retained;
    }
    let dumps = match migrate::backup::list(folder) {
        Ok(dumps) => dumps.into_iter().flatten().collect::<Vec<_>>(),
        Err(error) => {
            retained.note("old", "dumps", Err(error.to_string()), console);
            return retained;
        }
    };
    let held = dumps.iter().filter_map(|dump| {
        Some(Held {
            id: dump.label.clone(),
            // The environment's, wherever it served from.
            of: String::new(),
            made_at: dump.made_at.parse().ok()?,
            is_verified: dump.verified.is_some(),
        })
    });
    let gone = expired(held.collect(), retention, &[just_made.to_owned()], now);
    for dump in dumps.iter().filter(|dump| gone.contains(&dump.label)) {
        let removed = migrate::backup::remove(dump).map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        });
        retained.note("dump", &dump.label, removed, console);
    }
    retained
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn held(id: &str, of: &str, day: i64, is_verified: bool) -> Held {
        Held {
            id: id.to_owned(),
            of: of.to_owned(),
            made_at: Timestamp::from_second(day * DAY).unwrap(),
            is_verified,
        }
    }

    #[test]
    fn only_what_is_beyond_every_limit_goes() {
        let now = Timestamp::from_second(10 * DAY).unwrap();
        let gone = |keep: Option<usize>, days: Option<u32>| {
            let all = vec![
                held("a", "main", 1, false),
                held("b", "main", 2, true),
                held("c", "main", 3, false),
                held("d", "main", 9, false),
                held("alone", "other", 1, false),
            ];
            expired(all, Retention { keep, days }, &[], now)
        };
        assert_eq!(gone(None, None), [] as [&str; 0]);
        // `b` is the newest that is verified; `d` and `alone` are the newest of their databases.
        assert_eq!(gone(Some(0), None), ["c", "a"]);
        assert_eq!(gone(Some(2), None), ["a"]);
        assert_eq!(gone(None, Some(7)), ["a"]);
        assert_eq!(gone(Some(1), Some(6)), ["c", "a"]);
        assert_eq!(gone(Some(1), Some(30)), [] as [&str; 0]);
        assert_eq!(gone(Some(9), Some(0)), [] as [&str; 0]);
    }

    #[test]
    fn what_was_just_made_stays_whatever_its_time_says() {
        let now = Timestamp::from_second(10 * DAY).unwrap();
        let limit = Retention {
            keep: Some(1),
            days: None,
        };
        let of = |made: &str| {
            let all = vec![
                held("x", "", 9, false),
                held("y", "", 9, false),
                held("z", "", 1, false),
            ];
            expired(all, limit, &[made.to_owned()], now)
        };
        assert_eq!(of("x"), ["y", "z"]);
        assert_eq!(of("y"), ["x", "z"]);
        // The label of an old one was given again.
        assert_eq!(of("z"), ["x"]);
    }

    #[test]
    fn dumps_that_nobody_can_read_stay() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("strange")).unwrap();
        let limit = Retention {
            keep: Some(0),
            days: None,
        };
        let console = Console::new(true);
        let retained = of_dumps(folder.path(), "new", (limit, Timestamp::UNIX_EPOCH), &console);
        assert!(retained.deleted.is_empty() && retained.status() == 0, "{retained:?}");
        assert!(folder.path().join("strange").is_dir());
    }
}
