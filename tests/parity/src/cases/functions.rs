//! Functions in their variants: layers, destinations, aliases with URLs, subscriptions, rules, and roles of others.

use serde_json::json;
use stack::events::{EventPattern, Input, Rule, Schedule, Target};
use stack::iam::{ManagedPolicy, PolicyDocument, PolicyStatement, Principal, Role};
use stack::lambda::{
    Alias, Architecture, Code, Destination, Function, Invocable, LayerVersion, LogFormat, LogLevel, Runtime, Tracing,
    UrlCors, Version,
};
use stack::s3::{Bucket, BucketEncryption, LifecycleRule};
use stack::sns::{SubscriptionOptions, Topic};
use stack::sqs::Queue;
use stack::units::{days, gib, hours};
use stack::{App, Arn, CfnOutput, CfnResource, RemovalPolicy, Stack};

pub fn build(app: &App) {
    let stack = Stack::new(app, "FunctionsStack").build();
    let dead = Queue::new(&stack, "Dead").build();
    let topic = Topic::new(&stack, "Done").build();
    let layer = LayerVersion::new(&stack, "Layer", super::asset("ws"))
        .compatible_runtimes([Runtime::nodejs_24()])
        .description("shared")
        .build();
    let rust = Function::new(
        &stack,
        "Rust",
        Runtime::provided_al2023(),
        Code::asset(super::asset("alerts")),
    )
    .architecture(Architecture::Arm64)
    .handler("bootstrap")
    .function_name("llama-rust")
    .description("native")
    .ephemeral_storage(gib(1))
    .dead_letter_queue(&dead)
    .retry_attempts(1)
    .max_event_age(hours(1))
    .on_success(Destination::Topic(topic.clone()))
    .environment("ZULU", "2")
    .environment("ALPHA", "1")
    .initial_policy(PolicyStatement::allow(["xray:PutTraceSegments"]).on_all())
    .log_format(LogFormat::Json)
    .system_log_level(LogLevel::Warn)
    .application_log_level(LogLevel::Info)
    .build();
    rust.add_to_role_policy(
        PolicyStatement::allow(["cloudwatch:PutMetricData", "cloudwatch:GetMetricData"])
            .sid("Cw")
            .on_all()
            .condition("StringEquals", [("cloudwatch:namespace", "Llama")]),
    );
    let node = Function::new(&stack, "Node", Runtime::nodejs_24(), Code::asset(super::asset("ws")))
        .handler("index.handler")
        .layers([layer.layer_version_arn()])
        .tracing(Tracing::PassThrough)
        .build();
    let live = Alias::new(&stack, "Live", "live", &node.current_version())
        .provisioned_concurrent_executions(2)
        .description("what users reach")
        .build();
    let first = Version::new(&stack, "RustV1", &rust).description("first").build();
    Alias::new(&stack, "RustBlue", "blue", &first).build();
    let url = live
        .add_function_url()
        .cors(UrlCors::origins(["https://defillama.com"]).methods(["GET"]))
        .build();
    let bucket = Bucket::new(&stack, "Uploads")
        .versioned(true)
        .encryption(BucketEncryption::S3Managed)
        .block_all_public_access()
        .enforce_ssl()
        .lifecycle_rule(LifecycleRule::new().expiration(days(30)).prefix("tmp/"))
        .removal_policy(RemovalPolicy::Retain)
        .build();
    bucket.grant_read(&rust);
    bucket.grant_put(&live);
    topic.subscribe_function(
        &rust,
        &SubscriptionOptions::new().filter_attributes(json!({ "kind": ["a", "b"] })),
    );
    let nightly = Target::function(&live)
        .retry_attempts(2)
        .input(Input::object(json!({ "kind": "nightly" })));
    Rule::new(&stack, "Nightly")
        .schedule(Schedule::daily(2, 0))
        .target(nightly)
        .build();
    let alarms = EventPattern::new()
        .source(["aws.cloudwatch"])
        .detail_type(["CloudWatch Alarm State Change"]);
    Rule::new(&stack, "OnAlarm")
        .event_pattern(alarms)
        .target(Target::queue(&dead))
        .build();
    let caller = Role::new(&stack, "Caller", Principal::account_root())
        .max_session_duration(hours(2))
        .managed_policy(ManagedPolicy::aws("ReadOnlyAccess"))
        .build();
    live.grant_invoke(&caller);
    rust.grant_invoke(Principal::service("scheduler.amazonaws.com"));
    deployer(&stack);
    CfnOutput::new(&stack, "Url", url.url()).build();
    CfnOutput::new(&stack, "LiveArn", live.alias_arn()).build();
}

/// The role that a workflow takes on.
fn deployer(stack: &Stack) {
    let provider = cfn::iam::OIDCProvider::new()
        .url("https://token.actions.githubusercontent.com")
        .client_id_list(["sts.amazonaws.com"]);
    let provider = CfnResource::new(stack, "GitHub", provider);
    let workflow = Principal::web_identity(provider.arn())
        .condition(
            "StringLike",
            [(
                "token.actions.githubusercontent.com:sub",
                "repo:DefiLlama/*:environment:prod",
            )],
        )
        .condition(
            "StringEquals",
            [("token.actions.githubusercontent.com:aud", "sts.amazonaws.com")],
        );
    let stacks = stack.format_arn(Arn::new("cloudformation", "stack").name("Phase2*"));
    let policy = PolicyDocument::new([
        PolicyStatement::allow(["cloudformation:*"]).on(stacks.cast::<String>()),
        PolicyStatement::deny(["iam:*User*"]).on_all(),
    ]);
    Role::new(stack, "Deployer", workflow)
        .inline_policy("deploy", policy)
        .build();
}
