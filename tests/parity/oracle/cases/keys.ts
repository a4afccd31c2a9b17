// Keys with their policies, grants, rotation and aliases.
import * as cdk from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as sns from 'aws-cdk-lib/aws-sns';

export function build(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Keys', { env: { account: '123456789012', region: 'eu-west-1' } });
  const role = new iam.Role(stack, 'Role', { assumedBy: new iam.AccountRootPrincipal() });
  const user = new iam.User(stack, 'User');
  const plain = new kms.Key(stack, 'Plain');
  plain.grantEncryptDecrypt(role);
  plain.grantDecrypt(user);
  plain.grantEncrypt(new iam.ServicePrincipal('sns.amazonaws.com', { conditions: { StringEquals: { 'aws:SourceAccount': '123456789012' } } }));
  plain.addAlias('plain');
  plain.addAlias('alias/second');
  const trusting = new kms.Key(stack, 'Trusting', {
    alias: 'team/trusting', description: 'd', enableKeyRotation: true, rotationPeriod: cdk.Duration.days(180), pendingWindow: cdk.Duration.days(7), enabled: true, multiRegion: true,
    trustAccountIdentities: true, admins: [role], removalPolicy: cdk.RemovalPolicy.DESTROY,
  });
  trusting.grantEncryptDecrypt(role);
  trusting.grantDecrypt(new iam.AccountPrincipal('222222222222'));
  new kms.Key(stack, 'Rotated', { rotationPeriod: cdk.Duration.days(90) });
  const signing = new kms.Key(stack, 'Signing', { keySpec: kms.KeySpec.ECC_NIST_P256, keyUsage: kms.KeyUsage.SIGN_VERIFY, policy: new iam.PolicyDocument({ statements: [new iam.PolicyStatement({ actions: ['kms:GetPublicKey'], resources: ['*'], principals: [new iam.AnyPrincipal()] })] }) });
  signing.grantSign(role);
  signing.grantSignVerify(role);
  const mac = new kms.Key(stack, 'Mac', { keySpec: kms.KeySpec.HMAC_256, keyUsage: kms.KeyUsage.GENERATE_VERIFY_MAC });
  mac.grantGenerateMac(role);
  mac.grantVerifyMac(role);
  mac.addToResourcePolicy(new iam.PolicyStatement({ sid: 'Mine', actions: ['kms:VerifyMac'], resources: ['*'], principals: [new iam.AccountPrincipal('333333333333')] }));
  const existing = kms.Key.fromKeyArn(stack, 'Existing', 'arn:aws:kms:eu-west-1:123456789012:key/1-2-3');
  existing.grantDecrypt(role);
  existing.grantDecrypt(new iam.ServicePrincipal('x.amazonaws.com'));
  const alias = new kms.Alias(stack, 'Named', { aliasName: 'named', targetKey: existing, removalPolicy: cdk.RemovalPolicy.RETAIN });
  new cdk.CfnOutput(stack, 'KeyId', { value: existing.keyId });
  new cdk.CfnOutput(stack, 'AliasArn', { value: alias.aliasArn });
  new sns.Topic(stack, 'Topic', { masterKey: plain });
  const kept = iam.Role.fromRoleArn(stack, 'Kept', 'arn:aws:iam::123456789012:role/kept');
  plain.grantDecrypt(kept);
  const far = new cdk.Stack(app, 'Far', { env: { account: '999999999999', region: 'eu-west-1' } });
  const reader = new iam.Role(far, 'Reader', { assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'), roleName: 'reader' });
  existing.grantDecrypt(reader);
  const open = new cdk.Stack(app, 'Open');
  new kms.Key(open, 'Key');
}
