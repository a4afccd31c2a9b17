//! Response headers policies: what CloudFront adds to answers, and what it takes away.

use std::time::Duration;

use cfn::cloudfront::response_headers_policy as policy;
use cfn::{Builder, Expr, IntoValue, Value, id};

use super::cache_policy::managed;
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

const MAX_NAME: usize = 128;
/// Headers that stay as they are.
const READ_ONLY: [&str; 5] = [
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "warning",
    "via",
];
const METHODS: [&str; 8] = ["GET", "DELETE", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "ALL"];

/// Who may show a page in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameOption {
    Deny,
    SameOrigin,
}

/// What pages that are linked learn of where the reader comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferrerPolicy {
    NoReferrer,
    NoReferrerWhenDowngrade,
    Origin,
    OriginWhenCrossOrigin,
    SameOrigin,
    StrictOrigin,
    StrictOriginWhenCrossOrigin,
    UnsafeUrl,
}

impl ReferrerPolicy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::NoReferrer => "no-referrer",
            Self::NoReferrerWhenDowngrade => "no-referrer-when-downgrade",
            Self::Origin => "origin",
            Self::OriginWhenCrossOrigin => "origin-when-cross-origin",
            Self::SameOrigin => "same-origin",
            Self::StrictOrigin => "strict-origin",
            Self::StrictOriginWhenCrossOrigin => "strict-origin-when-cross-origin",
            Self::UnsafeUrl => "unsafe-url",
        }
    }
}

/// Which pages of other sites may read answers.
#[derive(Clone, Debug)]
pub struct CorsBehavior {
    origins: Vec<String>,
    methods: Vec<String>,
    headers: Vec<String>,
    exposed_headers: Vec<String>,
    credentials: bool,
    max_age: Option<Duration>,
    overrides_origin: bool,
}

impl CorsBehavior {
    /// Instead of what the origin says: these sites by these methods (`GET`, …, or `ALL` alone), with these headers.
    pub fn new(
        origins: impl IntoIterator<Item = impl Into<String>>,
        methods: impl IntoIterator<Item = impl Into<String>>,
        headers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            origins: origins.into_iter().map(Into::into).collect(),
            methods: methods.into_iter().map(Into::into).collect(),
            headers: headers.into_iter().map(Into::into).collect(),
            exposed_headers: Vec::new(),
            credentials: false,
            max_age: None,
            overrides_origin: true,
        }
    }

    #[must_use]
    pub fn exposed_headers(mut self, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.exposed_headers.extend(headers.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn allow_credentials(mut self) -> Self {
        self.credentials = true;
        self
    }

    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Only where the origin says nothing.
    #[must_use]
    pub fn unless_origin_says(mut self) -> Self {
        self.overrides_origin = false;
        self
    }

    fn render(&self, construct: &Construct) -> Value<policy::CorsConfig> {
        if self.methods.iter().any(|method| method == "ALL") && self.methods.len() > 1 {
            construct.report("`ALL` stands for all methods and is not combined with others");
        }
        if let Some(method) = self.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            construct.report(format!("`{method}` is no method that other sites can be let call"));
        }
        if self.credentials && self.headers.iter().any(|header| header.contains('*')) {
            construct.report("with credentials, headers are named without `*`");
        }
        policy::CorsConfig::new()
            .access_control_allow_credentials(self.credentials)
            .access_control_allow_headers(policy::AccessControlAllowHeaders::new().items(&self.headers))
            .access_control_allow_methods(policy::AccessControlAllowMethods::new().items(&self.methods))
            .access_control_allow_origins(policy::AccessControlAllowOrigins::new().items(&self.origins))
            .origin_override(self.overrides_origin)
            .when_some(self.max_age.map(whole_seconds), |config, age| {
                config.access_control_max_age_sec(age)
            })
            .when_some(
                (!self.exposed_headers.is_empty()).then_some(&self.exposed_headers),
                |config, headers| {
                    config.access_control_expose_headers(policy::AccessControlExposeHeaders::new().items(headers))
                },
            )
            .into_value()
    }
}

/// Browsers come by HTTPS only.
#[derive(Clone, Copy, Debug)]
pub struct StrictTransportSecurity {
    max_age: Duration,
    include_subdomains: Option<bool>,
    preload: Option<bool>,
    overrides_origin: bool,
}

impl StrictTransportSecurity {
    /// For so long, whatever the origin says.
    pub const fn new(max_age: Duration) -> Self {
        Self {
            max_age,
            include_subdomains: None,
            preload: None,
            overrides_origin: true,
        }
    }

    #[must_use]
    pub const fn include_subdomains(mut self, on: bool) -> Self {
        self.include_subdomains = Some(on);
        self
    }

    /// Browsers may know it before they come for the first time.
    #[must_use]
    pub const fn preload(mut self, on: bool) -> Self {
        self.preload = Some(on);
        self
    }

    /// Only where the origin says nothing.
    #[must_use]
    pub const fn unless_origin_says(mut self) -> Self {
        self.overrides_origin = false;
        self
    }
}

/// What old browsers do about scripts that were smuggled in.
#[derive(Clone, Debug)]
pub struct XssProtection {
    on: bool,
    mode_block: Option<bool>,
    report_uri: Option<String>,
    overrides_origin: bool,
}

impl XssProtection {
    /// Whatever the origin says.
    pub const fn new(on: bool) -> Self {
        Self {
            on,
            mode_block: None,
            report_uri: None,
            overrides_origin: true,
        }
    }

    /// The page is not shown at all.
    #[must_use]
    pub const fn mode_block(mut self, on: bool) -> Self {
        self.mode_block = Some(on);
        self
    }

    #[must_use]
    pub fn report_uri(mut self, uri: impl Into<String>) -> Self {
        self.report_uri = Some(uri.into());
        self
    }

    /// Only where the origin says nothing.
    #[must_use]
    pub const fn unless_origin_says(mut self) -> Self {
        self.overrides_origin = false;
        self
    }
}

/// A policy of this app, of AWS, or one that exists already.
#[derive(Clone, Debug)]
pub struct ResponseHeadersPolicy {
    id: Expr,
}

impl ResponseHeadersPolicy {
    managed! {
        cors_allow_all_origins = "60669652-455b-4ae9-85a4-c4c02393f86c";
        cors_allow_all_origins_with_preflight = "5cc3b908-e619-4b99-88e5-2cf7f45965bd";
        security_headers = "67f7725c-6f97-4210-82d7-5512b31e9d03";
        cors_allow_all_origins_and_security_headers = "e61eb60c-9c35-4d20-a928-2b84e02af89c";
        cors_allow_all_origins_with_preflight_and_security_headers = "eaab4381-ed33-4a86-88ca-d9558dc6cd63";
    }

    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> ResponseHeadersPolicyBuilder {
        ResponseHeadersPolicyBuilder {
            site: Site::new(scope, id),
            name: None,
            comment: None,
            cors: None,
            custom: Vec::new(),
            removed: Vec::new(),
            server_timing: None,
            security: None,
        }
    }

    /// A policy that exists already.
    pub fn from_id(policy_id: impl IntoValue<id::cloudfront::ResponseHeadersPolicyId>) -> Self {
        Self {
            id: policy_id.into_value().into_expr(),
        }
    }

    pub fn response_headers_policy_id(&self) -> Value<id::cloudfront::ResponseHeadersPolicyId> {
        Value::from_expr(self.id.clone())
    }
}

#[must_use = "nothing is made until `build`"]
pub struct ResponseHeadersPolicyBuilder {
    site: Site,
    name: Option<Expr>,
    comment: Option<String>,
    cors: Option<CorsBehavior>,
    custom: Vec<(String, Expr, bool)>,
    removed: Vec<String>,
    server_timing: Option<f64>,
    security: Option<policy::SecurityHeadersConfig>,
}

impl ResponseHeadersPolicyBuilder {
    pub fn response_headers_policy_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    pub fn cors(mut self, cors: CorsBehavior) -> Self {
        self.cors = Some(cors);
        self
    }

    /// A header that is added; with `overrides` also where the origin sends it.
    pub fn custom_header(mut self, name: impl Into<String>, value: impl IntoValue<String>, overrides: bool) -> Self {
        self.custom
            .push((name.into(), value.into_value().into_expr(), overrides));
        self
    }

    /// A header of the origin that nobody sees.
    pub fn remove_header(mut self, name: impl Into<String>) -> Self {
        self.removed.push(name.into());
        self
    }

    /// Tells in `Server-Timing` what CloudFront did, in this percentage of answers: 0 to 100, four decimals.
    pub fn server_timing_sampling_rate(mut self, percent: f64) -> Self {
        self.server_timing = Some(percent);
        self
    }

    fn security(mut self, change: impl FnOnce(policy::SecurityHeadersConfig) -> policy::SecurityHeadersConfig) -> Self {
        let config = self.security.take();
        self.security = Some(change(config.unwrap_or_else(policy::SecurityHeadersConfig::new)));
        self
    }

    /// `default-src 'self'`; with `overrides` also where the origin sends one.
    pub fn content_security_policy(self, text: impl IntoValue<String>, overrides: bool) -> Self {
        let header = policy::ContentSecurityPolicy::new()
            .content_security_policy(text)
            .override_(overrides);
        self.security(|config| config.content_security_policy(header))
    }

    /// Browsers do not guess what kind of content it is.
    pub fn content_type_options(self, overrides: bool) -> Self {
        let header = policy::ContentTypeOptions::new().override_(overrides);
        self.security(|config| config.content_type_options(header))
    }

    pub fn frame_options(self, option: FrameOption, overrides: bool) -> Self {
        let option = match option {
            FrameOption::Deny => "DENY",
            FrameOption::SameOrigin => "SAMEORIGIN",
        };
        let header = policy::FrameOptions::new().frame_option(option).override_(overrides);
        self.security(|config| config.frame_options(header))
    }

    pub fn referrer_policy(self, referrer: ReferrerPolicy, overrides: bool) -> Self {
        let header = policy::ReferrerPolicy::new()
            .referrer_policy(referrer.as_str())
            .override_(overrides);
        self.security(|config| config.referrer_policy(header))
    }

    pub fn strict_transport_security(self, security: StrictTransportSecurity) -> Self {
        let header = policy::StrictTransportSecurity::new()
            .access_control_max_age_sec(whole_seconds(security.max_age))
            .override_(security.overrides_origin)
            .when_some(security.include_subdomains, |header, on| header.include_subdomains(on))
            .when_some(security.preload, |header, on| header.preload(on));
        self.security(|config| config.strict_transport_security(header))
    }

    pub fn xss_protection(self, protection: XssProtection) -> Self {
        let header = policy::XSSProtection::new()
            .protection(protection.on)
            .override_(protection.overrides_origin)
            .when_some(protection.mode_block, |header, on| header.mode_block(on))
            .when_some(protection.report_uri, |header, uri| header.report_uri(uri));
        self.security(|config| config.xss_protection(header))
    }

    pub fn build(self) -> ResponseHeadersPolicy {
        let construct = self.site.make("cloudfront.ResponseHeadersPolicy");
        let name = self
            .name
            .unwrap_or_else(|| Expr::text(construct.unique_resource_name(MAX_NAME)));
        let mut config = policy::ResponseHeadersPolicyConfig::new()
            .name(name.cast::<String>())
            .when_some(self.comment, |config, comment| config.comment(comment))
            .when_some(self.security, |config, security| {
                config.security_headers_config(security)
            })
            .when_some(self.cors, |config, cors| config.cors_config(cors.render(&construct)));
        if !self.custom.is_empty() {
            let headers = self.custom.into_iter().map(|(name, value, overrides)| {
                policy::CustomHeader::new()
                    .header(name)
                    .value(value.cast::<String>())
                    .override_(overrides)
            });
            config =
                config.custom_headers_config(policy::CustomHeadersConfig::new().items(headers.collect::<Vec<_>>()));
        }
        if !self.removed.is_empty() {
            for name in &self.removed {
                if READ_ONLY.contains(&name.to_lowercase().as_str()) {
                    construct.report(format!("the header `{name}` cannot be taken away"));
                }
            }
            let headers = self.removed.iter().map(|name| policy::RemoveHeader::new().header(name));
            config =
                config.remove_headers_config(policy::RemoveHeadersConfig::new().items(headers.collect::<Vec<_>>()));
        }
        // A rate of 0 is the CDK's way to say nothing.
        if let Some(percent) = self.server_timing.filter(|percent| *percent != 0.0) {
            let has_four_decimals = (percent * 1e4).fract().abs() < 1e-6;
            if !(0.0..=100.0).contains(&percent) || !has_four_decimals {
                construct.report("a sampling rate lies between 0 and 100 and has four decimals at most");
            }
            let timing = policy::ServerTimingHeadersConfig::new().enabled(true);
            let timing = if percent.fract() == 0.0 {
                #[expect(clippy::cast_possible_truncation, reason = "a whole number up to 100")]
                let whole = percent as i64;
                timing.sampling_rate(whole)
            } else {
                timing.sampling_rate(percent)
            };
            config = config.server_timing_headers_config(timing);
        }
        let properties = cfn::cloudfront::ResponseHeadersPolicy::new().response_headers_policy_config(config);
        let resource = CfnResource::new(&construct, "Resource", properties);
        ResponseHeadersPolicy {
            id: resource.reference().into_expr(),
        }
    }
}
