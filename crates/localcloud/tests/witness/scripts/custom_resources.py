"""Custom resources as their authors write them: made, changed, replaced, removed, refused, silent."""

import json

import boto3
from botocore.exceptions import WaiterError

cfn = boto3.client("cloudformation")
logs = boto3.client("logs")
FAST = {"Delay": 0.1, "MaxAttempts": 6000}

# As the CDK's own providers do it: https, and nothing of the URL but host and path.
NODE = """
const https = require('https');
exports.handler = async (event) => {
  const { Mode, Name, Flag } = event.ResourceProperties;
  console.log('asked ' + JSON.stringify(event));
  if (Mode === 'throw') throw new Error('broken on purpose');
  if (Mode === 'silent') return;
  const { hostname, pathname } = new URL(event.ResponseURL);
  const answer = { Status: Mode === 'fail' ? 'FAILED' : 'SUCCESS', Reason: 'because', PhysicalResourceId: 'thing-' + Name,
    StackId: event.StackId, RequestId: event.RequestId, LogicalResourceId: event.LogicalResourceId, Data: { 'Seen.Flag': typeof Flag + Flag } };
  await new Promise((resolve, reject) => {
    const request = https.request({ hostname, path: pathname, method: 'PUT' }, (response) => { response.resume(); resolve(); });
    request.on('error', reject);
    request.end(JSON.stringify(answer));
  });
};
"""
PYTHON = """
import boto3, cfnresponse
def handler(event, context):
    name = event["ResourceProperties"]["Parameter"]
    if event["RequestType"] == "Delete":
        boto3.client("ssm").delete_parameter(Name=name)
    else:
        boto3.client("ssm").put_parameter(Name=name, Value=event["StackId"], Type="String", Overwrite=True)
    cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Version": 1}, name)
"""
OLD_NODE = """
const response = require('cfn-response');
exports.handler = (event, context) => response.send(event, context, response.SUCCESS, { Kind: event.ResourceType });
"""


def function(name, runtime, code):
    role = "arn:aws:iam::000000000000:role/any"
    properties = {"FunctionName": name, "Runtime": runtime, "Handler": "index.handler", "Role": role, "Code": {"ZipFile": code}}
    return {"Type": "AWS::Lambda::Function", "Properties": {**properties, "Timeout": 30}}


def template(**properties):
    token = {"Fn::GetAtt": ["Node", "Arn"]}
    resources = {
        "Node": function("provider", "nodejs24.x", NODE),
        "Python": function("snake", "python3.13", PYTHON),
        "Old": function("old", "nodejs24.x", OLD_NODE),
        "Thing": {"Type": "Custom::Thing", "Properties": {"ServiceToken": token, "Flag": True, **properties}},
        "Mark": {
            "Type": "AWS::CloudFormation::CustomResource",
            "Properties": {"ServiceToken": {"Fn::GetAtt": ["Python", "Arn"]}, "Parameter": "/mark"},
        },
        "Plain": {"Type": "Custom::Plain", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Old", "Arn"]}}},
    }
    outputs = {
        "Id": {"Value": {"Ref": "Thing"}},
        "Flag": {"Value": {"Fn::GetAtt": ["Thing", "Seen.Flag"]}},
        "Kind": {"Value": {"Fn::GetAtt": ["Plain", "Kind"]}},
    }
    return json.dumps({"Resources": resources, "Outputs": outputs})


def outputs(stack):
    described = cfn.describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def asked(name):
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/provider", filterPattern="asked")
    events = [json.loads(event["message"].split("asked ", 1)[1]) for page in pages for event in page["events"]]
    return [(e["RequestType"], e.get("PhysicalResourceId")) for e in events if e["StackId"].split("/")[1] == name]


def reasons(stack):
    events = cfn.describe_stack_events(StackName=stack)["StackEvents"]
    return [event["ResourceStatusReason"] for event in events if event["ResourceStatus"].endswith("_FAILED") and "ResourceStatusReason" in event]


stack = "custom"
cfn.create_stack(StackName=stack, TemplateBody=template(Name="one"))
cfn.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig=FAST)
assert outputs(stack) == {"Id": "thing-one", "Flag": "stringtrue", "Kind": "Custom::Plain"}, outputs(stack)
ssm = boto3.client("ssm")
assert ssm.get_parameter(Name="/mark")["Parameter"]["Value"].startswith("arn:aws:cloudformation:")

# The same id is an update; another one is a replacement, whose old one goes in the cleanup.
cfn.update_stack(StackName=stack, TemplateBody=template(Name="one", More=["a", 1]))
cfn.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig=FAST)
cfn.update_stack(StackName=stack, TemplateBody=template(Name="two"))
cfn.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig=FAST)
assert outputs(stack)["Id"] == "thing-two"
expected = [("Create", None), ("Update", "thing-one"), ("Update", "thing-one"), ("Delete", "thing-one")]
assert asked(stack) == expected, asked(stack)

# What it refuses takes the stack back.
cfn.update_stack(StackName=stack, TemplateBody=template(Name="two", Mode="fail"))
try:
    cfn.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig=FAST)
    raise SystemExit("the update should fail")
except WaiterError:
    pass
assert any("Message returned: because" in reason for reason in reasons(stack)), reasons(stack)
cfn.get_waiter("stack_rollback_complete").wait(StackName=stack, WaiterConfig=FAST)

cfn.delete_stack(StackName=stack)
cfn.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig=FAST)
assert asked(stack)[-1] == ("Delete", "thing-two"), asked(stack)
assert ssm.get_parameters(Names=["/mark"])["InvalidParameters"] == ["/mark"]

for mode, words in [("throw", "broken on purpose"), ("silent", "did not receive a response")]:
    cfn.create_stack(StackName=mode, TemplateBody=template(Name="x", Mode=mode, ServiceTimeout=1), OnFailure="DO_NOTHING")
    try:
        cfn.get_waiter("stack_create_complete").wait(StackName=mode, WaiterConfig=FAST)
        raise SystemExit(f"{mode}: the creation should fail")
    except WaiterError:
        assert any(words in reason for reason in reasons(mode)), reasons(mode)
    # Functions have names here, so one stack at a time; a resource that was never made is not asked to go.
    cfn.delete_stack(StackName=mode)
    cfn.get_waiter("stack_delete_complete").wait(StackName=mode, WaiterConfig=FAST)
