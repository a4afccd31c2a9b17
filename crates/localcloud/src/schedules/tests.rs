//! Rules and schedules on a clock that is set by hand.

use bytes::Bytes;

use super::*;
use crate::sink::{FunctionInvoker, Invocation, Observation};
use crate::testing::{SetClock, call, context_at};

/// Remembers what it was called with; `closed` may be called by nobody.
#[derive(Default)]
struct Recorder {
    calls: Mutex<Vec<(String, Value)>>,
    observations: Mutex<Vec<Observation>>,
}

#[async_trait]
impl FunctionInvoker for Recorder {
    async fn invoke(&self, function: &str, qualifier: Option<&str>, payload: Bytes) -> Result<Invocation, ApiError> {
        let name = format!("{function}:{}", qualifier.unwrap_or_default());
        let event = serde_json::from_slice(&payload).unwrap();
        self.calls.lock().unwrap().push((name, event));
        Ok(Invocation {
            payload: Bytes::new(),
            function_error: None,
            executed_version: "2".to_owned(),
        })
    }
}

impl Functions for Recorder {
    fn permits(&self, function: &str, qualifier: Option<&str>, service: &str, source_arn: &str) -> bool {
        assert_eq!(service, "events.amazonaws.com");
        assert!(source_arn.contains(":rule/"), "{source_arn}");
        function != "closed" && qualifier == Some("live")
    }
}

impl MetricSink for Recorder {
    fn record(&self, observations: Vec<Observation>) {
        self.observations.lock().unwrap().extend(observations);
    }
}

struct World {
    schedules: Arc<Schedules>,
    rules: Arc<dyn Service>,
    scheduler: Arc<dyn Service>,
    recorder: Arc<Recorder>,
    clock: Arc<SetClock>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, recorder) = (SetClock::new(), Arc::new(Recorder::default()));
        let context = context_at(folder.path(), clock.clone());
        let schedules = Schedules::open(&context, recorder.clone(), recorder.clone()).unwrap();
        let [rules, scheduler] = schedules.services();
        Self {
            schedules,
            rules,
            scheduler,
            recorder,
            clock,
            _folder: folder,
        }
    }

    async fn rule(&self, name: &str, expression: &str, target: Value) {
        let rule = json!({"Name": name, "ScheduleExpression": expression});
        call(&*self.rules, "PutRule", rule).await.unwrap();
        let targets = json!({"Rule": name, "Targets": [target]});
        call(&*self.rules, "PutTargets", targets).await.unwrap();
    }

    /// How many targets were called when so much time had passed.
    async fn after(&self, seconds: i64) -> usize {
        self.clock.advance_seconds(seconds);
        self.schedules.tick().await.len()
    }

    fn sum(&self, metric: &str) -> f64 {
        let observations = self.recorder.observations.lock().unwrap();
        observations
            .iter()
            .filter(|one| one.metric_name == metric)
            .map(|one| one.value)
            .sum()
    }
}

fn function(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")
}

#[tokio::test]
async fn a_rule_fires_by_the_clouds_clock() {
    let world = World::new();
    world
        .rule("hourly", "rate(1 hour)", json!({"Id": "f", "Arn": function("f:live")}))
        .await;
    assert_eq!(world.after(3599).await, 0);
    assert_eq!(world.after(1).await, 1);
    assert_eq!(world.after(1).await, 0);
    call(&*world.rules, "DisableRule", json!({"Name": "hourly"}))
        .await
        .unwrap();
    assert_eq!(world.after(3600).await, 0);
    call(&*world.rules, "EnableRule", json!({"Name": "hourly"}))
        .await
        .unwrap();
    assert_eq!(world.after(2 * 3600).await, 1, "what was missed is one");
    let (name, event) = world.recorder.calls.lock().unwrap()[0].clone();
    assert_eq!(name, "f:live");
    assert_eq!(event["source"], "aws.events");
    assert_eq!(event["time"], "2025-10-14T13:00:00Z");
    assert_eq!(
        event["resources"],
        json!(["arn:aws:events:us-east-1:000000000000:rule/hourly"])
    );
    assert_eq!(world.sum("Invocations"), 2.0);
    assert_eq!(world.sum("FailedInvocations"), 0.0);
}

#[tokio::test]
async fn a_rule_needs_the_aliass_permission() {
    let world = World::new();
    for (name, arn) in [
        ("no", function("closed:live")),
        ("bare", function("f")),
        ("queue", "arn:aws:sqs:r:0:q".into()),
    ] {
        world.rule(name, "rate(1 minute)", json!({"Id": "t", "Arn": arn})).await;
    }
    assert_eq!(world.after(60).await, 3);
    assert!(world.recorder.calls.lock().unwrap().is_empty());
    assert_eq!(world.sum("FailedInvocations"), 3.0);
}

#[tokio::test]
async fn targets_choose_what_they_get() {
    let world = World::new();
    let live = function("f:live");
    let transformer = json!({"InputPathsMap": {"at": "$.time", "of": "$.resources[0]"}, "InputTemplate": "{\"at\":\"<at>\",\"of\":\"<of>\"}"});
    world
        .rule(
            "a",
            "rate(1 minute)",
            json!({"Id": "t", "Arn": live, "Input": "{\"job\":1}"}),
        )
        .await;
    world
        .rule(
            "b",
            "rate(1 minute)",
            json!({"Id": "t", "Arn": live, "InputPath": "$.detail-type"}),
        )
        .await;
    world
        .rule(
            "c",
            "rate(1 minute)",
            json!({"Id": "t", "Arn": live, "InputTransformer": transformer}),
        )
        .await;
    assert_eq!(world.after(60).await, 3);
    let events: Vec<Value> = world
        .recorder
        .calls
        .lock()
        .unwrap()
        .iter()
        .map(|(_, event)| event.clone())
        .collect();
    assert_eq!(events[0], json!({"job": 1}));
    assert_eq!(events[1], json!("Scheduled Event"));
    let arn = "arn:aws:events:us-east-1:000000000000:rule/c";
    assert_eq!(events[2], json!({"at": "2025-10-14T12:01:00Z", "of": arn}));
}

#[tokio::test]
async fn a_schedule_fires_in_its_zone_and_on_demand() {
    let world = World::new();
    let target = json!({"Arn": function("f:live"), "RoleArn": "arn:aws:iam::000000000000:role/r",
        "Input": "{\"at\":\"<aws.scheduler.scheduled-time>\"}"});
    let schedule = json!({"Name": "noon", "ScheduleExpression": "cron(0 15 * * ? *)", "Target": target,
        "ScheduleExpressionTimezone": "Europe/Berlin", "FlexibleTimeWindow": {"Mode": "OFF"}});
    call(&*world.scheduler, "CreateSchedule", schedule).await.unwrap();
    assert_eq!(world.after(3600).await, 1, "15:00 in Berlin is 13:00 in summer");
    let outcomes = world.schedules.fire_now("noon").await.unwrap();
    assert_eq!(outcomes[0]["executedVersion"], "2");
    assert_eq!(world.schedules.fire_now("nobody").await, None);
    let events = world.recorder.calls.lock().unwrap().clone();
    assert_eq!(events[0].1, json!({"at": "2025-10-14T13:00:00Z"}));
    assert_eq!(world.sum("InvocationAttemptCount"), 2.0);
}

#[tokio::test]
async fn rules_of_other_buses_are_kept_beside() {
    let world = World::new();
    let rule = json!({"Name": "orders", "EventBusName": "shop", "EventPattern": "{\"source\":[\"shop\"]}"});
    let made = call(&*world.rules, "PutRule", rule.clone()).await.unwrap();
    assert_eq!(
        made["RuleArn"],
        "arn:aws:events:us-east-1:000000000000:rule/shop/orders"
    );
    let described = call(&*world.rules, "DescribeRule", rule).await.unwrap();
    assert_eq!(
        (&described["EventBusName"], &described["Name"]),
        (&json!("shop"), &json!("orders"))
    );
    let on_default = call(&*world.rules, "DescribeRule", json!({"Name": "orders"})).await;
    assert_eq!(on_default.unwrap_err().code, "ResourceNotFoundException");
    let scheduled = json!({"Name": "x", "EventBusName": "shop", "ScheduleExpression": "rate(1 day)"});
    let refused = call(&*world.rules, "PutRule", scheduled).await.unwrap_err();
    assert_eq!(refused.code, "ValidationException");
}

#[tokio::test]
async fn broken_schedules_are_refused() {
    let world = World::new();
    for (operation, input) in [
        ("PutRule", json!({"Name": "a", "ScheduleExpression": "rate(1 minutes)"})),
        ("PutRule", json!({"Name": "a"})),
        ("PutTargets", json!({"Rule": "absent", "Targets": []})),
        ("DescribeRule", json!({"Name": "absent"})),
    ] {
        assert_eq!(
            call(&*world.rules, operation, input.clone()).await.unwrap_err().status,
            400,
            "{operation} {input}"
        );
    }
}
