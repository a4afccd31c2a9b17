//! Whether data comes back after a mistake.

use crate::policy::{Resource, Rule, Setting};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::resources("LDP501", "databases have backups", backups)
            .reason("a wrong statement or a lost disk is then the end of the data")
            .fix("set `BackupRetentionPeriod` to the days you can be expected to notice a mistake in; seven is usual"),
        Rule::resources("LDP502", "tables can be restored to a point in time", point_in_time)
            .reason("a faulty release that overwrites items cannot be undone")
            .fix("set `PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled` to true")
            .warning(),
        Rule::resources("LDP503", "what holds data is not deleted with its stack", deletion)
            .reason("a renamed construct or a deleted stack takes the data with it")
            .fix("set deletion protection, or the removal policy to retain or snapshot")
            .warning(),
    ]
}

fn is_replica(resource: &Resource<'_>) -> bool {
    ["SourceDBInstanceIdentifier", "SourceDBClusterIdentifier"]
        .iter()
        .any(|source| !resource.setting(source).is_absent())
}

fn backups(resource: &Resource<'_>) -> Option<String> {
    let is_database = resource.is("AWS::RDS::DBInstance") && resource.setting("DBClusterIdentifier").is_absent();
    (is_database && !is_replica(resource) && resource.setting("BackupRetentionPeriod").number() == Some(0))
        .then(|| "its backups are turned off".to_owned())
}

fn point_in_time(resource: &Resource<'_>) -> Option<String> {
    const ENABLED: &str = "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled";
    let lacks = match resource.type_name() {
        "AWS::DynamoDB::Table" => resource.setting(ENABLED).is_off_or_absent(),
        "AWS::DynamoDB::GlobalTable" => {
            let mut replicas = resource.setting("Replicas").items();
            replicas.any(|replica| replica != Setting::Unknown && replica.at(ENABLED).is_off_or_absent())
        }
        _ => false,
    };
    lacks.then(|| "it cannot be restored to a point in time".to_owned())
}

fn deletion(resource: &Resource<'_>) -> Option<String> {
    // CloudFormation's own default for databases outside of clusters is a snapshot.
    let (protection, default) = match resource.type_name() {
        "AWS::RDS::DBInstance" if resource.setting("DBClusterIdentifier").is_absent() && !is_replica(resource) => {
            ("DeletionProtection", "Snapshot")
        }
        "AWS::RDS::DBCluster" => ("DeletionProtection", "Snapshot"),
        "AWS::DynamoDB::Table" => ("DeletionProtectionEnabled", "Delete"),
        "AWS::Cognito::UserPool" => ("DeletionProtection", "Delete"),
        "AWS::EFS::FileSystem" | "AWS::S3::Bucket" | "AWS::KMS::Key" => ("", "Delete"),
        _ => return None,
    };
    let protection = if protection.is_empty() {
        Setting::Absent
    } else {
        resource.setting(protection)
    };
    let is_protected = protection == Setting::Unknown || protection.is_on() || protection.text() == Some("ACTIVE");
    let policy = resource.attribute("DeletionPolicy").text().unwrap_or(default);
    (policy == "Delete" && !is_protected).then(|| "it is deleted with its data when it leaves the stack".to_owned())
}
