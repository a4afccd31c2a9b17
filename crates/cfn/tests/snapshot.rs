//! The snapshot holds what `xtask/schema/corrections.py` put right, and the manifest has a feature for every service.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use cfn::schema::{self, PropertySchema};

/// A property of a resource type, or of one of its nested types: `Integration.Uri`.
fn property(type_name: &str, path: &str) -> &'static PropertySchema {
    let resource = schema::resource(type_name).unwrap_or_else(|| panic!("no type {type_name}"));
    let properties = match path.split_once('.') {
        Some((nested, _)) => &resource.types[nested].properties,
        None => &resource.properties,
    };
    &properties[path.rsplit('.').next().unwrap_or(path)]
}

#[test]
fn relations_that_both_sources_lack_are_there() {
    for (type_name, path, target) in [
        (
            "AWS::ElastiCache::CacheCluster",
            "CacheSubnetGroupName",
            "AWS::ElastiCache::SubnetGroup.CacheSubnetGroupName",
        ),
        (
            "AWS::ElastiCache::ReplicationGroup",
            "CacheSubnetGroupName",
            "AWS::ElastiCache::SubnetGroup.CacheSubnetGroupName",
        ),
        ("AWS::ApiGatewayV2::Stage", "ApiId", "AWS::ApiGatewayV2::Api.ApiId"),
        ("AWS::SNS::TopicPolicy", "Topics", "AWS::SNS::Topic.TopicArn"),
        ("AWS::SQS::QueuePolicy", "Queues", "AWS::SQS::Queue.QueueUrl"),
        ("AWS::IAM::Policy", "Roles", "AWS::IAM::Role.RoleName"),
        (
            "AWS::SecretsManager::SecretTargetAttachment",
            "SecretId",
            "AWS::SecretsManager::Secret.Id",
        ),
    ] {
        assert_eq!(property(type_name, path).refers, [target], "{type_name} {path}");
    }
    let root = &schema::resource("AWS::ApiGateway::RestApi").unwrap().attributes["RootResourceId"];
    assert_eq!(root.refers, property("AWS::ApiGateway::Resource", "ParentId").refers);
    let default = &schema::resource("AWS::EC2::VPC").unwrap().attributes["DefaultSecurityGroup"];
    assert_eq!(
        default.refers,
        property("AWS::RDS::DBInstance", "VPCSecurityGroups").refers
    );
}

#[test]
fn wrong_or_narrow_relations_are_gone() {
    for (type_name, path) in [
        ("AWS::ApiGateway::Method", "Integration.Uri"),
        ("AWS::ApiGateway::Stage", "AccessLogSetting.DestinationArn"),
        ("AWS::ApiGatewayV2::Route", "Target"),
        ("AWS::ApiGatewayV2::Integration", "IntegrationUri"),
        ("AWS::ApiGatewayV2::Api", "Target"),
        ("AWS::CloudWatch::Alarm", "OKActions"),
        ("AWS::CloudWatch::CompositeAlarm", "AlarmActions"),
        ("AWS::EC2::SecurityGroupIngress", "GroupName"),
        ("AWS::EC2::SecurityGroupIngress", "CidrIp"),
        ("AWS::Events::Rule", "RunCommandTarget.Values"),
        (
            "AWS::Lambda::CodeSigningConfig",
            "AllowedPublishers.SigningProfileVersionArns",
        ),
        ("AWS::S3::Bucket", "BucketName"),
    ] {
        assert!(property(type_name, path).refers.is_empty(), "{type_name} {path}");
    }
}

#[test]
fn every_service_has_a_feature_and_there_are_not_too_many() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let folded: BTreeMap<String, String> =
        serde_json::from_str(&fs::read_to_string(root.join("features.json")).unwrap()).unwrap();
    let (_, section) = manifest.split_once("[features]\n").unwrap();
    let section = section.split("\n[").next().unwrap();
    let features: BTreeSet<&str> = section
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|line| line.0)
        .collect();
    assert!(
        features.len() <= 300,
        "the package index takes 300 features, not {}",
        features.len()
    );
    let mut services = 0;
    for entry in fs::read_dir(root.join("schema")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            services += 1;
            let module = path.file_stem().unwrap().to_str().unwrap();
            let feature = folded.get(module).map_or(module, String::as_str);
            assert!(
                features.contains(feature),
                "{module} has no feature: run `cargo xtask schema`"
            );
            assert!(
                section.contains(&format!("  \"{feature}\",\n")),
                "`all` lacks {feature}"
            );
        }
    }
    assert_eq!(services, schema::namespaces().len());
    assert!(
        folded.values().all(|feature| !folded.contains_key(feature)),
        "a service folded into a folded one"
    );
}
