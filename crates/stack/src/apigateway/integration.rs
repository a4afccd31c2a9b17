//! What stands behind a method: a function, another server, or nothing.

use std::rc::Rc;
use std::time::Duration;

use cfn::{Expr, IntoValue, Map, Value};

use super::resource::Resource;
use crate::iam::Principal;
use crate::lambda::{GivenName, Invocable, Permission};
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};

/// Any of them.
#[derive(Clone)]
pub enum Integration {
    Lambda(LambdaIntegration),
    Mock(MockIntegration),
    Http(HttpIntegration),
}

/// An integration as a method needs it.
pub(super) struct Rendered {
    /// As in the template.
    pub(super) integration: Expr,
    /// As the logical id of a deployment follows it.
    pub(super) content: Expr,
    pub(super) token: Option<String>,
}

impl Integration {
    pub(super) fn bind(&self, method: &Construct, at: &Resource, http_method: &str) -> Rendered {
        match self {
            Self::Lambda(integration) => integration.bind(method, at, http_method),
            Self::Mock(integration) => integration.0.render("MOCK", None, None, None),
            Self::Http(integration) => {
                let kind = if integration.proxy { "HTTP_PROXY" } else { "HTTP" };
                let uri = Expr::text(integration.url.clone());
                integration
                    .options
                    .render(kind, Some(uri), Some(integration.http_method.clone()), None)
            }
        }
    }
}

macro_rules! integration {
    ($($variant:ident($type:ident)),*) => { $(
        impl From<$type> for Integration {
            fn from(integration: $type) -> Self {
                Self::$variant(integration)
            }
        }
    )* };
}
integration!(Lambda(LambdaIntegration), Mock(MockIntegration), Http(HttpIntegration));

/// What all integrations can say. Keys come in pairs: as in the template, and as aws-cdk-lib hashes them.
#[derive(Clone, Default)]
struct Options {
    request_parameters: Vec<(String, Expr)>,
    request_templates: Vec<(String, Expr)>,
    passthrough_behavior: Option<String>,
    responses: Vec<Response>,
    timeout: Option<Duration>,
}

/// An answer that an integration maps to.
#[derive(Clone, Default)]
struct Response {
    status: String,
    headers: Vec<(String, Expr)>,
    /// By content type.
    bodies: Vec<(String, Expr)>,
}

impl Options {
    fn render(
        &self,
        kind: &'static str,
        uri: Option<Expr>,
        http_method: Option<String>,
        token: Option<String>,
    ) -> Rendered {
        let (mut integration, mut content) = (Map::new(), Map::new());
        let mut set = |key: &'static str, hashed: &'static str, value: Option<Expr>| {
            if let Some(value) = value {
                integration.insert(key, value.clone());
                content.insert(hashed, value);
            }
        };
        let map = |entries: &[(String, Expr)]| (!entries.is_empty()).then(|| Expr::map(entries.iter().cloned()));
        set("Type", "type", Some(kind.into()));
        set("Uri", "uri", uri);
        set(
            "IntegrationHttpMethod",
            "integrationHttpMethod",
            http_method.map(Expr::text),
        );
        set("RequestParameters", "requestParameters", map(&self.request_parameters));
        set("RequestTemplates", "requestTemplates", map(&self.request_templates));
        set(
            "PassthroughBehavior",
            "passthroughBehavior",
            self.passthrough_behavior.clone().map(Expr::text),
        );
        let milliseconds = self
            .timeout
            .map(|timeout| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
        if !self.responses.is_empty() {
            integration.insert(
                "IntegrationResponses",
                self.render_responses(["StatusCode", "ResponseParameters", "ResponseTemplates"]),
            );
            content.insert(
                "integrationResponses",
                self.render_responses(["statusCode", "responseParameters", "responseTemplates"]),
            );
        }
        if let Some(milliseconds) = milliseconds {
            integration.insert("TimeoutInMillis", milliseconds);
            content.insert("timeoutInMillis", milliseconds);
        }
        integration.sort_keys();
        Rendered {
            integration: integration.into(),
            content: content.into(),
            token,
        }
    }

    fn render_responses(&self, [status, parameters, templates]: [&'static str; 3]) -> Expr {
        let render = |response: &Response| {
            let mut map = Map::new();
            map.insert(status, response.status.clone());
            if !response.headers.is_empty() {
                map.insert(parameters, Expr::map(response.headers.iter().cloned()));
            }
            if !response.bodies.is_empty() {
                map.insert(templates, Expr::map(response.bodies.iter().cloned()));
            }
            Expr::Map(map)
        };
        Expr::List(self.responses.iter().map(render).collect())
    }
}

/// A function answers.
#[derive(Clone)]
pub struct LambdaIntegration {
    handler: Rc<dyn Invocable>,
    options: Options,
    proxy: bool,
    allow_test_invoke: bool,
    /// Through `${stageVariables.color}`: whoever makes the integration gives the permissions.
    through_stage_variable: Option<String>,
}

impl LambdaIntegration {
    /// The whole request goes to the function, and its answer is the response.
    pub fn new(handler: &(impl Invocable + Clone + 'static)) -> Self {
        Self {
            handler: Rc::new(handler.clone()),
            options: Options::default(),
            proxy: true,
            allow_test_invoke: true,
            through_stage_variable: None,
        }
    }

    /// At most 29 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Whether the console may try the method out; it may if nothing is said.
    #[must_use]
    pub fn allow_test_invoke(mut self, on: bool) -> Self {
        self.allow_test_invoke = on;
        self
    }

    /// Calls the alias that is named by a variable of the stage. It gives no permission: each alias needs its own.
    #[must_use]
    pub fn through_stage_variable(mut self, name: impl Into<String>) -> Self {
        self.through_stage_variable = Some(name.into());
        self
    }

    fn bind(&self, method: &Construct, at: &Resource, http_method: &str) -> Rendered {
        let qualifier = self
            .through_stage_variable
            .as_ref()
            .map(|name| format!(":${{stageVariables.{name}}}"));
        let arn = [
            self.handler.invocable_arn().into_expr(),
            Expr::text(qualifier.unwrap_or_default()),
        ];
        let path = Expr::concat(
            ["2015-03-31/functions/".into()]
                .into_iter()
                .chain(arn)
                .chain(["/invocations".into()]),
        );
        let uri = Stack::of(method).format_arn(Arn::new("apigateway", "path").account("lambda").name(path));
        if self.through_stage_variable.is_none() {
            self.permit(method, at, http_method);
        }
        let token = match self.handler.given_name() {
            GivenName::Given(name) => Some(serde_json::json!({ "functionName": name }).to_string()),
            GivenName::None | GivenName::Unknown => None,
        };
        let kind = if self.proxy { "AWS_PROXY" } else { "AWS" };
        self.options.render(kind, Some(uri), Some("POST".into()), token)
    }

    fn permit(&self, method: &Construct, at: &Resource, http_method: &str) {
        let api = at.api().clone();
        let subject = format!(
            "{}.{http_method}.{}",
            api.construct().unique_id(),
            at.path().replace('/', ".")
        );
        let path = path_for_arn(at.path());
        let principal = || Permission::new(Principal::service("apigateway.amazonaws.com"));
        let permission = self
            .handler
            .add_permission_in(method, &format!("ApiPermission.{subject}"), &principal());
        if self.allow_test_invoke {
            let arn = api.arn_for_execute_api(http_method, &path, "test-invoke-stage");
            let id = format!("ApiPermission.Test.{subject}");
            self.handler
                .add_permission_in(method, &id, &principal().source_arn(arn));
        }
        // The stage may be made after the method.
        let http_method = http_method.to_owned();
        method.on_synth(move || {
            let stage = api
                .deployment_stage()
                .map_or_else(|| "*".into(), |stage| stage.stage_name().into_expr());
            let arn = api.arn_for_execute_api(&http_method, &path, stage);
            permission.set("SourceArn", Some(arn.into_expr()));
        });
    }
}

/// `/analytics/{id}` as `/analytics/*`.
pub(super) fn path_for_arn(path: &str) -> String {
    let mut pattern = String::new();
    let mut inside = false;
    for character in path.chars() {
        match character {
            '{' => {
                inside = true;
                pattern.push('*');
            }
            '}' => inside = false,
            other if !inside => pattern.push(other),
            _ => {}
        }
    }
    pattern
}

/// API Gateway answers itself.
#[derive(Clone, Default)]
pub struct MockIntegration(Options);

impl MockIntegration {
    pub fn new() -> Self {
        Self::default()
    }

    /// `application/json` to `{"statusCode": 200}`: which of the responses it is.
    #[must_use]
    pub fn request_template(mut self, content_type: impl Into<String>, template: impl IntoValue<String>) -> Self {
        self.0
            .request_templates
            .push((content_type.into(), template.into_value().into_expr()));
        self
    }

    /// A response with a body.
    #[must_use]
    pub fn response(mut self, status: u16, content_type: impl Into<String>, template: impl IntoValue<String>) -> Self {
        let template: Value<String> = template.into_value();
        let bodies = vec![(content_type.into(), template.into_expr())];
        self.0.responses.push(Response {
            status: status.to_string(),
            bodies,
            ..Response::default()
        });
        self
    }

    pub(super) fn full_response(
        mut self,
        status: u16,
        headers: impl IntoIterator<Item = (String, String)>,
        body: Option<(String, String)>,
    ) -> Self {
        self = self.response_with_headers(status, headers);
        if let Some(response) = self.0.responses.last_mut() {
            response
                .bodies
                .extend(body.map(|(content_type, template)| (content_type, Expr::text(template))));
        }
        self
    }

    /// A response with headers, whose values are quoted texts or mappings.
    #[must_use]
    pub fn response_with_headers(mut self, status: u16, headers: impl IntoIterator<Item = (String, String)>) -> Self {
        let name = |name: String| format!("method.response.header.{name}");
        let headers = headers
            .into_iter()
            .map(|(header, value)| (name(header), Expr::text(value)))
            .collect();
        self.0.responses.push(Response {
            status: status.to_string(),
            headers,
            ..Response::default()
        });
        self
    }
}

/// Another server answers.
#[derive(Clone)]
pub struct HttpIntegration {
    url: String,
    http_method: String,
    proxy: bool,
    options: Options,
}

impl HttpIntegration {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            http_method: "GET".into(),
            proxy: true,
            options: Options::default(),
        }
    }

    #[must_use]
    pub fn http_method(mut self, http_method: impl Into<String>) -> Self {
        self.http_method = http_method.into();
        self
    }

    /// `integration.request.path.proxy` from `method.request.path.proxy`.
    #[must_use]
    pub fn request_parameter(mut self, name: impl Into<String>, from: impl IntoValue<String>) -> Self {
        self.options
            .request_parameters
            .push((name.into(), from.into_value().into_expr()));
        self
    }
}
