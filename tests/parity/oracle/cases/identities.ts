// Users, groups, managed policies, providers of identities; filters of logs; buses of events.
import * as cdk from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as destinations from 'aws-cdk-lib/aws-logs-destinations';
import * as sqs from 'aws-cdk-lib/aws-sqs';

export function build(app: cdk.App) {
  people(app);
  journals(app);
  buses(app);
}

function people(app: cdk.App) {
  const stack = new cdk.Stack(app, 'People');
  const queue = new sqs.Queue(stack, 'Queue');
  const readers = new iam.Group(stack, 'Readers', { groupName: 'readers', path: '/teams/', managedPolicies: [iam.ManagedPolicy.fromAwsManagedPolicyName('ReadOnlyAccess')] });
  const writers = new iam.Group(stack, 'Writers');
  writers.addToPolicy(new iam.PolicyStatement({ actions: ['s3:PutObject'], resources: ['*'] }));
  const plain = new iam.User(stack, 'Plain');
  const ada = new iam.User(stack, 'Ada', { userName: 'ada', path: '/people/', groups: [readers] });
  ada.addToGroup(writers);
  ada.addManagedPolicy(iam.ManagedPolicy.fromAwsManagedPolicyName('job-function/ViewOnlyAccess'));
  queue.grantSendMessages(ada);
  queue.grantConsumeMessages(writers);
  const key = new iam.AccessKey(stack, 'Key', { user: plain, serial: 2, status: iam.AccessKeyStatus.INACTIVE });
  new cdk.CfnOutput(stack, 'KeyId', { value: key.accessKeyId });
  const role = new iam.Role(stack, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  const boundary = new iam.ManagedPolicy(stack, 'Boundary', {
    managedPolicyName: 'boundary', description: 'What nobody may leave', path: '/limits/',
    statements: [new iam.PolicyStatement({ actions: ['*'], resources: ['*'] }), new iam.PolicyStatement({ effect: iam.Effect.DENY, actions: ['iam:*'], resources: ['*'] })],
  });
  const shared = new iam.ManagedPolicy(stack, 'Shared', { roles: [role], users: [ada], groups: [writers] });
  shared.addStatements(new iam.PolicyStatement({ actions: ['sqs:ListQueues'], resources: ['*'] }));
  new iam.Role(stack, 'Bounded', { assumedBy: new iam.AccountRootPrincipal(), permissionsBoundary: boundary, managedPolicies: [shared] });
  new iam.User(stack, 'BoundedUser', { permissionsBoundary: boundary });
  new iam.InstanceProfile(stack, 'Profile', { role, instanceProfileName: 'workers', path: '/workers/' });
  new iam.InstanceProfile(stack, 'OwnProfile');
  const github = new iam.OidcProviderNative(stack, 'GitHub', { url: 'https://token.actions.githubusercontent.com', clientIds: ['sts.amazonaws.com'], thumbprints: ['6938fd4d98bab03faadb97b34396831e3780aea1'] });
  new iam.Role(stack, 'Deployer', {
    assumedBy: new iam.OpenIdConnectPrincipal(github, { StringEquals: { 'token.actions.githubusercontent.com:aud': 'sts.amazonaws.com' }, StringLike: { 'token.actions.githubusercontent.com:sub': 'repo:org/repo:*' } }),
  });
  const provider = new iam.SamlProvider(stack, 'Saml', { name: 'sso', metadataDocument: iam.SamlMetadataDocument.fromXml('<EntityDescriptor/>') });
  new iam.Role(stack, 'Sso', { assumedBy: new iam.SamlConsolePrincipal(provider) });
  new iam.Role(stack, 'Org', { assumedBy: new iam.OrganizationPrincipal('o-1234567890') });
  new iam.Role(stack, 'Session', { assumedBy: new iam.SessionTagsPrincipal(new iam.AccountPrincipal('210987654321')) });
  const theirs = iam.Role.fromRoleArn(stack, 'Theirs', 'arn:aws:iam::123456789012:role/path/theirs');
  queue.grantPurge(theirs);
  const fixed = iam.Role.fromRoleArn(stack, 'Fixed', 'arn:aws:iam::123456789012:role/fixed', { mutable: false });
  queue.grantPurge(fixed);
  const policy = new iam.Policy(stack, 'Named', { policyName: 'named', statements: [new iam.PolicyStatement({ actions: ['sts:GetCallerIdentity'], resources: ['*'] })] });
  policy.attachToRole(role);
  policy.attachToUser(plain);
  policy.attachToGroup(readers);
  role.grantAssumeRole(ada);
  role.grantPassRole(new iam.Role(stack, 'Passer', { assumedBy: new iam.ServicePrincipal('ecs-tasks.amazonaws.com') }));
}

function journals(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Journals');
  const group = new logs.LogGroup(stack, 'Group', { logGroupName: '/app', retention: logs.RetentionDays.ONE_WEEK, removalPolicy: cdk.RemovalPolicy.DESTROY, logGroupClass: logs.LogGroupClass.INFREQUENT_ACCESS });
  const fn = new lambda.Function(stack, 'Fn', { runtime: lambda.Runtime.PROVIDED_AL2023, handler: 'bootstrap', code: lambda.Code.fromAsset('assets/alerts') });
  new logs.LogStream(stack, 'Stream', { logGroup: group, logStreamName: 'first' });
  new logs.MetricFilter(stack, 'Errors', { logGroup: group, metricNamespace: 'App', metricName: 'Errors', filterPattern: logs.FilterPattern.anyTerm('ERROR', 'FATAL') });
  new logs.MetricFilter(stack, 'Latency', {
    logGroup: group, metricNamespace: 'App', metricName: 'Latency', filterName: 'latency', filterPattern: logs.FilterPattern.exists('$.latency'), metricValue: '$.latency',
    dimensions: { Route: '$.route' }, unit: cdk.aws_cloudwatch.Unit.MILLISECONDS,
  });
  group.addMetricFilter('Zero', { metricNamespace: 'App', metricName: 'All', filterPattern: logs.FilterPattern.allEvents(), defaultValue: 0 });
  new logs.SubscriptionFilter(stack, 'Forward', { logGroup: group, destination: new destinations.LambdaDestination(fn), filterPattern: logs.FilterPattern.literal('[w1, w2=ERROR]'), filterName: 'forward' });
  new logs.QueryDefinition(stack, 'Slow', {
    queryDefinitionName: 'slow', logGroups: [group],
    queryString: new logs.QueryString({ fields: ['@timestamp', '@message'], filterStatements: ['@duration > 500', 'route like /v1/'], sort: '@timestamp desc', limit: 20 }),
  });
  group.grantWrite(new iam.ServicePrincipal('es.amazonaws.com'));
  group.grantRead(fn);
  new logs.LogGroup(stack, 'Forever', { retention: logs.RetentionDays.INFINITE });
}

function buses(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Buses');
  const dead = new sqs.Queue(stack, 'Dead');
  const bus = new events.EventBus(stack, 'Bus', { eventBusName: 'orders', description: 'Orders', deadLetterQueue: dead });
  const plain = new events.EventBus(stack, 'PlainBus');
  bus.archive('Archive', { archiveName: 'orders', description: 'A month', eventPattern: { source: ['shop'] }, retention: cdk.Duration.days(30) });
  const fn = new lambda.Function(stack, 'Fn', { runtime: lambda.Runtime.PROVIDED_AL2023, handler: 'bootstrap', code: lambda.Code.fromAsset('assets/alerts') });
  bus.grantPutEventsTo(fn);
  const rule = new events.Rule(stack, 'Placed', { eventBus: bus, eventPattern: { source: ['shop'], detailType: ['placed'], detail: { total: events.Match.greaterThan(100), kind: events.Match.prefix('eu-'), gone: events.Match.doesNotExist(), not: events.Match.anythingBut('a', 'b') } } });
  rule.addTarget(new targets.EventBus(plain));
  rule.addTarget(new targets.LambdaFunction(fn, { event: events.RuleTargetInput.fromObject({ id: events.EventField.fromPath('$.detail.id'), at: events.EventField.time }) }));
  const connection = new events.Connection(stack, 'Connection', { authorization: events.Authorization.apiKey('x-api-key', cdk.SecretValue.secretsManager('partner')), description: 'Partner', headerParameters: { 'x-from': events.HttpParameter.fromString('us') } });
  const destination = new events.ApiDestination(stack, 'Destination', { connection, endpoint: 'https://example.com/hook', httpMethod: events.HttpMethod.POST, rateLimitPerSecond: 10 });
  rule.addTarget(new targets.ApiDestination(destination, { headerParameters: { 'x-kind': 'order' }, deadLetterQueue: dead }));
  bus.addToResourcePolicy(new iam.PolicyStatement({ sid: 'Partner', actions: ['events:PutEvents'], principals: [new iam.AccountPrincipal('210987654321')], resources: [bus.eventBusArn] }));
}
