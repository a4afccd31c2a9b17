"""Every API Gateway operation that the embedded cloud serves, and HTTP to the stages that they make."""

import io
import json
import os
import urllib.error
import urllib.request
import zipfile

import boto3
from botocore.exceptions import ClientError

client = boto3.client("apigateway")
functions = boto3.client("lambda")


def refused(call, code, status, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
        return error.response
    raise SystemExit(f"{call.__name__}({arguments}) should be refused with {code}")


def patch(*operations):
    return [dict(zip(("op", "path", "value"), operation)) for operation in operations]


def get(stage, path, headers=None):
    url = f"{os.environ['AWS_ENDPOINT_URL']}/_aws/execute-api/{api}/{stage}{path}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {})) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


# A function with two slots: blue runs version 1, green version 2.
def archive(color):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as writer:
        writer.writestr("index.py", f"def handler(event, context): return {{'statusCode': 200, 'body': '{color}'}}")
    return content.getvalue()


arn = functions.create_function(
    FunctionName="color",
    Runtime="python3.12",
    Handler="index.handler",
    Role="arn:aws:iam::000000000000:role/function",
    Code={"ZipFile": archive("blue")},
    Publish=True,
)["FunctionArn"].removesuffix(":1")
functions.update_function_code(FunctionName="color", ZipFile=archive("green"), Publish=True)
for version, color in (("1", "blue"), ("2", "green")):
    functions.create_alias(FunctionName="color", Name=color, FunctionVersion=version)

# The API.
made = client.create_rest_api(name="shop", endpointConfiguration={"types": ["REGIONAL"]}, tags={"team": "a"})
api, root = made["id"], made["rootResourceId"]
assert client.get_rest_api(restApiId=api)["createdDate"] == made["createdDate"]
assert [a["id"] for a in client.get_rest_apis()["items"]] == [api]
updated = client.update_rest_api(restApiId=api, patchOperations=patch(("replace", "/description", "a shop")))
assert updated["description"] == "a shop", updated
refused(client.get_rest_api, "NotFoundException", 404, restApiId="none")

# Resources and methods.
color = client.create_resource(restApiId=api, parentId=root, pathPart="color")["id"]
temporary = client.create_resource(restApiId=api, parentId=root, pathPart="temporary")["id"]
assert client.update_resource(restApiId=api, resourceId=temporary, patchOperations=patch(("replace", "/pathPart", "other")))["path"] == "/other"
assert {r["path"] for r in client.get_resources(restApiId=api)["items"]} == {"/", "/color", "/other"}
client.delete_resource(restApiId=api, resourceId=temporary)
refused(client.get_resource, "NotFoundException", 404, restApiId=api, resourceId=temporary)
method = dict(restApiId=api, resourceId=color, httpMethod="GET")
client.put_method(**method, authorizationType="NONE")
refused(client.create_deployment, "BadRequestException", 400, restApiId=api)
uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}:${{stageVariables.color}}/invocations"
integration = client.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
assert (integration["httpMethod"], integration["uri"], integration["timeoutInMillis"]) == ("POST", uri, 29000), integration
assert client.update_integration(**method, patchOperations=patch(("replace", "/timeoutInMillis", "5000")))["timeoutInMillis"] == 5000
assert client.get_integration(**method)["type"] == "AWS_PROXY"
assert client.update_method(**method, patchOperations=patch(("replace", "/operationName", "GetColor")))["operationName"] == "GetColor"
assert client.get_method(**method)["methodIntegration"]["uri"] == uri
assert "GET" in client.get_resource(restApiId=api, resourceId=color, embed=["methods"])["resourceMethods"]

mock = dict(restApiId=api, resourceId=root, httpMethod="OPTIONS")
client.put_method(**mock, authorizationType="NONE")
client.put_integration(**mock, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
client.put_method_response(**mock, statusCode="200", responseParameters={"method.response.header.X-Mock": False})
client.update_method_response(**mock, statusCode="200", patchOperations=patch(("replace", "/responseParameters/method.response.header.X-Mock", "true")))
assert client.get_method_response(**mock, statusCode="200")["responseParameters"] == {"method.response.header.X-Mock": True}
client.put_integration_response(**mock, statusCode="200", responseParameters={"method.response.header.X-Mock": "'yes'"})
client.update_integration_response(**mock, statusCode="200", patchOperations=patch(("replace", "/selectionPattern", "")))
assert client.get_integration_response(**mock, statusCode="200")["statusCode"] == "200"

# What methods refer to.
authorizer = client.create_authorizer(
    restApiId=api,
    name="keys",
    type="TOKEN",
    authorizerUri=uri,
    identitySource="method.request.header.Authorization",
)["id"]
ttl = client.update_authorizer(restApiId=api, authorizerId=authorizer, patchOperations=patch(("replace", "/authorizerResultTtlInSeconds", "0")))
assert ttl["authorizerResultTtlInSeconds"] == 0, ttl
assert client.get_authorizer(restApiId=api, authorizerId=authorizer)["name"] == "keys"
assert len(client.get_authorizers(restApiId=api)["items"]) == 1
client.delete_authorizer(restApiId=api, authorizerId=authorizer)
client.create_model(restApiId=api, name="Thing", contentType="application/json", schema='{"type": "object"}')
client.update_model(restApiId=api, modelName="Thing", patchOperations=patch(("replace", "/description", "a thing")))
assert client.get_model(restApiId=api, modelName="Thing")["description"] == "a thing"
assert {m["name"] for m in client.get_models(restApiId=api)["items"]} == {"Empty", "Error", "Thing"}
client.delete_model(restApiId=api, modelName="Thing")
validator = client.create_request_validator(restApiId=api, name="v", validateRequestParameters=True)["id"]
client.update_request_validator(restApiId=api, requestValidatorId=validator, patchOperations=patch(("replace", "/validateRequestBody", "true")))
assert client.get_request_validator(restApiId=api, requestValidatorId=validator)["validateRequestBody"] is True
assert len(client.get_request_validators(restApiId=api)["items"]) == 1
client.delete_request_validator(restApiId=api, requestValidatorId=validator)
client.put_gateway_response(restApiId=api, responseType="DEFAULT_4XX", responseParameters={"gatewayresponse.header.X-Own": "'1'"})
client.update_gateway_response(restApiId=api, responseType="DEFAULT_4XX", patchOperations=patch(("replace", "/statusCode", "418")))
assert client.get_gateway_response(restApiId=api, responseType="DEFAULT_4XX")["statusCode"] == "418"
assert client.get_gateway_response(restApiId=api, responseType="THROTTLED")["defaultResponse"] is True
assert len(client.get_gateway_responses(restApiId=api, limit=500)["items"]) > 10
client.delete_gateway_response(restApiId=api, responseType="DEFAULT_4XX")

# Deployments and stages.
first = client.create_deployment(restApiId=api, stageName="prod", variables={"color": "blue"}, description="one")["id"]
client.update_deployment(restApiId=api, deploymentId=first, patchOperations=patch(("replace", "/description", "first")))
described = client.get_deployment(restApiId=api, deploymentId=first, embed=["apisummary"])
assert described["description"] == "first" and "/color" in described["apiSummary"], described
stage = client.create_stage(restApiId=api, stageName="green", deploymentId=first, variables={"color": "green"})
assert stage["variables"] == {"color": "green"}, stage
assert get("prod", "/color") == (500, '{"message":"Internal server error"}'), "no alias has a permission yet"
for name in ("blue", "green"):
    functions.add_permission(
        FunctionName="color",
        Qualifier=name,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{api}/*/GET/color",
    )
assert get("prod", "/color") == (200, "blue")
assert get("green", "/color") == (200, "green")
assert get("prod", "/none") == (403, '{"message":"Missing Authentication Token"}')

# A canary, promoted in one call.
second = client.create_deployment(
    restApiId=api,
    stageName="prod",
    canarySettings={"percentTraffic": 100.0, "stageVariableOverrides": {"color": "green"}},
)["id"]
prod = client.get_stage(restApiId=api, stageName="prod")
assert (prod["deploymentId"], prod["canarySettings"]["deploymentId"]) == (first, second), prod
assert get("prod", "/color") == (200, "green")
percent = client.update_stage(restApiId=api, stageName="prod", patchOperations=patch(("replace", "/canarySettings/percentTraffic", "0")))
assert percent["canarySettings"]["percentTraffic"] == 0.0, percent
assert get("prod", "/color") == (200, "blue")
too_much = patch(("replace", "/canarySettings/percentTraffic", "101"))
refused(client.update_stage, "BadRequestException", 400, restApiId=api, stageName="prod", patchOperations=too_much)
refused(client.create_deployment, "BadRequestException", 400, restApiId=api, stageName="prod")
refused(client.delete_deployment, "BadRequestException", 400, restApiId=api, deploymentId=second)
promoted = client.update_stage(
    restApiId=api,
    stageName="prod",
    patchOperations=[
        {"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"},
        {"op": "replace", "path": "/variables/color", "value": "green"},
        {"op": "remove", "path": "/canarySettings"},
    ],
)
assert promoted["deploymentId"] == second and "canarySettings" not in promoted, promoted
assert get("prod", "/color") == (200, "green")
assert {d["id"] for d in client.get_deployments(restApiId=api)["items"]} == {first, second}
assert {s["stageName"] for s in client.get_stages(restApiId=api)["item"]} == {"prod", "green"}
assert [s["stageName"] for s in client.get_stages(restApiId=api, deploymentId=second)["item"]] == ["prod"]
client.flush_stage_cache(restApiId=api, stageName="prod")
client.flush_stage_authorizers_cache(restApiId=api, stageName="prod")
counts = boto3.client("cloudwatch").list_metrics(Namespace="AWS/ApiGateway", MetricName="Count")["Metrics"]
assert [{"Name": "ApiName", "Value": "shop"}] in [m["Dimensions"] for m in counts], counts

# Keys, plans, tags, the account.
key = client.create_api_key(name="k", enabled=True, value="a-key-of-twenty-letters")
assert "value" not in client.get_api_key(apiKey=key["id"])
assert client.get_api_key(apiKey=key["id"], includeValue=True)["value"] == "a-key-of-twenty-letters"
assert len(client.get_api_keys(includeValues=True)["items"]) == 1
assert client.update_api_key(apiKey=key["id"], patchOperations=patch(("replace", "/description", "d")))["description"] == "d"
plan = client.create_usage_plan(name="p", throttle={"rateLimit": 5.0, "burstLimit": 10}, apiStages=[{"apiId": api, "stage": "prod"}])["id"]
changed = client.update_usage_plan(usagePlanId=plan, patchOperations=patch(("add", "/apiStages", f"{api}:green"), ("replace", "/throttle/rateLimit", "7")))
assert len(changed["apiStages"]) == 2 and changed["throttle"]["rateLimit"] == 7.0, changed
client.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
assert client.get_usage_plan_key(usagePlanId=plan, keyId=key["id"])["name"] == "k"
assert len(client.get_usage_plan_keys(usagePlanId=plan)["items"]) == 1
assert len(client.get_usage_plans(keyId=key["id"])["items"]) == 1
client.update_method(**method, patchOperations=patch(("replace", "/apiKeyRequired", "true")))
third = client.create_deployment(restApiId=api, stageName="green")["id"]
assert get("green", "/color") == (403, '{"message":"Forbidden"}')
assert get("green", "/color", {"x-api-key": "a-key-of-twenty-letters"}) == (200, "green")
client.delete_usage_plan_key(usagePlanId=plan, keyId=key["id"])
assert get("green", "/color", {"x-api-key": "a-key-of-twenty-letters"})[0] == 403
client.delete_usage_plan(usagePlanId=plan)
refused(client.get_usage_plan, "NotFoundException", 404, usagePlanId=plan)
client.delete_api_key(apiKey=key["id"])
tagged = f"arn:aws:apigateway:us-east-1::/restapis/{api}"
client.tag_resource(resourceArn=tagged, tags={"cost": "b"})
client.untag_resource(resourceArn=tagged, tagKeys=["team"])
assert client.get_tags(resourceArn=tagged)["tags"] == {"cost": "b"}
role = "arn:aws:iam::000000000000:role/logs"
client.update_account(patchOperations=patch(("replace", "/cloudwatchRoleArn", role)))
assert client.get_account()["cloudwatchRoleArn"] == role

# Away with it.
client.delete_integration_response(**mock, statusCode="200")
client.delete_method_response(**mock, statusCode="200")
client.delete_integration(**mock)
refused(client.get_integration, "NotFoundException", 404, **mock)
client.delete_method(**mock)
refused(client.get_method, "NotFoundException", 404, **mock)
client.delete_stage(restApiId=api, stageName="green")
client.delete_deployment(restApiId=api, deploymentId=third)
refused(client.get_stage, "NotFoundException", 404, restApiId=api, stageName="green")
client.delete_rest_api(restApiId=api)
assert get("prod", "/color") == (403, '{"message":"Forbidden"}')
