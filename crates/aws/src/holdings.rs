//! What of an environment's stacks holds data that can be backed up, and backups of what is no RDS instance.
//!
//! Backups of caches and tables are taken and waited for; restoring them makes new resources, which is left to the
//! user.

use jiff::Timestamp;
use orchestrator::ports::PortErrorKind;
use tokio::time::Instant;

use crate::connection::Aws;
use crate::failure::{Failure, failed};
use crate::snapshots::{ENVIRONMENT, WAIT_LIMIT};

/// By the identifiers that their services know them by; in the order of the stacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    pub databases: Vec<String>,
    /// Aurora clusters, which are named and not backed up here.
    pub clusters: Vec<String>,
    pub replication_groups: Vec<String>,
    pub tables: Vec<String>,
}

/// A backup that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBackup {
    /// The snapshot's name, or the backup's ARN.
    pub id: String,
    pub of: String,
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
                let Some(id) = resource.physical_id else { continue };
                match resource.resource_type.as_str() {
                    "AWS::RDS::DBInstance" => holdings.databases.push(id),
                    "AWS::RDS::DBCluster" => holdings.clusters.push(id),
                    "AWS::ElastiCache::ReplicationGroup" => holdings.replication_groups.push(id),
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

    /// Takes a snapshot of the group and waits until it is complete. One of that label that is there already is waited
    /// for likewise.
    pub async fn snapshot_cache(
        &self,
        group: &str,
        environment: &str,
        label: &str,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<TakenBackup, Failure> {
        let id = crate::snapshots::snapshot_id(group, label);
        let tag = aws_sdk_elasticache::types::Tag::builder()
            .key(ENVIRONMENT)
            .value(environment)
            .build();
        let created = self
            .elasticache()
            .create_snapshot()
            .replication_group_id(group)
            .snapshot_name(&id)
            .tags(tag)
            .send()
            .await
            .map_err(failed("CreateSnapshot", group));
        match created {
            Ok(_) => {}
            Err(failure) if failure.code == "SnapshotAlreadyExistsFault" => {}
            Err(failure) if failure.kind == PortErrorKind::Ambiguous => {}
            Err(failure) => return Err(failure),
        }
        let begun = Instant::now();
        loop {
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
            let status = found.snapshot_status.unwrap_or_default();
            match status.as_str() {
                "available" => {
                    return Ok(TakenBackup {
                        id,
                        of: group.to_owned(),
                    });
                }
                "creating" => {}
                other => {
                    let message =
                        format!("the snapshot is {other} and will not become available: delete it, and try again");
                    return Err(Failure::invalid("CreateSnapshot", id, message));
                }
            }
            if begun.elapsed() > WAIT_LIMIT {
                let message = format!("not complete after {} minutes", WAIT_LIMIT.as_secs() / 60);
                return Err(Failure::ambiguous("DescribeSnapshots", id, message));
            }
            progress(status);
            tokio::time::sleep(self.poll_interval()).await;
        }
    }

    /// Takes a backup of the table and waits until it is there. Names need not be unique, so a repeated call makes
    /// another one.
    pub async fn back_up_table(
        &self,
        table: &str,
        label: &str,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<TakenBackup, Failure> {
        let name = crate::snapshots::snapshot_id(table, label);
        let created = self
            .dynamodb()
            .create_backup()
            .table_name(table)
            .backup_name(&name)
            .send()
            .await
            .map_err(failed("CreateBackup", table))?;
        let arn = created.backup_details.map(|details| details.backup_arn);
        let arn = arn.ok_or_else(|| Failure::incomplete("CreateBackup", table, "BackupDetails"))?;
        let begun = Instant::now();
        loop {
            let described = self
                .dynamodb()
                .describe_backup()
                .backup_arn(&arn)
                .send()
                .await
                .map_err(failed("DescribeBackup", &arn))?;
            let details = described.backup_description.and_then(|backup| backup.backup_details);
            let status = details.map(|details| details.backup_status.as_str().to_owned());
            match status.as_deref() {
                Some("AVAILABLE") => {
                    return Ok(TakenBackup {
                        id: arn,
                        of: table.to_owned(),
                    });
                }
                Some("CREATING") | None => {}
                Some(other) => {
                    let message = format!("the backup is {other}");
                    return Err(Failure::invalid("CreateBackup", arn, message));
                }
            }
            if begun.elapsed() > WAIT_LIMIT {
                let message = format!("not complete after {} minutes", WAIT_LIMIT.as_secs() / 60);
                return Err(Failure::ambiguous("DescribeBackup", arn, message));
            }
            progress(status.unwrap_or_default());
            tokio::time::sleep(self.poll_interval()).await;
        }
    }
}

/// What a label says when nobody gave one: the moment.
pub fn backup_label(now: Timestamp) -> String {
    now.strftime("%Y%m%d-%H%M%S").to_string()
}
