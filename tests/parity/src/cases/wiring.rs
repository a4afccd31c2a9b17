//! Options of endpoints, flow logs, layers, destinations, URLs, subscriptions and rules that `vpc` and `functions` do
//! not use.

use cfn::Expr;
use serde_json::json;
use stack::cloudwatch::{Alarm, AlarmRule, CompositeAlarm, Metric};
use stack::ec2::{
    Connectable, FlowLogInterval, GatewayService, InterfaceService, SecurityGroup, SubnetSelection, SubnetType, Vpc,
};
use stack::events::{EventPattern, Input, Rule, Schedule, Target};
use stack::iam::{PolicyStatement, Principal};
use stack::lambda::{
    Alias, Architecture, Code, Destination, Function, FunctionBuilder, LayerVersion, Runtime, UrlCors, Version,
};
use stack::logs::LogGroup;
use stack::sns::{SubscriptionOptions, Topic};
use stack::sqs::Queue;
use stack::units::{hours, minutes};
use stack::{App, RemovalPolicy, Stack};

pub fn build(app: &App) {
    ways(app);
    wires(app);
    gates(app);
}

fn ways(app: &App) {
    let stack = Stack::new(app, "Ways").env("123456789012", "eu-west-1").build();
    let vpc = Vpc::new(&stack, "Vpc").max_azs(1).build();
    let anybody = |action: &str| PolicyStatement::allow([action]).on_all().by(Principal::any());
    vpc.add_gateway_endpoint("S3", GatewayService::S3)
        .subnets(SubnetSelection::of_type(SubnetType::Public))
        .subnets(SubnetSelection::of_type(SubnetType::PrivateWithEgress))
        .build()
        .add_to_policy(anybody("s3:GetObject"));
    let group = SecurityGroup::new(&stack, "Group", &vpc).build();
    let queues = vpc
        .add_interface_endpoint("Sqs", InterfaceService::sqs())
        .security_groups([group])
        .open(false)
        .private_dns_enabled(false)
        .build();
    queues
        .connections()
        .allow_default_port_from(&stack::ec2::Peer::any_ipv4());
    queues.add_to_policy(anybody("sqs:*"));
    let theirs = InterfaceService::of_provider("com.amazonaws.vpce.eu-west-1.vpce-svc-0123").with_port(8443);
    vpc.add_interface_endpoint("Theirs", theirs).build();
    let kept = LogGroup::new(&stack, "Kept").build();
    vpc.public_subnets()[0]
        .add_flow_log("Flow")
        .log_group(&kept)
        .max_aggregation_interval(FlowLogInterval::OneMinute)
        .fields(["srcaddr", "action"])
        .flow_log_name("edge")
        .build();
}

fn function(stack: &Stack, id: &str) -> FunctionBuilder {
    let code = Code::asset(super::asset("alerts"));
    Function::new(stack, id, Runtime::provided_al2023(), code)
}

fn wires(app: &App) {
    let stack = Stack::new(app, "Wires").build();
    let dead = Queue::new(&stack, "Dead").build();
    let queue = Queue::new(&stack, "Queue").build();
    let topic = Topic::new(&stack, "Topic").build();
    let last = function(&stack, "Last").build();
    let code = function(&stack, "Fn")
        .on_failure(Destination::Queue(dead.clone()))
        .on_success(Destination::Function(last))
        .build();
    LayerVersion::new(&stack, "Layer", super::asset("ws"))
        .layer_version_name("shared")
        .license("MIT")
        .removal_policy(RemovalPolicy::Retain)
        .compatible_architectures([Architecture::Arm64, Architecture::X86_64])
        .build();
    let cors = UrlCors::origins(["*"])
        .headers(["x-a"])
        .exposed_headers(["x-b"])
        .allow_credentials(false)
        .max_age(hours(1));
    code.add_function_url().public().response_stream().cors(cors).build();
    let version = Version::new(&stack, "First", &code).build();
    let live = Alias::new(&stack, "Live", "live", &version).build();
    live.add_function_url().public().build();
    subscriptions(app, &topic, &queue, &dead);
    rules(&stack, &code, &topic, &queue, &dead);
}

fn subscriptions(app: &App, topic: &Topic, queue: &Queue, dead: &Queue) {
    let raw = SubscriptionOptions::new()
        .raw_message_delivery()
        .dead_letter_queue(dead);
    topic.subscribe_queue(queue, &raw);
    topic.subscribe_email("oncall@example.com", &SubscriptionOptions::new());
    let body = SubscriptionOptions::new().filter_body(json!({ "kind": ["a"] }));
    topic.subscribe_url("https://example.com/hook", &body);
    let elsewhere = Queue::new(&Stack::new(app, "Elsewhere").build(), "Queue").build();
    topic.subscribe_queue(&elsewhere, &SubscriptionOptions::new());
}

fn rules(stack: &Stack, code: &Function, topic: &Topic, queue: &Queue, dead: &Queue) {
    let failures = EventPattern::new()
        .source(["aws.rds"])
        .account(["123456789012"])
        .region(["eu-west-1"])
        .resources([queue.queue_arn()])
        .detail(json!({ "state": [{ "prefix": "fail" }] }));
    let rule = Rule::new(stack, "Rule")
        .rule_name("changes")
        .description("d")
        .enabled(false)
        .event_pattern(failures)
        .target(Target::function(code).dead_letter_queue(dead).max_event_age(hours(2)))
        .target(Target::function(code).input(Input::path("$.detail")))
        .target(Target::topic(topic).input(Input::text("it failed")))
        .build();
    let message = Expr::map([("queue", queue.queue_name().into_expr()), ("n", 1.into())]);
    rule.add_target(&Target::queue(queue).input(Input::object(message)));
    Rule::new(stack, "Minutes").schedule(Schedule::rate(minutes(5))).build();
    Rule::new(stack, "Hours")
        .schedule(Schedule::rate(minutes(60)))
        .target(Target::queue(queue))
        .build();
    Rule::new(stack, "Days").schedule(Schedule::rate(hours(48))).build();
    Rule::new(stack, "Bus")
        .event_bus("named")
        .event_pattern(EventPattern::new().detail_type(["x"]))
        .build();
}

fn gates(app: &App) {
    let stack = Stack::new(app, "Gates").build();
    let topic = Topic::new(&stack, "Topic").build();
    let [a, b, c] = ["A", "B", "C"].map(|id| {
        Alarm::new(&stack, id, Metric::new("Llama", id))
            .at_least(1.0)
            .for_periods(1)
            .build()
    });
    let rule = AlarmRule::any_of([
        AlarmRule::alarm(&a),
        AlarmRule::all_of([AlarmRule::insufficient_data(&b), AlarmRule::not(AlarmRule::ok(&c))]),
    ]);
    let gate = CompositeAlarm::new(&stack, "Gate", rule)
        .description("stops a rollout")
        .suppressed_by(&c, minutes(2), minutes(1))
        .build();
    gate.add_alarm_action(topic.topic_arn());
    gate.add_ok_action(topic.topic_arn());
    let outer = AlarmRule::all_of([AlarmRule::composite(&gate), AlarmRule::constant(true)]);
    CompositeAlarm::new(&stack, "Outer", outer)
        .alarm_name("outer")
        .actions_enabled(false)
        .build();
}
