// Options of the constructs of core and phase2 that those cases do not use.
import * as cdk from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as rds from 'aws-cdk-lib/aws-rds';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import * as ssm from 'aws-cdk-lib/aws-ssm';

export function build(app: cdk.App) {
  network(app);
  const functions = compute(app);
  api(app);
  observe(app, functions);
  rest(app);
}

function network(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Network', { description: 'networks', tags: { team: 'net' } });
  const defaults = new ec2.Vpc(stack, 'Defaults');
  const tiers = new ec2.Vpc(stack, 'Tiers', {
    ipAddresses: ec2.IpAddresses.cidr('10.20.0.0/16'), maxAzs: 2, natGateways: 1, vpcName: 'tiers', defaultInstanceTenancy: ec2.DefaultInstanceTenancy.DEDICATED,
    subnetConfiguration: [
      { name: 'edge', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
      { name: 'app', subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
      { name: 'spare', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 24, reserved: true },
      { name: 'data', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 26 },
    ],
  });
  const pinned = new cdk.Stack(app, 'Pinned', { env: { account: '123456789012', region: 'us-east-1' } });
  new ec2.Vpc(pinned, 'Vpc', { availabilityZones: ['us-east-1a', 'us-east-1b', 'us-east-1c'], natGateways: 0,
    subnetConfiguration: [{ name: 'public', subnetType: ec2.SubnetType.PUBLIC }, { name: 'isolated', subnetType: ec2.SubnetType.PRIVATE_ISOLATED }] });
  new ec2.Vpc(pinned, 'NoGateway', { availabilityZones: ['us-east-1a'], createInternetGateway: false, natGateways: 0 });
  const sg = new ec2.SecurityGroup(stack, 'Db', { vpc: tiers, allowAllOutbound: false, description: 'database' });
  sg.addIngressRule(ec2.Peer.ipv4('10.20.0.0/16'), ec2.Port.tcp(5432), 'inside only');
  sg.addIngressRule(ec2.Peer.ipv4('10.20.0.0/16'), ec2.Port.tcp(5432));
  sg.addIngressRule(ec2.Peer.anyIpv6(), ec2.Port.udpRange(1, 2));
  sg.addIngressRule(ec2.Peer.prefixList('pl-12345678'), ec2.Port.allTraffic());
  sg.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcpRange(8000, 8100));
  const other = new ec2.SecurityGroup(stack, 'Bastion', { vpc: tiers, securityGroupName: 'bastion', allowAllIpv6Outbound: true });
  sg.addIngressRule(other, ec2.Port.tcp(22));
  other.connections.allowTo(sg, ec2.Port.allIcmp(), 'ping');
  sg.connections.allowInternally(ec2.Port.allTcp());
  other.connections.allowFromAnyIpv4(ec2.Port.tcp(443), 'web');
  const far = new ec2.SecurityGroup(pinnedUser(app), 'Far', { vpc: defaults, allowAllOutbound: false });
  far.connections.allowTo(sg, ec2.Port.tcp(5432));
  const database = new rds.DatabaseInstance(stack, 'Primary', {
    engine: rds.DatabaseInstanceEngine.postgres({ version: rds.PostgresEngineVersion.of('16.13', '16') }), vpc: tiers,
    vpcSubnets: { subnetGroupName: 'data' }, credentials: rds.Credentials.fromGeneratedSecret('llama_admin', { secretName: 'db/admin' }), databaseName: 'defillama', port: 5433,
    allocatedStorage: 200, maxAllocatedStorage: 400, storageType: rds.StorageType.IO1, storageEncrypted: true,
    multiAz: false, backupRetention: cdk.Duration.days(14), preferredBackupWindow: '03:00-04:00', preferredMaintenanceWindow: 'sun:05:00-sun:06:00',
    performanceInsightRetention: rds.PerformanceInsightRetention.MONTHS_1, cloudwatchLogsExports: ['postgresql', 'upgrade'], monitoringInterval: cdk.Duration.seconds(60),
    iamAuthentication: true, removalPolicy: cdk.RemovalPolicy.RETAIN, copyTagsToSnapshot: false, autoMinorVersionUpgrade: false, deleteAutomatedBackups: true,
    parameters: { 'rds.force_ssl': '1' }, instanceIdentifier: 'primary', allowMajorVersionUpgrade: true,
  });
  database.connections.allowDefaultPortFromAnyIpv4('open');
  database.connections.allowDefaultPortInternally();
  new rds.DatabaseInstance(stack, 'Small', {
    engine: rds.DatabaseInstanceEngine.mysql({ version: rds.MysqlEngineVersion.of('8.4.5', '8.4') }), vpc: defaults, securityGroups: [other], vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC },
    availabilityZone: 'x', removalPolicy: cdk.RemovalPolicy.DESTROY, enablePerformanceInsights: true, credentials: rds.Credentials.fromUsername('me'), storageType: rds.StorageType.GP3, storageThroughput: 500, iops: 12000, allocatedStorage: 400,
  });
  cdk.Tags.of(tiers).add('net', 'tiers', { excludeResourceTypes: ['AWS::EC2::Subnet'] });
  cdk.Tags.of(tiers).remove('Name', { includeResourceTypes: ['AWS::EC2::EIP'] });
}
function pinnedUser(app: cdk.App) { return new cdk.Stack(app, 'Far'); }

function compute(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Compute');
  const vpc = new ec2.Vpc(stack, 'Vpc', { maxAzs: 1 });
  const dead = new sqs.Queue(stack, 'Dead', { retentionPeriod: cdk.Duration.days(14), encryption: sqs.QueueEncryption.KMS_MANAGED, enforceSSL: true });
  const group = new logs.LogGroup(stack, 'Logs', { retention: logs.RetentionDays.ONE_WEEK, removalPolicy: cdk.RemovalPolicy.DESTROY });
  new logs.LogGroup(stack, 'Default');
  const rust = new lambda.Function(stack, 'Rust', {
    runtime: lambda.Runtime.PROVIDED_AL2023, architecture: lambda.Architecture.ARM_64, handler: 'bootstrap', code: lambda.Code.fromAsset('assets/alerts'),
    functionName: 'llama-rust', description: 'native', ephemeralStorageSize: cdk.Size.gibibytes(1), deadLetterQueue: dead, retryAttempts: 1, maxEventAge: cdk.Duration.hours(1),
    environment: { ZULU: '2', ALPHA: '1' }, initialPolicy: [new iam.PolicyStatement({ actions: ['s3:ListAllMyBuckets'], resources: ['*'] })],
    loggingFormat: lambda.LoggingFormat.JSON, systemLogLevelV2: lambda.SystemLogLevel.WARN, applicationLogLevelV2: lambda.ApplicationLogLevel.INFO, logGroup: group, tracing: lambda.Tracing.ACTIVE,
  });
  rust.addToRolePolicy(new iam.PolicyStatement({ sid: 'Cw', actions: ['cloudwatch:PutMetricData', 'cloudwatch:GetMetricData'], resources: ['*'], conditions: { StringEquals: { 'cloudwatch:namespace': 'Llama' } } }));
  const sg = new ec2.SecurityGroup(stack, 'Sg', { vpc });
  const node = new lambda.Function(stack, 'Node', { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromAsset('assets/ws'), tracing: lambda.Tracing.PASS_THROUGH, vpc, securityGroups: [sg], environment: { B: 'b', A: 'a' } });
  const version = node.currentVersion;
  const live = new lambda.Alias(stack, 'Live', { aliasName: 'live', version, provisionedConcurrentExecutions: 2, description: 'what users reach' });
  const fixed = new lambda.Version(stack, 'RustV1', { lambda: rust, description: 'first', removalPolicy: cdk.RemovalPolicy.RETAIN });
  new lambda.Alias(stack, 'RustBlue', { aliasName: 'blue', version: fixed, additionalVersions: [{ version: fixed, weight: 0.1 }] });
  const rustVersion = rust.currentVersion;
  const inline = new lambda.Function(stack, 'Inline', { runtime: lambda.Runtime.PYTHON_3_12, handler: 'index.handler', code: lambda.Code.fromInline('def handler(e, c): return 1'), timeout: cdk.Duration.minutes(1) });
  const role = new iam.Role(stack, 'Caller', { assumedBy: new iam.AccountRootPrincipal(), maxSessionDuration: cdk.Duration.hours(2), managedPolicies: [iam.ManagedPolicy.fromAwsManagedPolicyName('ReadOnlyAccess')], externalIds: ['one'], description: 'caller', path: '/team/', roleName: 'caller' });
  live.grantInvoke(role);
  rust.grantInvoke(role);
  rust.grantInvoke(new iam.ServicePrincipal('scheduler.amazonaws.com'));
  inline.addPermission('Other', { principal: new iam.AccountPrincipal('111111111111'), sourceArn: 'arn:aws:s3:::x', sourceAccount: '111111111111', action: 'lambda:GetFunction' });
  dead.grantConsumeMessages(inline);
  dead.grantSendMessages(new iam.ServicePrincipal('events.amazonaws.com'));
  new iam.Role(stack, 'Deployer', { assumedBy: new iam.WebIdentityPrincipal('arn:aws:iam::1:oidc-provider/x', { StringLike: { 'x:sub': 'repo:*' }, StringEquals: { 'x:aud': 'sts' } }),
    inlinePolicies: { deploy: new iam.PolicyDocument({ statements: [new iam.PolicyStatement({ actions: ['cloudformation:*'], resources: [stack.formatArn({ service: 'cloudformation', resource: 'stack', resourceName: 'Phase2*' })] }), new iam.PolicyStatement({ effect: iam.Effect.DENY, notActions: ['iam:*User*'], notResources: ['arn:x'] })] }) } });
  new cdk.CfnOutput(stack, 'Version', { value: version.version });
  new cdk.CfnOutput(stack, 'RustVersion', { value: rustVersion.version, exportName: 'rust-version' });
  return [rust, node, inline];
}

function api(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Api', { env: { account: '123456789012', region: 'eu-west-1' } });
  const fn = new lambda.Function(stack, 'Fn', { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('x'), functionName: 'named' });
  const authFn = new lambda.Function(stack, 'AuthFn', { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('y') });
  const access = new logs.LogGroup(stack, 'Access');
  const rest = new apigateway.RestApi(stack, 'Api', {
    description: 'public', endpointTypes: [apigateway.EndpointType.REGIONAL], binaryMediaTypes: ['image/png'], minCompressionSize: cdk.Size.kibibytes(1), cloudWatchRole: false, endpointExportName: 'api-url', retainDeployments: true,
    deployOptions: { stageName: 'v1', metricsEnabled: true, loggingLevel: apigateway.MethodLoggingLevel.ERROR, dataTraceEnabled: false, tracingEnabled: true, variables: { color: 'blue' }, description: 'stage', cachingEnabled: true, cacheTtl: cdk.Duration.minutes(1),
      accessLogDestination: new apigateway.LogGroupLogDestination(access), accessLogFormat: apigateway.AccessLogFormat.custom('$context.requestId x'),
      methodOptions: { '/yields/GET': { throttlingRateLimit: 10, throttlingBurstLimit: 20, cachingEnabled: false } } },
  });
  const authorizer = new apigateway.TokenAuthorizer(stack, 'Auth', { handler: authFn, identitySource: apigateway.IdentitySource.header('x-api-key'), resultsCacheTtl: cdk.Duration.minutes(0), validationRegex: '^Bearer .+$', authorizerName: 'keys' });
  const yields = rest.root.addResource('yields');
  yields.addMethod('GET', new apigateway.LambdaIntegration(fn), { authorizer, requestParameters: { 'method.request.querystring.chain': true } });
  rest.root.resourceForPath('/v1/portfolio/{address}').addMethod('POST', new apigateway.LambdaIntegration(fn, { timeout: cdk.Duration.seconds(10), allowTestInvoke: false }), { apiKeyRequired: true, operationName: 'TrackPortfolio', authorizationType: apigateway.AuthorizationType.IAM });
  rest.root.addResource('health').addMethod('GET', new apigateway.MockIntegration({ requestTemplates: { 'application/json': '{"statusCode": 200}' }, integrationResponses: [{ statusCode: '200', responseTemplates: { 'application/json': '{"ok": true}' } }] }), { methodResponses: [{ statusCode: '200' }] });
  rest.root.addMethod('ANY', new apigateway.HttpIntegration('https://example.com'));
  new cdk.CfnOutput(stack, 'Yields', { value: rest.urlForPath('/yields') });
  new cdk.CfnOutput(stack, 'Arn', { value: rest.arnForExecuteApi('GET', '/x', 'live') });
  const green = new apigateway.RestApi(stack, 'Green', { deploy: false });
  green.root.addMethod('GET', new apigateway.MockIntegration());
  green.root.addMethod('POST', new apigateway.LambdaIntegration(authFn));
  const deployment = new apigateway.Deployment(stack, 'Release', { api: green, description: 'by hand' });
  for (const stageName of ['blue', 'green']) new apigateway.Stage(stack, `Stage-${stageName}`, { deployment, stageName, variables: { color: stageName } });
  new cloudwatch.Alarm(stack, 'ServerErrors', { metric: rest.metricServerError({ period: cdk.Duration.minutes(1) }), threshold: 10, evaluationPeriods: 5, datapointsToAlarm: 3, treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING, comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD });
}

function observe(app: cdk.App, [rust, node, inline]: lambda.Function[]) {
  const stack = new cdk.Stack(app, 'Observe');
  const topic = new sns.Topic(stack, 'Alarms', { displayName: 'alarms', enforceSSL: true });
  const minute = cdk.Duration.minutes(1);
  const ratio = new cloudwatch.MathExpression({ expression: '100 * e / i', usingMetrics: { e: node.metricErrors({ period: minute }), i: node.metricInvocations({ period: minute }) }, period: minute, label: 'errors %' });
  const math = new cloudwatch.Alarm(stack, 'Ratio', { metric: ratio, threshold: 5, evaluationPeriods: 5, datapointsToAlarm: 3, alarmName: 'ratio', comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD });
  math.addAlarmAction({ bind: () => ({ alarmActionArn: topic.topicArn }) });
  math.addOkAction({ bind: () => ({ alarmActionArn: topic.topicArn }) });
  const labelled = new cloudwatch.Alarm(stack, 'Labelled', { metric: new cloudwatch.Metric({ namespace: 'N', metricName: 'M', dimensionsMap: { Z: 'z', A: 'a' }, statistic: 'tm99', label: 'mine', unit: cloudwatch.Unit.COUNT }), threshold: 0.5, evaluationPeriods: 1, comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD });
  const plain = new cloudwatch.Alarm(stack, 'Plain', { metric: inline.metricThrottles({ unit: cloudwatch.Unit.COUNT }), threshold: 1, evaluationPeriods: 2, treatMissingData: cloudwatch.TreatMissingData.BREACHING });
  const board = new cloudwatch.Dashboard(stack, 'Main', { dashboardName: 'Main', defaultInterval: cdk.Duration.hours(3), periodOverride: cloudwatch.PeriodOverride.INHERIT });
  board.addWidgets(new cloudwatch.TextWidget({ markdown: '# "Overview"\n\\ x', width: 24, height: 2, background: cloudwatch.TextWidgetBackground.SOLID }));
  board.addWidgets(
    new cloudwatch.AlarmStatusWidget({ title: 'Alarms', alarms: [math, plain], width: 24 }),
    new cloudwatch.SingleValueWidget({ title: 'Calls', metrics: [rust.metricInvocations()], width: 6, sparkline: true, fullPrecision: true }),
    new cloudwatch.Spacer({ width: 3, height: 4 }),
    new cloudwatch.GraphWidget({ title: 'Errors', left: [rust.metricErrors({ color: cloudwatch.Color.RED }), ratio], right: [rust.metricThrottles({ label: 'throttles' }), ratio], leftYAxis: { min: 0, label: 'errors' }, rightYAxis: { max: 10, showUnits: false }, width: 15,
      leftAnnotations: [{ value: 5, label: 'rollback', color: cloudwatch.Color.RED }, math.toAnnotation()], rightAnnotations: [{ value: 0.25, fill: cloudwatch.Shading.ABOVE }], stacked: true, legendPosition: cloudwatch.LegendPosition.RIGHT, liveData: true, period: minute, statistic: 'Sum', region: 'eu-west-1', view: cloudwatch.GraphWidgetView.BAR }),
    new cloudwatch.AlarmWidget({ title: 'Ratio', alarm: labelled }));
  board.addWidgets(new cloudwatch.GraphWidget({ left: [node.metricDuration({ statistic: 'p50' }), node.metricDuration({ statistic: 'p50' }), new cloudwatch.MathExpression({ expression: 'FLOOR(1)' }), new cloudwatch.Metric({ namespace: 'N', metricName: 'M', account: '1', region: 'r', visible: false })] }));
}

function rest(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Rest', { stackName: 'the-rest' });
  const bucket = new s3.Bucket(stack, 'Uploads', { bucketName: 'uploads', versioned: true, encryption: s3.BucketEncryption.S3_MANAGED, blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL, enforceSSL: true,
    lifecycleRules: [{ expiration: cdk.Duration.days(30), prefix: 'tmp/', id: 'tmp' }, { noncurrentVersionExpiration: cdk.Duration.days(1), abortIncompleteMultipartUploadAfter: cdk.Duration.days(2), enabled: false }] });
  const role = new iam.Role(stack, 'Role', { assumedBy: new iam.CompositePrincipal(new iam.ServicePrincipal('ec2.amazonaws.com'), new iam.ArnPrincipal('arn:aws:iam::1:root')) });
  bucket.grantRead(role);
  bucket.grantPut(role);
  bucket.grantReadWrite(role);
  bucket.grantDelete(role);
  bucket.grantRead(new iam.ServicePrincipal('x.amazonaws.com', { conditions: { StringEquals: { 'aws:SourceAccount': '1' } } }));
  const fifo = new sns.Topic(stack, 'Ordered', { fifo: true, topicName: 'ordered', contentBasedDeduplication: true });
  fifo.grantPublish(new iam.AccountPrincipal('222222222222'));
  fifo.grantPublish(role);
  new sqs.Queue(stack, 'Named', { queueName: 'named.fifo', deliveryDelay: cdk.Duration.seconds(5), receiveMessageWaitTime: cdk.Duration.seconds(20), visibilityTimeout: cdk.Duration.minutes(2), maxMessageSizeBytes: 2048, encryption: sqs.QueueEncryption.SQS_MANAGED, deduplicationScope: sqs.DeduplicationScope.MESSAGE_GROUP, removalPolicy: cdk.RemovalPolicy.RETAIN });
  const secret = new secretsmanager.Secret(stack, 'Key', { secretName: 'api/key', description: 'API key', generateSecretString: { secretStringTemplate: JSON.stringify({ user: 'api' }), generateStringKey: 'key', excludePunctuation: true, passwordLength: 48 }, removalPolicy: cdk.RemovalPolicy.RETAIN });
  secret.grantRead(role);
  secret.grantWrite(role);
  new secretsmanager.Secret(stack, 'Plain');
  new ssm.StringParameter(stack, 'P', { stringValue: ssm.StringParameter.valueForStringParameter(stack, '/a/b'), description: 'd', allowedPattern: '.*', tier: ssm.ParameterTier.ADVANCED });
  new cdk.CfnOutput(stack, 'Again', { value: ssm.StringParameter.valueForStringParameter(stack, '/a/b') });
  const nested = new cdk.Stack(new cdk.Stage(app, 'Nested', { stageName: 'n' }), 'In', { terminationProtection: true });
  new sns.Topic(nested, 'Default');
  const policy = new cdk.CfnResource(stack, 'Raw', { type: 'Custom::Thing', properties: { A: { B: [1, 2.5, true] } } });
  policy.addOverride('Properties.A', { C: { D: 1 } });
  policy.addOverride('Properties.E\\.F', 'dotted');
  policy.addDeletionOverride('Properties.A.B');
  policy.applyRemovalPolicy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE);
  policy.addDependency(bucket.node.defaultChild as s3.CfnBucket);
}
