//! Buckets in their options: encryption, lifecycle, web sites, logs, locks, reports, grants.

use stack::iam::{Principal, Role};
use stack::kms::Key;
use stack::s3::{
    BlockPublicAccess, Bucket, BucketAccessControl, BucketEncryption, CorsRule, IntelligentTiering, Inventory,
    InventoryFormat, InventoryFrequency, InventoryVersions, LifecycleRule, LogKeyFormat, MetricsConfiguration,
    ObjectOwnership, RoutingRule, StorageClass, WebsiteRedirect,
};
use stack::units::{days, hours, kib, mib};
use stack::{App, CfnOutput, RemovalPolicy, Stack};

pub fn build(app: &App) {
    let stack = Stack::new(app, "Buckets").env("123456789012", "eu-west-1").build();
    let role = Role::new(&stack, "Role", Principal::service("ec2.amazonaws.com")).build();
    encrypted(&stack, &role);
    timed(&stack);
    open(&stack);
    logged(&stack);
    let plain = Bucket::new(&stack, "Plain")
        .bucket_name("llama-plain-1")
        .event_bridge_enabled()
        .transfer_acceleration()
        .enforce_ssl()
        .minimum_tls_version(1.2)
        .object_lock_enabled(true)
        .removal_policy(RemovalPolicy::Destroy)
        .build();
    plain.grant_read_on(&role, "reports/*");
    plain.grant_put_on(&role, "in/*");
    plain.grant_put_acl(&role);
    plain.grant_delete_on(&role, "tmp/*");
    plain.grant_write_on(Principal::account("222222222222"), "x/*");
    plain.grant_read_write_on(&role, "both/*");
    Bucket::new(&stack, "Locked").object_lock_compliance(days(30)).build();
    Bucket::new(&stack, "Governed")
        .object_lock_enabled(true)
        .object_lock_governance(days(1))
        .build();
    known(app);
    CfnOutput::new(&stack, "Url", plain.s3_url_for_object("a/b.txt")).build();
}

fn known(app: &App) {
    let stack = Stack::new(app, "Known").env("123456789012", "eu-central-1").build();
    let role = Role::new(&stack, "Role", Principal::service("ec2.amazonaws.com")).build();
    let named = Bucket::from_bucket_name(&stack, "Named", "theirs");
    named.grant_read(&role);
    named.grant_put(Principal::account("222222222222"));
    named.enable_event_bridge_notification();
    let arn = Bucket::from_bucket_arn(&stack, "Arn", "arn:aws:s3:::by-arn");
    arn.grant_write(&role);
    CfnOutput::new(&stack, "NameOf", arn.bucket_name()).build();
    CfnOutput::new(&stack, "BucketArnOf", named.bucket_arn()).build();
    CfnOutput::new(&stack, "DomainOf", named.bucket_regional_domain_name()).build();
    CfnOutput::new(&stack, "WebOf", named.bucket_website_url()).build();
    CfnOutput::new(&stack, "WebHostOf", named.bucket_website_domain_name()).build();
    let open = Stack::new(app, "Anywhere").build();
    let here = Bucket::from_bucket_name(&open, "Named", "theirs");
    CfnOutput::new(&open, "Domain", here.bucket_regional_domain_name()).build();
    Bucket::new(&open, "Logged").server_access_logs_bucket(&here).build();
}

fn encrypted(stack: &Stack, role: &Role) {
    let own = Bucket::new(stack, "OwnKey")
        .encryption(BucketEncryption::Kms)
        .bucket_key_enabled(true)
        .build();
    own.grant_read(role);
    own.grant_put(role);
    own.grant_delete(role);
    own.grant_read_write(Principal::service("x.amazonaws.com"));
    let key = Key::new(stack, "Key").build();
    let given = Bucket::new(stack, "GivenKey").encryption_key(&key).build();
    given.grant_write(role);
    given.grant_read_write(role);
    Bucket::new(stack, "Double").encryption(BucketEncryption::Dsse).build();
    Bucket::new(stack, "DoubleGiven")
        .encryption(BucketEncryption::Dsse)
        .encryption_key(&key)
        .build();
    Bucket::new(stack, "DoubleManaged")
        .encryption(BucketEncryption::DsseManaged)
        .build();
    Bucket::new(stack, "Managed")
        .encryption(BucketEncryption::KmsManaged)
        .bucket_key_enabled(false)
        .build();
}

fn timed(stack: &Stack) {
    let archive = LifecycleRule::new()
        .id("archive")
        .prefix("logs/")
        .tag_filter("kind", "log")
        .tag_filter("tier", "cold")
        .object_size_greater_than(kib(1))
        .object_size_less_than(mib(1))
        .transition(StorageClass::InfrequentAccess, days(30))
        .transition(StorageClass::Glacier, days(90))
        .expiration(days(365));
    let old = LifecycleRule::new()
        .noncurrent_version_transition(StorageClass::GlacierInstantRetrieval, days(7), Some(2))
        .noncurrent_version_transition(StorageClass::DeepArchive, days(100), None)
        .noncurrent_version_expiration(days(200))
        .noncurrent_versions_to_retain(5);
    let markers = LifecycleRule::new()
        .expired_object_delete_marker(true)
        .abort_incomplete_uploads_after(days(1))
        .disabled();
    Bucket::new(stack, "Timed")
        .versioned(true)
        .lifecycle_rule(archive)
        .lifecycle_rule(old)
        .lifecycle_rule(markers)
        .lifecycle_rule(LifecycleRule::new().transition(StorageClass::IntelligentTiering, days(0)))
        .build();
}

fn open(stack: &Stack) {
    let moved = RoutingRule::new()
        .host_name("www.example.com")
        .http_redirect_code(302)
        .https()
        .replace_key_prefix_with("new/")
        .when_error(404)
        .when_key_begins_with("old/");
    let web = CorsRule::new(["GET", "HEAD"], ["https://example.com"])
        .headers(["*"])
        .exposed_headers(["ETag"])
        .max_age(hours(1))
        .id("web");
    Bucket::new(stack, "Site")
        .website("index.html", Some("error.html"))
        .block_public_access(BlockPublicAccess::ACLS)
        .website_routing_rule(moved)
        .website_routing_rule(RoutingRule::new().replace_key_with("index.html"))
        .cors_rule(web)
        .cors_rule(CorsRule::new(["PUT"], ["*"]))
        .build();
    Bucket::new(stack, "Elsewhere")
        .website_redirect(WebsiteRedirect::to("example.com").https())
        .build();
    Bucket::new(stack, "There")
        .website_redirect(WebsiteRedirect::to("example.com"))
        .build();
    Bucket::new(stack, "Listed")
        .access_control(BucketAccessControl::AuthenticatedRead)
        .build();
    Bucket::new(stack, "Private")
        .access_control(BucketAccessControl::Private)
        .object_ownership(ObjectOwnership::BucketOwnerEnforced)
        .build();
}

fn logged(stack: &Stack) {
    let logs = Bucket::new(stack, "Logs").encryption(BucketEncryption::Kms).build();
    let some = MetricsConfiguration::new("some").prefix("a/").tag_filter("k", "v");
    let cold = IntelligentTiering::new("cold")
        .prefix("c/")
        .tag_filter("k", "v")
        .archive_access_after(days(90))
        .deep_archive_access_after(days(180));
    let mine = Inventory::new(&logs)
        .destination_prefix("lists/")
        .destination_owner("123456789012")
        .format(InventoryFormat::Parquet)
        .frequency(InventoryFrequency::Daily)
        .versions(InventoryVersions::Current)
        .inventory_id("mine")
        .enabled(false)
        .optional_fields(["Size", "ETag"])
        .objects_prefix("a/");
    Bucket::new(stack, "Logged")
        .server_access_logs_bucket(&logs)
        .server_access_logs_prefix("logged/")
        .server_access_logs_format(LogKeyFormat::PartitionedByEventTime)
        .metrics(MetricsConfiguration::new("all"))
        .metrics(some)
        .intelligent_tiering(cold)
        .inventory(mine)
        .inventory(Inventory::new(&logs))
        .build();
    Bucket::new(stack, "Own")
        .server_access_logs_prefix("access/")
        .server_access_logs_format(LogKeyFormat::Simple)
        .build();
    let preferred = Bucket::new(stack, "Preferred")
        .object_ownership(ObjectOwnership::BucketOwnerPreferred)
        .build();
    Bucket::new(stack, "Other")
        .server_access_logs_bucket(&preferred)
        .build();
}
