"""Every CloudWatch operation that the embedded cloud serves; alarms are waited for, not told what to be."""

import datetime
import json
import math
import time

from witnessed import assert_all_called, client, refused

cloudwatch = client("cloudwatch")
start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=30)
start = start.replace(second=0, microsecond=0)
end = start + datetime.timedelta(minutes=10)
dimensions = [{"Name": "FunctionName", "Value": "f"}]


def minute(number):
    return start + datetime.timedelta(minutes=number)


def datum(name, number, value, **more):
    return {"MetricName": name, "Dimensions": dimensions, "Timestamp": minute(number), "Value": value, **more}


cloudwatch.put_metric_data(Namespace="App", MetricData=[
    datum("Calls", 0, 100.0), datum("Errors", 0, 5.0), datum("Calls", 1, 0.0), datum("Errors", 1, 0.0),
    datum("Calls", 2, 50.0), datum("Errors", 2, 1.0),
    {"MetricName": "Latency", "Timestamp": minute(0), "Values": [10.0, 20.0, 900.0], "Counts": [90.0, 9.0, 1.0], "Unit": "Milliseconds"},
    {"MetricName": "Set", "Timestamp": minute(0),
     "StatisticValues": {"SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 4.0}},
])


def stat(name, statistic, own=dimensions):
    return {"Metric": {"Namespace": "App", "MetricName": name, "Dimensions": own}, "Period": 60, "Stat": statistic}


answer = cloudwatch.get_metric_data(StartTime=start, EndTime=end, ScanBy="TimestampAscending", MetricDataQueries=[
    {"Id": "errors", "MetricStat": stat("Errors", "Sum"), "ReturnData": False},
    {"Id": "calls", "MetricStat": stat("Calls", "Sum"), "ReturnData": False},
    {"Id": "rate", "Expression": "100 * errors / calls", "Label": "error rate"},
    {"Id": "filled", "Expression": "FILL(errors, 0)"},
    {"Id": "all", "Expression": "SUM(METRICS())"},
    {"Id": "p95", "MetricStat": stat("Latency", "p95", [])},
    {"Id": "p99", "MetricStat": stat("Latency", "p99.9", [])},
    {"Id": "alone", "MetricStat": stat("Calls", "Sum", [])},
])
results = {result["Id"]: result for result in answer["MetricDataResults"]}
assert results["rate"]["Values"] == [5.0, 2.0] and results["rate"]["Label"] == "error rate", results["rate"]
assert results["rate"]["Timestamps"] == [minute(0), minute(2)], "a division by zero drops its point"
assert results["filled"]["Values"] == [5.0, 0.0, 1.0] + [0.0] * 7
assert results["p95"]["Values"] == [20.0] and results["p99"]["Values"] == [900.0]
assert results["alone"]["Values"] == [], "each set of dimensions is a metric of its own"
refused("ValidationError", 400, cloudwatch.get_metric_data, StartTime=start, EndTime=end,
        MetricDataQueries=[{"Id": "bad", "Expression": "1 +"}])
statistics = cloudwatch.get_metric_statistics(Namespace="App", MetricName="Set", StartTime=start, EndTime=end, Period=600,
                                              Statistics=["Sum", "Average", "Minimum", "Maximum", "SampleCount"])
datapoint = statistics["Datapoints"][0]
assert [datapoint[name] for name in ("Sum", "Average", "Minimum", "Maximum", "SampleCount")] == [10.0, 2.5, 1.0, 4.0, 4.0]
percentiles = cloudwatch.get_metric_statistics(Namespace="App", MetricName="Latency", StartTime=start, EndTime=end,
                                               Period=600, ExtendedStatistics=["p50"])
assert percentiles["Datapoints"][0]["ExtendedStatistics"] == {"p50": 10.0}
metrics = cloudwatch.list_metrics(Namespace="App", Dimensions=[{"Name": "FunctionName"}])["Metrics"]
assert [metric["MetricName"] for metric in metrics] == ["Calls", "Errors"]


def seen(name):
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return (found["MetricAlarms"] + found["CompositeAlarms"])[0]


def state(name):
    return seen(name)["StateValue"]


def wait_for(name, wanted, meanwhile=lambda: None):
    """The alarm in that state. On a busy machine a period may pass unseen: what has to be in it is sent meanwhile."""
    while (alarm := seen(name))["StateValue"] != wanted:
        meanwhile()
        time.sleep(0.1)
    return alarm


def summaries_of(name):
    items = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate", ScanBy="TimestampAscending")
    return [item["HistorySummary"] for item in items["AlarmHistoryItems"]]


alarm = dict(Namespace="App", MetricName="Failures", Dimensions=dimensions, Statistic="Sum", Period=2,
             EvaluationPeriods=1, Threshold=3.0, ComparisonOperator="GreaterThanThreshold")
cloudwatch.put_metric_alarm(AlarmName="failures", TreatMissingData="notBreaching", Tags=[{"Key": "k", "Value": "v"}], **alarm)
# Nothing ever goes beyond its threshold.
cloudwatch.put_metric_alarm(AlarmName="silence", **{**alarm, "Threshold": 1e9})
cloudwatch.put_composite_alarm(AlarmName="worst", AlarmRule="ALARM(failures) AND NOT ALARM(silence)")
refused("ValidationError", 400, cloudwatch.put_composite_alarm, AlarmName="x", AlarmRule="ALARM(absent)")
wait_for("failures", "OK")
assert state("silence") == "INSUFFICIENT_DATA"
failure = {"MetricName": "Failures", "Dimensions": dimensions, "Value": 4.0}
for name in ("failures", "worst"):
    wait_for(name, "ALARM", lambda: cloudwatch.put_metric_data(Namespace="App", MetricData=[failure]))
wait_for("failures", "OK")
wait_for("silence", "INSUFFICIENT_DATA")
cloudwatch.put_metric_alarm(AlarmName="rate", EvaluationPeriods=1, Threshold=50.0, ComparisonOperator="GreaterThanThreshold",
                            Metrics=[{"Id": "e", "Expression": "100 * f / c"},
                                     {"Id": "f", "ReturnData": False, "MetricStat": {**stat("F", "Sum", []), "Period": 5}},
                                     {"Id": "c", "ReturnData": False, "MetricStat": {**stat("C", "Sum", []), "Period": 5}}])
sent_at = -math.inf


def nine_of_ten():
    """At most once in a period."""
    global sent_at
    if time.monotonic() > sent_at + 10:
        cloudwatch.put_metric_data(
            Namespace="App", MetricData=[{"MetricName": "F", "Value": 9.0}, {"MetricName": "C", "Value": 10.0}])
        sent_at = time.monotonic()


reason = wait_for("rate", "ALARM", nine_of_ten)["StateReason"]
assert reason.startswith("Threshold Crossed: 1 out of the last 1 datapoints [90.0 ("), reason
cloudwatch.set_alarm_state(AlarmName="silence", StateValue="ALARM", StateReason="drill")
# It lasts until the next look at it.
assert any(summary.endswith("to ALARM") for summary in summaries_of("silence")), summaries_of("silence")
wait_for("silence", "INSUFFICIENT_DATA")
summaries = summaries_of("failures")
assert summaries[:3] == ["Alarm updated from INSUFFICIENT_DATA to OK", "Alarm updated from OK to ALARM", "Alarm updated from ALARM to OK"], summaries
described = cloudwatch.describe_alarms(AlarmNamePrefix="failu")["MetricAlarms"][0]
assert (described["Threshold"], described["Period"], described["Dimensions"]) == (3.0, 2, dimensions)
assert [entry["AlarmName"] for entry in cloudwatch.describe_alarms_for_metric(
    Namespace="App", MetricName="Failures", Dimensions=dimensions)["MetricAlarms"]] == ["failures", "silence"]
cloudwatch.disable_alarm_actions(AlarmNames=["failures"])
assert cloudwatch.describe_alarms(AlarmNames=["failures"])["MetricAlarms"][0]["ActionsEnabled"] is False
cloudwatch.enable_alarm_actions(AlarmNames=["failures"])
arn = described["AlarmArn"]
cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "b"}])
cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["k"])
assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
refused("ResourceNotFound", 404, cloudwatch.set_alarm_state, AlarmName="absent", StateValue="OK", StateReason="x")
cloudwatch.delete_alarms(AlarmNames=["worst", "failures", "silence", "rate"])
assert cloudwatch.describe_alarms()["MetricAlarms"] == []

body = json.dumps({"widgets": [{"type": "text", "width": 6, "height": 3, "properties": {"markdown": "x"}}]})
assert cloudwatch.put_dashboard(DashboardName="board", DashboardBody=body)["DashboardValidationMessages"] == []
assert json.loads(cloudwatch.get_dashboard(DashboardName="board")["DashboardBody"]) == json.loads(body)
assert cloudwatch.list_dashboards()["DashboardEntries"][0]["DashboardName"] == "board"
cloudwatch.delete_dashboards(DashboardNames=["board"])
assert_all_called("cloudwatch")
