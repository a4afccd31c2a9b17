//! Stages: under which name, and with which settings, a deployment is reached.

use std::time::Duration;

use cfn::apigateway::stage;
use cfn::{Builder, Expr, IntoValue, Map, Value, id};
use indexmap::IndexMap;

use super::deployment::Deployment;
use super::rest_api::RestApi;
use crate::cloudwatch::Metric;
use crate::element::CfnResource;
use crate::site::Site;
use crate::stack::Stack as CloudFormationStack;
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

const DEFAULT_NAME: &str = "prod";
const DEFAULT_CACHE_SIZE: &str = "0.5";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodLoggingLevel {
    Off,
    Error,
    Info,
}

impl MethodLoggingLevel {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Error => "ERROR",
            Self::Info => "INFO",
        }
    }
}

/// Settings of all methods of a stage, or of one.
#[derive(Clone, Debug, Default)]
pub struct MethodSettings {
    metrics_enabled: Option<bool>,
    logging_level: Option<MethodLoggingLevel>,
    data_trace_enabled: Option<bool>,
    throttling_rate_limit: Option<f64>,
    throttling_burst_limit: Option<u32>,
    caching_enabled: Option<bool>,
    cache_ttl: Option<Duration>,
    cache_data_encrypted: Option<bool>,
}

impl MethodSettings {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn metrics(mut self, on: bool) -> Self {
        self.metrics_enabled = Some(on);
        self
    }

    #[must_use]
    pub fn logging_level(mut self, level: MethodLoggingLevel) -> Self {
        self.logging_level = Some(level);
        self
    }

    /// Logs whole requests and responses: never where they hold what is private.
    #[must_use]
    pub fn data_trace(mut self, on: bool) -> Self {
        self.data_trace_enabled = Some(on);
        self
    }

    /// Requests a second on the average, and at once.
    #[must_use]
    pub fn throttling(mut self, rate_limit: f64, burst_limit: u32) -> Self {
        self.throttling_rate_limit = Some(rate_limit);
        self.throttling_burst_limit = Some(burst_limit);
        self
    }

    #[must_use]
    pub fn caching(mut self, on: bool) -> Self {
        self.caching_enabled = Some(on);
        self
    }

    #[must_use]
    pub fn cache_ttl(mut self, ttl: Duration) -> Self {
        self.cache_ttl = Some(ttl);
        self
    }

    #[must_use]
    pub fn cache_data_encrypted(mut self, on: bool) -> Self {
        self.cache_data_encrypted = Some(on);
        self
    }

    fn is_said(&self) -> bool {
        self.metrics_enabled.is_some()
            || self.logging_level.is_some()
            || self.data_trace_enabled.is_some()
            || self.throttling_rate_limit.is_some()
            || self.throttling_burst_limit.is_some()
            || self.caching_enabled.is_some()
            || self.cache_ttl.is_some()
            || self.cache_data_encrypted.is_some()
    }

    fn render(&self, http_method: &str, path: &str) -> stage::MethodSetting {
        use stage::MethodSetting as Setting;
        Setting::new()
            .http_method(http_method)
            .resource_path(path)
            .data_trace_enabled(self.data_trace_enabled.unwrap_or(false))
            .when_some(self.metrics_enabled, Setting::metrics_enabled)
            .when_some(
                self.logging_level.map(MethodLoggingLevel::as_str),
                Setting::logging_level,
            )
            .when_some(self.throttling_rate_limit, Setting::throttling_rate_limit)
            .when_some(self.throttling_burst_limit, Setting::throttling_burst_limit)
            .when_some(self.caching_enabled, Setting::caching_enabled)
            .when_some(self.cache_ttl.map(whole_seconds), Setting::cache_ttl_in_seconds)
            .when_some(self.cache_data_encrypted, Setting::cache_data_encrypted)
    }
}

/// What a stage is like.
#[derive(Clone, Debug, Default)]
pub struct StageOptions {
    stage_name: Option<String>,
    pub(super) description: Option<String>,
    methods: MethodSettings,
    of_method: Vec<(String, MethodSettings)>,
    tracing_enabled: Option<bool>,
    variables: IndexMap<String, String>,
    access_log: Option<(Expr, String)>,
    cache_cluster_size: Option<String>,
}

impl StageOptions {
    pub fn new() -> Self {
        Self::default()
    }

    /// The first part of the path of URLs; `prod` if nothing is said.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.stage_name = Some(name.into());
        self
    }

    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Settings of all methods.
    #[must_use]
    pub fn methods(mut self, settings: MethodSettings) -> Self {
        self.methods = settings;
        self
    }

    /// Settings of one method: `/yields/GET`.
    #[must_use]
    pub fn method(mut self, path: impl Into<String>, settings: MethodSettings) -> Self {
        self.of_method.push((path.into(), settings));
        self
    }

    /// Requests a second on the average, and at once, for all methods.
    #[must_use]
    pub fn throttling(mut self, rate_limit: f64, burst_limit: u32) -> Self {
        self.methods = self.methods.throttling(rate_limit, burst_limit);
        self
    }

    #[must_use]
    pub fn tracing(mut self, on: bool) -> Self {
        self.tracing_enabled = Some(on);
        self
    }

    /// A variable that integrations can name.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Writes a line about each request. The format must hold `$context.requestId`.
    #[must_use]
    pub fn access_log(mut self, destination_arn: impl IntoValue<String>, format: impl Into<String>) -> Self {
        self.access_log = Some((destination_arn.into_value().into_expr(), format.into()));
        self
    }

    /// Gigabytes: `0.5`, `1.6`, …
    #[must_use]
    pub fn cache_cluster_size(mut self, size: impl Into<String>) -> Self {
        self.cache_cluster_size = Some(size.into());
        self
    }

    pub(crate) fn stage_name(&self) -> &str {
        self.stage_name.as_deref().unwrap_or(DEFAULT_NAME)
    }

    pub(super) fn is_said(&self) -> bool {
        self.stage_name.is_some() || self.description.is_some() || self.methods.is_said() || !self.variables.is_empty()
    }
}

#[derive(Clone)]
pub struct Stage {
    construct: Construct,
    resource: CfnResource<cfn::apigateway::Stage>,
    api: RestApi,
}

impl Scope for Stage {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct StageBuilder {
    site: Site,
    deployment: Deployment,
    options: StageOptions,
}

impl StageBuilder {
    pub fn options(mut self, options: StageOptions) -> Self {
        self.options = options;
        self
    }

    pub fn build(self) -> Stage {
        let construct = self.site.make("apigateway.Stage");
        let options = self.options;
        let api = self.deployment.api().clone();
        let mut properties = cfn::apigateway::Stage::new()
            .rest_api_id(api.rest_api_id())
            .deployment_id(self.deployment.deployment_id())
            .stage_name(options.stage_name())
            .when_some(options.description.as_deref(), cfn::apigateway::Stage::description)
            .when_some(options.tracing_enabled, cfn::apigateway::Stage::tracing_enabled);
        if !options.variables.is_empty() {
            let variables: Map = options
                .variables
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            properties = properties.variables(Expr::Map(variables).cast::<cfn::MapOf<String>>());
        }
        let settings = method_settings(&options, &construct);
        if !settings.is_empty() {
            properties = properties.method_settings(settings);
        }
        if let Some((destination, format)) = &options.access_log {
            if !format.contains("$context.requestId") && !format.contains("$context.extendedRequestId") {
                construct.report("the format of an access log holds `$context.requestId`");
            }
            let log = stage::AccessLogSetting::new()
                .destination_arn(destination.clone().cast::<id::logs::LogGroupArn>())
                .format(format);
            properties = properties.access_log_setting(log);
        }
        let caches = options.cache_cluster_size.is_some()
            || options.methods.caching_enabled == Some(true)
            || options
                .of_method
                .iter()
                .any(|(_, settings)| settings.caching_enabled == Some(true));
        if caches {
            let size = options.cache_cluster_size.as_deref().unwrap_or(DEFAULT_CACHE_SIZE);
            properties = properties.cache_cluster_enabled(true).cache_cluster_size(size);
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        api.attach_stage(&construct);
        Stage {
            construct,
            resource,
            api,
        }
    }
}

fn method_settings(options: &StageOptions, construct: &Construct) -> Vec<stage::MethodSetting> {
    let mut settings = Vec::new();
    if options.methods.is_said() {
        settings.push(options.methods.render("*", "/*"));
    }
    for (path, of_method) in &options.of_method {
        match path.strip_prefix('/').and_then(|path| path.rsplit_once('/')) {
            Some((path, http_method)) => {
                let path = match path {
                    "*" => "/*".to_owned(),
                    path => format!("/~1{}", path.replace('/', "~1")),
                };
                settings.push(of_method.render(&http_method.to_uppercase(), &path));
            }
            None => match path.strip_prefix('/') {
                // The root itself: `/GET`.
                Some(http_method) if !http_method.is_empty() => {
                    settings.push(of_method.render(&http_method.to_uppercase(), "/"));
                }
                _ => construct.report(format!("`{path}` names no method; write `/yields/GET`")),
            },
        }
    }
    settings
}

impl Stage {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, deployment: &Deployment) -> StageBuilder {
        StageBuilder {
            site: Site::new(scope, id),
            deployment: deployment.clone(),
            options: StageOptions::new(),
        }
    }

    pub fn stage_name(&self) -> Value<id::apigateway::StageName> {
        self.resource.reference()
    }

    pub fn api(&self) -> &RestApi {
        &self.api
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigateway::Stage> {
        &self.resource
    }

    /// `path` begins with `/`.
    pub fn url_for_path(&self, path: &str) -> Value<String> {
        let stack = CloudFormationStack::of(self);
        Value::from_expr(Expr::concat([
            "https://".into(),
            self.api.rest_api_id().into_expr(),
            ".execute-api.".into(),
            stack.region().into_expr(),
            ".".into(),
            cfn::pseudo::url_suffix().into_expr(),
            "/".into(),
            self.stage_name().into_expr(),
            path.to_owned().into(),
        ]))
    }

    /// A metric of `AWS/ApiGateway` about this stage.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/ApiGateway", name)
            .dimension("ApiName", self.api.rest_api_name())
            .dimension("Stage", self.stage_name())
            .attached_to(&self.construct)
    }

    pub fn metric_server_error(&self) -> Metric {
        self.metric("5XXError").sum()
    }

    pub fn metric_client_error(&self) -> Metric {
        self.metric("4XXError").sum()
    }

    pub fn metric_latency(&self) -> Metric {
        self.metric("Latency")
    }
}
