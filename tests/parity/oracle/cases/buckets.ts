// Buckets in their options: encryption, lifecycle, web sites, logs, locks, reports, grants.
import * as cdk from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';

export function build(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Buckets', { env: { account: '123456789012', region: 'eu-west-1' } });
  const role = new iam.Role(stack, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  encrypted(stack, role);
  timed(stack);
  open(stack);
  logged(stack);
  const plain = new s3.Bucket(stack, 'Plain', { bucketName: 'llama-plain-1', eventBridgeEnabled: true, transferAcceleration: true, enforceSSL: true, minimumTLSVersion: 1.2, objectLockEnabled: true, removalPolicy: cdk.RemovalPolicy.DESTROY });
  plain.grantRead(role, 'reports/*');
  plain.grantPut(role, 'in/*');
  plain.grantPutAcl(role);
  plain.grantDelete(role, 'tmp/*');
  plain.grantWrite(new iam.AccountPrincipal('222222222222'), 'x/*');
  plain.grantReadWrite(role, 'both/*');
  new s3.Bucket(stack, 'Locked', { objectLockDefaultRetention: s3.ObjectLockRetention.compliance(cdk.Duration.days(30)) });
  new s3.Bucket(stack, 'Governed', { objectLockEnabled: true, objectLockDefaultRetention: s3.ObjectLockRetention.governance(cdk.Duration.days(1)) });
  known(app);
  new cdk.CfnOutput(stack, 'Url', { value: plain.s3UrlForObject('a/b.txt') });
}

function known(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Known', { env: { account: '123456789012', region: 'eu-central-1' } });
  const role = new iam.Role(stack, 'Role', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com') });
  const named = s3.Bucket.fromBucketName(stack, 'Named', 'theirs');
  named.grantRead(role);
  named.grantPut(new iam.AccountPrincipal('222222222222'));
  named.enableEventBridgeNotification();
  const arn = s3.Bucket.fromBucketArn(stack, 'Arn', 'arn:aws:s3:::by-arn');
  arn.grantWrite(role);
  for (const [id, value] of Object.entries({ Name: arn.bucketName, BucketArn: named.bucketArn, Domain: named.bucketRegionalDomainName, Web: named.bucketWebsiteUrl, WebHost: named.bucketWebsiteDomainName })) new cdk.CfnOutput(stack, `${id}Of`, { value });
  const open = new cdk.Stack(app, 'Anywhere');
  const here = s3.Bucket.fromBucketName(open, 'Named', 'theirs');
  new cdk.CfnOutput(open, 'Domain', { value: here.bucketRegionalDomainName });
  new s3.Bucket(open, 'Logged', { serverAccessLogsBucket: here });
}

function encrypted(stack: cdk.Stack, role: iam.IRole) {
  const own = new s3.Bucket(stack, 'OwnKey', { encryption: s3.BucketEncryption.KMS, bucketKeyEnabled: true });
  own.grantRead(role);
  own.grantPut(role);
  own.grantDelete(role);
  own.grantReadWrite(new iam.ServicePrincipal('x.amazonaws.com'));
  const key = new kms.Key(stack, 'Key');
  const given = new s3.Bucket(stack, 'GivenKey', { encryptionKey: key });
  given.grantWrite(role);
  given.grantReadWrite(role);
  new s3.Bucket(stack, 'Double', { encryption: s3.BucketEncryption.DSSE });
  new s3.Bucket(stack, 'DoubleGiven', { encryption: s3.BucketEncryption.DSSE, encryptionKey: key });
  new s3.Bucket(stack, 'DoubleManaged', { encryption: s3.BucketEncryption.DSSE_MANAGED });
  new s3.Bucket(stack, 'Managed', { encryption: s3.BucketEncryption.KMS_MANAGED, bucketKeyEnabled: false });
}

function timed(stack: cdk.Stack) {
  new s3.Bucket(stack, 'Timed', { versioned: true, lifecycleRules: [
    { id: 'archive', prefix: 'logs/', tagFilters: { kind: 'log', tier: 'cold' }, objectSizeGreaterThan: 1024, objectSizeLessThan: 1048576,
      transitions: [{ storageClass: s3.StorageClass.INFREQUENT_ACCESS, transitionAfter: cdk.Duration.days(30) }, { storageClass: s3.StorageClass.GLACIER, transitionAfter: cdk.Duration.days(90) }], expiration: cdk.Duration.days(365) },
    { noncurrentVersionTransitions: [{ storageClass: s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, transitionAfter: cdk.Duration.days(7), noncurrentVersionsToRetain: 2 }, { storageClass: s3.StorageClass.DEEP_ARCHIVE, transitionAfter: cdk.Duration.days(100) }],
      noncurrentVersionExpiration: cdk.Duration.days(200), noncurrentVersionsToRetain: 5 },
    { expiredObjectDeleteMarker: true, abortIncompleteMultipartUploadAfter: cdk.Duration.days(1), enabled: false },
    { transitions: [{ storageClass: s3.StorageClass.INTELLIGENT_TIERING, transitionAfter: cdk.Duration.days(0) }] },
  ] });
}

function open(stack: cdk.Stack) {
  new s3.Bucket(stack, 'Site', {
    websiteIndexDocument: 'index.html', websiteErrorDocument: 'error.html', blockPublicAccess: s3.BlockPublicAccess.BLOCK_ACLS,
    websiteRoutingRules: [
      { hostName: 'www.example.com', httpRedirectCode: '302', protocol: s3.RedirectProtocol.HTTPS, replaceKey: s3.ReplaceKey.prefixWith('new/'), condition: { httpErrorCodeReturnedEquals: '404', keyPrefixEquals: 'old/' } },
      { replaceKey: s3.ReplaceKey.with('index.html') },
    ],
    cors: [
      { allowedMethods: [s3.HttpMethods.GET, s3.HttpMethods.HEAD], allowedOrigins: ['https://example.com'], allowedHeaders: ['*'], exposedHeaders: ['ETag'], maxAge: 3600, id: 'web' },
      { allowedMethods: [s3.HttpMethods.PUT], allowedOrigins: ['*'] },
    ],
  });
  new s3.Bucket(stack, 'Elsewhere', { websiteRedirect: { hostName: 'example.com', protocol: s3.RedirectProtocol.HTTPS } });
  new s3.Bucket(stack, 'There', { websiteRedirect: { hostName: 'example.com' } });
  new s3.Bucket(stack, 'Listed', { accessControl: s3.BucketAccessControl.AUTHENTICATED_READ });
  new s3.Bucket(stack, 'Private', { accessControl: s3.BucketAccessControl.PRIVATE, objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED });
}

function logged(stack: cdk.Stack) {
  const logs = new s3.Bucket(stack, 'Logs', { encryption: s3.BucketEncryption.KMS });
  new s3.Bucket(stack, 'Logged', {
    serverAccessLogsBucket: logs, serverAccessLogsPrefix: 'logged/', targetObjectKeyFormat: s3.TargetObjectKeyFormat.partitionedPrefix(s3.PartitionDateSource.EVENT_TIME),
    metrics: [{ id: 'all' }, { id: 'some', prefix: 'a/', tagFilters: { k: 'v' } }],
    intelligentTieringConfigurations: [{ name: 'cold', prefix: 'c/', tags: [{ key: 'k', value: 'v' }], archiveAccessTierTime: cdk.Duration.days(90), deepArchiveAccessTierTime: cdk.Duration.days(180) }],
    inventories: [
      { destination: { bucket: logs, prefix: 'lists/', bucketOwner: '123456789012' }, format: s3.InventoryFormat.PARQUET, frequency: s3.InventoryFrequency.DAILY, includeObjectVersions: s3.InventoryObjectVersion.CURRENT, inventoryId: 'mine', enabled: false, optionalFields: ['Size', 'ETag'], objectsPrefix: 'a/' },
      { destination: { bucket: logs } },
    ],
  });
  new s3.Bucket(stack, 'Own', { serverAccessLogsPrefix: 'access/', targetObjectKeyFormat: s3.TargetObjectKeyFormat.simplePrefix() });
  const preferred = new s3.Bucket(stack, 'Preferred', { objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_PREFERRED });
  new s3.Bucket(stack, 'Other', { serverAccessLogsBucket: preferred });
}
