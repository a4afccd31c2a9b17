use serde_json::json;

use super::report::summary;
use super::*;
use crate::paint::Paint;

/// The whole text of one stack, as one reads it.
fn text(old: &Value, new: &Value, paint: Paint) -> String {
    let (difference, security) = (diff::diff(old, new, &Schemas), diff::security(old, new));
    let origin = |logical_id: &str| {
        let known = |source: Option<&str>| {
            Some(Origin {
                path: format!("Prod/Service/{logical_id}"),
                source: source.map(Into::into),
            })
        };
        match logical_id {
            "Orders" => known(Some("stacks/src/main.rs:41")),
            "Database" => known(Some("stacks/src/data.rs:7")),
            "Handler" => known(None),
            _ => None,
        }
    };
    let report = Report {
        path: "Prod/Service",
        presence: Presence::of(old, new),
        difference: &difference,
        security: &security,
        origin: &origin,
        old_origin: &|_| None,
        paint,
    };
    format!(
        "{}\n{}",
        report.text(),
        summary(1, std::iter::once((&difference, &security)))
    )
}

pub fn plain(old: &Value, new: &Value) -> String {
    text(old, new, Paint::default())
}

fn old() -> Value {
    json!({
        "Parameters": { "Stage": { "Type": "String", "Default": "dev" }, "BootstrapVersion": { "Default": "1" } },
        "Resources": {
            "Orders": { "Type": "AWS::SQS::Queue", "Properties": {
                "QueueName": "orders", "VisibilityTimeout": 30, "Tags": [{ "Key": "team", "Value": "a" }]
            } },
            "Database": { "Type": "AWS::RDS::DBInstance", "UpdateReplacePolicy": "Snapshot", "Properties": {
                "Engine": "postgres", "DBSubnetGroupName": { "Ref": "Subnets" }, "AllocatedStorage": 100
            } },
            "Subnets": { "Type": "AWS::RDS::DBSubnetGroup", "Properties": { "DBSubnetGroupName": "one", "SubnetIds": ["a"] } },
            "Handler": { "Type": "AWS::Lambda::Function", "Properties": {
                "Code": { "ZipFile": "import os\n\ndef handler(event, context):\n    print(event)\n    return 1\n" },
                "Environment": { "Variables": { "QUEUE": { "Ref": "Orders" } } }, "Role": { "Fn::GetAtt": ["Role", "Arn"] }
            } },
            "Role": { "Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": { "Statement": [
                    { "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "lambda.amazonaws.com" } }
                ] }
            } },
            "Policy": { "Type": "AWS::IAM::Policy", "Properties": { "Roles": [{ "Ref": "Role" }], "PolicyName": "p", "PolicyDocument": {
                "Statement": [{ "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": { "Fn::GetAtt": ["Orders", "Arn"] } }]
            } } },
            "Board": { "Type": "AWS::CloudWatch::Dashboard", "Properties": { "DashboardBody": { "Fn::Join": ["", [
                "{\"widgets\":[{\"type\":\"metric\",\"properties\":{\"region\":\"", { "Ref": "AWS::Region" },
                "\",\"title\":\"Orders\",\"period\":300}}]}"
            ]] } } },
            "OldTopic": {
                "Type": "AWS::SNS::Topic", "Properties": { "DisplayName": "Alarms" },
                "Metadata": { "aws:cdk:path": "Prod/Service/OldTopic/Resource" }
            },
            "Kept": { "Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain" },
            "Gone": { "Type": "AWS::DynamoDB::Table" }
        },
        "Outputs": { "Url": { "Value": "a", "Description": "x" } }
    })
}

fn new() -> Value {
    json!({
        "Parameters": { "Stage": { "Type": "String", "Default": "prod" }, "BootstrapVersion": { "Default": "2" } },
        "Resources": {
            "Orders": { "Type": "AWS::SQS::Queue", "Properties": {
                "QueueName": "orders", "VisibilityTimeout": 60, "Tags": [{ "Key": "cost", "Value": "1" }, { "Key": "team", "Value": "b" }]
            }, "DependsOn": ["Role"] },
            "Database": { "Type": "AWS::RDS::DBInstance", "UpdateReplacePolicy": "Snapshot", "Properties": {
                "Engine": "postgres", "DBSubnetGroupName": { "Ref": "Subnets" }, "AllocatedStorage": 200,
                "PubliclyAccessible": true
            } },
            "Subnets": { "Type": "AWS::RDS::DBSubnetGroup", "Properties": { "DBSubnetGroupName": "two", "SubnetIds": ["a"] } },
            "Handler": { "Type": "AWS::Lambda::Function", "Properties": {
                "Code": { "ZipFile": "import os\n\ndef handler(event, context):\n    print(context)\n    return 1\n" },
                "Environment": { "Variables": { "QUEUE": { "Ref": "Orders" }, "STAGE": { "Ref": "Stage" } } },
                "Role": { "Fn::GetAtt": ["Role", "Arn"] }
            } },
            "Role": { "Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": { "Statement": [
                    { "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "lambda.amazonaws.com" } }
                ] },
                "ManagedPolicyArns": [{ "Fn::Join": ["", ["arn:", { "Ref": "AWS::Partition" }, ":iam::aws:policy/ReadOnlyAccess"]] }]
            } },
            "Policy": { "Type": "AWS::IAM::Policy", "Properties": { "Roles": [{ "Ref": "Role" }], "PolicyName": "p", "PolicyDocument": {
                "Statement": [{
                    "Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:DeleteMessage", "sqs:ReceiveMessage"],
                    "Resource": { "Fn::GetAtt": ["Orders", "Arn"] }
                }]
            } } },
            "Board": { "Type": "AWS::CloudWatch::Dashboard", "Properties": { "DashboardBody": { "Fn::Join": ["", [
                "{\"widgets\":[{\"type\":\"metric\",\"properties\":{\"region\":\"", { "Ref": "AWS::Region" },
                "\",\"title\":\"Orders a minute\",\"period\":60}}]}"
            ]] } } },
            "Topic": {
                "Type": "AWS::SNS::Topic", "Properties": { "DisplayName": "Alarms" },
                "Metadata": { "aws:cdk:path": "Prod/Service/Topic/Resource" }
            },
            "Group": { "Type": "AWS::EC2::SecurityGroup", "Properties": {
                "GroupDescription": "g",
                "SecurityGroupIngress": [{ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0" }],
                "SecurityGroupEgress": [{ "IpProtocol": "-1", "CidrIp": "0.0.0.0/0" }]
            } }
        },
        "Outputs": { "Url": { "Value": "b", "Description": "x" }, "Topic": { "Value": { "Ref": "Topic" } } }
    })
}

#[test]
fn a_whole_stack_reads_from_what_may_be_lost_to_what_is_allowed() {
    insta::assert_snapshot!(plain(&old(), &new()), @r#"
    Prod/Service
      ~ Parameters Stage
          ~ Default: dev → prod
      - AWS::DynamoDB::Table Gone  will be DELETED
      - AWS::SNS::Topic OldTopic  will be DELETED  (Prod/Service/OldTopic/Resource)
          looks like Topic, which is added: see there how to keep it
      ± AWS::RDS::DBInstance Database  will be REPLACED by DBSubnetGroupName, a snapshot remains  stacks/src/data.rs:7
          ~ AllocatedStorage: 100 → 200
          + PubliclyAccessible: true
          ~ DBSubnetGroupName: changes with Subnets  (replaces)
      ± AWS::RDS::DBSubnetGroup Subnets  will be REPLACED by DBSubnetGroupName
          ~ DBSubnetGroupName: one → two  (replaces)
      - AWS::S3::Bucket Kept  leaves the stack, is retained
      ~ AWS::CloudWatch::Dashboard Board
          ~ DashboardBody/widgets[0]/properties/period: 300 → 60
          ~ DashboardBody/widgets[0]/properties/title: Orders → Orders a minute
      ~ AWS::Lambda::Function Handler  (Prod/Service/Handler)
          ~ Code/ZipFile
              …

                def handler(event, context):
              -     print(event)
              +     print(context)
                    return 1
          + Environment/Variables/STAGE: ${Stage}
      ~ AWS::SQS::Queue Orders  stacks/src/main.rs:41
          + DependsOn: Role
          + Tags[cost]: {"Key":"cost","Value":"1"}
          ~ Tags[team]/Value: a → b
          ~ VisibilityTimeout: 30 → 60
      ~ AWS::IAM::Policy Policy
          + PolicyDocument/Statement[0]/Action[1]: sqs:DeleteMessage
          + PolicyDocument/Statement[0]/Action[2]: sqs:ReceiveMessage
      ~ AWS::IAM::Role Role
          + ManagedPolicyArns: ["arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess"]
      + AWS::EC2::SecurityGroup Group
      + AWS::SNS::Topic Topic
          looks like OldTopic under a new logical id: keep it with construct().moved_from("OldTopic")
      + Outputs Topic: ${Topic}
      ~ Outputs Url
          ~ Value: a → b
      Security: allows more than before, see !
          Effect  Principal    Action              Resource
      ! + Allow   AWS:${Role}  sqs:DeleteMessage   ${Orders.Arn}
                               sqs:ReceiveMessage
          Identity  Managed policy
      ! + ${Role}   arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess
          Security group    Traffic  Protocol    Peer
      ! + ${Group.GroupId}  in       TCP 22      0.0.0.0/0
      ! + ${Group.GroupId}  out      everything  0.0.0.0/0
          Public access  Setting             Old    New
      ! + Database       PubliclyAccessible  unset  true
      1 difference of the CDK's bookkeeping left out; --strict shows all
    1 of 1 stacks differ: 2 added, 5 changed, 1 released, 2 replaced, 2 deleted; allows more than before
    "#);
}

#[test]
fn nothing_new_is_one_line() {
    insta::assert_snapshot!(plain(&old(), &old()), @r#"
    Prod/Service: no difference
    0 of 1 stacks differ
    "#);
}

#[test]
fn a_new_stack_is_all_additions() {
    insta::assert_snapshot!(plain(&Value::Null, &new()), @r#"
    Prod/Service: a new stack
      + Parameters Stage: {"Type":"String","Default":"prod"}
      + AWS::CloudWatch::Dashboard Board
      + AWS::RDS::DBInstance Database  stacks/src/data.rs:7
      + AWS::EC2::SecurityGroup Group
      + AWS::Lambda::Function Handler  (Prod/Service/Handler)
      + AWS::SQS::Queue Orders  stacks/src/main.rs:41
      + AWS::IAM::Policy Policy
      + AWS::IAM::Role Role
      + AWS::RDS::DBSubnetGroup Subnets
      + AWS::SNS::Topic Topic
      + Outputs Topic: ${Topic}
      + Outputs Url: b
      Security: allows more than before, see !
          Effect  Principal                     Action              Resource
      ! + Allow   AWS:${Role}                   sqs:DeleteMessage   ${Orders.Arn}
                                                sqs:ReceiveMessage
                                                sqs:SendMessage
      ! + Allow   Service:lambda.amazonaws.com  sts:AssumeRole      ${Role.Arn}
          Identity  Managed policy
      ! + ${Role}   arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess
          Security group    Traffic  Protocol    Peer
      ! + ${Group.GroupId}  in       TCP 22      0.0.0.0/0
      ! + ${Group.GroupId}  out      everything  0.0.0.0/0
          Public access  Setting             Old    New
      ! + Database       PubliclyAccessible  unset  true
      1 difference of the CDK's bookkeeping left out; --strict shows all
    1 of 1 stacks differ: 9 added; allows more than before
    "#);
}

#[test]
fn a_moved_construct_is_kept_by_a_call_of_its_own_language() {
    let template =
        |id: &str| json!({ "Resources": { id: { "Type": "AWS::SQS::Queue", "Properties": { "QueueName": "q" } } } });
    let (difference, security) = (
        diff::diff(&template("A1"), &template("B1"), &Schemas),
        SecurityChanges::default(),
    );
    let hint = |source: Option<&str>, path: Option<&str>| {
        let origin = |_: &str| {
            Some(Origin {
                path: "S/B/Resource".into(),
                source: source.map(Into::into),
            })
        };
        let old_origin = |_: &str| {
            Some(Origin {
                path: path?.into(),
                source: None,
            })
        };
        let report = Report {
            path: "S",
            presence: Presence::Both,
            difference: &difference,
            security: &security,
            origin: &origin,
            old_origin: &old_origin,
            paint: Paint::default(),
        };
        let text = report.text();
        text.rsplit_once("keep it with ").unwrap().1.to_owned()
    };
    assert_eq!(
        hint(Some("src/main.rs:3"), Some("S/Jobs/A/Resource")),
        "construct().moved_from(\"Jobs/A\")"
    );
    assert_eq!(
        hint(Some("bin/app.ts:3"), Some("S/A/Resource")),
        "overrideLogicalId(\"A1\")"
    );
    assert_eq!(hint(None, None), "construct().moved_from(the path that it had)");
}

#[test]
fn colours_are_only_added() {
    let coloured = text(&old(), &new(), Paint { colours: true });
    let mut bare = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        bare.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    bare.push_str(rest);
    assert!(coloured.len() > bare.len());
    assert_eq!(bare, plain(&old(), &new()));
}

#[test]
fn the_schema_is_asked_below_properties_too() {
    let of = |resource_type: &str, path: &[&str]| Schemas.of(resource_type, path);
    assert_eq!(of("AWS::SQS::Queue", &["QueueName"]), UpdateBehavior::Replaces);
    assert_eq!(of("AWS::SQS::Queue", &["VisibilityTimeout"]), UpdateBehavior::InPlace);
    assert_eq!(of("AWS::EC2::VPCEndpoint", &["DnsOptions"]), UpdateBehavior::InPlace);
    assert_eq!(
        of("AWS::EC2::VPCEndpoint", &["DnsOptions", "PrivateDnsPreference"]),
        UpdateBehavior::Replaces
    );
    assert_eq!(
        of("AWS::EFS::AccessPoint", &["CreationInfo", "OwnerGid"]),
        UpdateBehavior::Replaces
    );
    assert_eq!(
        of("AWS::RedshiftServerless::Snapshot", &["Tags", "[a]", "Key"]),
        UpdateBehavior::Replaces
    );
    assert_eq!(of("Custom::Thing", &["X"]), UpdateBehavior::InPlace);
}

#[test]
fn source_lines_are_shown_from_the_projects_folder() {
    let origin = |source: &str| Origin {
        path: "S/A".into(),
        source: Some(source.into()),
    };
    assert_eq!(
        below("/home/me/app", &origin("/home/me/app/bin/app.ts:3")),
        origin("bin/app.ts:3")
    );
    assert_eq!(
        below("/home/me/app", &origin("/home/me/apple/app.ts:3")),
        origin("/home/me/apple/app.ts:3")
    );
}
