"""A stack whose entry points call a live alias: an HTTP API and a WebSocket API, with traffic while weights move."""

import json
import os
import time
import urllib.error
import urllib.request

import boto3
import websockets
import websockets.sync.client as websocket

from witnessed import refused

stacks = boto3.client("cloudformation")
gateway = boto3.client("apigatewayv2")
functions = boto3.client("lambda")
endpoint = os.environ["AWS_ENDPOINT_URL"]

SOURCE = """
import json, os, boto3
def handler(event, context):
    routed = event["requestContext"]
    version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
    if routed.get("eventType") == "CONNECT" and "stranger" in (event.get("queryStringParameters") or {}):
        return {"statusCode": 403}
    if routed.get("routeKey") == "push":
        boto3.client("apigatewaymanagementapi").post_to_connection(
            ConnectionId=routed["connectionId"], Data=json.dumps({"pushed": version}))
    return {"statusCode": 200, "body": json.dumps({"version": version, "route": routed["routeKey"]})}
"""


def reference(name):
    return {"Ref": name}


def permission(api):
    source = {"Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${%s}/*" % api}
    return {"Type": "AWS::Lambda::Permission", "Properties": {
        "FunctionName": reference("Live"), "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com", "SourceArn": source}}


def integration(api, version):
    return {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {
        "ApiId": reference(api), "IntegrationType": "AWS_PROXY", "PayloadFormatVersion": version,
        "IntegrationUri": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Live}/invocations"}
        if version == "1.0" else reference("Live")}}


def route(api, key, target, **more):
    return {"Type": "AWS::ApiGatewayV2::Route", "Properties": {
        "ApiId": reference(api), "RouteKey": key, "Target": {"Fn::Join": ["/", ["integrations", reference(target)]]}, **more}}


def stage(api, name):
    return {"Type": "AWS::ApiGatewayV2::Stage", "Properties": {
        "ApiId": reference(api), "StageName": name, "AutoDeploy": True}}


def template(**more):
    return {"Resources": {
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {
            "Runtime": "python3.12", "Handler": "index.handler", "Timeout": 10,
            "Role": "arn:aws:iam::000000000000:role/function", "Code": {"ZipFile": SOURCE}}},
        "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": reference("Function")}},
        "Live": {"Type": "AWS::Lambda::Alias", "Properties": {
            "FunctionName": reference("Function"), "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]}, "Name": "live"}},
        "Http": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "orders", "ProtocolType": "HTTP", **more}},
        "HttpPermission": permission("Http"),
        "HttpIntegration": integration("Http", "2.0"),
        "HttpRoute": route("Http", "GET /orders/{id}", "HttpIntegration"),
        "HttpDefault": route("Http", "$default", "HttpIntegration"),
        "HttpStage": stage("Http", "$default"),
        "Socket": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {
            "Name": "events", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"}},
        "SocketPermission": permission("Socket"),
        "SocketIntegration": integration("Socket", "1.0"),
        "SocketConnect": route("Socket", "$connect", "SocketIntegration"),
        "SocketPush": route("Socket", "push", "SocketIntegration"),
        "SocketAsk": route("Socket", "ask", "SocketIntegration", RouteResponseSelectionExpression="$default"),
        "SocketAnswer": {"Type": "AWS::ApiGatewayV2::RouteResponse", "Properties": {
            "ApiId": reference("Socket"), "RouteId": reference("SocketAsk"), "RouteResponseKey": "$default"}},
        "SocketStage": stage("Socket", "prod"),
    }, "Outputs": {
        "Function": {"Value": reference("Function")},
        "Http": {"Value": {"Fn::GetAtt": ["Http", "ApiEndpoint"]}},
        "HttpId": {"Value": {"Fn::GetAtt": ["Http", "ApiId"]}},
        "Socket": {"Value": {"Fn::GetAtt": ["Socket", "ApiEndpoint"]}},
        "SocketId": {"Value": reference("Socket")},
    }}


stacks.create_stack(StackName="live", TemplateBody=json.dumps(template()))
stacks.get_waiter("stack_create_complete").wait(StackName="live", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
outputs = {o["OutputKey"]: o["OutputValue"] for o in stacks.describe_stacks(StackName="live")["Stacks"][0]["Outputs"]}
function = outputs["Function"]


def http(path):
    with urllib.request.urlopen(outputs["Http"] + path) as answer:
        return json.loads(answer.read())


assert http("/orders/7") == {"version": "1", "route": "GET /orders/{id}"}
assert http("/anything") == {"version": "1", "route": "$default"}

# The second version beside the first, moved by compare-and-swap.
functions.update_function_configuration(FunctionName=function, Description="second")
assert functions.publish_version(FunctionName=function)["Version"] == "2"
alias = functions.get_alias(FunctionName=function, Name="live")


def weigh(weight):
    global alias
    alias = functions.update_alias(
        FunctionName=function, Name="live", RevisionId=alias["RevisionId"],
        RoutingConfig={"AdditionalVersionWeights": {"2": weight}})


with websocket.connect(outputs["Socket"] + "/prod") as client:
    def ask():
        client.send(json.dumps({"action": "ask"}))
        return json.loads(client.recv(timeout=300))

    assert ask() == {"version": "1", "route": "ask"}
    # One connection, and a version for each message.
    weigh(0.5)
    versions = {ask()["version"] for _ in range(40)}
    assert versions == {"1", "2"}, versions
    assert {http("/orders/1")["version"] for _ in range(40)} == {"1", "2"}
    weigh(1.0)
    assert {ask()["version"] for _ in range(10)} == {"2"}, "the whole share"
    assert {http("/orders/1")["version"] for _ in range(10)} == {"2"}
    weigh(0.0)
    assert {ask()["version"] for _ in range(10)} == {"1"}
    client.send(json.dumps({"action": "push"}))
    assert json.loads(client.recv(timeout=300)) == {"pushed": "1"}

try:
    websocket.connect(outputs["Socket"] + "/prod?stranger=1")
    raise SystemExit("the handshake should be refused")
except websockets.exceptions.InvalidStatus as error:
    assert error.response.status_code == 403, error.response

# A stack update keeps what moved.
weigh(0.5)
stacks.update_stack(StackName="live", TemplateBody=json.dumps(template(Description="changed")))
stacks.get_waiter("stack_update_complete").wait(StackName="live", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
assert functions.get_alias(FunctionName=function, Name="live")["RevisionId"] == alias["RevisionId"]
assert gateway.get_api(ApiId=outputs["HttpId"])["Description"] == "changed"
refused("PreconditionFailedException", 412, functions.update_alias,
        FunctionName=function, Name="live", FunctionVersion="2", RevisionId="stale")

# Without the alias's own permission nothing is called.
policy = json.loads(functions.get_policy(FunctionName=function, Qualifier="live")["Policy"])
refused("ResourceNotFoundException", 404, functions.get_policy, FunctionName=function)
for statement in policy["Statement"]:
    functions.remove_permission(FunctionName=function, Qualifier="live", StatementId=statement["Sid"])
try:
    http("/orders/7")
    raise SystemExit("nobody may call the alias")
except urllib.error.HTTPError as error:
    assert error.code == 500, error

metrics = boto3.client("cloudwatch")


def total(namespace, name, **dimensions):
    now = time.time()
    points = metrics.get_metric_statistics(
        Namespace=namespace, MetricName=name, StartTime=now - 600, EndTime=now + 60, Period=660, Statistics=["Sum"],
        Dimensions=[{"Name": k, "Value": v} for k, v in dimensions.items()])["Datapoints"]
    return sum(point["Sum"] for point in points)


assert total("AWS/ApiGateway", "Count", ApiId=outputs["HttpId"], Stage="$default") == 53
assert total("AWS/ApiGateway", "5xx", ApiId=outputs["HttpId"], Stage="$default") == 1
assert total("AWS/ApiGateway", "ConnectCount", ApiId=outputs["SocketId"], Stage="prod") == 2
assert total("AWS/ApiGateway", "IntegrationError", ApiId=outputs["SocketId"], Stage="prod") == 1
calls = [total("AWS/Lambda", "Invocations", FunctionName=function, Resource=function + ":live", ExecutedVersion=version)
         for version in ("1", "2")]
assert sum(calls) == total("AWS/Lambda", "Invocations", FunctionName=function, Resource=function + ":live"), calls
assert min(calls) > 10, calls

stacks.delete_stack(StackName="live")
stacks.get_waiter("stack_delete_complete").wait(StackName="live", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
assert gateway.get_apis()["Items"] == []
