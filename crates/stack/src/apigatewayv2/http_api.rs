//! HTTP APIs.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cfn::apigatewayv2::api;
use cfn::{Builder, Expr, IntoValue, Value, id};

use super::domain_name::DomainMapping;
use super::http_authorizer::HttpAuthorizer;
use super::http_integration::HttpIntegration;
use super::http_route::{HttpMethod, HttpRoute, HttpRouteOptions};
use super::http_stage::{HttpStage, HttpStageBuilder};
use super::stage::IpAddressType;
use crate::cloudwatch::Metric;
use crate::element::CfnResource;
use crate::site::Site;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

/// Metrics that APIs and stages have alike.
macro_rules! http_metrics {
    () => {
        /// Requests that were answered with 4xx.
        pub fn metric_client_error(&self) -> crate::cloudwatch::Metric {
            self.metric("4xx").sum()
        }

        /// Requests that were answered with 5xx.
        pub fn metric_server_error(&self) -> crate::cloudwatch::Metric {
            self.metric("5xx").sum()
        }

        /// In bytes.
        pub fn metric_data_processed(&self) -> crate::cloudwatch::Metric {
            self.metric("DataProcessed").sum()
        }

        /// All requests.
        pub fn metric_count(&self) -> crate::cloudwatch::Metric {
            self.metric("Count").sample_count()
        }

        /// From handing a request on to getting the answer, in milliseconds: the average.
        pub fn metric_integration_latency(&self) -> crate::cloudwatch::Metric {
            self.metric("IntegrationLatency")
        }

        /// From getting a request to answering it, in milliseconds: the average.
        pub fn metric_latency(&self) -> crate::cloudwatch::Metric {
            self.metric("Latency")
        }
    };
}
pub(super) use http_metrics;

/// Which pages of other origins may call an API.
#[derive(Clone, Debug, Default)]
pub struct HttpCors {
    origins: Vec<String>,
    methods: Vec<HttpMethod>,
    headers: Vec<String>,
    exposed_headers: Vec<String>,
    credentials: Option<bool>,
    max_age: Option<Duration>,
}

impl HttpCors {
    /// `https://example.com`, or `*`.
    pub fn origins(origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            origins: origins.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = HttpMethod>) -> Self {
        self.methods.extend(methods);
        self
    }

    #[must_use]
    pub fn headers(mut self, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.headers.extend(headers.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn exposed_headers(mut self, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.exposed_headers.extend(headers.into_iter().map(Into::into));
        self
    }

    /// Not together with the origin `*`.
    #[must_use]
    pub fn allow_credentials(mut self, on: bool) -> Self {
        self.credentials = Some(on);
        self
    }

    /// For how long browsers keep the answer.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    fn render(&self, construct: &Construct) -> api::Cors {
        if self.credentials == Some(true) && self.origins.iter().any(|origin| origin == "*") {
            construct.report("credentials are let in from named origins only, not from `*`");
        }
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        let methods: Vec<_> = self.methods.iter().map(|method| method.or_star().to_owned()).collect();
        api::Cors::new()
            .when_some(some(&self.origins), api::Cors::allow_origins)
            .when_some(some(&methods), api::Cors::allow_methods)
            .when_some(some(&self.headers), api::Cors::allow_headers)
            .when_some(some(&self.exposed_headers), api::Cors::expose_headers)
            .when_some(self.credentials, api::Cors::allow_credentials)
            .when_some(self.max_age.map(whole_seconds), api::Cors::max_age)
    }
}

#[derive(Clone)]
pub struct HttpApi {
    construct: Construct,
    resource: CfnResource<cfn::apigatewayv2::Api>,
    pub(super) inner: Rc<Inner>,
}

pub(super) struct Inner {
    pub(super) default_authorizer: Option<HttpAuthorizer>,
    pub(super) default_scopes: Vec<String>,
    endpoint_disabled: bool,
    default_stage: RefCell<Option<HttpStage>>,
    /// Permissions that are about the API as a whole, by id.
    pub(super) permissions: RefCell<Vec<String>>,
}

impl Scope for HttpApi {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct HttpApiBuilder {
    site: Site,
    name: Option<Expr>,
    properties: cfn::apigatewayv2::Api,
    cors: Option<HttpCors>,
    default_integration: Option<HttpIntegration>,
    default_authorizer: Option<HttpAuthorizer>,
    default_scopes: Vec<String>,
    default_stage: bool,
    default_domain: Option<DomainMapping>,
    endpoint_disabled: Option<bool>,
}

impl HttpApiBuilder {
    /// The construct's id if nothing is said.
    pub fn api_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    pub fn ip_address_type(mut self, kind: IpAddressType) -> Self {
        self.properties = self.properties.ip_address_type(kind.as_str());
        self
    }

    /// Says in the template that routes are chosen by method and path, as they are anyway.
    pub fn route_selection_expression(mut self) -> Self {
        self.properties = self
            .properties
            .route_selection_expression("${request.method} ${request.path}");
        self
    }

    /// Answers preflight requests.
    pub fn cors(mut self, cors: HttpCors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// What answers when no other route does.
    pub fn default_integration(mut self, integration: &HttpIntegration) -> Self {
        self.default_integration = Some(integration.clone());
        self
    }

    /// Of routes that name no authorizer.
    pub fn default_authorizer(mut self, authorizer: &HttpAuthorizer) -> Self {
        self.default_authorizer = Some(authorizer.clone());
        self
    }

    /// Of routes that name no scopes.
    pub fn default_authorization_scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.default_scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Whether there is a stage without a name, that is deployed of itself; there is if nothing is said.
    pub fn create_default_stage(mut self, on: bool) -> Self {
        self.default_stage = on;
        self
    }

    /// Under which name the default stage is reached, too.
    pub fn default_domain_mapping(mut self, mapping: DomainMapping) -> Self {
        self.default_domain = Some(mapping);
        self
    }

    /// Reached under names of one's own only.
    pub fn disable_execute_api_endpoint(mut self, on: bool) -> Self {
        self.endpoint_disabled = Some(on);
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::apigatewayv2::Api) -> cfn::apigatewayv2::Api) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> HttpApi {
        let name = self.name.unwrap_or_else(|| Expr::text(self.site.id().to_owned()));
        let construct = self.site.make("apigatewayv2.HttpApi");
        let properties = self
            .properties
            .name(name.cast::<String>())
            .protocol_type("HTTP")
            .when_some(
                self.cors.map(|cors| cors.render(&construct)),
                cfn::apigatewayv2::Api::cors_configuration,
            )
            .when_some(
                self.endpoint_disabled,
                cfn::apigatewayv2::Api::disable_execute_api_endpoint,
            );
        let resource = CfnResource::new(&construct, "Resource", properties);
        let inner = Inner {
            default_authorizer: self.default_authorizer,
            default_scopes: self.default_scopes,
            endpoint_disabled: self.endpoint_disabled == Some(true),
            default_stage: RefCell::default(),
            permissions: RefCell::default(),
        };
        let api = HttpApi {
            construct,
            resource,
            inner: Rc::new(inner),
        };
        if let Some(integration) = &self.default_integration {
            HttpRoute::of_default(&api, integration);
        }
        if !self.default_stage && self.default_domain.is_some() {
            api.construct
                .report("without a default stage there is nothing that a default domain could lead to");
        }
        if self.default_stage {
            let mut stage = HttpStage::new(&api, "DefaultStage", &api).auto_deploy(true);
            if let Some(mapping) = self.default_domain {
                stage = stage.domain_mapping(mapping);
            }
            *api.inner.default_stage.borrow_mut() = Some(stage.build());
        }
        api
    }
}

impl HttpApi {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> HttpApiBuilder {
        HttpApiBuilder {
            site: Site::new(scope, id),
            name: None,
            properties: cfn::apigatewayv2::Api::new(),
            cors: None,
            default_integration: None,
            default_authorizer: None,
            default_scopes: Vec::new(),
            default_stage: true,
            default_domain: None,
            endpoint_disabled: None,
        }
    }

    /// `path` begins with `/`; `{name}` stands for a part of it and `{name+}` for the rest.
    #[track_caller]
    pub fn add_route(&self, method: HttpMethod, path: &str, options: impl Into<HttpRouteOptions>) -> HttpRoute {
        HttpRoute::of_path(self, method, path, &options.into())
    }

    /// As [`HttpApi::add_route`], for several methods.
    #[track_caller]
    pub fn add_routes(
        &self,
        methods: impl IntoIterator<Item = HttpMethod>,
        path: &str,
        options: impl Into<HttpRouteOptions>,
    ) -> Vec<HttpRoute> {
        let options = options.into();
        let mut routes = Vec::new();
        for method in methods {
            routes.push(HttpRoute::of_path(self, method, path, &options));
        }
        routes
    }

    #[track_caller]
    pub fn add_stage(&self, id: impl Into<String>) -> HttpStageBuilder {
        HttpStage::new(self, id, self)
    }

    pub fn api_id(&self) -> Value<id::apigatewayv2::ApiId> {
        self.resource.reference().cast()
    }

    /// `https://…`, without a stage. Reported where it was switched off.
    pub fn api_endpoint(&self) -> Value<String> {
        if self.inner.endpoint_disabled {
            self.construct
                .report("the endpoint of the API is switched off; use the domain that leads to it");
        }
        self.resource.api_endpoint()
    }

    /// Reported where the API was told to have none.
    pub fn default_stage(&self) -> HttpStage {
        let stage = self.inner.default_stage.borrow().clone();
        stage.unwrap_or_else(|| {
            self.construct
                .report("the API has no default stage; add one with `add_stage`");
            let stage = HttpStage::new(self, "DefaultStage", self).build();
            *self.inner.default_stage.borrow_mut() = Some(stage.clone());
            stage
        })
    }

    /// Of the default stage.
    pub fn url(&self) -> Value<String> {
        self.default_stage().url()
    }

    /// A request as policies name it; `*` stands for any stage and for any rest of a path.
    pub fn arn_for_execute_api(&self, method: HttpMethod, path: &str, stage: &str) -> Value<String> {
        if !path.starts_with('/') {
            self.construct.report(format!("the path `{path}` begins with `/`"));
        }
        self.execute_arn(format!("{stage}/{}{path}", method.or_star()).into())
            .cast()
    }

    /// `name` is what stands behind the id of the API.
    pub(super) fn execute_arn(&self, name: Expr) -> Expr {
        Stack::of(self).format_arn(Arn::new("execute-api", self.api_id().into_expr()).name(name))
    }

    /// A metric of `AWS/ApiGateway` about this API.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/ApiGateway", name)
            .dimension("ApiId", self.api_id())
            .attached_to(&self.construct)
    }

    http_metrics!();

    pub fn resource(&self) -> &CfnResource<cfn::apigatewayv2::Api> {
        &self.resource
    }
}
