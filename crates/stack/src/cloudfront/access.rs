//! How a distribution shows an origin who it is, so that the origin lets nobody else in.

use cfn::cloudfront::{cloud_front_origin_access_identity as identity, origin_access_control as control};
use cfn::{Builder, Expr, IntoValue, Value, id};

use crate::element::CfnResource;
use crate::iam::Principal;
use crate::site::Site;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};

const MAX_NAME: usize = 64;
const MAX_COMMENT: usize = 128;

/// What a distribution may do with a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLevel {
    Read,
    ReadVersioned,
    /// Missing objects are told from forbidden ones; give the distribution a root object, or its list of names is read.
    List,
    Write,
    Delete,
}

impl AccessLevel {
    pub(super) const fn action(self) -> &'static str {
        match self {
            Self::Read => "s3:GetObject",
            Self::ReadVersioned => "s3:GetObjectVersion",
            Self::List => "s3:ListBucket",
            Self::Write => "s3:PutObject",
            Self::Delete => "s3:DeleteObject",
        }
    }

    pub(super) const fn key_actions(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["kms:Decrypt"],
            Self::Write => &["kms:Encrypt", "kms:GenerateDataKey*"],
            Self::ReadVersioned | Self::List | Self::Delete => &[],
        }
    }
}

/// When requests to an origin are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    Always,
    /// With the protocol that fits several regions.
    AlwaysInAnyRegion,
    /// In headers whose names begin with `x-amz-`, so that the viewer's own `Authorization` reaches the origin.
    AlwaysBeside,
    AlwaysBesideInAnyRegion,
    /// Unless the viewer has signed.
    UnlessSigned,
    Never,
}

impl Signing {
    const fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Always => ("always", "sigv4"),
            Self::AlwaysInAnyRegion => ("always", "sigv4a"),
            Self::AlwaysBeside => ("always-amz-auth", "sigv4"),
            Self::AlwaysBesideInAnyRegion => ("always-amz-auth", "sigv4a"),
            Self::UnlessSigned => ("no-override", "sigv4"),
            Self::Never => ("never", "sigv4"),
        }
    }
}

/// What kind of origin is signed for.
#[derive(Clone, Copy)]
pub(super) enum OriginType {
    Bucket,
    Function,
}

/// Signatures of a distribution, of this app or existing already.
#[derive(Clone, Debug)]
pub struct OriginAccessControl {
    id: Expr,
    pub(super) always_signs: bool,
}

impl OriginAccessControl {
    /// For buckets.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> OriginAccessControlBuilder {
        Self::of(Site::new(scope, id), OriginType::Bucket)
    }

    /// For function URLs.
    #[track_caller]
    pub fn for_function_urls(scope: &impl Scope, id: impl Into<String>) -> OriginAccessControlBuilder {
        Self::of(Site::new(scope, id), OriginType::Function)
    }

    pub(super) fn of(site: Site, kind: OriginType) -> OriginAccessControlBuilder {
        OriginAccessControlBuilder {
            site,
            kind,
            name: None,
            description: None,
            signing: Signing::Always,
        }
    }

    /// One that exists already.
    pub fn from_id(control_id: impl IntoValue<id::cloudfront::OriginAccessControlId>) -> Self {
        Self {
            id: control_id.into_value().into_expr(),
            always_signs: false,
        }
    }

    pub fn origin_access_control_id(&self) -> Value<id::cloudfront::OriginAccessControlId> {
        Value::from_expr(self.id.clone())
    }
}

#[must_use = "nothing is made until `build`"]
pub struct OriginAccessControlBuilder {
    site: Site,
    kind: OriginType,
    name: Option<Expr>,
    description: Option<Expr>,
    signing: Signing,
}

impl OriginAccessControlBuilder {
    pub fn origin_access_control_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.description = Some(description.into_value().into_expr());
        self
    }

    /// Always if nothing is said.
    pub fn signing(mut self, signing: Signing) -> Self {
        self.signing = signing;
        self
    }

    pub fn build(self) -> OriginAccessControl {
        let (type_name, origin_type) = match self.kind {
            OriginType::Bucket => ("cloudfront.S3OriginAccessControl", "s3"),
            OriginType::Function => ("cloudfront.FunctionUrlOriginAccessControl", "lambda"),
        };
        let construct = self.site.make(type_name);
        let name = self
            .name
            .unwrap_or_else(|| Expr::text(construct.unique_resource_name(MAX_NAME)));
        let (behavior, protocol) = self.signing.parts();
        let config = control::OriginAccessControlConfig::new()
            .name(name.cast::<String>())
            .origin_access_control_origin_type(origin_type)
            .signing_behavior(behavior)
            .signing_protocol(protocol)
            .when_some(self.description, |config, text| {
                config.description(text.cast::<String>())
            });
        let properties = cfn::cloudfront::OriginAccessControl::new().origin_access_control_config(config);
        let resource = CfnResource::new(&construct, "Resource", properties);
        OriginAccessControl {
            id: resource.id().into_expr(),
            always_signs: self.signing == Signing::Always,
        }
    }
}

/// A user that stands for distributions, the way before [`OriginAccessControl`]: of this app or existing already.
#[derive(Clone)]
pub struct OriginAccessIdentity {
    construct: Construct,
    id: Expr,
    canonical_user: Option<Expr>,
}

impl OriginAccessIdentity {
    #[track_caller]
    pub fn new(scope: &impl Scope, id: impl Into<String>, comment: Option<&str>) -> Self {
        let construct = Site::new(scope, id).make("cloudfront.OriginAccessIdentity");
        let comment = comment.unwrap_or("Allows CloudFront to reach the bucket");
        let comment: String = comment.chars().take(MAX_COMMENT).collect();
        let config = identity::CloudFrontOriginAccessIdentityConfig::new().comment(comment);
        let properties =
            cfn::cloudfront::CloudFrontOriginAccessIdentity::new().cloud_front_origin_access_identity_config(config);
        let resource = CfnResource::new(&construct, "Resource", properties);
        Self {
            construct,
            id: resource.reference().into_expr(),
            canonical_user: Some(resource.s3_canonical_user_id().into_expr()),
        }
    }

    /// One that exists already.
    #[track_caller]
    pub fn from_id(scope: &impl Scope, id: impl Into<String>, identity_id: impl IntoValue<String>) -> Self {
        Self {
            construct: Site::new(scope, id).make("cloudfront.OriginAccessIdentity"),
            id: identity_id.into_value().into_expr(),
            canonical_user: None,
        }
    }

    pub fn origin_access_identity_id(&self) -> Value<String> {
        Value::from_expr(self.id.clone())
    }

    /// Who is named in the policy of a bucket.
    pub fn principal(&self) -> Principal {
        if let Some(user) = &self.canonical_user {
            return Principal::canonical_user(user.clone().cast::<String>());
        }
        let name = Expr::concat(["CloudFront Origin Access Identity ".into(), self.id.clone()]);
        let arn = Arn::new("iam", "user").name(name).region("").account("cloudfront");
        Principal::arn(Stack::of(&self.construct).format_arn(arn).cast::<String>())
    }
}
