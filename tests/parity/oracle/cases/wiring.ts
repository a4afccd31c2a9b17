// Options of endpoints, flow logs, layers, destinations, URLs, subscriptions and rules that vpc and functions do not use.
import * as cdk from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as destinations from 'aws-cdk-lib/aws-lambda-destinations';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import * as sqs from 'aws-cdk-lib/aws-sqs';

export function build(app: cdk.App) {
  network(app);
  events_(app);
  gates(app);
}

function network(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Ways', { env: { account: '123456789012', region: 'eu-west-1' } });
  const vpc = new ec2.Vpc(stack, 'Vpc', { maxAzs: 1 });
  const gateway = vpc.addGatewayEndpoint('S3', { service: ec2.GatewayVpcEndpointAwsService.S3, subnets: [{ subnetType: ec2.SubnetType.PUBLIC }, { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS }] });
  gateway.addToPolicy(new iam.PolicyStatement({ actions: ['s3:GetObject'], resources: ['*'], principals: [new iam.AnyPrincipal()] }));
  const group = new ec2.SecurityGroup(stack, 'Group', { vpc });
  const queues = vpc.addInterfaceEndpoint('Sqs', { service: ec2.InterfaceVpcEndpointAwsService.SQS, securityGroups: [group], open: false, privateDnsEnabled: false });
  queues.connections.allowDefaultPortFromAnyIpv4();
  queues.addToPolicy(new iam.PolicyStatement({ actions: ['sqs:*'], resources: ['*'], principals: [new iam.AnyPrincipal()] }));
  vpc.addInterfaceEndpoint('Theirs', { service: new ec2.InterfaceVpcEndpointService('com.amazonaws.vpce.eu-west-1.vpce-svc-0123', 8443) });
  const kept = new logs.LogGroup(stack, 'Kept');
  vpc.publicSubnets[0].node.id;
  new ec2.FlowLog(vpc.publicSubnets[0], 'Flow', {
    resourceType: ec2.FlowLogResourceType.fromSubnet(vpc.publicSubnets[0]), destination: ec2.FlowLogDestination.toCloudWatchLogs(kept),
    maxAggregationInterval: ec2.FlowLogMaxAggregationInterval.ONE_MINUTE, logFormat: [ec2.LogFormat.SRC_ADDR, ec2.LogFormat.ACTION], flowLogName: 'edge',
  });
}

function events_(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Wires');
  const dead = new sqs.Queue(stack, 'Dead');
  const queue = new sqs.Queue(stack, 'Queue');
  const topic = new sns.Topic(stack, 'Topic');
  const make = (id: string, options: Partial<lambda.FunctionProps> = {}) => new lambda.Function(stack, id, {
    runtime: lambda.Runtime.PROVIDED_AL2023, handler: 'bootstrap', code: lambda.Code.fromAsset('assets/alerts'), ...options,
  });
  const last = make('Last');
  const fn = make('Fn', { onFailure: new destinations.SqsDestination(dead), onSuccess: new destinations.LambdaDestination(last) });
  new lambda.LayerVersion(stack, 'Layer', {
    code: lambda.Code.fromAsset('assets/ws'), layerVersionName: 'shared', license: 'MIT', removalPolicy: cdk.RemovalPolicy.RETAIN,
    compatibleArchitectures: [lambda.Architecture.ARM_64, lambda.Architecture.X86_64],
  });
  fn.addFunctionUrl({
    authType: lambda.FunctionUrlAuthType.NONE, invokeMode: lambda.InvokeMode.RESPONSE_STREAM,
    cors: { allowedOrigins: ['*'], allowedHeaders: ['x-a'], exposedHeaders: ['x-b'], allowCredentials: false, maxAge: cdk.Duration.hours(1) },
  });
  const version = new lambda.Version(stack, 'First', { lambda: fn });
  new lambda.Alias(stack, 'Live', { aliasName: 'live', version }).addFunctionUrl({ authType: lambda.FunctionUrlAuthType.NONE });
  topic.addSubscription(new subscriptions.SqsSubscription(queue, { rawMessageDelivery: true, deadLetterQueue: dead }));
  topic.addSubscription(new subscriptions.EmailSubscription('oncall@example.com'));
  topic.addSubscription(new subscriptions.UrlSubscription('https://example.com/hook', {
    filterPolicyWithMessageBody: { kind: sns.FilterOrPolicy.filter(sns.SubscriptionFilter.stringFilter({ allowlist: ['a'] })) },
  }));
  const other = new cdk.Stack(app, 'Elsewhere');
  topic.addSubscription(new subscriptions.SqsSubscription(new sqs.Queue(other, 'Queue')));
  const rule = new events.Rule(stack, 'Rule', {
    ruleName: 'changes', description: 'd', enabled: false,
    eventPattern: { source: ['aws.rds'], account: ['123456789012'], region: ['eu-west-1'], resources: [queue.queueArn], detail: { state: [{ prefix: 'fail' }] } },
    targets: [
      new targets.LambdaFunction(fn, { deadLetterQueue: dead, maxEventAge: cdk.Duration.hours(2) }),
      new targets.LambdaFunction(fn, { event: events.RuleTargetInput.fromEventPath('$.detail') }),
      new targets.SnsTopic(topic, { message: events.RuleTargetInput.fromText('it failed') }),
    ],
  });
  rule.addTarget(new targets.SqsQueue(queue, { message: events.RuleTargetInput.fromObject({ queue: queue.queueName, n: 1 }) }));
  new events.Rule(stack, 'Minutes', { schedule: events.Schedule.rate(cdk.Duration.minutes(5)) });
  new events.Rule(stack, 'Hours', { schedule: events.Schedule.rate(cdk.Duration.minutes(60)), targets: [new targets.SqsQueue(queue)] });
  new events.Rule(stack, 'Days', { schedule: events.Schedule.rate(cdk.Duration.hours(48)) });
  new events.Rule(stack, 'Bus', { eventBus: events.EventBus.fromEventBusName(stack, 'Named', 'named'), eventPattern: { detailType: ['x'] } });
}

function gates(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Gates');
  const topic = new sns.Topic(stack, 'Topic');
  const [a, b, c] = ['A', 'B', 'C'].map(id => new cloudwatch.Alarm(stack, id, {
    metric: new cloudwatch.Metric({ namespace: 'Llama', metricName: id }), threshold: 1, evaluationPeriods: 1,
  }));
  const on = (alarm: cloudwatch.IAlarm, state = cloudwatch.AlarmState.ALARM) => cloudwatch.AlarmRule.fromAlarm(alarm, state);
  const gate = new cloudwatch.CompositeAlarm(stack, 'Gate', {
    alarmRule: cloudwatch.AlarmRule.anyOf(on(a), cloudwatch.AlarmRule.allOf(on(b, cloudwatch.AlarmState.INSUFFICIENT_DATA), cloudwatch.AlarmRule.not(on(c, cloudwatch.AlarmState.OK)))),
    alarmDescription: 'stops a rollout', actionsSuppressor: c, actionsSuppressorWaitPeriod: cdk.Duration.minutes(2),
  });
  gate.addAlarmAction(new SnsAction(topic));
  gate.addOkAction(new SnsAction(topic));
  new cloudwatch.CompositeAlarm(stack, 'Outer', {
    compositeAlarmName: 'outer', actionsEnabled: false, alarmRule: cloudwatch.AlarmRule.allOf(on(gate), cloudwatch.AlarmRule.fromBoolean(true)),
  });
}
