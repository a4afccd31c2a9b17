// What invokes functions: queues, streams of tables and of Kinesis, topics, buckets, APIs; in their options, also through an alias.
import * as cdk from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kinesis from 'aws-cdk-lib/aws-kinesis';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { DynamoEventSource, KinesisConsumerEventSource, KinesisEventSource, S3EventSource, S3OnFailureDestination, SnsDlq, SnsEventSource, SqsDlq, SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import * as notifications from 'aws-cdk-lib/aws-s3-notifications';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as sqs from 'aws-cdk-lib/aws-sqs';

const { TRIM_HORIZON, LATEST, AT_TIMESTAMP } = lambda.StartingPosition;

export function build(app: cdk.App) {
  polled(app);
  streams(app);
  pushed(app);
}

const fn = (stack: cdk.Stack, id: string) => new lambda.Function(stack, id, { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });

function polled(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Polled');
  const handler = fn(stack, 'Fn');
  const queue = new sqs.Queue(stack, 'Queue');
  const ordered = new sqs.Queue(stack, 'Ordered', { fifo: true });
  handler.addEventSource(new SqsEventSource(queue, {
    batchSize: 500, maxBatchingWindow: cdk.Duration.minutes(1), maxConcurrency: 20, enabled: false, metricsConfig: { metrics: [lambda.MetricType.EVENT_COUNT] },
    filters: [lambda.FilterCriteria.filter({ body: { kind: lambda.FilterRule.isEqual('a'), depth: lambda.FilterRule.between(1, 5) } }), lambda.FilterCriteria.filter({ body: { chain: lambda.FilterRule.notExists() } })],
  }));
  const source = new SqsEventSource(ordered, { batchSize: 3, reportBatchItemFailures: true });
  handler.addEventSource(source);
  const live = new lambda.Alias(stack, 'Live', { aliasName: 'live', version: handler.currentVersion });
  live.addEventSource(new SqsEventSource(queue, { provisionedPollerConfig: { minimumPollers: 2, maximumPollers: 10 } }));
  const table = new dynamodb.Table(stack, 'Table', { partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING }, stream: dynamodb.StreamViewType.NEW_IMAGE });
  const dead = new sqs.Queue(stack, 'Dead');
  const topic = new sns.Topic(stack, 'Failed');
  const bucket = new s3.Bucket(stack, 'Kept');
  handler.addEventSource(new DynamoEventSource(table, {
    startingPosition: LATEST, batchSize: 1000, bisectBatchOnError: false, reportBatchItemFailures: true, maxBatchingWindow: cdk.Duration.seconds(30), maxRecordAge: cdk.Duration.hours(2), retryAttempts: -1,
    parallelizationFactor: 4, onFailure: new SqsDlq(dead), tumblingWindow: cdk.Duration.minutes(1), enabled: true, filters: [lambda.FilterCriteria.filter({ eventName: lambda.FilterRule.or('INSERT', 'MODIFY') })],
    metricsConfig: { metrics: [lambda.MetricType.EVENT_COUNT] },
  }));
  live.addEventSource(new DynamoEventSource(table, { startingPosition: TRIM_HORIZON, onFailure: new SnsDlq(topic) }));
  fn(stack, 'Other').addEventSource(new DynamoEventSource(table, { startingPosition: TRIM_HORIZON, onFailure: new S3OnFailureDestination(bucket) }));
  new cdk.CfnOutput(stack, 'Mapping', { value: source.eventSourceMappingId });
}

function streams(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Streams');
  const handler = fn(stack, 'Fn');
  const plain = new kinesis.Stream(stack, 'Plain');
  const stream = new kinesis.Stream(stack, 'Stream', {
    streamName: 'events', shardCount: 3, retentionPeriod: cdk.Duration.days(7), encryption: kinesis.StreamEncryption.MANAGED, streamMode: kinesis.StreamMode.PROVISIONED,
    shardLevelMetrics: [kinesis.ShardLevelMetrics.INCOMING_BYTES, kinesis.ShardLevelMetrics.OUTGOING_RECORDS], removalPolicy: cdk.RemovalPolicy.DESTROY,
  });
  const demand = new kinesis.Stream(stack, 'Demand', { streamMode: kinesis.StreamMode.ON_DEMAND, encryption: kinesis.StreamEncryption.UNENCRYPTED });
  handler.addEventSource(new KinesisEventSource(stream, { startingPosition: AT_TIMESTAMP, startingPositionTimestamp: 1700000000, batchSize: 50 }));
  handler.addEventSource(new KinesisEventSource(demand, { startingPosition: LATEST }));
  const role = new iam.Role(stack, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  plain.grantRead(role);
  plain.grantWrite(role);
  stream.grantReadWrite(role);
  demand.grant(role, 'kinesis:DescribeLimits');
  stream.grantRead(new iam.AccountPrincipal('222222222222'));
  const imported = kinesis.Stream.fromStreamArn(stack, 'Imported', 'arn:aws:kinesis:eu-west-1:123456789012:stream/theirs');
  imported.grantWrite(role);
  const consumer = new kinesis.StreamConsumer(stack, 'Consumer', { streamConsumerName: 'reader', stream });
  handler.addEventSource(new KinesisConsumerEventSource(consumer, { startingPosition: TRIM_HORIZON }));
  new dynamodb.Table(stack, 'Table', { partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING }, kinesisStream: demand });
  new cdk.CfnOutput(stack, 'Name', { value: stream.streamName });
  new cdk.CfnOutput(stack, 'Theirs', { value: imported.streamName });
}

function pushed(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Pushed');
  const handler = fn(stack, 'Fn');
  const topic = new sns.Topic(stack, 'Topic');
  const dead = new sqs.Queue(stack, 'Dead');
  handler.addEventSource(new SnsEventSource(topic, { filterPolicy: { kind: sns.SubscriptionFilter.stringFilter({ matchPrefixes: ['a'] }) }, deadLetterQueue: dead }));
  const bucket = new s3.Bucket(stack, 'Uploads', { enforceSSL: true });
  handler.addEventSource(new S3EventSource(bucket, { events: [s3.EventType.OBJECT_CREATED, s3.EventType.OBJECT_REMOVED], filters: [{ prefix: 'in/', suffix: '.json' }] }));
  bucket.addEventNotification(s3.EventType.OBJECT_CREATED_PUT, new notifications.SqsDestination(dead), { suffix: '.csv' });
  bucket.addEventNotification(s3.EventType.OBJECT_TAGGING, new notifications.SnsDestination(topic));
  bucket.enableEventBridgeNotification();
  const other = new s3.Bucket(stack, 'Other', { eventBridgeEnabled: true });
  const live = new lambda.Alias(stack, 'Live', { aliasName: 'live', version: handler.currentVersion });
  other.addObjectCreatedNotification(new notifications.LambdaDestination(live));
  live.addEventSource(new SnsEventSource(topic));
}
