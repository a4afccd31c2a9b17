"""Every Lambda operation that the embedded cloud serves."""

import base64
import io
import json
import zipfile

import boto3
from botocore.exceptions import ClientError

client = boto3.client("lambda")
ROLE = "arn:aws:iam::000000000000:role/function"


def archive(source):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as writer:
        # Without a date of its own: the same source is the same archive.
        writer.writestr(zipfile.ZipInfo("index.py"), source)
    return content.getvalue()


def refused(call, code, status, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
        return error.response
    raise SystemExit(f"{call.__name__}({arguments}) should be refused with {code}")


def invoke(**arguments):
    answer = client.invoke(**arguments)
    return answer, json.loads(answer["Payload"].read() or b"null")


SOURCE = """
def handler(event, context):
    print("called")
    if event.get("fail"):
        raise ValueError("as asked")
    return {"version": context.function_version, "event": event}
"""

# Functions.
refused(client.get_function, "ResourceNotFoundException", 404, FunctionName="f")
made = client.create_function(
    FunctionName="f",
    Runtime="python3.12",
    Handler="index.handler",
    Role=ROLE,
    Code={"ZipFile": archive(SOURCE)},
    Environment={"Variables": {"A": "1"}},
    Tags={"team": "a"},
)
assert made["State"] == "Active" and made["Version"] == "$LATEST", made
client.get_waiter("function_active_v2").wait(FunctionName="f")
assert made["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:f", made
refused(
    client.create_function,
    "ResourceConflictException",
    409,
    FunctionName="f",
    Runtime="python3.12",
    Handler="index.handler",
    Role=ROLE,
    Code={"ZipFile": archive(SOURCE)},
)
assert client.get_function(FunctionName="f")["Tags"] == {"team": "a"}
assert client.get_function_configuration(FunctionName="f")["Environment"]["Variables"] == {"A": "1"}
assert [f["FunctionName"] for f in client.list_functions()["Functions"]] == ["f"]
updated = client.update_function_configuration(FunctionName="f", Timeout=20, MemorySize=256)
assert (updated["Timeout"], updated["MemorySize"]) == (20, 256), updated
client.get_waiter("function_updated_v2").wait(FunctionName="f")
stale = made["RevisionId"]
refused(client.update_function_configuration, "PreconditionFailedException", 412, FunctionName="f", RevisionId=stale)

# Invocations.
answer, payload = invoke(FunctionName="f", Payload=b'{"n": 1}', LogType="Tail")
assert payload == {"version": "$LATEST", "event": {"n": 1}}, payload
assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST" and "FunctionError" not in answer, answer
assert "called" in base64.b64decode(answer["LogResult"]).decode()
answer, payload = invoke(FunctionName="f", Payload=b'{"fail": true}')
assert answer["FunctionError"] == "Unhandled" and payload["errorType"] == "ValueError", (answer, payload)
assert invoke(FunctionName="f", InvocationType="DryRun")[0]["StatusCode"] == 204
assert invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")[0]["StatusCode"] == 202
refused(client.invoke, "InvalidRequestContentException", 400, FunctionName="f", Payload=b"{")

# Versions.
first = client.publish_version(FunctionName="f", Description="first")
assert (first["Version"], first["Description"]) == ("1", "first"), first
assert client.publish_version(FunctionName="f")["Version"] == "1"
second = client.update_function_code(FunctionName="f", ZipFile=archive(SOURCE + "# two"), Publish=True)
assert second["Version"] == "2" and second["CodeSha256"] != first["CodeSha256"], second
refused(client.publish_version, "InvalidParameterValueException", 400, FunctionName="f", CodeSha256=first["CodeSha256"])
pages = client.get_paginator("list_versions_by_function").paginate(FunctionName="f", PaginationConfig={"PageSize": 1})
assert [v["Version"] for page in pages for v in page["Versions"]] == ["$LATEST", "1", "2"]

# Aliases.
alias = client.create_alias(FunctionName="f", Name="blue", FunctionVersion="1")
assert alias["AliasArn"] == made["FunctionArn"] + ":blue", alias
assert invoke(FunctionName="f:blue", Payload=b"{}")[1]["version"] == "1"
assert invoke(FunctionName="f", Qualifier="blue", Payload=b"{}")[0]["ExecutedVersion"] == "1"
weighted = client.update_alias(
    FunctionName="f",
    Name="blue",
    RevisionId=alias["RevisionId"],
    RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}},
)
assert weighted["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 1.0}}, weighted
assert invoke(FunctionName="f:blue", Payload=b"{}")[1]["version"] == "2"
refused(client.update_alias, "PreconditionFailedException", 412, FunctionName="f", Name="blue", RevisionId=alias["RevisionId"])
refused(
    client.create_alias,
    "InvalidParameterValueException",
    400,
    FunctionName="f",
    Name="bad",
    FunctionVersion="1",
    RoutingConfig={"AdditionalVersionWeights": {"$LATEST": 0.5}},
)
refused(client.delete_function, "ResourceConflictException", 409, FunctionName="f", Qualifier="2")
assert [a["Name"] for a in client.list_aliases(FunctionName="f")["Aliases"]] == ["blue"]

# Permissions.
statement = client.add_permission(
    FunctionName="f",
    Qualifier="blue",
    StatementId="api",
    Action="lambda:InvokeFunction",
    Principal="apigateway.amazonaws.com",
    SourceArn="arn:aws:execute-api:us-east-1:000000000000:abc/*",
)
assert json.loads(statement["Statement"])["Resource"].endswith(":f:blue"), statement
policy = client.get_policy(FunctionName="f", Qualifier="blue")
assert [s["Sid"] for s in json.loads(policy["Policy"])["Statement"]] == ["api"], policy
refused(client.get_policy, "ResourceNotFoundException", 404, FunctionName="f")
client.remove_permission(FunctionName="f", Qualifier="blue", StatementId="api", RevisionId=policy["RevisionId"])
refused(client.get_policy, "ResourceNotFoundException", 404, FunctionName="f", Qualifier="blue")

# Concurrency.
assert client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)["ReservedConcurrentExecutions"] == 0
throttled = refused(client.invoke, "TooManyRequestsException", 429, FunctionName="f")
assert throttled["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded", throttled
assert client.get_function_concurrency(FunctionName="f")["ReservedConcurrentExecutions"] == 0
assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000
client.delete_function_concurrency(FunctionName="f")
assert invoke(FunctionName="f", Payload=b"{}")[0]["StatusCode"] == 200

# Settings of asynchronous events, tags, layers.
client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1)
client.update_function_event_invoke_config(FunctionName="f", MaximumEventAgeInSeconds=60)
config = client.get_function_event_invoke_config(FunctionName="f")
assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (1, 60), config
assert len(client.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"]) == 1
client.delete_function_event_invoke_config(FunctionName="f")
refused(client.get_function_event_invoke_config, "ResourceNotFoundException", 404, FunctionName="f")
client.tag_resource(Resource=made["FunctionArn"], Tags={"cost": "b"})
client.untag_resource(Resource=made["FunctionArn"], TagKeys=["team"])
assert client.list_tags(Resource=made["FunctionArn"])["Tags"] == {"cost": "b"}
layer = client.publish_layer_version(LayerName="l", Content={"ZipFile": archive("")}, CompatibleRuntimes=["python3.12"])
assert layer["LayerVersionArn"].endswith(":layer:l:1"), layer
assert client.get_layer_version(LayerName="l", VersionNumber=1)["Version"] == 1
assert len(client.list_layer_versions(LayerName="l")["LayerVersions"]) == 1
client.delete_layer_version(LayerName="l", VersionNumber=1)
refused(client.get_layer_version, "ResourceNotFoundException", 404, LayerName="l", VersionNumber=1)

# Code from S3, and what the function left in the log and in the metrics.
s3 = boto3.client("s3")
s3.create_bucket(Bucket="assets")
s3.put_object(Bucket="assets", Key="code.zip", Body=archive(SOURCE))
code = client.update_function_code(FunctionName="f", S3Bucket="assets", S3Key="code.zip")
assert code["CodeSha256"] == first["CodeSha256"], code
missing = refused(client.update_function_code, "InvalidParameterValueException", 400, FunctionName="f", S3Bucket="assets", S3Key="none")
assert "S3 Error Code: NoSuchKey" in missing["Error"]["Message"], missing
lines = [e["message"].rstrip() for e in boto3.client("logs").filter_log_events(logGroupName="/aws/lambda/f")["events"]]
assert "called" in lines and any(line.startswith("REPORT RequestId") for line in lines), lines
names = {m["MetricName"] for m in boto3.client("cloudwatch").list_metrics(Namespace="AWS/Lambda")["Metrics"]}
assert {"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"} <= names, names

client.delete_alias(FunctionName="f", Name="blue")
refused(client.get_alias, "ResourceNotFoundException", 404, FunctionName="f", Name="blue")
client.delete_function(FunctionName="f", Qualifier="1")
refused(client.get_function, "ResourceNotFoundException", 404, FunctionName="f", Qualifier="1")
client.delete_function(FunctionName="f")
refused(client.invoke, "ResourceNotFoundException", 404, FunctionName="f")
refused(client.delete_function, "ResourceNotFoundException", 404, FunctionName="f")
