// A weighted alias as what every kind of entry point invokes: what the live alias of blue-green slots is wired to.
import * as cdk from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigwv2 from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration, WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as events from 'aws-cdk-lib/aws-events';
import * as eventTargets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kinesis from 'aws-cdk-lib/aws-kinesis';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { DynamoEventSource, KinesisEventSource, SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import * as schedulerTargets from 'aws-cdk-lib/aws-scheduler-targets';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import * as sqs from 'aws-cdk-lib/aws-sqs';

export function build(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Aliases');
  const fn = new lambda.Function(stack, 'Fn', { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
  const first = new lambda.Version(stack, 'First', { lambda: fn });
  const live = new lambda.Alias(stack, 'Live', {
    aliasName: 'live', version: fn.currentVersion, description: 'what users reach',
    additionalVersions: [{ version: first, weight: 0.25 }],
  });
  const warm = new lambda.Alias(stack, 'Warm', { aliasName: 'warm', version: first, provisionedConcurrentExecutions: 3 });

  const http = new apigwv2.HttpApi(stack, 'Http');
  const integration = new HttpLambdaIntegration('Orders', live);
  const authorizer = new HttpLambdaAuthorizer('Check', live);
  http.addRoutes({ path: '/orders', methods: [apigwv2.HttpMethod.GET, apigwv2.HttpMethod.POST], integration });
  http.addRoutes({ path: '/orders/{id}', methods: [apigwv2.HttpMethod.GET], integration, authorizer });
  const scoped = new HttpLambdaIntegration('Scoped', live, { scopePermissionToRoute: false });
  http.addRoutes({ path: '/all', methods: [apigwv2.HttpMethod.ANY], integration: scoped });

  const sockets = new apigwv2.WebSocketApi(stack, 'Sockets', {
    connectRouteOptions: { integration: new WebSocketLambdaIntegration('Connect', live) },
    disconnectRouteOptions: { integration: new WebSocketLambdaIntegration('Disconnect', live) },
    defaultRouteOptions: { integration: new WebSocketLambdaIntegration('Message', live) },
  });
  new apigwv2.WebSocketStage(stack, 'SocketsProd', { webSocketApi: sockets, stageName: 'prod', autoDeploy: true });

  const rest = new apigateway.RestApi(stack, 'Rest', { cloudWatchRole: false });
  rest.root.addMethod('GET', new apigateway.LambdaIntegration(live));

  const jobs = new sqs.Queue(stack, 'Jobs');
  const table = new dynamodb.Table(stack, 'Table', { partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING }, stream: dynamodb.StreamViewType.NEW_IMAGE });
  const stream = new kinesis.Stream(stack, 'Stream');
  live.addEventSource(new SqsEventSource(jobs, { batchSize: 5, reportBatchItemFailures: true }));
  live.addEventSource(new DynamoEventSource(table, { startingPosition: lambda.StartingPosition.TRIM_HORIZON, retryAttempts: 2 }));
  live.addEventSource(new KinesisEventSource(stream, { startingPosition: lambda.StartingPosition.LATEST }));

  new events.Rule(stack, 'Nightly', { schedule: events.Schedule.cron({ minute: '0', hour: '3' }), targets: [new eventTargets.LambdaFunction(live)] });
  new events.Rule(stack, 'Ordered', { eventPattern: { source: ['shop'] }, targets: [new eventTargets.LambdaFunction(live, { retryAttempts: 1 })] });
  new scheduler.Schedule(stack, 'Hourly', { schedule: scheduler.ScheduleExpression.rate(cdk.Duration.hours(1)), target: new schedulerTargets.LambdaInvoke(live) });
  new sns.Topic(stack, 'Alerts').addSubscription(new subscriptions.LambdaSubscription(live));
  const url = live.addFunctionUrl({ authType: lambda.FunctionUrlAuthType.NONE });

  const caller = new iam.Role(stack, 'Caller', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  live.grantInvoke(caller);
  live.grantInvoke(new iam.ServicePrincipal('iot.amazonaws.com'));
  const alarm = (id: string, metric: cloudwatch.IMetric) => new cloudwatch.Alarm(stack, id, { metric, threshold: 1, evaluationPeriods: 1 });
  alarm('Errors', live.metricErrors());
  alarm('Duration', live.metricDuration());
  alarm('Throttles', live.metricThrottles());
  alarm('Invocations', live.metricInvocations());
  alarm('Spilled', warm.metric('ProvisionedConcurrencySpilloverInvocations', { statistic: 'Sum' }));
  new cdk.CfnOutput(stack, 'Url', { value: url.url });
  new cdk.CfnOutput(stack, 'Arn', { value: live.functionArn });
}
