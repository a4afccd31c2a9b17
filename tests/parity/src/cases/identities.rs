//! Users, groups, managed policies, providers of identities; filters of logs; buses of events.

use serde_json::json;
use stack::events::{
    ApiDestination, Authorization, Connection, EventBus, EventField, EventPattern, HttpParameter, Input, Match, Rule,
    Target,
};
use stack::iam::{
    AccessKey, CustomerManagedPolicy, Group, InstanceProfile, ManagedPolicy, OidcProvider, Policy, PolicyStatement,
    Principal, Role, SamlProvider, User,
};
use stack::lambda::{Code, Function, Runtime};
use stack::logs::{FilterPattern, LogGroup, MetricFilter, QueryDefinition, QueryString, SubscriptionFilter};
use stack::sqs::Queue;
use stack::units::days;
use stack::{App, CfnOutput, RemovalPolicy, Stack};

pub fn build(app: &App) {
    people(app);
    journals(app);
    buses(app);
}

fn people(app: &App) {
    let stack = Stack::new(app, "People").build();
    let queue = Queue::new(&stack, "Queue").build();
    let allow = |action: &str| PolicyStatement::allow([action]).on_all();
    let readers = Group::new(&stack, "Readers")
        .group_name("readers")
        .path("/teams/")
        .managed_policy(ManagedPolicy::aws("ReadOnlyAccess"))
        .build();
    let writers = Group::new(&stack, "Writers").build();
    writers.add_to_policy(allow("s3:PutObject"));
    let plain = User::new(&stack, "Plain").build();
    let ada = User::new(&stack, "Ada")
        .user_name("ada")
        .path("/people/")
        .group(&readers)
        .build();
    ada.add_to_group(&writers);
    ada.add_managed_policy(ManagedPolicy::aws("job-function/ViewOnlyAccess"));
    queue.grant_send_messages(&ada);
    queue.grant_consume_messages(&writers);
    let key = AccessKey::new(&stack, "Key", &plain).serial(2).active(false).build();
    CfnOutput::new(&stack, "KeyId", key.access_key_id()).build();
    let role = Role::new(&stack, "Role", Principal::service("ec2.amazonaws.com")).build();
    let boundary = CustomerManagedPolicy::new(&stack, "Boundary")
        .managed_policy_name("boundary")
        .description("What nobody may leave")
        .path("/limits/")
        .statement(allow("*"))
        .statement(PolicyStatement::deny(["iam:*"]).on_all())
        .build();
    let shared = CustomerManagedPolicy::new(&stack, "Shared")
        .attach_to(&role)
        .attach_to(&ada)
        .attach_to(&writers)
        .build();
    shared.add(allow("sqs:ListQueues"));
    Role::new(&stack, "Bounded", Principal::account_root())
        .permissions_boundary(&boundary)
        .managed_policy(&shared)
        .build();
    User::new(&stack, "BoundedUser").permissions_boundary(&boundary).build();
    InstanceProfile::new(&stack, "Profile")
        .role(&role)
        .instance_profile_name("workers")
        .path("/workers/")
        .build();
    InstanceProfile::new(&stack, "OwnProfile").build();
    let github = OidcProvider::new(&stack, "GitHub", "https://token.actions.githubusercontent.com")
        .client_ids(["sts.amazonaws.com"])
        .thumbprints(["6938fd4d98bab03faadb97b34396831e3780aea1"])
        .build();
    let from_repository = github
        .principal()
        .condition(
            "StringEquals",
            [("token.actions.githubusercontent.com:aud", "sts.amazonaws.com")],
        )
        .condition(
            "StringLike",
            [("token.actions.githubusercontent.com:sub", "repo:org/repo:*")],
        );
    Role::new(&stack, "Deployer", from_repository).build();
    let sso = SamlProvider::named(&stack, "Saml", "sso", "<EntityDescriptor/>");
    Role::new(&stack, "Sso", sso.console_principal()).build();
    Role::new(&stack, "Org", Principal::organization("o-1234567890")).build();
    Role::new(
        &stack,
        "Session",
        Principal::account("210987654321").with_session_tags(),
    )
    .build();
    let purge = ["sqs:PurgeQueue", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"];
    let theirs = Role::from_arn(&stack, "Theirs", "arn:aws:iam::123456789012:role/path/theirs");
    queue.grant(&theirs, purge);
    let fixed = Role::from_immutable_arn(&stack, "Fixed", "arn:aws:iam::123456789012:role/fixed");
    queue.grant(&fixed, purge);
    let policy = Policy::named(&stack, "Named", "named");
    policy.add(allow("sts:GetCallerIdentity"));
    policy.attach_to(&role);
    policy.attach_to(&plain);
    policy.attach_to(&readers);
    role.grant_assume_role(&ada);
    let passer = Role::new(&stack, "Passer", Principal::service("ecs-tasks.amazonaws.com")).build();
    role.grant_pass_role(&passer);
}

fn journals(app: &App) {
    let stack = Stack::new(app, "Journals").build();
    let group = LogGroup::new(&stack, "Group")
        .log_group_name("/app")
        .retention(days(7))
        .removal_policy(RemovalPolicy::Destroy)
        .log_group_class("INFREQUENT_ACCESS")
        .build();
    let function = function(&stack);
    group.add_stream(&stack, "Stream", Some("first"));
    let errors = FilterPattern::any_term(["ERROR", "FATAL"]);
    MetricFilter::new(&stack, "Errors", &group, errors, "App", "Errors").build();
    MetricFilter::new(
        &stack,
        "Latency",
        &group,
        FilterPattern::exists("$.latency"),
        "App",
        "Latency",
    )
    .filter_name("latency")
    .metric_value("$.latency")
    .dimension("Route", "$.route")
    .unit("Milliseconds")
    .build();
    MetricFilter::new(&group, "Zero", &group, FilterPattern::all_events(), "App", "All")
        .default_value(0.0)
        .build();
    SubscriptionFilter::new(&stack, "Forward", &group, FilterPattern::literal("[w1, w2=ERROR]"))
        .filter_name("forward")
        .to_function(&function);
    let slow = QueryString::new()
        .fields(["@timestamp", "@message"])
        .filter("@duration > 500")
        .filter("route like /v1/")
        .sort("@timestamp desc")
        .limit(20);
    QueryDefinition::new(&stack, "Slow", "slow", &slow, [&group]);
    group.grant_write(Principal::service("es.amazonaws.com"));
    group.grant_read(&function);
    LogGroup::new(&stack, "Forever").keep_forever().build();
}

fn buses(app: &App) {
    let stack = Stack::new(app, "Buses").build();
    let dead = Queue::new(&stack, "Dead").build();
    let bus = EventBus::new(&stack, "Bus")
        .event_bus_name("orders")
        .description("Orders")
        .dead_letter_queue(&dead)
        .build();
    let plain = EventBus::new(&stack, "PlainBus").build();
    bus.archive("Archive", EventPattern::new().source(["shop"]))
        .archive_name("orders")
        .description("A month")
        .retention(days(30))
        .build();
    let function = function(&stack);
    bus.grant_put_events(&function);
    let detail = json!({
        "total": Match::greater_than(100),
        "kind": Match::prefix("eu-"),
        "gone": Match::does_not_exist(),
        "not": Match::anything_but(["a", "b"]),
    });
    let rule = Rule::new(&stack, "Placed")
        .event_bus(bus.event_bus_name())
        .event_pattern(
            EventPattern::new()
                .source(["shop"])
                .detail_type(["placed"])
                .detail(detail),
        )
        .build();
    rule.add_target(&Target::event_bus(&plain));
    let order = json!({ "id": EventField::path("$.detail.id").to_string(), "at": EventField::time().to_string() });
    rule.add_target(&Target::function(&function).input(Input::object(order)));
    let authorization = Authorization::api_key("x-api-key", "{{resolve:secretsmanager:partner:SecretString:::}}");
    let connection = Connection::new(&stack, "Connection", authorization)
        .description("Partner")
        .header("x-from", HttpParameter::text("us"))
        .build();
    let destination = ApiDestination::new(&stack, "Destination", &connection, "https://example.com/hook")
        .rate_limit_per_second(10)
        .build();
    rule.add_target(
        &Target::api_destination(&destination)
            .header("x-kind", "order")
            .dead_letter_queue(&dead),
    );
    let partner = PolicyStatement::allow(["events:PutEvents"])
        .sid("Partner")
        .by(Principal::account("210987654321"))
        .on(bus.event_bus_arn());
    bus.add_to_resource_policy(partner);
}

fn function(stack: &Stack) -> Function {
    let code = Code::asset(super::asset("alerts"));
    Function::new(stack, "Fn", Runtime::provided_al2023(), code).build()
}
