//! Cache policies: what tells answers apart, and how long they are kept.

use std::time::Duration;

use cfn::cloudfront::cache_policy;
use cfn::{Builder, Expr, IntoValue, Value, id};

use crate::element::CfnResource;
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};
use crate::units::{days, seconds, whole_seconds};

const MAX_TEXT: usize = 128;
/// What is left of a long path in a name, so that a region fits behind it.
const MAX_PATH_IN_NAME: usize = 110;

/// Which cookies, or query strings, count and are forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Forwarded {
    #[default]
    None,
    All,
    Only(Vec<String>),
    AllBut(Vec<String>),
}

impl Forwarded {
    /// These alone.
    pub fn only(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::Only(names.into_iter().map(Into::into).collect())
    }

    pub fn all_but(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::AllBut(names.into_iter().map(Into::into).collect())
    }

    pub(super) fn parts(&self, construct: &Construct) -> (&'static str, Option<&Vec<String>>) {
        if let Self::Only(names) | Self::AllBut(names) = self
            && names.is_empty()
        {
            construct.report("a list of what is forwarded, or is not, names something; say `None` or `All`");
        }
        match self {
            Self::None => ("none", None),
            Self::All => ("all", None),
            Self::Only(names) => ("whitelist", Some(names)),
            Self::AllBut(names) => ("allExcept", Some(names)),
        }
    }
}

/// Which headers count and are forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CacheHeaders {
    #[default]
    None,
    Only(Vec<String>),
}

impl CacheHeaders {
    pub fn only(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::Only(names.into_iter().map(Into::into).collect())
    }
}

/// A policy of this app, of AWS, or one that exists already.
#[derive(Clone, Debug)]
pub struct CachePolicy {
    id: Expr,
}

macro_rules! managed {
    ($($(#[$doc:meta])* $name:ident = $id:literal;)*) => { $(
        $(#[$doc])*
        pub fn $name() -> Self {
            Self { id: $id.into() }
        }
    )* };
}
pub(super) use managed;

impl CachePolicy {
    managed! {
        /// For web apps of Amplify.
        amplify = "2e54312d-136d-493c-8eb9-b001f22f67d2";
        /// Nothing but the path tells answers apart; compressed. What holds if nothing is said.
        caching_optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6";
        /// As [`CachePolicy::caching_optimized`], without compression.
        caching_optimized_for_uncompressed_objects = "b2884449-e4de-46a7-ac36-70bc7f1ddd6d";
        /// For what is made anew each time.
        caching_disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";
        elemental_media_package = "08627262-05a9-4f76-9ded-b50ca2e3a84f";
        /// As the origin's `Cache-Control` says, by path, cookies and some headers.
        use_origin_cache_control_headers = "83da9c7e-98b4-4e11-a168-04f0df8e2c65";
        /// As before, by query strings too.
        use_origin_cache_control_headers_query_strings = "4cc15a8a-d715-48a4-82b8-cc0b614638fe";
    }

    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> CachePolicyBuilder {
        CachePolicyBuilder {
            site: Site::new(scope, id),
            name: None,
            comment: None,
            min_ttl: seconds(0),
            default_ttl: days(1),
            max_ttl: days(365),
            cookies: Forwarded::None,
            headers: CacheHeaders::None,
            query_strings: Forwarded::None,
            gzip: false,
            brotli: false,
        }
    }

    /// A policy that exists already.
    pub fn from_id(policy_id: impl IntoValue<id::cloudfront::CachePolicyId>) -> Self {
        Self {
            id: policy_id.into_value().into_expr(),
        }
    }

    pub fn cache_policy_id(&self) -> Value<id::cloudfront::CachePolicyId> {
        Value::from_expr(self.id.clone())
    }
}

#[must_use = "nothing is made until `build`"]
pub struct CachePolicyBuilder {
    site: Site,
    name: Option<Expr>,
    comment: Option<String>,
    min_ttl: Duration,
    default_ttl: Duration,
    max_ttl: Duration,
    cookies: Forwarded,
    headers: CacheHeaders,
    query_strings: Forwarded,
    gzip: bool,
    brotli: bool,
}

impl CachePolicyBuilder {
    /// Letters, digits, `-` and `_`; path and region if nothing is said.
    pub fn cache_policy_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// Answers are kept so long at least, whatever the origin says; not at all if nothing is said.
    pub fn min_ttl(mut self, ttl: Duration) -> Self {
        self.min_ttl = ttl;
        self
    }

    /// Where the origin says nothing; a day if nothing is said.
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.default_ttl = ttl;
        self
    }

    /// Answers are kept so long at most, whatever the origin says; a year if nothing is said.
    pub fn max_ttl(mut self, ttl: Duration) -> Self {
        self.max_ttl = ttl;
        self
    }

    pub fn cookies(mut self, cookies: Forwarded) -> Self {
        self.cookies = cookies;
        self
    }

    pub fn headers(mut self, headers: CacheHeaders) -> Self {
        self.headers = headers;
        self
    }

    pub fn query_strings(mut self, query_strings: Forwarded) -> Self {
        self.query_strings = query_strings;
        self
    }

    /// Answers are kept compressed for those who take it.
    pub fn accept_encoding_gzip(mut self) -> Self {
        self.gzip = true;
        self
    }

    pub fn accept_encoding_brotli(mut self) -> Self {
        self.brotli = true;
        self
    }

    pub fn build(self) -> CachePolicy {
        let construct = self.site.clone().make("cloudfront.CachePolicy");
        if self.comment.as_ref().is_some_and(|comment| comment.len() > MAX_TEXT) {
            construct.report("the comment of a policy has at most 128 characters");
        }
        let name = self.name.clone().unwrap_or_else(|| {
            let path: String = construct.unique_id().chars().take(MAX_PATH_IN_NAME).collect();
            let region = Stack::of(&construct).region().into_expr();
            Expr::concat([format!("{path}-").into(), region])
        });
        check_name(&construct, &name);
        let default_ttl = self.default_ttl.max(self.min_ttl);
        let max_ttl = self.max_ttl.max(default_ttl);
        let config = cache_policy::CachePolicyConfig::new()
            .name(name.cast::<String>())
            .min_ttl(whole_seconds(self.min_ttl))
            .default_ttl(whole_seconds(default_ttl))
            .max_ttl(whole_seconds(max_ttl))
            .parameters_in_cache_key_and_forwarded_to_origin(self.key(&construct))
            .when_some(self.comment.clone(), |config, comment| config.comment(comment));
        let properties = cfn::cloudfront::CachePolicy::new().cache_policy_config(config);
        let resource = CfnResource::new(&construct, "Resource", properties);
        CachePolicy {
            id: resource.reference().into_expr(),
        }
    }

    fn key(&self, construct: &Construct) -> Value<cache_policy::ParametersInCacheKeyAndForwardedToOrigin> {
        let (behavior, names) = self.cookies.parts(construct);
        let cookies = cache_policy::CookiesConfig::new()
            .cookie_behavior(behavior)
            .when_some(names, |config, names| config.cookies(names));
        let (behavior, names) = match &self.headers {
            CacheHeaders::None => ("none", None),
            CacheHeaders::Only(names) => {
                if names.is_empty() {
                    construct.report("a list of headers names one at least; say `None`");
                }
                ("whitelist", Some(names))
            }
        };
        let headers = cache_policy::HeadersConfig::new()
            .header_behavior(behavior)
            .when_some(names, |config, names| config.headers(names));
        let (behavior, names) = self.query_strings.parts(construct);
        let query_strings = cache_policy::QueryStringsConfig::new()
            .query_string_behavior(behavior)
            .when_some(names, |config, names| config.query_strings(names));
        cache_policy::ParametersInCacheKeyAndForwardedToOrigin::new()
            .cookies_config(cookies)
            .headers_config(headers)
            .query_strings_config(query_strings)
            .enable_accept_encoding_gzip(self.gzip)
            .enable_accept_encoding_brotli(self.brotli)
            .into_value()
    }
}

/// What names of policies hold.
pub(super) fn check_name(construct: &Construct, name: &Expr) {
    let Some(name) = name.as_text() else { return };
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > MAX_TEXT || !name.chars().all(valid) {
        construct.report(format!(
            "`{name}` is no name of a policy: letters, digits, `-` and `_`, at most 128"
        ));
    }
}
