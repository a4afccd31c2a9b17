//! What stands behind a route of a WebSocket API.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cfn::{Builder, Expr, IntoValue, Map, Value};

use super::websocket_api::WebSocketApi;
use super::{api_gateway, invocation_uri};
use crate::element::CfnResource;
use crate::iam::Role;
use crate::lambda::{Invocable, Permission};
use crate::site::Site;
use crate::tree::{Construct, Scope as _};

/// How long an integration may take, in milliseconds.
pub(super) const TIMEOUT: std::ops::RangeInclusive<u128> = 50..=29_000;

/// What becomes of bodies on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentHandling {
    ConvertToBinary,
    ConvertToText,
}

/// What becomes of messages that no template is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassthroughBehavior {
    WhenNoMatch,
    Never,
    WhenNoTemplates,
}

#[derive(Clone)]
enum Kind {
    Lambda(Rc<dyn Invocable>),
    Mock,
    Aws {
        uri: Expr,
        method: String,
        role: Option<Box<Role>>,
    },
}

/// A function, a service of AWS, or nothing. It is made with the first route that uses it, and others can use it then.
#[derive(Clone)]
pub struct WebSocketIntegration {
    id: String,
    kind: Kind,
    timeout: Option<Duration>,
    content_handling: Option<ContentHandling>,
    passthrough_behavior: Option<PassthroughBehavior>,
    request_parameters: Map,
    request_templates: Map,
    template_selection_expression: Option<String>,
    bound: Rc<RefCell<Option<Bound>>>,
}

struct Bound {
    api: Construct,
    integration: Expr,
}

impl WebSocketIntegration {
    fn new(id: impl Into<String>, kind: Kind) -> Self {
        Self {
            id: id.into(),
            kind,
            timeout: None,
            content_handling: None,
            passthrough_behavior: None,
            request_parameters: Map::new(),
            request_templates: Map::new(),
            template_selection_expression: None,
            bound: Rc::default(),
        }
    }

    /// A function gets each message.
    pub fn lambda(id: impl Into<String>, handler: &(impl Invocable + Clone + 'static)) -> Self {
        Self::new(id, Kind::Lambda(Rc::new(handler.clone())))
    }

    /// API Gateway answers itself.
    pub fn mock(id: impl Into<String>) -> Self {
        Self::new(id, Kind::Mock)
    }

    /// An action of a service: `arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem`, called with `POST`.
    pub fn aws(id: impl Into<String>, uri: impl IntoValue<String>, method: impl Into<String>) -> Self {
        let kind = Kind::Aws {
            uri: uri.into_value().into_expr(),
            method: method.into(),
            role: None,
        };
        Self::new(id, kind)
    }

    /// As which the service is called; of [`WebSocketIntegration::aws`].
    #[must_use]
    pub fn credentials_role(mut self, role: &Role) -> Self {
        if let Kind::Aws { role: slot, .. } = &mut self.kind {
            *slot = Some(Box::new(role.clone()));
        }
        self
    }

    /// 50 milliseconds to 29 seconds, the latter if nothing is said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    #[must_use]
    pub fn content_handling(mut self, handling: ContentHandling) -> Self {
        self.content_handling = Some(handling);
        self
    }

    #[must_use]
    pub fn passthrough_behavior(mut self, behavior: PassthroughBehavior) -> Self {
        self.passthrough_behavior = Some(behavior);
        self
    }

    /// `integration.request.header.Content-Type` from `'application/x-www-form-urlencoded'`.
    #[must_use]
    pub fn request_parameter(mut self, name: impl Into<String>, from: impl IntoValue<String>) -> Self {
        self.request_parameters.insert(name.into(), from.into_value());
        self
    }

    /// What is made of a message whose template selection expression yields `key`.
    #[must_use]
    pub fn request_template(mut self, key: impl Into<String>, template: impl IntoValue<String>) -> Self {
        self.request_templates.insert(key.into(), template.into_value());
        self
    }

    /// `\$default`, or which part of the message chooses the template.
    #[must_use]
    pub fn template_selection_expression(mut self, expression: impl Into<String>) -> Self {
        self.template_selection_expression = Some(expression.into());
        self
    }

    /// Its id, for a route of this API.
    pub(super) fn bind(&self, api: &WebSocketApi, route: &Construct, key: &str) -> Expr {
        if let Kind::Lambda(handler) = &self.kind {
            let arn = api.execute_arn(format!("*{key}").into());
            let permission = Permission::new(api_gateway()).source_arn(arn.cast::<String>());
            handler.add_permission_in(route, &format!("{}-Permission", self.id), &permission);
        }
        let mut bound = self.bound.borrow_mut();
        if let Some(bound) = &*bound {
            if !bound.api.is(api.construct()) {
                route.report("an integration belongs to one API; make another for this one");
            }
            return bound.integration.clone();
        }
        let integration = self.make(api, route);
        *bound = Some(Bound {
            api: api.construct().clone(),
            integration: integration.clone(),
        });
        integration
    }

    fn make(&self, api: &WebSocketApi, route: &Construct) -> Expr {
        let construct = Site::new(route, self.id.as_str()).make("apigatewayv2.WebSocketIntegration");
        if self
            .timeout
            .is_some_and(|timeout| !TIMEOUT.contains(&timeout.as_millis()))
        {
            construct.report("an integration takes between 50 milliseconds and 29 seconds");
        }
        type Integration = cfn::apigatewayv2::Integration<cfn::Set, cfn::Set>;
        let properties = cfn::apigatewayv2::Integration::new().api_id(api.api_id());
        let properties: Integration = match &self.kind {
            Kind::Lambda(handler) => {
                let uri: Value<String> = invocation_uri(route, handler.as_ref()).cast();
                properties.integration_type("AWS_PROXY").integration_uri(uri)
            }
            Kind::Mock => properties.integration_type("MOCK").integration_uri(""),
            Kind::Aws { uri, method, role } => properties
                .integration_type("AWS")
                .integration_uri(uri.clone().cast::<String>())
                .integration_method(method.as_str())
                .when_some(role.as_ref().map(|role| role.role_arn()), Integration::credentials_arn),
        };
        let map = |map: &Map| (!map.is_empty()).then(|| Expr::Map(map.clone()).cast());
        let handling = self.content_handling.map(|handling| match handling {
            ContentHandling::ConvertToBinary => "CONVERT_TO_BINARY",
            ContentHandling::ConvertToText => "CONVERT_TO_TEXT",
        });
        let behavior = self.passthrough_behavior.map(|behavior| match behavior {
            PassthroughBehavior::WhenNoMatch => "WHEN_NO_MATCH",
            PassthroughBehavior::Never => "NEVER",
            PassthroughBehavior::WhenNoTemplates => "WHEN_NO_TEMPLATES",
        });
        let milliseconds = |timeout: Duration| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        let properties = properties
            .when_some(self.timeout.map(milliseconds), Integration::timeout_in_millis)
            .when_some(handling, Integration::content_handling_strategy)
            .when_some(behavior, Integration::passthrough_behavior)
            .when_some(
                self.template_selection_expression.as_deref(),
                Integration::template_selection_expression,
            )
            .when_some(
                map(&self.request_parameters),
                |properties, map: Value<cfn::MapOf<String>>| properties.request_parameters(map),
            )
            .when_some(
                map(&self.request_templates),
                |properties, map: Value<cfn::MapOf<String>>| properties.request_templates(map),
            );
        CfnResource::new(&construct, "Resource", properties)
            .reference()
            .into_expr()
    }
}
