//! Dashboards with every widget and variable, alarms and their actions, queues and topics in the options that other cases
//! leave out.

use cfn::Value;
use serde_json::json;
use stack::cloudwatch::{
    Alarm, AlarmAction, AlarmRule, AlarmSort, AlarmState, AlarmStatusWidget, AlarmWidget, Annotation, CompositeAlarm,
    CustomWidget, Dashboard, DashboardVariable, GaugeWidget, GraphView, GraphWidget, LogQueryLanguage, LogQueryView,
    LogQueryWidget, MathExpression, Metric, OpsItemCategory, OpsItemSeverity, SingleValueWidget, Spacer, TableLayout,
    TableSummary, TableThreshold, TableWidget, TextWidget, TreatMissingData, VariableInput, VariableValues,
    VerticalAnnotation, Widget, YAxis,
};
use stack::iam::{Principal, Role};
use stack::lambda::{Code, Function, Runtime};
use stack::logs::LogGroup;
use stack::sns::{DeliveryLogging, DeliveryProtocol, SubscriptionOptions, Topic};
use stack::sqs::{Queue, QueueEncryption, RedriveAllowPolicy};
use stack::units::{hours, minutes};
use stack::{App, CfnOutput, Stack};

const RED: &str = "#d62728";
const ORANGE: &str = "#ff7f0e";
const GREEN: &str = "#2ca02c";
const PURPLE: &str = "#9467bd";
const DEPLOYED: &str = "2026-11-22T20:00:00Z";

pub fn build(app: &App) {
    boards(app);
    alarms(app);
    messages(app);
}

fn metric(name: &str) -> Metric {
    Metric::new("Llama", name)
}

fn function(stack: &Stack) -> Function {
    Function::new(stack, "Fn", Runtime::nodejs_24(), Code::inline("x"))
        .handler("index.handler")
        .build()
}

/// What all widgets about metrics can say of the time that they show.
macro_rules! in_range {
    ($widget:expr) => {
        $widget
            .set_period_to_time_range(true)
            .period(minutes(1))
            .start("-PT6H")
            .end(DEPLOYED)
            .account("222222222222")
            .region("eu-central-1")
            .live_data(false)
    };
}

fn boards(app: &App) {
    let stack = Stack::new(app, "Boards").build();
    let handler = function(&stack);
    let group = LogGroup::new(&stack, "Logs").build();
    let alarm = Alarm::new(&stack, "Alarm", metric("Errors")).at_least(1.0).build();
    let gate = CompositeAlarm::new(&stack, "Gate", AlarmRule::alarm(&alarm)).build();
    let regions = VariableValues::labelled([("Ireland", "eu-west-1"), ("Frankfurt", "eu-central-1")]);
    let functions = VariableValues::of_metric("AWS/Lambda", "Errors", ["FunctionName"], "FunctionName");
    let depths = VariableValues::plain(["d1", "d2"]);
    let board = Dashboard::new(&stack, "Board")
        .start("-P7D")
        .end("-P1D")
        .period_override("auto")
        .variable(
            DashboardVariable::property("region", "region", VariableInput::Radio(regions))
                .label("Region")
                .default_value("eu-west-1")
                .visible(true),
        )
        .variable(DashboardVariable::property("fn", "FunctionName", VariableInput::Select(functions)).default_first())
        .variable(DashboardVariable::pattern("depth", "d1", VariableInput::Select(depths)))
        .build();
    board.add_variable(DashboardVariable::pattern("name", "llama", VariableInput::Text));
    board.add_widgets(numbers());
    board.add_widgets(queries(&group));
    let low = TextWidget::new("three").width(3).height(5);
    let row = [
        TextWidget::new("two").width(3).into(),
        Spacer::new().width(2).into(),
        low.into(),
    ];
    let drawn = CustomWidget::new(&handler)
        .title("Drawn")
        .parameters(json!({ "depth": 2, "nested": { "a": "b" } }))
        .update_on_resize(false);
    let column = Widget::column([TextWidget::new("one").into(), Widget::row(row)]);
    board.add_widgets([column, drawn.into()]);
    let states = AlarmStatusWidget::new([&alarm])
        .composite(&gate)
        .states([AlarmState::Alarm, AlarmState::InsufficientData])
        .sort_by(AlarmSort::StateUpdatedTimestamp);
    board.add_widgets([states.into()]);
    board.add_widgets(graphs(&alarm));
}

fn numbers() -> [Widget; 4] {
    let load = GaugeWidget::new([metric("Load")])
        .title("Load")
        .annotation(Annotation::at(80.0).label("hot").color(RED))
        .left_y_axis(YAxis::new().max(200.0).label("load"))
        .legend_position("hidden")
        .statistic("Maximum");
    let table = TableWidget::new([metric("A"), metric("B").label("b")])
        .title("Numbers")
        .layout(TableLayout::Vertical)
        .summary([TableSummary::Average, TableSummary::Sum])
        .hide_non_summary_columns()
        .sticky_summary()
        .threshold(TableThreshold::above(100.0, RED))
        .threshold(TableThreshold::between(10.0, 100.0, ORANGE))
        .threshold(TableThreshold::below(10.0, GREEN))
        .show_units_in_label()
        .full_precision(true)
        .statistic("p90")
        .width(12);
    [
        in_range!(load).into(),
        GaugeWidget::new([metric("Idle")]).into(),
        in_range!(table).into(),
        TableWidget::new([metric("A")]).into(),
    ]
}

fn queries(group: &LogGroup) -> [Widget; 4] {
    let groups: [Value<String>; 2] = [group.log_group_name().cast(), Value::from_expr("other".into())];
    let lines = ["fields @message", "filter level = \"ERROR\"", "limit 20"];
    let failures = LogQueryWidget::of_lines(groups, lines)
        .title("Failures")
        .width(12)
        .region("eu-west-1")
        .account("222222222222");
    let query = |query: &str, view| LogQueryWidget::new(["one"], query).view(view);
    let hourly = query("stats count() by bin(1h)", LogQueryView::StackedArea);
    [
        failures.into(),
        hourly.query_language(LogQueryLanguage::LogsInsights).into(),
        query("stats count()", LogQueryView::Line).into(),
        query("stats count()", LogQueryView::Pie).into(),
    ]
}

fn graphs(alarm: &Alarm) -> [Widget; 4] {
    let watched = AlarmWidget::new(alarm)
        .left_y_axis(YAxis::new().min(1.0))
        .region("eu-west-1")
        .account("222222222222");
    let deployed = VerticalAnnotation::at(DEPLOYED)
        .label("deploy")
        .color(PURPLE)
        .fill("after")
        .visible(true);
    let series = GraphWidget::new().left([metric("A")]).vertical_annotation(deployed);
    let pie = GraphWidget::new()
        .left([metric("A")])
        .view(GraphView::Pie)
        .display_labels_on_chart()
        .left_annotation(Annotation::at(3.0).visible(false))
        .vertical_annotation(VerticalAnnotation::at(DEPLOYED));
    [
        watched.into(),
        in_range!(SingleValueWidget::new([metric("A")])).into(),
        in_range!(series).into(),
        pie.into(),
    ]
}

fn alarms(app: &App) {
    let stack = Stack::new(app, "Alarms").build();
    let handler = function(&stack);
    let slow = Alarm::new(&stack, "Slow", metric("Latency").p99())
        .at_least(1.5)
        .for_periods(3)
        .evaluate_low_sample_count_percentile("ignore")
        .treat_missing_data(TreatMissingData::Ignore)
        .build();
    slow.add_alarm_function(&handler);
    let item = AlarmAction::ops_item(&stack, OpsItemSeverity::High, Some(OpsItemCategory::Performance));
    slow.add_insufficient_data_action(item);
    slow.add_ok_action(AlarmAction::ops_item(&stack, OpsItemSeverity::Low, None));
    slow.add_alarm_action(AlarmAction::incident(&stack, "respond"));
    let check = Metric::new("AWS/EC2", "StatusCheckFailed").dimension("InstanceId", "i-0");
    Alarm::new(&stack, "Instance", check)
        .at_least(1.0)
        .build()
        .add_alarm_action(AlarmAction::reboot_instance(&stack));
    Alarm::new(&stack, "Odd", metric("Requests").sum().period(minutes(1)))
        .outside_band(3.0)
        .for_periods(2)
        .build();
    Alarm::new(&stack, "High", metric("Requests"))
        .above_band(2.0)
        .description("too many")
        .build();
    let doubled = MathExpression::new("c * 2").using("c", metric("C")).period(minutes(1));
    let sum = MathExpression::new("a + b").using("a", metric("A")).using("b", doubled);
    Alarm::new(&stack, "Nested", sum).at_least(1.0).build();
}

fn messages(app: &App) {
    let stack = Stack::new(app, "Messages").build();
    let role = Role::new(&stack, "Role", Principal::service("ec2.amazonaws.com")).build();
    let source = Queue::new(&stack, "Source").build();
    let dead = Queue::new(&stack, "Dead")
        .redrive_allow_policy(&RedriveAllowPolicy::ByQueue(vec![source.clone()]))
        .build();
    Queue::new(&stack, "Open")
        .redrive_allow_policy(&RedriveAllowPolicy::AllowAll)
        .build();
    Queue::new(&stack, "Shut")
        .redrive_allow_policy(&RedriveAllowPolicy::DenyAll)
        .encryption(QueueEncryption::KmsManaged)
        .data_key_reuse(hours(1))
        .build();
    Queue::new(&stack, "Fast")
        .fifo(true)
        .fifo_throughput_limit("perMessageGroupId")
        .deduplication_scope("messageGroup")
        .content_based_deduplication(true)
        .build();
    dead.grant_purge(&role);
    let theirs = Queue::from_arn(&stack, "Theirs", "arn:aws:sqs:eu-west-1:123456789012:theirs");
    theirs.grant_send_messages(&role);
    theirs.grant_consume_messages(&role);
    CfnOutput::new(&stack, "TheirUrl", theirs.queue_url()).build();
    CfnOutput::new(&stack, "TheirName", theirs.queue_name()).build();
    let alarm = |id: &str, metric: Metric| Alarm::new(&stack, id, metric).at_least(1.0).build();
    alarm("Sent", source.metric_number_of_messages_sent());
    alarm("Size", source.metric_sent_message_size());
    let feedback = Role::new(&stack, "Feedback", Principal::service("sns.amazonaws.com")).build();
    let topic = Topic::new(&stack, "Topic")
        .signature_version("2")
        .tracing("Active")
        .delivery_logging(
            DeliveryLogging::of(DeliveryProtocol::Sqs)
                .failure_feedback_role(&feedback)
                .success_feedback_role(&feedback)
                .success_feedback_sample_percent(50),
        )
        .build();
    topic.add_delivery_logging(&DeliveryLogging::of(DeliveryProtocol::Http).failure_feedback_role(&feedback));
    Topic::new(&stack, "Ordered")
        .fifo()
        .topic_name("ordered")
        .message_retention_days(7)
        .fifo_throughput_scope("MessageGroup")
        .build();
    let plain = SubscriptionOptions::new();
    topic.subscribe_sms("+15551234567", &plain);
    let numbers = json!({ "kind": [{ "numeric": [">=", 1, "<=", 5] }] });
    topic.subscribe_email_json("json@example.com", &plain.clone().filter_attributes(numbers));
    let raw = plain.raw_message_delivery().dead_letter_queue(&dead);
    topic.subscribe_url("https://example.com/x", &raw);
    topic.grant_subscribe(&role);
    let theirs = Topic::from_arn(&stack, "TheirTopic", "arn:aws:sns:eu-west-1:123456789012:theirs");
    theirs.grant_publish(&role);
    alarm("Failed", topic.metric_number_of_notifications_failed());
    alarm("Published", theirs.metric_number_of_messages_published());
}
