import * as cdk from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import * as targets from 'aws-cdk-lib/aws-scheduler-targets';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as sqs from 'aws-cdk-lib/aws-sqs';

// schedules in all their options, and the buses and tables of times that they share with rules
export function build(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Schedules');
  const key = kms.Key.fromKeyArn(stack, 'Key', 'arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef');
  const fn = new lambda.Function(stack, 'Fn', { runtime: lambda.Runtime.NODEJS_22_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
  const dead = new sqs.Queue(stack, 'Dead');
  const queue = new sqs.Queue(stack, 'Queue');
  const fifo = new sqs.Queue(stack, 'Fifo', { fifo: true, contentBasedDeduplication: true });
  const topic = new sns.Topic(stack, 'Topic');
  const bus = new events.EventBus(stack, 'Bus', { description: 'ours', deadLetterQueue: dead });
  const named = new events.EventBus(stack, 'Named', { eventBusName: 'named' });

  const group = new scheduler.ScheduleGroup(stack, 'Group');
  const other = new scheduler.ScheduleGroup(stack, 'Other', { scheduleGroupName: 'other', removalPolicy: cdk.RemovalPolicy.DESTROY });
  group.grantReadSchedules(fn);
  group.grantWriteSchedules(fn);
  group.grantDeleteSchedules(fn);
  other.grant(fn, 'scheduler:GetScheduleGroup');
  group.metricDropped().createAlarm(stack, 'Dropped', { threshold: 1, evaluationPeriods: 1 });
  other.metricFailedToBeSentToDLQ().createAlarm(stack, 'Lost', { threshold: 1, evaluationPeriods: 1 });
  scheduler.Schedule.metricAllErrors().createAlarm(stack, 'Errors', { threshold: 1, evaluationPeriods: 1 });

  const first = new scheduler.Schedule(stack, 'Rate', {
    schedule: scheduler.ScheduleExpression.rate(cdk.Duration.minutes(5)),
    target: new targets.LambdaInvoke(fn, {
      deadLetterQueue: dead, maxEventAge: cdk.Duration.hours(2), retryAttempts: 3,
      input: scheduler.ScheduleTargetInput.fromObject({ id: scheduler.ContextAttribute.executionId, queue: queue.queueArn, n: 1 }),
    }),
    description: 'every five minutes', scheduleName: 'rate', scheduleGroup: group, timeWindow: scheduler.TimeWindow.flexible(cdk.Duration.minutes(15)), key,
  });
  new scheduler.Schedule(stack, 'Cron', {
    schedule: scheduler.ScheduleExpression.cron({ minute: '0', hour: '9', weekDay: 'MON-FRI', timeZone: cdk.TimeZone.EUROPE_ROME }),
    target: new targets.LambdaInvoke(fn, { input: scheduler.ScheduleTargetInput.fromText('hello') }), enabled: false, scheduleGroup: other,
    start: new Date('2026-12-01T00:00:00Z'), end: new Date('2027-01-01T12:30:15Z'),
  });
  new scheduler.Schedule(stack, 'Same', { schedule: scheduler.ScheduleExpression.rate(cdk.Duration.days(1)), target: new targets.LambdaInvoke(fn), scheduleGroup: other });
  new scheduler.Schedule(stack, 'At', {
    schedule: scheduler.ScheduleExpression.at(new Date('2026-12-24T18:00:00Z'), cdk.TimeZone.AMERICA_NEW_YORK), target: new targets.SqsSendMessage(queue, { retryAttempts: 0 }), key: new kms.Key(stack, 'Own'),
  });
  new scheduler.Schedule(stack, 'Fifos', { schedule: scheduler.ScheduleExpression.expression('cron(0 2 * * ? *)'), target: new targets.SqsSendMessage(fifo, { messageGroupId: 'g' }) });
  new scheduler.Schedule(stack, 'Published', { schedule: scheduler.ScheduleExpression.rate(cdk.Duration.hours(1)), target: new targets.SnsPublish(topic, { deadLetterQueue: queue }) });
  new scheduler.Schedule(stack, 'Put', {
    schedule: scheduler.ScheduleExpression.rate(cdk.Duration.hours(1)),
    target: new targets.EventBridgePutEvents({ eventBus: bus, source: 'llama', detailType: 'tick', detail: scheduler.ScheduleTargetInput.fromObject({ at: scheduler.ContextAttribute.scheduledTime, bus: named.eventBusName }) }),
  });
  new scheduler.Schedule(stack, 'Stop', {
    schedule: scheduler.ScheduleExpression.cron({ minute: '0', hour: '20' }),
    target: new targets.Universal({ service: 'rds', action: 'stopDBInstance', input: scheduler.ScheduleTargetInput.fromObject({ DbInstanceIdentifier: 'x' }) }),
  });
  const role = new iam.Role(stack, 'Role', { assumedBy: new iam.ServicePrincipal('scheduler.amazonaws.com') });
  new scheduler.Schedule(stack, 'Start', {
    schedule: scheduler.ScheduleExpression.cron({ minute: '0', day: 'L', month: 'JAN', year: '2027' }),
    target: new targets.Universal({
      service: 'sfn', action: 'startExecution', role, policyStatements: [new iam.PolicyStatement({ actions: ['states:StartExecution'], resources: ['arn'] })],
    }),
  });
  new events.Rule(stack, 'Rule', { schedule: events.Schedule.cron({ minute: '0/15', hour: '8-18' }) });
  named.grantPutEventsTo(fn);
  new cdk.CfnOutput(stack, 'Arn', { value: first.scheduleArn });
  new cdk.CfnOutput(stack, 'Name', { value: first.scheduleName });

  const pinned = new cdk.Stack(app, 'PinnedSchedules', { env: { account: '123456789012', region: 'eu-west-1' } });
  const inner = new lambda.Function(pinned, 'Fn', { runtime: lambda.Runtime.NODEJS_22_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
  new scheduler.Schedule(pinned, 'Rate', {
    schedule: scheduler.ScheduleExpression.rate(cdk.Duration.minutes(1)), target: new targets.LambdaInvoke(inner.currentVersion),
    scheduleGroup: new scheduler.ScheduleGroup(pinned, 'A-group-with-a-name-that-is-far-too-long-for-what-the-scheduler-takes'),
  });
  new scheduler.Schedule(pinned, 'Far', { schedule: scheduler.ScheduleExpression.rate(cdk.Duration.minutes(1)), target: new targets.LambdaInvoke(new lambda.Alias(pinned, 'Live', { aliasName: 'live', version: inner.currentVersion })) });
}
