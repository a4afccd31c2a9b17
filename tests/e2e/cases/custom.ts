// What aws-cdk-lib does with functions of its own: custom resources of all its kinds.
import * as cdk from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as custom from 'aws-cdk-lib/custom-resources';

export function build(app: cdk.App) {
  const stack = new cdk.Stack(app, 'CustomStack');
  new ec2.Vpc(stack, 'Vpc', { maxAzs: 1, natGateways: 0, restrictDefaultSecurityGroup: true });
  const bucket = new s3.Bucket(stack, 'Bucket', { autoDeleteObjects: true, removalPolicy: cdk.RemovalPolicy.DESTROY });
  const fn = new lambda.Function(stack, 'Fn', {
    runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', logRetention: logs.RetentionDays.ONE_WEEK,
    code: lambda.Code.fromInline('exports.handler = async (event) => ({ PhysicalResourceId: "made", Data: { Was: event.ResourceProperties.Name } });'),
  });
  const provider = new custom.Provider(stack, 'Provider', { onEventHandler: fn });
  const thing = new cdk.CustomResource(stack, 'Thing', { serviceToken: provider.serviceToken, resourceType: 'Custom::Thing', properties: { Name: 'llama' } });
  const call = new custom.AwsCustomResource(stack, 'Call', {
    installLatestAwsSdk: false,
    onUpdate: { service: 'SSM', action: 'putParameter', parameters: { Name: '/from/custom', Value: 'x', Type: 'String', Overwrite: true }, physicalResourceId: custom.PhysicalResourceId.of('call') },
    onDelete: { service: 'SSM', action: 'deleteParameter', parameters: { Name: '/from/custom' } },
    policy: custom.AwsCustomResourcePolicy.fromSdkCalls({ resources: custom.AwsCustomResourcePolicy.ANY_RESOURCE }),
  });
  call.node.addDependency(thing);
  new cdk.CfnOutput(stack, 'Was', { value: thing.getAttString('Was') });
  new cdk.CfnOutput(stack, 'BucketName', { value: bucket.bucketName });
}
