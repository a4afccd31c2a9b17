// CloudFront before buckets, APIs, functions and servers, with policies, code at the edge and keys.
import * as cdk from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import * as origins from 'aws-cdk-lib/aws-cloudfront-origins';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as route53 from 'aws-cdk-lib/aws-route53';
import * as targets from 'aws-cdk-lib/aws-route53-targets';
import * as s3 from 'aws-cdk-lib/aws-s3';

const PEM = '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAudf8/iNkQgdvjEdm6xYS\n-----END PUBLIC KEY-----';

export function build(app: cdk.App) {
  site(app);
  mixed(app);
  old(app);
}

function site(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Site', { env: { account: '123456789012', region: 'us-east-1' } });
  const zone = route53.HostedZone.fromHostedZoneAttributes(stack, 'Zone', { hostedZoneId: 'Z123', zoneName: 'example.com' });
  const certificate = new acm.Certificate(stack, 'Certificate', { domainName: 'www.example.com', validation: acm.CertificateValidation.fromDns(zone) });
  const bucket = new s3.Bucket(stack, 'Pages', { blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL, enforceSSL: true });
  const pages = origins.S3BucketOrigin.withOriginAccessControl(bucket);
  const headers = new cloudfront.ResponseHeadersPolicy(stack, 'Headers', {
    responseHeadersPolicyName: 'secure', comment: 'c',
    corsBehavior: { accessControlAllowCredentials: false, accessControlAllowHeaders: ['x-a'], accessControlAllowMethods: ['GET', 'POST'], accessControlAllowOrigins: ['https://example.com'], accessControlExposeHeaders: ['x-b'], accessControlMaxAge: cdk.Duration.hours(1), originOverride: true },
    customHeadersBehavior: { customHeaders: [{ header: 'x-app', value: 'llama', override: false }, { header: 'x-env', value: stack.stackName, override: true }] },
    securityHeadersBehavior: {
      contentSecurityPolicy: { contentSecurityPolicy: "default-src 'self'", override: true }, contentTypeOptions: { override: true },
      frameOptions: { frameOption: cloudfront.HeadersFrameOption.DENY, override: true }, referrerPolicy: { referrerPolicy: cloudfront.HeadersReferrerPolicy.STRICT_ORIGIN, override: false },
      strictTransportSecurity: { accessControlMaxAge: cdk.Duration.days(365), includeSubdomains: true, preload: true, override: true },
      xssProtection: { protection: true, modeBlock: true, override: false },
    },
    removeHeaders: ['server'], serverTimingSamplingRate: 12.5,
  });
  const distribution = new cloudfront.Distribution(stack, 'Cdn', {
    defaultBehavior: { origin: pages, viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS, responseHeadersPolicy: headers, functionAssociations: [
      { function: new cloudfront.Function(stack, 'Index', { code: cloudfront.FunctionCode.fromInline('function handler(event) { return event.request; }') }), eventType: cloudfront.FunctionEventType.VIEWER_REQUEST },
    ] },
    additionalBehaviors: { '/static/*': { origin: pages, compress: false, cachePolicy: cloudfront.CachePolicy.CACHING_OPTIMIZED_FOR_UNCOMPRESSED_OBJECTS, responseHeadersPolicy: cloudfront.ResponseHeadersPolicy.SECURITY_HEADERS } },
    domainNames: ['www.example.com'], certificate, minimumProtocolVersion: cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021, defaultRootObject: 'index.html',
    errorResponses: [{ httpStatus: 404, responseHttpStatus: 200, responsePagePath: '/index.html', ttl: cdk.Duration.minutes(5) }, { httpStatus: 403, responsePagePath: '/403.html' }, { httpStatus: 500, ttl: cdk.Duration.seconds(0) }],
    geoRestriction: cloudfront.GeoRestriction.allowlist('DE', 'FR'), enableLogging: true, logFilePrefix: 'cdn/', logIncludesCookies: true,
    priceClass: cloudfront.PriceClass.PRICE_CLASS_100, httpVersion: cloudfront.HttpVersion.HTTP2_AND_3, comment: 'the site '.repeat(20),
    webAclId: 'arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/1', publishAdditionalMetrics: true,
  });
  new route53.ARecord(stack, 'Alias', { zone, recordName: 'www', target: route53.RecordTarget.fromAlias(new targets.CloudFrontTarget(distribution)) });
  new route53.AaaaRecord(stack, 'Alias6', { zone, recordName: 'www', target: route53.RecordTarget.fromAlias(new targets.CloudFrontTarget(distribution)) });
  const role = new iam.Role(stack, 'Publisher', { assumedBy: new iam.AccountRootPrincipal() });
  distribution.grantCreateInvalidation(role);
  distribution.grant(role, 'cloudfront:GetInvalidation', 'cloudfront:GetDistribution');
  new cloudwatch.Alarm(stack, 'Errors', { metric: distribution.metric5xxErrorRate(), threshold: 5, evaluationPeriods: 1 });
  new cloudwatch.Alarm(stack, 'Idle', { metric: distribution.metricRequests({ period: cdk.Duration.hours(1) }), threshold: 1, evaluationPeriods: 1, comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD });
  new cloudwatch.Alarm(stack, 'Slow', { metric: distribution.metricOriginLatency(), threshold: 500, evaluationPeriods: 1 });
  new cdk.CfnOutput(stack, 'Arn', { value: distribution.distributionArn });
  new cdk.CfnOutput(stack, 'Domain', { value: distribution.distributionDomainName });
}

function mixed(app: cdk.App) {
  const stack = new cdk.Stack(app, 'Mixed');
  const bucket = new s3.Bucket(stack, 'Files');
  const logs = new s3.Bucket(stack, 'Logs', { objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_PREFERRED });
  const api = new apigateway.RestApi(stack, 'Api', { cloudWatchRole: false });
  api.root.addMethod('GET');
  const edge = new lambda.Function(stack, 'Edge', { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
  const app_ = new lambda.Function(stack, 'App', { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('y') });
  const url = app_.addFunctionUrl();
  const open = new lambda.Function(stack, 'Open', { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('z') }).addFunctionUrl({ authType: lambda.FunctionUrlAuthType.NONE });
  const cache = new cloudfront.CachePolicy(stack, 'Cache', {
    comment: 'c', defaultTtl: cdk.Duration.minutes(1), minTtl: cdk.Duration.minutes(2), maxTtl: cdk.Duration.seconds(30), cookieBehavior: cloudfront.CacheCookieBehavior.allowList('session'),
    headerBehavior: cloudfront.CacheHeaderBehavior.allowList('Authorization'), queryStringBehavior: cloudfront.CacheQueryStringBehavior.denyList('utm'), enableAcceptEncodingBrotli: true, enableAcceptEncodingGzip: true,
  });
  const plain = new cloudfront.CachePolicy(stack, 'PlainCache', { cachePolicyName: 'plain', queryStringBehavior: cloudfront.CacheQueryStringBehavior.all() });
  const request = new cloudfront.OriginRequestPolicy(stack, 'Request', { comment: 'r', cookieBehavior: cloudfront.OriginRequestCookieBehavior.denyList('a'), headerBehavior: cloudfront.OriginRequestHeaderBehavior.all('CloudFront-Viewer-Country'), queryStringBehavior: cloudfront.OriginRequestQueryStringBehavior.all() });
  const bare = new cloudfront.OriginRequestPolicy(stack, 'Bare', { originRequestPolicyName: 'bare', headerBehavior: cloudfront.OriginRequestHeaderBehavior.denyList('Host') });
  const headers = new cloudfront.ResponseHeadersPolicy(stack, 'AVeryLongNameOfAPolicy', { serverTimingSamplingRate: 100, securityHeadersBehavior: { strictTransportSecurity: { accessControlMaxAge: cdk.Duration.days(1), override: false } } });
  const key = new cloudfront.PublicKey(stack, 'Key', { encodedKey: PEM });
  const other = new cloudfront.PublicKey(stack, 'OtherKey', { encodedKey: PEM, publicKeyName: 'other', comment: 'k' });
  const group = new cloudfront.KeyGroup(stack, 'Keys', { items: [key, other], comment: 'g' });
  const named = new cloudfront.KeyGroup(stack, 'Named', { items: [key], keyGroupName: 'named' });
  const store = new cloudfront.KeyValueStore(stack, 'Store');
  const filled = new cloudfront.KeyValueStore(stack, 'Filled', { keyValueStoreName: 'filled', comment: 'f', source: cloudfront.ImportSource.fromBucket(bucket, 'kv.json') });
  const rewrite = new cloudfront.Function(stack, 'ARewriteFunctionWithAVeryLongNameThatDoesNotFit-Beside_ARegion', { code: cloudfront.FunctionCode.fromInline('a'), keyValueStore: store, autoPublish: false });
  const answer = new cloudfront.Function(stack, 'Answer', { code: cloudfront.FunctionCode.fromFile({ filePath: 'assets/alerts/index.js' }), functionName: 'answer', comment: 'adds', runtime: cloudfront.FunctionRuntime.JS_2_0, keyValueStore: filled });
  const control = new cloudfront.S3OriginAccessControl(stack, 'Control', { originAccessControlName: 'mine', description: 'd', signing: cloudfront.Signing.SIGV4_NO_OVERRIDE });
  const files = origins.S3BucketOrigin.withOriginAccessControl(bucket, { originAccessControl: control, originAccessLevels: [cloudfront.AccessLevel.READ, cloudfront.AccessLevel.LIST, cloudfront.AccessLevel.WRITE, cloudfront.AccessLevel.DELETE, cloudfront.AccessLevel.READ_VERSIONED], originPath: 'files/', originId: 'files' });
  const server = new origins.HttpOrigin('server.example.com', {
    protocolPolicy: cloudfront.OriginProtocolPolicy.MATCH_VIEWER, httpPort: 8080, httpsPort: 8443, readTimeout: cdk.Duration.seconds(45), keepaliveTimeout: cdk.Duration.seconds(10), originSslProtocols: [cloudfront.OriginSslPolicy.TLS_V1_1, cloudfront.OriginSslPolicy.TLS_V1_2],
    connectionAttempts: 2, connectionTimeout: cdk.Duration.seconds(5), customHeaders: { 'x-from': 'cdn', 'x-to': 'server' }, originShieldRegion: 'eu-west-1', originPath: '/app', ipAddressType: cloudfront.OriginIpAddressType.DUALSTACK, responseCompletionTimeout: cdk.Duration.minutes(2),
  });
  const both = new origins.OriginGroup({ primaryOrigin: server, fallbackOrigin: new origins.HttpOrigin('standby.example.com', { originShieldEnabled: false }), fallbackStatusCodes: [404, 503] });
  const distribution = new cloudfront.Distribution(stack, 'Cdn', {
    defaultBehavior: {
      origin: both, allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL, cachedMethods: cloudfront.CachedMethods.CACHE_GET_HEAD_OPTIONS, cachePolicy: cache, originRequestPolicy: request, responseHeadersPolicy: headers, trustedKeyGroups: [group, named],
      edgeLambdas: [{ functionVersion: edge.currentVersion, eventType: cloudfront.LambdaEdgeEventType.ORIGIN_REQUEST, includeBody: true }, { functionVersion: edge.currentVersion, eventType: cloudfront.LambdaEdgeEventType.VIEWER_RESPONSE }],
      functionAssociations: [{ function: rewrite, eventType: cloudfront.FunctionEventType.VIEWER_REQUEST }, { function: answer, eventType: cloudfront.FunctionEventType.VIEWER_RESPONSE }], smoothStreaming: true,
    },
    additionalBehaviors: {
      '/api/*': { origin: new origins.RestApiOrigin(api, { readTimeout: cdk.Duration.seconds(20) }), viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.HTTPS_ONLY, allowedMethods: cloudfront.AllowedMethods.ALLOW_GET_HEAD_OPTIONS, cachePolicy: cloudfront.CachePolicy.CACHING_DISABLED, originRequestPolicy: cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER },
      '/fn/*': { origin: origins.FunctionUrlOrigin.withOriginAccessControl(url), originRequestPolicy: bare },
      '/open/*': { origin: new origins.FunctionUrlOrigin(open, { keepaliveTimeout: cdk.Duration.seconds(60) }), cachePolicy: plain },
      '/grpc/*': { origin: both, enableGrpc: true, allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL },
    },
    enabled: false, enableIpv6: false, logBucket: logs, geoRestriction: cloudfront.GeoRestriction.denylist('AQ'),
  });
  distribution.addBehavior('/files/*', files, { trustedKeyGroups: [cloudfront.KeyGroup.fromKeyGroupId(stack, 'Known', 'abc')] });
  const site = new s3.Bucket(stack, 'WebSite', { websiteIndexDocument: 'index.html', websiteErrorDocument: 'error.html' });
  distribution.addBehavior('/web/*', new origins.S3StaticWebsiteOrigin(site));
  const sealed = new s3.Bucket(stack, 'Sealed', { encryption: s3.BucketEncryption.KMS });
  distribution.addBehavior('/sealed/*', origins.S3BucketOrigin.withOriginAccessControl(sealed, { originAccessLevels: [cloudfront.AccessLevel.READ, cloudfront.AccessLevel.WRITE] }));
  distribution.attachWebAclId('473e64fd-f30b-4765-81a0-62ad96dd167a');
  new cdk.CfnOutput(stack, 'WebUrl', { value: site.bucketWebsiteUrl });
  const existing = cloudfront.Distribution.fromDistributionAttributes(stack, 'Existing', { distributionId: 'E1', domainName: 'd1.cloudfront.net' });
  const zone = route53.HostedZone.fromHostedZoneAttributes(stack, 'Zone', { hostedZoneId: 'Z123', zoneName: 'example.com' });
  new route53.ARecord(stack, 'Alias', { zone, target: route53.RecordTarget.fromAlias(new targets.CloudFrontTarget(existing)) });
}

function old(app: cdk.App) {
  const base = new cdk.Stack(app, 'Base', { env: { account: '123456789012', region: 'eu-west-1' } });
  const bucket = new s3.Bucket(base, 'Bucket');
  const stack = new cdk.Stack(app, 'Old', { env: { account: '123456789012', region: 'eu-west-1' } });
  const here = new s3.Bucket(stack, 'Here');
  const identity = new cloudfront.OriginAccessIdentity(stack, 'Identity', { comment: 'mine' });
  new cloudfront.Distribution(stack, 'Cdn', {
    defaultBehavior: { origin: origins.S3BucketOrigin.withOriginAccessIdentity(bucket) },
    additionalBehaviors: {
      '/here/*': { origin: origins.S3BucketOrigin.withOriginAccessIdentity(here) },
      '/mine/*': { origin: origins.S3BucketOrigin.withOriginAccessIdentity(here, { originAccessIdentity: identity }) },
      '/theirs/*': { origin: origins.S3BucketOrigin.withOriginAccessIdentity(here, { originAccessIdentity: cloudfront.OriginAccessIdentity.fromOriginAccessIdentityId(stack, 'Theirs', 'E2') }) },
      '/plain/*': { origin: origins.S3BucketOrigin.withBucketDefaults(here) },
    },
  });
  const site = new s3.Bucket(stack, 'WebSite', { bucketName: 'www.example.com', websiteIndexDocument: 'index.html', publicReadAccess: true, blockPublicAccess: s3.BlockPublicAccess.BLOCK_ACLS_ONLY });
  const zone = route53.HostedZone.fromHostedZoneAttributes(stack, 'Zone', { hostedZoneId: 'Z123', zoneName: 'example.com' });
  new route53.ARecord(stack, 'Alias', { zone, recordName: 'www', target: route53.RecordTarget.fromAlias(new targets.BucketWebsiteTarget(site)) });
}
