//! Buckets that exist already, and what all buckets are called.

use std::rc::Rc;

use cfn::{Expr, IntoValue, id};

use super::{Bucket, Notifications};
use crate::element::CfnResource;
use crate::iam::ResourcePolicy;
use crate::route53::website_of_region;
use crate::site::Site;
use crate::stack::{Arn, Stack};
use crate::tree::Scope;

/// How a bucket is reached.
pub(super) struct Names {
    pub(super) name: Expr,
    pub(super) arn: Expr,
    pub(super) regional_domain_name: Expr,
    /// Nothing where it does not follow from the name.
    pub(super) website_url: Option<Expr>,
}

impl Names {
    pub(super) fn of_resource(resource: &CfnResource<cfn::s3::Bucket>) -> Self {
        Self {
            name: resource.reference().into_expr(),
            arn: resource.arn().into_expr(),
            regional_domain_name: resource.regional_domain_name().into_expr(),
            website_url: Some(resource.website_url().into_expr()),
        }
    }

    /// As the region of the stack has it.
    fn of_import(stack: &Stack, name: Expr, arn: Expr) -> Self {
        let region = stack.known_environment().1;
        let suffix = match region.as_deref() {
            Some(region) if region.starts_with("cn-") => "amazonaws.com.cn".into(),
            Some(_) => "amazonaws.com".into(),
            None => cfn::pseudo::url_suffix().into_expr(),
        };
        let domain = [
            name.clone(),
            ".s3.".into(),
            stack.region().into_expr(),
            ".".into(),
            suffix,
        ];
        let website = region
            .as_deref()
            .and_then(website_of_region)
            .map(|(host, _)| Expr::concat(["http://".into(), name.clone(), format!(".{host}").into()]));
        Self {
            name,
            arn,
            regional_domain_name: Expr::concat(domain),
            website_url: website,
        }
    }
}

impl Bucket {
    /// A bucket that exists already. Grants go to the policies of identities; its own policy stays as it is.
    #[track_caller]
    pub fn from_bucket_name(
        scope: &impl Scope,
        id: impl Into<String>,
        name: impl IntoValue<id::s3::BucketName>,
    ) -> Self {
        let site = Site::new(scope, id);
        let stack = Stack::of(scope);
        let name = name.into_value().into_expr();
        let arn = stack.format_arn(Arn::new("s3", name.clone()).region("").account(""));
        Self::imported(site, Names::of_import(&stack, name, arn))
    }

    /// As [`Bucket::from_bucket_name`].
    #[track_caller]
    pub fn from_bucket_arn(scope: &impl Scope, id: impl Into<String>, arn: impl IntoValue<id::s3::BucketArn>) -> Self {
        let site = Site::new(scope, id);
        let arn = arn.into_value().into_expr();
        let name = match arn.as_text() {
            Some(text) => Expr::text(text.rsplit(':').next().unwrap_or_default().to_owned()),
            None => {
                let parts = cfn::intrinsics::split(":", arn.clone().cast::<String>());
                let resource = cfn::intrinsics::select(5, parts);
                cfn::intrinsics::select(0, cfn::intrinsics::split("/", resource)).into_expr()
            }
        };
        Self::imported(site, Names::of_import(&Stack::of(scope), name, arn))
    }

    fn imported(site: Site, names: Names) -> Self {
        Self {
            construct: site.make("s3.Bucket"),
            names: Rc::new(names),
            resource: None,
            policy: ResourcePolicy::new("PolicyDocument"),
            notifications: Notifications::default(),
            encryption_key: None,
        }
    }
}
