// The example of docs/from-cdk.md, which shows both sides of it.
import * as cdk from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import * as sqs from 'aws-cdk-lib/aws-sqs';

// begin example
export function build(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Orders', { env: { region: 'eu-west-1' } });
  const table = new dynamodb.Table(stack, 'Table', {
    partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING },
    billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
  });
  const failed = new sqs.Queue(stack, 'Failed');
  const placed = new sqs.Queue(stack, 'Placed', { deadLetterQueue: { queue: failed, maxReceiveCount: 3 } });
  const worker = new lambda.Function(stack, 'Worker', {
    runtime: lambda.Runtime.PROVIDED_AL2023,
    handler: 'bootstrap',
    code: lambda.Code.fromAsset('assets/alerts'),
    architecture: lambda.Architecture.ARM_64,
    timeout: cdk.Duration.seconds(10),
    environment: { TABLE: table.tableName },
  });
  table.grantReadWriteData(worker);
  worker.addEventSource(new SqsEventSource(placed, { batchSize: 5, reportBatchItemFailures: true }));
  const api = new apigateway.RestApi(stack, 'Api');
  api.root.addResource('orders').addMethod('POST', new apigateway.LambdaIntegration(worker));
  new cloudwatch.Alarm(stack, 'Failures', { metric: worker.metricErrors(), threshold: 5, evaluationPeriods: 2 });
  cdk.Tags.of(stack).add('team', 'orders');
}
// end example
