import * as cdk from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as rds from 'aws-cdk-lib/aws-rds';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';

// options of instances, clusters and secrets that `database`, `phase2` and `options` leave out
export function build(app: cdk.App) {
  instances(app);
  clusters(app);
}

function shared(stack: cdk.Stack) {
  const vpc = new ec2.Vpc(stack, 'Vpc', { maxAzs: 2, natGateways: 1 });
  const key = kms.Key.fromKeyArn(stack, 'Key', 'arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef');
  const bucket = new s3.Bucket(stack, 'Bucket');
  const fn = new lambda.Function(stack, 'Fn', { runtime: lambda.Runtime.NODEJS_22_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
  return { vpc, key, bucket, fn };
}

function instances(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Instances');
  const { vpc, key, bucket, fn } = shared(stack);
  const large = ec2.InstanceType.of(ec2.InstanceClass.M6G, ec2.InstanceSize.LARGE);
  const role = new iam.Role(stack, 'Monitor', { assumedBy: new iam.ServicePrincipal('monitoring.rds.amazonaws.com') });

  const maria = rds.DatabaseInstanceEngine.mariaDb({ version: rds.MariaDbEngineVersion.of('11.4.5', '11.4') });
  const audit = new rds.OptionGroup(stack, 'Audit', {
    engine: maria, description: 'audit', optionGroupName: 'audit',
    configurations: [{ name: 'MARIADB_AUDIT_PLUGIN', settings: { SERVER_AUDIT_EVENTS: 'CONNECT' } }],
  });
  const both = new rds.ParameterGroup(stack, 'Both', { engine: maria, name: 'both', description: 'd', parameters: { a: '1' }, removalPolicy: cdk.RemovalPolicy.RETAIN });
  const subnets = new rds.SubnetGroup(stack, 'Subnets', { vpc, description: 'shared', subnetGroupName: 'Shared-Subnets', vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC }, removalPolicy: cdk.RemovalPolicy.DESTROY });
  const primary = new rds.DatabaseInstance(stack, 'Maria', {
    engine: maria, vpc, optionGroup: audit, parameterGroup: both, subnetGroup: subnets, publiclyAccessible: true,
    credentials: rds.Credentials.fromUsername('me', { secretName: 'maria', encryptionKey: key, excludeCharacters: '"@/', replicaRegions: [{ region: 'eu-central-1' }] }),
    storageEncryptionKey: key, storageType: rds.StorageType.IO2, multiAz: true, backupRetention: cdk.Duration.days(0),
    monitoringInterval: cdk.Duration.seconds(15), monitoringRole: role, performanceInsightEncryptionKey: key,
    caCertificate: rds.CaCertificate.RDS_CA_RSA2048_G1, networkType: rds.NetworkType.DUAL, applyImmediately: true,
    processorFeatures: { coreCount: 2, threadsPerCore: 1 }, removalPolicy: cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
  });
  both.addParameter('b', '2');
  both.bindToCluster({});
  const replica = new rds.DatabaseInstanceReadReplica(stack, 'Replica', {
    sourceDatabaseInstance: primary, vpc, instanceType: large, vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC }, storageEncryptionKey: key,
    storageType: rds.StorageType.GP3, allocatedStorage: 200, enablePerformanceInsights: false, removalPolicy: cdk.RemovalPolicy.RETAIN, deletionProtection: false,
    backupRetention: cdk.Duration.days(1), iamAuthentication: true, port: 3307, instanceIdentifier: 'replica', domain: 'd-1',
  });
  replica.grantConnect(fn, 'reader');
  replica.metricFreeableMemory().createAlarm(stack, 'Memory', { threshold: 1, evaluationPeriods: 1 });
  primary.grantConnect(fn);
  primary.secret!.grantWrite(fn);
  new cdk.CfnOutput(stack, 'Address', { value: primary.instanceEndpoint.socketAddress });
  new cdk.CfnOutput(stack, 'Arn', { value: replica.instanceArn });

  const postgres = rds.DatabaseInstanceEngine.postgres({ version: rds.PostgresEngineVersion.of('17.5', '17', { s3Import: true, s3Export: true }) });
  new rds.DatabaseInstance(stack, 'Postgres', {
    engine: postgres, vpc, vpcSubnets: { onePerAz: true }, availabilityZone: 'eu-west-1a', s3ImportBuckets: [bucket], s3ExportBuckets: [bucket],
    manageMasterUserPassword: true, credentials: { username: 'root', encryptionKey: key }, domain: 'd-1234567890', monitoringInterval: cdk.Duration.seconds(0),
    databaseInsightsMode: rds.DatabaseInsightsMode.ADVANCED, performanceInsightRetention: rds.PerformanceInsightRetention.MONTHS_15,
    engineLifecycleSupport: rds.EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED, storageType: rds.StorageType.STANDARD, iops: 5,
  }).secret!.grantRead(fn);

  const oracle = rds.DatabaseInstanceEngine.oracleSe2({ version: rds.OracleEngineVersion.of('19.0.0.0.ru-2024-01.rur-2024-01.r1', '19') });
  const manager = new rds.OptionGroup(stack, 'Manager', { engine: oracle, configurations: [{ name: 'OEM', port: 1158, vpc }, { name: 'S3_OTHER', version: '2.0' }] });
  manager.optionConnections.OEM.allowDefaultPortFromAnyIpv4();
  new rds.DatabaseInstance(stack, 'Oracle', {
    engine: oracle, vpc, optionGroup: manager, licenseModel: rds.LicenseModel.BRING_YOUR_OWN_LICENSE, characterSetName: 'AL32UTF8', s3ImportBuckets: [bucket], s3ExportBuckets: [bucket],
    parameters: { open_cursors: '300' }, credentials: rds.Credentials.fromPassword('sys', cdk.SecretValue.ssmSecure('oracle', '1')),
  });
  new rds.DatabaseInstance(stack, 'SqlServer', {
    engine: rds.DatabaseInstanceEngine.sqlServerEx({ version: rds.SqlServerEngineVersion.of('15.00.4236.7.v1', '15.00') }), vpc, timezone: 'UTC',
    s3ExportBuckets: [bucket], parameters: { x: '1' }, licenseModel: rds.LicenseModel.LICENSE_INCLUDED, autoMinorVersionUpgrade: true,
  });

  const found = secretsmanager.Secret.fromSecretNameV2(stack, 'Found', 'db/found');
  const complete = secretsmanager.Secret.fromSecretCompleteArn(stack, 'Complete', 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf');
  found.grantRead(fn);
  complete.grantRead(fn);
  const mysql = rds.DatabaseInstanceEngine.mysql({ version: rds.MysqlEngineVersion.of('8.4.5', '8.4') });
  new rds.DatabaseInstance(stack, 'Mysql', { engine: mysql, vpc, credentials: rds.Credentials.fromSecret(complete) });
  new rds.DatabaseInstanceFromSnapshot(stack, 'Plain', { engine: mysql, vpc, snapshotIdentifier: 'snap', instanceType: large });
  new rds.DatabaseInstanceFromSnapshot(stack, 'Generated', { engine: mysql, vpc, clusterSnapshotIdentifier: 'cluster-snap', credentials: rds.SnapshotCredentials.fromGeneratedSecret('admin') });
  const own = new kms.Key(stack, 'OwnKey');
  const sealed = new secretsmanager.Secret(stack, 'Sealed', { encryptionKey: own, replicaRegions: [{ region: 'eu-central-1', encryptionKey: key }] });
  sealed.grantRead(fn, ['AWSCURRENT']);
  sealed.grantWrite(fn);
  sealed.denyAccountRootDelete();
  new rds.DatabaseInstance(stack, 'Locked', { engine: mysql, vpc, credentials: rds.Credentials.fromGeneratedSecret('me', { encryptionKey: own }), storageEncryptionKey: own }).secret!.grantRead(fn);
  const user = new rds.DatabaseSecret(stack, 'User', { username: 'app', dbname: 'llama', masterSecret: primary.secret, replaceOnPasswordCriteriaChanges: true, excludeCharacters: '!' });
  new cdk.CfnOutput(stack, 'UserSecret', { value: user.attach(primary).secretArn });
}

function clusters(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Clusters');
  const { vpc, key, bucket, fn } = shared(stack);
  const postgres = rds.DatabaseClusterEngine.auroraPostgres({ version: rds.AuroraPostgresEngineVersion.of('16.6', '16', { s3Import: true, s3Export: true }) });
  const parameterGroup = new rds.ParameterGroup(stack, 'Params', { engine: postgres, parameters: { p: '1' } });
  const main = new rds.DatabaseCluster(stack, 'Main', {
    engine: postgres, vpc, vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS }, parameterGroup,
    writer: rds.ClusterInstance.provisioned('writer', {
      instanceType: ec2.InstanceType.of(ec2.InstanceClass.R7G, ec2.InstanceSize.XLARGE2), parameterGroup, enablePerformanceInsights: true, publiclyAccessible: true,
      performanceInsightEncryptionKey: key,
    }),
    readers: [
      rds.ClusterInstance.serverlessV2('follows', { scaleWithWriter: true, instanceIdentifier: 'follows', caCertificate: rds.CaCertificate.RDS_CA_RSA2048_G1, parameters: { q: '2' } }),
      rds.ClusterInstance.provisioned('last', { instanceType: ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MEDIUM), promotionTier: 15, autoMinorVersionUpgrade: false, allowMajorVersionUpgrade: true, availabilityZone: 'x', applyImmediately: true, preferredMaintenanceWindow: 'sun:05:00-sun:06:00', performanceInsightRetention: rds.PerformanceInsightRetention.MONTHS_1 }),
    ],
    serverlessV2MinCapacity: 0, serverlessV2MaxCapacity: 12.5, serverlessV2AutoPauseDuration: cdk.Duration.minutes(10),
    credentials: rds.Credentials.fromGeneratedSecret('root', { secretName: 'main' }), backup: { retention: cdk.Duration.days(7), preferredWindow: '01:00-02:00' },
    preferredMaintenanceWindow: 'sun:05:00-sun:06:00', clusterIdentifier: 'main', port: 6432, copyTagsToSnapshot: false, cloudwatchLogsExports: ['postgresql'],
    storageType: rds.DBClusterStorageType.AURORA_IOPT1, storageEncryptionKey: key, iamAuthentication: true, monitoringInterval: cdk.Duration.seconds(30),
    removalPolicy: cdk.RemovalPolicy.RETAIN, networkType: rds.NetworkType.DUAL, autoMinorVersionUpgrade: true, deleteAutomatedBackups: true,
    s3ImportBuckets: [bucket], s3ExportBuckets: [bucket], domain: 'd-1234567890',
  });
  main.grantConnect(fn, 'app');
  main.grantDataApiAccess(fn);
  main.connections.allowDefaultPortInternally();
  new cloudwatch.Alarm(stack, 'Capacity', { metric: main.metricServerlessDatabaseCapacity(), threshold: 10, evaluationPeriods: 2 });
  new cdk.CfnOutput(stack, 'Read', { value: main.clusterReadEndpoint.socketAddress });
  new cdk.CfnOutput(stack, 'ClusterArn', { value: main.clusterArn });
  new cdk.CfnOutput(stack, 'Identifiers', { value: cdk.Fn.join(',', main.instanceIdentifiers) });

  const mysql = rds.DatabaseClusterEngine.auroraMysql({ version: rds.AuroraMysqlEngineVersion.of('8.0.mysql_aurora.3.08.0', '8.0') });
  new rds.DatabaseCluster(stack, 'Mysql', {
    engine: mysql, vpc, writer: rds.ClusterInstance.serverlessV2('writer'), manageMasterUserPassword: true, backtrackWindow: cdk.Duration.hours(24),
    s3ImportBuckets: [bucket], s3ExportBuckets: [bucket], monitoringInterval: cdk.Duration.seconds(60), enableClusterLevelEnhancedMonitoring: true,
    enablePerformanceInsights: true, databaseInsightsMode: rds.DatabaseInsightsMode.STANDARD, enableDataApi: true, enableLocalWriteForwarding: true,
    deletionProtection: true, removalPolicy: cdk.RemovalPolicy.DESTROY, vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC },
  });
  new rds.DatabaseCluster(stack, 'Follower', {
    engine: mysql, vpc, writer: rds.ClusterInstance.provisioned('writer', { instanceType: ec2.InstanceType.of(ec2.InstanceClass.T3, ec2.InstanceSize.MEDIUM) }),
    parameters: { binlog_format: 'ROW' }, replicationSourceIdentifier: 'arn:aws:rds:eu-west-1:123456789012:cluster:source', storageType: rds.DBClusterStorageType.AURORA,
    enablePerformanceInsights: false, engineLifecycleSupport: rds.EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT,
  });
  new rds.DatabaseClusterFromSnapshot(stack, 'Restored', {
    engine: postgres, vpc, writer: rds.ClusterInstance.serverlessV2('writer'), snapshotIdentifier: 'snap', subnetGroup: rds.SubnetGroup.fromSubnetGroupName(stack, 'Known', 'known'),
    snapshotCredentials: rds.SnapshotCredentials.fromGeneratedPassword('root'), securityGroups: [new ec2.SecurityGroup(stack, 'Group', { vpc })],
  });
  new rds.DatabaseClusterFromSnapshot(stack, 'Same', { engine: postgres, vpc, writer: rds.ClusterInstance.serverlessV2('writer'), snapshotIdentifier: 'snap' });
}
