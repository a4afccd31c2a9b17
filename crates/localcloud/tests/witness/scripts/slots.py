"""A stack with two slots behind one API, made by CloudFormation, then a rollout's calls and a stack update amid it."""

import io
import json
import os
import urllib.error
import urllib.request
import zipfile

import boto3

stacks = boto3.client("cloudformation")
gateway = boto3.client("apigateway")
functions = boto3.client("lambda")

SOURCE = """
def handler(event, context):
    return {"statusCode": 200, "body": context.function_version + ":" + event["pathParameters"]["id"]}
"""
AUTHORIZER = """
def handler(event, context):
    effect = "Allow" if event["authorizationToken"] == "let me in" else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {"principalId": "user", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
"""


def function(source):
    role = {"Fn::GetAtt": ["Role", "Arn"]}
    properties = {"Runtime": "python3.12", "Handler": "index.handler", "Role": role, "Code": {"ZipFile": source}}
    return {"Type": "AWS::Lambda::Function", "Properties": properties}


def slot(color):
    alias = {"FunctionName": {"Ref": "Function"}, "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]}, "Name": color}
    source_arn = {"Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/GET/things/*"}
    permission = {
        "FunctionName": {"Ref": f"Alias{color}"},
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": source_arn,
    }
    return {
        f"Alias{color}": {"Type": "AWS::Lambda::Alias", "Properties": alias},
        f"Permission{color}": {"Type": "AWS::Lambda::Permission", "Properties": permission},
    }


def stage(name, color, **more):
    properties = {
        "RestApiId": {"Ref": "Api"},
        "DeploymentId": {"Ref": "Deployment"},
        "StageName": name,
        "Variables": {"color": color},
        "MethodSettings": [
            {"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 1000, "ThrottlingBurstLimit": 2000, "MetricsEnabled": True}
        ],
        **more,
    }
    return {"Type": "AWS::ApiGateway::Stage", "Properties": properties}


def template(**more):
    invoke = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    resources = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
        },
        "Function": function(SOURCE),
        "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
        **slot("blue"),
        **slot("green"),
        "AuthorizerFunction": function(AUTHORIZER),
        "AuthorizerPermission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Fn::GetAtt": ["AuthorizerFunction", "Arn"]},
                "Action": "lambda:InvokeFunction",
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/authorizers/${Authorizer}"},
            },
        },
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "things"}},
        "Authorizer": {
            "Type": "AWS::ApiGateway::Authorizer",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "Name": "tokens",
                "Type": "TOKEN",
                "IdentitySource": "method.request.header.Authorization",
                "AuthorizerUri": {"Fn::Sub": invoke + "${AuthorizerFunction.Arn}/invocations"},
            },
        },
        "Things": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {"RestApiId": {"Ref": "Api"}, "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "PathPart": "things"},
        },
        "Thing": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {"RestApiId": {"Ref": "Api"}, "ParentId": {"Ref": "Things"}, "PathPart": "{id}"},
        },
        "Get": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                "RestApiId": {"Ref": "Api"},
                "ResourceId": {"Ref": "Thing"},
                "HttpMethod": "GET",
                "AuthorizationType": "CUSTOM",
                "AuthorizerId": {"Ref": "Authorizer"},
                "Integration": {
                    "Type": "AWS_PROXY",
                    "IntegrationHttpMethod": "POST",
                    "Uri": {"Fn::Sub": invoke + "${Function.Arn}:${!stageVariables.color}/invocations"},
                },
            },
        },
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "DependsOn": "Get", "Properties": {"RestApiId": {"Ref": "Api"}}},
        "Prod": stage("prod", "blue", **more),
        "Blue": stage("blue", "blue"),
        "Green": stage("green", "green"),
    }
    outputs = {"Api": {"Value": {"Ref": "Api"}}, "Function": {"Value": {"Ref": "Function"}}}
    return json.dumps({"Resources": resources, "Outputs": outputs})


def get(stage, token="let me in"):
    url = f"{os.environ['AWS_ENDPOINT_URL']}/_aws/execute-api/{api}/{stage}/things/7"
    headers = {"Authorization": token} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def patch(*operations):
    operations = [dict(zip(("op", "path", "value"), operation)) for operation in operations]
    return gateway.update_stage(restApiId=api, stageName="prod", patchOperations=operations)


stacks.create_stack(StackName="things", TemplateBody=template(), Capabilities=["CAPABILITY_IAM"])
stacks.get_waiter("stack_create_complete").wait(StackName="things", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
outputs = {o["OutputKey"]: o["OutputValue"] for o in stacks.describe_stacks(StackName="things")["Stacks"][0]["Outputs"]}
api, name = outputs["Api"], outputs["Function"]
for live in ("prod", "blue", "green"):
    assert get(live) == (200, "1:7"), (live, get(live))
assert get("prod", None) == (401, '{"message":"Unauthorized"}')
assert get("prod", "somebody")[0] == 403

# A release into the idle slot.
content = io.BytesIO()
with zipfile.ZipFile(content, "w") as writer:
    writer.writestr("index.py", SOURCE + "# new")
functions.update_function_code(FunctionName=name, ZipFile=content.getvalue())
version = functions.publish_version(FunctionName=name)["Version"]
alias = functions.get_alias(FunctionName=name, Name="green")
functions.update_alias(FunctionName=name, Name="green", FunctionVersion=version, RevisionId=alias["RevisionId"])
assert get("green") == (200, "2:7") and get("prod") == (200, "1:7")

# The shift; a stack update amid it moves neither canary nor alias.
deployment = gateway.create_deployment(restApiId=api)["id"]
patch(
    ("replace", "/canarySettings/percentTraffic", "100"),
    ("replace", "/canarySettings/deploymentId", deployment),
    ("replace", "/canarySettings/stageVariableOverrides/color", "green"),
)
assert get("prod") == (200, "2:7")
stacks.update_stack(StackName="things", TemplateBody=template(Description="live"), Capabilities=["CAPABILITY_IAM"])
stacks.get_waiter("stack_update_complete").wait(StackName="things", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
prod = gateway.get_stage(restApiId=api, stageName="prod")
assert prod["description"] == "live" and prod["canarySettings"]["deploymentId"] == deployment, prod
assert functions.get_alias(FunctionName=name, Name="green")["FunctionVersion"] == version
assert get("prod") == (200, "2:7")

# Promoted, and back again.
patch(("replace", "/deploymentId", deployment), ("replace", "/variables/color", "green"), ("remove", "/canarySettings"))
assert get("prod") == (200, "2:7")
patch(("replace", "/variables/color", "blue"))
assert get("prod") == (200, "1:7")

stacks.delete_stack(StackName="things")
stacks.get_waiter("stack_delete_complete").wait(StackName="things", WaiterConfig={"Delay": 1, "MaxAttempts": 600})
assert get("prod") == (403, '{"message":"Forbidden"}')
assert functions.list_functions()["Functions"] == []
