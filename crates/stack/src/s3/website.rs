//! Buckets as web sites.

use cfn::s3::bucket;
use cfn::{Builder, Expr, IntoValue, Value};

use crate::tree::Construct;

/// A web site that leads elsewhere.
#[derive(Clone, Debug)]
pub struct WebsiteRedirect {
    host: Expr,
    protocol: Option<&'static str>,
}

impl WebsiteRedirect {
    /// To this host, by the protocol that the viewer has come by.
    pub fn to(host: impl IntoValue<String>) -> Self {
        Self {
            host: host.into_value().into_expr(),
            protocol: None,
        }
    }

    #[must_use]
    pub const fn https(mut self) -> Self {
        self.protocol = Some("https");
        self
    }

    #[must_use]
    pub const fn http(mut self) -> Self {
        self.protocol = Some("http");
        self
    }
}

/// Where some paths of a web site lead. Say at least one thing that is different there.
#[derive(Clone, Debug, Default)]
pub struct RoutingRule {
    error_code: Option<String>,
    key_prefix: Option<String>,
    host: Option<String>,
    status: Option<String>,
    protocol: Option<&'static str>,
    key: Option<String>,
    prefix: Option<String>,
}

impl RoutingRule {
    pub fn new() -> Self {
        Self::default()
    }

    /// Only where the answer would be this error: `404`.
    #[must_use]
    pub fn when_error(mut self, status: u16) -> Self {
        self.error_code = Some(status.to_string());
        self
    }

    /// Only of keys that begin so.
    #[must_use]
    pub fn when_key_begins_with(mut self, prefix: impl Into<String>) -> Self {
        self.key_prefix = Some(prefix.into());
        self
    }

    #[must_use]
    pub fn host_name(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// 301 if nothing is said.
    #[must_use]
    pub fn http_redirect_code(mut self, status: u16) -> Self {
        self.status = Some(status.to_string());
        self
    }

    #[must_use]
    pub fn https(mut self) -> Self {
        self.protocol = Some("https");
        self
    }

    #[must_use]
    pub fn http(mut self) -> Self {
        self.protocol = Some("http");
        self
    }

    #[must_use]
    pub fn replace_key_with(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// In place of what [`RoutingRule::when_key_begins_with`] says.
    #[must_use]
    pub fn replace_key_prefix_with(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    fn render(&self) -> Value<bucket::RoutingRule> {
        type Redirect = bucket::RedirectRule;
        type Condition = bucket::RoutingRuleCondition;
        let redirect = Redirect::new()
            .when_some(self.host.as_ref(), Redirect::host_name)
            .when_some(self.status.as_ref(), Redirect::http_redirect_code)
            .when_some(self.protocol, Redirect::protocol)
            .when_some(self.key.as_ref(), Redirect::replace_key_with)
            .when_some(self.prefix.as_ref(), Redirect::replace_key_prefix_with);
        let condition = Condition::new()
            .when_some(self.error_code.as_ref(), Condition::http_error_code_returned_equals)
            .when_some(self.key_prefix.as_ref(), Condition::key_prefix_equals);
        let has_condition = self.error_code.is_some() || self.key_prefix.is_some();
        bucket::RoutingRule::new()
            .redirect_rule(redirect)
            .when_some(has_condition.then_some(condition), |rule, condition| {
                rule.routing_rule_condition(condition)
            })
            .into_value()
    }
}

#[derive(Default)]
pub(super) struct Website {
    pub(super) index: Option<Expr>,
    pub(super) error: Option<String>,
    pub(super) redirect: Option<WebsiteRedirect>,
    pub(super) rules: Vec<RoutingRule>,
}

impl Website {
    pub(super) fn render(&self, construct: &Construct) -> Option<bucket::WebsiteConfiguration> {
        type Configuration = bucket::WebsiteConfiguration;
        if self.index.is_none() && self.redirect.is_none() && self.rules.is_empty() {
            return None;
        }
        if self.redirect.is_some() && (self.index.is_some() || !self.rules.is_empty()) {
            construct.report("a web site that leads elsewhere shows nothing of its own");
        }
        if self
            .rules
            .iter()
            .any(|rule| rule.key.is_some() && rule.prefix.is_some())
        {
            construct.report("a routing rule replaces the key or how it begins, not both");
        }
        let redirect = self.redirect.as_ref().map(|redirect| {
            bucket::RedirectAllRequestsTo::new()
                .host_name(redirect.host.clone().cast::<String>())
                .when_some(redirect.protocol, |to, protocol| to.protocol(protocol))
        });
        let rules: Vec<_> = self.rules.iter().map(RoutingRule::render).collect();
        Some(
            Configuration::new()
                .when_some(self.index.clone(), |site, index| {
                    site.index_document(index.cast::<String>())
                })
                .when_some(self.error.as_ref(), Configuration::error_document)
                .when_some(redirect, |site, redirect| site.redirect_all_requests_to(redirect))
                .when_some((!rules.is_empty()).then_some(rules), |site, rules| {
                    site.routing_rules(rules)
                }),
        )
    }
}
