//! Origin request policies: what is forwarded to an origin although it tells no answers apart.

use cfn::cloudfront::origin_request_policy as policy;
use cfn::{Builder, Expr, IntoValue, Value, id};

use super::cache_policy::{Forwarded, check_name, managed};
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};

/// Headers that only a cache policy forwards.
const OF_CACHE_POLICIES: [&str; 2] = ["authorization", "accept-encoding"];
const PREFIX_OF_CLOUDFRONT: &str = "CloudFront-";

/// Which headers are forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RequestHeaders {
    #[default]
    None,
    /// All that the viewer sends.
    All,
    /// And some that CloudFront adds: `CloudFront-Viewer-Country`.
    AllAnd(Vec<String>),
    Only(Vec<String>),
    AllBut(Vec<String>),
}

impl RequestHeaders {
    pub fn all_and(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::AllAnd(names.into_iter().map(Into::into).collect())
    }

    pub fn only(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::Only(names.into_iter().map(Into::into).collect())
    }

    pub fn all_but(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::AllBut(names.into_iter().map(Into::into).collect())
    }

    fn parts(&self, construct: &Construct) -> (&'static str, Option<&Vec<String>>) {
        if let Self::AllAnd(names) | Self::Only(names) | Self::AllBut(names) = self
            && names.is_empty()
        {
            construct.report("a list of headers names one at least");
        }
        match self {
            Self::None => ("none", None),
            Self::All => ("allViewer", None),
            Self::AllAnd(names) => {
                if !names.iter().all(|name| name.starts_with(PREFIX_OF_CLOUDFRONT)) {
                    construct.report("headers that are added to the viewer's begin with `CloudFront-`");
                }
                ("allViewerAndWhitelistCloudFront", Some(names))
            }
            Self::Only(names) => {
                let of_cache = |name: &String| OF_CACHE_POLICIES.contains(&name.to_lowercase().as_str());
                if names.iter().any(of_cache) {
                    construct.report("`Authorization` and `Accept-Encoding` are forwarded by a cache policy");
                }
                ("whitelist", Some(names))
            }
            Self::AllBut(names) => ("allExcept", Some(names)),
        }
    }
}

/// A policy of this app, of AWS, or one that exists already.
#[derive(Clone, Debug)]
pub struct OriginRequestPolicy {
    id: Expr,
}

impl OriginRequestPolicy {
    managed! {
        user_agent_referer_headers = "acba4595-bd28-49b8-b9fe-13317c0390fa";
        /// What an origin that is not S3 needs to answer other sites.
        cors_custom_origin = "59781a5b-3903-41f3-afcb-af62929ccde1";
        /// What S3 needs to answer other sites.
        cors_s3_origin = "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf";
        all_viewer = "216adef6-5c7f-47e4-b989-5492eafa07d3";
        elemental_media_tailor = "775133bc-15f2-49f9-abea-afb2e0bf67d2";
        all_viewer_and_cloudfront_2022 = "33f36d7e-f396-46d9-90e0-52428a34d9dc";
        /// What API Gateway and function URLs need, which know themselves by `Host`.
        all_viewer_except_host_header = "b689b0a8-53d0-40ab-baf2-68738e2966ac";
        host_header_only = "bf0718e1-ba1e-49d1-88b1-f726733018ae";
    }

    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> OriginRequestPolicyBuilder {
        OriginRequestPolicyBuilder {
            site: Site::new(scope, id),
            name: None,
            comment: None,
            cookies: Forwarded::None,
            headers: RequestHeaders::None,
            query_strings: Forwarded::None,
        }
    }

    /// A policy that exists already.
    pub fn from_id(policy_id: impl IntoValue<id::cloudfront::OriginRequestPolicyId>) -> Self {
        Self {
            id: policy_id.into_value().into_expr(),
        }
    }

    pub fn origin_request_policy_id(&self) -> Value<id::cloudfront::OriginRequestPolicyId> {
        Value::from_expr(self.id.clone())
    }
}

#[must_use = "nothing is made until `build`"]
pub struct OriginRequestPolicyBuilder {
    site: Site,
    name: Option<Expr>,
    comment: Option<String>,
    cookies: Forwarded,
    headers: RequestHeaders,
    query_strings: Forwarded,
}

impl OriginRequestPolicyBuilder {
    /// Letters, digits, `-` and `_`; made of the path if nothing is said.
    pub fn origin_request_policy_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    pub fn cookies(mut self, cookies: Forwarded) -> Self {
        self.cookies = cookies;
        self
    }

    pub fn headers(mut self, headers: RequestHeaders) -> Self {
        self.headers = headers;
        self
    }

    pub fn query_strings(mut self, query_strings: Forwarded) -> Self {
        self.query_strings = query_strings;
        self
    }

    pub fn build(self) -> OriginRequestPolicy {
        let construct = self.site.make("cloudfront.OriginRequestPolicy");
        let name = self.name.unwrap_or_else(|| Expr::text(construct.unique_id()));
        check_name(&construct, &name);
        let (behavior, names) = self.cookies.parts(&construct);
        let cookies = policy::CookiesConfig::new()
            .cookie_behavior(behavior)
            .when_some(names, |config, names| config.cookies(names));
        let (behavior, names) = self.headers.parts(&construct);
        let headers = policy::HeadersConfig::new()
            .header_behavior(behavior)
            .when_some(names, |config, names| config.headers(names));
        let (behavior, names) = self.query_strings.parts(&construct);
        let query_strings = policy::QueryStringsConfig::new()
            .query_string_behavior(behavior)
            .when_some(names, |config, names| config.query_strings(names));
        let config = policy::OriginRequestPolicyConfig::new()
            .name(name.cast::<String>())
            .cookies_config(cookies)
            .headers_config(headers)
            .query_strings_config(query_strings)
            .when_some(self.comment, |config, comment| config.comment(comment));
        let properties = cfn::cloudfront::OriginRequestPolicy::new().origin_request_policy_config(config);
        let resource = CfnResource::new(&construct, "Resource", properties);
        OriginRequestPolicy {
            id: resource.reference().into_expr(),
        }
    }
}
