//! State machines with each kind of state, tasks of each service, grants and metrics.

use cfn::Expr;
use serde_json::json;
use stack::cloudwatch::{Alarm, Metric};
use stack::dynamodb::{Attribute, Table};
use stack::events::{self, EventBus, Rule};
use stack::iam::{PolicyStatement, Principal, Role};
use stack::lambda::{Code, Function, Runtime};
use stack::logs::LogGroup;
use stack::scheduler::{Schedule, ScheduleExpression, Target};
use stack::sns::Topic;
use stack::sqs::Queue;
use stack::stepfunctions::{
    AttributeValue, Catch, Chainable, Choice, Condition, CustomState, DynamoDelete, DynamoGet, DynamoPut, DynamoUpdate,
    Event, Fail, Field, Input, InvocationType, Jitter, LambdaInvoke, LogLevel, Map, Parallel, Pass, PutEvents, Retry,
    SdkCall, SendMessage, SnsPublish, StartExecution, StateMachine, StateMachineType, Succeed, Task, Wait, WaitTime,
};
use stack::units::{days, hours, minutes, seconds};
use stack::{App, CfnOutput, RemovalPolicy, Stack};

pub fn build(app: &App) {
    flow(app);
    calls(app);
}

fn function(stack: &Stack, id: &str) -> Function {
    Function::new(stack, id, Runtime::nodejs_22(), Code::inline("x"))
        .handler("index.handler")
        .build()
}

fn alarm(stack: &Stack, id: &str, metric: Metric) {
    Alarm::new(stack, id, metric).at_least(1.0).for_periods(1).build();
}

fn flow(app: &App) {
    let stack = Stack::new(app, "Flow").build();
    let (code, other) = (function(&stack, "Fn"), function(&stack, "Other"));
    let fetch = fetch(&stack, &code);
    let failed = Fail::new(&stack, "Failed")
        .error("Failed")
        .cause("it did")
        .comment("the end")
        .build();
    let because = Fail::new(&stack, "Because")
        .error_path("$.error")
        .cause_path("States.Format('no {}', $.x)")
        .build();
    fetch
        .add_catch(&failed, Catch::all())
        .add_catch(&because, Catch::on(["Custom"]).result_path("$.error"));
    let wait = Wait::new(&stack, "Wait", WaitTime::duration(seconds(30)))
        .comment("a while")
        .build();
    let call = LambdaInvoke::new(&other)
        .payload_response_only()
        .retry_on_service_exceptions(false);
    let check = Task::new(&stack, "Check", call).discard_result().build();
    let choice = choice(&stack, &failed);
    let parallel = both(&stack, &code, &because);
    let each = each(&stack, &other);
    let chain = fetch
        .next(&wait)
        .next(&check)
        .next(&choice.afterwards())
        .next(&parallel)
        .next(&each);
    choice.when(Condition::is_not_null("$.retry"), &wait);
    let machine = StateMachine::new(&stack, "Machine", &chain)
        .state_machine_name("machine")
        .comment("a \"flow\"")
        .timeout(hours(1))
        .tracing(true)
        .logs(&LogGroup::new(&stack, "Logs").build())
        .log_level(LogLevel::All)
        .log_execution_data(true)
        .build();
    let caller = Role::new(&stack, "Caller", Principal::account_root()).build();
    machine.grant_start_execution(&caller);
    machine.grant_read(&caller);
    machine.grant_task_response(&caller);
    machine.grant_execution(&caller, ["states:StopExecution"]);
    machine.grant_redrive_execution(&caller);
    machine.grant(&caller, ["states:UpdateStateMachine"]);
    alarm(&stack, "Failures", machine.metric_failed());
    alarm(&stack, "Slow", machine.metric_time());
    alarm(&stack, "Throttled", machine.metric_throttled());
    alarm(&stack, "FetchFailed", fetch.metric_failed());
    CfnOutput::new(&stack, "Name", machine.state_machine_name()).build();
    let nightly = ScheduleExpression::rate(days(1));
    Schedule::new(&stack, "Nightly", nightly, Target::state_machine(&machine)).build();
    more_machines(&stack, &caller);
}

fn fetch(stack: &Stack, code: &Function) -> Task {
    let deep = Expr::map([
        ("n.$", Expr::from("$.n")),
        ("list", json!(["a", 1]).into()),
        ("fn", code.function_name().into_expr()),
    ]);
    let payload = Expr::map([("id.$", Expr::from("$.id")), ("deep", deep)]);
    let call = LambdaInvoke::new(code).payload(Input::object(payload));
    let again = Retry::on(["States.Timeout"])
        .interval(seconds(5))
        .max_attempts(2)
        .backoff_rate(1.5)
        .max_delay(minutes(1))
        .jitter(Jitter::Full);
    Task::new(stack, "Fetch", call)
        .comment("gets \"it\"")
        .result_selector(json!({ "status.$": "$.Payload.status" }))
        .result_path("$.fetched")
        .input_path("$.input")
        .output_path("$")
        .timeout(minutes(5))
        .retry(Retry::on_all())
        .retry(again)
        .build()
}

fn choice(stack: &Stack, failed: &Fail) -> Choice {
    let pass = Pass::new(stack, "Pass")
        .result(json!({ "a": 1, "b": [true, null, "c"] }))
        .result_path("$.passed")
        .state_name("Pass it on")
        .comment("constant")
        .build();
    let reshape = Pass::new(stack, "Reshape")
        .parameters(json!({ "id.$": "$.id", "kind": "x" }))
        .input_path("$.a")
        .output_path("$.b")
        .build();
    let until = Wait::new(stack, "Until", WaitTime::timestamp_path("$.when")).build();
    let done = Succeed::new(stack, "Done")
        .comment("well")
        .input_path("$.a")
        .output_path("$.b")
        .build();
    let is_done = Condition::all([
        Condition::string_equals("$.status", "done"),
        Condition::not(Condition::is_present("$.error")),
    ]);
    let gives_up = Condition::any([
        Condition::number_greater_than_equals("$.tries", 3),
        Condition::number_less_than_path("$.a", "$.b"),
        Condition::boolean_equals("$.give.up", true),
    ]);
    let choice = Choice::new(stack, "Is it done?")
        .comment("well?")
        .input_path("$")
        .output_path("$")
        .build();
    let late = Condition::timestamp_less_than_equals("$.at", "2026-01-01T00:00:00Z");
    choice
        .when_because("yes", is_done, &pass)
        .when(gives_up, &reshape)
        .when(Condition::string_matches("$.name", "llama*"), &until)
        .when(late, failed)
        .otherwise(&done);
    choice
}

fn both(stack: &Stack, code: &Function, because: &Fail) -> Parallel {
    let call = Task::new(stack, "LeftCall", LambdaInvoke::new(code)).build();
    let left = Pass::new(stack, "Left").build().next(&call);
    let right = Pass::new(stack, "Right").build();
    let parallel = Parallel::new(stack, "Both")
        .branch(&left)
        .branch(&right)
        .result_path("$.both")
        .result_selector(json!({ "first.$": "$[0]" }))
        .comment("at once")
        .parameters(json!({ "in.$": "$" }))
        .build();
    parallel
        .add_retry(Retry::on_all().max_attempts(1))
        .add_catch(because, Catch::all().result_path("$.e"));
    parallel
}

fn each(stack: &Stack, other: &Function) -> Map {
    let call = LambdaInvoke::new(other).payload(Input::path("$.item"));
    let call = Task::new(stack, "EachCall", call).build();
    let work = call.next(&Succeed::new(stack, "EachDone").build());
    Map::new(stack, "Each", &work)
        .items_path("$.items")
        .max_concurrency(5)
        .item_selector(json!({ "item.$": "$$.Map.Item.Value", "n": 1 }))
        .result_path("$.each")
        .comment("all of them")
        .build()
}

fn more_machines(stack: &Stack, caller: &Role) {
    let express = StateMachine::new(stack, "Express", &Pass::new(stack, "Only").build())
        .state_machine_type(StateMachineType::Express)
        .tracing(false)
        .removal_policy(RemovalPolicy::Retain)
        .logs(&LogGroup::new(stack, "ExpressLogs").build())
        .build();
    express.grant_start_sync_execution(caller);
    let text = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Result":"${value}","End":true}}}"#;
    let theirs = Role::from_arn(stack, "Theirs", "arn:aws:iam::123456789012:role/theirs");
    StateMachine::from_text(stack, "Text", text)
        .substitution("value", "v")
        .role(&theirs)
        .state_machine_type(StateMachineType::Standard)
        .build();
    let two = Wait::new(stack, "Two", WaitTime::seconds_path("$.s")).build();
    let one = Pass::new(stack, "One").build().next(&two);
    let single = one.to_single_state("Single").output_path("$[0]").build();
    let maybe = Choice::new(stack, "Maybe").build();
    maybe.when(Condition::is_string("$.s"), &single);
    let joined = Pass::new(stack, "Joined").build();
    let nested = maybe.afterwards_or_otherwise().next(&joined);
    StateMachine::new(stack, "Nested", &nested).build();
    rules(stack);
}

fn rules(stack: &Stack) {
    let written = json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::http:invoke",
        "Retry": [{ "ErrorEquals": ["X"], "MaxAttempts": 1 }],
        "Parameters": { "Method": "GET", "Url.$": "$.url" },
    });
    let written = CustomState::new(stack, "Written", written);
    written
        .add_retry(Retry::on(["Y"]))
        .add_catch(&Succeed::new(stack, "Never mind").build(), Catch::all());
    let custom = StateMachine::new(stack, "Custom", &written).build();
    let dead = Queue::new(stack, "Dead").build();
    for id in ["First", "Second"] {
        let target = events::Target::state_machine(&custom)
            .input(events::Input::object(json!({ "id": id })))
            .dead_letter_queue(&dead)
            .retry_attempts(2);
        Rule::new(stack, id)
            .schedule(events::Schedule::rate(hours(1)))
            .target(target)
            .build();
    }
}

fn calls(app: &App) {
    let stack = Stack::new(app, "Calls").build();
    let token = || Input::object(json!({ "token.$": "$$.Task.Token" }));
    let nothing = Succeed::new(&stack, "Nothing").build();
    let inner = StateMachine::new(&stack, "Inner", &nothing).build();
    let run = StartExecution::new(&inner)
        .name("run")
        .input(json!({ "a": 1 }))
        .associate_with_parent()
        .run_job();
    let code = function(&stack, "Fn");
    let fire_and_forget = LambdaInvoke::new(&code)
        .invocation_type(InvocationType::Event)
        .qualifier("live")
        .wait_for_task_token()
        .payload(token());
    let list = SdkCall::new("s3", "listBuckets", ["*"]).iam_action("s3:ListAllMyBuckets");
    let describe = SdkCall::new("sfn", "describeExecution", ["*"])
        .parameters(json!({ "ExecutionArn.$": "$.arn" }))
        .permission(PolicyStatement::allow(["a:b"]).on_all());
    let chain = messages(&stack)
        .chain()
        .next(&items(&stack))
        .next(&put_events(&stack))
        .next(&Task::new(&stack, "Start", run).build())
        .next(&Task::new(&stack, "Fire", StartExecution::new(&inner)).build())
        .next(&Task::new(&stack, "Async", fire_and_forget).build())
        .next(&Task::new(&stack, "List", list).build())
        .next(&Task::new(&stack, "Describe", describe).build());
    StateMachine::new(&stack, "Machine", &chain).build();
}

fn messages(stack: &Stack) -> impl Chainable {
    let queue = Queue::new(stack, "Queue").build();
    let topic = Topic::new(stack, "Topic").build();
    let body = Input::object(json!({ "token.$": "$$.Task.Token" }));
    let send = SendMessage::new(&queue, body).wait_for_task_token().delay(seconds(5));
    let send_text = SendMessage::new(&queue, "hello")
        .message_group_id(Field::path("$.g"))
        .message_deduplication_id("d");
    let publish = SnsPublish::new(&topic, Input::path("$.message"))
        .subject("s")
        .message_per_subscription_type()
        .attribute("kind", "k")
        .number_attribute("n", 3.0);
    Task::new(stack, "Send", send)
        .heartbeat(minutes(1))
        .build()
        .next(&Task::new(stack, "SendText", send_text).build())
        .next(&Task::new(stack, "Publish", publish).build())
}

fn items(stack: &Stack) -> impl Chainable {
    let table = Table::new(stack, "Table", Attribute::string("id")).build();
    let id = || ("id", AttributeValue::string(Field::path("$.id")));
    let get = DynamoGet::new(&table, [id()])
        .consistent_read()
        .project("a[1].b")
        .project("c");
    let attributes = [
        id(),
        ("n", AttributeValue::number(4.5)),
        ("at", AttributeValue::number_from_string(Field::path("$.n"))),
        ("ok", AttributeValue::boolean(true)),
        ("no", AttributeValue::null()),
        ("tags", AttributeValue::string_set(["a", "b"])),
        (
            "list",
            AttributeValue::list([AttributeValue::string("x"), AttributeValue::number_set([1.0, 2.0])]),
        ),
        ("map", AttributeValue::map([("inner", AttributeValue::string("y"))])),
        ("all", AttributeValue::map_from_path("$.all")),
    ];
    let put = DynamoPut::new(&table, attributes)
        .condition_expression("attribute_not_exists(id)")
        .return_values("ALL_OLD");
    let update = DynamoUpdate::new(&table, [id()])
        .update_expression("SET #n = :n")
        .expression_attribute_name("#n", "n")
        .expression_attribute_value(":n", AttributeValue::number(1.0))
        .return_consumed_capacity("TOTAL")
        .return_item_collection_metrics("SIZE");
    Task::new(stack, "Get", get)
        .result_path("$.got")
        .build()
        .next(&Task::new(stack, "PutItem", put).build())
        .next(&Task::new(stack, "Update", update).build())
        .next(&Task::new(stack, "Delete", DynamoDelete::new(&table, [id()])).build())
}

fn put_events(stack: &Stack) -> Task {
    let bus = EventBus::new(stack, "Bus").build();
    let ours = Event::new("llama", "t", json!({ "id.$": "$.id" })).bus(&bus);
    let put = PutEvents::new([ours, Event::new("llama", "u", "x")]);
    Task::new(stack, "Put", put).build()
}
