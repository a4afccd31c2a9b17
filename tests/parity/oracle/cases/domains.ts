// Custom domain names of REST APIs and their mappings.
import * as cdk from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as route53 from 'aws-cdk-lib/aws-route53';
import * as targets from 'aws-cdk-lib/aws-route53-targets';
import * as s3 from 'aws-cdk-lib/aws-s3';

export function build(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Domains', { env: { account: '123456789012', region: 'us-east-1' } });
  const zone = new route53.PublicHostedZone(stack, 'Zone', { zoneName: 'example.com' });
  const certificate = new acm.Certificate(stack, 'Certificate', { domainName: '*.example.com', validation: acm.CertificateValidation.fromDns(zone) });
  const api = new apigateway.RestApi(stack, 'Api', { cloudWatchRole: false, domainName: { domainName: 'api.example.com', certificate, securityPolicy: apigateway.SecurityPolicy.TLS_1_2 } });
  api.root.addMethod('GET');
  api.addDomainName('Second', { domainName: 'v1.example.com', certificate, endpointType: apigateway.EndpointType.EDGE, basePath: 'v1' });
  new route53.ARecord(stack, 'ApiAlias', { zone, recordName: 'api', target: route53.RecordTarget.fromAlias(new targets.ApiGateway(api)) });
  const bucket = new s3.Bucket(stack, 'Trust');
  const plain = new apigateway.DomainName(stack, 'Plain', { domainName: 'plain.example.com', certificate, mtls: { bucket, key: 'ca.pem', version: '3' } });
  new route53.AaaaRecord(stack, 'PlainAlias', { zone, recordName: 'plain', target: route53.RecordTarget.fromAlias(new targets.ApiGatewayDomain(plain)) });
  plain.addBasePathMapping(api);
  plain.addBasePathMapping(api, { basePath: 'a', attachToStage: false });
  const other = new apigateway.RestApi(stack, 'Other', { cloudWatchRole: false, deploy: false });
  other.root.addMethod('GET');
  const deployment = new apigateway.Deployment(stack, 'Release', { api: other });
  const stage = new apigateway.Stage(stack, 'Blue', { deployment, stageName: 'blue' });
  plain.addBasePathMapping(other, { basePath: 'b', stage });
  plain.addBasePathMapping(other, { basePath: 'c' });
  plain.addApiMapping(stage, { basePath: 'deep/er' });
  plain.addApiMapping(stage, { basePath: 'flat' });
  new apigateway.DomainName(stack, 'Deep', { domainName: 'deep.example.com', certificate, mapping: api, basePath: 'orders/v1', securityPolicy: apigateway.SecurityPolicy.TLS13_1_2_PQ_2025_09, endpointAccessMode: apigateway.EndpointAccessMode.STRICT });
  const kept = acm.Certificate.fromCertificateArn(stack, 'Kept', 'arn:aws:acm:us-east-1:123456789012:certificate/1');
  new apigateway.DomainName(stack, 'Edge', { domainName: 'edge.example.com', certificate: kept, endpointType: apigateway.EndpointType.EDGE, securityPolicy: apigateway.SecurityPolicy.TLS13_2025_EDGE, endpointAccessMode: apigateway.EndpointAccessMode.BASIC, mtls: undefined, mapping: api });
  const existing = apigateway.DomainName.fromDomainNameAttributes(stack, 'Existing', { domainName: 'was.example.com', domainNameAliasTarget: 'd-1.execute-api.us-east-1.amazonaws.com', domainNameAliasHostedZoneId: 'Z1UJRXOUMOOFQ8' });
  new apigateway.BasePathMapping(stack, 'OfExisting', { domainName: existing, restApi: api, basePath: 'x', stage: api.deploymentStage });
  new route53.ARecord(stack, 'WasAlias', { zone, recordName: 'was', target: route53.RecordTarget.fromAlias(new targets.ApiGatewayDomain(existing)) });
  new cdk.CfnOutput(stack, 'Name', { value: plain.domainName });
}
