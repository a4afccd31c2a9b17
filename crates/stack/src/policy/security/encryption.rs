//! Data at rest and on the way.

use crate::policy::{Resource, Rule};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::resources("LDP101", "databases encrypt their storage", rds)
            .reason("the disk, every snapshot and every replica of it hold the data in plain")
            .fix("set `StorageEncrypted` to true; an existing database is encrypted by restoring an encrypted copy of its snapshot"),
        Rule::resources("LDP103", "queues are encrypted", queue)
            .reason("SQS encrypts by itself unless it is told not to")
            .fix("remove `SqsManagedSseEnabled: false`, or name a key in `KmsMasterKeyId`"),
        Rule::resources("LDP104", "topics are encrypted", topic)
            .reason("messages are kept in plain until they are delivered")
            .fix("set `KmsMasterKeyId`, for example to `alias/aws/sns`")
            .warning(),
        Rule::resources("LDP105", "volumes are encrypted", volume)
            .reason("the disk and its snapshots hold the data in plain")
            .fix("set `Encrypted` to true"),
        Rule::resources("LDP106", "caches encrypt what they store", cache_at_rest)
            .reason("swap space and backups hold the data in plain")
            .fix("set `AtRestEncryptionEnabled` to true; the cache is replaced by it"),
        Rule::resources("LDP107", "caches encrypt their connections", cache_in_transit)
            .reason("whoever listens in the network reads what is cached, and the password with it")
            .fix("set `TransitEncryptionEnabled` to true"),
        Rule::resources("LDP108", "file systems are encrypted", file_system)
            .reason("the disk and its backups hold the data in plain")
            .fix("set `Encrypted` to true; the file system is replaced by it"),
        Rule::resources("LDP109", "streams are encrypted", stream)
            .reason("records are kept in plain for as long as they are retained")
            .fix("set `StreamEncryption`")
            .warning(),
        Rule::resources("LDP110", "search domains and warehouses are encrypted", warehouse)
            .reason("the disk and its snapshots hold the data in plain")
            .fix("set `EncryptionAtRestOptions.Enabled` or `Encrypted` to true"),
    ]
}

/// Members of a cluster, replicas and what comes from a snapshot take the encryption of where they come from.
const INHERITED: [&str; 7] = [
    "DBClusterIdentifier",
    "SourceDBInstanceIdentifier",
    "SourceDBClusterIdentifier",
    "ReplicationSourceIdentifier",
    "DBSnapshotIdentifier",
    "DBClusterSnapshotIdentifier",
    "SnapshotIdentifier",
];

fn rds(resource: &Resource<'_>) -> Option<String> {
    let is_one = resource.is("AWS::RDS::DBInstance") || resource.is("AWS::RDS::DBCluster");
    let inherits = INHERITED.iter().any(|from| !resource.setting(from).is_absent());
    (is_one && !inherits && resource.setting("StorageEncrypted").is_off_or_absent())
        .then(|| "its storage is not encrypted".to_owned())
}

fn queue(resource: &Resource<'_>) -> Option<String> {
    let is_plain = resource.is("AWS::SQS::Queue")
        && resource.setting("SqsManagedSseEnabled").is_off()
        && resource.setting("KmsMasterKeyId").is_absent();
    is_plain.then(|| "its encryption is turned off".to_owned())
}

fn topic(resource: &Resource<'_>) -> Option<String> {
    (resource.is("AWS::SNS::Topic") && resource.setting("KmsMasterKeyId").is_absent())
        .then(|| "it is not encrypted".to_owned())
}

fn volume(resource: &Resource<'_>) -> Option<String> {
    if resource.is("AWS::EC2::Volume") {
        let from_snapshot = !resource.setting("SnapshotId").is_absent();
        return (!from_snapshot && resource.setting("Encrypted").is_off_or_absent())
            .then(|| "it is not encrypted".to_owned());
    }
    let mappings = match resource.type_name() {
        "AWS::EC2::Instance" | "AWS::AutoScaling::LaunchConfiguration" => resource.setting("BlockDeviceMappings"),
        "AWS::EC2::LaunchTemplate" => resource.setting("LaunchTemplateData.BlockDeviceMappings"),
        _ => return None,
    };
    mappings
        .items()
        .any(|mapping| mapping.at("Ebs.Encrypted").is_off())
        .then(|| "one of its volumes is not encrypted".to_owned())
}

/// Valkey encrypts by itself unless it is told not to.
fn cache_setting_is_off(resource: &Resource<'_>, name: &str) -> bool {
    let setting = resource.setting(name);
    match resource.setting("Engine").text() {
        Some(engine) if engine.eq_ignore_ascii_case("valkey") => setting.is_off(),
        _ => setting.is_off_or_absent(),
    }
}

fn cache_at_rest(resource: &Resource<'_>) -> Option<String> {
    (resource.is("AWS::ElastiCache::ReplicationGroup") && cache_setting_is_off(resource, "AtRestEncryptionEnabled"))
        .then(|| "what it stores is not encrypted".to_owned())
}

fn cache_in_transit(resource: &Resource<'_>) -> Option<String> {
    (resource.is("AWS::ElastiCache::ReplicationGroup") && cache_setting_is_off(resource, "TransitEncryptionEnabled"))
        .then(|| "its connections are not encrypted".to_owned())
}

fn file_system(resource: &Resource<'_>) -> Option<String> {
    (resource.is("AWS::EFS::FileSystem") && resource.setting("Encrypted").is_off_or_absent())
        .then(|| "it is not encrypted".to_owned())
}

fn stream(resource: &Resource<'_>) -> Option<String> {
    (resource.is("AWS::Kinesis::Stream") && resource.setting("StreamEncryption").is_absent())
        .then(|| "it is not encrypted".to_owned())
}

fn warehouse(resource: &Resource<'_>) -> Option<String> {
    let setting = match resource.type_name() {
        "AWS::OpenSearchService::Domain" | "AWS::Elasticsearch::Domain" => {
            resource.setting("EncryptionAtRestOptions.Enabled")
        }
        "AWS::Redshift::Cluster" => resource.setting("Encrypted"),
        _ => return None,
    };
    setting
        .is_off_or_absent()
        .then(|| "what it stores is not encrypted".to_owned())
}
