//! Methods of resources: authorization, integration, responses.

use cfn::apigateway::method;
use cfn::{Builder, Expr, IntoValue, Map, Value, id};

use super::authorizer::Authorizer;
use super::integration::{Integration, Rendered};
use super::model::Model;
use super::resource::Resource;
use crate::element::CfnResource;
use crate::tree::{Construct, Scope};

const HTTP_METHODS: [&str; 8] = ["ANY", "OPTIONS", "GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthorizationType {
    #[default]
    None,
    /// Requests are signed with AWS credentials.
    Iam,
    /// A function decides.
    Custom,
    CognitoUserPools,
}

impl AuthorizationType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Iam => "AWS_IAM",
            Self::Custom => "CUSTOM",
            Self::CognitoUserPools => "COGNITO_USER_POOLS",
        }
    }
}

/// What a method asks of requests and promises of responses.
#[derive(Clone, Default)]
pub struct MethodOptions {
    authorization_type: Option<AuthorizationType>,
    authorizer: Option<Authorizer>,
    api_key_required: Option<bool>,
    operation_name: Option<String>,
    request_parameters: Vec<(String, bool)>,
    request_validator: Option<Expr>,
    request_models: Vec<(String, Expr)>,
    responses: Vec<MethodResponse>,
}

#[derive(Clone)]
struct MethodResponse {
    status: String,
    parameters: Vec<(String, bool)>,
}

impl MethodOptions {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn authorization_type(mut self, authorization_type: AuthorizationType) -> Self {
        self.authorization_type = Some(authorization_type);
        self
    }

    /// Asks an authorizer about each request.
    #[must_use]
    pub fn authorizer(mut self, authorizer: impl Into<Authorizer>) -> Self {
        self.authorizer = Some(authorizer.into());
        self
    }

    #[must_use]
    pub fn api_key_required(mut self, on: bool) -> Self {
        self.api_key_required = Some(on);
        self
    }

    #[must_use]
    pub fn operation_name(mut self, name: impl Into<String>) -> Self {
        self.operation_name = Some(name.into());
        self
    }

    /// `method.request.querystring.chain`, and whether it must be there.
    #[must_use]
    pub fn request_parameter(mut self, name: impl Into<String>, required: bool) -> Self {
        self.request_parameters.push((name.into(), required));
        self
    }

    #[must_use]
    pub fn request_validator(mut self, validator: impl IntoValue<id::apigateway::RequestValidatorId>) -> Self {
        self.request_validator = Some(validator.into_value().into_expr());
        self
    }

    /// The model of a request's body, by content type.
    #[must_use]
    pub fn request_model(mut self, content_type: impl Into<String>, model: &Model) -> Self {
        self.request_models
            .push((content_type.into(), model.model_id().into_expr()));
        self
    }

    /// What is said here, and of what is not, what `defaults` say.
    pub(super) fn or(mut self, defaults: &Self) -> Self {
        let is_open = self.authorization_type == Some(AuthorizationType::None) && self.authorizer.is_none();
        if !is_open {
            self.authorizer = self.authorizer.or_else(|| defaults.authorizer.clone());
        }
        self.authorization_type = self.authorization_type.or(defaults.authorization_type);
        self.api_key_required = self.api_key_required.or(defaults.api_key_required);
        self.operation_name = self.operation_name.or_else(|| defaults.operation_name.clone());
        if self.request_parameters.is_empty() {
            self.request_parameters.clone_from(&defaults.request_parameters);
        }
        if self.responses.is_empty() {
            self.responses.clone_from(&defaults.responses);
        }
        self
    }

    /// A status that the method may answer with, and the headers that come with it.
    #[must_use]
    pub fn response(mut self, status: u16, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let parameters = headers
            .into_iter()
            .map(|name| (format!("method.response.header.{}", name.into()), true))
            .collect();
        self.responses.push(MethodResponse {
            status: status.to_string(),
            parameters,
        });
        self
    }
}

#[derive(Clone)]
pub struct Method {
    construct: Construct,
    resource: CfnResource<cfn::apigateway::Method>,
    at: Resource,
    http_method: String,
}

impl Scope for Method {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl Method {
    pub fn http_method(&self) -> &str {
        &self.http_method
    }

    pub fn at(&self) -> &Resource {
        &self.at
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigateway::Method> {
        &self.resource
    }
}

pub(super) fn make(
    construct: Construct,
    at: &Resource,
    http_method: &str,
    integration: Integration,
    options: MethodOptions,
) -> Method {
    let http_method = http_method.to_uppercase();
    if !HTTP_METHODS.contains(&http_method.as_str()) {
        construct.report(format!(
            "`{http_method}` is no HTTP method; there are {}",
            HTTP_METHODS.join(", ")
        ));
    }
    let said = options.authorization_type;
    let by_authorizer = options.authorizer.as_ref().map(|_| AuthorizationType::Custom);
    if let (Some(said), Some(asks)) = (said, by_authorizer)
        && said != asks
    {
        construct.report(format!(
            "the method is said to be authorized by {said:?}, but its authorizer is {asks:?}"
        ));
    }
    let authorization = by_authorizer.or(said).unwrap_or_default();
    if let Some(authorizer) = &options.authorizer {
        authorizer.attach_to(at.api());
    }
    let rendered = integration.bind(&construct, at, &http_method);
    let mut properties = cfn::apigateway::Method::new()
        .rest_api_id(at.api().rest_api_id())
        .resource_id(at.resource_id())
        .http_method(http_method.as_str())
        .authorization_type(authorization.as_str())
        .when_some(options.api_key_required, cfn::apigateway::Method::api_key_required)
        .when_some(
            options.operation_name.as_deref(),
            cfn::apigateway::Method::operation_name,
        )
        .integration(rendered.integration.clone().cast::<method::Integration>());
    let authorizer_id = options.authorizer.as_ref().map(Authorizer::authorizer_id);
    if let Some(id) = &authorizer_id {
        properties = properties.authorizer_id(id);
    }
    let parameters =
        (!options.request_parameters.is_empty()).then(|| Expr::map(options.request_parameters.iter().cloned()));
    if let Some(parameters) = &parameters {
        properties = properties.property("RequestParameters", parameters.clone());
    }
    if let Some(validator) = &options.request_validator {
        properties = properties.property("RequestValidatorId", validator.clone());
    }
    let models = (!options.request_models.is_empty()).then(|| Expr::map(options.request_models.iter().cloned()));
    if let Some(models) = &models {
        properties = properties.property("RequestModels", models.clone());
    }
    let responses = render_responses(&options.responses, "StatusCode", "ResponseParameters");
    if let Some(responses) = &responses {
        properties = properties.property("MethodResponses", responses.clone());
    }
    let resource = CfnResource::new(&construct, "Resource", properties);
    at.api().attach_method(&resource);
    if let Some(deployment) = at.api().latest_deployment() {
        deployment.construct().add_dependency(&resource);
        let content = Content {
            at,
            http_method: &http_method,
            authorization,
            authorizer_id,
            parameters,
            models,
            options: &options,
            rendered,
        };
        deployment.add_to_logical_id(Expr::map([("method", content.render())]));
    }
    Method {
        construct,
        resource,
        at: at.clone(),
        http_method,
    }
}

fn render_responses(responses: &[MethodResponse], status: &'static str, parameters: &'static str) -> Option<Expr> {
    let render = |response: &MethodResponse| {
        let mut map = Map::new();
        map.insert(status, response.status.clone());
        if !response.parameters.is_empty() {
            map.insert(parameters, Expr::map(response.parameters.iter().cloned()));
        }
        Expr::Map(map)
    };
    (!responses.is_empty()).then(|| Expr::List(responses.iter().map(render).collect()))
}

/// What the logical id of a deployment follows, with the keys, and their order, that aws-cdk-lib hashes.
struct Content<'a> {
    at: &'a Resource,
    http_method: &'a str,
    authorization: AuthorizationType,
    authorizer_id: Option<Value<id::apigateway::AuthorizerId>>,
    parameters: Option<Expr>,
    models: Option<Expr>,
    options: &'a MethodOptions,
    rendered: Rendered,
}

impl Content<'_> {
    fn render(self) -> Map {
        let mut map = Map::new();
        let mut set = |key: &'static str, value: Option<Expr>| {
            if let Some(value) = value {
                map.insert(key, value);
            }
        };
        set("resourceId", Some(self.at.resource_id().into_expr()));
        set("restApiId", Some(self.at.api().rest_api_id().into_expr()));
        set("httpMethod", Some(Expr::text(self.http_method.to_owned())));
        set("operationName", self.options.operation_name.clone().map(Expr::text));
        set("apiKeyRequired", self.options.api_key_required.map(Expr::Bool));
        set("authorizationType", Some(self.authorization.as_str().into()));
        set("authorizerId", self.authorizer_id.map(Value::into_expr));
        set("requestParameters", self.parameters);
        set("integration", Some(self.rendered.content));
        set(
            "methodResponses",
            render_responses(&self.options.responses, "statusCode", "responseParameters"),
        );
        set("requestModels", self.models);
        set("requestValidatorId", self.options.request_validator.clone());
        set("integrationToken", self.rendered.token.map(Expr::text));
        map
    }
}
