//! The runbook's side of the platform: WebSocket API, DynamoDB with streams, SQS with a dead-letter queue, SNS alerts,
//! the alarms and rates that gate a rollout, and the five dashboards it names.

use stack::apigatewayv2::{WebSocketApi, WebSocketIntegration, WebSocketStage};
use stack::cloudwatch::{
    Alarm, AlarmRule, AlarmStatusWidget, AlarmWidget, Annotation, CompositeAlarm, Dashboard, GraphView, GraphWidget,
    MathExpression, Metric, Series, SingleValueWidget, TextWidget, TreatMissingData, YAxis,
};
use stack::dynamodb::{
    Attribute, Capacity, GlobalSecondaryIndex, Operation, Projection, StreamView, Table, TableEncryption,
};
use stack::lambda::{
    Architecture, Code, Function, Runtime, SqsEventSource, StartingPosition, StreamEventSource, Tracing,
};
use stack::logs::LogGroup;
use stack::sns::{SubscriptionOptions, Topic};
use stack::sqs::{Queue, QueueEncryption};
use stack::units::{days, hours, mib, minutes, seconds};
use stack::{App, CfnOutput, RemovalPolicy, Stack};

const RED: &str = "#d62728";

pub fn build(app: &App) {
    let stack = Stack::new(app, "RealtimeStack")
        .description("Real-time delivery")
        .tag("service", "realtime")
        .build();
    let by_user = GlobalSecondaryIndex::new("byUser", Attribute::string("userId"))
        .sort_key(Attribute::number("connectedAt"))
        .projection(Projection::KeysOnly);
    let connections = Table::new(&stack, "Connections", Attribute::string("connectionId"))
        .capacity(Capacity::on_demand())
        .time_to_live_attribute("expiresAt")
        .stream(StreamView::NewAndOldImages)
        .point_in_time_recovery(true)
        .encryption(TableEncryption::AwsManaged)
        .global_secondary_index(by_user)
        .build();
    let dlq = Queue::new(&stack, "EventsDlq").retention_period(days(14)).build();
    let events = Queue::new(&stack, "Events")
        .visibility_timeout(seconds(180))
        .enforce_ssl()
        .encryption(QueueEncryption::SqsManaged)
        .dead_letter_queue(&dlq, 5)
        .build();
    let (handler, deliver) = functions(&stack, &connections, &events);
    let connect = WebSocketIntegration::lambda("ConnectIntegration", &handler);
    let disconnect = WebSocketIntegration::lambda("DisconnectIntegration", &handler);
    let default = WebSocketIntegration::lambda("DefaultIntegration", &handler);
    let api = WebSocketApi::new(&stack, "WsApi")
        .connect_route(connect)
        .disconnect_route(disconnect)
        .default_route(default)
        .build();
    let stage = WebSocketStage::new(&stack, "WsStage", &api, "prod")
        .auto_deploy(true)
        .build();
    stage.grant_management_api_access(&deliver);
    let watched = Watched {
        stack,
        connections,
        dlq,
        events,
        handler,
        stage,
    };
    let alarms = watched.alarms();
    watched.main_board(&alarms);
    watched.other_boards(&alarms);
    CfnOutput::new(&watched.stack, "WsUrl", watched.stage.url())
        .export_name("realtime-ws-url")
        .build();
}

fn functions(stack: &Stack, connections: &Table, events: &Queue) -> (Function, Function) {
    let logs = LogGroup::new(stack, "WsLogs")
        .retention(days(30))
        .removal_policy(RemovalPolicy::Destroy)
        .build();
    let node = |id: &str, code: &str| {
        let code = Code::asset(super::asset(code));
        Function::new(stack, id, Runtime::nodejs_24(), code)
            .handler("index.handler")
            .tracing(Tracing::Active)
    };
    let handler = node("WsHandler", "ws")
        .architecture(Architecture::Arm64)
        .log_group(&logs)
        .memory(mib(512))
        .timeout(seconds(10))
        .environment("TABLE", connections.table_name())
        .environment("QUEUE_URL", events.queue_url())
        .build();
    connections.grant_read_write_data(&handler);
    events.grant_send_messages(&handler);
    let deliver = node("Deliver", "alerts").timeout(seconds(30)).build();
    deliver.add_event_source(
        SqsEventSource::new(events)
            .batch_size(10)
            .report_batch_item_failures()
            .max_batching_window(seconds(5)),
    );
    deliver.add_event_source(
        StreamEventSource::table(connections, StartingPosition::TrimHorizon)
            .batch_size(100)
            .bisect_batch_on_error(true)
            .retry_attempts(3),
    );
    (handler, deliver)
}

/// What alarms and dashboards are about.
struct Watched {
    stack: Stack,
    connections: Table,
    dlq: Queue,
    events: Queue,
    handler: Function,
    stage: WebSocketStage,
}

impl Watched {
    fn web_socket(&self, name: &str) -> Metric {
        self.stage.metric(name).sum().period(minutes(1))
    }

    fn rate(&self, id: &str, [top, all]: [Metric; 2], threshold: f64, label: &str, topic: &Topic) -> Alarm {
        let rate = MathExpression::new("100 * top / all")
            .using("top", top)
            .using("all", all)
            .period(minutes(1))
            .label(label);
        let alarm = Alarm::new(&self.stack, id, rate)
            .above(threshold)
            .for_periods(5)
            .datapoints_to_alarm(3)
            .treat_missing_data(TreatMissingData::NotBreaching)
            .build();
        alarm.add_alarm_action(topic.topic_arn());
        alarm.add_ok_action(topic.topic_arn());
        alarm
    }

    fn alarms(&self) -> [Alarm; 5] {
        let topic = Topic::new(&self.stack, "Alerts").display_name("Deploy alerts").build();
        topic.subscribe_email("oncall@example.com", &SubscriptionOptions::new());
        let of_all = |top: Metric| {
            [
                top.period(minutes(1)),
                self.handler.metric_invocations().period(minutes(1)),
            ]
        };
        let errors = self.rate(
            "LambdaErrorRate",
            of_all(self.handler.metric_errors()),
            5.0,
            "errors %",
            &topic,
        );
        let throttles = self.rate(
            "LambdaThrottleRate",
            of_all(self.handler.metric_throttles()),
            0.1,
            "throttles %",
            &topic,
        );
        let connects = [self.web_socket("ClientError"), self.web_socket("ConnectCount")];
        let connect_errors = self.rate("WsConnectErrorRate", connects, 1.0, "connect errors %", &topic);
        let throttled = self
            .connections
            .metric_throttled_requests_for_operations([Operation::PutItem, Operation::GetItem])
            .period(minutes(5));
        let throttled = Alarm::new(&self.stack, "DynamoThrottles", throttled)
            .above(0.0)
            .treat_missing_data(TreatMissingData::NotBreaching)
            .build();
        let waiting = self
            .dlq
            .metric_approximate_number_of_messages_visible()
            .period(minutes(5));
        let dead_letters = Alarm::new(&self.stack, "DeadLetters", waiting)
            .at_least(1.0)
            .description("Events could not be delivered")
            .build();
        let delivery = [
            AlarmRule::alarm(&throttled),
            AlarmRule::not(AlarmRule::ok(&dead_letters)),
        ];
        let rule = AlarmRule::any_of([
            AlarmRule::alarm(&errors),
            AlarmRule::alarm(&throttles),
            AlarmRule::alarm(&connect_errors),
            AlarmRule::all_of(delivery),
        ]);
        CompositeAlarm::new(&self.stack, "Gate", rule)
            .alarm_name("realtime-rollout-gate")
            .build()
            .add_alarm_action(topic.topic_arn());
        [errors, throttles, connect_errors, throttled, dead_letters]
    }

    fn main_board(&self, alarms: &[Alarm; 5]) {
        let board = Dashboard::new(&self.stack, "Main")
            .dashboard_name("Llama-Main")
            .default_interval(hours(3))
            .build();
        board.add_widgets([TextWidget::new("# Overview").width(24).height(2).into()]);
        board.add_widgets([AlarmStatusWidget::new(alarms).title("Alarms").width(24).into()]);
        let connects = SingleValueWidget::new([self.web_socket("ConnectCount")])
            .title("Connects")
            .width(6);
        let errors = GraphWidget::new()
            .title("Errors and throttles")
            .left([self.handler.metric_errors()])
            .right([self.handler.metric_throttles()])
            .left_y_axis(YAxis::new().min(0.0).label("errors"))
            .width(18)
            .left_annotation(Annotation::at(5.0).label("rollback").color(RED));
        board.add_widgets([connects.into(), errors.into()]);
    }

    fn board(&self, id: &str, name: &str) -> Dashboard {
        Dashboard::new(&self.stack, id).dashboard_name(name).build()
    }

    fn other_boards(&self, [errors, ..]: &[Alarm; 5]) {
        let duration = ["p50", "p95", "p99"].map(|name| self.handler.metric_duration().statistic(name));
        let duration = GraphWidget::new()
            .title("Duration")
            .left(duration)
            .view(GraphView::TimeSeries)
            .stacked(false);
        let rate = AlarmWidget::new(errors).title("Error rate");
        self.board("LambdaBoard", "Llama-Lambda")
            .add_widgets([duration.into(), rate.into()]);
        let many = |names: &[&str]| names.iter().map(|name| self.web_socket(name)).collect::<Vec<_>>();
        let sockets = GraphWidget::new()
            .title("Connections")
            .left(many(&["ConnectCount", "MessageCount"]))
            .right(many(&["IntegrationError", "ClientError", "ExecutionError"]));
        self.board("WebSocketBoard", "Llama-WebSocket")
            .add_widgets([sockets.into()]);
        let cache = |name: &str| Metric::new("AWS/ElastiCache", name).sum();
        let hits = MathExpression::new("100 * hits / (hits + misses)")
            .label("hit %")
            .using("hits", cache("CacheHits"))
            .using("misses", cache("CacheMisses"));
        self.board("RedisBoard", "Llama-Redis")
            .add_widgets([GraphWidget::new().title("Hit rate").left([Series::from(hits)]).into()]);
        let depth = GraphWidget::new()
            .title("Depth")
            .left([&self.events, &self.dlq].map(Queue::metric_approximate_number_of_messages_visible));
        let age = GraphWidget::new()
            .title("Age of oldest")
            .left([self.events.metric_approximate_age_of_oldest_message()]);
        self.board("SqsBoard", "Llama-SQS")
            .add_widgets([depth.into(), age.into()]);
    }
}
