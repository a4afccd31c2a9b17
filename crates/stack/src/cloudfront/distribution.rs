//! Distributions: a domain at the edge, with origins behind it.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::cloudfront::distribution;
use cfn::{Builder, Expr, IntoValue, Map, Value, id};

use super::behavior::BehaviorOptions;
use super::origin::{Kind, Origin, OriginGroup, Single};
use super::origin_bind::Place;
use super::settings::{ErrorResponse, GeoRestriction, HttpVersion, PriceClass, SecurityPolicyProtocol, SslMethod};
use crate::certificatemanager::Certificate;
use crate::cloudwatch::Metric;
use crate::element::CfnResource;
use crate::iam::{Grant, Grantee};
use crate::logical_id;
use crate::s3::{Bucket, BucketEncryption, ObjectOwnership};
use crate::site::Site;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};

/// Where certificates and web ACLs of distributions are.
const HOME_REGION: &str = "us-east-1";
const MAX_ORIGIN_ID: usize = 128;
const MAX_COMMENT: usize = 128;
/// How much of a longer comment stays, before three dots.
const KEPT_COMMENT: usize = 125;

/// A distribution of this app, or one that exists already.
#[derive(Clone)]
pub struct Distribution {
    construct: Construct,
    id: Expr,
    domain_name: Expr,
    own: Option<Own>,
}

/// What a distribution of this app is made of.
#[derive(Clone)]
struct Own {
    resource: CfnResource<cfn::cloudfront::Distribution>,
    http_version: HttpVersion,
    additional_metrics: bool,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    config: Map,
    origins: Vec<Bound>,
    groups: Vec<Expr>,
    behaviors: Vec<Expr>,
}

/// An origin that has its place.
struct Bound {
    origin: Origin,
    origin_id: String,
    group_id: Option<String>,
    rendered: Expr,
}

impl Scope for Distribution {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct DistributionBuilder {
    site: Site,
    origin: Origin,
    behavior: BehaviorOptions,
    behaviors: Vec<(String, Origin, BehaviorOptions)>,
    enabled: bool,
    ipv6: bool,
    http_version: HttpVersion,
    price_class: Option<PriceClass>,
    comment: Option<String>,
    default_root_object: Option<String>,
    domain_names: Vec<Expr>,
    certificate: Option<Certificate>,
    minimum_protocol: Option<SecurityPolicyProtocol>,
    ssl_method: Option<SslMethod>,
    errors: Vec<ErrorResponse>,
    restriction: Option<GeoRestriction>,
    logs: bool,
    log_bucket: Option<Bucket>,
    log_prefix: Option<String>,
    log_cookies: Option<bool>,
    web_acl: Option<Expr>,
    additional_metrics: bool,
}

impl DistributionBuilder {
    /// What is done with requests that no other behavior is about.
    pub fn default_behavior(mut self, options: BehaviorOptions) -> Self {
        self.behavior = options;
        self
    }

    /// Requests for these paths (`/api/*`) go to another origin, or are treated in another way. The first that fits
    /// counts.
    pub fn behavior(
        mut self,
        path_pattern: impl Into<String>,
        origin: impl Into<Origin>,
        options: BehaviorOptions,
    ) -> Self {
        self.behaviors.push((path_pattern.into(), origin.into(), options));
        self
    }

    /// Whether it answers; it does if nothing is said.
    pub fn enabled(mut self, on: bool) -> Self {
        self.enabled = on;
        self
    }

    /// Whether it has IPv6 addresses; it does if nothing is said.
    pub fn enable_ipv6(mut self, on: bool) -> Self {
        self.ipv6 = on;
        self
    }

    /// HTTP/2 if nothing is said.
    pub fn http_version(mut self, version: HttpVersion) -> Self {
        self.http_version = version;
        self
    }

    pub fn price_class(mut self, class: PriceClass) -> Self {
        self.price_class = Some(class);
        self
    }

    /// What is longer than 128 characters is cut.
    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// What `/` means: `index.html`.
    pub fn default_root_object(mut self, object: impl Into<String>) -> Self {
        self.default_root_object = Some(object.into());
        self
    }

    /// Names of one's own, that the certificate, of us-east-1, is about.
    pub fn domain_names(
        mut self,
        names: impl IntoIterator<Item = impl IntoValue<String>>,
        certificate: &Certificate,
    ) -> Self {
        let names = names.into_iter().map(|name| name.into_value().into_expr());
        self.domain_names.extend(names);
        self.certificate = Some(certificate.clone());
        self
    }

    /// TLS 1.2 as of 2019 if nothing is said. Counts with names of one's own.
    pub fn minimum_protocol_version(mut self, policy: SecurityPolicyProtocol) -> Self {
        self.minimum_protocol = Some(policy);
        self
    }

    /// By name if nothing is said. Counts with names of one's own.
    pub fn ssl_support_method(mut self, method: SslMethod) -> Self {
        self.ssl_method = Some(method);
        self
    }

    pub fn error_response(mut self, response: ErrorResponse) -> Self {
        self.errors.push(response);
        self
    }

    pub fn geo_restriction(mut self, restriction: GeoRestriction) -> Self {
        self.restriction = Some(restriction);
        self
    }

    /// Requests are logged, into a bucket of the distribution's own if none is given.
    pub fn enable_logging(mut self) -> Self {
        self.logs = true;
        self
    }

    /// Requests are logged into this bucket, which takes access lists.
    pub fn log_bucket(mut self, bucket: &Bucket) -> Self {
        self.log_bucket = Some(bucket.clone());
        self
    }

    pub fn log_file_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.log_prefix = Some(prefix.into());
        self
    }

    pub fn log_includes_cookies(mut self, on: bool) -> Self {
        self.log_cookies = Some(on);
        self
    }

    /// The ARN of a web ACL of us-east-1, or the id of one of WAF Classic.
    pub fn web_acl_id(mut self, acl: impl IntoValue<String>) -> Self {
        self.web_acl = Some(acl.into_value().into_expr());
        self
    }

    /// Metrics of the cache, the origins and each error, at a price.
    pub fn publish_additional_metrics(mut self) -> Self {
        self.additional_metrics = true;
        self
    }

    pub fn build(self) -> Distribution {
        let construct = self.site.clone().make("cloudfront.Distribution");
        let config = self.config(&construct);
        // Origins refer to the distribution, so its resource comes first and learns of them later.
        let empty: Value<distribution::DistributionConfig> = Value::from_expr(Expr::map::<&str, Expr>([]));
        let properties = cfn::cloudfront::Distribution::new().distribution_config(empty);
        let resource = CfnResource::new(&construct, "Resource", properties);
        let own = Own {
            resource: resource.clone(),
            http_version: self.http_version,
            additional_metrics: self.additional_metrics,
            state: Rc::default(),
        };
        own.state.borrow_mut().config = config;
        let made = Distribution {
            construct,
            id: resource.reference().into_expr(),
            domain_name: resource.domain_name().into_expr(),
            own: Some(own.clone()),
        };
        made.check_grpc(&own, &self.behavior);
        let origin_id = made.add_origin(&own, &self.origin, false);
        self.behavior.prepare(&made.construct);
        let behavior = self.behavior.render(None, &origin_id);
        own.state.borrow_mut().config.insert("DefaultCacheBehavior", behavior);
        for (path, origin, options) in self.behaviors {
            made.add_behavior(&path, origin, options);
        }
        own.write();
        if let Some(acl) = self.web_acl {
            made.attach_web_acl(acl.cast::<String>());
        }
        if self.additional_metrics {
            let status = cfn::cloudfront::monitoring_subscription::RealtimeMetricsSubscriptionConfig::new()
                .realtime_metrics_subscription_status("Enabled");
            let subscription = cfn::cloudfront::monitoring_subscription::MonitoringSubscription::new()
                .realtime_metrics_subscription_config(status);
            let properties = cfn::cloudfront::MonitoringSubscription::new()
                .distribution_id(made.distribution_id())
                .monitoring_subscription(subscription);
            CfnResource::new(&made.construct, "MonitoringSubscription", properties);
        }
        made
    }

    /// What does not depend on origins and behaviors.
    fn config(&self, construct: &Construct) -> Map {
        let errors: Vec<_> = self.errors.iter().map(|response| response.render(construct)).collect();
        let names = (!self.domain_names.is_empty()).then(|| Expr::List(self.domain_names.clone()));
        let comment = self.comment.as_ref().map(|comment| {
            if comment.chars().count() <= MAX_COMMENT {
                return comment.clone();
            }
            comment.chars().take(KEPT_COMMENT).chain("...".chars()).collect()
        });
        let config = distribution::DistributionConfig::new()
            .enabled(self.enabled)
            .default_cache_behavior(Value::<distribution::DefaultCacheBehavior>::from_expr(Expr::Null))
            .http_version(self.http_version.as_str())
            .ipv6_enabled(self.ipv6)
            .when_some(names, |config, names| config.aliases(names.cast::<cfn::List<String>>()))
            .when_some(comment, |config, comment| config.comment(comment))
            .when_some((!errors.is_empty()).then_some(errors), |config, errors| {
                config.custom_error_responses(errors)
            })
            .when_some(self.default_root_object.as_ref(), |config, object| {
                config.default_root_object(object)
            })
            .when_some(self.logging(construct), |config, logging| config.logging(logging))
            .when_some(self.price_class, |config, class| config.price_class(class.as_str()))
            .when_some(self.restriction.as_ref(), |config, restriction| {
                config.restrictions(restriction.render(construct))
            })
            .when_some(self.viewer_certificate(construct), |config, certificate| {
                config.viewer_certificate(certificate)
            });
        let config: Value<distribution::DistributionConfig> = config.into_value();
        match config.into_expr() {
            Expr::Map(map) => map,
            _ => Map::new(),
        }
    }

    fn logging(&self, construct: &Construct) -> Option<distribution::Logging> {
        if !self.logs && self.log_bucket.is_none() {
            return None;
        }
        let bucket = self.log_bucket.clone().unwrap_or_else(|| {
            Bucket::new(construct, "LoggingBucket")
                .encryption(BucketEncryption::S3Managed)
                .object_ownership(ObjectOwnership::ObjectWriter)
                .build()
        });
        Some(
            distribution::Logging::new()
                .bucket(bucket.bucket_regional_domain_name())
                .when_some(self.log_cookies, |logging, on| logging.include_cookies(on))
                .when_some(self.log_prefix.as_ref(), |logging, prefix| logging.prefix(prefix)),
        )
    }

    fn viewer_certificate(&self, construct: &Construct) -> Option<distribution::ViewerCertificate> {
        let Some(certificate) = &self.certificate else {
            if self.minimum_protocol.is_some() || self.ssl_method.is_some() {
                construct.warn("without names of one's own and a certificate, CloudFront chooses the TLS");
            }
            return None;
        };
        if let Some(region) = certificate.known_region()
            && region != HOME_REGION
        {
            construct.report(format!(
                "the certificate of a distribution is of us-east-1, not of {region}"
            ));
        }
        let policy = self.minimum_protocol.unwrap_or(SecurityPolicyProtocol::TlsV1_2Of2019);
        let method = self.ssl_method.unwrap_or(SslMethod::Sni);
        Some(
            distribution::ViewerCertificate::new()
                .acm_certificate_arn(certificate.certificate_arn())
                .minimum_protocol_version(policy.as_str())
                .ssl_support_method(method.as_str()),
        )
    }
}

impl Own {
    /// Puts what is known into the resource.
    fn write(&self) {
        let state = self.state.borrow();
        let mut config = state.config.clone();
        let origins = state.origins.iter().map(|bound| bound.rendered.clone());
        config.insert("Origins", Expr::List(origins.collect()));
        if !state.groups.is_empty() {
            let quantity = i64::try_from(state.groups.len()).unwrap_or(i64::MAX);
            let items = Expr::List(state.groups.clone());
            config.insert(
                "OriginGroups",
                Expr::map([("Items", items), ("Quantity", quantity.into())]),
            );
        }
        if !state.behaviors.is_empty() {
            config.insert("CacheBehaviors", Expr::List(state.behaviors.clone()));
        }
        self.resource.set("DistributionConfig", Some(config.into()));
    }
}

impl Distribution {
    /// A distribution before one origin, until further behaviors are said.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, origin: impl Into<Origin>) -> DistributionBuilder {
        DistributionBuilder {
            site: Site::new(scope, id),
            origin: origin.into(),
            behavior: BehaviorOptions::new(),
            behaviors: Vec::new(),
            enabled: true,
            ipv6: true,
            http_version: HttpVersion::Http2,
            price_class: None,
            comment: None,
            default_root_object: None,
            domain_names: Vec::new(),
            certificate: None,
            minimum_protocol: None,
            ssl_method: None,
            errors: Vec::new(),
            restriction: None,
            logs: false,
            log_bucket: None,
            log_prefix: None,
            log_cookies: None,
            web_acl: None,
            additional_metrics: false,
        }
    }

    /// A distribution that exists already.
    #[track_caller]
    pub fn from_attributes(
        scope: &impl Scope,
        id: impl Into<String>,
        distribution_id: impl IntoValue<id::cloudfront::DistributionId>,
        domain_name: impl IntoValue<String>,
    ) -> Self {
        Self {
            construct: Site::new(scope, id).make("cloudfront.Distribution"),
            id: distribution_id.into_value().into_expr(),
            domain_name: domain_name.into_value().into_expr(),
            own: None,
        }
    }

    pub fn distribution_id(&self) -> Value<id::cloudfront::DistributionId> {
        Value::from_expr(self.id.clone())
    }

    /// `d111111abcdef8.cloudfront.net`.
    pub fn distribution_domain_name(&self) -> Value<String> {
        Value::from_expr(self.domain_name.clone())
    }

    pub fn distribution_arn(&self) -> Value<String> {
        let arn = Arn::new("cloudfront", "distribution").name(self.id.clone()).region("");
        Value::from_expr(Stack::of(self).format_arn(arn))
    }

    /// Of a distribution that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::cloudfront::Distribution> {
        let known = self.own.as_ref().map(|own| own.resource.clone());
        known.unwrap_or_else(|| CfnResource::elsewhere(&self.construct))
    }

    fn own(&self) -> Option<&Own> {
        if self.own.is_none() {
            self.construct
                .report("a distribution that exists already is changed where it is made");
        }
        self.own.as_ref()
    }

    /// Requests for these paths go to another origin, or are treated in another way.
    pub fn add_behavior(&self, path_pattern: &str, origin: impl Into<Origin>, options: BehaviorOptions) {
        let Some(own) = self.own() else { return };
        if path_pattern == "*" {
            self.construct.report("only the default behavior is about all paths");
        }
        self.check_grpc(own, &options);
        let origin_id = self.add_origin(own, &origin.into(), false);
        options.prepare(&self.construct);
        let behavior = options.render(Some(path_pattern), &origin_id);
        own.state.borrow_mut().behaviors.push(behavior);
        own.write();
    }

    /// As [`DistributionBuilder::web_acl_id`].
    pub fn attach_web_acl(&self, acl: impl IntoValue<String>) {
        let Some(own) = self.own() else { return };
        let acl = acl.into_value().into_expr();
        let region = acl.as_text().filter(|acl| acl.starts_with("arn:"));
        let region = region.and_then(|acl| acl.split(':').nth(3));
        if let Some(region) = region
            && region != HOME_REGION
        {
            self.construct.report(format!(
                "the web ACL of a distribution is of us-east-1, not of {region}"
            ));
        }
        if own.state.borrow_mut().config.insert("WebACLId", acl).is_some() {
            self.construct.report("a distribution has one web ACL");
        }
        own.write();
    }

    fn check_grpc(&self, own: &Own, options: &BehaviorOptions) {
        let fits = matches!(own.http_version, HttpVersion::Http2 | HttpVersion::Http2And3);
        if options.is_grpc() && !fits {
            self.construct.report("gRPC needs HTTP/2");
        }
    }

    /// Gives an origin its place, once, and answers with the id that behaviors name.
    fn add_origin(&self, own: &Own, origin: &Origin, is_fallback: bool) -> String {
        let known = {
            let state = own.state.borrow();
            let bound = state.origins.iter().find(|bound| bound.origin.is(origin));
            bound.map(|bound| bound.group_id.clone().unwrap_or_else(|| bound.origin_id.clone()))
        };
        if let Some(known) = known {
            return known;
        }
        match &*origin.0 {
            Kind::Single(single) => self.bind(own, origin, single, None),
            Kind::Group(group) => {
                if is_fallback {
                    self.construct.report("a group is no fallback of another group");
                }
                self.add_group(own, origin, group)
            }
        }
    }

    fn bind(&self, own: &Own, origin: &Origin, single: &Single, group_id: Option<String>) -> String {
        let index = own.state.borrow().origins.len() + 1;
        let scope = Construct::of_type(self, format!("Origin{index}"), "Construct");
        let generated = scope.unique_id();
        let place = Place {
            scope: &scope,
            generated_id: logical_id::last_characters(&generated, MAX_ORIGIN_ID),
            distribution_id: self.id.clone(),
        };
        let rendered = single.bind(&place);
        let origin_id = single.id(&place);
        let mut state = own.state.borrow_mut();
        if state.origins.iter().any(|bound| bound.origin_id == origin_id) {
            drop(state);
            self.construct
                .report(format!("the distribution has an origin `{origin_id}` already"));
            return origin_id;
        }
        state.origins.push(Bound {
            origin: origin.clone(),
            origin_id: origin_id.clone(),
            group_id,
            rendered,
        });
        origin_id
    }

    fn add_group(&self, own: &Own, origin: &Origin, group: &OriginGroup) -> String {
        let index = own.state.borrow().groups.len() + 1;
        let Kind::Single(primary) = &*group.primary.0 else {
            self.construct.report("a group is no primary of another group");
            return String::new();
        };
        if group.status_codes.is_empty() {
            self.construct
                .report("an origin group names the statuses after which the other origin is asked");
        }
        let scope = Construct::of_type(self, format!("OriginGroup{index}"), "Construct");
        let group_id = logical_id::last_characters(&scope.unique_id(), MAX_ORIGIN_ID).to_owned();
        let primary_id = self.bind(own, origin, primary, Some(group_id.clone()));
        let fallback_id = self.add_origin(own, &group.fallback, true);
        let codes: Vec<u32> = group.status_codes.iter().copied().map(u32::from).collect();
        let quantity = i64::try_from(codes.len()).unwrap_or(i64::MAX);
        let statuses = distribution::StatusCodes::new().items(codes).quantity(quantity);
        let member = |id: String| distribution::OriginGroupMember::new().origin_id(id);
        let members = distribution::OriginGroupMembers::new()
            .items([member(primary_id), member(fallback_id)])
            .quantity(2);
        let rendered: Value<distribution::OriginGroup> = distribution::OriginGroup::new()
            .id(&group_id)
            .failover_criteria(distribution::OriginGroupFailoverCriteria::new().status_codes(statuses))
            .members(members)
            .when_some(group.selection, |rendered, selection| {
                rendered.selection_criteria(selection.as_str())
            })
            .into_value();
        own.state.borrow_mut().groups.push(rendered.into_expr());
        group_id
    }

    /// Lets somebody throw away what is kept, before its time.
    pub fn grant_create_invalidation(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ["cloudfront:CreateInvalidation"]);
    }

    /// Actions on this distribution.
    pub fn grant(&self, grantee: impl Into<Grantee>, actions: impl IntoIterator<Item = impl Into<String>>) {
        let grant = Grant::new(actions, [self.distribution_arn()]);
        grant.to(&grantee.into(), |_| {
            self.construct
                .report("a distribution has no policy of its own; grant to a role");
        });
    }

    /// A metric of `AWS/CloudFront` about this distribution; they are all in us-east-1.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/CloudFront", name).dimension("DistributionId", self.distribution_id())
    }

    pub fn metric_requests(&self) -> Metric {
        self.metric("Requests").sum()
    }

    pub fn metric_bytes_uploaded(&self) -> Metric {
        self.metric("BytesUploaded").sum()
    }

    pub fn metric_bytes_downloaded(&self) -> Metric {
        self.metric("BytesDownloaded").sum()
    }

    /// Percent.
    pub fn metric_total_error_rate(&self) -> Metric {
        self.metric("TotalErrorRate")
    }

    pub fn metric_4xx_error_rate(&self) -> Metric {
        self.metric("4xxErrorRate")
    }

    pub fn metric_5xx_error_rate(&self) -> Metric {
        self.metric("5xxErrorRate")
    }

    /// Needs [`DistributionBuilder::publish_additional_metrics`].
    pub fn metric_origin_latency(&self) -> Metric {
        self.additional_metric("OriginLatency")
    }

    /// Needs [`DistributionBuilder::publish_additional_metrics`].
    pub fn metric_cache_hit_rate(&self) -> Metric {
        self.additional_metric("CacheHitRate")
    }

    fn additional_metric(&self, name: &str) -> Metric {
        if self.own.as_ref().is_some_and(|own| !own.additional_metrics) {
            self.construct
                .report(format!("the metric {name} needs `publish_additional_metrics`"));
        }
        self.metric(name)
    }
}
