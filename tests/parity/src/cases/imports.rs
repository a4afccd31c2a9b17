//! Resources that exist already, taken over by their ARN, name or id.

use stack::ec2::{
    Connectable, GatewayService, Peer, Port, SecurityGroup, SubnetSelection, SubnetType, Vpc, VpcAttributes,
};
use stack::events::{Rule, Schedule, Target};
use stack::iam::Role;
use stack::lambda::{Code, Function, FunctionBuilder, Runtime};
use stack::logs::{FilterPattern, LogGroup, MetricFilter};
use stack::rds::{DatabaseInstance, postgres};
use stack::sns::{SubscriptionOptions, Topic};
use stack::sqs::Queue;
use stack::units::hours;
use stack::{App, CfnOutput, Stack};

pub fn build(app: &App) {
    let stack = Stack::new(app, "Taken").env("123456789012", "eu-west-1").build();
    messages(&stack);
    network(&stack);
}

fn function(stack: &Stack, id: &str) -> FunctionBuilder {
    Function::new(
        stack,
        id,
        Runtime::provided_al2023(),
        Code::asset(super::asset("alerts")),
    )
}

fn messages(stack: &Stack) {
    let queue = Queue::from_arn(stack, "Queue", "arn:aws:sqs:eu-west-1:123456789012:jobs");
    let abroad = Queue::from_arn(stack, "Abroad", "arn:aws:sqs:us-east-1:210987654321:theirs");
    let topic = Topic::from_arn(stack, "Topic", "arn:aws:sns:eu-west-1:123456789012:news");
    let group = LogGroup::from_name(stack, "Logs", "/app");
    let role = Role::from_arn(stack, "Role", "arn:aws:iam::123456789012:role/worker");
    let foreign = Role::from_arn(stack, "Foreign", "arn:aws:iam::210987654321:role/worker");
    let function = function(stack, "Fn").build();
    queue.grant_send_messages(&function);
    queue.grant_consume_messages(&role);
    topic.grant_publish(&function);
    topic.grant_publish(&foreign);
    group.grant_write(&function);
    let inbox = Queue::new(stack, "Inbox").build();
    topic.subscribe_queue(&inbox, &SubscriptionOptions::new());
    topic.subscribe_function(&function, &SubscriptionOptions::new());
    let rule = Rule::new(stack, "Rule").schedule(Schedule::rate(hours(1))).build();
    rule.add_target(&Target::queue(&queue));
    rule.add_target(&Target::topic(&topic));
    let errors = FilterPattern::any_term(["ERROR"]);
    MetricFilter::new(stack, "Errors", &group, errors, "App", "Errors").build();
    let values = [
        queue.queue_url().into_expr(),
        queue.queue_name().into_expr(),
        abroad.queue_url().into_expr(),
        topic.topic_name().into_expr(),
        group.log_group_arn().into_expr(),
    ];
    let spaced = values.into_iter().flat_map(|value| [" ".into(), value]).skip(1);
    CfnOutput::new(stack, "Values", cfn::Expr::concat(spaced).cast::<String>()).build();
}

fn network(stack: &Stack) {
    let attributes = VpcAttributes::new("vpc-1", ["eu-west-1a", "eu-west-1b"])
        .cidr_block("10.1.0.0/16")
        .subnets(SubnetType::Public, ["subnet-p1", "subnet-p2"])
        .routed_subnets(
            SubnetType::PrivateWithEgress,
            [("subnet-1", "rtb-1"), ("subnet-2", "rtb-2")],
        );
    let vpc = Vpc::from_attributes(stack, "Vpc", attributes);
    let theirs = SecurityGroup::from_id(stack, "Theirs", "sg-1");
    let fixed = SecurityGroup::from_immutable_id(stack, "Fixed", "sg-2");
    let inside = function(stack, "Inside").vpc(&vpc).build();
    let first_zone = SubnetSelection::of_type(SubnetType::PrivateWithEgress).availability_zones(["eu-west-1a"]);
    let shared = function(stack, "Shared")
        .vpc_subnets(&vpc, first_zone)
        .security_groups([theirs.clone(), fixed.clone()])
        .build();
    let group = SecurityGroup::new(stack, "Group", &vpc).build();
    group.add_ingress_rule(&Peer::ipv4("10.1.0.0/16"), &Port::tcp(443), None);
    group.connections().allow_from(&inside, &Port::tcp(5432));
    theirs
        .connections()
        .allow_from_described(&inside, &Port::tcp(80), Some("from inside"));
    fixed.add_ingress_rule_from(&group, &Port::tcp(80), None);
    theirs.add_egress_rule(&Peer::any_ipv4(), &Port::tcp(443), None);
    shared.connections().allow_to(&group, &Port::tcp(9000));
    vpc.add_gateway_endpoint("S3", GatewayService::S3).build();
    let database = DatabaseInstance::new(stack, "Database", postgres("15.17"), &vpc).build();
    database.connections().allow_default_port_from(&inside);
}
