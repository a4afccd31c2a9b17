// HTTP APIs: routes, integrations, authorizers, CORS, stages, domains, VPC links, metrics.
import * as cdk from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as apigwv2 from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer, HttpJwtAuthorizer, HttpLambdaAuthorizer, HttpLambdaResponseType } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpAlbIntegration, HttpEventBridgeIntegration, HttpLambdaIntegration, HttpSqsIntegration, HttpStepFunctionsIntegration, HttpUrlIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';

const { GET, POST, DELETE, PUT } = apigwv2.HttpMethod;
const CERTIFICATE = 'arn:aws:acm:eu-west-1:123456789012:certificate/0b2a0c5a-0000-4000-8000-000000000001';

export function build(app: cdk.App) {
  plain(app);
  secured(app);
  services(app);
  staged(app);
}

const fn = (stack: cdk.Stack, id: string) => new lambda.Function(stack, id, { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });

function plain(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Plain');
  const handler = fn(stack, 'Fn');
  new apigwv2.HttpApi(stack, 'Bare');
  const integration = new HttpLambdaIntegration('Everything', handler);
  const api = new apigwv2.HttpApi(stack, 'Api', {
    apiName: 'public', description: 'the public face', defaultIntegration: integration, ipAddressType: apigwv2.IpAddressType.DUAL_STACK, routeSelectionExpression: true,
    corsPreflight: {
      allowOrigins: ['https://example.com'], allowMethods: [apigwv2.CorsHttpMethod.GET, apigwv2.CorsHttpMethod.ANY], allowHeaders: ['authorization'],
      exposeHeaders: ['x-request-id'], allowCredentials: true, maxAge: cdk.Duration.hours(1),
    },
  });
  api.addRoutes({ path: '/yields', integration });
  api.addRoutes({ path: '/yields/{chain}/{proxy+}', methods: [GET, POST], integration });
  api.addRoutes({ path: '/', methods: [GET], integration: new HttpLambdaIntegration('Home', handler, {
    payloadFormatVersion: apigwv2.PayloadFormatVersion.VERSION_1_0, timeout: cdk.Duration.seconds(5), scopePermissionToRoute: false,
    parameterMapping: new apigwv2.ParameterMapping().appendHeader('x-a', apigwv2.MappingValue.requestHeader('x-b')).overwritePath(apigwv2.MappingValue.custom('/x')).removeHeader('cookie')
      .overwriteQueryString('chain', apigwv2.MappingValue.requestPathParam('chain')).appendQueryString('stage', apigwv2.MappingValue.stageVariable('color')).removeQueryString('token').overwriteHeader('x-id', apigwv2.MappingValue.contextVariable('requestId')),
  }) });
  api.addRoutes({ path: '/proxy', methods: [GET], integration: new HttpUrlIntegration('Proxy', 'https://example.com/{proxy}') });
  api.addRoutes({ path: '/pets', methods: [PUT], integration: new HttpUrlIntegration('Pets', 'https://example.com/pets', { method: POST, timeout: cdk.Duration.millis(500) }) });
  const version = handler.currentVersion;
  const live = new lambda.Alias(stack, 'Live', { aliasName: 'live', version });
  api.addRoutes({ path: '/live', methods: [GET], integration: new HttpLambdaIntegration('Live', live, { scopePermissionToRoute: false }) });
  const alarm = (id: string, metric: cloudwatch.IMetric) => new cloudwatch.Alarm(stack, id, { metric, threshold: 1, evaluationPeriods: 1 });
  alarm('ClientErrors', api.metricClientError());
  alarm('ServerErrors', api.metricServerError({ period: cdk.Duration.minutes(1) }));
  alarm('Count', api.metricCount());
  alarm('Latency', api.metricLatency({ statistic: 'p99' }));
  alarm('IntegrationLatency', api.metricIntegrationLatency());
  alarm('StageErrors', api.defaultStage!.metricServerError());
  alarm('Data', api.defaultStage!.metricDataProcessed());
  new cdk.CfnOutput(stack, 'Url', { value: api.url! });
  new cdk.CfnOutput(stack, 'Endpoint', { value: api.apiEndpoint });
  new cdk.CfnOutput(stack, 'Arn', { value: api.arnForExecuteApi('GET', '/yields', 'prod') });
}

function secured(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Secured', { env: { account: '123456789012', region: 'eu-west-1' } });
  const handler = fn(stack, 'Fn');
  const check = fn(stack, 'Check');
  const integration = new HttpLambdaIntegration('Integration', handler);
  const jwt = new HttpJwtAuthorizer('Jwt', 'https://issuer.example.com', { jwtAudience: ['app', 'other'] });
  const api = new apigwv2.HttpApi(stack, 'Api', { defaultAuthorizer: jwt, defaultAuthorizationScopes: ['read'], defaultIntegration: integration, createDefaultStage: false, disableExecuteApiEndpoint: true });
  api.addRoutes({ path: '/read', methods: [GET], integration });
  api.addRoutes({ path: '/write', methods: [POST], integration, authorizationScopes: ['write', 'read'] });
  api.addRoutes({ path: '/open', methods: [GET], integration, authorizer: new apigwv2.HttpNoneAuthorizer() });
  api.addRoutes({ path: '/simple', methods: [GET], integration, authorizer: new HttpLambdaAuthorizer('Simple', check, { responseTypes: [HttpLambdaResponseType.SIMPLE], authorizerName: 'keys', identitySource: ['$request.header.x-api-key'], resultsCacheTtl: cdk.Duration.seconds(0) }) });
  const policy = new HttpLambdaAuthorizer('Policy', check);
  api.addRoutes({ path: '/policy', methods: [GET, DELETE], integration, authorizer: policy });
  const both = new HttpLambdaAuthorizer('Both', check, { responseTypes: [HttpLambdaResponseType.IAM, HttpLambdaResponseType.SIMPLE], role: new iam.Role(stack, 'Invoker', { assumedBy: new iam.ServicePrincipal('apigateway.amazonaws.com') }) });
  api.addRoutes({ path: '/both', methods: [GET], integration, authorizer: both });
  const caller = new iam.Role(stack, 'Caller', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  const [signed] = api.addRoutes({ path: '/signed/{id}/x', methods: [apigwv2.HttpMethod.ANY], integration, authorizer: new HttpIamAuthorizer() });
  signed.grantInvoke(caller);
  signed.grantInvoke(caller, { httpMethods: [GET, POST] });
}

function services(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Services');
  const api = new apigwv2.HttpApi(stack, 'Api');
  const queue = new sqs.Queue(stack, 'Queue');
  const { SQS_SEND_MESSAGE, SQS_RECEIVE_MESSAGE, SQS_DELETE_MESSAGE, SQS_PURGE_QUEUE } = apigwv2.HttpIntegrationSubtype;
  [undefined, SQS_SEND_MESSAGE, SQS_RECEIVE_MESSAGE, SQS_DELETE_MESSAGE, SQS_PURGE_QUEUE].forEach((subtype, index) =>
    api.addRoutes({ path: `/sqs${index}`, methods: [POST], integration: new HttpSqsIntegration(`Sqs${index}`, { queue, subtype }) }));
  api.addRoutes({ path: '/mapped', methods: [POST], integration: new HttpSqsIntegration('Mapped', { queue, parameterMapping: new apigwv2.ParameterMapping().custom('QueueUrl', queue.queueUrl).custom('MessageBody', '$request.body') }) });
  const bus = new events.EventBus(stack, 'Bus', { eventBusName: 'orders', description: 'what was ordered' });
  new events.EventBus(stack, 'Unnamed');
  api.addRoutes({ path: '/events', methods: [POST], integration: new HttpEventBridgeIntegration('Events', { eventBusRef: bus.eventBusRef }) });
  const stateMachine = sfn.StateMachine.fromStateMachineArn(stack, 'Machine', 'arn:aws:states:eu-west-1:123456789012:stateMachine:orders');
  // an imported state machine does not know its name
  const named: sfn.StateMachine = Object.assign(Object.create(stateMachine), { stateMachineName: 'orders' });
  const { STEPFUNCTIONS_START_EXECUTION, STEPFUNCTIONS_START_SYNC_EXECUTION, STEPFUNCTIONS_STOP_EXECUTION } = apigwv2.HttpIntegrationSubtype;
  api.addRoutes({ path: '/start', methods: [POST], integration: new HttpStepFunctionsIntegration('Start', { stateMachine, subtype: STEPFUNCTIONS_START_EXECUTION }) });
  api.addRoutes({ path: '/sync', methods: [POST], integration: new HttpStepFunctionsIntegration('Sync', { stateMachine, subtype: STEPFUNCTIONS_START_SYNC_EXECUTION }) });
  api.addRoutes({ path: '/stop', methods: [POST], integration: new HttpStepFunctionsIntegration('Stop', { stateMachine: named, subtype: STEPFUNCTIONS_STOP_EXECUTION, parameterMapping: new apigwv2.ParameterMapping().custom('ExecutionArn', '$request.body.executionArn') }) });
  const vpc = new ec2.Vpc(stack, 'Vpc', { maxAzs: 2 });
  const group = new ec2.SecurityGroup(stack, 'Group', { vpc });
  const vpcLink = new apigwv2.VpcLink(stack, 'Link', { vpc, subnets: { subnetType: ec2.SubnetType.PUBLIC }, securityGroups: [group], vpcLinkName: 'inside' });
  new apigwv2.VpcLink(stack, 'Second', { vpc });
  const listener = elbv2.ApplicationListener.fromApplicationListenerAttributes(stack, 'Listener', { listenerArn: 'arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/x/1/2', securityGroup: group });
  api.addRoutes({ path: '/inside', methods: [GET], integration: new HttpAlbIntegration('Inside', listener, { vpcLink, secureServerName: 'inside.example.com', timeout: cdk.Duration.seconds(10) }) });
}

function staged(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Staged');
  const handler = fn(stack, 'Fn');
  const certificate = acm.Certificate.fromCertificateArn(stack, 'Certificate', CERTIFICATE);
  const domainName = new apigwv2.DomainName(stack, 'Domain', { domainName: 'api.example.com', certificate });
  const api = new apigwv2.HttpApi(stack, 'Api', { defaultIntegration: new HttpLambdaIntegration('Main', handler), defaultDomainMapping: { domainName, mappingKey: 'v1' } });
  const group = new logs.LogGroup(stack, 'Access');
  const beta = api.addStage('Beta', {
    stageName: 'beta', autoDeploy: true, description: 'what comes', throttle: { rateLimit: 100, burstLimit: 50 }, detailedMetricsEnabled: true, stageVariables: { color: 'green', depth: '2' },
    accessLogSettings: { destination: new apigwv2.LogGroupLogDestination(group) }, domainMapping: { domainName },
  });
  new apigwv2.HttpStage(stack, 'Old', { httpApi: api, stageName: 'old', throttle: { rateLimit: 1.5, burstLimit: 2 }, accessLogSettings: { destination: new apigwv2.LogGroupLogDestination(group), format: AccessLogFormat.custom('$context.requestId $context.status') } });
  const trust = new s3.Bucket(stack, 'Trust');
  const other = new apigwv2.DomainName(stack, 'Other', {
    domainName: 'other.example.com', certificate, certificateName: 'other', endpointType: apigwv2.EndpointType.REGIONAL, securityPolicy: apigwv2.SecurityPolicy.TLS_1_2, ipAddressType: apigwv2.IpAddressType.IPV4,
    mtls: { bucket: trust, key: 'trust.pem', version: 'v1' }, ownershipCertificate: acm.Certificate.fromCertificateArn(stack, 'Ownership', CERTIFICATE),
  });
  const mapping = new apigwv2.ApiMapping(stack, 'Mapping', { api, domainName: other, stage: beta, apiMappingKey: 'beta' });
  new apigwv2.ApiMapping(stack, 'Whole', { api, domainName: other });
  new cdk.CfnOutput(stack, 'Beta', { value: beta.url });
  new cdk.CfnOutput(stack, 'DomainUrl', { value: api.defaultStage!.domainUrl });
  new cdk.CfnOutput(stack, 'Target', { value: domainName.regionalDomainName });
  new cdk.CfnOutput(stack, 'Zone', { value: domainName.regionalHostedZoneId });
}
