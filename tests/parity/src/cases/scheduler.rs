//! Schedules in all their options, and the buses and tables of times that they share with rules.

use cfn::Expr;
use serde_json::json;
use stack::cloudwatch::{Alarm, Metric};
use stack::events::{Cron, EventBus, Rule};
use stack::iam::{PolicyStatement, Principal, Role};
use stack::kms::Key;
use stack::lambda::{Alias, Code, Function, Runtime};
use stack::scheduler::{
    ContextAttribute, Moment, Schedule, ScheduleExpression, ScheduleGroup, Target, TimeWindow, metric_all,
};
use stack::sns::Topic;
use stack::sqs::Queue;
use stack::units::{days, hours, minutes};
use stack::{App, CfnOutput, RemovalPolicy, Scope, Stack, events};

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef";

pub fn build(app: &App) {
    let stack = Stack::new(app, "Schedules").build();
    let function = function(&stack);
    let dead = Queue::new(&stack, "Dead").build();
    let queue = Queue::new(&stack, "Queue").build();
    let bus = EventBus::new(&stack, "Bus")
        .description("ours")
        .dead_letter_queue(&dead)
        .build();
    let named = EventBus::new(&stack, "Named").event_bus_name("named").build();
    functions(&stack, &function, &dead, &queue);
    messages(&stack, &queue);
    let detail = Expr::map([
        ("at", Expr::from(ContextAttribute::ScheduledTime.as_str())),
        ("bus", named.event_bus_name().into_expr()),
    ]);
    let event = Target::event(&bus, "llama", "tick", detail);
    Schedule::new(&stack, "Put", ScheduleExpression::rate(hours(1)), event).build();
    calls(&stack);
    Rule::new(&stack, "Rule")
        .schedule(events::Schedule::cron(&Cron::new().minute("0/15").hour("8-18")))
        .build();
    named.grant_put_events(&function);
    pinned(app);
}

fn function(scope: &impl Scope) -> Function {
    Function::new(scope, "Fn", Runtime::nodejs_22(), Code::inline("x"))
        .handler("index.handler")
        .build()
}

fn alarm(stack: &Stack, id: &str, metric: Metric) {
    Alarm::new(stack, id, metric).at_least(1.0).for_periods(1).build();
}

fn functions(stack: &Stack, function: &Function, dead: &Queue, queue: &Queue) {
    let group = ScheduleGroup::new(stack, "Group").build();
    let other = ScheduleGroup::new(stack, "Other")
        .schedule_group_name("other")
        .removal_policy(RemovalPolicy::Destroy)
        .build();
    group.grant_read_schedules(function);
    group.grant_write_schedules(function);
    group.grant_delete_schedules(function);
    other.grant(function, ["scheduler:GetScheduleGroup"]);
    alarm(stack, "Dropped", group.metric_dropped());
    alarm(stack, "Lost", other.metric_failed_to_be_sent_to_dead_letter_queue());
    alarm(stack, "Errors", metric_all("TargetErrorCount"));

    let input = Expr::map([
        ("id", Expr::from(ContextAttribute::ExecutionId.as_str())),
        ("queue", queue.queue_arn().into_expr()),
        ("n", 1.into()),
    ]);
    let target = Target::function(function)
        .dead_letter_queue(dead)
        .max_event_age(hours(2))
        .retry_attempts(3)
        .input_object(input);
    let first = Schedule::new(stack, "Rate", ScheduleExpression::rate(minutes(5)), target)
        .description("every five minutes")
        .schedule_name("rate")
        .group(&group)
        .time_window(TimeWindow::Flexible(minutes(15)))
        .encryption_key(&Key::from_arn(stack, "Key", KEY))
        .build();
    let mornings = Cron::new().minute("0").hour("9").week_day("MON-FRI");
    let mornings = ScheduleExpression::cron(&mornings).time_zone("Europe/Rome");
    Schedule::new(stack, "Cron", mornings, Target::function(function).input_text("hello"))
        .enabled(false)
        .group(&other)
        .start(Moment::on(2026, 12, 1))
        .end(Moment::on(2027, 1, 1).at(12, 30, 15))
        .build();
    let daily = ScheduleExpression::rate(days(1));
    Schedule::new(stack, "Same", daily, Target::function(function))
        .group(&other)
        .build();
    CfnOutput::new(stack, "Arn", first.schedule_arn()).build();
    CfnOutput::new(stack, "Name", first.schedule_name()).build();
}

fn messages(stack: &Stack, queue: &Queue) {
    let fifo = Queue::new(stack, "Fifo")
        .fifo(true)
        .content_based_deduplication(true)
        .build();
    let topic = Topic::new(stack, "Topic").build();
    let eve = ScheduleExpression::at(Moment::on(2026, 12, 24).at(18, 0, 0)).time_zone("America/New_York");
    Schedule::new(stack, "At", eve, Target::queue(queue).retry_attempts(0))
        .encryption_key(&Key::new(stack, "Own").build())
        .build();
    let nights = ScheduleExpression::expression("cron(0 2 * * ? *)");
    Schedule::new(stack, "Fifos", nights, Target::fifo_queue(&fifo, "g")).build();
    let hourly = ScheduleExpression::rate(hours(1));
    let published = Target::topic(&topic).dead_letter_queue(queue);
    Schedule::new(stack, "Published", hourly, published).build();
}

fn calls(stack: &Stack) {
    let evenings = ScheduleExpression::cron(&Cron::new().minute("0").hour("20"));
    let stop = Target::sdk_call("rds", "stopDBInstance").input_object(json!({ "DbInstanceIdentifier": "x" }));
    Schedule::new(stack, "Stop", evenings, stop).build();
    let role = Role::new(stack, "Role", Principal::service("scheduler.amazonaws.com")).build();
    let last = Cron::new().minute("0").day("L").month("JAN").year("2027");
    let start = Target::sdk_call("sfn", "startExecution")
        .role(&role)
        .permission(PolicyStatement::allow(["states:StartExecution"]).on("arn"));
    Schedule::new(stack, "Start", ScheduleExpression::cron(&last), start).build();
}

fn pinned(app: &App) {
    let stack = Stack::new(app, "PinnedSchedules")
        .env("123456789012", "eu-west-1")
        .build();
    let function = function(&stack);
    let version = function.current_version();
    let id = "A-group-with-a-name-that-is-far-too-long-for-what-the-scheduler-takes";
    let group = ScheduleGroup::new(&stack, id).build();
    let each_minute = || ScheduleExpression::rate(minutes(1));
    Schedule::new(&stack, "Rate", each_minute(), Target::function(&version))
        .group(&group)
        .build();
    let live = Alias::new(&stack, "Live", "live", &version).build();
    Schedule::new(&stack, "Far", each_minute(), Target::function(&live)).build();
}
