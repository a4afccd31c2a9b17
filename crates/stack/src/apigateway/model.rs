//! What is checked before a request reaches an integration, and what API Gateway answers by itself.

use cfn::{Builder, Expr, Map, Value, id};
use serde_json::{Value as Json, json};

use super::rest_api::RestApi;
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};

/// The shape of a body, as a JSON schema.
#[derive(Clone)]
pub struct Model {
    construct: Construct,
    resource: CfnResource<cfn::apigateway::Model>,
}

impl Scope for Model {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl Model {
    #[track_caller]
    pub(super) fn new(api: &RestApi, id: impl Into<String>, name: Option<&str>, schema: Json) -> Self {
        const DRAFT: &str = "http://json-schema.org/draft-04/schema#";
        const CONTENT_TYPE: &str = "application/json";
        let construct = Site::new(api, id).make("apigateway.Model");
        let mut schema = schema;
        if let Some(schema) = schema.as_object_mut() {
            schema.entry("$schema").or_insert(json!(DRAFT));
        } else {
            construct.report("a model is a JSON object");
        }
        let properties = cfn::apigateway::Model::new()
            .rest_api_id(api.rest_api_id())
            .content_type(CONTENT_TYPE)
            .schema(schema.clone())
            .when_some(name, cfn::apigateway::Model::name);
        let resource = CfnResource::new(&construct, "Resource", properties);
        let mut content = Content::default();
        content.set("name", name.map(|name| Expr::text(name.to_owned())));
        content.set("restApiId", Some(api.rest_api_id().into_expr()));
        content.set("contentType", Some(CONTENT_TYPE.into()));
        content.set("schema", Some(schema.into()));
        content.add_to(api, "model", &resource);
        Self { construct, resource }
    }

    pub fn model_id(&self) -> Value<String> {
        self.resource.reference().cast()
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigateway::Model> {
        &self.resource
    }
}

/// Which parts of requests are checked.
#[derive(Clone)]
pub struct RequestValidator {
    construct: Construct,
    resource: CfnResource<cfn::apigateway::RequestValidator>,
}

impl Scope for RequestValidator {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl RequestValidator {
    #[track_caller]
    pub(super) fn new(api: &RestApi, id: impl Into<String>, body: bool, parameters: bool) -> Self {
        let construct = Site::new(api, id).make("apigateway.RequestValidator");
        let properties = cfn::apigateway::RequestValidator::new()
            .rest_api_id(api.rest_api_id())
            .validate_request_body(body)
            .validate_request_parameters(parameters);
        let resource = CfnResource::new(&construct, "Resource", properties);
        let mut content = Content::default();
        content.set("restApiId", Some(api.rest_api_id().into_expr()));
        content.set("validateRequestBody", Some(body.into()));
        content.set("validateRequestParameters", Some(parameters.into()));
        content.add_to(api, "validator", &resource);
        Self { construct, resource }
    }

    pub fn request_validator_id(&self) -> Value<id::apigateway::RequestValidatorId> {
        self.resource.reference()
    }
}

/// What API Gateway answers by itself.
#[derive(Clone, Debug)]
pub struct GatewayResponse {
    response_type: String,
    status: Option<String>,
    headers: Vec<(String, String)>,
    templates: Vec<(String, String)>,
}

impl GatewayResponse {
    /// `ACCESS_DENIED`, `DEFAULT_4XX`, `THROTTLED`, …
    pub fn new(response_type: impl Into<String>) -> Self {
        let response_type = response_type.into().to_uppercase();
        Self {
            response_type,
            status: None,
            headers: Vec::new(),
            templates: Vec::new(),
        }
    }

    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status.to_string());
        self
    }

    /// A header; the value is a quoted text or a mapping.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers
            .push((format!("gatewayresponse.header.{name}"), value.into()));
        self
    }

    #[must_use]
    pub fn template(mut self, content_type: impl Into<String>, template: impl Into<String>) -> Self {
        self.templates.push((content_type.into(), template.into()));
        self
    }

    #[track_caller]
    pub(super) fn add_to(&self, api: &RestApi, id: impl Into<String>) {
        let construct = Site::new(api, id).make("apigateway.GatewayResponse");
        let map = |entries: &[(String, String)]| (!entries.is_empty()).then(|| Expr::map(entries.iter().cloned()));
        let mut properties = cfn::apigateway::GatewayResponse::new()
            .rest_api_id(api.rest_api_id())
            .response_type(self.response_type.as_str())
            .when_some(self.status.as_deref(), cfn::apigateway::GatewayResponse::status_code);
        for (key, value) in [
            ("ResponseParameters", map(&self.headers)),
            ("ResponseTemplates", map(&self.templates)),
        ] {
            if let Some(value) = value {
                properties = properties.property(key, value);
            }
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        let mut content = Content::default();
        content.set("restApiId", Some(api.rest_api_id().into_expr()));
        content.set("responseType", Some(Expr::text(self.response_type.clone())));
        content.set("responseParameters", map(&self.headers));
        content.set("responseTemplates", map(&self.templates));
        content.set("statusCode", self.status.clone().map(Expr::text));
        content.add_to(api, "gatewayResponse", &resource);
    }
}

/// What the logical id of a deployment follows, in the words of aws-cdk-lib.
#[derive(Default)]
struct Content(Map);

impl Content {
    fn set(&mut self, key: &'static str, value: Option<Expr>) {
        if let Some(value) = value {
            self.0.insert(key, value);
        }
    }

    fn add_to<T>(self, api: &RestApi, kind: &'static str, resource: &CfnResource<T>) {
        if let Some(deployment) = api.latest_deployment() {
            deployment.construct().add_dependency(resource);
            deployment.add_to_logical_id(Expr::map([(kind, self.0)]));
        }
    }
}
