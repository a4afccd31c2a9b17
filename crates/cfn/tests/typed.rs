//! What a user writes with the generated types, and what it renders as.

use cfn::lambda::function;
use cfn::{
    Builder, ElementId, Expr, Handle, IntoResource, Name, Reference, Resolver, ResourceType, TagShape, ec2, iam, id,
    intrinsics, kms, lambda, pseudo, rds, sns, sqs, text,
};
use serde_json::{Value as Json, json};

/// Calls element 7 `Element7`.
struct Names;

impl Resolver for Names {
    type Error = std::convert::Infallible;

    fn reference(&mut self, reference: Reference<'_>) -> Result<Expr, Self::Error> {
        let target = reference.target.clone().resolve(self)?;
        Ok(match reference.attribute {
            Some(attribute) => Expr::get_att(target, attribute.to_owned()),
            None => Expr::reference(target),
        })
    }

    fn logical_id(&mut self, element: ElementId) -> Result<Name, Self::Error> {
        Ok(format!("Element{}", element.index()).into())
    }
}

fn render(resource: impl IntoResource) -> Json {
    let Ok(resolved) = resource.into_resource().resolve(&mut Names);
    serde_json::to_value(resolved).expect("every reference has a name")
}

fn handle<T>(index: u32) -> Handle<T> {
    Handle::new(ElementId::new(index))
}

#[test]
fn ten_lines_read_like_what_they_make() {
    let queue: Handle<sqs::Queue> = handle(1);
    let topic: Handle<sns::Topic> = handle(2);
    let subscription = sns::Subscription::new()
        .protocol("sqs")
        .topic_arn(topic)
        .endpoint(queue.arn());
    assert_eq!(
        render(subscription),
        json!({
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "Protocol": "sqs",
                "TopicArn": { "Ref": "Element2" },
                "Endpoint": { "Fn::GetAtt": ["Element1", "Arn"] },
            }
        })
    );
}

#[test]
fn a_function_takes_nested_types_lists_maps_enums_and_references() {
    let role: Handle<iam::Role> = handle(1);
    let group: Handle<ec2::SecurityGroup> = handle(2);
    let (first, second): (Handle<ec2::Subnet>, Handle<ec2::Subnet>) = (handle(3), handle(4));
    let function = lambda::Function::new()
        .role(role.arn())
        .code(function::Code::new().s3_bucket("assets").s3_key("f.zip"))
        .runtime(function::Runtime::PROVIDED_AL2023)
        .timeout(30)
        .vpc_config(
            function::VpcConfig::new()
                .subnet_ids([first, second])
                .security_group_ids([group.group_id()]),
        )
        .environment(function::Environment::new().variables([("REGION", pseudo::region()), ("MODE", "x".into_text())]))
        .tags([cfn::Tag::new("team", "platform")]);
    assert_eq!(
        render(function),
        json!({
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Role": { "Fn::GetAtt": ["Element1", "Arn"] },
                "Code": { "S3Bucket": "assets", "S3Key": "f.zip" },
                "Runtime": "provided.al2023",
                "Timeout": 30,
                "VpcConfig": {
                    "SubnetIds": [{ "Ref": "Element3" }, { "Ref": "Element4" }],
                    "SecurityGroupIds": [{ "Fn::GetAtt": ["Element2", "GroupId"] }],
                },
                "Environment": { "Variables": { "REGION": { "Ref": "AWS::Region" }, "MODE": "x" } },
                "Tags": [{ "Key": "team", "Value": "platform" }],
            }
        })
    );
}

/// A literal as a value, where a list mixes both.
trait IntoText {
    fn into_text(self) -> cfn::Value<String>;
}

impl IntoText for &str {
    fn into_text(self) -> cfn::Value<String> {
        cfn::IntoValue::into_value(self)
    }
}

#[test]
fn identifiers_pass_for_text_and_for_what_corrections_allow() {
    let queue: Handle<sqs::Queue> = handle(1);
    let alias: Handle<lambda::Alias> = handle(2);
    let key: Handle<kms::Key> = handle(3);
    assert_eq!(
        text!["<", queue.arn(), ">"].into_expr(),
        Expr::concat(["<".into(), queue.arn().into_expr(), ">".into()])
    );
    // A queue takes a key by id, ARN or alias.
    let by_id = render(sqs::Queue::new().kms_master_key_id(key));
    let by_arn = render(sqs::Queue::new().kms_master_key_id(key.arn()));
    assert_eq!(by_id["Properties"]["KmsMasterKeyId"], json!({ "Ref": "Element3" }));
    assert_eq!(
        by_arn["Properties"]["KmsMasterKeyId"],
        json!({ "Fn::GetAtt": ["Element3", "Arn"] })
    );
    // The ARN of an alias stands where that of a function is expected.
    fn function_arn(value: impl cfn::IntoValue<id::lambda::FunctionArn>) -> Expr {
        value.into_value().into_expr()
    }
    assert_eq!(function_arn(alias), Expr::reference(ElementId::new(2)));
}

#[test]
fn numbers_that_cloudformation_writes_as_text_are_text() {
    let instance = rds::DBInstance::new()
        .allocated_storage("20")
        .multi_az(false)
        .when_some(Some(7), |builder, days| builder.backup_retention_period(days));
    assert_eq!(
        render(instance)["Properties"],
        json!({ "AllocatedStorage": "20", "MultiAZ": false, "BackupRetentionPeriod": 7 })
    );
}

#[test]
fn branches_and_escape_hatches_keep_their_type() {
    let vpc: Handle<ec2::VPC> = handle(1);
    let zone = intrinsics::select(0, intrinsics::get_azs(""));
    let mut subnet = ec2::Subnet::new()
        .vpc_id(vpc)
        .availability_zone(zone)
        .cidr_block(intrinsics::if_else::<String>(
            "Wide",
            "10.0.0.0/16",
            pseudo::no_value::<String>(),
        ))
        .property("NotYetKnown", 1)
        .into_resource();
    subnet.depend_on(vpc);
    subnet.depend_on(vpc);
    subnet.override_at("Properties.CidrBlock", None);
    subnet.override_at("Properties.A\\.B.0", Some("x".into()));
    assert_eq!(
        render(subnet),
        json!({
            "Type": "AWS::EC2::Subnet",
            "Properties": {
                "VpcId": { "Ref": "Element1" },
                "AvailabilityZone": { "Fn::Select": [0, { "Fn::GetAZs": "" }] },
                "NotYetKnown": 1,
                "A.B": { "0": "x" },
            },
            "DependsOn": ["Element1"],
        })
    );
}

#[test]
fn a_resource_made_by_hand_stands_beside_typed_ones() {
    let mut thing = cfn::Resource::new("Custom::Thing");
    thing
        .properties
        .insert("ServiceToken", text!["arn:", pseudo::partition()]);
    assert_eq!(
        render(thing),
        json!({
            "Type": "Custom::Thing",
            "Properties": { "ServiceToken": { "Fn::Join": ["", ["arn:", { "Ref": "AWS::Partition" }]] } }
        })
    );
    assert_eq!(
        handle::<cfn::Resource>(3).attribute::<String>("Out").into_expr(),
        Expr::get_att(ElementId::new(3), "Out")
    );
}

#[test]
fn types_say_where_tags_go() {
    let tags = <sqs::Queue as ResourceType>::INFO.tags.unwrap();
    assert_eq!((tags.property, tags.shape), ("Tags", TagShape::List));
    assert_eq!(
        <cfn::apigatewayv2::Api as ResourceType>::INFO.tags.unwrap().shape,
        TagShape::Map
    );
}
