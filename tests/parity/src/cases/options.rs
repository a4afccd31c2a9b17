//! Options of the constructs of `core` and `phase2` that those cases do not use.

use cfn::{Expr, Resource};
use serde_json::json;
use stack::apigateway::{
    AuthorizationType, Deployment, EndpointType, HttpIntegration, LambdaIntegration, MethodLoggingLevel, MethodOptions,
    MethodSettings, MockIntegration, RestApi, StageOptions, TokenAuthorizer,
};
use stack::cloudwatch::{
    Alarm, AlarmStatusWidget, AlarmWidget, Annotation, Dashboard, GraphView, GraphWidget, MathExpression, Metric,
    SingleValueWidget, Spacer, TextWidget, TreatMissingData, YAxis,
};
use stack::ec2::{Peer, Port, SecurityGroup, SubnetConfiguration, SubnetSelection, SubnetType, Vpc};
use stack::iam::{ManagedPolicy, PolicyDocument, PolicyStatement, Principal, Role};
use stack::lambda::{
    Alias, Architecture, Code, Function, Invocable, LogFormat, LogLevel, Permission, Runtime, Tracing, Version,
};
use stack::logs::LogGroup;
use stack::rds::{Credentials, DatabaseInstance, StorageType, mysql, postgres};
use stack::s3::{Bucket, BucketEncryption, LifecycleRule};
use stack::secretsmanager::Secret;
use stack::sns::Topic;
use stack::sqs::{Queue, QueueEncryption};
use stack::ssm::StringParameter;
use stack::units::{days, gib, hours, kib, minutes, seconds};
use stack::{App, Arn, CfnOutput, CfnResource, RemovalPolicy, Stack, Stage, TagOptions, Tags};

use super::asset;

pub fn build(app: &App) {
    network(app);
    let functions = compute(app);
    api(app);
    observe(app, &functions);
    rest(app);
}

fn network(app: &App) {
    let stack = Stack::new(app, "Network")
        .description("networks")
        .tag("team", "net")
        .build();
    let defaults = Vpc::new(&stack, "Defaults").build();
    let tiers = Vpc::new(&stack, "Tiers")
        .cidr("10.20.0.0/16")
        .max_azs(2)
        .nat_gateways(1)
        .vpc_name("tiers")
        .instance_tenancy("dedicated")
        .subnet_configuration([
            SubnetConfiguration::new("edge", SubnetType::Public)
                .cidr_mask(24)
                .map_public_ip_on_launch(false),
            SubnetConfiguration::new("app", SubnetType::PrivateWithEgress),
            SubnetConfiguration::new("spare", SubnetType::PrivateIsolated)
                .cidr_mask(24)
                .reserved(),
            SubnetConfiguration::new("data", SubnetType::PrivateIsolated).cidr_mask(26),
        ])
        .build();
    let pinned = Stack::new(app, "Pinned").env("123456789012", "us-east-1").build();
    Vpc::new(&pinned, "Vpc")
        .availability_zones(["us-east-1a", "us-east-1b", "us-east-1c"])
        .nat_gateways(0)
        .subnet_configuration([
            SubnetConfiguration::new("public", SubnetType::Public),
            SubnetConfiguration::new("isolated", SubnetType::PrivateIsolated),
        ])
        .build();
    Vpc::new(&pinned, "NoGateway")
        .availability_zones(["us-east-1a"])
        .create_internet_gateway(false)
        .nat_gateways(0)
        .build();
    let group = SecurityGroup::new(&stack, "Db", &tiers)
        .allow_all_outbound(false)
        .description("database")
        .build();
    group.add_ingress_rule(&Peer::ipv4("10.20.0.0/16"), &Port::tcp(5432), Some("inside only"));
    group.add_ingress_rule(&Peer::ipv4("10.20.0.0/16"), &Port::tcp(5432), None);
    group.add_ingress_rule(&Peer::any_ipv6(), &Port::udp_range(1, 2), None);
    group.add_ingress_rule(&Peer::prefix_list("pl-12345678"), &Port::all_traffic(), None);
    group.add_egress_rule(&Peer::any_ipv4(), &Port::tcp_range(8000, 8100), None);
    let other = SecurityGroup::new(&stack, "Bastion", &tiers)
        .security_group_name("bastion")
        .allow_all_ipv6_outbound(true)
        .build();
    group.add_ingress_rule_from(&other, &Port::tcp(22), None);
    other
        .connections()
        .allow_to_described(&group, &Port::all_icmp(), Some("ping"));
    group.connections().allow_internally(&Port::all_tcp());
    other.connections().allow_from_any_ipv4(&Port::tcp(443), Some("web"));
    let far = Stack::new(app, "Far").build();
    let far = SecurityGroup::new(&far, "Far", &defaults)
        .allow_all_outbound(false)
        .build();
    far.connections().allow_to(&group, &Port::tcp(5432));
    let database = DatabaseInstance::new(&stack, "Primary", postgres("16.13"), &tiers)
        .vpc_subnets(SubnetSelection::group("data"))
        .credentials(Credentials::generated_secret("llama_admin").secret_name("db/admin"))
        .database_name("defillama")
        .port(5433)
        .allocated_storage(gib(200))
        .max_allocated_storage(gib(400))
        .storage_type(StorageType::Io1)
        .storage_encrypted(true)
        .multi_az(false)
        .backup_retention(days(14))
        .preferred_backup_window("03:00-04:00")
        .preferred_maintenance_window("sun:05:00-sun:06:00")
        .performance_insights_retention_days(31)
        .cloudwatch_logs_exports(["postgresql", "upgrade"])
        .monitoring_interval(seconds(60))
        .iam_authentication(true)
        .removal_policy(RemovalPolicy::Retain)
        .copy_tags_to_snapshot(false)
        .auto_minor_version_upgrade(false)
        .delete_automated_backups(true)
        .parameter("rds.force_ssl", "1")
        .instance_identifier("primary")
        .allow_major_version_upgrade(true)
        .build();
    database
        .connections()
        .allow_default_port_from_described(&Peer::any_ipv4(), Some("open"));
    database.connections().allow_default_port_internally();
    DatabaseInstance::new(&stack, "Small", mysql("8.4.5"), &defaults)
        .security_groups([other])
        .vpc_subnets(SubnetSelection::of_type(SubnetType::Public))
        .availability_zone("x")
        .removal_policy(RemovalPolicy::Destroy)
        .performance_insights(true)
        .credentials(Credentials::username("me"))
        .storage_type(StorageType::Gp3)
        .storage_throughput(500)
        .iops(12_000)
        .allocated_storage(gib(400))
        .build();
    Tags::of(&tiers)
        .add_with("net", "tiers", TagOptions::new().exclude(["AWS::EC2::Subnet"]))
        .remove_with("Name", TagOptions::new().include(["AWS::EC2::EIP"]));
}

fn compute(app: &App) -> [Function; 3] {
    let stack = Stack::new(app, "Compute").build();
    let vpc = Vpc::new(&stack, "Vpc").max_azs(1).build();
    let dead = Queue::new(&stack, "Dead")
        .retention_period(days(14))
        .encryption(QueueEncryption::KmsManaged)
        .enforce_ssl()
        .build();
    let group = LogGroup::new(&stack, "Logs")
        .retention(days(7))
        .removal_policy(RemovalPolicy::Destroy)
        .build();
    LogGroup::new(&stack, "Default").build();
    let rust = Function::new(&stack, "Rust", Runtime::provided_al2023(), Code::asset(asset("alerts")))
        .architecture(Architecture::Arm64)
        .function_name("llama-rust")
        .description("native")
        .ephemeral_storage(gib(1))
        .dead_letter_queue(&dead)
        .retry_attempts(1)
        .max_event_age(hours(1))
        .environment("ZULU", "2")
        .environment("ALPHA", "1")
        .initial_policy(PolicyStatement::allow(["s3:ListAllMyBuckets"]).on_all())
        .log_format(LogFormat::Json)
        .system_log_level(LogLevel::Warn)
        .application_log_level(LogLevel::Info)
        .log_group(&group)
        .tracing(Tracing::Active)
        .build();
    rust.add_to_role_policy(
        PolicyStatement::allow(["cloudwatch:PutMetricData", "cloudwatch:GetMetricData"])
            .sid("Cw")
            .on_all()
            .condition("StringEquals", [("cloudwatch:namespace", "Llama")]),
    );
    let shared = SecurityGroup::new(&stack, "Sg", &vpc).build();
    let node = Function::new(&stack, "Node", Runtime::nodejs_24(), Code::asset(asset("ws")))
        .tracing(Tracing::PassThrough)
        .vpc(&vpc)
        .security_groups([shared])
        .environment("B", "b")
        .environment("A", "a")
        .build();
    let version = node.current_version();
    let live = Alias::new(&stack, "Live", "live", &version)
        .provisioned_concurrent_executions(2)
        .description("what users reach")
        .build();
    let fixed = Version::new(&stack, "RustV1", &rust)
        .description("first")
        .removal_policy(RemovalPolicy::Retain)
        .build();
    Alias::new(&stack, "RustBlue", "blue", &fixed)
        .additional_version(&fixed, 0.1)
        .build();
    let rust_version = rust.current_version();
    let inline = Function::new(
        &stack,
        "Inline",
        Runtime::python_3_12(),
        Code::inline("def handler(e, c): return 1"),
    )
    .timeout(minutes(1))
    .build();
    let role = Role::new(&stack, "Caller", Principal::account_root())
        .max_session_duration(hours(2))
        .managed_policy(ManagedPolicy::aws("ReadOnlyAccess"))
        .external_id("one")
        .description("caller")
        .path("/team/")
        .role_name("caller")
        .build();
    live.grant_invoke(&role);
    rust.grant_invoke(&role);
    rust.grant_invoke(Principal::service("scheduler.amazonaws.com"));
    inline.add_permission(
        "Other",
        &Permission::new(Principal::account("111111111111"))
            .source_arn("arn:aws:s3:::x")
            .source_account("111111111111")
            .action("lambda:GetFunction"),
    );
    dead.grant_consume_messages(&inline);
    dead.grant_send_messages(Principal::service("events.amazonaws.com"));
    let stacks = Arn::new("cloudformation", "stack").name("Phase2*");
    let document = PolicyDocument::new([
        PolicyStatement::allow(["cloudformation:*"]).on(stack.format_arn(stacks).cast::<String>()),
        PolicyStatement::deny_all_but(["iam:*User*"]).on_all_but("arn:x"),
    ]);
    let github = Principal::web_identity("arn:aws:iam::1:oidc-provider/x")
        .condition("StringLike", [("x:sub", "repo:*")])
        .condition("StringEquals", [("x:aud", "sts")]);
    Role::new(&stack, "Deployer", github)
        .inline_policy("deploy", document)
        .build();
    CfnOutput::new(&stack, "Version", version.version()).build();
    CfnOutput::new(&stack, "RustVersion", rust_version.version())
        .export_name("rust-version")
        .build();
    [rust, node, inline]
}

fn api(app: &App) {
    let stack = Stack::new(app, "Api").env("123456789012", "eu-west-1").build();
    let function = Function::new(&stack, "Fn", Runtime::nodejs_24(), Code::inline("x"))
        .function_name("named")
        .build();
    let authorizer_function = Function::new(&stack, "AuthFn", Runtime::nodejs_24(), Code::inline("y")).build();
    let access = LogGroup::new(&stack, "Access").build();
    let settings = MethodSettings::new()
        .metrics(true)
        .logging_level(MethodLoggingLevel::Error)
        .data_trace(false)
        .caching(true)
        .cache_ttl(minutes(1));
    let options = StageOptions::new()
        .named("v1")
        .methods(settings)
        .tracing(true)
        .variable("color", "blue")
        .description("stage")
        .access_log(access.log_group_arn(), "$context.requestId x")
        .method("/yields/GET", MethodSettings::new().throttling(10.0, 20).caching(false));
    let rest = RestApi::new(&stack, "Api")
        .description("public")
        .endpoint_types([EndpointType::Regional])
        .binary_media_types(["image/png"])
        .min_compression_size(kib(1))
        .cloud_watch_role(false)
        .endpoint_export_name("api-url")
        .retain_deployments()
        .deploy_options(options)
        .build();
    let authorizer = TokenAuthorizer::new(&stack, "Auth", &authorizer_function)
        .header("x-api-key")
        .results_cache_ttl(minutes(0))
        .validation_regex("^Bearer .+$")
        .authorizer_name("keys")
        .build();
    let yields = rest.root().add_resource("yields");
    let guarded = MethodOptions::new()
        .authorizer(&authorizer)
        .request_parameter("method.request.querystring.chain", true);
    yields.add_method("GET", LambdaIntegration::new(&function), guarded);
    rest.root().resource_for_path("/v1/portfolio/{address}").add_method(
        "POST",
        LambdaIntegration::new(&function)
            .timeout(seconds(10))
            .allow_test_invoke(false),
        MethodOptions::new()
            .api_key_required(true)
            .operation_name("TrackPortfolio")
            .authorization_type(AuthorizationType::Iam),
    );
    let mock = MockIntegration::new()
        .request_template("application/json", r#"{"statusCode": 200}"#)
        .response(200, "application/json", r#"{"ok": true}"#);
    let answers = MethodOptions::new().response(200, Vec::<String>::new());
    rest.root().add_resource("health").add_method("GET", mock, answers);
    rest.root()
        .add_method("ANY", HttpIntegration::new("https://example.com"), MethodOptions::new());
    CfnOutput::new(&stack, "Yields", rest.url_for_path("/yields")).build();
    CfnOutput::new(&stack, "Arn", rest.arn_for_execute_api("GET", "/x", "live")).build();

    let green = RestApi::new(&stack, "Green").deploy(false).build();
    green
        .root()
        .add_method("GET", MockIntegration::new(), MethodOptions::new());
    green.root().add_method(
        "POST",
        LambdaIntegration::new(&authorizer_function),
        MethodOptions::new(),
    );
    let deployment = Deployment::new(&stack, "Release", &green)
        .description("by hand")
        .build();
    for color in ["blue", "green"] {
        stack::apigateway::Stage::new(&stack, format!("Stage-{color}"), &deployment)
            .options(StageOptions::new().named(color).variable("color", color))
            .build();
    }
    Alarm::new(&stack, "ServerErrors", rest.metric_server_error().period(minutes(1)))
        .above(10.0)
        .for_periods(5)
        .datapoints_to_alarm(3)
        .treat_missing_data(TreatMissingData::NotBreaching)
        .build();
}

fn observe(app: &App, [rust, node, inline]: &[Function; 3]) {
    let stack = Stack::new(app, "Observe").build();
    let topic = Topic::new(&stack, "Alarms")
        .display_name("alarms")
        .enforce_ssl()
        .build();
    let ratio = MathExpression::new("100 * e / i")
        .period(minutes(1))
        .label("errors %")
        .using("e", node.metric_errors())
        .using("i", node.metric_invocations());
    let math = Alarm::new(&stack, "Ratio", ratio.clone())
        .below(5.0)
        .for_periods(5)
        .datapoints_to_alarm(3)
        .alarm_name("ratio")
        .build();
    math.add_alarm_action(topic.topic_arn());
    math.add_ok_action(topic.topic_arn());
    let metric = Metric::new("N", "M")
        .dimension("Z", "z")
        .dimension("A", "a")
        .statistic("tm99");
    let labelled = Alarm::new(&stack, "Labelled", metric.label("mine").unit("Count"))
        .at_most(0.5)
        .for_periods(1)
        .build();
    let plain = Alarm::new(&stack, "Plain", inline.metric_throttles().unit("Count"))
        .at_least(1.0)
        .for_periods(2)
        .treat_missing_data(TreatMissingData::Breaching)
        .build();
    let board = Dashboard::new(&stack, "Main")
        .dashboard_name("Main")
        .default_interval(hours(3))
        .period_override("inherit")
        .build();
    board.add_widgets([TextWidget::new("# \"Overview\"\n\\ x")
        .width(24)
        .height(2)
        .solid_background()
        .into()]);
    board.add_widgets([
        AlarmStatusWidget::new([&math, &plain]).title("Alarms").width(24).into(),
        SingleValueWidget::new([rust.metric_invocations()])
            .title("Calls")
            .width(6)
            .sparkline(true)
            .full_precision(true)
            .into(),
        Spacer::new().width(3).height(4).into(),
        GraphWidget::new()
            .title("Errors")
            .left([rust.metric_errors().color("#d62728")])
            .left([ratio.clone()])
            .right([rust.metric_throttles().label("throttles")])
            .right([ratio])
            .left_y_axis(YAxis::new().min(0.0).label("errors"))
            .right_y_axis(YAxis::new().max(10.0).show_units(false))
            .width(15)
            .left_annotation(Annotation::at(5.0).label("rollback").color("#d62728"))
            .left_annotation(Annotation::of(&math))
            .right_annotation(Annotation::at(0.25).fill("above"))
            .stacked(true)
            .legend_position("right")
            .live_data(true)
            .period(minutes(1))
            .statistic("Sum")
            .region("eu-west-1")
            .view(GraphView::Bar)
            .into(),
        AlarmWidget::new(&labelled).title("Ratio").into(),
    ]);
    board.add_widgets([GraphWidget::new()
        .left([node.metric_duration().p50(), node.metric_duration().p50()])
        .left([MathExpression::new("FLOOR(1)")])
        .left([Metric::new("N", "M").account("1").region("r").visible(false)])
        .into()]);
}

fn rest(app: &App) {
    let stack = Stack::new(app, "Rest").stack_name("the-rest").build();
    let bucket = Bucket::new(&stack, "Uploads")
        .bucket_name("uploads")
        .versioned(true)
        .encryption(BucketEncryption::S3Managed)
        .block_all_public_access()
        .enforce_ssl()
        .lifecycle_rule(LifecycleRule::new().expiration(days(30)).prefix("tmp/").id("tmp"))
        .lifecycle_rule(
            LifecycleRule::new()
                .noncurrent_version_expiration(days(1))
                .abort_incomplete_uploads_after(days(2))
                .disabled(),
        )
        .build();
    let role = Role::new(&stack, "Role", Principal::service("ec2.amazonaws.com"))
        .also_assumed_by(Principal::arn("arn:aws:iam::1:root"))
        .build();
    bucket.grant_read(&role);
    bucket.grant_put(&role);
    bucket.grant_read_write(&role);
    bucket.grant_delete(&role);
    let service = Principal::service("x.amazonaws.com").condition("StringEquals", [("aws:SourceAccount", "1")]);
    bucket.grant_read(service);
    let fifo = Topic::new(&stack, "Ordered")
        .fifo()
        .topic_name("ordered")
        .content_based_deduplication(true)
        .build();
    fifo.grant_publish(Principal::account("222222222222"));
    fifo.grant_publish(&role);
    Queue::new(&stack, "Named")
        .queue_name("named.fifo")
        .delivery_delay(seconds(5))
        .receive_message_wait_time(seconds(20))
        .visibility_timeout(minutes(2))
        .max_message_size_bytes(2048)
        .encryption(QueueEncryption::SqsManaged)
        .deduplication_scope("messageGroup")
        .removal_policy(RemovalPolicy::Retain)
        .build();
    let secret = Secret::new(&stack, "Key")
        .secret_name("api/key")
        .description("API key")
        .template(&json!({ "user": "api" }), "key")
        .generate(|how| how.exclude_punctuation(true).password_length(48))
        .removal_policy(RemovalPolicy::Retain)
        .build();
    secret.grant_read(&role);
    secret.grant_write(&role);
    Secret::new(&stack, "Plain").build();
    let stored = StringParameter::value_for(&stack, "/a/b");
    StringParameter::new(&stack, "P", stored)
        .description("d")
        .allowed_pattern(".*")
        .tier("Advanced")
        .build();
    CfnOutput::new(&stack, "Again", StringParameter::value_for(&stack, "/a/b")).build();
    let stage = Stage::new(app, "Nested").stage_name("n").build();
    let nested = Stack::new(&stage, "In").termination_protection(true).build();
    Topic::new(&nested, "Default").build();
    let mut raw = Resource::new("Custom::Thing");
    let numbers = Expr::List(vec![1.into(), Expr::Float(2.5), true.into()]);
    raw.properties.insert("A", Expr::map([("B", numbers)]));
    let raw = CfnResource::raw(&stack, "Raw", raw);
    raw.override_at("Properties.A", Expr::map([("C", Expr::map([("D", 1)]))]));
    raw.override_at("Properties.E\\.F", "dotted");
    raw.delete_override_at("Properties.A.B");
    raw.apply_removal_policy(RemovalPolicy::RetainOnUpdateOrDelete);
    raw.depend_on(&bucket.resource());
}
