//! Who reaches objects beside those whom policies name: access lists, owners, other sites; and what stops them.

use std::time::Duration;

use cfn::s3::bucket;
use cfn::{Builder, Expr, IntoValue, Value};

use super::Bucket;
use crate::tree::Construct;
use crate::units::{whole_days, whole_seconds};

const ACCESS_CONTROL: &str = "AccessControl";
const OWNERSHIP: &str = "OwnershipControls";
/// The longest that objects are protected.
const MAX_RETENTION_DAYS: u64 = 365 * 100;

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

/// Lists of who may do what that S3 has ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketAccessControl {
    Private,
    PublicRead,
    PublicReadWrite,
    AuthenticatedRead,
    /// S3 and CloudFront write logs.
    LogDeliveryWrite,
    BucketOwnerRead,
    BucketOwnerFullControl,
    AwsExecRead,
}

impl BucketAccessControl {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "Private",
            Self::PublicRead => "PublicRead",
            Self::PublicReadWrite => "PublicReadWrite",
            Self::AuthenticatedRead => "AuthenticatedRead",
            Self::LogDeliveryWrite => "LogDeliveryWrite",
            Self::BucketOwnerRead => "BucketOwnerRead",
            Self::BucketOwnerFullControl => "BucketOwnerFullControl",
            Self::AwsExecRead => "AwsExecRead",
        }
    }

    /// Counts only where objects can belong to their writers.
    const fn needs_ownership(self) -> bool {
        !matches!(
            self,
            Self::Private | Self::BucketOwnerRead | Self::BucketOwnerFullControl
        )
    }
}

/// Sets access list and ownership, of which the one asks for the other.
pub(super) fn own(bucket: &Bucket, list: Option<BucketAccessControl>, ownership: Option<ObjectOwnership>) {
    if let Some(list) = list {
        bucket.set(ACCESS_CONTROL, list.as_str().into());
    }
    let needs = list.is_some_and(BucketAccessControl::needs_ownership);
    if needs && ownership == Some(ObjectOwnership::BucketOwnerEnforced) {
        bucket
            .construct
            .report("access lists do not count where the bucket's owner owns all objects");
    }
    let ownership = ownership.or(needs.then_some(ObjectOwnership::ObjectWriter));
    if let Some(ownership) = ownership {
        let rule = Expr::map([("ObjectOwnership", ownership.as_str())]);
        bucket.set(OWNERSHIP, Expr::map([("Rules", Expr::List(vec![rule]))]));
    }
}

/// Lets S3 write logs into the bucket.
pub(super) fn allow_log_delivery(bucket: &Bucket) {
    let list = BucketAccessControl::LogDeliveryWrite;
    let Some(resource) = &bucket.resource else {
        bucket
            .construct
            .warn("logs are written to a bucket that exists already; let them in where it is made");
        return;
    };
    if let Some(set) = resource.property(ACCESS_CONTROL)
        && set.as_text() != Some(list.as_str())
    {
        bucket
            .construct
            .report("logs are written to the bucket, but its access list says something else");
        return;
    }
    bucket.set(ACCESS_CONTROL, list.as_str().into());
    if resource.property(OWNERSHIP).is_none() {
        own(bucket, Some(list), None);
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

    pub(super) fn forbids_policies(self) -> bool {
        self.policies == Some(true) || self.restrict == Some(true)
    }

    pub(super) fn render(self) -> bucket::PublicAccessBlockConfiguration {
        type Block = bucket::PublicAccessBlockConfiguration;
        Block::new()
            .when_some(self.acls, Block::block_public_acls)
            .when_some(self.policies, Block::block_public_policy)
            .when_some(self.ignore_acls, Block::ignore_public_acls)
            .when_some(self.restrict, Block::restrict_public_buckets)
    }
}

/// Which pages of other sites may ask.
#[derive(Clone, Debug)]
pub struct CorsRule {
    methods: Vec<String>,
    origins: Vec<String>,
    headers: Vec<String>,
    exposed_headers: Vec<String>,
    max_age: Option<Duration>,
    id: Option<String>,
}

impl CorsRule {
    /// `CorsRule::new(["GET"], ["https://example.com"])`
    pub fn new(
        methods: impl IntoIterator<Item = impl Into<String>>,
        origins: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            methods: methods.into_iter().map(Into::into).collect(),
            origins: origins.into_iter().map(Into::into).collect(),
            headers: Vec::new(),
            exposed_headers: Vec::new(),
            max_age: None,
            id: None,
        }
    }

    #[must_use]
    pub fn headers(mut self, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.headers.extend(headers.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn exposed_headers(mut self, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.exposed_headers.extend(headers.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    pub(super) fn configuration(rules: &[Self]) -> Option<bucket::CorsConfiguration<cfn::Set>> {
        let rendered: Vec<Value<bucket::CorsRule>> = rules.iter().map(Self::render).collect();
        (!rules.is_empty()).then(|| bucket::CorsConfiguration::new().cors_rules(rendered))
    }

    fn render(&self) -> Value<bucket::CorsRule> {
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        bucket::CorsRule::new()
            .allowed_methods(&self.methods)
            .allowed_origins(&self.origins)
            .when_some(some(&self.headers), |rule, headers| rule.allowed_headers(headers))
            .when_some(some(&self.exposed_headers), |rule, headers| {
                rule.exposed_headers(headers)
            })
            .when_some(self.max_age.map(whole_seconds), |rule, age| rule.max_age(age))
            .when_some(self.id.as_ref(), |rule, id| rule.id(id))
            .into_value()
    }
}

/// Whether objects can be protected from being deleted, and for how long all are.
#[derive(Default)]
pub(super) struct ObjectLock {
    pub(super) enabled: Option<bool>,
    pub(super) retention: Option<(&'static str, Duration)>,
}

impl ObjectLock {
    pub(super) fn is_on(&self, construct: &Construct) -> Option<bool> {
        let Some((_, duration)) = self.retention else {
            return self.enabled;
        };
        if self.enabled == Some(false) {
            construct.report("objects are protected only where object lock is on");
        }
        if !(1..=MAX_RETENTION_DAYS).contains(&whole_days(duration)) {
            construct.report("objects are protected for a day at least and a hundred years at most");
        }
        Some(true)
    }

    pub(super) fn configuration(&self) -> Option<bucket::ObjectLockConfiguration> {
        let (mode, duration) = self.retention?;
        let days = i64::try_from(whole_days(duration)).unwrap_or(i64::MAX);
        let retention = bucket::DefaultRetention::new().days(days).mode(mode);
        let rule = bucket::ObjectLockRule::new().default_retention(retention);
        Some(
            bucket::ObjectLockConfiguration::new()
                .object_lock_enabled("Enabled")
                .rule(rule),
        )
    }
}
