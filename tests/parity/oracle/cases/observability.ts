// Dashboards with every widget and variable, alarms and their actions, queues and topics in the options that other cases leave out.
import * as cdk from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import * as sqs from 'aws-cdk-lib/aws-sqs';

const { Color } = cloudwatch;
const minute = cdk.Duration.minutes(1);
const metric = (metricName: string, props: Partial<cloudwatch.MetricProps> = {}) => new cloudwatch.Metric({ namespace: 'Llama', metricName, ...props });

export function build(app: cdk.App) {
  boards(app);
  alarms(app);
  messages(app);
}

function boards(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Boards');
  const handler = new lambda.Function(stack, 'Fn', { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
  const group = new logs.LogGroup(stack, 'Logs');
  const alarm = new cloudwatch.Alarm(stack, 'Alarm', { metric: metric('Errors'), threshold: 1, evaluationPeriods: 1 });
  const gate = new cloudwatch.CompositeAlarm(stack, 'Gate', { alarmRule: cloudwatch.AlarmRule.fromAlarm(alarm, cloudwatch.AlarmState.ALARM) });
  const range = { setPeriodToTimeRange: true, period: minute, start: '-PT6H', end: '2026-11-22T20:00:00Z', accountId: '222222222222', region: 'eu-central-1', liveData: false };
  const board = new cloudwatch.Dashboard(stack, 'Board', { start: '-P7D', end: '-P1D', periodOverride: cloudwatch.PeriodOverride.AUTO, variables: [
    new cloudwatch.DashboardVariable({ id: 'region', type: cloudwatch.VariableType.PROPERTY, value: 'region', label: 'Region', inputType: cloudwatch.VariableInputType.RADIO,
      values: cloudwatch.Values.fromValues({ label: 'Ireland', value: 'eu-west-1' }, { label: 'Frankfurt', value: 'eu-central-1' }), defaultValue: cloudwatch.DefaultValue.value('eu-west-1'), visible: true }),
    new cloudwatch.DashboardVariable({ id: 'fn', type: cloudwatch.VariableType.PROPERTY, value: 'FunctionName', inputType: cloudwatch.VariableInputType.SELECT,
      values: cloudwatch.Values.fromSearchComponents({ namespace: 'AWS/Lambda', dimensions: ['FunctionName'], metricName: 'Errors', populateFrom: 'FunctionName' }), defaultValue: cloudwatch.DefaultValue.FIRST }),
    new cloudwatch.DashboardVariable({ id: 'depth', type: cloudwatch.VariableType.PATTERN, value: 'd1', inputType: cloudwatch.VariableInputType.SELECT, values: cloudwatch.Values.fromValues({ value: 'd1' }, { value: 'd2' }) }),
  ] });
  board.addVariable(new cloudwatch.DashboardVariable({ id: 'name', type: cloudwatch.VariableType.PATTERN, value: 'llama', inputType: cloudwatch.VariableInputType.INPUT }));
  board.addWidgets(
    new cloudwatch.GaugeWidget({ title: 'Load', metrics: [metric('Load')], annotations: [{ value: 80, label: 'hot', color: Color.RED }], leftYAxis: { max: 200, label: 'load' }, legendPosition: cloudwatch.LegendPosition.HIDDEN, statistic: 'Maximum', ...range }),
    new cloudwatch.GaugeWidget({ metrics: [metric('Idle')] }),
    new cloudwatch.TableWidget({ title: 'Numbers', metrics: [metric('A'), metric('B', { label: 'b' })], layout: cloudwatch.TableLayout.VERTICAL, summary: { columns: [cloudwatch.TableSummaryColumn.AVERAGE, cloudwatch.TableSummaryColumn.SUM], hideNonSummaryColumns: true, sticky: true },
      thresholds: [cloudwatch.TableThreshold.above(100, Color.RED), cloudwatch.TableThreshold.between(10, 100, Color.ORANGE), cloudwatch.TableThreshold.below(10, Color.GREEN)], showUnitsInLabel: true, fullPrecision: true, statistic: 'p90', ...range, width: 12 }),
    new cloudwatch.TableWidget({ metrics: [metric('A')] }));
  board.addWidgets(
    new cloudwatch.LogQueryWidget({ title: 'Failures', logGroupNames: [group.logGroupName, 'other'], queryLines: ['fields @message', 'filter level = "ERROR"', 'limit 20'], width: 12, region: 'eu-west-1', accountId: '222222222222' }),
    new cloudwatch.LogQueryWidget({ logGroupNames: ['one'], queryString: 'stats count() by bin(1h)', view: cloudwatch.LogQueryVisualizationType.STACKEDAREA, queryLanguage: cloudwatch.LogQueryLanguage.LOGS_INSIGHTS }),
    new cloudwatch.LogQueryWidget({ logGroupNames: ['one'], queryString: 'stats count()', view: cloudwatch.LogQueryVisualizationType.LINE }),
    new cloudwatch.LogQueryWidget({ logGroupNames: ['one'], queryString: 'stats count()', view: cloudwatch.LogQueryVisualizationType.PIE }));
  board.addWidgets(
    new cloudwatch.Column(new cloudwatch.TextWidget({ markdown: 'one' }), new cloudwatch.Row(new cloudwatch.TextWidget({ markdown: 'two', width: 3 }), new cloudwatch.Spacer({ width: 2 }), new cloudwatch.TextWidget({ markdown: 'three', width: 3, height: 5 }))),
    new cloudwatch.CustomWidget({ functionArn: handler.functionArn, title: 'Drawn', params: { depth: 2, nested: { a: 'b' } }, updateOnResize: false }));
  board.addWidgets(new cloudwatch.AlarmStatusWidget({ alarms: [alarm, gate], states: [cloudwatch.AlarmState.ALARM, cloudwatch.AlarmState.INSUFFICIENT_DATA], sortBy: cloudwatch.AlarmStatusWidgetSortBy.STATE_UPDATED_TIMESTAMP }));
  board.addWidgets(
    new cloudwatch.AlarmWidget({ alarm, leftYAxis: { min: 1 }, region: 'eu-west-1', accountId: '222222222222' }),
    new cloudwatch.SingleValueWidget({ metrics: [metric('A')], ...range }),
    new cloudwatch.GraphWidget({ left: [metric('A')], verticalAnnotations: [{ date: '2026-11-22T20:00:00Z', label: 'deploy', color: Color.PURPLE, fill: cloudwatch.VerticalShading.AFTER, visible: true }], ...range }),
    new cloudwatch.GraphWidget({ left: [metric('A')], view: cloudwatch.GraphWidgetView.PIE, displayLabelsOnChart: true, leftAnnotations: [{ value: 3, visible: false }], verticalAnnotations: [{ date: '2026-11-22T20:00:00Z' }] }));
}

function alarms(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Alarms');
  const handler = new lambda.Function(stack, 'Fn', { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
  const slow = new cloudwatch.Alarm(stack, 'Slow', { metric: metric('Latency', { statistic: 'p99' }), threshold: 1.5, evaluationPeriods: 3, evaluateLowSampleCountPercentile: 'ignore', treatMissingData: cloudwatch.TreatMissingData.IGNORE });
  slow.addAlarmAction(new actions.LambdaAction(handler));
  slow.addInsufficientDataAction(new actions.SsmAction(actions.OpsItemSeverity.HIGH, actions.OpsItemCategory.PERFORMANCE));
  slow.addOkAction(new actions.SsmAction(actions.OpsItemSeverity.LOW));
  slow.addAlarmAction(new actions.SsmIncidentAction('respond'));
  const instance = new cloudwatch.Alarm(stack, 'Instance', { metric: new cloudwatch.Metric({ namespace: 'AWS/EC2', metricName: 'StatusCheckFailed', dimensionsMap: { InstanceId: 'i-0' } }), threshold: 1, evaluationPeriods: 1 });
  instance.addAlarmAction(new actions.Ec2Action(actions.Ec2InstanceAction.REBOOT));
  new cloudwatch.AnomalyDetectionAlarm(stack, 'Odd', { metric: metric('Requests', { statistic: 'Sum', period: minute }), evaluationPeriods: 2, stdDevs: 3 });
  new cloudwatch.AnomalyDetectionAlarm(stack, 'High', { metric: metric('Requests'), evaluationPeriods: 1, comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_UPPER_THRESHOLD, alarmDescription: 'too many' });
  new cloudwatch.Alarm(stack, 'Nested', { metric: new cloudwatch.MathExpression({ expression: 'a + b', usingMetrics: { a: metric('A'), b: new cloudwatch.MathExpression({ expression: 'c * 2', usingMetrics: { c: metric('C') }, period: minute }) } }), threshold: 1, evaluationPeriods: 1 });
}

function messages(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Messages');
  const role = new iam.Role(stack, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  const source = new sqs.Queue(stack, 'Source');
  const dead = new sqs.Queue(stack, 'Dead', { redriveAllowPolicy: { sourceQueues: [source] } });
  new sqs.Queue(stack, 'Open', { redriveAllowPolicy: { redrivePermission: sqs.RedrivePermission.ALLOW_ALL } });
  new sqs.Queue(stack, 'Shut', { redriveAllowPolicy: { redrivePermission: sqs.RedrivePermission.DENY_ALL }, encryption: sqs.QueueEncryption.KMS_MANAGED, dataKeyReuse: cdk.Duration.hours(1) });
  new sqs.Queue(stack, 'Fast', { fifo: true, fifoThroughputLimit: sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID, deduplicationScope: sqs.DeduplicationScope.MESSAGE_GROUP, contentBasedDeduplication: true });
  dead.grantPurge(role);
  const imported = sqs.Queue.fromQueueArn(stack, 'Theirs', 'arn:aws:sqs:eu-west-1:123456789012:theirs');
  imported.grantSendMessages(role);
  imported.grantConsumeMessages(role);
  new cdk.CfnOutput(stack, 'TheirUrl', { value: imported.queueUrl });
  new cdk.CfnOutput(stack, 'TheirName', { value: imported.queueName });
  const alarm = (id: string, metric: cloudwatch.IMetric) => new cloudwatch.Alarm(stack, id, { metric, threshold: 1, evaluationPeriods: 1 });
  alarm('Sent', source.metricNumberOfMessagesSent());
  alarm('Size', source.metricSentMessageSize());
  const feedback = new iam.Role(stack, 'Feedback', { assumedBy: new iam.ServicePrincipal('sns.amazonaws.com') });
  const topic = new sns.Topic(stack, 'Topic', { signatureVersion: '2', tracingConfig: sns.TracingConfig.ACTIVE, loggingConfigs: [{ protocol: sns.LoggingProtocol.SQS, failureFeedbackRole: feedback, successFeedbackRole: feedback, successFeedbackSampleRate: 50 }] });
  topic.addLoggingConfig({ protocol: sns.LoggingProtocol.HTTP, failureFeedbackRole: feedback });
  new sns.Topic(stack, 'Ordered', { fifo: true, topicName: 'ordered', messageRetentionPeriodInDays: 7, fifoThroughputScope: sns.FifoThroughputScope.MESSAGE_GROUP });
  topic.addSubscription(new subscriptions.SmsSubscription('+15551234567'));
  topic.addSubscription(new subscriptions.EmailSubscription('json@example.com', { json: true, filterPolicy: { kind: sns.SubscriptionFilter.numericFilter({ between: { start: 1, stop: 5 } }) } }));
  topic.addSubscription(new subscriptions.UrlSubscription('https://example.com/x', { protocol: sns.SubscriptionProtocol.HTTPS, rawMessageDelivery: true, deadLetterQueue: dead }));
  topic.grantSubscribe(role);
  const theirs = sns.Topic.fromTopicArn(stack, 'TheirTopic', 'arn:aws:sns:eu-west-1:123456789012:theirs');
  theirs.grantPublish(role);
  alarm('Failed', topic.metricNumberOfNotificationsFailed());
  alarm('Published', theirs.metricNumberOfMessagesPublished());
}
