"""Every CloudWatch Logs operation that the embedded cloud serves."""

import time

from witnessed import assert_all_called, client, refused

logs = client("logs")
now = int(time.time() * 1000)
logs.create_log_group(logGroupName="/app/a", tags={"k": "v"})
refused("ResourceAlreadyExistsException", 400, logs.create_log_group, logGroupName="/app/a")
logs.create_log_stream(logGroupName="/app/a", logStreamName="s/1")
logs.create_log_stream(logGroupName="/app/a", logStreamName="s/2")
events = [{"timestamp": now + place, "message": message} for place, message in
          enumerate(["START", "ERROR one", '{"level":"error","took":7}', "ERROR two"])]
logs.put_log_events(logGroupName="/app/a", logStreamName="s/1", logEvents=events)
logs.put_log_events(logGroupName="/app/a", logStreamName="s/2", logEvents=[{"timestamp": now + 9, "message": "ERROR three"}])
refused("ResourceNotFoundException", 400, logs.put_log_events, logGroupName="/absent", logStreamName="s", logEvents=events)


def messages(answer):
    return [event["message"] for event in answer["events"]]


first = logs.get_log_events(logGroupName="/app/a", logStreamName="s/1", limit=3, startFromHead=True)
assert messages(first) == [event["message"] for event in events[:3]]
rest = logs.get_log_events(logGroupName="/app/a", logStreamName="s/1", nextToken=first["nextForwardToken"])
assert messages(rest) == ["ERROR two"]
again = logs.get_log_events(logGroupName="/app/a", logStreamName="s/1", nextToken=rest["nextForwardToken"])
assert again["nextForwardToken"] == rest["nextForwardToken"] and messages(again) == []
assert messages(logs.filter_log_events(logGroupName="/app/a", filterPattern="ERROR")) == ["ERROR one", "ERROR two", "ERROR three"]
assert messages(logs.filter_log_events(logGroupName="/app/a", filterPattern="ERROR -two", logStreamNames=["s/1"])) == ["ERROR one"]
assert messages(logs.filter_log_events(logGroupName="/app/a", filterPattern="{ $.took > 5 }")) == [events[2]["message"]]
pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/app/a", PaginationConfig={"PageSize": 2})
assert sum(len(page["events"]) for page in pages) == 5
refused("InvalidParameterException", 400, logs.filter_log_events, logGroupName="/app/a", filterPattern='"open')
newest = logs.describe_log_streams(logGroupName="/app/a", orderBy="LastEventTime", descending=True)["logStreams"]
assert [stream["logStreamName"] for stream in newest] == ["s/2", "s/1"] and newest[0]["lastEventTimestamp"] == now + 9
logs.put_retention_policy(logGroupName="/app/a", retentionInDays=7)
group = logs.describe_log_groups(logGroupNamePrefix="/app")["logGroups"][0]
assert group["retentionInDays"] == 7 and group["arn"].endswith(":log-group:/app/a:*")
logs.delete_retention_policy(logGroupName="/app/a")
assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]
assert logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {"k": "v"}
logs.tag_resource(resourceArn=group["logGroupArn"], tags={"a": "b"})
logs.untag_resource(resourceArn=group["logGroupArn"], tagKeys=["k"])
logs.tag_log_group(logGroupName="/app/a", tags={"c": "d"})
logs.untag_log_group(logGroupName="/app/a", tags=["a"])
assert logs.list_tags_log_group(logGroupName="/app/a")["tags"] == {"c": "d"}
logs.delete_log_stream(logGroupName="/app/a", logStreamName="s/2")
logs.delete_log_group(logGroupName="/app/a")
refused("ResourceNotFoundException", 400, logs.describe_log_streams, logGroupName="/app/a")
assert_all_called("logs", "DeleteMetricFilter DescribeMetricFilters PutMetricFilter")
