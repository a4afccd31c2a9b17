use serde_json::json;

use super::*;

fn findings_with(packs: &[Pack], template: &Json) -> Vec<Finding> {
    check(
        packs,
        &Inspected {
            stack: "S",
            template,
            origins: BTreeMap::new(),
        },
    )
}

/// The rules that a single resource breaks.
fn broken(resource: Json) -> Vec<String> {
    let findings = findings_with(&[Pack::security()], &json!({ "Resources": { "R": resource } }));
    findings.into_iter().map(|finding| finding.rule).collect()
}

fn resource(type_name: &str, properties: Json) -> Json {
    json!({ "Type": type_name, "Properties": properties })
}

fn allow(statement: Json) -> Json {
    let mut statement = statement;
    statement["Effect"] = json!("Allow");
    json!({ "Statement": [statement] })
}

#[test]
fn ids_are_unique_and_every_rule_says_why_and_what_to_do() {
    let pack = Pack::security();
    for rule in &pack.rules {
        assert_eq!(
            pack.rules.iter().filter(|other| other.id == rule.id).count(),
            1,
            "{rule:?}"
        );
        assert!(rule.id.starts_with(BUILT_IN) && rule.id.len() == 6, "{rule:?}");
        assert!(!rule.reason.is_empty() && !rule.fix.is_empty(), "{rule:?}");
    }
}

/// For every rule something that breaks it, and the same mended.
#[test]
fn every_rule_finds_what_it_is_about_and_nothing_else() {
    let policy = |statement: Json| resource("AWS::IAM::Policy", json!({ "PolicyDocument": allow(statement) }));
    let group = |rule: Json| resource("AWS::EC2::SecurityGroup", json!({ "SecurityGroupIngress": [rule] }));
    let role = |properties: Json| resource("AWS::IAM::Role", properties);
    let database = |key: &str, value: Json| {
        let mut properties = json!({ "StorageEncrypted": true, "DeletionProtection": true });
        properties[key] = value;
        resource("AWS::RDS::DBInstance", properties)
    };
    let cache = |at_rest: bool, in_transit: bool| {
        resource(
            "AWS::ElastiCache::ReplicationGroup",
            json!({ "AtRestEncryptionEnabled": at_rest, "TransitEncryptionEnabled": in_transit }),
        )
    };
    let function = |properties: Json| resource("AWS::Lambda::Function", properties);
    let cases = [
        (
            "LDP101",
            database("StorageEncrypted", json!(false)),
            database("StorageEncrypted", json!(true)),
        ),
        (
            "LDP103",
            resource("AWS::SQS::Queue", json!({ "SqsManagedSseEnabled": false })),
            resource("AWS::SQS::Queue", json!({})),
        ),
        (
            "LDP104",
            resource("AWS::SNS::Topic", json!({})),
            resource("AWS::SNS::Topic", json!({ "KmsMasterKeyId": "alias/aws/sns" })),
        ),
        (
            "LDP105",
            resource("AWS::EC2::Volume", json!({ "Size": 1 })),
            resource("AWS::EC2::Volume", json!({ "Encrypted": true })),
        ),
        ("LDP106", cache(false, true), cache(true, true)),
        ("LDP107", cache(true, false), cache(true, true)),
        (
            "LDP109",
            resource("AWS::Kinesis::Stream", json!({})),
            resource("AWS::Kinesis::Stream", json!({ "StreamEncryption": {} })),
        ),
        (
            "LDP110",
            resource("AWS::Redshift::Cluster", json!({})),
            resource("AWS::Redshift::Cluster", json!({ "Encrypted": "true" })),
        ),
        (
            "LDP201",
            database("PubliclyAccessible", json!(true)),
            database("PubliclyAccessible", json!(false)),
        ),
        (
            "LDP203",
            resource(
                "AWS::SQS::QueuePolicy",
                json!({ "PolicyDocument": allow(json!({ "Principal": { "AWS": "*" }, "Action": "sqs:*" })) }),
            ),
            resource(
                "AWS::SQS::QueuePolicy",
                json!({ "PolicyDocument": allow(json!({ "Principal": "*", "Action": "sqs:*", "Condition": { "ArnEquals": {} } })) }),
            ),
        ),
        (
            "LDP204",
            resource("AWS::Lambda::Url", json!({ "AuthType": "NONE" })),
            resource("AWS::Lambda::Url", json!({ "AuthType": "AWS_IAM" })),
        ),
        (
            "LDP205",
            resource(
                "AWS::ApiGateway::Method",
                json!({ "HttpMethod": "GET", "AuthorizationType": "NONE" }),
            ),
            resource(
                "AWS::ApiGateway::Method",
                json!({ "HttpMethod": "OPTIONS", "AuthorizationType": "NONE" }),
            ),
        ),
        (
            "LDP301",
            policy(json!({ "Action": "*", "Resource": "*" })),
            policy(json!({ "Action": ["s3:GetObject"], "Resource": "*" })),
        ),
        (
            "LDP302",
            policy(json!({ "Action": "s3:*", "Resource": "*" })),
            policy(json!({ "Action": "s3:*", "Resource": "arn:aws:s3:::b" })),
        ),
        (
            "LDP303",
            policy(json!({ "Action": ["sqs:SendMessage"], "Resource": ["*"] })),
            policy(json!({ "Action": ["xray:PutTraceSegments"], "Resource": "*" })),
        ),
        (
            "LDP304",
            role(
                json!({ "ManagedPolicyArns": [{ "Fn::Join": ["", ["arn:", { "Ref": "AWS::Partition" }, ":iam::aws:policy/AdministratorAccess"]] }] }),
            ),
            role(json!({ "ManagedPolicyArns": [{ "Ref": "Policy" }] })),
        ),
        (
            "LDP305",
            role(json!({ "AssumeRolePolicyDocument": allow(json!({ "Principal": { "AWS": "*" } })) })),
            role(
                json!({ "AssumeRolePolicyDocument": allow(json!({ "Principal": { "Service": "lambda.amazonaws.com" } })) }),
            ),
        ),
        (
            "LDP401",
            group(json!({ "CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432 })),
            group(json!({ "CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443 })),
        ),
        (
            "LDP401",
            resource(
                "AWS::EC2::SecurityGroupIngress",
                json!({ "CidrIpv6": "::/0", "IpProtocol": "-1" }),
            ),
            resource(
                "AWS::EC2::SecurityGroupIngress",
                json!({ "CidrIp": "10.0.0.0/8", "IpProtocol": "-1" }),
            ),
        ),
        (
            "LDP501",
            database("BackupRetentionPeriod", json!(0)),
            database("BackupRetentionPeriod", json!(7)),
        ),
        (
            "LDP601",
            function(json!({ "Runtime": "nodejs14.x" })),
            function(json!({ "Runtime": "nodejs24.x" })),
        ),
        (
            "LDP602",
            resource(
                "AWS::RDS::DBCluster",
                json!({ "StorageEncrypted": true, "Engine": "aurora-postgresql", "EngineVersion": "11.9" }),
            ),
            resource(
                "AWS::RDS::DBCluster",
                json!({ "StorageEncrypted": true, "Engine": "aurora-postgresql", "EngineVersion": "17.4" }),
            ),
        ),
        (
            "LDP603",
            resource(
                "AWS::ElastiCache::CacheCluster",
                json!({ "Engine": "redis", "EngineVersion": "5.0.6" }),
            ),
            resource(
                "AWS::ElastiCache::CacheCluster",
                json!({ "Engine": "redis", "EngineVersion": "7.1" }),
            ),
        ),
        (
            "LDP702",
            function(json!({ "Environment": { "Variables": { "DB_PASSWORD": "hunter2" } } })),
            function(
                json!({ "Environment": { "Variables": { "DB_PASSWORD": "{{resolve:ssm-secure:p}}", "DB_SECRET_ARN": "arn" } } }),
            ),
        ),
        (
            "LDP703",
            database("MasterUserPassword", json!("hunter2")),
            database("MasterUserPassword", json!("{{resolve:secretsmanager:s}}")),
        ),
    ];
    for (rule, wrong, right) in cases {
        assert_eq!(broken(wrong.clone()), [rule], "{wrong}");
        assert_eq!(broken(right.clone()), Vec::<String>::new(), "{right}");
    }
    let bucket =
        |properties: Json| json!({ "Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": properties });
    assert_eq!(broken(bucket(json!({ "AccessControl": "PublicRead" }))), ["LDP202"]);
    assert_eq!(
        broken(bucket(
            json!({ "PublicAccessBlockConfiguration": { "BlockPublicAcls": false } })
        )),
        ["LDP202"]
    );
    assert!(broken(bucket(json!({}))).is_empty());
    let files = json!({ "Type": "AWS::EFS::FileSystem", "DeletionPolicy": "Retain", "Properties": {} });
    assert_eq!(broken(files), ["LDP108"]);
    assert_eq!(
        broken(resource("AWS::DynamoDB::Table", json!({}))),
        ["LDP502", "LDP503"]
    );
}

#[test]
fn parameters_that_show_secrets() {
    let broken = |name: &str, parameter: Json| {
        let findings = findings_with(&[Pack::security()], &json!({ "Parameters": { name: parameter } }));
        findings.into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(broken("DbPassword", json!({ "Type": "String" })), ["LDP701"]);
    assert_eq!(
        broken("Key", json!({ "Type": "String", "NoEcho": true, "Default": "x" })),
        ["LDP701"]
    );
    assert!(broken("DbPassword", json!({ "Type": "String", "NoEcho": true })).is_empty());
    assert!(broken("DbPassword", json!({ "Type": "AWS::SSM::Parameter::Value<String>" })).is_empty());
}

#[test]
fn what_only_the_deploy_knows_is_no_finding() {
    let unknown = json!({ "Fn::If": ["IsProd", true, false] });
    let none = json!({ "Ref": "AWS::NoValue" });
    let database = |encrypted: &Json| {
        broken(resource(
            "AWS::RDS::DBInstance",
            json!({ "StorageEncrypted": encrypted, "DeletionProtection": true, "BackupRetentionPeriod": { "Ref": "Days" } }),
        ))
    };
    assert!(database(&unknown).is_empty());
    assert_eq!(database(&none), ["LDP101"]);
    let policy = json!({ "PolicyDocument": allow(json!({ "Action": { "Ref": "Action" }, "Resource": "*" })) });
    assert!(broken(resource("AWS::IAM::Policy", policy)).is_empty());
    assert!(
        broken(resource(
            "AWS::IAM::Policy",
            json!({ "PolicyDocument": { "Fn::Transform": {} } })
        ))
        .is_empty()
    );
    let rule = json!({ "CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": { "Ref": "Port" }, "ToPort": { "Ref": "Port" } });
    assert!(broken(resource("AWS::EC2::SecurityGroupIngress", rule)).is_empty());
}

#[test]
fn a_message_never_holds_the_secret() {
    let template = json!({ "Resources": {
        "F": resource("AWS::Lambda::Function", json!({ "Environment": { "Variables": { "TOKEN": "hunter2", "X": "AKIAIOSFODNN7EXAMPLE" } } })),
        "D": resource("AWS::RDS::DBInstance", json!({ "MasterUserPassword": "hunter2" }))
    } });
    let findings = findings_with(&[Pack::security()], &template);
    let text = serde_json::to_string(&findings).unwrap_or_default();
    assert!(text.contains("TOKEN, X in plain text"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("AKIA"), "{text}");
}

#[test]
fn suppressions_excuse_and_a_useless_one_is_found_once() {
    let excused = |rule: &str, construct: &str| json!({ "LlamaDeploy": { "Suppress": [{ "Rule": rule, "Reason": "because", "Construct": construct }] } });
    let topic = |metadata: Json| json!({ "Type": "AWS::SNS::Topic", "Metadata": metadata });
    let template = json!({ "Resources": {
        "A": topic(excused("LDP104", "S")),
        "B": { "Type": "AWS::SQS::Queue", "Metadata": excused("LDP104", "S") },
        "C": topic(excused("LDP101", "S/C")),
        "D": topic(excused("LDP999", "S/D")),
        "E": topic(excused("ACME001", "S/E")),
        "F": topic(json!({ "LlamaDeploy": { "Suppress": [{ "Rule": "LDP104", "Reason": " " }] } })),
    } });
    let findings = findings_with(&[Pack::security()], &template);
    let shown: Vec<_> = findings
        .iter()
        .map(|finding| {
            (
                finding.rule.as_str(),
                finding.logical_id.as_str(),
                finding.suppressed.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("LDP104", "A", Some("because")),
            ("LDP104", "C", None),
            ("LDP104", "D", None),
            ("LDP104", "E", None),
            ("LDP104", "F", None),
            ("LDP000", "C", None),
            ("LDP000", "D", None),
        ]
    );
}

#[test]
fn malformed_templates_have_no_findings_and_no_panic() {
    for template in [
        json!(null),
        json!([]),
        json!({ "Resources": [] }),
        json!({ "Resources": { "A": null, "B": { "Type": 3 }, "C": { "Type": "AWS::IAM::Role", "Properties": [] } } }),
        json!({ "Resources": { "A": { "Type": "AWS::EC2::SecurityGroup", "Properties": { "SecurityGroupIngress": { "Ref": "X" } } } } }),
        json!({ "Parameters": { "Password": "x" }, "Metadata": { "LlamaDeploy": { "Suppress": {} } } }),
    ] {
        assert_eq!(findings_with(&[Pack::security()], &template), [], "{template}");
    }
}
