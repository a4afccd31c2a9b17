use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::members::Members;
use crate::testing::{SetClock, call, context_at, resource_request};

fn cloudwatch(folder: &std::path::Path, clock: &Arc<SetClock>) -> Arc<CloudWatch> {
    CloudWatch::open(&context_at(folder, clock.clone()), EVALUATION_INTERVAL).unwrap()
}

fn now(cloudwatch: &CloudWatch) -> i64 {
    cloudwatch.context.clock.now().as_second()
}

fn observe(cloudwatch: &CloudWatch, name: &str, function: &str, value: f64) {
    cloudwatch.record(vec![Observation {
        namespace: "AWS/Lambda".into(),
        metric_name: name.into(),
        dimensions: vec![("FunctionName".into(), function.into())],
        value,
        unit: "Count".into(),
        timestamp: cloudwatch.context.clock.now(),
    }]);
}

fn alarm(name: &str, more: Value) -> Value {
    let mut input = json!({
        "AlarmName": name, "Namespace": "AWS/Lambda", "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": "f"}], "Statistic": "Sum", "Period": 10,
        "EvaluationPeriods": 1, "Threshold": 3.0, "ComparisonOperator": "GreaterThanThreshold",
    });
    for (member, value) in more.as_object().unwrap() {
        input[member] = value.clone();
    }
    input
}

async fn state(cloudwatch: &CloudWatch, name: &str) -> String {
    let asked = json!({"AlarmNames": [name], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]});
    let found = call(cloudwatch, "DescribeAlarms", asked).await.unwrap();
    let all = [found.list("MetricAlarms"), found.list("CompositeAlarms")].concat();
    all[0]["StateValue"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_alarm_goes_to_alarm_by_time_and_back_and_to_insufficient_data() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
    let service = cloudwatch(folder.path(), &clock);
    call(&*service, "PutMetricAlarm", alarm("errors", json!({})))
        .await
        .unwrap();
    assert_eq!(state(&service, "errors").await, "INSUFFICIENT_DATA");
    observe(&service, "Errors", "f", 2.0);
    observe(&service, "Errors", "f", 2.0);
    observe(&service, "Errors", "other", 100.0);
    service.tick();
    assert_eq!(
        state(&service, "errors").await,
        "INSUFFICIENT_DATA",
        "the second is not over"
    );
    clock.advance_seconds(1);
    service.tick();
    assert_eq!(state(&service, "errors").await, "ALARM");

    // A restart keeps state and data.
    drop(service);
    let service = cloudwatch(folder.path(), &clock);
    assert_eq!(state(&service, "errors").await, "ALARM");
    clock.advance_seconds(10);
    observe(&service, "Errors", "f", 0.0);
    clock.advance_seconds(1);
    service.tick();
    assert_eq!(state(&service, "errors").await, "OK");
    clock.advance_seconds(60);
    service.tick();
    assert_eq!(
        state(&service, "errors").await,
        "INSUFFICIENT_DATA",
        "nothing arrives, time passes"
    );

    let history = json!({"AlarmName": "errors", "HistoryItemType": "StateUpdate", "ScanBy": "TimestampAscending"});
    let history = call(&*service, "DescribeAlarmHistory", history).await.unwrap();
    let summaries: Vec<&str> = history
        .list("AlarmHistoryItems")
        .iter()
        .map(|item| item["HistorySummary"].as_str().unwrap())
        .collect();
    assert_eq!(
        summaries,
        [
            "Alarm updated from INSUFFICIENT_DATA to ALARM",
            "Alarm updated from ALARM to OK",
            "Alarm updated from OK to INSUFFICIENT_DATA",
        ]
    );
}

#[tokio::test]
async fn a_state_set_by_hand_lasts_until_the_next_evaluation() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
    let service = cloudwatch(folder.path(), &clock);
    call(
        &*service,
        "PutMetricAlarm",
        alarm("errors", json!({"TreatMissingData": "notBreaching"})),
    )
    .await
    .unwrap();
    service.tick();
    assert_eq!(state(&service, "errors").await, "OK");
    let set = json!({"AlarmName": "errors", "StateValue": "ALARM", "StateReason": "drill"});
    call(&*service, "SetAlarmState", set).await.unwrap();
    clock.advance_seconds(9);
    service.tick();
    assert_eq!(state(&service, "errors").await, "ALARM");
    clock.advance_seconds(1);
    service.tick();
    assert_eq!(state(&service, "errors").await, "OK");
    let unknown = json!({"AlarmName": "nope", "StateValue": "OK", "StateReason": "x"});
    assert_eq!(
        call(&*service, "SetAlarmState", unknown).await.unwrap_err().code,
        "ResourceNotFound"
    );
}

#[tokio::test]
async fn composite_alarms_follow_their_rule_through_layers() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
    let service = cloudwatch(folder.path(), &clock);
    for name in ["a", "b"] {
        let input = alarm(name, json!({"TreatMissingData": "notBreaching", "MetricName": name}));
        call(&*service, "PutMetricAlarm", input).await.unwrap();
    }
    let put = async |name: &str, rule: &str| {
        call(
            &*service,
            "PutCompositeAlarm",
            json!({"AlarmName": name, "AlarmRule": rule}),
        )
        .await
    };
    put("inner", "ALARM(a) AND NOT ALARM(b)").await.unwrap();
    put("first", "ALARM(\"inner\")").await.unwrap();
    assert!(
        put("inner", "ALARM(first)")
            .await
            .unwrap_err()
            .message
            .contains("circular")
    );
    assert!(
        put("other", "ALARM(nobody)")
            .await
            .unwrap_err()
            .message
            .contains("nobody")
    );
    observe(&service, "a", "f", 9.0);
    clock.advance_seconds(1);
    service.tick();
    assert_eq!(
        (state(&service, "inner").await, state(&service, "first").await),
        ("ALARM".into(), "ALARM".into())
    );
    observe(&service, "b", "f", 9.0);
    clock.advance_seconds(1);
    service.tick();
    assert_eq!(
        (state(&service, "inner").await, state(&service, "first").await),
        ("OK".into(), "OK".into())
    );
    let used = call(&*service, "DeleteAlarms", json!({"AlarmNames": ["a"]}))
        .await
        .unwrap_err();
    assert!(used.message.contains("depending"), "{used}");
    call(
        &*service,
        "DeleteAlarms",
        json!({"AlarmNames": ["a", "b", "inner", "first"]}),
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn metric_data_with_math_percentiles_and_statistics() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
    let service = cloudwatch(folder.path(), &clock);
    let start = now(&service);
    let datum = |name: &str, more: Value| {
        let mut datum = json!({"MetricName": name, "Unit": "Milliseconds", "Timestamp": start});
        datum.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        datum
    };
    let data = json!({"Namespace": "App", "MetricData": [
        datum("Latency", json!({"Values": [10.0, 20.0, 1000.0], "Counts": [10.0, 9.0, 1.0]})),
        datum("Errors", json!({"Value": 1.0})),
        datum("Calls", json!({"Value": 20.0})),
        datum("Calls", json!({"Value": 0.0, "Timestamp": start + 60})),
        datum("Errors", json!({"Value": 0.0, "Timestamp": start + 60})),
        datum("Set", json!({"StatisticValues": {"SampleCount": 2.0, "Sum": 30.0, "Minimum": 10.0, "Maximum": 20.0}})),
    ]});
    call(&*service, "PutMetricData", data).await.unwrap();
    let stat = |name: &str, stat: &str| json!({"Metric": {"Namespace": "App", "MetricName": name}, "Period": 60, "Stat": stat});
    let query = json!({
        "StartTime": start, "EndTime": start + 120, "ScanBy": "TimestampAscending",
        "MetricDataQueries": [
            {"Id": "p95", "MetricStat": stat("Latency", "p95")},
            {"Id": "p99", "MetricStat": stat("Latency", "p99"), "Label": "worst"},
            {"Id": "errors", "MetricStat": stat("Errors", "Sum"), "ReturnData": false},
            {"Id": "calls", "MetricStat": stat("Calls", "Sum"), "ReturnData": false},
            {"Id": "rate", "Expression": "100 * errors / calls"},
            {"Id": "none", "MetricStat": stat("Nothing", "Sum")},
            {"Id": "set", "MetricStat": stat("Set", "Average")},
        ],
    });
    let found = call(&*service, "GetMetricData", query).await.unwrap();
    let values: Vec<(&str, &str, &Value)> = found
        .list("MetricDataResults")
        .iter()
        .map(|result| {
            (
                result["Id"].as_str().unwrap(),
                result["Label"].as_str().unwrap(),
                &result["Values"],
            )
        })
        .collect();
    assert_eq!(
        values,
        [
            ("p95", "Latency", &json!([20.0])),
            ("p99", "worst", &json!([1000.0])),
            ("rate", "rate", &json!([5.0])),
            ("none", "Nothing", &json!([])),
            ("set", "Set", &json!([15.0])),
        ]
    );
    let statistics = json!({"Namespace": "App", "MetricName": "Latency", "StartTime": start, "EndTime": start + 60,
        "Period": 60, "Statistics": ["Maximum", "SampleCount"], "ExtendedStatistics": ["p50"]});
    let statistics = call(&*service, "GetMetricStatistics", statistics).await.unwrap();
    let expected = json!([{"Timestamp": start, "Unit": "Milliseconds", "Maximum": 1000.0, "SampleCount": 20.0,
        "ExtendedStatistics": {"p50": 10.0}}]);
    assert_eq!(statistics["Datapoints"], expected);
    let listed = call(
        &*service,
        "ListMetrics",
        json!({"Namespace": "App", "MetricName": "Calls"}),
    )
    .await
    .unwrap();
    assert_eq!(
        listed["Metrics"],
        json!([{"Namespace": "App", "MetricName": "Calls", "Dimensions": []}])
    );

    let scalar =
        json!({"StartTime": start, "EndTime": start + 60, "MetricDataQueries": [{"Id": "x", "Expression": "1 + 1"}]});
    assert_eq!(
        call(&*service, "GetMetricData", scalar).await.unwrap_err().code,
        "ValidationError"
    );
    let circle = json!({"StartTime": start, "EndTime": start + 60, "MetricDataQueries": [
        {"Id": "x", "Expression": "y"}, {"Id": "y", "Expression": "x"}]});
    assert!(
        call(&*service, "GetMetricData", circle)
            .await
            .unwrap_err()
            .message
            .contains("refers to itself")
    );
    let old =
        json!({"Namespace": "App", "MetricData": [{"MetricName": "M", "Value": 1.0, "Timestamp": start - 90_000}]});
    assert_eq!(
        call(&*service, "PutMetricData", old).await.unwrap_err().code,
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn describing_in_pages_by_state_and_for_a_metric() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
    let service = cloudwatch(folder.path(), &clock);
    for name in ["x-1", "x-2", "x-3", "y"] {
        call(
            &*service,
            "PutMetricAlarm",
            alarm(name, json!({"Tags": [{"Key": "k", "Value": name}]})),
        )
        .await
        .unwrap();
    }
    let mut names = Vec::new();
    let mut token = Value::Null;
    loop {
        let page = json!({"AlarmNamePrefix": "x-", "MaxRecords": 2, "NextToken": token});
        let page = call(&*service, "DescribeAlarms", page).await.unwrap();
        names.extend(
            page.list("MetricAlarms")
                .iter()
                .map(|alarm| alarm["AlarmName"].as_str().unwrap().to_owned()),
        );
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(names, ["x-1", "x-2", "x-3"]);
    let by_metric = json!({"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": [{"Name": "FunctionName", "Value": "f"}]});
    let found = call(&*service, "DescribeAlarmsForMetric", by_metric).await.unwrap();
    assert_eq!(found.list("MetricAlarms").len(), 4);
    call(&*service, "DisableAlarmActions", json!({"AlarmNames": ["y"]}))
        .await
        .unwrap();
    let y = call(
        &*service,
        "DescribeAlarms",
        json!({"AlarmNames": ["y"], "StateValue": "INSUFFICIENT_DATA"}),
    )
    .await
    .unwrap();
    assert_eq!(y["MetricAlarms"][0]["ActionsEnabled"], false);
    let tags = json!({"ResourceARN": y["MetricAlarms"][0]["AlarmArn"]});
    let tags = call(&*service, "ListTagsForResource", tags).await.unwrap();
    assert_eq!(tags["Tags"], json!([{"Key": "k", "Value": "y"}]));
}

#[tokio::test]
async fn dashboards_come_back_and_broken_ones_are_refused() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
    let service = cloudwatch(folder.path(), &clock);
    let put = async |body: &str| {
        call(
            &*service,
            "PutDashboard",
            json!({"DashboardName": "d", "DashboardBody": body}),
        )
        .await
    };
    assert_eq!(put("{").await.unwrap_err().code, "InvalidParameterInput");
    assert_eq!(put("{}").await.unwrap_err().code, "InvalidParameterInput");
    put("{\"widgets\":[]}").await.unwrap();
    let got = call(&*service, "GetDashboard", json!({"DashboardName": "d"}))
        .await
        .unwrap();
    assert_eq!(got["DashboardBody"], "{\"widgets\":[]}");
    let listed = call(&*service, "ListDashboards", json!({"DashboardNamePrefix": "d"}))
        .await
        .unwrap();
    assert_eq!(listed["DashboardEntries"][0]["Size"], 14);
    call(&*service, "DeleteDashboards", json!({"DashboardNames": ["d"]}))
        .await
        .unwrap();
    assert_eq!(
        call(&*service, "GetDashboard", json!({"DashboardName": "d"}))
            .await
            .unwrap_err()
            .code,
        "ResourceNotFound"
    );
}

#[tokio::test]
async fn cloudformation_makes_alarms_and_dashboards() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
    let service = cloudwatch(folder.path(), &clock);
    let providers = service.providers();
    let of = |resource_type: &str| {
        let serves = |provider: &&Arc<dyn Provider>| provider.resource_types().contains(&resource_type);
        providers.iter().find(serves).unwrap()
    };
    let (alarms, dashboards) = (of("AWS::CloudWatch::Alarm"), of("AWS::CloudWatch::Dashboard"));
    let mut properties = alarm(
        "ignored",
        json!({"Threshold": "3", "Period": "10", "EvaluationPeriods": 1}),
    );
    properties.as_object_mut().unwrap().remove("AlarmName");
    let request = resource_request("AWS::CloudWatch::Alarm", properties);
    let made = alarms.create(&request).await.unwrap();
    assert_eq!(
        made.attributes["Arn"],
        "arn:aws:cloudwatch:us-east-1:000000000000:alarm:Stack-Thing-ABC123"
    );
    assert!(
        alarms
            .create(&request)
            .await
            .unwrap_err()
            .message
            .contains("already exists")
    );
    let described = call(&*service, "DescribeAlarms", json!({})).await.unwrap();
    assert_eq!(
        (
            &described["MetricAlarms"][0]["Threshold"],
            &described["MetricAlarms"][0]["Period"]
        ),
        (&json!(3.0), &json!(10))
    );
    let mut broken = request.clone();
    broken.properties.insert("EvaluationPeriods".into(), json!(0));
    assert!(alarms.update(&made, &request.properties, &broken).await.is_err());
    alarms.delete(&made, &request).await.unwrap();
    alarms.delete(&made, &request).await.unwrap();

    let dashboard = resource_request(
        "AWS::CloudWatch::Dashboard",
        json!({"DashboardBody": "{\"widgets\":[]}"}),
    );
    let made = dashboards.create(&dashboard).await.unwrap();
    dashboards
        .update(&made, &dashboard.properties, &dashboard)
        .await
        .unwrap();
    dashboards.delete(&made, &dashboard).await.unwrap();
    dashboards.delete(&made, &dashboard).await.unwrap();
}
