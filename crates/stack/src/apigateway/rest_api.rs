//! The API itself, with its first deployment and stage.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::apigateway::rest_api;
use cfn::{Expr, IntoValue, Value, id};

use super::cors::CorsOptions;
use super::deployment::Deployment;
use super::domain_name::{DomainName, DomainNameOptions};
use super::integration::{Integration, LambdaIntegration};
use super::method::MethodOptions;
use super::model::{GatewayResponse, Model, RequestValidator};
use super::resource::{Defaults, Resource};
use super::stage::{Stage, StageOptions};
use super::usage_plan::{ApiKey, UsagePlan};
use crate::cloudwatch::Metric;
use crate::element::{CfnOutput, CfnResource, RemovalPolicy};
use crate::iam::{ManagedPolicy, PolicyDocument, Principal, Role};
use crate::lambda::Invocable;
use crate::site::Site;
use crate::stack::{Arn, Stack as CloudFormationStack};
use crate::tree::{Construct, Scope};
use crate::units::Size;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointType {
    /// Through AWS's edge locations.
    Edge,
    Regional,
    /// Inside VPCs only.
    Private,
}

impl EndpointType {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "EDGE",
            Self::Regional => "REGIONAL",
            Self::Private => "PRIVATE",
        }
    }
}

#[derive(Clone)]
pub struct RestApi {
    construct: Construct,
    resource: CfnResource<cfn::apigateway::RestApi>,
    name: Expr,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    latest_deployment: Option<Deployment>,
    deployments: Vec<Deployment>,
    deployment_stage: Option<Stage>,
    methods: Vec<CfnResource<cfn::apigateway::Method>>,
    account: Option<Construct>,
    root: Option<Resource>,
    domain_name: Option<DomainName>,
}

impl Scope for RestApi {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct RestApiBuilder {
    site: Site,
    properties: cfn::apigateway::RestApi,
    name: Option<Expr>,
    description: Option<Expr>,
    deploy: bool,
    options: StageOptions,
    retain_deployments: bool,
    cloud_watch_role: bool,
    endpoint_export_name: Option<Expr>,
    defaults: Defaults,
    domain_name: Option<DomainNameOptions>,
}

impl RestApiBuilder {
    /// The id if nothing is said.
    pub fn rest_api_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        let description = description.into_value();
        self.description = Some(description.expr().clone());
        self.properties = self.properties.description(description);
        self
    }

    pub fn endpoint_types(mut self, types: impl IntoIterator<Item = EndpointType>) -> Self {
        let types = types.into_iter().map(EndpointType::as_str).collect::<Vec<_>>();
        self.properties = self
            .properties
            .endpoint_configuration(rest_api::EndpointConfiguration::new().types(types));
        self
    }

    pub fn binary_media_types(mut self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.properties = self
            .properties
            .binary_media_types(types.into_iter().map(Into::into).collect::<Vec<String>>());
        self
    }

    /// Responses of at least this size are compressed.
    pub fn min_compression_size(mut self, size: Size) -> Self {
        self.properties = self.properties.minimum_compression_size(size.to_bytes());
        self
    }

    pub fn policy(mut self, policy: &PolicyDocument) -> Self {
        self.properties = self.properties.policy(policy);
        self
    }

    pub fn disable_execute_api_endpoint(mut self, on: bool) -> Self {
        self.properties = self.properties.disable_execute_api_endpoint(on);
        self
    }

    pub fn fail_on_warnings(mut self, on: bool) -> Self {
        self.properties = self.properties.fail_on_warnings(on);
        self
    }

    /// Whether there is a deployment that follows the content, and a stage of it; there is if nothing is said.
    pub fn deploy(mut self, on: bool) -> Self {
        self.deploy = on;
        self
    }

    /// The stage of the deployment that follows the content.
    pub fn deploy_options(mut self, options: StageOptions) -> Self {
        self.options = options;
        self
    }

    /// Old deployments stay.
    pub fn retain_deployments(mut self) -> Self {
        self.retain_deployments = true;
        self
    }

    /// Whether the account gets a role with which API Gateway writes logs; it does if nothing is said.
    pub fn cloud_watch_role(mut self, on: bool) -> Self {
        self.cloud_watch_role = on;
        self
    }

    /// What answers methods for which nothing else is said.
    pub fn default_integration(mut self, integration: impl Into<Integration>) -> Self {
        self.defaults.integration = Some(integration.into());
        self
    }

    /// What holds for methods for which nothing else is said.
    pub fn default_method_options(mut self, options: MethodOptions) -> Self {
        self.defaults.method = options;
        self
    }

    /// Every resource answers browsers' questions.
    pub fn default_cors_preflight(mut self, cors: CorsOptions) -> Self {
        self.defaults.cors = Some(cors);
        self
    }

    /// A name of one's own under which the API is reached.
    pub fn domain_name(mut self, options: DomainNameOptions) -> Self {
        self.domain_name = Some(options);
        self
    }

    /// The name under which other stacks import the URL.
    pub fn endpoint_export_name(mut self, name: impl IntoValue<String>) -> Self {
        self.endpoint_export_name = Some(name.into_value().into_expr());
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::apigateway::RestApi) -> cfn::apigateway::RestApi) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> RestApi {
        let name = self.name.unwrap_or_else(|| Expr::text(self.site.id().to_owned()));
        let construct = self.site.make("apigateway.RestApi");
        let resource = CfnResource::new(
            &construct,
            "Resource",
            self.properties.name(name.clone().cast::<String>()),
        );
        let api = RestApi {
            construct,
            resource,
            name,
            state: Rc::default(),
        };
        if self.cloud_watch_role {
            api.make_cloud_watch_role();
        }
        if self.deploy {
            let description = self.options.description.clone().map(Expr::text).or(self.description);
            let description = description.unwrap_or_else(|| "Automatically created by the RestApi construct".into());
            let mut deployment = Deployment::new(&api, "Deployment", &api).description(description.cast::<String>());
            if self.retain_deployments {
                deployment = deployment.retain();
            }
            let deployment = deployment.build();
            api.state.borrow_mut().latest_deployment = Some(deployment.clone());
            let id = format!("DeploymentStage.{}", self.options.stage_name());
            let stage = Stage::new(&api, id, &deployment).options(self.options).build();
            api.set_deployment_stage(&stage);
            let mut output = CfnOutput::new(&api, "Endpoint", api.url());
            if let Some(name) = self.endpoint_export_name {
                output = output.export_name(name.cast::<String>());
            }
            output.build();
        } else if self.options.is_said() {
            api.construct
                .report("options of a stage say nothing where there is no deployment");
        }
        if let Some(options) = self.domain_name {
            api.add_domain_name("CustomDomain", options);
        }
        let root = Resource::root(&api, api.resource.root_resource_id(), self.defaults);
        api.state.borrow_mut().root = Some(root);
        let checked = api.clone();
        api.construct.on_synth(move || {
            if checked.state.borrow().methods.is_empty() {
                checked.construct.report("the API has no methods");
            }
        });
        api
    }
}

impl RestApi {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> RestApiBuilder {
        RestApiBuilder {
            site: Site::new(scope, id),
            properties: cfn::apigateway::RestApi::new(),
            name: None,
            description: None,
            deploy: true,
            options: StageOptions::new(),
            retain_deployments: false,
            cloud_watch_role: true,
            endpoint_export_name: None,
            defaults: Defaults::default(),
            domain_name: None,
        }
    }

    /// An API whose every request goes to one function.
    #[track_caller]
    pub fn of_function(
        scope: &impl Scope,
        id: impl Into<String>,
        handler: &(impl Invocable + Clone + 'static),
        configure: impl FnOnce(RestApiBuilder) -> RestApiBuilder,
    ) -> Self {
        let integration = LambdaIntegration::new(handler);
        let api = configure(Self::new(scope, id))
            .default_integration(integration.clone())
            .build();
        api.root().add_proxy(integration);
        api
    }

    /// A model that bodies of requests can be checked by: a JSON schema of draft 4.
    #[track_caller]
    pub fn add_model(&self, id: impl Into<String>, name: Option<&str>, schema: serde_json::Value) -> Model {
        Model::new(self, id, name, schema)
    }

    /// Checks requests before they reach the integration.
    #[track_caller]
    pub fn add_request_validator(&self, id: impl Into<String>, body: bool, parameters: bool) -> RequestValidator {
        RequestValidator::new(self, id, body, parameters)
    }

    /// What API Gateway itself answers: `ACCESS_DENIED`, `DEFAULT_4XX`, …
    #[track_caller]
    pub fn add_gateway_response(&self, id: impl Into<String>, response: &GatewayResponse) {
        response.add_to(self, id);
    }

    /// A key for a caller, of the API's stage.
    #[track_caller]
    pub fn add_api_key(&self, id: impl Into<String>, name: Option<&str>) -> ApiKey {
        ApiKey::new(self, id, name)
    }

    /// How much callers with keys may ask.
    #[track_caller]
    pub fn add_usage_plan(&self, id: impl Into<String>) -> UsagePlan {
        UsagePlan::new(self, id)
    }

    /// A further name of one's own under which the API is reached.
    #[track_caller]
    pub fn add_domain_name(&self, id: impl Into<String>, options: DomainNameOptions) -> DomainName {
        let domain = DomainName::new(self, id, options).mapping(self).build();
        self.state
            .borrow_mut()
            .domain_name
            .get_or_insert_with(|| domain.clone());
        domain
    }

    /// The first name of one's own under which the API is reached.
    pub fn domain_name(&self) -> Option<DomainName> {
        self.state.borrow().domain_name.clone()
    }

    /// One account has one such role, so it must outlive the stack that happened to set it.
    fn make_cloud_watch_role(&self) {
        let role = Role::new(self, "CloudWatchRole", Principal::service("apigateway.amazonaws.com"))
            .managed_policy(ManagedPolicy::aws("service-role/AmazonAPIGatewayPushToCloudWatchLogs"))
            .build();
        role.apply_removal_policy(RemovalPolicy::Retain);
        let properties = cfn::apigateway::Account::new().cloud_watch_role_arn(role.role_arn());
        let account = CfnResource::new(self, "Account", properties);
        account.apply_removal_policy(RemovalPolicy::Retain);
        account.construct().add_dependency(&self.resource);
        self.state.borrow_mut().account = Some(account.construct().clone());
    }

    pub fn rest_api_id(&self) -> Value<id::apigateway::RestApiId> {
        self.resource.reference()
    }

    pub fn rest_api_name(&self) -> Value<String> {
        Value::from_expr(self.name.clone())
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigateway::RestApi> {
        &self.resource
    }

    /// `/`.
    pub fn root(&self) -> Resource {
        let root = self.state.borrow().root.clone();
        root.unwrap_or_else(|| Resource::root(self, self.resource.root_resource_id(), Defaults::default()))
    }

    pub fn latest_deployment(&self) -> Option<Deployment> {
        self.state.borrow().latest_deployment.clone()
    }

    pub fn deployment_stage(&self) -> Option<Stage> {
        self.state.borrow().deployment_stage.clone()
    }

    /// The stage that URLs and permissions are about, for an API whose stages are made by hand.
    pub fn set_deployment_stage(&self, stage: &Stage) {
        self.state.borrow_mut().deployment_stage = Some(stage.clone());
    }

    /// Of the deployment stage, with its slash.
    pub fn url(&self) -> Value<String> {
        self.url_for_path("/")
    }

    pub fn url_for_path(&self, path: &str) -> Value<String> {
        match self.deployment_stage() {
            Some(stage) => stage.url_for_path(path),
            None => {
                self.construct.report("an API without a stage has no URL");
                Value::from_expr(Expr::text(""))
            }
        }
    }

    /// What permissions to call the API are about. `*` stands for any method, path or stage.
    pub fn arn_for_execute_api(&self, method: &str, path: &str, stage: impl Into<Expr>) -> Value<String> {
        let method = if method.eq_ignore_ascii_case("ANY") {
            "*"
        } else {
            method
        };
        let name = Expr::concat([stage.into(), format!("/{method}{path}").into()]);
        let arn = Arn::new("execute-api", self.rest_api_id()).name(name);
        Value::from_expr(CloudFormationStack::of(self).format_arn(arn))
    }

    /// A metric of `AWS/ApiGateway` about all stages of this API.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/ApiGateway", name)
            .dimension("ApiName", self.rest_api_name())
            .attached_to(&self.construct)
    }

    pub fn metric_count(&self) -> Metric {
        self.metric("Count").sample_count()
    }

    /// Answers with a status of 500 or more.
    pub fn metric_server_error(&self) -> Metric {
        self.metric("5XXError").sum()
    }

    pub fn metric_client_error(&self) -> Metric {
        self.metric("4XXError").sum()
    }

    pub fn metric_latency(&self) -> Metric {
        self.metric("Latency")
    }

    pub(super) fn attach_method(&self, method: &CfnResource<cfn::apigateway::Method>) {
        let deployments = {
            let mut state = self.state.borrow_mut();
            state.methods.push(method.clone());
            state.deployments.clone()
        };
        for deployment in deployments {
            deployment.construct().add_dependency(method);
        }
    }

    pub(super) fn attach_deployment(&self, deployment: &Deployment) {
        let methods = {
            let mut state = self.state.borrow_mut();
            state.deployments.push(deployment.clone());
            state.methods.clone()
        };
        for method in methods {
            deployment.construct().add_dependency(&method);
        }
    }

    /// A stage writes logs, so the account must have its role first.
    pub(super) fn attach_stage(&self, stage: &Construct) {
        if let Some(account) = &self.state.borrow().account {
            stage.add_dependency(account);
        }
    }
}
