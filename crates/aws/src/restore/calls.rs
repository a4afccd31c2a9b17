//! The calls of a restore, each with what the original has: RDS's defaults are other groups, no tags, no protection.

use std::collections::BTreeMap;

use aws_sdk_rds::types::{DbInstance, Tag};
use aws_smithy_types::DateTime;
use orchestrator::ports::PortErrorKind;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{HOLDS, Login, MADE_PLACE, Operation, RESTORED_FROM, RESTORING, RestoreEvent, RestorePoint, find, seen};
use crate::connection::Aws;
use crate::failure::{Failure, failed};
use crate::secrets::Secret;
use crate::snapshots::PAGE_LIMIT;
use crate::waiting::WAIT_LIMIT;

/// The instance that a snapshot is verified in.
pub(super) fn scratch_name(snapshot: &str) -> String {
    let digest = hex::encode(Sha256::digest(snapshot));
    format!("llama-verify-{}", &digest[..16])
}

/// Everything of the original that both restores take.
macro_rules! as_original {
    ($call:expr, $original:expr, $tags:expr, $scratch:expr) => {{
        let original: &DbInstance = $original;
        let parameter_groups = original.db_parameter_groups.iter().flatten();
        let option_groups = original.option_group_memberships.iter().flatten();
        let groups = original.vpc_security_groups.iter().flatten();
        let logs = original.enabled_cloudwatch_logs_exports.clone();
        // A managed password is a new secret; the old one stays with the old instance.
        let managed = original.master_user_secret.as_ref().filter(|_| !$scratch);
        $call
            .set_db_instance_class(original.db_instance_class.clone())
            .set_db_subnet_group_name(
                original
                    .db_subnet_group
                    .as_ref()
                    .and_then(|group| group.db_subnet_group_name.clone()),
            )
            .set_vpc_security_group_ids(Some(
                groups.filter_map(|group| group.vpc_security_group_id.clone()).collect(),
            ))
            .set_db_parameter_group_name(
                parameter_groups
                    .filter_map(|group| group.db_parameter_group_name.clone())
                    .next(),
            )
            .set_option_group_name(option_groups.filter_map(|group| group.option_group_name.clone()).next())
            .set_port(port(original))
            .set_publicly_accessible(original.publicly_accessible)
            .set_multi_az(original.multi_az.map(|multi_az| multi_az && !$scratch))
            .set_auto_minor_version_upgrade(original.auto_minor_version_upgrade)
            .set_copy_tags_to_snapshot(original.copy_tags_to_snapshot)
            .set_storage_type(original.storage_type.clone())
            .set_iops(original.iops.filter(|iops| *iops > 0))
            .set_storage_throughput(original.storage_throughput.filter(|throughput| *throughput > 0))
            .set_enable_iam_database_authentication(original.iam_database_authentication_enabled)
            .set_enable_cloudwatch_logs_exports(logs.filter(|_| !$scratch))
            .set_network_type(original.network_type.clone())
            .set_ca_certificate_identifier(original.ca_certificate_identifier.clone())
            .set_dedicated_log_volume(original.dedicated_log_volume)
            .set_processor_features(
                original
                    .processor_features
                    .clone()
                    .filter(|features| !features.is_empty()),
            )
            .set_manage_master_user_password(managed.map(|_| true))
            .set_master_user_secret_kms_key_id(managed.and_then(|secret| secret.kms_key_id.clone()))
            // The old one's, once the new one has its place: until then it may have to be deleted.
            .deletion_protection(false)
            .set_tags(Some($tags))
    }};
}

/// The embedded cloud chooses ports by itself, and AWS tells none beside the endpoint's.
fn port(original: &DbInstance) -> Option<i32> {
    original.endpoint.as_ref().and_then(|endpoint| endpoint.port)
}

/// The master user's password of today. One that RDS manages is not ours to set.
pub(super) fn master_password<'l>(original: &DbInstance, login: Option<&'l Login>) -> Option<&'l Secret> {
    let login = login.filter(|login| original.master_username.as_ref() == Some(&login.username))?;
    original.master_user_secret.is_none().then_some(&login.password)
}

fn arn(instance: &DbInstance) -> Result<&str, Failure> {
    let name = instance.db_instance_identifier().unwrap_or_default();
    let missing = || Failure::incomplete("DescribeDBInstances", name, "DBInstanceArn");
    instance.db_instance_arn().ok_or_else(missing)
}

/// The original's own tags and ours. Those that AWS made for itself cannot be given.
fn tags(original: &DbInstance, ours: &[(&str, String)]) -> Vec<Tag> {
    let theirs = original.tag_list.iter().flatten().filter(|tag| {
        let key = tag.key().unwrap_or_default();
        let of_a_restore = [RESTORED_FROM, HOLDS, MADE_PLACE].contains(&key);
        !key.starts_with("aws:") && !of_a_restore && ours.iter().all(|(own, _)| *own != key)
    });
    let ours = ours
        .iter()
        .map(|(key, value)| Tag::builder().key(*key).value(value).build());
    theirs.cloned().chain(ours).collect()
}

impl Aws {
    /// By identifier.
    pub(super) async fn database_instances(&self) -> Result<BTreeMap<String, DbInstance>, Failure> {
        let mut found = BTreeMap::new();
        let mut marker = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .rds()
                .describe_db_instances()
                .set_marker(marker)
                .send()
                .await
                .map_err(failed("DescribeDBInstances", "all instances"))?;
            for instance in page.db_instances.unwrap_or_default() {
                found.insert(instance.db_instance_identifier.clone().unwrap_or_default(), instance);
            }
            marker = page.marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
        let message = format!("more than {PAGE_LIMIT} pages");
        Err(Failure::ambiguous("DescribeDBInstances", "all instances", message))
    }

    pub(crate) async fn database_instance(&self, name: &str) -> Result<DbInstance, Failure> {
        let found = self
            .rds()
            .describe_db_instances()
            .db_instance_identifier(name)
            .send()
            .await
            .map_err(failed("DescribeDBInstances", name))?;
        let first = found.db_instances.unwrap_or_default().into_iter().next();
        first.ok_or_else(|| Failure::not_found("DescribeDBInstances", name, "there is no such instance"))
    }

    /// A name of a cluster's member, or of a replica, is not all that its place needs.
    #[allow(clippy::unused_self, reason = "stands with the other questions about an instance")]
    pub(super) fn refuse_unrestorable(&self, original: &DbInstance) -> Result<(), Failure> {
        let name = original.db_instance_identifier.clone().unwrap_or_default();
        let refuse = |message: String| Err(Failure::invalid("restore", &name, message));
        if let Some(cluster) = &original.db_cluster_identifier {
            return refuse(format!(
                "it belongs to the cluster {cluster}, and clusters are not restored here: do it in RDS"
            ));
        }
        if let Some(source) = &original.read_replica_source_db_instance_identifier {
            return refuse(format!("it is a read replica of {source}: restore that one"));
        }
        match original.read_replica_db_instance_identifiers.as_deref() {
            Some(replicas) if !replicas.is_empty() => refuse(format!(
                "its read replicas would stay with the old instance: delete {} first",
                replicas.join(", ")
            )),
            _ => Ok(()),
        }
    }

    pub(super) async fn create_restored(
        &self,
        point: &RestorePoint,
        original: &DbInstance,
        instance: &str,
        ours: &[(&str, String)],
    ) -> Result<(), Failure> {
        let name = original.db_instance_identifier.clone().unwrap_or_default();
        let scratch = !ours.iter().any(|(key, _)| *key == RESTORING);
        let created = match point {
            RestorePoint::Snapshot(id) => {
                let call = self
                    .rds()
                    .restore_db_instance_from_db_snapshot()
                    .db_instance_identifier(instance)
                    .db_snapshot_identifier(id);
                as_original!(call, original, tags(original, ours), scratch)
                    .send()
                    .await
                    .map(drop)
                    .map_err(failed("RestoreDBInstanceFromDBSnapshot", id))
            }
            RestorePoint::Time(time) => {
                let nanoseconds = u32::try_from(time.subsec_nanosecond()).unwrap_or(0);
                let call = self
                    .rds()
                    .restore_db_instance_to_point_in_time()
                    .source_db_instance_identifier(&name)
                    .target_db_instance_identifier(instance)
                    .restore_time(DateTime::from_secs_and_nanos(time.as_second(), nanoseconds));
                as_original!(call, original, tags(original, ours), scratch)
                    .send()
                    .await
                    .map(drop)
                    .map_err(failed("RestoreDBInstanceToPointInTime", &name))
            }
        };
        match created {
            // A repeated request finds what the first one made: only we give such names.
            Err(failure) if failure.code == "DBInstanceAlreadyExists" => Ok(()),
            // Either it shows up at the next look, or it is asked for again.
            Err(failure) if failure.kind == PortErrorKind::Ambiguous => Ok(()),
            other => other,
        }
    }

    /// Gives the new instance what a restore does not take.
    pub(super) async fn adjust(
        &self,
        original: &DbInstance,
        instance: &str,
        login: Option<&Login>,
    ) -> Result<(), Failure> {
        let watched = original.performance_insights_enabled == Some(true);
        let monitored = original.monitoring_interval.filter(|seconds| *seconds > 0);
        let password = master_password(original, login);
        self.rds()
            .modify_db_instance()
            .db_instance_identifier(instance)
            .apply_immediately(true)
            .set_backup_retention_period(original.backup_retention_period)
            .set_preferred_backup_window(original.preferred_backup_window.clone())
            .set_preferred_maintenance_window(original.preferred_maintenance_window.clone())
            .set_max_allocated_storage(original.max_allocated_storage)
            .set_monitoring_interval(monitored)
            .set_monitoring_role_arn(original.monitoring_role_arn.clone().filter(|_| monitored.is_some()))
            .set_enable_performance_insights(watched.then_some(true))
            .set_performance_insights_kms_key_id(original.performance_insights_kms_key_id.clone().filter(|_| watched))
            .set_performance_insights_retention_period(
                original.performance_insights_retention_period.filter(|_| watched),
            )
            .set_master_user_password(password.map(|password| password.expose().to_owned()))
            .send()
            .await
            .map(drop)
            .map_err(failed("ModifyDBInstance", instance))
    }

    pub(super) async fn set_database_password(&self, instance: &str, password: &Secret) -> Result<(), Failure> {
        self.rds()
            .modify_db_instance()
            .db_instance_identifier(instance)
            .apply_immediately(true)
            .master_user_password(password.expose())
            .send()
            .await
            .map(drop)
            .map_err(failed("ModifyDBInstance", instance))
    }

    pub(super) async fn wait_until_available(
        &self,
        instance: &str,
        begun: Instant,
        progress: &(dyn Fn(RestoreEvent) + Send + Sync),
    ) -> Result<DbInstance, Failure> {
        loop {
            let instances = self.database_instances().await?;
            let described = find(&instances, instance)?;
            let seen = seen(described);
            match super::plan::settled(&seen) {
                Ok(None) => return Ok(described.clone()),
                Ok(Some(_)) if begun.elapsed() <= WAIT_LIMIT => {}
                Ok(Some(_)) => {
                    let message = format!("it is {} for {} minutes", seen.status, WAIT_LIMIT.as_secs() / 60);
                    return Err(Failure::ambiguous("DescribeDBInstances", instance, message));
                }
                Err(stuck) => return Err(Failure::conflict("DescribeDBInstances", instance, stuck.to_string())),
            }
            progress(RestoreEvent::Waiting {
                instance: instance.to_owned(),
                status: seen.status,
            });
            tokio::time::sleep(self.poll_interval()).await;
        }
    }

    pub(super) async fn rename_database(&self, from: &str, to: &str) -> Result<(), Failure> {
        self.rds()
            .modify_db_instance()
            .db_instance_identifier(from)
            .new_db_instance_identifier(to)
            .apply_immediately(true)
            .send()
            .await
            .map(drop)
            .map_err(failed("ModifyDBInstance", from))
    }

    pub(super) async fn tag_instance(&self, instance: &DbInstance, key: &str, value: String) -> Result<(), Failure> {
        let arn = arn(instance)?;
        self.rds()
            .add_tags_to_resource()
            .resource_name(arn)
            .tags(Tag::builder().key(key).value(value).build())
            .send()
            .await
            .map(drop)
            .map_err(failed("AddTagsToResource", arn))
    }

    /// Protection as the old one had it, and the tag that says that nothing is left to do, last.
    pub(super) async fn finish_restored(
        &self,
        new: &DbInstance,
        protected: Option<bool>,
        operation: &Operation,
    ) -> Result<(), Failure> {
        let name = new.db_instance_identifier.clone().unwrap_or_default();
        if protected == Some(true) && new.deletion_protection != Some(true) {
            self.rds()
                .modify_db_instance()
                .db_instance_identifier(&name)
                .apply_immediately(true)
                .deletion_protection(true)
                .send()
                .await
                .map_err(failed("ModifyDBInstance", &name))?;
        }
        self.tag_instance(new, RESTORED_FROM, operation.tag()).await?;
        self.rds()
            .remove_tags_from_resource()
            .resource_name(arn(new)?)
            .tag_keys(RESTORING)
            .send()
            .await
            .map(drop)
            .map_err(failed("RemoveTagsFromResource", &name))
    }

    /// A scratch instance holds nothing that is nowhere else.
    pub(super) async fn delete_scratch(&self, instance: &str) -> Result<(), Failure> {
        let deleted = self
            .rds()
            .delete_db_instance()
            .db_instance_identifier(instance)
            .skip_final_snapshot(true)
            .delete_automated_backups(true)
            .send()
            .await
            .map_err(failed("DeleteDBInstance", instance));
        match deleted {
            Err(failure) if failure.kind != PortErrorKind::NotFound => Err(failure),
            _ => Ok(()),
        }
    }
}
