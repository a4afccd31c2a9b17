// Certificates, hosted zones, records and health checks.
import * as cdk from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as route53 from 'aws-cdk-lib/aws-route53';
import * as targets from 'aws-cdk-lib/aws-route53-targets';

export function build(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Zones', { env: { account: '123456789012', region: 'eu-west-1' } });
  const vpc = new ec2.Vpc(stack, 'Vpc', { maxAzs: 1, natGateways: 0 });
  const zone = new route53.PublicHostedZone(stack, 'Zone', { zoneName: 'example.com', comment: 'all of it', caaAmazon: true });
  const below = new route53.PublicHostedZone(stack, 'Below', { zoneName: 'api.example.com.', queryLogsLogGroupArn: 'arn:aws:logs:us-east-1:123456789012:log-group:dns' });
  zone.addDelegation(below, { ttl: cdk.Duration.hours(1) });
  const internal = new route53.PrivateHostedZone(stack, 'Internal', { zoneName: 'llama.internal', vpc });
  const both = new route53.HostedZone(stack, 'Both', { zoneName: 'svc', vpcs: [vpc], addTrailingDot: false });
  both.addVpc(new ec2.Vpc(stack, 'Other', { maxAzs: 1, natGateways: 0, subnetConfiguration: [] }));
  const theirs = route53.HostedZone.fromHostedZoneAttributes(stack, 'Theirs', { hostedZoneId: 'Z123', zoneName: 'example.org' });
  certificates(stack, zone, below, theirs);
  records(stack, zone, internal, theirs);
  routing(stack, zone);
  const endpoint = vpc.addInterfaceEndpoint('Sqs', { service: ec2.InterfaceVpcEndpointAwsService.SQS, subnets: { subnetType: ec2.SubnetType.PUBLIC } });
  new route53.ARecord(stack, 'Endpoint', { zone: internal, recordName: 'queues', target: route53.RecordTarget.fromAlias(new targets.InterfaceVpcEndpointTarget(endpoint)) });
  const role = new iam.Role(stack, 'Delegate', { assumedBy: new iam.AccountPrincipal('222222222222') });
  zone.grantDelegation(role);
  zone.grantDelegation(role, { delegatedZoneNames: ['dev.example.com', '*.a!b.example.com'] });
  new cdk.CfnOutput(stack, 'ZoneArn', { value: zone.hostedZoneArn });
  const signing = () => ({ keySpec: kms.KeySpec.ECC_NIST_P256, keyUsage: kms.KeyUsage.SIGN_VERIFY });
  zone.enableDnssec({ kmsKey: new kms.Key(stack, 'Signing', signing()) });
  below.enableDnssec({ kmsKey: new kms.Key(stack, 'SigningBelow', signing()), keySigningKeyName: 'below_1' });
  const open = new cdk.Stack(app, 'Open');
  new route53.CnameRecord(open, 'Here', { zone: theirs, domainName: 'there.example.net' });
  const name = new cdk.CfnParameter(open, 'Name').valueAsString;
  const named = new route53.PublicHostedZone(open, 'Named', { zoneName: name, acceleratedRecoveryEnabled: true });
  new route53.TxtRecord(open, 'Root', { zone: named, values: ['x'] });
  new route53.TxtRecord(open, 'Sub', { zone: named, values: ['x'], recordName: 'sub' });
  new acm.Certificate(open, 'OfParameter', { domainName: name, validation: acm.CertificateValidation.fromDns(named) });
}

function certificates(stack: cdk.Stack, zone: route53.IHostedZone, below: route53.IHostedZone, theirs: route53.IHostedZone) {
  new acm.Certificate(stack, 'Simple', { domainName: 'example.com', validation: acm.CertificateValidation.fromDns(zone) });
  const wide = new acm.Certificate(stack, 'Wide', {
    domainName: 'example.com', subjectAlternativeNames: ['*.example.com', '*.api.example.com', 'example.org'], certificateName: 'wide',
    keyAlgorithm: acm.KeyAlgorithm.EC_PRIME256V1, transparencyLoggingEnabled: false, allowExport: true,
    validation: acm.CertificateValidation.fromDnsMultiZone({ 'example.com': zone, '*.api.example.com': below, 'example.org': theirs }),
  });
  new acm.Certificate(stack, 'ByHand', { domainName: 'hand.example.com', validation: acm.CertificateValidation.fromDns(), transparencyLoggingEnabled: true });
  new acm.Certificate(stack, 'Mail', { domainName: 'www.example.co.uk', subjectAlternativeNames: ['a.b.example.net'] });
  new acm.Certificate(stack, 'Mails', {
    domainName: 'www.example.co.uk', subjectAlternativeNames: ['b.example.net'], keyAlgorithm: acm.KeyAlgorithm.RSA_4096,
    validation: acm.CertificateValidation.fromEmail({ 'b.example.net': 'b.example.net' }),
  });
  const kept = acm.Certificate.fromCertificateArn(stack, 'Kept', 'arn:aws:acm:us-east-1:123456789012:certificate/1');
  new cdk.CfnOutput(stack, 'KeptArn', { value: kept.certificateArn });
  new cloudwatch.Alarm(stack, 'Expiry', { metric: wide.metricDaysToExpiry(), threshold: 30, evaluationPeriods: 1, comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD });
}

function records(stack: cdk.Stack, zone: route53.IHostedZone, internal: route53.IHostedZone, theirs: route53.IHostedZone) {
  const www = new route53.ARecord(stack, 'Www', { zone, recordName: 'www', target: route53.RecordTarget.fromIpAddresses('192.0.2.1', '192.0.2.2'), ttl: cdk.Duration.minutes(5), comment: 'web' });
  new route53.AaaaRecord(stack, 'Www6', { zone, recordName: 'www.example.com', target: route53.RecordTarget.fromIpAddresses('2001:db8::1') });
  new route53.ARecord(stack, 'Root', { zone, target: route53.RecordTarget.fromAlias(new targets.Route53RecordTarget(www)) });
  route53.ARecord.fromARecordAttributes(stack, 'Existing', { zone: theirs, recordName: 'was', targetDNS: 'is.example.org' });
  new route53.CnameRecord(stack, 'Cname', { zone, recordName: 'docs.example.com.', domainName: www.domainName });
  new route53.TxtRecord(stack, 'Txt', { zone, values: ['v=spf1 -all', 'say "' + 'a'.repeat(300) + '"'] });
  new route53.SrvRecord(stack, 'Srv', { zone, recordName: '_sip._tcp', values: [{ priority: 1, weight: 2, port: 5060, hostName: 'sip.example.com' }] });
  new route53.CaaRecord(stack, 'Caa', { zone: internal, values: [{ flag: 128, tag: route53.CaaTag.ISSUEWILD, value: ';' }, { flag: 0, tag: route53.CaaTag.IODEF, value: 'mailto:a@example.com' }] });
  new route53.MxRecord(stack, 'Mx', { zone, values: [{ priority: 10, hostName: 'mx1.example.com' }, { priority: 20, hostName: 'mx2.example.com' }] });
  new route53.NsRecord(stack, 'Ns', { zone, recordName: 'sub', values: ['ns1.example.net.', 'ns2.example.net.'] });
  new route53.DsRecord(stack, 'Ds', { zone, recordName: 'sub', values: ['12345 3 1 123456789abcdef67890123456789abcdef67890'] });
  new route53.ZoneDelegationRecord(stack, 'Delegated', { zone, recordName: 'dev', nameServers: ['ns1.example.net', 'ns2.example.net.'] });
  new route53.SvcbRecord(stack, 'Svcb', { zone, recordName: '_dns', values: [route53.SvcbRecordValue.alias('dns.example.com'), route53.SvcbRecordValue.service({ mandatory: ['port'], alpn: [route53.Alpn.H3, route53.Alpn.H2], noDefaultAlpn: true, port: 853, ipv4hint: ['192.0.2.1'], ipv6hint: ['2001:db8::1'] })] });
  new route53.HttpsRecord(stack, 'Https', { zone, values: [route53.HttpsRecordValue.service({ priority: 2, targetName: 'www.example.com', alpn: [route53.Alpn.of('h2')] })] });
  new route53.RecordSet(stack, 'Ptr', { zone, recordType: route53.RecordType.PTR, recordName: '1', target: route53.RecordTarget.fromValues('www.example.com') });
}

function routing(stack: cdk.Stack, zone: route53.IHostedZone) {
  const web = new route53.HealthCheck(stack, 'Web', { type: route53.HealthCheckType.HTTPS, fqdn: 'www.example.com' });
  const text = new route53.HealthCheck(stack, 'Text', {
    type: route53.HealthCheckType.HTTP_STR_MATCH, ipAddress: '192.0.2.1', searchString: 'ok', port: 8080, resourcePath: '/health', failureThreshold: 5, requestInterval: cdk.Duration.seconds(10),
    inverted: true, measureLatency: true, regions: ['us-east-1', 'us-west-1', 'eu-west-1'],
  });
  const tcp = new route53.HealthCheck(stack, 'Tcp', { type: route53.HealthCheckType.TCP, ipAddress: '192.0.2.1', port: 5432 });
  new route53.HealthCheck(stack, 'All', { type: route53.HealthCheckType.CALCULATED, childHealthChecks: [web, text, tcp] });
  new route53.HealthCheck(stack, 'Some', { type: route53.HealthCheckType.CALCULATED, childHealthChecks: [web, tcp], healthThreshold: 1 });
  new route53.HealthCheck(stack, 'Alarm', { type: route53.HealthCheckType.CLOUDWATCH_METRIC, alarmIdentifier: { name: 'errors', region: 'eu-west-1' } });
  const one = route53.RecordTarget.fromIpAddresses('192.0.2.1');
  const balancer = (health?: boolean) => route53.RecordTarget.fromAlias(new targets.LoadBalancerTarget({ loadBalancerCanonicalHostedZoneId: 'Z32O12XQLNTSW2', loadBalancerDnsName: 'lb-1.eu-west-1.elb.amazonaws.com' } as any, health === undefined ? undefined : { evaluateTargetHealth: health }));
  new route53.ARecord(stack, 'Heavy', { zone, recordName: 'w', target: one, weight: 90, healthCheck: web });
  new route53.ARecord(stack, 'Light', { zone, recordName: 'w', target: balancer(false), weight: 0, setIdentifier: 'light' });
  new route53.ARecord(stack, 'AVeryLongNameOfARecordThatIsNearIreland', { zone, recordName: 'l', target: one, region: 'eu-west-1' });
  new route53.ARecord(stack, 'Europe', { zone, recordName: 'g', target: one, geoLocation: route53.GeoLocation.continent(route53.Continent.EUROPE) });
  new route53.ARecord(stack, 'Washington', { zone, recordName: 'g', target: one, geoLocation: route53.GeoLocation.subdivision('WA') });
  new route53.ARecord(stack, 'Elsewhere', { zone, recordName: 'g', target: one, geoLocation: route53.GeoLocation.default() });
  new route53.ARecord(stack, 'Many', { zone, recordName: 'm', target: one, multiValueAnswer: true });
  new route53.ARecord(stack, 'First', { zone, recordName: 'f', target: one, failover: route53.Failover.PRIMARY, healthCheck: route53.HealthCheck.fromHealthCheckId(stack, 'Known', 'abc') });
  new route53.ARecord(stack, 'Second', { zone, recordName: 'f', target: balancer(true), failover: route53.Failover.SECONDARY });
  new route53.ARecord(stack, 'Office', { zone, recordName: 'c', target: one, cidrRoutingConfig: route53.CidrRoutingConfig.create({ collectionId: '0a1b2c3d-1111-2222-3333-444455556666', locationName: 'office' }), setIdentifier: 'office' });
  new route53.AaaaRecord(stack, 'Accelerated', { zone, recordName: 'ga', target: route53.RecordTarget.fromAlias(new targets.GlobalAcceleratorDomainTarget('a.awsglobalaccelerator.com')) });
  new route53.ARecord(stack, 'HttpApi', { zone, recordName: 'api', target: route53.RecordTarget.fromAlias(new targets.ApiGatewayv2DomainProperties('d-1.execute-api.eu-west-1.amazonaws.com', 'ZLY8HYME6SFDD')) });
}
