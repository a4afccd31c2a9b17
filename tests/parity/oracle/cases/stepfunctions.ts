import * as cdk from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as events from 'aws-cdk-lib/aws-events';
import * as eventTargets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import * as schedulerTargets from 'aws-cdk-lib/aws-scheduler-targets';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import * as tasks from 'aws-cdk-lib/aws-stepfunctions-tasks';

// state machines with each kind of state, tasks of each service, grants and metrics
export function build(app: cdk.App) {
  flow(app);
  calls(app);
}

function flow(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Flow');
  const fn = new lambda.Function(stack, 'Fn', { runtime: lambda.Runtime.NODEJS_22_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
  const other = new lambda.Function(stack, 'Other', { runtime: lambda.Runtime.NODEJS_22_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });

  const fetch = new tasks.LambdaInvoke(stack, 'Fetch', {
    lambdaFunction: fn, comment: 'gets "it"', resultSelector: { 'status.$': '$.Payload.status' }, resultPath: '$.fetched', inputPath: '$.input', outputPath: '$',
    taskTimeout: sfn.Timeout.duration(cdk.Duration.minutes(5)), payload: sfn.TaskInput.fromObject({ id: sfn.JsonPath.stringAt('$.id'), deep: { n: sfn.JsonPath.numberAt('$.n'), list: ['a', 1], fn: fn.functionName } }),
  });
  const failed = new sfn.Fail(stack, 'Failed', { error: 'Failed', cause: 'it did', comment: 'the end' });
  const because = new sfn.Fail(stack, 'Because', { errorPath: '$.error', causePath: "States.Format('no {}', $.x)" });
  fetch.addRetry({ errors: [sfn.Errors.TIMEOUT], interval: cdk.Duration.seconds(5), maxAttempts: 2, backoffRate: 1.5, maxDelay: cdk.Duration.minutes(1), jitterStrategy: sfn.JitterType.FULL });
  fetch.addRetry();
  fetch.addCatch(failed);
  fetch.addCatch(because, { errors: ['Custom'], resultPath: '$.error' });
  const wait = new sfn.Wait(stack, 'Wait', { time: sfn.WaitTime.duration(cdk.Duration.seconds(30)), comment: 'a while' });
  const until = new sfn.Wait(stack, 'Until', { time: sfn.WaitTime.timestampPath('$.when') });
  const check = new tasks.LambdaInvoke(stack, 'Check', { lambdaFunction: other, payloadResponseOnly: true, retryOnServiceExceptions: false, resultPath: sfn.JsonPath.DISCARD });
  const pass = new sfn.Pass(stack, 'Pass', { result: sfn.Result.fromObject({ a: 1, b: [true, null, 'c'] }), resultPath: '$.passed', stateName: 'Pass it on', comment: 'constant' });
  const reshape = new sfn.Pass(stack, 'Reshape', { parameters: { 'id.$': '$.id', kind: 'x' }, inputPath: '$.a', outputPath: '$.b' });
  const done = new sfn.Succeed(stack, 'Done', { comment: 'well', inputPath: '$.a', outputPath: '$.b' });
  const choice = new sfn.Choice(stack, 'Is it done?', { comment: 'well?', inputPath: '$', outputPath: '$' })
    .when(sfn.Condition.and(sfn.Condition.stringEquals('$.status', 'done'), sfn.Condition.not(sfn.Condition.isPresent('$.error'))), pass, { comment: 'yes' })
    .when(sfn.Condition.or(sfn.Condition.numberGreaterThanEquals('$.tries', 3), sfn.Condition.numberLessThanJsonPath('$.a', '$.b'), sfn.Condition.booleanEquals('$.give.up', true)), reshape)
    .when(sfn.Condition.stringMatches('$.name', 'llama*'), until)
    .when(sfn.Condition.timestampLessThanEquals('$.at', '2026-01-01T00:00:00Z'), failed)
    .otherwise(done);
  const parallel = new sfn.Parallel(stack, 'Both', { resultPath: '$.both', resultSelector: { 'first.$': '$[0]' }, comment: 'at once', parameters: { 'in.$': '$' } });
  parallel.branch(new sfn.Pass(stack, 'Left').next(new tasks.LambdaInvoke(stack, 'LeftCall', { lambdaFunction: fn })));
  parallel.branch(new sfn.Pass(stack, 'Right'));
  parallel.addRetry({ maxAttempts: 1 });
  parallel.addCatch(because, { resultPath: '$.e' });
  const each = new sfn.Map(stack, 'Each', {
    itemsPath: '$.items', maxConcurrency: 5, itemSelector: { 'item.$': '$$.Map.Item.Value', n: 1 }, resultPath: '$.each', comment: 'all of them',
  });
  each.itemProcessor(new tasks.LambdaInvoke(stack, 'EachCall', { lambdaFunction: other, payload: sfn.TaskInput.fromJsonPathAt('$.item') }).next(new sfn.Succeed(stack, 'EachDone')));
  const chain = fetch.next(wait).next(check).next(choice.afterwards()).next(parallel).next(each);
  choice.when(sfn.Condition.isNotNull('$.retry'), wait);
  const machine = new sfn.StateMachine(stack, 'Machine', {
    definitionBody: sfn.DefinitionBody.fromChainable(chain),
    stateMachineName: 'machine', comment: 'a "flow"', timeout: cdk.Duration.hours(1), tracingEnabled: true,
    logs: { destination: new logs.LogGroup(stack, 'Logs'), level: sfn.LogLevel.ALL, includeExecutionData: true },
  });
  const caller = new iam.Role(stack, 'Caller', { assumedBy: new iam.AccountRootPrincipal() });
  machine.grantStartExecution(caller);
  machine.grantRead(caller);
  machine.grantTaskResponse(caller);
  machine.grantExecution(caller, 'states:StopExecution');
  machine.grantRedriveExecution(caller);
  machine.grant(caller, 'states:UpdateStateMachine');
  machine.metricFailed().createAlarm(stack, 'Failures', { threshold: 1, evaluationPeriods: 1 });
  machine.metricTime().createAlarm(stack, 'Slow', { threshold: 1, evaluationPeriods: 1 });
  machine.metricThrottled().createAlarm(stack, 'Throttled', { threshold: 1, evaluationPeriods: 1 });
  fetch.metricFailed().createAlarm(stack, 'FetchFailed', { threshold: 1, evaluationPeriods: 1 });
  new cdk.CfnOutput(stack, 'Name', { value: machine.stateMachineName });
  new scheduler.Schedule(stack, 'Nightly', { schedule: scheduler.ScheduleExpression.rate(cdk.Duration.days(1)), target: new schedulerTargets.StepFunctionsStartExecution(machine, {}) });

  const express = new sfn.StateMachine(stack, 'Express', {
    definitionBody: sfn.DefinitionBody.fromChainable(new sfn.Pass(stack, 'Only')), stateMachineType: sfn.StateMachineType.EXPRESS, tracingEnabled: false, removalPolicy: cdk.RemovalPolicy.RETAIN,
    logs: { destination: new logs.LogGroup(stack, 'ExpressLogs') },
  });
  express.grantStartSyncExecution(caller);
  new sfn.StateMachine(stack, 'Text', {
    definitionBody: sfn.DefinitionBody.fromString('{"StartAt":"A","States":{"A":{"Type":"Pass","Result":"${value}","End":true}}}'), definitionSubstitutions: { value: 'v' },
    role: iam.Role.fromRoleArn(stack, 'Theirs', 'arn:aws:iam::123456789012:role/theirs'), stateMachineType: sfn.StateMachineType.STANDARD,
  });
  // nested: one state made of a chain, joined again after a choice
  const one = new sfn.Pass(stack, 'One').next(new sfn.Wait(stack, 'Two', { time: sfn.WaitTime.secondsPath('$.s') })).toSingleState('Single', { outputPath: '$[0]' });
  const maybe = new sfn.Choice(stack, 'Maybe').when(sfn.Condition.isString('$.s'), one).afterwards({ includeOtherwise: true }).next(new sfn.Pass(stack, 'Joined'));
  new sfn.StateMachine(stack, 'Nested', { definitionBody: sfn.DefinitionBody.fromChainable(maybe) });
  const written = new sfn.CustomState(stack, 'Written', { stateJson: { Type: 'Task', Resource: 'arn:aws:states:::http:invoke', Retry: [{ ErrorEquals: ['X'], MaxAttempts: 1 }], Parameters: { Method: 'GET', 'Url.$': '$.url' } } });
  written.addRetry({ errors: ['Y'] });
  written.addCatch(new sfn.Succeed(stack, 'Never mind'));
  const custom = new sfn.StateMachine(stack, 'Custom', { definitionBody: sfn.DefinitionBody.fromChainable(written) });
  const dead = new sqs.Queue(stack, 'Dead');
  for (const id of ['First', 'Second']) {
    new events.Rule(stack, id, { schedule: events.Schedule.rate(cdk.Duration.hours(1)), targets: [new eventTargets.SfnStateMachine(custom, { input: events.RuleTargetInput.fromObject({ id }), deadLetterQueue: dead, retryAttempts: 2 })] });
  }
}

function calls(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Calls');
  const queue = new sqs.Queue(stack, 'Queue');
  const topic = new sns.Topic(stack, 'Topic');
  const bus = new events.EventBus(stack, 'Bus');
  const table = new dynamodb.Table(stack, 'Table', { partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING } });
  const fn = new lambda.Function(stack, 'Fn', { runtime: lambda.Runtime.NODEJS_22_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
  const inner = new sfn.StateMachine(stack, 'Inner', { definitionBody: sfn.DefinitionBody.fromChainable(new sfn.Succeed(stack, 'Nothing')) });
  const key = { id: tasks.DynamoAttributeValue.fromString(sfn.JsonPath.stringAt('$.id')) };
  const chain = sfn.Chain
    .start(new tasks.SqsSendMessage(stack, 'Send', { queue, messageBody: sfn.TaskInput.fromObject({ token: sfn.JsonPath.taskToken }), integrationPattern: sfn.IntegrationPattern.WAIT_FOR_TASK_TOKEN, delay: cdk.Duration.seconds(5), heartbeatTimeout: sfn.Timeout.duration(cdk.Duration.minutes(1)) }))
    .next(new tasks.SqsSendMessage(stack, 'SendText', { queue, messageBody: sfn.TaskInput.fromText('hello'), messageGroupId: sfn.JsonPath.stringAt('$.g'), messageDeduplicationId: 'd' }))
    .next(new tasks.SnsPublish(stack, 'Publish', { topic, message: sfn.TaskInput.fromJsonPathAt('$.message'), subject: 's', messagePerSubscriptionType: true, messageAttributes: { kind: { value: 'k' }, n: { value: 3 } } }))
    .next(new tasks.DynamoGetItem(stack, 'Get', { table, key, consistentRead: true, projectionExpression: [new tasks.DynamoProjectionExpression().withAttribute('a').atIndex(1).withAttribute('b'), new tasks.DynamoProjectionExpression().withAttribute('c')], resultPath: '$.got' }))
    .next(new tasks.DynamoPutItem(stack, 'PutItem', {
      table, conditionExpression: 'attribute_not_exists(id)', returnValues: tasks.DynamoReturnValues.ALL_OLD,
      item: {
        ...key, n: tasks.DynamoAttributeValue.fromNumber(4.5), at: tasks.DynamoAttributeValue.numberFromString(sfn.JsonPath.stringAt('$.n')), ok: tasks.DynamoAttributeValue.fromBoolean(true), no: tasks.DynamoAttributeValue.fromNull(true),
        tags: tasks.DynamoAttributeValue.fromStringSet(['a', 'b']), list: tasks.DynamoAttributeValue.fromList([tasks.DynamoAttributeValue.fromString('x'), tasks.DynamoAttributeValue.fromNumberSet([1, 2])]),
        map: tasks.DynamoAttributeValue.fromMap({ inner: tasks.DynamoAttributeValue.fromString('y') }), all: tasks.DynamoAttributeValue.mapFromJsonPath('$.all'),
      },
    }))
    .next(new tasks.DynamoUpdateItem(stack, 'Update', { table, key, updateExpression: 'SET #n = :n', expressionAttributeNames: { '#n': 'n' }, expressionAttributeValues: { ':n': tasks.DynamoAttributeValue.fromNumber(1) }, returnConsumedCapacity: tasks.DynamoConsumedCapacity.TOTAL, returnItemCollectionMetrics: tasks.DynamoItemCollectionMetrics.SIZE }))
    .next(new tasks.DynamoDeleteItem(stack, 'Delete', { table, key }))
    .next(new tasks.EventBridgePutEvents(stack, 'Put', { entries: [{ detail: sfn.TaskInput.fromObject({ 'id.$': '$.id' }), detailType: 't', source: 'llama', eventBus: bus }, { detail: sfn.TaskInput.fromText('x'), detailType: 'u', source: 'llama' }] }))
    .next(new tasks.StepFunctionsStartExecution(stack, 'Start', { stateMachine: inner, name: 'run', input: sfn.TaskInput.fromObject({ a: 1 }), associateWithParent: true, integrationPattern: sfn.IntegrationPattern.RUN_JOB }))
    .next(new tasks.StepFunctionsStartExecution(stack, 'Fire', { stateMachine: inner }))
    .next(new tasks.LambdaInvoke(stack, 'Async', { lambdaFunction: fn, invocationType: tasks.LambdaInvocationType.EVENT, qualifier: 'live', integrationPattern: sfn.IntegrationPattern.WAIT_FOR_TASK_TOKEN, payload: sfn.TaskInput.fromObject({ token: sfn.JsonPath.taskToken }) }))
    .next(new tasks.CallAwsService(stack, 'List', { service: 's3', action: 'listBuckets', iamResources: ['*'], iamAction: 's3:ListAllMyBuckets' }))
    .next(new tasks.CallAwsService(stack, 'Describe', { service: 'sfn', action: 'describeExecution', parameters: { ExecutionArn: sfn.JsonPath.stringAt('$.arn') }, iamResources: ['*'], additionalIamStatements: [new iam.PolicyStatement({ actions: ['a:b'], resources: ['*'] })] }));
  new sfn.StateMachine(stack, 'Machine', { definitionBody: sfn.DefinitionBody.fromChainable(chain) });
}
