//! CloudFront before buckets, APIs, functions and servers, with policies, code at the edge and keys.

use stack::apigateway::{MethodOptions, MockIntegration, RestApi};
use stack::certificatemanager::{Certificate, CertificateValidation};
use stack::cloudfront::{
    AccessLevel, AllowedMethods, BehaviorOptions, CacheHeaders, CachePolicy, CachedMethods, CorsBehavior, Distribution,
    EdgeEvent, ErrorResponse, Forwarded, FrameOption, Function, FunctionEvent, FunctionRuntime, FunctionUrlOrigin,
    GeoRestriction, HttpOrigin, HttpVersion, IpAddressType, KeyGroup, KeyValueStore, Origin, OriginAccessControl,
    OriginAccessIdentity, OriginGroup, OriginProtocolPolicy, OriginRequestPolicy, OriginSslPolicy, PriceClass,
    PublicKey, ReferrerPolicy, RequestHeaders, ResponseHeadersPolicy, RestApiOrigin, S3BucketOrigin,
    SecurityPolicyProtocol, Signing, StrictTransportSecurity, ViewerProtocolPolicy, XssProtection,
};
use stack::cloudwatch::Alarm;
use stack::iam::{Principal, Role};
use stack::lambda::{Code, Runtime};
use stack::route53::{ARecord, AaaaRecord, HostedZone, RecordTarget};
use stack::s3::{BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership};
use stack::units::{days, hours, minutes, seconds};
use stack::{App, CfnOutput, Stack, lambda};

const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAudf8/iNkQgdvjEdm6xYS\n-----END PUBLIC KEY-----";

pub fn build(app: &App) {
    site(app);
    mixed(app);
    old(app);
}

fn headers(stack: &Stack) -> ResponseHeadersPolicy {
    let cors = CorsBehavior::new(["https://example.com"], ["GET", "POST"], ["x-a"])
        .exposed_headers(["x-b"])
        .max_age(hours(1));
    let https = StrictTransportSecurity::new(days(365))
        .include_subdomains(true)
        .preload(true);
    let scripts = XssProtection::new(true).mode_block(true).unless_origin_says();
    ResponseHeadersPolicy::new(stack, "Headers")
        .response_headers_policy_name("secure")
        .comment("c")
        .cors(cors)
        .custom_header("x-app", "llama", false)
        .custom_header("x-env", stack.stack_name(), true)
        .content_security_policy("default-src 'self'", true)
        .content_type_options(true)
        .frame_options(FrameOption::Deny, true)
        .referrer_policy(ReferrerPolicy::StrictOrigin, false)
        .strict_transport_security(https)
        .xss_protection(scripts)
        .remove_header("server")
        .server_timing_sampling_rate(12.5)
        .build()
}

fn site(app: &App) {
    let stack = Stack::new(app, "Site").env("123456789012", "us-east-1").build();
    let zone = HostedZone::from_attributes(&stack, "Zone", "Z123", "example.com");
    let certificate = Certificate::new(&stack, "Certificate", "www.example.com")
        .validation(CertificateValidation::dns(&zone))
        .build();
    let bucket = Bucket::new(&stack, "Pages")
        .block_all_public_access()
        .enforce_ssl()
        .build();
    let pages: Origin = S3BucketOrigin::with_origin_access_control(&bucket).into();
    let index = "function handler(event) { return event.request; }";
    let index = Function::new(&stack, "Index", index).build();
    let default = BehaviorOptions::new()
        .viewer_protocol_policy(ViewerProtocolPolicy::RedirectToHttps)
        .response_headers_policy(headers(&stack))
        .function(FunctionEvent::ViewerRequest, &index);
    let fixed = BehaviorOptions::new()
        .compress(false)
        .cache_policy(CachePolicy::caching_optimized_for_uncompressed_objects())
        .response_headers_policy(ResponseHeadersPolicy::security_headers());
    let not_found = ErrorResponse::of(404)
        .response_status(200)
        .response_page_path("/index.html")
        .ttl(minutes(5));
    let distribution = Distribution::new(&stack, "Cdn", &pages)
        .default_behavior(default)
        .behavior("/static/*", &pages, fixed)
        .domain_names(["www.example.com"], &certificate)
        .minimum_protocol_version(SecurityPolicyProtocol::TlsV1_2Of2021)
        .default_root_object("index.html")
        .error_response(not_found)
        .error_response(ErrorResponse::of(403).response_page_path("/403.html"))
        .error_response(ErrorResponse::of(500).ttl(seconds(0)))
        .geo_restriction(GeoRestriction::only(["DE", "FR"]))
        .enable_logging()
        .log_file_prefix("cdn/")
        .log_includes_cookies(true)
        .price_class(PriceClass::Class100)
        .http_version(HttpVersion::Http2And3)
        .comment("the site ".repeat(20))
        .web_acl_id("arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/1")
        .publish_additional_metrics()
        .build();
    ARecord::new(&stack, "Alias", &zone, RecordTarget::distribution(&distribution))
        .record_name("www")
        .build();
    AaaaRecord::new(&stack, "Alias6", &zone, RecordTarget::distribution(&distribution))
        .record_name("www")
        .build();
    let role = Role::new(&stack, "Publisher", Principal::account_root()).build();
    distribution.grant_create_invalidation(&role);
    distribution.grant(&role, ["cloudfront:GetInvalidation", "cloudfront:GetDistribution"]);
    Alarm::new(&stack, "Errors", distribution.metric_5xx_error_rate())
        .at_least(5.0)
        .for_periods(1)
        .build();
    Alarm::new(&stack, "Idle", distribution.metric_requests().period(hours(1)))
        .below(1.0)
        .for_periods(1)
        .build();
    Alarm::new(&stack, "Slow", distribution.metric_origin_latency())
        .at_least(500.0)
        .for_periods(1)
        .build();
    CfnOutput::new(&stack, "Arn", distribution.distribution_arn()).build();
    CfnOutput::new(&stack, "Domain", distribution.distribution_domain_name()).build();
}

/// What the distribution of `mixed` is made with.
struct Parts {
    stack: Stack,
    bucket: Bucket,
    server: Origin,
    default: BehaviorOptions,
}

fn function(stack: &Stack, id: &str, source: &str) -> lambda::Function {
    lambda::Function::new(stack, id, Runtime::nodejs_24(), Code::inline(source)).build()
}

fn server() -> Origin {
    let server = HttpOrigin::new("server.example.com")
        .protocol_policy(OriginProtocolPolicy::MatchViewer)
        .http_port(8080)
        .https_port(8443)
        .read_timeout(seconds(45))
        .keepalive_timeout(seconds(10))
        .origin_ssl_protocols([OriginSslPolicy::TlsV1_1, OriginSslPolicy::TlsV1_2])
        .connection_attempts(2)
        .connection_timeout(seconds(5))
        .custom_header("x-from", "cdn")
        .custom_header("x-to", "server")
        .origin_shield_region("eu-west-1")
        .origin_path("/app")
        .ip_address_type(IpAddressType::DualStack)
        .response_completion_timeout(minutes(2));
    let standby = HttpOrigin::new("standby.example.com").no_origin_shield();
    OriginGroup::new(server, standby)
        .fallback_status_codes([404, 503])
        .into()
}

fn parts(app: &App) -> Parts {
    let stack = Stack::new(app, "Mixed").build();
    let bucket = Bucket::new(&stack, "Files").build();
    let edge = function(&stack, "Edge", "x").current_version();
    let cache = CachePolicy::new(&stack, "Cache")
        .comment("c")
        .default_ttl(minutes(1))
        .min_ttl(minutes(2))
        .max_ttl(seconds(30))
        .cookies(Forwarded::only(["session"]))
        .headers(CacheHeaders::only(["Authorization"]))
        .query_strings(Forwarded::all_but(["utm"]))
        .accept_encoding_brotli()
        .accept_encoding_gzip()
        .build();
    let request = OriginRequestPolicy::new(&stack, "Request")
        .comment("r")
        .cookies(Forwarded::all_but(["a"]))
        .headers(RequestHeaders::all_and(["CloudFront-Viewer-Country"]))
        .query_strings(Forwarded::All)
        .build();
    let https = StrictTransportSecurity::new(days(1)).unless_origin_says();
    let headers = ResponseHeadersPolicy::new(&stack, "AVeryLongNameOfAPolicy")
        .server_timing_sampling_rate(100.0)
        .strict_transport_security(https)
        .build();
    let key = PublicKey::new(&stack, "Key", PEM);
    let other = PublicKey::named(&stack, "OtherKey", Some("other"), Some("k"), PEM);
    let group = KeyGroup::named(&stack, "Keys", None, Some("g"), [&key, &other]);
    let named = KeyGroup::named(&stack, "Named", Some("named"), None, [&key]);
    let store = KeyValueStore::new(&stack, "Store", None, None, None);
    let filled = KeyValueStore::new(&stack, "Filled", Some("filled"), Some("f"), Some((&bucket, "kv.json")));
    let long = "ARewriteFunctionWithAVeryLongNameThatDoesNotFit-Beside_ARegion";
    let rewrite = Function::new(&stack, long, "a")
        .key_value_store(&store)
        .auto_publish(false)
        .build();
    let answer = Function::of_file(&stack, "Answer", format!("{}/index.js", super::asset("alerts")))
        .function_name("answer")
        .comment("adds")
        .runtime(FunctionRuntime::Js2)
        .key_value_store(&filled)
        .build();
    let default = BehaviorOptions::new()
        .allowed_methods(AllowedMethods::All)
        .cached_methods(CachedMethods::GetHeadOptions)
        .cache_policy(cache)
        .origin_request_policy(request)
        .response_headers_policy(headers)
        .trusted_key_group(&group)
        .trusted_key_group(&named)
        .edge_function_with_body(EdgeEvent::OriginRequest, &edge)
        .edge_function(EdgeEvent::ViewerResponse, &edge)
        .function(FunctionEvent::ViewerRequest, &rewrite)
        .function(FunctionEvent::ViewerResponse, &answer)
        .smooth_streaming(true);
    Parts {
        stack,
        bucket,
        server: server(),
        default,
    }
}

fn mixed(app: &App) {
    let Parts {
        stack,
        bucket,
        server,
        default,
    } = parts(app);
    let logs = Bucket::new(&stack, "Logs")
        .object_ownership(ObjectOwnership::BucketOwnerPreferred)
        .build();
    let api = RestApi::new(&stack, "Api").cloud_watch_role(false).build();
    api.root()
        .add_method("GET", MockIntegration::new(), MethodOptions::new());
    let url = function(&stack, "App", "y").add_function_url().build();
    let open = function(&stack, "Open", "z").add_function_url().public().build();
    let plain = CachePolicy::new(&stack, "PlainCache")
        .cache_policy_name("plain")
        .query_strings(Forwarded::All)
        .build();
    let bare = OriginRequestPolicy::new(&stack, "Bare")
        .origin_request_policy_name("bare")
        .headers(RequestHeaders::all_but(["Host"]))
        .build();
    let to_api = BehaviorOptions::new()
        .viewer_protocol_policy(ViewerProtocolPolicy::HttpsOnly)
        .allowed_methods(AllowedMethods::GetHeadOptions)
        .cache_policy(CachePolicy::caching_disabled())
        .origin_request_policy(OriginRequestPolicy::all_viewer_except_host_header());
    let grpc = BehaviorOptions::new()
        .enable_grpc(true)
        .allowed_methods(AllowedMethods::All);
    let behind = BehaviorOptions::new;
    let distribution = Distribution::new(&stack, "Cdn", &server)
        .default_behavior(default)
        .behavior("/api/*", RestApiOrigin::new(&api).read_timeout(seconds(20)), to_api)
        .behavior(
            "/fn/*",
            FunctionUrlOrigin::with_origin_access_control(&url),
            behind().origin_request_policy(bare),
        )
        .behavior(
            "/open/*",
            FunctionUrlOrigin::new(&open).keepalive_timeout(seconds(60)),
            behind().cache_policy(plain),
        )
        .behavior("/grpc/*", &server, grpc)
        .enabled(false)
        .enable_ipv6(false)
        .log_bucket(&logs)
        .geo_restriction(GeoRestriction::all_but(["AQ"]))
        .build();
    let control = OriginAccessControl::new(&stack, "Control")
        .origin_access_control_name("mine")
        .description("d")
        .signing(Signing::UnlessSigned)
        .build();
    let levels = [
        AccessLevel::Read,
        AccessLevel::List,
        AccessLevel::Write,
        AccessLevel::Delete,
        AccessLevel::ReadVersioned,
    ];
    let files = S3BucketOrigin::with_origin_access_control(&bucket)
        .origin_access_control(&control)
        .origin_access_levels(levels)
        .origin_path("files/")
        .origin_id("files");
    let signed = behind().trusted_key_group(&KeyGroup::from_id("abc"));
    distribution.add_behavior("/files/*", files, signed);
    let site = Bucket::new(&stack, "WebSite")
        .website("index.html", Some("error.html"))
        .build();
    distribution.add_behavior("/web/*", HttpOrigin::website(&site), behind());
    let sealed = Bucket::new(&stack, "Sealed").encryption(BucketEncryption::Kms).build();
    let sealed = S3BucketOrigin::with_origin_access_control(&sealed)
        .origin_access_levels([AccessLevel::Read, AccessLevel::Write]);
    distribution.add_behavior("/sealed/*", sealed, behind());
    distribution.attach_web_acl("473e64fd-f30b-4765-81a0-62ad96dd167a");
    CfnOutput::new(&stack, "WebUrl", site.bucket_website_url()).build();
    let existing = Distribution::from_attributes(&stack, "Existing", "E1", "d1.cloudfront.net");
    let zone = HostedZone::from_attributes(&stack, "Zone", "Z123", "example.com");
    ARecord::new(&stack, "Alias", &zone, RecordTarget::distribution(&existing)).build();
}

fn old(app: &App) {
    let base = Stack::new(app, "Base").env("123456789012", "eu-west-1").build();
    let bucket = Bucket::new(&base, "Bucket").build();
    let stack = Stack::new(app, "Old").env("123456789012", "eu-west-1").build();
    let here = Bucket::new(&stack, "Here").build();
    let identity = OriginAccessIdentity::new(&stack, "Identity", Some("mine"));
    let theirs = OriginAccessIdentity::from_id(&stack, "Theirs", "E2");
    let by = S3BucketOrigin::with_origin_access_identity;
    let behind = BehaviorOptions::new;
    Distribution::new(&stack, "Cdn", by(&bucket))
        .behavior("/here/*", by(&here), behind())
        .behavior("/mine/*", by(&here).origin_access_identity(&identity), behind())
        .behavior("/theirs/*", by(&here).origin_access_identity(&theirs), behind())
        .behavior("/plain/*", S3BucketOrigin::with_bucket_defaults(&here), behind())
        .build();
    let site = Bucket::new(&stack, "WebSite")
        .bucket_name("www.example.com")
        .website("index.html", None)
        .public_read_access()
        .block_public_access(BlockPublicAccess::ACLS_ONLY)
        .build();
    let zone = HostedZone::from_attributes(&stack, "Zone", "Z123", "example.com");
    ARecord::new(&stack, "Alias", &zone, RecordTarget::bucket_website(&site))
        .record_name("www")
        .build();
}
