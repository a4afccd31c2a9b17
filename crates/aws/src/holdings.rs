//! What of an environment's stacks holds data that can be backed up, and backups of what is no RDS instance.
//!
//! Backups of caches and tables are taken and waited for; restoring them makes new resources, which is left to the
//! user.

use aws_sdk_dynamodb::types::BackupStatus;
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use orchestrator::ports::PortErrorKind;

use crate::caches::CacheResource;
use crate::connection::Aws;
use crate::failure::{Failure, failed};
use crate::snapshots::{ENVIRONMENT, PAGE_LIMIT, moment, snapshot_id, was_there};
use crate::waiting::{Look, Progress, TakenBackup};

/// By the identifiers that their services know them by; in the order of the stacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    pub databases: Vec<String>,
    /// Aurora clusters, and Multi-AZ ones.
    pub clusters: Vec<String>,
    /// Without Memcached, which has no snapshots.
    pub caches: Vec<CacheResource>,
    pub tables: Vec<String>,
}

impl Aws {
    /// What the stacks hold. A stack that does not exist holds nothing.
    pub async fn holdings(&self, stacks: &[String]) -> Result<Holdings, Failure> {
        let mut holdings = Holdings::default();
        for stack in stacks {
            let resources = match self.stack_resources(stack).await {
                Err(failure) if failure.kind == PortErrorKind::NotFound => continue,
                resources => resources?,
            };
            for resource in resources {
                if let Some(cache) = CacheResource::of(&resource) {
                    if self.has_snapshots(&cache).await? {
                        holdings.caches.push(cache);
                    }
                    continue;
                }
                let Some(id) = resource.physical_id else { continue };
                match resource.resource_type.as_str() {
                    "AWS::RDS::DBInstance" => holdings.databases.push(id),
                    "AWS::RDS::DBCluster" => holdings.clusters.push(id),
                    "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable" => holdings.tables.push(id),
                    _ => {}
                }
            }
        }
        // A cluster's members share its data.
        let mut databases = Vec::new();
        for database in holdings.databases {
            let described = self.database_instance(&database).await?;
            let shared = described.db_cluster_identifier.is_some()
                || described.read_replica_source_db_instance_identifier.is_some();
            if !shared {
                databases.push(database);
            }
        }
        holdings.databases = databases;
        Ok(holdings)
    }

    /// Takes a snapshot of the cache and waits until it is complete. One of that label that is there already is waited
    /// for likewise.
    pub async fn snapshot_cache(
        &self,
        cache: &CacheResource,
        environment: &str,
        label: &str,
        progress: &Progress<'_>,
    ) -> Result<TakenBackup, Failure> {
        let (group, cluster) = match cache {
            CacheResource::ReplicationGroup { id } => (Some(id), None),
            CacheResource::Cluster { id } => (None, Some(id)),
        };
        let of = cache.id();
        let id = snapshot_id(of, label);
        let tag = aws_sdk_elasticache::types::Tag::builder()
            .key(ENVIRONMENT)
            .value(environment)
            .build();
        let created = self
            .elasticache()
            .create_snapshot()
            .set_replication_group_id(group.cloned())
            .set_cache_cluster_id(cluster.cloned())
            .snapshot_name(&id)
            .tags(tag)
            .send()
            .await
            .map_err(failed("CreateSnapshot", of));
        let was_there = was_there(created.map(drop), "SnapshotAlreadyExistsFault")?;
        self.until_complete(["CreateSnapshot", "DescribeSnapshots"], &id, progress, || async {
            let found = self
                .elasticache()
                .describe_snapshots()
                .snapshot_name(&id)
                .send()
                .await
                .map_err(failed("DescribeSnapshots", &id))?;
            let found = found.snapshots.unwrap_or_default().into_iter().next();
            let found =
                found.ok_or_else(|| Failure::not_found("DescribeSnapshots", &id, "there is no such snapshot"))?;
            let nodes = found.node_snapshots.unwrap_or_default();
            Ok(match found.snapshot_status.as_deref() {
                Some("available") => Look::Complete(TakenBackup {
                    id: id.clone(),
                    of: of.to_owned(),
                    made: nodes
                        .iter()
                        .filter_map(|node| moment(node.snapshot_create_time.as_ref()?))
                        .min(),
                    was_there,
                }),
                Some("creating") | None => Look::Making("creating".to_owned()),
                Some(other) => Look::Broken(other.to_owned()),
            })
        })
        .await
    }

    /// Takes a backup of the table and waits until it is there. Names need not be unique, so one of that label is looked
    /// for first, and taken for this one.
    pub async fn back_up_table(
        &self,
        table: &str,
        label: &str,
        progress: &Progress<'_>,
    ) -> Result<TakenBackup, Failure> {
        let name = snapshot_id(table, label);
        let found = self.table_backup(table, &name).await?;
        let was_there = found.is_some();
        let arn = match found {
            Some(arn) => arn,
            None => {
                let call = self.dynamodb().create_backup().table_name(table).backup_name(&name);
                let created = call.send().await.map_err(failed("CreateBackup", table))?;
                let arn = created.backup_details.map(|details| details.backup_arn);
                arn.ok_or_else(|| Failure::incomplete("CreateBackup", table, "BackupDetails"))?
            }
        };
        self.until_complete(["CreateBackup", "DescribeBackup"], &arn, progress, || async {
            let described = self
                .dynamodb()
                .describe_backup()
                .backup_arn(&arn)
                .send()
                .await
                .map_err(failed("DescribeBackup", &arn))?;
            let details = described.backup_description.and_then(|backup| backup.backup_details);
            let status = details.as_ref().map(|details| details.backup_status.as_str());
            Ok(match status {
                Some("AVAILABLE") => Look::Complete(TakenBackup {
                    id: arn.clone(),
                    of: table.to_owned(),
                    made: details.and_then(|details| moment(&details.backup_creation_date_time)),
                    was_there,
                }),
                Some("CREATING") | None => Look::Making("creating".to_owned()),
                Some(other) => Look::Broken(other.to_owned()),
            })
        })
        .await
    }

    /// The ARN of the table's newest backup of this name.
    async fn table_backup(&self, table: &str, name: &str) -> Result<Option<String>, Failure> {
        let mut newest: Option<(DateTime, String)> = None;
        let mut behind = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .dynamodb()
                .list_backups()
                .table_name(table)
                .set_exclusive_start_backup_arn(behind)
                .send()
                .await
                .map_err(failed("ListBackups", table))?;
            for backup in page.backup_summaries.unwrap_or_default() {
                let gone = backup.backup_status.as_ref().map(BackupStatus::as_str) == Some("DELETED");
                if let (Some(arn), Some(made), false) = (backup.backup_arn, backup.backup_creation_date_time, gone)
                    && backup.backup_name.as_deref() == Some(name)
                {
                    newest = newest.max(Some((made, arn)));
                }
            }
            behind = page.last_evaluated_backup_arn;
            if behind.is_none() {
                return Ok(newest.map(|(_, arn)| arn));
            }
        }
        Err(Failure::ambiguous(
            "ListBackups",
            table,
            format!("more than {PAGE_LIMIT} pages"),
        ))
    }
}

/// What a label says when nobody gave one: the moment.
pub fn backup_label(now: Timestamp) -> String {
    now.strftime("%Y%m%d-%H%M%S").to_string()
}
