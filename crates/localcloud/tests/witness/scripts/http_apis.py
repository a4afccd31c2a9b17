"""Every operation on HTTP and WebSocket APIs and on connections that the embedded cloud serves."""

import json
import os

import boto3
import websockets.sync.client as websocket

from witnessed import assert_all_called, client, refused

apis = client("apigatewayv2")
connections = client("apigatewaymanagementapi")

target = "arn:aws:lambda:us-east-1:000000000000:function:absent"

api = apis.create_api(Name="shop", ProtocolType="HTTP", Tags={"team": "web"},
                      CorsConfiguration={"AllowOrigins": ["*"], "AllowMethods": ["GET"]})
of = {"ApiId": api["ApiId"]}
assert api["RouteSelectionExpression"] == "$request.method $request.path"
assert api["ApiEndpoint"].startswith(os.environ["AWS_ENDPOINT_URL"]), api
assert api["CreatedDate"].year >= 2024
assert apis.get_api(**of)["CorsConfiguration"]["AllowMethods"] == ["GET"]
assert [a["ApiId"] for a in apis.get_apis()["Items"]] == [api["ApiId"]]
assert apis.update_api(**of, Description="all of it")["Description"] == "all of it"
apis.delete_cors_configuration(**of)
assert "CorsConfiguration" not in apis.get_api(**of)
refused("NotFoundException", 404, apis.get_api, ApiId="nothing123")
refused("BadRequestException", 400, apis.create_api, Name="no", ProtocolType="GRPC")

integration = apis.create_integration(**of, IntegrationType="AWS_PROXY", IntegrationUri=target, PayloadFormatVersion="2.0")
integration_id = {"IntegrationId": integration["IntegrationId"]}
assert integration["TimeoutInMillis"] == 30000
assert apis.get_integration(**of, **integration_id)["IntegrationUri"] == target
assert len(apis.get_integrations(**of)["Items"]) == 1
assert apis.update_integration(**of, **integration_id, TimeoutInMillis=1000)["TimeoutInMillis"] == 1000

authorizer = apis.create_authorizer(
    **of, Name="guard", AuthorizerType="REQUEST", IdentitySource=["$request.header.Authorization"],
    AuthorizerPayloadFormatVersion="2.0", EnableSimpleResponses=True,
    AuthorizerUri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{target}/invocations")
authorizer_id = {"AuthorizerId": authorizer["AuthorizerId"]}
assert apis.get_authorizer(**of, **authorizer_id)["Name"] == "guard"
assert apis.update_authorizer(**of, **authorizer_id, AuthorizerResultTtlInSeconds=5)["AuthorizerResultTtlInSeconds"] == 5
assert len(apis.get_authorizers(**of)["Items"]) == 1

route = apis.create_route(**of, RouteKey="GET /orders/{id}", Target="integrations/" + integration["IntegrationId"])
route_id = {"RouteId": route["RouteId"]}
assert apis.get_route(**of, **route_id)["AuthorizationType"] == "NONE"
assert apis.update_route(**of, **route_id, AuthorizationType="CUSTOM", **authorizer_id)["AuthorizationType"] == "CUSTOM"
assert [r["RouteKey"] for r in apis.get_routes(**of)["Items"]] == ["GET /orders/{id}"]
refused("ConflictException", 409, apis.create_route, **of, RouteKey="GET /orders/{id}")
refused("ConflictException", 409, apis.delete_integration, **of, **integration_id)

stage = apis.create_stage(**of, StageName="prod", StageVariables={"a": "b"},
                          RouteSettings={"GET /orders/{id}": {"ThrottlingRateLimit": 5.0, "ThrottlingBurstLimit": 5}})
assert "DeploymentId" not in stage
deployment = apis.create_deployment(**of, StageName="prod", Description="first")
assert deployment["DeploymentStatus"] == "DEPLOYED"
deployment_id = {"DeploymentId": deployment["DeploymentId"]}
assert apis.get_stage(**of, StageName="prod")["DeploymentId"] == deployment["DeploymentId"]
assert apis.update_deployment(**of, **deployment_id, Description="1")["Description"] == "1"
assert apis.get_deployment(**of, **deployment_id)["AutoDeployed"] is False
assert len(apis.get_deployments(**of)["Items"]) == 1
apis.delete_route_settings(**of, StageName="prod", RouteKey="GET /orders/{id}")
assert apis.update_stage(**of, StageName="prod", StageVariables={"a": "c"})["StageVariables"] == {"a": "c"}
assert [s["StageName"] for s in apis.get_stages(**of)["Items"]] == ["prod"]
apis.reset_authorizers_cache(**of, StageName="prod")
refused("ConflictException", 409, apis.create_stage, **of, StageName="prod")

arn = f"arn:aws:apigateway:us-east-1::/apis/{api['ApiId']}"
apis.tag_resource(ResourceArn=arn, Tags={"cost": "1"})
apis.untag_resource(ResourceArn=arn, TagKeys=["team"])
assert apis.get_tags(ResourceArn=arn)["Tags"] == {"cost": "1"}
apis.tag_resource(ResourceArn=arn + "/stages/prod", Tags={"live": "yes"})
assert apis.get_tags(ResourceArn=arn + "/stages/prod")["Tags"] == {"live": "yes"}

refused("BadRequestException", 400, apis.delete_deployment, **of, **deployment_id)
apis.delete_stage(**of, StageName="prod")
apis.delete_deployment(**of, **deployment_id)
apis.delete_route(**of, **route_id)
apis.delete_integration(**of, **integration_id)
apis.delete_authorizer(**of, **authorizer_id)
apis.delete_api(**of)

# WebSocket APIs: responses, and the management of connections.
api = apis.create_api(Name="events", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
of = {"ApiId": api["ApiId"]}
integration = apis.create_integration(**of, IntegrationType="MOCK", RequestTemplates={"$default": "{}"})
integration_id = {"IntegrationId": integration["IntegrationId"]}
response = apis.create_integration_response(**of, **integration_id, IntegrationResponseKey="$default")
response_id = {"IntegrationResponseId": response["IntegrationResponseId"]}
assert apis.get_integration_response(**of, **integration_id, **response_id)["IntegrationResponseKey"] == "$default"
apis.update_integration_response(**of, **integration_id, **response_id, IntegrationResponseKey="/2\\d\\d/")
assert len(apis.get_integration_responses(**of, **integration_id)["Items"]) == 1
route = apis.create_route(**of, RouteKey="$connect", Target="integrations/" + integration["IntegrationId"])
route_id = {"RouteId": route["RouteId"]}
response = apis.create_route_response(**of, **route_id, RouteResponseKey="$default")
response_id_2 = {"RouteResponseId": response["RouteResponseId"]}
assert apis.get_route_response(**of, **route_id, **response_id_2)["RouteResponseKey"] == "$default"
apis.update_route_response(**of, **route_id, **response_id_2, ModelSelectionExpression="$default")
assert len(apis.get_route_responses(**of, **route_id)["Items"]) == 1
apis.create_stage(**of, StageName="prod", AutoDeploy=True)

endpoint = api["ApiEndpoint"] + "/prod"
assert endpoint.startswith("ws://")
# As AWS documents it: the stage's own address.
of_stage = boto3.client("apigatewaymanagementapi", endpoint_url=endpoint.replace("ws://", "http://"))
with websocket.connect(endpoint, subprotocols=["chat"]) as socket:
    socket.send("anything")
    known = json.loads(socket.recv(timeout=300))
    assert known["message"] == "Forbidden", known
    id = known["connectionId"]
    connections.post_to_connection(ConnectionId=id, Data=b"one")
    of_stage.post_to_connection(ConnectionId=id, Data=b"two")
    assert [socket.recv(timeout=300), socket.recv(timeout=300)] == ["one", "two"]
    described = connections.get_connection(ConnectionId=id)
    assert described["Identity"]["SourceIp"] == "127.0.0.1"
    assert described["ConnectedAt"] <= described["LastActiveAt"]
    connections.delete_connection(ConnectionId=id)
    refused("GoneException", 410, connections.post_to_connection, ConnectionId=id, Data=b"three")

apis.delete_route_response(**of, **route_id, **response_id_2)
apis.delete_integration_response(**of, **integration_id, **response_id)
apis.delete_api(**of)

assert_all_called("apigatewayv2")
assert_all_called("apigatewaymanagementapi")
