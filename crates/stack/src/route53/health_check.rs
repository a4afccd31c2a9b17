//! Checks from outside whether something works.

use std::time::Duration;

use cfn::route53::health_check;
use cfn::{Builder, Expr, IntoValue, Value, id};

use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};
use crate::units::{seconds, whole_seconds};

const DEFAULT_FAILURE_THRESHOLD: u8 = 3;
const DEFAULT_INTERVAL: Duration = seconds(30);

/// What is checked.
#[derive(Clone)]
pub enum HealthCheckType {
    /// A request is answered with a status of 2xx or 3xx.
    Http,
    Https,
    /// And the answer holds this text.
    HttpContains(String),
    HttpsContains(String),
    /// A connection to this port comes to be.
    Tcp(u16),
    /// An alarm does not go off.
    Alarm {
        name: Value<String>,
        region: Value<String>,
    },
    /// So many other checks are well as [`HealthCheckBuilder::health_threshold`] says; all if nothing is said.
    Calculated(Vec<HealthCheck>),
    /// A routing control is on.
    RecoveryControl(Value<id::route53recoverycontrol::RoutingControlArn>),
}

impl HealthCheckType {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::HttpContains(_) => "HTTP_STR_MATCH",
            Self::HttpsContains(_) => "HTTPS_STR_MATCH",
            Self::Tcp(_) => "TCP",
            Self::Alarm { .. } => "CLOUDWATCH_METRIC",
            Self::Calculated(_) => "CALCULATED",
            Self::RecoveryControl(_) => "RECOVERY_CONTROL",
        }
    }

    const fn default_port(&self) -> Option<u16> {
        match self {
            Self::Http | Self::HttpContains(_) => Some(80),
            Self::Https | Self::HttpsContains(_) => Some(443),
            Self::Tcp(port) => Some(*port),
            _ => None,
        }
    }

    const fn is_web(&self) -> bool {
        !matches!(self, Self::Tcp(_)) && self.default_port().is_some()
    }

    const fn is_tls(&self) -> bool {
        matches!(self, Self::Https | Self::HttpsContains(_))
    }
}

/// What an alarm without data means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsufficientData {
    Healthy,
    Unhealthy,
    LastKnownStatus,
}

#[derive(Clone)]
pub struct HealthCheck {
    construct: Construct,
    id: Expr,
    resource: Option<CfnResource<cfn::route53::HealthCheck>>,
}

impl Scope for HealthCheck {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct HealthCheckBuilder {
    site: Site,
    kind: HealthCheckType,
    domain_name: Option<Expr>,
    ip_address: Option<Expr>,
    port: Option<u16>,
    resource_path: Option<String>,
    failure_threshold: Option<u8>,
    request_interval: Option<Duration>,
    health_threshold: Option<u16>,
    insufficient_data: Option<InsufficientData>,
    inverted: bool,
    measure_latency: Option<bool>,
    enable_sni: Option<bool>,
    regions: Vec<String>,
}

impl HealthCheckBuilder {
    /// What is asked, unless there is an address; then what `Host` says.
    pub fn fqdn(mut self, name: impl IntoValue<String>) -> Self {
        self.domain_name = Some(name.into_value().into_expr());
        self
    }

    pub fn ip_address(mut self, address: impl IntoValue<String>) -> Self {
        self.ip_address = Some(address.into_value().into_expr());
        self
    }

    /// 80 or 443 if nothing is said.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    pub fn resource_path(mut self, path: impl Into<String>) -> Self {
        self.resource_path = Some(path.into());
        self
    }

    /// After how many failures in a row something is broken, or well again: 1 to 10, 3 if nothing is said.
    pub fn failure_threshold(mut self, count: u8) -> Self {
        self.failure_threshold = Some(count);
        self
    }

    /// 10 to 30 seconds, 30 if nothing is said.
    pub fn request_interval(mut self, interval: Duration) -> Self {
        self.request_interval = Some(interval);
        self
    }

    /// How many of the checks of [`HealthCheckType::Calculated`] are well at least.
    pub fn health_threshold(mut self, count: u16) -> Self {
        self.health_threshold = Some(count);
        self
    }

    /// What [`HealthCheckType::Alarm`] says without data: the last that was known if nothing is said.
    pub fn insufficient_data(mut self, means: InsufficientData) -> Self {
        self.insufficient_data = Some(means);
        self
    }

    /// Well is broken and broken is well.
    pub fn inverted(mut self) -> Self {
        self.inverted = true;
        self
    }

    pub fn measure_latency(mut self, on: bool) -> Self {
        self.measure_latency = Some(on);
        self
    }

    /// Whether the name is sent when TLS begins; it is if nothing is said.
    pub fn enable_sni(mut self, on: bool) -> Self {
        self.enable_sni = Some(on);
        self
    }

    /// Where checkers stand, at least three.
    pub fn regions(mut self, regions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.regions.extend(regions.into_iter().map(Into::into));
        self
    }

    pub fn build(self) -> HealthCheck {
        let construct = self.site.clone().make("route53.HealthCheck");
        self.check(&construct);
        let endpoint = self.kind.default_port().is_some();
        let in_endpoint = |said: Option<bool>, default: bool| said.or(endpoint.then_some(default));
        let interval = self.request_interval.or(endpoint.then_some(DEFAULT_INTERVAL));
        type Config = health_check::HealthCheckConfig<cfn::Set>;
        let mut config: Config = health_check::HealthCheckConfig::new()
            .type_(self.kind.as_str())
            .inverted(self.inverted)
            .when_some(in_endpoint(self.measure_latency, false), Config::measure_latency)
            .when_some(
                self.failure_threshold.or(endpoint.then_some(DEFAULT_FAILURE_THRESHOLD)),
                Config::failure_threshold,
            )
            .when_some(interval.map(whole_seconds), Config::request_interval)
            .when_some(self.port.or(self.kind.default_port()), Config::port)
            .when_some(
                self.domain_name.map(|name| name.cast::<String>()),
                Config::fully_qualified_domain_name,
            )
            .when_some(
                self.enable_sni.or(self.kind.is_tls().then_some(true)),
                Config::enable_sni,
            )
            .when_some(
                self.resource_path.or(self.kind.is_web().then(String::new)),
                Config::resource_path,
            )
            .when_some((!self.regions.is_empty()).then_some(self.regions), Config::regions);
        if let Some(address) = self.ip_address {
            config = config.property("IPAddress", address);
        }
        config = match &self.kind {
            HealthCheckType::HttpContains(text) | HealthCheckType::HttpsContains(text) => config.search_string(text),
            HealthCheckType::Alarm { name, region } => {
                let status = match self.insufficient_data {
                    Some(InsufficientData::Healthy) => "Healthy",
                    Some(InsufficientData::Unhealthy) => "Unhealthy",
                    Some(InsufficientData::LastKnownStatus) | None => "LastKnownStatus",
                };
                config.insufficient_data_health_status(status).alarm_identifier(
                    health_check::AlarmIdentifier::new()
                        .name(name.clone().cast::<id::cloudwatch::AlarmName>())
                        .region(region),
                )
            }
            HealthCheckType::Calculated(children) => {
                let ids: Vec<_> = children.iter().map(HealthCheck::health_check_id).collect();
                let all = u16::try_from(children.len()).unwrap_or(u16::MAX);
                config
                    .child_health_checks(ids)
                    .health_threshold(self.health_threshold.unwrap_or(all))
            }
            HealthCheckType::RecoveryControl(arn) => config.routing_control_arn(arn),
            HealthCheckType::Http | HealthCheckType::Https | HealthCheckType::Tcp(_) => config,
        };
        let properties = cfn::route53::HealthCheck::new().health_check_config(config);
        let resource = CfnResource::new(&construct, "Resource", properties);
        HealthCheck {
            construct,
            id: resource.reference().into_expr(),
            resource: Some(resource),
        }
    }

    fn check(&self, construct: &Construct) {
        let endpoint = self.kind.default_port().is_some();
        if endpoint && self.domain_name.is_none() && self.ip_address.is_none() {
            construct.report("a check of an endpoint needs a domain name or an address");
        }
        let about_endpoint = self.failure_threshold.is_some() || self.request_interval.is_some();
        if !endpoint && (about_endpoint || !self.regions.is_empty() || self.measure_latency.is_some()) {
            construct.report("threshold, interval, latency and regions are for checks of an endpoint");
        }
        if self.failure_threshold.is_some_and(|count| !(1..=10).contains(&count)) {
            construct.report("a failure threshold lies between 1 and 10");
        }
        let interval = self.request_interval.unwrap_or(DEFAULT_INTERVAL);
        if !(seconds(10)..=seconds(30)).contains(&interval) {
            construct.report("a request interval lies between 10 and 30 seconds");
        }
        if !self.regions.is_empty() && self.regions.len() < 3 {
            construct.report("checkers stand in three regions at least");
        }
        if self.health_threshold.is_some() && !matches!(self.kind, HealthCheckType::Calculated(_)) {
            construct.report("a health threshold is for calculated checks");
        }
    }
}

impl HealthCheck {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, kind: HealthCheckType) -> HealthCheckBuilder {
        HealthCheckBuilder {
            site: Site::new(scope, id),
            kind,
            domain_name: None,
            ip_address: None,
            port: None,
            resource_path: None,
            failure_threshold: None,
            request_interval: None,
            health_threshold: None,
            insufficient_data: None,
            inverted: false,
            measure_latency: None,
            enable_sni: None,
            regions: Vec::new(),
        }
    }

    /// A check that exists already.
    #[track_caller]
    pub fn from_id(
        scope: &impl Scope,
        id: impl Into<String>,
        check_id: impl IntoValue<id::route53::HealthCheckId>,
    ) -> Self {
        Self {
            construct: Site::new(scope, id).make("route53.HealthCheck"),
            id: check_id.into_value().into_expr(),
            resource: None,
        }
    }

    pub fn health_check_id(&self) -> Value<id::route53::HealthCheckId> {
        Value::from_expr(self.id.clone())
    }

    /// Of a check that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::route53::HealthCheck> {
        let known = self.resource.clone();
        known.unwrap_or_else(|| CfnResource::elsewhere(&self.construct))
    }
}
