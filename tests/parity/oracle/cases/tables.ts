// DynamoDB tables in their variants: capacity, scaling, indexes, encryption, streams, grants, imports, global tables.
import * as cdk from 'aws-cdk-lib';
import * as appscaling from 'aws-cdk-lib/aws-applicationautoscaling';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kinesis from 'aws-cdk-lib/aws-kinesis';
import * as kms from 'aws-cdk-lib/aws-kms';

const text = (name: string) => ({ name, type: dynamodb.AttributeType.STRING });
const number = (name: string) => ({ name, type: dynamodb.AttributeType.NUMBER });
const bytes = (name: string) => ({ name, type: dynamodb.AttributeType.BINARY });

export function build(app: cdk.App) {
  provisioned(app);
  grants(app);
  encrypted(app);
  global(app);
}

function provisioned(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Provisioned', { env: { account: '123456789012', region: 'eu-west-1' } });
  new dynamodb.Table(stack, 'Plain', { partitionKey: text('id') });
  const table = new dynamodb.Table(stack, 'Scaled', {
    tableName: 'scaled', partitionKey: text('id'), sortKey: number('at'), readCapacity: 10, writeCapacity: 2, billingMode: dynamodb.BillingMode.PROVISIONED,
    tableClass: dynamodb.TableClass.STANDARD_INFREQUENT_ACCESS, deletionProtection: true, encryption: dynamodb.TableEncryption.DEFAULT,
    contributorInsightsSpecification: { enabled: true, mode: dynamodb.ContributorInsightsMode.THROTTLED_KEYS },
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true, recoveryPeriodInDays: 7 },
    kinesisStream: kinesis.Stream.fromStreamArn(stack, 'Changes', 'arn:aws:kinesis:eu-west-1:123456789012:stream/changes'),
    kinesisPrecisionTimestamp: dynamodb.ApproximateCreationDateTimePrecision.MILLISECOND,
    warmThroughput: { readUnitsPerSecond: 13000, writeUnitsPerSecond: 5000 },
  });
  table.addGlobalSecondaryIndex({ indexName: 'byOwner', partitionKey: text('owner'), readCapacity: 3, projectionType: dynamodb.ProjectionType.INCLUDE, nonKeyAttributes: ['a', 'b'] });
  table.addLocalSecondaryIndex({ indexName: 'byHash', sortKey: bytes('hash'), projectionType: dynamodb.ProjectionType.KEYS_ONLY });
  table.addGlobalSecondaryIndex({ indexName: 'byHashAndOwner', partitionKeys: [bytes('hash'), text('owner')], sortKeys: [number('at'), number('rank')], contributorInsightsSpecification: { enabled: false }, warmThroughput: { readUnitsPerSecond: 12000 } });
  const reads = table.autoScaleReadCapacity({ minCapacity: 5, maxCapacity: 50 });
  reads.scaleOnUtilization({ targetUtilizationPercent: 70 });
  const writes = table.autoScaleWriteCapacity({ minCapacity: 1, maxCapacity: 20 });
  writes.scaleOnUtilization({ targetUtilizationPercent: 55.5, scaleInCooldown: cdk.Duration.minutes(5), scaleOutCooldown: cdk.Duration.seconds(30), disableScaleIn: true, policyName: 'writes' });
  writes.scaleOnSchedule('Morning', { schedule: appscaling.Schedule.cron({ hour: '8', minute: '0' }), minCapacity: 10 });
  writes.scaleOnSchedule('Evening', { schedule: appscaling.Schedule.expression('cron(0 20 * * ? *)'), minCapacity: 1, maxCapacity: 5, timeZone: cdk.TimeZone.EUROPE_BERLIN });
  table.autoScaleGlobalSecondaryIndexReadCapacity('byOwner', { minCapacity: 1, maxCapacity: 4 }).scaleOnUtilization({ targetUtilizationPercent: 75 });
  table.autoScaleGlobalSecondaryIndexWriteCapacity('byOwner', { minCapacity: 1, maxCapacity: 4 }).scaleOnUtilization({ targetUtilizationPercent: 75 });
}

function grants(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Grants');
  const role = new iam.Role(stack, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  const plain = new dynamodb.Table(stack, 'Plain', {
    partitionKey: text('id'), billingMode: dynamodb.BillingMode.PAY_PER_REQUEST, maxReadRequestUnits: 100, maxWriteRequestUnits: 50,
    stream: dynamodb.StreamViewType.KEYS_ONLY, removalPolicy: cdk.RemovalPolicy.DESTROY, pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: false },
  });
  plain.grantReadData(role);
  plain.grantWriteData(role);
  plain.grantStream(role, 'dynamodb:DescribeStream');
  plain.grantTableListStreams(role);
  plain.grantStreamRead(role);
  const other = new iam.Role(stack, 'Other', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  const indexed = new dynamodb.Table(stack, 'Indexed', { partitionKey: text('id'), billingMode: dynamodb.BillingMode.PAY_PER_REQUEST });
  indexed.addGlobalSecondaryIndex({ indexName: 'byId', partitionKey: text('id'), maxReadRequestUnits: 7 });
  indexed.grantReadData(other);
  indexed.grantWriteData(other);
  indexed.grantFullAccess(other);
  indexed.grant(other, 'dynamodb:DescribeTable', 'dynamodb:Scan');
  indexed.grantReadWriteData(new iam.AccountPrincipal('111111111111'));
  indexed.addToResourcePolicy(new iam.PolicyStatement({ actions: ['dynamodb:GetItem'], principals: [new iam.ArnPrincipal('arn:aws:iam::111111111111:role/x')], resources: ['*'] }));
  const imported = dynamodb.Table.fromTableArn(stack, 'ByArn', 'arn:aws:dynamodb:eu-west-1:123456789012:table/theirs');
  imported.grantReadWriteData(role);
  const named = dynamodb.Table.fromTableName(stack, 'ByName', 'named');
  named.grantReadData(role);
  const attributes = dynamodb.Table.fromTableAttributes(stack, 'ByAttributes', { tableName: 'attributed', tableStreamArn: 'arn:aws:dynamodb:eu-west-1:123456789012:table/attributed/stream/1', globalIndexes: ['x'] });
  attributes.grantReadData(role);
  attributes.grantStreamRead(role);
  const alarm = (id: string, metric: cloudwatch.IMetric) => new cloudwatch.Alarm(stack, id, { metric, threshold: 1, evaluationPeriods: 1 });
  alarm('Consumed', plain.metricConsumedReadCapacityUnits());
  alarm('Written', plain.metricConsumedWriteCapacityUnits({ period: cdk.Duration.minutes(1) }));
  alarm('Checks', plain.metricConditionalCheckFailedRequests());
  alarm('User', plain.metricUserErrors());
  alarm('System', plain.metricSystemErrorsForOperations({ operations: [dynamodb.Operation.SCAN, dynamodb.Operation.TRANSACT_WRITE_ITEMS] }));
  alarm('Throttled', plain.metricThrottledRequestsForOperation('Query'));
  alarm('Slow', plain.metricSuccessfulRequestLatency({ dimensionsMap: { Operation: 'GetItem' } }));
  alarm('Any', plain.metric('ReturnedItemCount'));
  new cloudwatch.Dashboard(stack, 'Board', { widgets: [[new cloudwatch.GraphWidget({ left: [plain.metricThrottledRequestsForOperations()] })]] });
  new cdk.CfnOutput(stack, 'StreamArn', { value: plain.tableStreamArn! });
  new cdk.CfnOutput(stack, 'ImportedName', { value: imported.tableName });
  new cdk.CfnOutput(stack, 'NamedArn', { value: named.tableArn });
}

function encrypted(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Encrypted');
  const role = (id: string) => new iam.Role(stack, id, { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  const own = new dynamodb.Table(stack, 'Own', { partitionKey: text('id'), encryption: dynamodb.TableEncryption.CUSTOMER_MANAGED, stream: dynamodb.StreamViewType.NEW_IMAGE });
  const reader = role('Reader');
  own.grantReadData(reader);
  own.grantStreamRead(reader);
  const key = new kms.Key(stack, 'Shared', { enableKeyRotation: true });
  const shared = new dynamodb.Table(stack, 'SharedKey', { partitionKey: text('id'), encryptionKey: key });
  const writer = role('Writer');
  shared.grantWriteData(writer);
  shared.grantReadWriteData(writer);
  shared.grantFullAccess(role('Owner'));
  const stream = new kinesis.Stream(stack, 'Stream', { encryptionKey: key });
  stream.grantRead(role('StreamReader'));
  stream.grantWrite(role('StreamWriter'));
  new kinesis.Stream(stack, 'OwnStream', { encryption: kinesis.StreamEncryption.KMS }).grantReadWrite(role('Both'));
}

function global(app: cdk.App) {
  const open = new cdk.Stack(app, 'Single');
  new dynamodb.TableV2(open, 'Plain', { partitionKey: text('id') });
  const stack = new cdk.Stack(app, 'Global', { env: { account: '123456789012', region: 'eu-west-1' } });
  const role = (id: string) => new iam.Role(stack, id, { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  const table = new dynamodb.TableV2(stack, 'Table', {
    tableName: 'everywhere', partitionKey: text('id'), sortKey: number('at'), billing: dynamodb.Billing.onDemand({ maxReadRequestUnits: 100, maxWriteRequestUnits: 50 }),
    encryption: dynamodb.TableEncryptionV2.awsManagedKey(), timeToLiveAttribute: 'gone', pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true, recoveryPeriodInDays: 5 }, deletionProtection: true,
    tableClass: dynamodb.TableClass.STANDARD, contributorInsightsSpecification: { enabled: true, mode: dynamodb.ContributorInsightsMode.ACCESSED_AND_THROTTLED_KEYS }, removalPolicy: cdk.RemovalPolicy.DESTROY,
    globalSecondaryIndexes: [{ indexName: 'byOwner', partitionKey: text('owner'), maxReadRequestUnits: 9, maxWriteRequestUnits: 8 }, { indexName: 'byRank', partitionKey: number('rank'), projectionType: dynamodb.ProjectionType.KEYS_ONLY }],
    localSecondaryIndexes: [{ indexName: 'byHash', sortKey: bytes('hash') }],
    replicas: [{ region: 'eu-central-1', deletionProtection: false, maxReadRequestUnits: 20, tableClass: dynamodb.TableClass.STANDARD_INFREQUENT_ACCESS, pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: false } }, { region: 'us-east-1', contributorInsightsSpecification: { enabled: false } }],
  });
  table.grantReadData(role('Reader'));
  table.grantReadWriteData(new iam.AccountPrincipal('222222222222'));
  table.grantStreamRead(role('Streams'));
  const owned = new dynamodb.TableV2(stack, 'Owned', { partitionKey: text('id'), encryption: dynamodb.TableEncryptionV2.dynamoOwnedKey(), dynamoStream: dynamodb.StreamViewType.KEYS_ONLY, warmThroughput: { readUnitsPerSecond: 13000 } });
  const writer = role('Writer');
  owned.grantWriteData(writer);
  owned.grantStreamRead(writer);
  const key = new kms.Key(stack, 'Key');
  const keyed = new dynamodb.TableV2(stack, 'Keyed', {
    partitionKey: text('id'), replicas: [{ region: 'eu-central-1' }], multiRegionConsistency: dynamodb.MultiRegionConsistency.EVENTUAL,
    encryption: dynamodb.TableEncryptionV2.customerManagedKey(key, { 'eu-central-1': 'arn:aws:kms:eu-central-1:123456789012:key/there' }),
  });
  keyed.grantFullAccess(role('Owner'));
  new cdk.CfnOutput(stack, 'Stream', { value: owned.tableStreamArn! });
}
