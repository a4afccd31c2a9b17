"""Every operation on rules and schedules, and a stack whose schedules call an alias while its weight moves."""

import json
import os
import time
import urllib.error
import urllib.request

from witnessed import assert_all_called, client, refused

rules = client("events")
schedules = client("scheduler")
functions = client("lambda")
stacks = client("cloudformation")
metrics = client("cloudwatch")
endpoint = os.environ["AWS_ENDPOINT_URL"]


def fire(name):
    with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/_aws/local/fire/{name}", method="POST")) as answer:
        return json.loads(answer.read())["invocations"]


# Rules by themselves.
arn = rules.put_rule(Name="nightly", ScheduleExpression="cron(0 2 * * ? *)", Tags=[{"Key": "a", "Value": "1"}])["RuleArn"]
absent = "arn:aws:lambda:us-east-1:000000000000:function:absent:live"
assert rules.put_targets(Rule="nightly", Targets=[{"Id": "1", "Arn": absent}])["FailedEntryCount"] == 0
assert rules.describe_rule(Name="nightly")["State"] == "ENABLED"
rules.disable_rule(Name="nightly")
assert rules.list_rules(NamePrefix="night")["Rules"][0]["State"] == "DISABLED"
rules.enable_rule(Name="nightly")
assert rules.list_rule_names_by_target(TargetArn=absent)["RuleNames"] == ["nightly"]
assert rules.list_targets_by_rule(Rule="nightly")["Targets"] == [{"Id": "1", "Arn": absent}]
rules.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
rules.untag_resource(ResourceARN=arn, TagKeys=["a"])
assert rules.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
assert "no permission" in fire("nightly")[0]["error"]
refused("ValidationException", 400, rules.delete_rule, Name="nightly")
rules.remove_targets(Rule="nightly", Ids=["1"])
rules.delete_rule(Name="nightly")
refused("ResourceNotFoundException", 400, rules.describe_rule, Name="nightly")
refused("ValidationException", 400, rules.put_rule, Name="bad", ScheduleExpression="rate(1 minutes)")

# Schedules by themselves.
target = {"Arn": absent, "RoleArn": "arn:aws:iam::000000000000:role/r"}
schedules.create_schedule_group(Name="team")
once = {"Name": "once", "GroupName": "team", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
schedules.create_schedule(**once, ScheduleExpression="at(2030-01-01T00:00:00)", ScheduleExpressionTimezone="Europe/Berlin")
got = schedules.get_schedule(Name="once", GroupName="team")
assert got["State"] == "ENABLED" and got["CreationDate"].year >= 2024, got
schedules.update_schedule(**once, ScheduleExpression="rate(2 days)", State="DISABLED")
assert schedules.list_schedules(GroupName="team")["Schedules"][0]["State"] == "DISABLED"
assert schedules.get_schedule_group(Name="team")["State"] == "ACTIVE"
assert [g["Name"] for g in schedules.list_schedule_groups()["ScheduleGroups"]] == ["default", "team"]
refused("ConflictException", 409, schedules.create_schedule, **once, ScheduleExpression="rate(2 days)")
schedules.delete_schedule(Name="once", GroupName="team")
schedules.delete_schedule_group(Name="team")
refused("ResourceNotFoundException", 404, schedules.get_schedule, Name="once", GroupName="team")


def reference(name):
    return {"Ref": name}


resources = {
    "Function": {"Type": "AWS::Lambda::Function", "Properties": {
        "Runtime": "python3.12", "Handler": "index.handler", "Role": "arn:aws:iam::000000000000:role/function",
        "Code": {"ZipFile": "def handler(event, context):\n    if event.get('fails'): raise Exception('no')"}}},
    "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": reference("Function")}},
    "Live": {"Type": "AWS::Lambda::Alias", "Properties": {
        "FunctionName": reference("Function"), "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]}, "Name": "live"}},
    "Rule": {"Type": "AWS::Events::Rule", "Properties": {
        "ScheduleExpression": "rate(1 day)", "State": "ENABLED", "Targets": [{"Id": "Target0", "Arn": reference("Live")}]}},
    "Permission": {"Type": "AWS::Lambda::Permission", "Properties": {
        "FunctionName": reference("Live"), "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com",
        "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}},
    "Group": {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {}},
    "Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": {
        "GroupName": reference("Group"), "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": reference("Live"), "RoleArn": "arn:aws:iam::000000000000:role/r", "Input": "{\"fails\": true}"}}},
}
outputs = {name: {"Value": reference(name)} for name in ("Function", "Rule", "Schedule")}
stacks.create_stack(StackName="clock", TemplateBody=json.dumps({"Resources": resources, "Outputs": outputs}))
stacks.get_waiter("stack_create_complete").wait(StackName="clock", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
outputs = {o["OutputKey"]: o["OutputValue"] for o in stacks.describe_stacks(StackName="clock")["Stacks"][0]["Outputs"]}
function = outputs["Function"]
assert [i["executedVersion"] for i in fire(outputs["Rule"])] == ["1"]
assert fire(outputs["Schedule"])[0]["functionError"] == "Unhandled"

functions.update_function_configuration(FunctionName=function, Description="second")
functions.publish_version(FunctionName=function)
functions.update_alias(FunctionName=function, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
assert {fire(outputs["Rule"])[0]["executedVersion"] for _ in range(40)} == {"1", "2"}, "each call has its version"
functions.update_alias(FunctionName=function, Name="live", FunctionVersion="2", RoutingConfig={})
assert {fire(outputs["Rule"])[0]["executedVersion"] for _ in range(5)} == {"2"}

points = metrics.get_metric_statistics(
    Namespace="AWS/Events", MetricName="Invocations", Dimensions=[{"Name": "RuleName", "Value": outputs["Rule"]}],
    StartTime=time.time() - 600, EndTime=time.time() + 60, Period=660, Statistics=["Sum"])["Datapoints"]
assert sum(point["Sum"] for point in points) == 46, points

stacks.delete_stack(StackName="clock")
stacks.get_waiter("stack_delete_complete").wait(StackName="clock", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
assert rules.list_rules()["Rules"] == [] and schedules.list_schedules()["Schedules"] == []
try:
    fire("nobody")
    raise SystemExit("there is nothing to fire")
except urllib.error.HTTPError as error:
    assert error.code == 404, error

assert_all_called("events")
assert_all_called("scheduler")
