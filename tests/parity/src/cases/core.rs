//! What every stack leans on: parameters, conditions, mappings, tags, removal policies, dependencies, overrides, nested
//! constructs and ids, references across stacks, stages, and long or odd ids.

use cfn::{Expr, intrinsics, pseudo};
use stack::iam::{Principal, Role};
use stack::s3::Bucket;
use stack::sns::Topic;
use stack::sqs::Queue;
use stack::ssm::StringParameter;
use stack::{
    App, CfnCondition, CfnMapping, CfnOutput, CfnParameter, CfnResource, Construct, RemovalPolicy, Scope, Stack, Stage,
    TagOptions, Tags,
};

struct Pair {
    construct: Construct,
    queue: Queue,
    topic: Topic,
}

impl Pair {
    fn new(scope: &impl Scope, id: &str) -> Self {
        let construct = Construct::new(scope, id);
        let queue = Queue::new(&construct, "Queue").build();
        let topic = Topic::new(&construct, "Default").build();
        Topic::new(&construct, "Extra").build();
        Self {
            construct,
            queue,
            topic,
        }
    }
}

pub fn build(app: &App) {
    let base = Stack::new(app, "Base")
        .env("123456789012", "eu-west-1")
        .termination_protection(true)
        .build();
    Tags::of(app).add("project", "llama");
    Tags::of(&base).add_with("tier", "base", TagOptions::new().priority(300));
    let size = CfnParameter::new(
        &base,
        "Size",
        cfn::Parameter {
            type_name: "Number".into(),
            default: Some(3.into()),
            min_value: Some(1.into()),
            max_value: Some(9.into()),
            description: Some("how many".into()),
            ..cfn::Parameter::default()
        },
    );
    let is_prod = CfnCondition::new(&base, "IsProd", intrinsics::equals(pseudo::region(), "eu-west-1"));
    let is_one = intrinsics::equals(size.value::<String>(), "1");
    let both = CfnCondition::new(
        &base,
        "Both",
        intrinsics::and([is_prod.value(), intrinsics::not(is_one)]),
    );
    let sizes = [
        ("eu-west-1", Expr::map([("max", "10")])),
        ("us-east-1", Expr::map([("max", "20")])),
    ];
    let map = CfnMapping::new(&base, "Sizes", sizes.into_iter().collect());
    let pair = Pair::new(&base, "Pair");
    let long = Pair::new(&base, "a-very-long-construct-identifier-that-goes-on-and-on");
    long.construct.add_dependency(&pair.construct);
    let one = Construct::new(&base, "One");
    let two = Construct::new(&one, "Two With Space");
    let deep = Construct::new(&two, "Three.Slash");
    let queue = Queue::new(&deep, "Q")
        .fifo(true)
        .content_based_deduplication(true)
        .build();
    let raw = queue.resource();
    raw.override_property("MaximumMessageSize", 1024);
    raw.override_at("Metadata.note", "kept");
    raw.delete_property("ContentBasedDeduplication");
    raw.set_condition(&both);
    raw.set_deletion_policy(cfn::DeletionPolicy::Retain);
    let first_of_region = intrinsics::select(0, intrinsics::split("-", pseudo::region()));
    let name = intrinsics::join(
        "-",
        intrinsics::list::<String>([
            cfn::IntoValue::into_value("llama"),
            pseudo::account_id(),
            first_of_region,
        ]),
    );
    let renamed = cfn::sqs::Queue::new().queue_name(name).tags([cfn::Tag::new("z", "1")]);
    CfnResource::new(&base, "Renamed", renamed).override_logical_id("KeptName");
    let max = map.find_in_map::<String>(pseudo::region(), "max");
    StringParameter::new(&base, "Max", max)
        .parameter_name("/llama/max")
        .build();
    let either = intrinsics::if_else::<String>(both.element(), pair.queue.queue_arn(), pseudo::no_value::<String>());
    CfnOutput::new(&base, "If", either).condition(&is_prod).build();
    let variables: cfn::Map = [("x", pair.topic.topic_arn())].into_iter().collect();
    CfnOutput::new(&base, "Sub", intrinsics::sub("${AWS::Partition}:${x}", variables)).build();
    let hello = intrinsics::concat([cfn::IntoValue::into_value("hello "), pair.queue.queue_name()]);
    CfnOutput::new(&base, "B64", intrinsics::base64(hello)).build();
    let blocks = intrinsics::cidr("10.0.0.0/16", 4, "8");
    CfnOutput::new(&base, "Cidr", intrinsics::select(1, blocks)).build();
    let bucket = Bucket::new(&base, "Data")
        .removal_policy(RemovalPolicy::Destroy)
        .build();

    let user = Stack::new(app, "User").env("123456789012", "eu-west-1").build();
    Queue::new(&user, "Consumer").dead_letter_queue(&pair.queue, 3).build();
    let role = Role::new(&user, "Role", Principal::service("lambda.amazonaws.com")).build();
    pair.topic.grant_publish(&role);
    let url = Expr::concat(["s3://".into(), bucket.bucket_name().into_expr(), "/x".into()]);
    CfnOutput::new(&user, "BucketUrl", url.cast::<String>()).build();

    let prod = Stage::new(app, "Prod").env("210987654321", "us-west-2").build();
    let in_stage = Stack::new(&prod, "Service").stack_name("prod-service").build();
    Topic::new(&in_stage, "T").topic_name("named").build();
    let stored = StringParameter::value_for(&in_stage, "/shared/value");
    StringParameter::new(&in_stage, "FromStore", stored).build();
}
