//! What stages of both kinds of API can say.

use cfn::apigatewayv2::stage;
use cfn::{Builder, Expr, Map, id};

use super::domain_name::{ApiMapping, DomainMapping};
use crate::logs::LogGroup;
use crate::tree::Construct;

/// Which addresses a name of an API has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpAddressType {
    Ipv4,
    /// IPv4 and IPv6.
    DualStack,
}

impl IpAddressType {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::DualStack => "dualstack",
        }
    }
}

/// What was said of a stage, whichever kind it is.
#[derive(Default)]
pub(super) struct StageSettings {
    pub(super) auto_deploy: Option<bool>,
    pub(super) description: Option<Expr>,
    pub(super) variables: Map,
    pub(super) throttle: Option<(f64, u32)>,
    pub(super) detailed_metrics: Option<bool>,
    pub(super) access_log: Option<(LogGroup, Option<String>)>,
    pub(super) domain_mapping: Option<DomainMapping>,
}

macro_rules! stage_settings {
    () => {
        /// Each change of the API is deployed at once.
        pub fn auto_deploy(mut self, on: bool) -> Self {
            self.settings.auto_deploy = Some(on);
            self
        }

        pub fn description(mut self, description: impl cfn::IntoValue<String>) -> Self {
            self.settings.description = Some(description.into_value().into_expr());
            self
        }

        /// What integrations can refer to as `${stageVariables.name}`.
        pub fn variable(mut self, name: impl Into<String>, value: impl cfn::IntoValue<String>) -> Self {
            let value = value.into_value().into_expr();
            self.settings.variables.insert(name.into(), value);
            self
        }

        /// Requests a second on the average, and at once, of each route.
        pub fn throttle(mut self, rate_limit: f64, burst_limit: u32) -> Self {
            self.settings.throttle = Some((rate_limit, burst_limit));
            self
        }

        /// Metrics of each route for itself.
        pub fn detailed_metrics(mut self, on: bool) -> Self {
            self.settings.detailed_metrics = Some(on);
            self
        }

        /// A line about each request in the common log format.
        pub fn access_log(mut self, group: &crate::logs::LogGroup) -> Self {
            self.settings.access_log = Some((group.clone(), None));
            self
        }

        /// A line about each request. The format must hold `$context.requestId`.
        pub fn access_log_with(mut self, group: &crate::logs::LogGroup, format: impl Into<String>) -> Self {
            self.settings.access_log = Some((group.clone(), Some(format.into())));
            self
        }

        /// Reached under a name of one's own, too.
        pub fn domain_mapping(mut self, mapping: super::domain_name::DomainMapping) -> Self {
            self.settings.domain_mapping = Some(mapping);
            self
        }
    };
}
pub(super) use stage_settings;

impl StageSettings {
    pub(super) fn render(
        &self,
        construct: &Construct,
        api: &Expr,
        name: &str,
        default_log_format: &str,
    ) -> cfn::apigatewayv2::Stage<cfn::Set, cfn::Set> {
        type Stage = cfn::apigatewayv2::Stage<cfn::Set, cfn::Set>;
        let mut properties = cfn::apigatewayv2::Stage::new()
            .api_id(api.clone().cast::<id::apigatewayv2::ApiId>())
            .stage_name(name)
            .when_some(self.auto_deploy, Stage::auto_deploy);
        if let Some(description) = &self.description {
            properties = properties.description(description.clone().cast::<String>());
        }
        if !self.variables.is_empty() {
            properties = properties.stage_variables(self.variables.clone());
        }
        if self.throttle.is_some() || self.detailed_metrics == Some(true) {
            let settings = stage::RouteSettings::new()
                .when_some(
                    self.throttle.map(|(rate, _)| rate),
                    stage::RouteSettings::throttling_rate_limit,
                )
                .when_some(
                    self.throttle.map(|(_, burst)| burst),
                    stage::RouteSettings::throttling_burst_limit,
                )
                .when_some(self.detailed_metrics, stage::RouteSettings::detailed_metrics_enabled);
            properties = properties.default_route_settings(settings);
        }
        if let Some((group, format)) = &self.access_log {
            let format = format.as_deref().unwrap_or(default_log_format);
            if !format.contains("$context.requestId") && !format.contains("$context.extendedRequestId") {
                construct.report("the format of an access log holds `$context.requestId`");
            }
            let log = stage::AccessLogSettings::new()
                .destination_arn(group.log_group_arn())
                .format(format);
            properties = properties.access_log_settings(log);
        }
        properties
    }

    /// Maps the domain that was asked for, once the stage exists.
    pub(super) fn map_domain(&self, construct: &Construct, api: &Expr, name: &str) -> Option<ApiMapping> {
        let mapping = self.domain_mapping.as_ref()?;
        Some(ApiMapping::of_stage(construct, mapping, api, name))
    }
}
