//! What is kept of database instances and snapshots, and how they are described.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::cluster::is_cluster;
use super::postgres::Owner;
use crate::codec::seconds;
use crate::context::ACCOUNT;
use crate::members::{Members, tag_list};
use crate::percent::percent_decoded;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Creating,
    Available,
    Stopped,
    /// A new name was asked for.
    Modifying,
    /// Its server restarts under the new name.
    Renaming,
    /// It could not be started; the instance says why.
    Failed,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::Stopped => "stopped",
            Self::Modifying => "modifying",
            Self::Renaming => "renaming",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Instance {
    pub id: String,
    pub host: String,
    pub port: u16,
    /// The version that really runs, for example `15.18`.
    pub engine_version: String,
    pub status: Status,
    /// Why it failed.
    pub problem: Option<String>,
    /// Its own for good, whatever its name becomes.
    pub resource_id: String,
    /// The folder of its files below `instances`; the identifier for those that were made before there were renames.
    #[serde(default)]
    pub storage: Option<String>,
    /// The name that it gets: at once while its status is `modifying` or `renaming`, else at no time known.
    #[serde(default)]
    pub renaming_to: Option<String>,
    pub created: Timestamp,
    pub master_username: String,
    pub master_password: String,
    pub admin_password: String,
    pub database: Option<String>,
    /// The server of `DATABASE_URL`: described, never started, stopped or removed.
    pub is_external: bool,
    /// The key of the record whose server this is, where it has none of its own.
    #[serde(default)]
    pub shares: Option<String>,
    /// What else the creation asked for, by the names of `CreateDBInstance`; kept and described, nothing more.
    pub wishes: Map<String, Value>,
    pub tags: Vec<(String, String)>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Snapshot {
    pub id: String,
    pub status: Status,
    pub created: Timestamp,
    /// When its files were complete: no restore to a time before that can begin with them.
    #[serde(default)]
    pub finished: Option<Timestamp>,
    /// The instance as it was.
    pub instance: Instance,
    pub tags: Vec<(String, String)>,
}

#[derive(Default, Serialize, Deserialize)]
pub struct State {
    /// By identifier; clusters, too, under their keys.
    pub instances: BTreeMap<String, Instance>,
    /// The same.
    pub snapshots: BTreeMap<String, Snapshot>,
    /// The endpoint belongs to the name: the port of each name that has had an instance, until one is deleted.
    #[serde(default)]
    pub ports: BTreeMap<String, u16>,
    /// `DBSubnetGroup`s as they were created through the API.
    pub subnet_groups: BTreeMap<String, Value>,
    pub parameter_groups: BTreeMap<String, Value>,
}

impl Instance {
    pub fn owner(&self) -> Owner {
        Owner {
            user: self.master_username.clone(),
            password: self.master_password.clone(),
            database: self.database.clone(),
        }
    }

    /// The folder of its files below `instances`.
    pub fn storage(&self) -> &str {
        self.storage.as_deref().unwrap_or(&self.id)
    }

    /// Whether automated backups are on, which a restore to a time needs.
    pub fn is_backed_up(&self) -> bool {
        self.wishes.integer("BackupRetentionPeriod").unwrap_or(1) > 0
    }

    /// Whether a server is started, stopped and removed with it.
    pub fn has_server(&self) -> bool {
        !self.is_external && self.shares.is_none()
    }

    pub fn arn(&self, region: &str) -> String {
        // A cluster's key says what it is.
        let kind = if is_cluster(&self.id) { "" } else { "db:" };
        format!("arn:aws:rds:{region}:{ACCOUNT}:{kind}{}", self.id)
    }

    pub fn described(&self, region: &str) -> Value {
        let wish = |name: &str, otherwise: Value| self.wishes.member(name).cloned().unwrap_or(otherwise);
        let groups: Vec<Value> = self
            .wishes
            .texts("VpcSecurityGroupIds")
            .into_iter()
            .map(|id| json!({"VpcSecurityGroupId": id, "Status": "active"}))
            .collect();
        let major = self.engine_version.split('.').next().unwrap_or_default();
        let parameter_group = self
            .wishes
            .text("DBParameterGroupName")
            .map_or_else(|| format!("default.postgres{major}"), str::to_owned);
        let option_group = wish("OptionGroupName", json!(format!("default:postgres-{major}")));
        let pending = match &self.renaming_to {
            Some(name) => json!({"DBInstanceIdentifier": name}),
            None => json!({}),
        };
        let mut output = json!({
            "DBInstanceIdentifier": self.id,
            "DBInstanceArn": self.arn(region),
            "DbiResourceId": self.resource_id,
            "DBInstanceClass": wish("DBInstanceClass", json!("db.t4g.micro")),
            "DBInstanceStatus": self.status.name(),
            "Engine": wish("Engine", json!("postgres")),
            "EngineVersion": self.engine_version,
            "Endpoint": {"Address": self.host, "Port": self.port, "HostedZoneId": HOSTED_ZONE},
            "MasterUsername": self.master_username,
            "DBName": self.database,
            "InstanceCreateTime": self.created.as_second(),
            "AllocatedStorage": self.wishes.integer("AllocatedStorage").unwrap_or(20),
            "StorageType": wish("StorageType", json!("gp3")),
            "StorageEncrypted": self.wishes.flag("StorageEncrypted").unwrap_or(false),
            "MultiAZ": self.wishes.flag("MultiAZ").unwrap_or(false),
            "PubliclyAccessible": self.wishes.flag("PubliclyAccessible").unwrap_or(false),
            "BackupRetentionPeriod": self.wishes.integer("BackupRetentionPeriod").unwrap_or(1),
            "DeletionProtection": self.is_protected(),
            "AutoMinorVersionUpgrade": self.wishes.flag("AutoMinorVersionUpgrade").unwrap_or(true),
            "CopyTagsToSnapshot": self.wishes.flag("CopyTagsToSnapshot").unwrap_or(false),
            "IAMDatabaseAuthenticationEnabled": self.wishes.flag("EnableIAMDatabaseAuthentication").unwrap_or(false),
            "LicenseModel": "postgresql-license",
            "AvailabilityZone": format!("{region}a"),
            "VpcSecurityGroups": groups,
            "OptionGroupMemberships": [{"OptionGroupName": option_group, "Status": "in-sync"}],
            "DBParameterGroups": [{"DBParameterGroupName": parameter_group, "ParameterApplyStatus": "in-sync"}],
            "PendingModifiedValues": pending,
            "TagList": tag_list(&self.tags),
            "DBClusterIdentifier": self.wishes.text("DBClusterIdentifier"),
            "ReadReplicaSourceDBInstanceIdentifier": self.wishes.text("SourceDBInstanceIdentifier"),
        });
        for (name, wished) in DESCRIBED_AS_WISHED {
            if let Some(value) = self.wishes.member(wished) {
                output[*name] = value.clone();
            }
        }
        if let Some(group) = self.wishes.text("DBSubnetGroupName") {
            output["DBSubnetGroup"] =
                json!({"DBSubnetGroupName": group, "SubnetGroupStatus": "Complete", "Subnets": []});
        }
        if let Some(problem) = &self.problem {
            let info = json!({"StatusType": "embedded cloud", "Normal": false, "Status": "failed", "Message": problem});
            output["StatusInfos"] = json!([info]);
        }
        output
    }

    pub fn is_protected(&self) -> bool {
        self.wishes.flag("DeletionProtection") == Some(true)
    }
}

/// What a description has under its own name as the creation gave it, where it gave it.
const DESCRIBED_AS_WISHED: &[(&str, &str)] = &[
    ("CACertificateIdentifier", "CACertificateIdentifier"),
    ("EnabledCloudwatchLogsExports", "EnableCloudwatchLogsExports"),
    ("Iops", "Iops"),
    ("KmsKeyId", "KmsKeyId"),
    ("MaxAllocatedStorage", "MaxAllocatedStorage"),
    ("MonitoringInterval", "MonitoringInterval"),
    ("MonitoringRoleArn", "MonitoringRoleArn"),
    ("NetworkType", "NetworkType"),
    ("PerformanceInsightsEnabled", "EnablePerformanceInsights"),
    ("PerformanceInsightsKMSKeyId", "PerformanceInsightsKMSKeyId"),
    (
        "PerformanceInsightsRetentionPeriod",
        "PerformanceInsightsRetentionPeriod",
    ),
    ("PreferredBackupWindow", "PreferredBackupWindow"),
    ("PreferredMaintenanceWindow", "PreferredMaintenanceWindow"),
    ("StorageThroughput", "StorageThroughput"),
];

/// What a restored instance has of the one that was saved, unless the restore says otherwise (API reference,
/// RestoreDBInstanceFromDBSnapshot). Groups, tags and protection are not among it.
const RESTORED: &[&str] = &[
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "DBInstanceClass",
    "Engine",
    "Iops",
    "KmsKeyId",
    "StorageEncrypted",
    "StorageThroughput",
    "StorageType",
];

/// The wishes of an instance that is restored from one with the wishes `saved`.
pub fn restored_wishes(saved: &Map<String, Value>, asked: Map<String, Value>) -> Map<String, Value> {
    let kept = saved.iter().filter(|(name, _)| RESTORED.contains(&name.as_str()));
    let mut wishes: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    wishes.extend(asked);
    wishes
}

/// Any hosted zone: DNS is not served here.
pub const HOSTED_ZONE: &str = "Z2R2ITUGPM61AM";

impl Snapshot {
    pub fn arn(&self, region: &str) -> String {
        format!("arn:aws:rds:{region}:{ACCOUNT}:snapshot:{}", self.id)
    }

    pub fn described(&self, region: &str) -> Value {
        json!({
            "DBSnapshotIdentifier": self.id,
            "DBSnapshotArn": self.arn(region),
            "DBInstanceIdentifier": self.instance.id,
            "DbiResourceId": self.instance.resource_id,
            "SnapshotCreateTime": seconds(self.created),
            "OriginalSnapshotCreateTime": seconds(self.created),
            "InstanceCreateTime": self.instance.created.as_second(),
            "Engine": "postgres",
            "EngineVersion": self.instance.engine_version,
            "MasterUsername": self.instance.master_username,
            "Port": self.instance.port,
            "AllocatedStorage": self.instance.wishes.integer("AllocatedStorage").unwrap_or(20),
            "StorageType": self.instance.wishes.text("StorageType").unwrap_or("gp3"),
            "KmsKeyId": self.instance.wishes.text("KmsKeyId"),
            "Status": self.status.name(),
            "PercentProgress": if self.status == Status::Available { 100 } else { 0 },
            "SnapshotType": "manual",
            "LicenseModel": "postgresql-license",
            "Encrypted": self.instance.wishes.flag("StorageEncrypted").unwrap_or(false),
            "AvailabilityZone": format!("{region}a"),
            "TagList": tag_list(&self.tags),
        })
    }
}

/// A database that is the user's own: `postgres://USER:PASSWORD@HOST[:PORT][/DATABASE]`.
#[derive(Clone, PartialEq, Eq)]
pub struct External {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: Option<String>,
}

impl External {
    /// The error never holds the URL: it may hold a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or("DATABASE_URL has to begin with postgres://")?;
        let rest = rest.split(['?', '#']).next().unwrap_or(rest);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, server) = authority.rsplit_once('@').ok_or("DATABASE_URL names no user")?;
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = match server.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((host, port)) => (host, port.parse().map_err(|_| "the port in DATABASE_URL is no number")?),
            None => (server, 5432),
        };
        if host.is_empty() || user.is_empty() {
            return Err("DATABASE_URL has to name a user and a host".to_owned());
        }
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            user: percent_decoded(user),
            password: percent_decoded(password),
            database: (!path.is_empty()).then(|| percent_decoded(path)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_urls_by_table() {
        let parsed = |url: &str| {
            External::parse(url).map(|all| {
                (
                    all.host,
                    all.port,
                    all.user,
                    all.password,
                    all.database.unwrap_or_default(),
                )
            })
        };
        let parts = |host: &str, port, user: &str, password: &str, database: &str| {
            Ok((
                host.to_owned(),
                port,
                user.to_owned(),
                password.to_owned(),
                database.to_owned(),
            ))
        };
        assert_eq!(parsed("postgres://u:p@h:1/d"), parts("h", 1, "u", "p", "d"));
        assert_eq!(
            parsed("postgresql://u:p%40%3A@h/d?sslmode=disable"),
            parts("h", 5432, "u", "p@:", "d")
        );
        assert_eq!(parsed("postgres://u@[::1]:7"), parts("::1", 7, "u", "", ""));
        for wrong in [
            "mysql://u:secret@h/d",
            "postgres://h/d",
            "postgres://u:secret@h:x/d",
            "postgres://u:secret@/d",
        ] {
            let error = parsed(wrong).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
