//! Restoring an RDS instance: a new one from a snapshot or a time, proved, and put in the place of the old one by two
//! renames, so that the endpoint stays what it is. The old instance is kept under another name.
//!
//! RDS gives a restored instance the default groups and none of the tags; everything that the old one has is given to
//! the new one. What comes next is [`plan`]'s. Aurora clusters and read replicas are refused.

mod calls;
mod plan;

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use aws_sdk_rds::types::DbInstance;
use jiff::Timestamp;
use orchestrator::ports::PortErrorKind;
use tokio::time::Instant;

use crate::connection::Aws;
use crate::failure::Failure;
use crate::secrets::Secret;
use crate::snapshot_list::SchemaVersion;
use crate::snapshots::moment;
use crate::waiting::WAIT_LIMIT;
pub use plan::Operation;
use plan::{Seen, Step, next};

/// The tag of an instance that a restore made, until it is finished; its value is [`Operation::tag`].
const RESTORING: &str = "llama-deploy:restoring";
/// The same afterwards.
const RESTORED_FROM: &str = "llama-deploy:restored-from";
/// The moment whose data the new instance has.
const HOLDS: &str = "llama-deploy:holds";
/// When the old instance was last asked to make place.
const MADE_PLACE: &str = "llama-deploy:made-place";

/// What is restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestorePoint {
    /// A snapshot's id.
    Snapshot(String),
    /// A moment that RDS keeps the log of.
    Time(Timestamp),
}

impl fmt::Display for RestorePoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(id) => formatter.write_str(id),
            Self::Time(time) => write!(formatter, "time {time}"),
        }
    }
}

/// What a restore takes away: everything that was written after `since`. It stays in the old instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossWindow {
    pub since: Timestamp,
    /// Before the restore now; afterwards when the old instance was told to make place. RDS ends its connections within
    /// the seconds that follow.
    pub until: Timestamp,
}

#[derive(Clone, Debug)]
pub struct RestoreRequest {
    /// The instance that applications know.
    pub instance: String,
    pub point: RestorePoint,
    pub environment: String,
    /// What the applications log in with today; a restored instance has the passwords of its time.
    pub login: Option<Login>,
    /// Names the restore, where it is not one that was begun before.
    pub now: Timestamp,
}

/// A user of a database. Only the master user's password can be given to a restored instance.
#[derive(Clone, Debug)]
pub struct Login {
    pub username: String,
    pub password: Secret,
}

/// Where an instance is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseAddress {
    pub instance: String,
    pub host: String,
    pub port: u16,
}

/// Proves that a restored instance holds what it should: it connects, counts, asks the user's checks.
#[async_trait]
pub trait Proof: Send + Sync {
    /// What was seen.
    ///
    /// # Errors
    /// Why the instance must not take the place of the old one.
    async fn prove(&self, address: &DatabaseAddress) -> Result<Proven, String>;
}

/// What a proof saw of a restored database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// In a few words.
    pub seen: String,
    pub schema: SchemaVersion,
}

/// For progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreEvent {
    Creating { instance: String },
    Waiting { instance: String, status: String },
    Proving { instance: String },
    Proved { instance: String, seen: String },
    Renaming { from: String, to: String },
    Deleting { instance: String },
}

/// How a restore ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// What it is reached by, as before.
    pub address: DatabaseAddress,
    /// The old instance, which costs until somebody deletes it.
    pub kept: String,
    pub source: String,
    /// What the proof saw; `None` where an earlier run had it.
    pub proof: Option<String>,
    /// What was really lost; `None` where somebody took the new instance's tags away.
    pub lost: Option<LossWindow>,
}

impl Aws {
    /// What a restore of this instance to this point would lose.
    ///
    /// # Errors
    /// A snapshot of another instance or one that is not complete, a time that cannot be restored (yet).
    pub async fn loss_window(
        &self,
        instance: &str,
        point: &RestorePoint,
        now: Timestamp,
    ) -> Result<LossWindow, Failure> {
        let since = match point {
            RestorePoint::Snapshot(id) => {
                let snapshot = self.describe_snapshot(id).await?;
                let of = snapshot.db_instance_identifier.clone().unwrap_or_default();
                if !crate::snapshot_list::is_of(&of, instance) {
                    let message = format!("the snapshot is of `{of}`, not of `{instance}`");
                    return Err(Failure::conflict("DescribeDBSnapshots", id, message));
                }
                if snapshot.status.as_deref() != Some("available") {
                    let status = snapshot.status.unwrap_or_default();
                    let message = format!("the snapshot is {status}, not complete");
                    return Err(Failure::conflict("DescribeDBSnapshots", id, message));
                }
                let created = snapshot.snapshot_create_time.as_ref().and_then(moment);
                created.ok_or_else(|| Failure::incomplete("DescribeDBSnapshots", id, "SnapshotCreateTime"))?
            }
            RestorePoint::Time(time) => {
                let source = point.to_string();
                let of_this = |operation: &Operation| operation.source == source;
                let instances = self.database_instances().await?;
                // One that was begun goes on, whoever has the name just now.
                let begun = instances
                    .values()
                    .any(|described| seen(described).restoring.as_ref().is_some_and(of_this));
                if !begun {
                    let latest = self.latest_restorable_time(instance).await?;
                    if *time > latest {
                        let message = format!("{time} cannot be restored yet: the latest time is {latest}");
                        return Err(Failure::invalid("RestoreDBInstanceToPointInTime", instance, message));
                    }
                }
                *time
            }
        };
        Ok(LossWindow { since, until: now })
    }

    /// The last moment that a restore can reach, on AWS about five minutes ago.
    pub async fn latest_restorable_time(&self, instance: &str) -> Result<Timestamp, Failure> {
        let described = self.database_instance(instance).await?;
        let latest = described.latest_restorable_time.as_ref().and_then(moment);
        latest.ok_or_else(|| {
            let message = "it keeps no automated backups, so there is no time to restore: use a snapshot";
            Failure::invalid("RestoreDBInstanceToPointInTime", instance, message)
        })
    }

    /// Restores beside, proves, and puts the new instance in the old one's place. Called again after it was killed,
    /// wherever that was, it goes on.
    ///
    /// # Errors
    /// A call's, a proof's, or [`Stuck`]. Before the first rename the old instance serves on; the new one is left
    /// to be looked at.
    pub async fn restore_database(
        &self,
        request: &RestoreRequest,
        proof: &dyn Proof,
        progress: &(dyn Fn(RestoreEvent) + Send + Sync),
    ) -> Result<Replaced, Failure> {
        let name = request.instance.as_str();
        let wanted = Operation {
            stamp: request.now.strftime("%Y%m%d%H%M%S").to_string(),
            source: request.point.to_string(),
        };
        let begun = Instant::now();
        let now = || request.now.checked_add(begun.elapsed()).unwrap_or(request.now);
        let mut proved = None;
        loop {
            let instances = self.database_instances().await?;
            let world: Vec<Seen> = instances.values().map(seen).collect();
            let step = next(name, &wanted, proved.is_some(), &world)
                .map_err(|stuck| Failure::conflict("restore", name, stuck.to_string()))?;
            match step {
                Step::Create { operation } => {
                    let original = find(&instances, name)?;
                    self.refuse_unrestorable(original)?;
                    let instance = operation.restored_name(name);
                    progress(RestoreEvent::Creating {
                        instance: instance.clone(),
                    });
                    let holds = self.loss_window(name, &request.point, now()).await?.since;
                    let tags = [
                        (RESTORING, operation.tag()),
                        (HOLDS, holds.to_string()),
                        (crate::snapshots::ENVIRONMENT, request.environment.clone()),
                    ];
                    self.create_restored(&request.point, original, &instance, &tags).await?;
                }
                Step::Wait { name: instance, status } => {
                    if begun.elapsed() > WAIT_LIMIT {
                        let message = format!("{instance} is {status} for {} minutes", WAIT_LIMIT.as_secs() / 60);
                        return Err(Failure::ambiguous("DescribeDBInstances", instance, message));
                    }
                    progress(RestoreEvent::Waiting { instance, status });
                    tokio::time::sleep(self.poll_interval()).await;
                }
                Step::Prove { name: instance, .. } => {
                    let original = find(&instances, name)?;
                    self.adjust(original, &instance, request.login.as_ref()).await?;
                    proved = Some(self.proven(&instance, proof, begun, progress).await?.seen);
                }
                Step::MoveAside { from, to, new } => {
                    // With each try: until the last one the old instance serves.
                    self.tag_instance(find(&instances, &new)?, MADE_PLACE, now().to_string())
                        .await?;
                    self.give_name(from, to, begun, progress).await?;
                }
                Step::MoveIn { from, to } => self.give_name(from, to, begun, progress).await?,
                Step::Finish {
                    name: instance,
                    before,
                    operation,
                } => {
                    let new = find(&instances, &instance)?;
                    let protected = instances.get(&before).and_then(|old| old.deletion_protection);
                    self.finish_restored(new, protected, &operation).await?;
                    return Ok(Replaced {
                        address: address(new)?,
                        kept: before,
                        source: operation.source,
                        proof: proved,
                        lost: lost(new),
                    });
                }
            }
        }
    }

    /// Restores the snapshot into an instance of its own, proves that, deletes it again, and marks the snapshot as
    /// verified, with the schema that the proof saw. An instance that an earlier run left is used.
    pub async fn verify_snapshot(
        &self,
        id: &str,
        login: Option<&Login>,
        proof: &dyn Proof,
        now: Timestamp,
        progress: &(dyn Fn(RestoreEvent) + Send + Sync),
    ) -> Result<Proven, Failure> {
        let snapshot = self.describe_snapshot(id).await?;
        let name = snapshot.db_instance_identifier.clone().unwrap_or_default();
        let original = self.database_instance(&name).await?;
        self.refuse_unrestorable(&original)?;
        let scratch = calls::scratch_name(id);
        let begun = Instant::now();
        if self.database_instances().await?.contains_key(&scratch) {
            tracing::info!(scratch, "an earlier verification left its instance");
        } else {
            progress(RestoreEvent::Creating {
                instance: scratch.clone(),
            });
            let tags = [("llama-deploy:verifies", id.to_owned())];
            let point = RestorePoint::Snapshot(id.to_owned());
            self.create_restored(&point, &original, &scratch, &tags).await?;
        }
        let proven = async {
            self.wait_until_available(&scratch, begun, progress).await?;
            if let Some(password) = calls::master_password(&original, login) {
                self.set_database_password(&scratch, password).await?;
            }
            self.proven(&scratch, proof, begun, progress).await
        }
        .await;
        progress(RestoreEvent::Deleting {
            instance: scratch.clone(),
        });
        let deleted = self.delete_scratch(&scratch).await;
        let proven = proven?;
        deleted?;
        let arn = snapshot.db_snapshot_arn;
        let arn = arn.ok_or_else(|| Failure::incomplete("DescribeDBSnapshots", id, "DBSnapshotArn"))?;
        self.mark_verified(&arn, now, proven.schema).await?;
        Ok(proven)
    }

    /// Asks for the new name; whether it was given is seen by the next look.
    async fn give_name(
        &self,
        from: String,
        to: String,
        begun: Instant,
        progress: &(dyn Fn(RestoreEvent) + Send + Sync),
    ) -> Result<(), Failure> {
        progress(RestoreEvent::Renaming {
            from: from.clone(),
            to: to.clone(),
        });
        match self.rename_database(&from, &to).await {
            Ok(()) => {}
            // It began something by itself since we looked, or the name is being given up: look again.
            Err(failure)
                if matches!(failure.kind, PortErrorKind::Conflict | PortErrorKind::Ambiguous)
                    && begun.elapsed() <= WAIT_LIMIT => {}
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(self.poll_interval()).await;
        Ok(())
    }

    /// What the proof says of the instance, once it is available.
    async fn proven(
        &self,
        instance: &str,
        proof: &dyn Proof,
        begun: Instant,
        progress: &(dyn Fn(RestoreEvent) + Send + Sync),
    ) -> Result<Proven, Failure> {
        let described = self.wait_until_available(instance, begun, progress).await?;
        progress(RestoreEvent::Proving {
            instance: instance.to_owned(),
        });
        let proven = proof
            .prove(&address(&described)?)
            .await
            .map_err(|why| Failure::invalid("verify", instance, why))?;
        progress(RestoreEvent::Proved {
            instance: instance.to_owned(),
            seen: proven.seen.clone(),
        });
        Ok(proven)
    }
}

fn find<'i>(instances: &'i BTreeMap<String, DbInstance>, name: &str) -> Result<&'i DbInstance, Failure> {
    let missing = || Failure::not_found("DescribeDBInstances", name, "there is no such instance");
    instances.get(name).ok_or_else(missing)
}

fn tag<'i>(instance: &'i DbInstance, key: &str) -> Option<&'i str> {
    let tags = instance.tag_list.iter().flatten();
    tags.into_iter().find(|tag| tag.key() == Some(key))?.value()
}

fn lost(new: &DbInstance) -> Option<LossWindow> {
    let moment = |key: &str| tag(new, key)?.parse().ok();
    Some(LossWindow {
        since: moment(HOLDS)?,
        until: moment(MADE_PLACE)?,
    })
}

fn seen(instance: &DbInstance) -> Seen {
    let pending = instance.pending_modified_values.as_ref();
    Seen {
        name: instance.db_instance_identifier.clone().unwrap_or_default(),
        status: instance.db_instance_status.clone().unwrap_or_default(),
        pending: pending
            .is_some_and(|pending| pending.db_instance_identifier.is_some() || pending.master_user_password.is_some()),
        restoring: tag(instance, RESTORING).and_then(Operation::of_tag),
    }
}

fn address(instance: &DbInstance) -> Result<DatabaseAddress, Failure> {
    let name = instance.db_instance_identifier.clone().unwrap_or_default();
    let endpoint = instance.endpoint.as_ref();
    let host = endpoint.and_then(|endpoint| endpoint.address.clone());
    let port = endpoint
        .and_then(|endpoint| endpoint.port)
        .and_then(|port| u16::try_from(port).ok());
    match (host, port) {
        (Some(host), Some(port)) => Ok(DatabaseAddress {
            instance: name,
            host,
            port,
        }),
        _ => Err(Failure::incomplete("DescribeDBInstances", name, "Endpoint")),
    }
}
