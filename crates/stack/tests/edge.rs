//! Mistakes in what stands at the edge: names, certificates, custom domains, distributions.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use stack::apigateway::{
    BasePathMappingOptions, DomainName, DomainNameOptions, EndpointAccessMode, EndpointType, MethodOptions,
    MockIntegration, RestApi, SecurityPolicy,
};
use stack::certificatemanager::Certificate;
use stack::cloudfront::{
    BehaviorOptions, CachePolicy, Distribution, ErrorResponse, Forwarded, Function, GeoRestriction, HttpOrigin,
    HttpVersion, OriginGroup, PublicKey, RequestHeaders, ResponseHeadersPolicy,
};
use stack::ec2::Vpc;
use stack::kms::{Key, KeySpec};
use stack::route53::{
    ARecord, Failover, GeoLocation, HealthCheck, HealthCheckType, HostedZone, PublicHostedZone, RecordTarget,
};
use stack::s3::{
    Bucket, BucketAccessControl, BucketEncryption, Inventory, LifecycleRule, ObjectOwnership, RoutingRule,
    WebsiteRedirect,
};
use stack::units::{days, seconds};
use stack::{App, Stack};

/// What is wrong with a stack, in one text.
fn mistakes(build: impl FnOnce(&Stack)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let app = App::new(folder.path());
    build(&Stack::new(&app, "Stack").build());
    app.synth().unwrap_err().to_string()
}

fn assert_says(said: &str, wanted: &[&str]) {
    for text in wanted {
        assert!(said.contains(text), "`{text}` is missing in:\n{said}");
    }
}

#[test]
fn records_that_route_53_refuses() {
    let said = mistakes(|stack| {
        let zone = PublicHostedZone::new(stack, "Zone", "example.com").build();
        let one = || RecordTarget::addresses(["192.0.2.1"]);
        ARecord::new(stack, "Twice", &zone, one())
            .weight(1)
            .region("eu-west-1")
            .build();
        ARecord::new(stack, "Alone", &zone, one()).set_identifier("a").build();
        ARecord::new(stack, "First", &zone, one())
            .failover(Failover::Primary)
            .build();
        let alias = RecordTarget::alias("a.example.net", "Z1");
        ARecord::new(stack, "Second", &zone, alias)
            .failover(Failover::Secondary)
            .build();
        let nowhere = GeoLocation::subdivision("DE", "BY");
        ARecord::new(stack, "Nowhere", &zone, one())
            .geo_location(nowhere)
            .build();
        let nameless = HostedZone::from_id(stack, "Nameless", "Z2");
        ARecord::new(stack, "Lost", &nameless, one()).build();
        nameless.add_vpc(&Vpc::new(stack, "Vpc").build());
        HealthCheck::new(stack, "Blind", HealthCheckType::Https).build();
    });
    let wanted = [
        "one kind of routing",
        "only a record with a routing",
        "needs a health check",
        "evaluates the health",
        "have subdivisions",
        "HostedZone::from_attributes",
        "associated with VPCs where it is made",
        "a domain name or an address",
    ];
    assert_says(&said, &wanted);
}

#[test]
fn names_that_are_too_long() {
    let said = mistakes(|stack| {
        let label = "a".repeat(64);
        HostedZone::new(stack, "Zone", format!("{label}.com")).build();
        Certificate::new(stack, "Certificate", format!("{label}.com")).build();
    });
    assert_says(&said, &["at most 63 characters", "at most 64 characters"]);
}

#[test]
fn domain_names_that_api_gateway_refuses() {
    let said = mistakes(|stack| {
        let api = RestApi::new(stack, "Api").build();
        api.root()
            .add_method("GET", MockIntegration::new(), MethodOptions::new());
        let arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1";
        let certificate = Certificate::from_arn(stack, "Certificate", arn);
        let named = |name: &str| DomainNameOptions::new(name, &certificate);
        let edge = named("API.example.com")
            .endpoint_type(EndpointType::Edge)
            .security_policy(SecurityPolicy::Tls13Of2025)
            .base_path("a/b");
        DomainName::new(stack, "Edge", edge).mapping(&api).build();
        let old = named("old.example.com").endpoint_access_mode(EndpointAccessMode::Basic);
        let old = DomainName::new(stack, "Old", old).mapping(&api).build();
        old.add_base_path_mapping(&api, BasePathMappingOptions::new());
        old.add_base_path_mapping(&api, BasePathMappingOptions::new().base_path("/x"));
        RecordTarget::rest_api(&api);
    });
    let wanted = [
        "no capital letters",
        "needs an access mode",
        "SecurityPolicy_TLS13_1_3_2025_09 is not for an edge endpoint",
        "of us-east-1, not of eu-west-1",
        "several parts needs a regional domain name",
        "newer security policies only",
        "the base path / leads somewhere already",
        "`/x` is no base path",
        "without a custom domain name",
    ];
    assert_says(&said, &wanted);
}

#[test]
fn distributions_that_cloudfront_refuses() {
    let said = mistakes(|stack| {
        let arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1";
        let certificate = Certificate::from_arn(stack, "Certificate", arn);
        let origin = HttpOrigin::new("a.example.com")
            .connection_timeout(seconds(11))
            .custom_header("X-Amz-Meta", "x")
            .http_port(81)
            .origin_id("one");
        let again = HttpOrigin::new("b.example.com").origin_id("one");
        let group = || OriginGroup::new(HttpOrigin::new("c.example.com"), HttpOrigin::new("d.example.com"));
        let distribution = Distribution::new(stack, "Cdn", origin)
            .default_behavior(BehaviorOptions::new().enable_grpc(true))
            .http_version(HttpVersion::Http1_1)
            .domain_names(["www.example.com"], &certificate)
            .error_response(ErrorResponse::of(404))
            .geo_restriction(GeoRestriction::only(["Germany"]))
            .web_acl_id("arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/a/1")
            .build();
        distribution.attach_web_acl("b");
        distribution.add_behavior("*", again, BehaviorOptions::new());
        let nested = OriginGroup::new(HttpOrigin::new("e.example.com"), group());
        distribution.add_behavior("/n/*", nested, BehaviorOptions::new());
        distribution.metric_cache_hit_rate();
        let known = Distribution::from_attributes(stack, "Known", "E1", "d1.cloudfront.net");
        known.add_behavior("/x", HttpOrigin::new("a.example.com"), BehaviorOptions::new());
    });
    let wanted = [
        "between 1 and 10 seconds",
        "no header `X-Amz-Meta`",
        "80, 443, or 1024",
        "gRPC needs HTTP/2",
        "gRPC needs all methods",
        "certificate of a distribution is of us-east-1",
        "when the origin answers 404",
        "two capital letters",
        "web ACL of a distribution is of us-east-1",
        "has one web ACL",
        "only the default behavior",
        "an origin `one` already",
        "a group is no fallback",
        "needs `publish_additional_metrics`",
        "changed where it is made",
    ];
    assert_says(&said, &wanted);
}

#[test]
fn policies_and_functions_that_cloudfront_refuses() {
    let said = mistakes(|stack| {
        CachePolicy::new(stack, "Cache")
            .cache_policy_name("a name")
            .cookies(Forwarded::only(Vec::<String>::new()))
            .build();
        let policy = stack::cloudfront::OriginRequestPolicy::new(stack, "Request");
        policy.headers(RequestHeaders::only(["Authorization"])).build();
        ResponseHeadersPolicy::new(stack, "Headers")
            .remove_header("Via")
            .server_timing_sampling_rate(12.34567)
            .build();
        Function::of_file(stack, "Code", "nowhere.js").build();
        PublicKey::new(stack, "Key", "MIIB");
        RecordTarget::bucket_website(&Bucket::new(stack, "Site").public_read_access().build());
    });
    let wanted = [
        "`a name` is no name of a policy",
        "names something",
        "`Authorization` and `Accept-Encoding`",
        "`Via` cannot be taken away",
        "four decimals",
        "cannot be read from nowhere.js",
        "given in PEM",
        "BlockPublicAccess::ACLS_ONLY",
        "needs a stack whose region is said",
    ];
    assert_says(&said, &wanted);
}

#[test]
fn keys_that_kms_refuses() {
    let said = mistakes(|stack| {
        let key = Key::new(stack, "Signing")
            .key_spec(KeySpec::EccSecgP256k1)
            .enable_key_rotation(true)
            .rotation_period(days(10))
            .pending_window(days(3))
            .build();
        key.add_alias("alias/aws/s3");
        key.add_alias("no spaces");
        Key::from_arn(stack, "Known", "1-2-3");
    });
    let wanted = [
        "ECC_SECG_P256K1 is not used for ENCRYPT_DECRYPT",
        "only symmetric keys",
        "every 90 to 2560 days",
        "for 7 to 30 days",
        "are AWS's own",
        "`alias/no spaces` is no alias",
        "ends with `key/`",
    ];
    assert_says(&said, &wanted);
}

#[test]
fn buckets_that_s3_refuses() {
    let said = mistakes(|stack| {
        Bucket::new(stack, "Name").bucket_name("My_Bucket").build();
        Bucket::new(stack, "Address").bucket_name("10.0.0.1").build();
        Bucket::new(stack, "Dots").bucket_name("a..b").build();
        Bucket::new(stack, "Tls").minimum_tls_version(1.3).build();
        let key = Key::new(stack, "Key").build();
        Bucket::new(stack, "Encrypted")
            .encryption(BucketEncryption::S3Managed)
            .encryption_key(&key)
            .build();
        Bucket::new(stack, "Half").bucket_key_enabled(true).build();
        Bucket::new(stack, "Rules")
            .lifecycle_rule(LifecycleRule::new())
            .lifecycle_rule(
                LifecycleRule::new()
                    .expired_object_delete_marker(true)
                    .expiration(days(1)),
            )
            .build();
        Bucket::new(stack, "Listed")
            .access_control(BucketAccessControl::PublicRead)
            .object_ownership(ObjectOwnership::BucketOwnerEnforced)
            .build();
        let private = Bucket::new(stack, "Private")
            .access_control(BucketAccessControl::Private)
            .build();
        Bucket::new(stack, "Logged").server_access_logs_bucket(&private).build();
        Bucket::new(stack, "Web")
            .website("index.html", None)
            .website_redirect(WebsiteRedirect::to("example.com"))
            .website_routing_rule(RoutingRule::new().replace_key_with("a").replace_key_prefix_with("b"))
            .build();
        Bucket::new(stack, "Locked")
            .object_lock_enabled(false)
            .object_lock_governance(seconds(1))
            .build();
        Bucket::new(stack, "Counted")
            .inventory(Inventory::new(&private).inventory_id("a b"))
            .build();
    });
    let wanted = [
        "`My_Bucket` is no name of a bucket: it holds small letters",
        "it looks like an address",
        "a dot stands beside no other dot",
        "call `enforce_ssl` too",
        "goes with the encryptions `Kms` and `Dsse`",
        "a bucket key lies below a key",
        "says what happens to objects",
        "a rule about delete markers",
        "access lists do not count",
        "its access list says something else",
        "shows nothing of its own",
        "the key or how it begins",
        "only where object lock is on",
        "for a day at least",
        "`a b` is no id of an inventory",
    ];
    assert_says(&said, &wanted);
}
