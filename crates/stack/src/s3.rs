//! Buckets.

mod notifications;

use std::time::Duration;

use cfn::s3::bucket;
use cfn::{Builder, Expr, IntoValue, Value, id};

use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::{Grant, Grantee, PolicyStatement, Principal, ResourcePolicy};
use crate::site::Site;
use crate::tree::{Construct, Scope};
use crate::units::whole_days;

use notifications::Notifications;
pub use notifications::{EventType, KeyFilter};

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

/// How objects are encrypted at rest.
#[derive(Clone, Debug, PartialEq)]
pub enum BucketEncryption {
    /// With a key of S3.
    S3Managed,
    /// With the account's default key for S3.
    KmsManaged,
    Kms(Value<id::kms::AnyKey>),
}

/// Who owns objects that others write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectOwnership {
    /// The bucket's owner; access lists do not count.
    BucketOwnerEnforced,
    /// The bucket's owner, where the writer agrees.
    BucketOwnerPreferred,
    ObjectWriter,
}

impl ObjectOwnership {
    const fn as_str(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }
}

/// What of making objects public is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPublicAccess {
    acls: Option<bool>,
    policies: Option<bool>,
    ignore_acls: Option<bool>,
    restrict: Option<bool>,
}

impl BlockPublicAccess {
    /// No policy and no access list can make anything public.
    pub const ALL: Self = Self {
        acls: Some(true),
        policies: Some(true),
        ignore_acls: Some(true),
        restrict: Some(true),
    };
    /// Access lists make nothing public; nothing is said of policies.
    pub const ACLS: Self = Self {
        acls: Some(true),
        policies: None,
        ignore_acls: Some(true),
        restrict: None,
    };
    /// Access lists make nothing public; policies may.
    pub const ACLS_ONLY: Self = Self {
        acls: Some(true),
        policies: Some(false),
        ignore_acls: Some(true),
        restrict: Some(false),
    };

    fn render(self) -> bucket::PublicAccessBlockConfiguration {
        type Block = bucket::PublicAccessBlockConfiguration;
        Block::new()
            .when_some(self.acls, Block::block_public_acls)
            .when_some(self.policies, Block::block_public_policy)
            .when_some(self.ignore_acls, Block::ignore_public_acls)
            .when_some(self.restrict, Block::restrict_public_buckets)
    }
}

/// When objects leave.
#[derive(Clone, Debug, Default)]
pub struct LifecycleRule {
    id: Option<String>,
    prefix: Option<String>,
    expiration: Option<Duration>,
    noncurrent_expiration: Option<Duration>,
    abort_uploads_after: Option<Duration>,
    disabled: bool,
}

impl LifecycleRule {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Only objects whose key begins so.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// In whole days.
    #[must_use]
    pub fn expiration(mut self, after: Duration) -> Self {
        self.expiration = Some(after);
        self
    }

    #[must_use]
    pub fn noncurrent_version_expiration(mut self, after: Duration) -> Self {
        self.noncurrent_expiration = Some(after);
        self
    }

    #[must_use]
    pub fn abort_incomplete_uploads_after(mut self, after: Duration) -> Self {
        self.abort_uploads_after = Some(after);
        self
    }

    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    fn render(&self) -> bucket::Rule<cfn::Set> {
        let days = |duration: Duration| i64::try_from(whole_days(duration)).unwrap_or(i64::MAX);
        let mut rule = bucket::Rule::new().status(if self.disabled { "Disabled" } else { "Enabled" });
        if let Some(id) = &self.id {
            rule = rule.id(id);
        }
        if let Some(prefix) = &self.prefix {
            rule = rule.prefix(prefix);
        }
        if let Some(after) = self.expiration {
            rule = rule.expiration_in_days(days(after));
        }
        if let Some(after) = self.noncurrent_expiration {
            rule = rule
                .noncurrent_version_expiration(bucket::NoncurrentVersionExpiration::new().noncurrent_days(days(after)));
        }
        if let Some(after) = self.abort_uploads_after {
            let abort = bucket::AbortIncompleteMultipartUpload::new().days_after_initiation(days(after));
            rule = rule.abort_incomplete_multipart_upload(abort);
        }
        rule
    }
}

#[derive(Clone)]
pub struct Bucket {
    construct: Construct,
    resource: CfnResource<cfn::s3::Bucket>,
    policy: ResourcePolicy,
    notifications: Notifications,
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
    lifecycle_rules: Vec<LifecycleRule>,
    enforce_ssl: bool,
    removal_policy: RemovalPolicy,
    block: Option<BlockPublicAccess>,
    public_read: bool,
}

impl BucketBuilder {
    pub fn bucket_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.bucket_name(name);
        self
    }

    pub fn versioned(mut self, on: bool) -> Self {
        if on {
            let versioning = bucket::VersioningConfiguration::new().status("Enabled");
            self.properties = self.properties.versioning_configuration(versioning);
        }
        self
    }

    pub fn encryption(mut self, encryption: BucketEncryption) -> Self {
        let default = bucket::ServerSideEncryptionByDefault::new();
        let default = match encryption {
            BucketEncryption::S3Managed => default.sse_algorithm("AES256"),
            BucketEncryption::KmsManaged => default.sse_algorithm("aws:kms"),
            BucketEncryption::Kms(key) => default.sse_algorithm("aws:kms").kms_master_key_id(key),
        };
        let rule = bucket::ServerSideEncryptionRule::new().server_side_encryption_by_default(default);
        let encryption = bucket::BucketEncryption::new().server_side_encryption_configuration([rule]);
        self.properties = self.properties.bucket_encryption(encryption);
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
        let website = bucket::WebsiteConfiguration::new()
            .index_document(index_document)
            .when_some(error_document, bucket::WebsiteConfiguration::error_document);
        self.properties = self.properties.website_configuration(website);
        self
    }

    pub fn object_ownership(mut self, ownership: ObjectOwnership) -> Self {
        let rule = bucket::OwnershipControlsRule::new().object_ownership(ownership.as_str());
        self.properties = self
            .properties
            .ownership_controls(bucket::OwnershipControls::new().rules([rule]));
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

    pub fn build(self) -> Bucket {
        let construct = self.site.make("s3.Bucket");
        let mut properties = self.properties;
        if !self.lifecycle_rules.is_empty() {
            let rules = self
                .lifecycle_rules
                .iter()
                .map(LifecycleRule::render)
                .collect::<Vec<_>>();
            properties = properties.lifecycle_configuration(bucket::LifecycleConfiguration::new().rules(rules));
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(self.removal_policy);
        let bucket = Bucket {
            construct,
            resource,
            policy: ResourcePolicy::new("PolicyDocument"),
            notifications: Notifications::default(),
        };
        if self.enforce_ssl {
            let statement = PolicyStatement::deny_without_tls("s3:*")
                .on(bucket.bucket_arn())
                .on(bucket.arn_for_objects("*"))
                .by(Principal::any());
            bucket.add_to_resource_policy(statement);
        }
        if self.public_read {
            let blocked = |block: BlockPublicAccess| block.policies == Some(true) || block.restrict == Some(true);
            if self.block.is_none_or(blocked) {
                bucket
                    .construct
                    .report("S3 blocks what makes objects public; allow policies with `BlockPublicAccess::ACLS_ONLY`");
            }
            let read = PolicyStatement::allow(["s3:GetObject"])
                .on(bucket.arn_for_objects("*"))
                .by(Principal::any());
            bucket.add_to_resource_policy(read);
        }
        bucket
    }
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
            lifecycle_rules: Vec::new(),
            enforce_ssl: false,
            removal_policy: RemovalPolicy::Retain,
            block: None,
            public_read: false,
        }
    }

    pub fn bucket_name(&self) -> Value<id::s3::BucketName> {
        self.resource.reference()
    }

    pub fn bucket_arn(&self) -> Value<id::s3::BucketArn> {
        self.resource.arn()
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
        self.resource.regional_domain_name()
    }

    /// The URL of the web site, by HTTP.
    pub fn bucket_website_url(&self) -> Value<String> {
        self.resource.website_url()
    }

    /// The host of the web site.
    pub fn bucket_website_domain_name(&self) -> Value<String> {
        cfn::intrinsics::select(2, cfn::intrinsics::split("/", self.bucket_website_url()))
    }

    /// `s3://bucket/key`.
    pub fn s3_url_for_object(&self, key: &str) -> Value<String> {
        Value::from_expr(Expr::concat([
            "s3://".into(),
            self.bucket_name().into_expr(),
            format!("/{}", key.trim_start_matches('/')).into(),
        ]))
    }

    pub fn resource(&self) -> &CfnResource<cfn::s3::Bucket> {
        &self.resource
    }

    pub fn grant_read(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, &READ_ACTIONS, true);
    }

    pub fn grant_put(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, &PUT_ACTIONS, false);
    }

    pub fn grant_delete(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, &["s3:DeleteObject*"], false);
    }

    pub fn grant_write(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, &[&["s3:DeleteObject*"], &PUT_ACTIONS[..]].concat(), true);
    }

    pub fn grant_read_write(&self, grantee: impl Into<Grantee>) {
        self.grant(
            grantee,
            &[&READ_ACTIONS[..], &["s3:DeleteObject*"], &PUT_ACTIONS].concat(),
            true,
        );
    }

    fn grant(&self, grantee: impl Into<Grantee>, actions: &[&str], bucket_too: bool) {
        let bucket = bucket_too.then(|| self.bucket_arn().into_expr());
        let resources = bucket.into_iter().chain([self.arn_for_objects("*").into_expr()]);
        let grant = Grant::new(actions.iter().copied(), resources);
        grant.to(&grantee.into(), |statement| self.add_to_resource_policy(statement));
    }

    /// Adds to the policy of the bucket itself, which is made with the first statement.
    pub fn add_to_resource_policy(&self, statement: PolicyStatement) {
        self.policy.add(statement, |document| {
            let construct = Site::new(self, "Policy").make("s3.BucketPolicy");
            let properties = cfn::s3::BucketPolicy::new()
                .bucket(self.bucket_name())
                .policy_document(document);
            CfnResource::new(&construct, "Resource", properties).untyped()
        });
    }
}
