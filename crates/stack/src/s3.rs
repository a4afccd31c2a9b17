//! Buckets.
//!
//! Deleting the objects of a bucket that goes, and replication, are not offered: the one needs code that runs at
//! deployment, the other is set with [`BucketBuilder::with`].

mod access;
mod encryption;
mod import;
mod lifecycle;
mod logging;
mod notifications;
mod reports;
mod website;

use std::rc::Rc;
use std::time::Duration;

use cfn::s3::bucket;
use cfn::{Builder, Expr, IntoValue, Value, id};

use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::{Grant, Grantee, PolicyStatement, Principal, ResourcePolicy};
use crate::kms::Key;
use crate::site::Site;
use crate::tree::{Construct, Scope};

pub use access::{BlockPublicAccess, BucketAccessControl, CorsRule, ObjectOwnership};
pub use encryption::BucketEncryption;
use import::Names;
pub use lifecycle::{LifecycleRule, StorageClass};
pub use logging::LogKeyFormat;
use notifications::Notifications;
pub use notifications::{EventType, KeyFilter};
pub use reports::{
    IntelligentTiering, Inventory, InventoryFormat, InventoryFrequency, InventoryVersions, MetricsConfiguration,
};
pub use website::{RoutingRule, WebsiteRedirect};

const KEY_READ_ACTIONS: [&str; 2] = ["kms:Decrypt", "kms:DescribeKey"];
const KEY_WRITE_ACTIONS: [&str; 4] = ["kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Decrypt"];
const KEY_READ_WRITE_ACTIONS: [&str; 5] = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:ReEncrypt*",
    "kms:GenerateDataKey*",
];
/// What begins and ends the names of buckets, and what is between.
const NAME_LENGTHS: std::ops::RangeInclusive<usize> = 3..=63;
const READ_ACTIONS: [&str; 3] = ["s3:GetObject*", "s3:GetBucket*", "s3:List*"];
/// Without the right to change access lists.
const PUT_ACTIONS: [&str; 6] = [
    "s3:PutObject",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionTagging",
    "s3:Abort*",
];

#[derive(Clone)]
pub struct Bucket {
    construct: Construct,
    names: Rc<Names>,
    resource: Option<CfnResource<cfn::s3::Bucket>>,
    policy: ResourcePolicy,
    notifications: Notifications,
    encryption_key: Option<Key>,
}

impl Scope for Bucket {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct BucketBuilder {
    site: Site,
    properties: cfn::s3::Bucket,
    name: Option<Expr>,
    versioned: bool,
    encryption: Option<BucketEncryption>,
    encryption_key: Option<Key>,
    bucket_key: Option<bool>,
    lifecycle_rules: Vec<LifecycleRule>,
    cors: Vec<CorsRule>,
    website: website::Website,
    logging: logging::Logging,
    metrics: Vec<MetricsConfiguration>,
    tierings: Vec<IntelligentTiering>,
    inventories: Vec<Inventory>,
    access_control: Option<BucketAccessControl>,
    ownership: Option<ObjectOwnership>,
    enforce_ssl: bool,
    minimum_tls: Option<f64>,
    lock: access::ObjectLock,
    event_bridge: bool,
    removal_policy: RemovalPolicy,
    block: Option<BlockPublicAccess>,
    public_read: bool,
}

impl BucketBuilder {
    pub fn bucket_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn versioned(mut self, on: bool) -> Self {
        self.versioned = on;
        self
    }

    /// With a key of S3 if nothing is said, which S3 itself does then.
    pub fn encryption(mut self, encryption: BucketEncryption) -> Self {
        self.encryption = Some(encryption);
        self
    }

    /// Encrypts with this key; with [`BucketEncryption::Dsse`] in two layers.
    pub fn encryption_key(mut self, key: &Key) -> Self {
        self.encryption_key = Some(key.clone());
        self
    }

    /// Whether the bucket has a key of its own below that of KMS, which saves most calls of it.
    pub fn bucket_key_enabled(mut self, on: bool) -> Self {
        self.bucket_key = Some(on);
        self
    }

    /// No policy and no access list can make anything public.
    pub fn block_all_public_access(self) -> Self {
        self.block_public_access(BlockPublicAccess::ALL)
    }

    pub fn block_public_access(mut self, block: BlockPublicAccess) -> Self {
        self.properties = self.properties.public_access_block_configuration(block.render());
        self.block = Some(block);
        self
    }

    /// Everybody may read every object, which must not be blocked.
    pub fn public_read_access(mut self) -> Self {
        self.public_read = true;
        self
    }

    /// A web site: what `/` means in each folder, and what is shown instead of an error.
    pub fn website(mut self, index_document: impl IntoValue<String>, error_document: Option<&str>) -> Self {
        self.website.index = Some(index_document.into_value().into_expr());
        self.website.error = error_document.map(str::to_owned);
        self
    }

    /// A web site that leads elsewhere.
    pub fn website_redirect(mut self, redirect: WebsiteRedirect) -> Self {
        self.website.redirect = Some(redirect);
        self
    }

    /// Some paths of the web site lead elsewhere.
    pub fn website_routing_rule(mut self, rule: RoutingRule) -> Self {
        self.website.rules.push(rule);
        self
    }

    pub fn object_ownership(mut self, ownership: ObjectOwnership) -> Self {
        self.ownership = Some(ownership);
        self
    }

    /// An access list, for what does not know policies.
    pub fn access_control(mut self, list: BucketAccessControl) -> Self {
        self.access_control = Some(list);
        self
    }

    /// Pages of other sites may ask.
    pub fn cors_rule(mut self, rule: CorsRule) -> Self {
        self.cors.push(rule);
        self
    }

    /// Requests are logged there. The bucket is let be written to.
    pub fn server_access_logs_bucket(mut self, bucket: &Bucket) -> Self {
        self.logging.bucket = Some(bucket.clone());
        self
    }

    /// Keys of logs begin so; without a bucket, logs go into this one.
    pub fn server_access_logs_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.logging.prefix = Some(prefix.into());
        self
    }

    pub fn server_access_logs_format(mut self, format: LogKeyFormat) -> Self {
        self.logging.format = Some(format);
        self
    }

    /// Metrics of requests for some objects.
    pub fn metrics(mut self, metrics: MetricsConfiguration) -> Self {
        self.metrics.push(metrics);
        self
    }

    /// Objects of intelligent tiering that nobody reads go to archives.
    pub fn intelligent_tiering(mut self, tiering: IntelligentTiering) -> Self {
        self.tierings.push(tiering);
        self
    }

    /// A list of the objects, from time to time.
    pub fn inventory(mut self, inventory: Inventory) -> Self {
        self.inventories.push(inventory);
        self
    }

    /// Objects can be protected from being deleted.
    pub fn object_lock_enabled(mut self, on: bool) -> Self {
        self.lock.enabled = Some(on);
        self
    }

    /// Every object is protected for so many days; some users may end it.
    pub fn object_lock_governance(mut self, duration: Duration) -> Self {
        self.lock.retention = Some(("GOVERNANCE", duration));
        self
    }

    /// Every object is protected for so many days; nobody can end it.
    pub fn object_lock_compliance(mut self, duration: Duration) -> Self {
        self.lock.retention = Some(("COMPLIANCE", duration));
        self
    }

    /// Uploads from afar enter at the nearest edge.
    pub fn transfer_acceleration(mut self) -> Self {
        let accelerate = bucket::AccelerateConfiguration::new().acceleration_status("Enabled");
        self.properties = self.properties.accelerate_configuration(accelerate);
        self
    }

    /// EventBridge learns what happens to objects.
    pub fn event_bridge_enabled(mut self) -> Self {
        self.event_bridge = true;
        self
    }

    pub fn lifecycle_rule(mut self, rule: LifecycleRule) -> Self {
        self.lifecycle_rules.push(rule);
        self
    }

    /// Refuses requests without TLS.
    pub fn enforce_ssl(mut self) -> Self {
        self.enforce_ssl = true;
        self
    }

    /// Refuses older versions of TLS than this: `1.2`. With [`BucketBuilder::enforce_ssl`].
    pub fn minimum_tls_version(mut self, version: f64) -> Self {
        self.minimum_tls = Some(version);
        self
    }

    /// Kept if nothing is said.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = policy;
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::s3::Bucket) -> cfn::s3::Bucket) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(mut self) -> Bucket {
        let construct = self.site.clone().make("s3.Bucket");
        let (encryption, key) =
            encryption::choose(&construct, self.encryption, self.encryption_key.take(), self.bucket_key);
        let properties = std::mem::replace(&mut self.properties, cfn::s3::Bucket::new());
        let properties = self
            .complete(&construct, properties)
            .when_some(encryption, |properties, encryption| {
                properties.bucket_encryption(encryption)
            });
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(self.removal_policy);
        let bucket = Bucket {
            construct,
            names: Rc::new(Names::of_resource(&resource)),
            resource: Some(resource),
            policy: ResourcePolicy::new("PolicyDocument"),
            notifications: Notifications::default(),
            encryption_key: key,
        };
        access::own(&bucket, self.access_control, self.ownership);
        self.add_policies(&bucket);
        self.logging.apply(&bucket);
        reports::take_inventories(&bucket, self.inventories);
        if self.event_bridge {
            bucket.enable_event_bridge_notification();
        }
        bucket
    }

    /// What is nothing but properties.
    fn complete(&self, construct: &Construct, properties: cfn::s3::Bucket) -> cfn::s3::Bucket {
        if let Some(problem) = self.name.as_ref().and_then(Expr::as_text).and_then(problem_with_name) {
            construct.report(problem);
        }
        let versioning = bucket::VersioningConfiguration::new().status("Enabled");
        let some = |expr: Expr| matches!(&expr, Expr::List(items) if !items.is_empty()).then_some(expr);
        let metrics = some(
            self.metrics
                .iter()
                .map(MetricsConfiguration::render)
                .collect::<Vec<_>>()
                .into(),
        );
        let tierings = some(
            self.tierings
                .iter()
                .map(IntelligentTiering::render)
                .collect::<Vec<_>>()
                .into(),
        );
        properties
            .when_some(self.name.clone(), |properties, name| {
                properties.bucket_name(name.cast::<String>())
            })
            .when_some(self.versioned.then_some(versioning), |properties, versioning| {
                properties.versioning_configuration(versioning)
            })
            .when_some(
                lifecycle::configuration(construct, &self.lifecycle_rules),
                |properties, rules| properties.lifecycle_configuration(rules),
            )
            .when_some(CorsRule::configuration(&self.cors), |properties, rules| {
                properties.cors_configuration(rules)
            })
            .when_some(self.website.render(construct), |properties, website| {
                properties.website_configuration(website)
            })
            .when_some(metrics, |properties, metrics| {
                properties.metrics_configurations(metrics.cast::<cfn::List<bucket::MetricsConfiguration>>())
            })
            .when_some(tierings, |properties, tierings| {
                properties.intelligent_tiering_configurations(
                    tierings.cast::<cfn::List<bucket::IntelligentTieringConfiguration>>(),
                )
            })
            .when_some(self.lock.is_on(construct), |properties, on| {
                properties.object_lock_enabled(on)
            })
            .when_some(self.lock.configuration(), |properties, configuration| {
                properties.object_lock_configuration(configuration)
            })
    }

    fn add_policies(&self, bucket: &Bucket) {
        if self.enforce_ssl {
            let statement = PolicyStatement::deny_without_tls("s3:*")
                .on(bucket.bucket_arn())
                .on(bucket.arn_for_objects("*"))
                .by(Principal::any());
            bucket.add_to_resource_policy(statement);
        }
        if let Some(version) = self.minimum_tls {
            if !self.enforce_ssl {
                bucket
                    .construct
                    .report("a version of TLS is asked of those who use TLS; call `enforce_ssl` too");
            }
            let statement = PolicyStatement::deny(["s3:*"])
                .condition("NumericLessThan", [("s3:TlsVersion", version)])
                .on(bucket.bucket_arn())
                .on(bucket.arn_for_objects("*"))
                .by(Principal::any());
            bucket.add_to_resource_policy(statement);
        }
        if self.public_read {
            if self.block.is_none_or(BlockPublicAccess::forbids_policies) {
                bucket
                    .construct
                    .report("S3 blocks what makes objects public; allow policies with `BlockPublicAccess::ACLS_ONLY`");
            }
            let read = PolicyStatement::allow(["s3:GetObject"])
                .on(bucket.arn_for_objects("*"))
                .by(Principal::any());
            bucket.add_to_resource_policy(read);
        }
    }
}

/// What S3 does not take as the name of a bucket.
fn problem_with_name(name: &str) -> Option<String> {
    let says = |what: &str| Some(format!("`{name}` is no name of a bucket: {what}"));
    let in_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    let at_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !NAME_LENGTHS.contains(&name.len()) {
        return says("it has 3 to 63 characters");
    }
    if !name.chars().all(in_name) {
        return says("it holds small letters, digits, dots and hyphens");
    }
    if !name.starts_with(at_end) || !name.ends_with(at_end) {
        return says("it begins and ends with a small letter or a digit");
    }
    if [".-", "-.", ".."].iter().any(|pair| name.contains(pair)) {
        return says("a dot stands beside no other dot and no hyphen");
    }
    let parts: Vec<&str> = name.split('.').collect();
    let is_number = |part: &&str| part.parse::<u8>().is_ok();
    if parts.len() == 4 && parts.iter().all(is_number) {
        return says("it looks like an address");
    }
    None
}

impl Bucket {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> BucketBuilder {
        BucketBuilder {
            site: Site::new(scope, id),
            properties: cfn::s3::Bucket::new(),
            name: None,
            versioned: false,
            encryption: None,
            encryption_key: None,
            bucket_key: None,
            lifecycle_rules: Vec::new(),
            cors: Vec::new(),
            website: website::Website::default(),
            logging: logging::Logging::default(),
            metrics: Vec::new(),
            tierings: Vec::new(),
            inventories: Vec::new(),
            access_control: None,
            ownership: None,
            enforce_ssl: false,
            minimum_tls: None,
            lock: access::ObjectLock::default(),
            event_bridge: false,
            removal_policy: RemovalPolicy::Retain,
            block: None,
            public_read: false,
        }
    }

    pub fn bucket_name(&self) -> Value<id::s3::BucketName> {
        Value::from_expr(self.names.name.clone())
    }

    pub fn bucket_arn(&self) -> Value<id::s3::BucketArn> {
        Value::from_expr(self.names.arn.clone())
    }

    /// The ARN of the objects whose keys match a pattern.
    pub fn arn_for_objects(&self, pattern: &str) -> Value<String> {
        Value::from_expr(Expr::concat([
            self.bucket_arn().into_expr(),
            format!("/{pattern}").into(),
        ]))
    }

    /// `bucket.s3.eu-west-1.amazonaws.com`.
    pub fn bucket_regional_domain_name(&self) -> Value<id::s3::BucketRegionalDomainName> {
        Value::from_expr(self.names.regional_domain_name.clone())
    }

    /// The URL of the web site, by HTTP.
    pub fn bucket_website_url(&self) -> Value<String> {
        let url = self.names.website_url.clone().unwrap_or_else(|| {
            self.construct
                .report("the web site of a bucket that exists already is known where the stack says its region");
            Expr::text("")
        });
        Value::from_expr(url)
    }

    /// The host of the web site.
    pub fn bucket_website_domain_name(&self) -> Value<String> {
        let url = self.bucket_website_url();
        match url.expr().as_text().and_then(|url| url.strip_prefix("http://")) {
            Some(host) => Value::from_expr(Expr::text(host.to_owned())),
            None => cfn::intrinsics::select(2, cfn::intrinsics::split("/", url)),
        }
    }

    /// `s3://bucket/key`.
    pub fn s3_url_for_object(&self, key: &str) -> Value<String> {
        Value::from_expr(Expr::concat([
            "s3://".into(),
            self.bucket_name().into_expr(),
            format!("/{}", key.trim_start_matches('/')).into(),
        ]))
    }

    /// Of a bucket that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::s3::Bucket> {
        let known = self.resource.clone();
        known.unwrap_or_else(|| CfnResource::elsewhere(&self.construct))
    }

    fn set(&self, key: &'static str, value: Expr) {
        if let Some(resource) = &self.resource {
            resource.set(key, Some(value));
        }
    }

    /// The key that objects are encrypted with, if it is known here.
    pub fn encryption_key(&self) -> Option<&Key> {
        self.encryption_key.as_ref()
    }

    pub fn grant_read(&self, grantee: impl Into<Grantee>) {
        self.grant_read_on(grantee, "*");
    }

    /// As [`Bucket::grant_read`], of objects whose keys match a pattern: `reports/*`.
    pub fn grant_read_on(&self, grantee: impl Into<Grantee>, pattern: &str) {
        self.give(grantee, &READ_ACTIONS, &KEY_READ_ACTIONS, true, pattern);
    }

    pub fn grant_put(&self, grantee: impl Into<Grantee>) {
        self.grant_put_on(grantee, "*");
    }

    pub fn grant_put_on(&self, grantee: impl Into<Grantee>, pattern: &str) {
        self.give(grantee, &PUT_ACTIONS, &KEY_WRITE_ACTIONS, false, pattern);
    }

    /// Changing access lists of objects.
    pub fn grant_put_acl(&self, grantee: impl Into<Grantee>) {
        let actions = ["s3:PutObjectAcl", "s3:PutObjectVersionAcl"];
        self.give(grantee, &actions, &[], false, "*");
    }

    pub fn grant_delete(&self, grantee: impl Into<Grantee>) {
        self.grant_delete_on(grantee, "*");
    }

    pub fn grant_delete_on(&self, grantee: impl Into<Grantee>, pattern: &str) {
        self.give(grantee, &["s3:DeleteObject*"], &[], false, pattern);
    }

    pub fn grant_write(&self, grantee: impl Into<Grantee>) {
        self.grant_write_on(grantee, "*");
    }

    pub fn grant_write_on(&self, grantee: impl Into<Grantee>, pattern: &str) {
        let actions = [&["s3:DeleteObject*"], &PUT_ACTIONS[..]].concat();
        self.give(grantee, &actions, &KEY_WRITE_ACTIONS, true, pattern);
    }

    pub fn grant_read_write(&self, grantee: impl Into<Grantee>) {
        self.grant_read_write_on(grantee, "*");
    }

    pub fn grant_read_write_on(&self, grantee: impl Into<Grantee>, pattern: &str) {
        let actions = [&READ_ACTIONS[..], &["s3:DeleteObject*"], &PUT_ACTIONS].concat();
        self.give(grantee, &actions, &KEY_READ_WRITE_ACTIONS, true, pattern);
    }

    /// Actions on objects, with `bucket_too` also on the bucket itself; and on the key that objects are encrypted with.
    fn give(
        &self,
        grantee: impl Into<Grantee>,
        actions: &[&str],
        key_actions: &[&str],
        bucket_too: bool,
        pattern: &str,
    ) {
        let grantee = grantee.into();
        let bucket = bucket_too.then(|| self.bucket_arn().into_expr());
        let resources = bucket.into_iter().chain([self.arn_for_objects(pattern).into_expr()]);
        let grant = Grant::new(actions.iter().copied(), resources);
        grant.to(&grantee, |statement| self.add_to_resource_policy(statement));
        if let Some(key) = &self.encryption_key
            && !key_actions.is_empty()
        {
            key.grant(grantee, key_actions.iter().copied());
        }
    }

    /// Adds to the policy of the bucket itself, which is made with the first statement.
    /// That of a bucket that exists already stays as it is.
    pub fn add_to_resource_policy(&self, statement: PolicyStatement) {
        if self.resource.is_none() {
            self.construct
                .warn("the policy of a bucket that exists already is not changed; change it where the bucket is made");
            return;
        }
        self.policy.add(statement, |document| {
            let construct = Site::new(self, "Policy").make("s3.BucketPolicy");
            let properties = cfn::s3::BucketPolicy::new()
                .bucket(self.bucket_name())
                .policy_document(document);
            CfnResource::new(&construct, "Resource", properties).untyped()
        });
    }
}
