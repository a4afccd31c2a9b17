// Resources that exist already, taken over by their ARN, name or id.
import * as cdk from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as rds from 'aws-cdk-lib/aws-rds';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import * as sqs from 'aws-cdk-lib/aws-sqs';

export function build(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Taken', { env: { account: '123456789012', region: 'eu-west-1' } });
  messages(stack);
  network(stack);
}

function messages(stack: cdk.Stack) {
  const queue = sqs.Queue.fromQueueArn(stack, 'Queue', 'arn:aws:sqs:eu-west-1:123456789012:jobs');
  const abroad = sqs.Queue.fromQueueArn(stack, 'Abroad', 'arn:aws:sqs:us-east-1:210987654321:theirs');
  const topic = sns.Topic.fromTopicArn(stack, 'Topic', 'arn:aws:sns:eu-west-1:123456789012:news');
  const group = logs.LogGroup.fromLogGroupName(stack, 'Logs', '/app');
  const role = iam.Role.fromRoleArn(stack, 'Role', 'arn:aws:iam::123456789012:role/worker');
  const foreign = iam.Role.fromRoleArn(stack, 'Foreign', 'arn:aws:iam::210987654321:role/worker');
  const fn = new lambda.Function(stack, 'Fn', { runtime: lambda.Runtime.PROVIDED_AL2023, handler: 'bootstrap', code: lambda.Code.fromAsset('assets/alerts') });
  queue.grantSendMessages(fn);
  queue.grantConsumeMessages(role);
  topic.grantPublish(fn);
  topic.grantPublish(foreign);
  group.grantWrite(fn);
  topic.addSubscription(new subscriptions.SqsSubscription(new sqs.Queue(stack, 'Inbox')));
  topic.addSubscription(new subscriptions.LambdaSubscription(fn));
  const rule = new events.Rule(stack, 'Rule', { schedule: events.Schedule.rate(cdk.Duration.hours(1)) });
  rule.addTarget(new targets.SqsQueue(queue));
  rule.addTarget(new targets.SnsTopic(topic));
  new logs.MetricFilter(stack, 'Errors', { logGroup: group, metricNamespace: 'App', metricName: 'Errors', filterPattern: logs.FilterPattern.anyTerm('ERROR') });
  new cdk.CfnOutput(stack, 'Values', { value: [queue.queueUrl, queue.queueName, abroad.queueUrl, topic.topicName, group.logGroupArn].join(' ') });
}

function network(stack: cdk.Stack) {
  const vpc = ec2.Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-1', availabilityZones: ['eu-west-1a', 'eu-west-1b'], vpcCidrBlock: '10.1.0.0/16',
    publicSubnetIds: ['subnet-p1', 'subnet-p2'], privateSubnetIds: ['subnet-1', 'subnet-2'], privateSubnetRouteTableIds: ['rtb-1', 'rtb-2'],
  });
  const theirs = ec2.SecurityGroup.fromSecurityGroupId(stack, 'Theirs', 'sg-1');
  const fixed = ec2.SecurityGroup.fromSecurityGroupId(stack, 'Fixed', 'sg-2', { mutable: false });
  const inside = new lambda.Function(stack, 'Inside', { runtime: lambda.Runtime.PROVIDED_AL2023, handler: 'bootstrap', code: lambda.Code.fromAsset('assets/alerts'), vpc });
  const shared = new lambda.Function(stack, 'Shared', { runtime: lambda.Runtime.PROVIDED_AL2023, handler: 'bootstrap', code: lambda.Code.fromAsset('assets/alerts'), vpc, securityGroups: [theirs, fixed], vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS, availabilityZones: ['eu-west-1a'] } });
  const group = new ec2.SecurityGroup(stack, 'Group', { vpc });
  group.addIngressRule(ec2.Peer.ipv4(vpc.vpcCidrBlock), ec2.Port.tcp(443));
  group.connections.allowFrom(inside, ec2.Port.tcp(5432));
  theirs.connections.allowFrom(inside, ec2.Port.tcp(80), 'from inside');
  fixed.addIngressRule(group, ec2.Port.tcp(80));
  theirs.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443));
  shared.connections.allowTo(group, ec2.Port.tcp(9000));
  vpc.addGatewayEndpoint('S3', { service: ec2.GatewayVpcEndpointAwsService.S3 });
  const instance = new rds.DatabaseInstance(stack, 'Database', { engine: rds.DatabaseInstanceEngine.postgres({ version: rds.PostgresEngineVersion.of('15.17', '15') }), vpc });
  instance.connections.allowDefaultPortFrom(inside);
}
