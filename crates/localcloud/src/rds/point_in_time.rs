//! `RestoreDBInstanceToPointInTime`: a snapshot of the instance and its log after it, up to a time.
//!
//! Nobody takes automated backups here: the first snapshot begins the log that is kept, and times before it cannot be
//! restored. The log ends now, for it is finished when it is asked for.

use jiff::Timestamp;
use serde_json::Value;

use super::instance::{Instance, Snapshot, Status, restored_wishes};
use super::{Rds, failed};
use crate::members::Members;
use crate::service::ApiError;

impl Rds {
    /// The last moment that can be restored; none without automated backups, or before the first snapshot.
    pub(super) fn latest_restorable(&self, instance: &Instance) -> Option<Timestamp> {
        let now = self.context.clock.now();
        let possible = instance.is_backed_up() && instance.has_server() && self.base(instance, now).is_some();
        possible.then_some(now)
    }

    /// The newest snapshot of the instance that was complete at that time.
    fn base(&self, instance: &Instance, at: Timestamp) -> Option<Snapshot> {
        let state = self.state.read();
        let complete = state.snapshots.values().filter(|snapshot| {
            snapshot.instance.resource_id == instance.resource_id
                && snapshot.status == Status::Available
                && snapshot.finished.is_some_and(|finished| finished <= at)
        });
        complete.max_by_key(|snapshot| snapshot.finished).cloned()
    }

    /// Makes a new instance as the source was then, and waits until it takes connections.
    pub(super) async fn restore_to_time(&self, input: &Value) -> Result<Instance, ApiError> {
        let _work = self.work.lock().await;
        let source = self.instance(input.required_text("SourceDBInstanceIdentifier")?)?;
        let id = self.new_identifier(input.required_text("TargetDBInstanceIdentifier")?)?;
        self.refuse_shared(&source)?;
        if source.is_external {
            return Err(super::not_ours(&source.id));
        }
        if !source.is_backed_up() {
            return Err(ApiError::new(
                400,
                "PointInTimeRestoreNotEnabled",
                format!(
                    "{} keeps no automated backups: its BackupRetentionPeriod is 0",
                    source.id
                ),
            ));
        }
        if source.status != Status::Available {
            return Err(ApiError::new(
                400,
                "InvalidDBInstanceState",
                format!("{} is {}, not available", source.id, source.status.name()),
            ));
        }
        let now = self.context.clock.now();
        let asked = input.number("RestoreTime").map(|seconds| {
            let nanoseconds = (seconds * 1e6).round() as i128 * 1000;
            Timestamp::from_nanosecond(nanoseconds).map_err(|error| invalid_time(error.to_string()))
        });
        let until = match (asked, input.flag("UseLatestRestorableTime") == Some(true)) {
            (Some(until), false) => Some(until?),
            (None, true) => None,
            _ => {
                return Err(ApiError::new(
                    400,
                    "InvalidParameterCombination",
                    "Specify either RestoreTime or UseLatestRestorableTime.",
                ));
            }
        };
        if until.is_some_and(|until| until > now) {
            return Err(invalid_time(format!(
                "{} cannot be restored to a time after {now}",
                source.id
            )));
        }
        let base = self.base(&source, until.unwrap_or(now)).ok_or_else(|| {
            invalid_time(format!(
                "{} has no snapshot that was complete then: the embedded cloud keeps the log from the first snapshot on",
                source.id
            ))
        })?;
        let from = self.cluster(&source).await.map_err(failed)?;
        from.archive_log(&source.admin_password).await.map_err(failed)?;
        let port = self.port_of(&id).await?;
        let blank = self.blank(id, input)?;
        let instance = Instance {
            port,
            wishes: restored_wishes(&source.wishes, blank.wishes),
            engine_version: source.engine_version,
            master_username: source.master_username,
            master_password: source.master_password,
            admin_password: source.admin_password,
            database: source.database,
            ..blank
        };
        let cluster = self.cluster(&instance).await.map_err(failed)?;
        let files = self.folder("snapshots", &base.id);
        if let Err(error) = cluster.restore_to(&files, &from, until).await {
            cluster.remove().await.map_err(failed)?;
            return Err(failed(error));
        }
        let instance = self.started(&cluster, instance).await?;
        self.state.change(|state| {
            state.instances.insert(instance.id.clone(), instance.clone());
            Ok(instance)
        })
    }
}

fn invalid_time(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidRestoreFault", message)
}
