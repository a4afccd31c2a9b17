use serde_json::{Value, json};

use super::*;

fn template(resources: Value) -> Value {
    json!({ "Resources": resources })
}

/// `+ Allow AWS:${Role} s3:Get, s3:Put on ${Bucket.Arn} (condition) !`, where `!` broadens.
fn rows(old: &Value, new: &Value) -> Vec<String> {
    let changes = security(old, new);
    let sign = |change: Direction| if change == Direction::Added { '+' } else { '-' };
    let mark = |broadens: bool| if broadens { " !" } else { "" };
    let statements = changes.statements.iter().map(|row| {
        let condition = if row.condition.is_empty() {
            String::new()
        } else {
            format!(" ({})", row.condition)
        };
        format!(
            "{} {:?} {} {} on {}{condition}{}",
            sign(row.change),
            row.effect,
            row.principals.join(", "),
            row.actions.join(", "),
            row.resources.join(", "),
            mark(row.broadens)
        )
    });
    let policies = changes.managed_policies.iter().map(|row| {
        let kind = if row.is_boundary { " bounded by" } else { "" };
        format!(
            "{} {}{kind} {}{}",
            sign(row.change),
            row.identity,
            row.policy,
            mark(row.broadens)
        )
    });
    let rules = changes.rules.iter().map(|row| {
        let (change, broadens) = (sign(row.change), mark(row.broadens));
        format!(
            "{change} {} {:?} {} {}{broadens}",
            row.group, row.traffic, row.protocol, row.peer
        )
    });
    let exposure = changes.exposure.iter().map(|row| {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "unset".into());
        format!(
            "{} {} {} -> {}{}",
            row.logical_id,
            row.setting,
            value(&row.old),
            value(&row.new),
            mark(row.broadens)
        )
    });
    let rows: Vec<String> = statements.chain(policies).chain(rules).chain(exposure).collect();
    assert_eq!(
        changes.broadens(),
        rows.iter().any(|row| row.ends_with(" !")),
        "{rows:?}"
    );
    rows
}

fn policy(statements: Value) -> Value {
    template(json!({
        "Role": { "Type": "AWS::IAM::Role" },
        "Bucket": { "Type": "AWS::S3::Bucket" },
        "Policy": { "Type": "AWS::IAM::Policy", "Properties": {
            "Roles": [{ "Ref": "Role" }], "PolicyDocument": { "Statement": statements }
        } }
    }))
}

fn allow(actions: Value, resources: Value) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
}

#[test]
fn only_what_differs_of_a_statement_is_shown() {
    let objects = json!({ "Fn::Join": ["", [{ "Fn::GetAtt": ["Bucket", "Arn"] }, "/*"]] });
    let old = policy(json!([allow(json!("s3:GetObject"), objects.clone())]));
    let new = policy(json!([allow(
        json!(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]),
        objects
    )]));
    assert_eq!(
        rows(&old, &new),
        ["+ Allow AWS:${Role} s3:DeleteObject, s3:PutObject on ${Bucket.Arn}/* !"]
    );
    assert_eq!(
        rows(&new, &old),
        ["- Allow AWS:${Role} s3:DeleteObject, s3:PutObject on ${Bucket.Arn}/*"]
    );
}

#[test]
fn statements_that_are_cut_differently_are_the_same() {
    let old = policy(json!([
        allow(json!("a:A"), json!(["x", "y"])),
        allow(json!("a:B"), json!(["y", "x"]))
    ]));
    let new = policy(json!(allow(json!(["a:B", "a:A"]), json!(["x", "y"]))));
    assert_eq!(rows(&old, &new), [""; 0]);
}

#[test]
fn what_a_wildcard_allowed_before_does_not_broaden() {
    let wide = policy(json!([allow(json!("s3:*"), json!("*"))]));
    let narrow = policy(json!([allow(
        json!("s3:GetObject"),
        json!({ "Fn::GetAtt": ["Bucket", "Arn"] })
    )]));
    assert_eq!(
        rows(&wide, &narrow),
        [
            "- Allow AWS:${Role} s3:* on *",
            "+ Allow AWS:${Role} s3:GetObject on ${Bucket.Arn}"
        ]
    );
    assert_eq!(
        rows(&narrow, &wide),
        [
            "- Allow AWS:${Role} s3:GetObject on ${Bucket.Arn}",
            "+ Allow AWS:${Role} s3:* on * !"
        ]
    );
}

#[test]
fn a_condition_narrows_and_its_loss_broadens() {
    let with = |condition: Value| {
        let mut statement = allow(json!("s3:*"), json!("*"));
        statement["Condition"] = condition;
        policy(json!([statement]))
    };
    let bare = policy(json!([allow(json!("s3:*"), json!("*"))]));
    let bound =
        with(json!({ "Bool": { "aws:SecureTransport": true }, "StringEquals": { "aws:PrincipalOrgID": ["b", "a"] } }));
    let shown = "(Bool aws:SecureTransport true; StringEquals aws:PrincipalOrgID [a, b])";
    assert_eq!(
        rows(&bare, &bound),
        [
            "- Allow AWS:${Role} s3:* on *".to_owned(),
            format!("+ Allow AWS:${{Role}} s3:* on * {shown}")
        ]
    );
    assert!(security(&bound, &bare).broadens());
}

#[test]
fn a_deny_that_goes_broadens_unless_its_subject_goes_too() {
    let deny = json!({ "Effect": "Deny", "Action": "s3:*", "Resource": "*" });
    let (with, without) = (policy(json!([deny])), policy(json!([])));
    assert_eq!(rows(&without, &with), ["+ Deny AWS:${Role} s3:* on *"]);
    assert_eq!(rows(&with, &without), ["- Deny AWS:${Role} s3:* on * !"]);
    assert_eq!(rows(&with, &template(json!({}))), ["- Deny AWS:${Role} s3:* on *"]);
}

#[test]
fn what_is_not_listed_is_kept_in_one_piece() {
    let new = policy(json!([{ "Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "NotResource": "x" }]));
    assert_eq!(
        rows(&Value::Null, &new),
        ["+ Allow AWS:${Role} not iam:*, sts:* on not x !"]
    );
}

#[test]
fn trust_resource_policies_and_permissions_have_their_principals() {
    let new = template(json!({
        "Role": { "Type": "AWS::IAM::Role", "Properties": {
            "AssumeRolePolicyDocument": { "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": ["a.amazonaws.com", "b.amazonaws.com"] }
            }] },
            "Policies": [{ "PolicyName": "p", "PolicyDocument": { "Statement": allow(json!("a:B"), json!("*")) } }]
        } },
        "Queues": { "Type": "AWS::SQS::QueuePolicy", "Properties": { "Queues": [{ "Ref": "Q" }], "PolicyDocument": {
            "Statement": [{ "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": { "Fn::GetAtt": ["Q", "Arn"] },
                "Principal": { "AWS": "*" }, "Condition": { "ArnEquals": { "aws:SourceArn": { "Ref": "Topic" } } } }]
        } } },
        "Key": { "Type": "AWS::KMS::Key", "Properties": { "KeyPolicy": { "Statement": [{
            "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": { "AWS": { "Fn::Join": ["", ["arn:", { "Ref": "AWS::Partition" }, ":iam::1:root"]] } }
        }] } } },
        "Logs": { "Type": "AWS::Logs::ResourcePolicy", "Properties": {
            "PolicyDocument": r#"{"Statement":[{"Effect":"Allow","Action":"logs:Put","Resource":"*","Principal":{"Service":"es.amazonaws.com"}}]}"#
        } },
        "Invoke": { "Type": "AWS::Lambda::Permission", "Properties": {
            "Action": "lambda:InvokeFunction", "FunctionName": { "Fn::GetAtt": ["Fn", "Arn"] },
            "Principal": "apigateway.amazonaws.com", "SourceArn": { "Ref": "Api" }
        } }
    }));
    assert_eq!(
        rows(&Value::Null, &new),
        [
            "+ Allow * sqs:SendMessage on ${Q.Arn} (ArnEquals aws:SourceArn ${Topic}) !",
            "+ Allow AWS:${Role} a:B on * !",
            "+ Allow AWS:arn:${AWS::Partition}:iam::1:root kms:* on ${Key.Arn} !",
            "+ Allow Service:a.amazonaws.com, Service:b.amazonaws.com sts:AssumeRole on ${Role.Arn} !",
            "+ Allow Service:apigateway.amazonaws.com lambda:InvokeFunction on ${Fn.Arn} (ArnLike aws:SourceArn ${Api}) !",
            "+ Allow Service:es.amazonaws.com logs:Put on * !",
        ]
    );
}

#[test]
fn attached_policies_give_and_boundaries_take() {
    let role = |policies: Value, boundary: Value| {
        template(json!({ "Role": { "Type": "AWS::IAM::Role", "Properties": {
            "ManagedPolicyArns": policies, "PermissionsBoundary": boundary
        } } }))
    };
    let old = role(json!(["a"]), Value::Null);
    let new = role(
        json!([{ "Fn::If": ["Yes", "b", { "Ref": "AWS::NoValue" }] }]),
        json!("c"),
    );
    assert_eq!(
        rows(&old, &new),
        ["- ${Role} a", "+ ${Role} b !", "+ ${Role} bounded by c"]
    );
    assert_eq!(
        rows(&new, &old),
        ["- ${Role} b", "- ${Role} bounded by c !", "+ ${Role} a !"]
    );
    assert_eq!(
        rows(&new, &template(json!({}))),
        ["- ${Role} b", "- ${Role} bounded by c"]
    );
}

fn group(ingress: Value) -> Value {
    template(json!({ "G": { "Type": "AWS::EC2::SecurityGroup", "Properties": {
        "SecurityGroupIngress": ingress,
        "SecurityGroupEgress": [{ "IpProtocol": "-1", "CidrIp": "0.0.0.0/0" }]
    } } }))
}

#[test]
fn rules_are_compared_whether_inside_or_beside_the_group() {
    let rule =
        json!({ "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.0.0.0/16", "Description": "x" });
    let inside = group(json!([rule]));
    let mut beside = group(json!([]));
    beside["Resources"]["R"] = json!({ "Type": "AWS::EC2::SecurityGroupIngress", "Properties": rule });
    beside["Resources"]["R"]["Properties"]["GroupId"] = json!({ "Fn::GetAtt": ["G", "GroupId"] });
    assert_eq!(rows(&inside, &beside), [""; 0]);
    let open = group(json!([{ "IpProtocol": "tcp", "FromPort": "443", "ToPort": "443", "CidrIp": "0.0.0.0/0" }]));
    assert_eq!(
        rows(&inside, &open),
        [
            "- ${G.GroupId} Ingress TCP 443 10.0.0.0/16",
            "+ ${G.GroupId} Ingress TCP 443 0.0.0.0/0 !"
        ]
    );
    assert_eq!(
        rows(&open, &inside),
        [
            "- ${G.GroupId} Ingress TCP 443 0.0.0.0/0",
            "+ ${G.GroupId} Ingress TCP 443 10.0.0.0/16"
        ]
    );
}

#[test]
fn a_group_without_egress_rules_lets_everything_out() {
    let old = group(json!([]));
    let mut new = group(json!([]));
    new["Resources"]["G"]["Properties"]["SecurityGroupEgress"] =
        json!({ "IpProtocol": "udp", "FromPort": 0, "ToPort": 65535, "DestinationPrefixListId": "pl-1" });
    assert_eq!(
        rows(&old, &new),
        [
            "- ${G.GroupId} Egress everything 0.0.0.0/0",
            "+ ${G.GroupId} Egress UDP all ports pl-1 !"
        ]
    );
    new["Resources"]["G"]["Properties"] = json!({});
    assert_eq!(rows(&old, &new), ["+ ${G.GroupId} Egress everything ::/0 !"]);
}

#[test]
fn settings_that_open_to_the_public_are_shown() {
    let with = |kind: &str, properties: Value| template(json!({ "X": { "Type": kind, "Properties": properties } }));
    let bucket = |block: Value| with("AWS::S3::Bucket", json!({ "PublicAccessBlockConfiguration": block }));
    let all = json!({ "BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true });
    let plain = with("AWS::S3::Bucket", json!({}));
    let mut most = all.clone();
    most["BlockPublicPolicy"] = json!(false);
    let policy = "X PublicAccessBlockConfiguration/BlockPublicPolicy";
    assert_eq!(
        rows(&bucket(all.clone()), &bucket(most.clone())),
        [format!("{policy} true -> false !")]
    );
    assert_eq!(
        rows(&plain, &bucket(most.clone())),
        [format!("{policy} unset -> false !")]
    );
    assert_eq!(
        rows(&Value::Null, &bucket(most.clone())),
        [format!("{policy} unset -> false !")]
    );
    assert_eq!(
        rows(&bucket(most), &bucket(all.clone())),
        [format!("{policy} false -> true")]
    );
    assert_eq!(rows(&bucket(all), &plain).len(), 4);
    assert_eq!(rows(&Value::Null, &plain), [""; 0]);

    let database = |open: Value| with("AWS::RDS::DBInstance", json!({ "PubliclyAccessible": open }));
    assert_eq!(
        rows(&database(json!(false)), &database(json!("true"))),
        ["X PubliclyAccessible false -> true !"]
    );
    let method = |kind: &str| with("AWS::ApiGateway::Method", json!({ "AuthorizationType": kind }));
    assert_eq!(rows(&Value::Null, &method("NONE")), [""; 0]);
    assert_eq!(
        rows(&method("AWS_IAM"), &method("NONE")),
        ["X AuthorizationType AWS_IAM -> NONE !"]
    );
}

#[test]
fn a_statement_of_many_combinations_is_not_taken_apart() {
    let many: Vec<String> = (0..2000).map(|number| format!("a:{number}")).collect();
    let old = policy(json!([allow(json!(many), json!(many))]));
    let mut fewer = many.clone();
    fewer.pop();
    let new = policy(json!([allow(json!(fewer), json!(many))]));
    assert_eq!(security(&old, &new).statements.len(), 2);
    assert!(!security(&old, &new).broadens());
    assert!(security(&new, &old).broadens());
}
