// WebSocket APIs: integrations of all kinds, authorizers, answers, stages, domains; event sources in their options.
import * as cdk from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as apigwv2 from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketIamAuthorizer, WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { WebSocketAwsIntegration, WebSocketLambdaIntegration, WebSocketMockIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';

export function build(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Sockets');
  const fn = (id: string) => new lambda.Function(stack, id, { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
  const handler = fn('Fn');
  const check = fn('Check');
  const shared = new WebSocketLambdaIntegration('Shared', handler, { timeout: cdk.Duration.seconds(3), contentHandling: apigwv2.ContentHandling.CONVERT_TO_TEXT });
  const authorizer = new WebSocketLambdaAuthorizer('Auth', check, { identitySource: ['route.request.querystring.token'], authorizerName: 'tokens' });
  const api = new apigwv2.WebSocketApi(stack, 'Api', {
    apiName: 'sockets', description: 'live', routeSelectionExpression: '$request.body.kind', apiKeySelectionExpression: apigwv2.WebSocketApiKeySelectionExpression.HEADER_X_API_KEY,
    ipAddressType: apigwv2.IpAddressType.DUAL_STACK, disableSchemaValidation: true,
    connectRouteOptions: { integration: shared, authorizer }, disconnectRouteOptions: { integration: shared },
  });
  api.addRoute('ping', { integration: new WebSocketMockIntegration('Ping', { requestTemplates: { pong: '{"statusCode":200}' }, templateSelectionExpression: 'pong' }), returnResponse: true, apiKeyRequired: true });
  const role = new iam.Role(stack, 'Writer', { assumedBy: new iam.ServicePrincipal('apigateway.amazonaws.com') });
  api.addRoute('put', { integration: new WebSocketAwsIntegration('Put', {
    integrationUri: `arn:aws:apigateway:${stack.region}:dynamodb:action/PutItem`, integrationMethod: apigwv2.HttpMethod.POST, credentialsRole: role, passthroughBehavior: apigwv2.PassthroughBehavior.NEVER,
    requestParameters: { 'integration.request.header.Content-Type': "'application/x-amz-json-1.0'" }, requestTemplates: { '\\$default': '{"TableName":"t"}' }, templateSelectionExpression: '\\$default',
    contentHandling: apigwv2.ContentHandling.CONVERT_TO_BINARY, timeout: cdk.Duration.millis(750),
  }) });
  const group = new logs.LogGroup(stack, 'Access');
  const certificate = acm.Certificate.fromCertificateArn(stack, 'Certificate', 'arn:aws:acm:eu-west-1:123456789012:certificate/0b2a0c5a-0000-4000-8000-000000000001');
  const domainName = new apigwv2.DomainName(stack, 'Domain', { domainName: 'ws.example.com', certificate });
  const stage = new apigwv2.WebSocketStage(stack, 'Stage', {
    webSocketApi: api, stageName: 'live', description: 'now', throttle: { rateLimit: 10, burstLimit: 20 }, detailedMetricsEnabled: true, stageVariables: { color: 'blue' },
    accessLogSettings: { destination: new apigwv2.LogGroupLogDestination(group) }, domainMapping: { domainName, mappingKey: 'v1' },
  });
  const caller = new iam.Role(stack, 'Caller', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  api.grantManageConnections(caller);
  stage.grantManagementApiAccess(caller);
  const signed = new apigwv2.WebSocketApi(stack, 'Signed', { connectRouteOptions: { integration: new WebSocketLambdaIntegration('Connect', handler), authorizer: new WebSocketIamAuthorizer() } });
  const alarm = (id: string, metric: cloudwatch.IMetric) => new cloudwatch.Alarm(stack, id, { metric, threshold: 1, evaluationPeriods: 1 });
  alarm('Messages', api.metric('MessageCount'));
  alarm('Connects', stage.metric('ConnectCount', { statistic: 'Sum' }));
  new cdk.CfnOutput(stack, 'Callback', { value: stage.callbackUrl });
  new cdk.CfnOutput(stack, 'Endpoint', { value: signed.apiEndpoint });
  new cdk.CfnOutput(stack, 'Arn', { value: api.arnForExecuteApiV2('$connect', 'live') });
}
