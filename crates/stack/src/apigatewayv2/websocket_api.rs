//! WebSocket APIs and what answers their messages.

use cfn::{Builder, Expr, IntoValue, Value, id};

use super::stage::IpAddressType;
use super::websocket_authorizer::WebSocketAuthorizer;
use super::websocket_integration::WebSocketIntegration;
use crate::cloudwatch::Metric;
use crate::element::CfnResource;
use crate::iam::{Grant, Grantee};
use crate::site::Site;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};

const CONNECT: &str = "$connect";

#[derive(Clone)]
pub struct WebSocketApi {
    construct: Construct,
    resource: CfnResource<cfn::apigatewayv2::Api>,
}

impl Scope for WebSocketApi {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct WebSocketApiBuilder {
    site: Site,
    name: Option<Expr>,
    properties: cfn::apigatewayv2::Api,
    routes: Vec<(&'static str, WebSocketRouteOptions)>,
}

impl WebSocketApiBuilder {
    /// The construct's id if nothing is said.
    pub fn api_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    /// Which part of a message names its route: `$request.body.action` if nothing is said.
    pub fn route_selection_expression(mut self, expression: impl IntoValue<String>) -> Self {
        self.properties = self.properties.route_selection_expression(expression);
        self
    }

    /// Where the API key stands: `$request.header.x-api-key`, or `$context.authorizer.usageIdentifierKey`.
    pub fn api_key_selection_expression(mut self, expression: impl IntoValue<String>) -> Self {
        self.properties = self.properties.api_key_selection_expression(expression);
        self
    }

    pub fn ip_address_type(mut self, kind: IpAddressType) -> Self {
        self.properties = self.properties.ip_address_type(kind.as_str());
        self
    }

    pub fn disable_schema_validation(mut self, on: bool) -> Self {
        self.properties = self.properties.disable_schema_validation(on);
        self
    }

    /// What is asked when somebody connects.
    pub fn connect_route(mut self, route: impl Into<WebSocketRouteOptions>) -> Self {
        self.routes.push((CONNECT, route.into()));
        self
    }

    /// What learns that somebody has gone.
    pub fn disconnect_route(mut self, route: impl Into<WebSocketRouteOptions>) -> Self {
        self.routes.push(("$disconnect", route.into()));
        self
    }

    /// What answers messages that no other route is for.
    pub fn default_route(mut self, route: impl Into<WebSocketRouteOptions>) -> Self {
        self.routes.push(("$default", route.into()));
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::apigatewayv2::Api) -> cfn::apigatewayv2::Api) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> WebSocketApi {
        let name = self.name.unwrap_or_else(|| Expr::text(self.site.id().to_owned()));
        let construct = self.site.make("apigatewayv2.WebSocketApi");
        let properties = self.properties.name(name.cast::<String>()).protocol_type("WEBSOCKET");
        let resource = CfnResource::new(&construct, "Resource", properties);
        let api = WebSocketApi { construct, resource };
        for (key, route) in self.routes {
            api.add_route(key, route);
        }
        api
    }
}

/// What answers a route, and who may use it.
#[derive(Clone)]
pub struct WebSocketRouteOptions {
    integration: WebSocketIntegration,
    authorizer: Option<WebSocketAuthorizer>,
    api_key_required: Option<bool>,
    return_response: bool,
}

impl WebSocketRouteOptions {
    pub fn new(integration: &WebSocketIntegration) -> Self {
        Self {
            integration: integration.clone(),
            authorizer: None,
            api_key_required: None,
            return_response: false,
        }
    }

    /// Of the route that is asked when somebody connects only.
    #[must_use]
    pub fn authorizer(mut self, authorizer: &WebSocketAuthorizer) -> Self {
        self.authorizer = Some(authorizer.clone());
        self
    }

    #[must_use]
    pub fn api_key_required(mut self, on: bool) -> Self {
        self.api_key_required = Some(on);
        self
    }

    /// The answer of the integration goes back to the client.
    #[must_use]
    pub fn return_response(mut self) -> Self {
        self.return_response = true;
        self
    }
}

impl From<WebSocketIntegration> for WebSocketRouteOptions {
    fn from(integration: WebSocketIntegration) -> Self {
        Self::new(&integration)
    }
}

impl From<&WebSocketIntegration> for WebSocketRouteOptions {
    fn from(integration: &WebSocketIntegration) -> Self {
        Self::new(integration)
    }
}

/// Messages of one kind.
#[derive(Clone)]
pub struct WebSocketRoute {
    construct: Construct,
    resource: CfnResource<cfn::apigatewayv2::Route>,
}

impl Scope for WebSocketRoute {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl WebSocketRoute {
    pub fn route_id(&self) -> Value<id::apigatewayv2::RouteId> {
        self.resource.reference().cast()
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigatewayv2::Route> {
        &self.resource
    }
}

impl WebSocketApi {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> WebSocketApiBuilder {
        WebSocketApiBuilder {
            site: Site::new(scope, id),
            name: None,
            properties: cfn::apigatewayv2::Api::new().route_selection_expression("$request.body.action"),
            routes: Vec::new(),
        }
    }

    /// Messages whose route selection expression yields `key`.
    #[track_caller]
    pub fn add_route(&self, key: &str, options: impl Into<WebSocketRouteOptions>) -> WebSocketRoute {
        let options = options.into();
        let construct = Site::new(self, format!("{key}-Route")).make("apigatewayv2.WebSocketRoute");
        if key != CONNECT && options.authorizer.is_some() {
            construct.report("only who connects is authorized; set the authorizer on the connect route");
        }
        let integration = options.integration.bind(self, &construct, key);
        let target = Expr::concat(["integrations/".into(), integration]);
        let mut properties = cfn::apigatewayv2::Route::new()
            .api_id(self.api_id())
            .route_key(key)
            .target(target.cast::<String>())
            .when_some(options.api_key_required, cfn::apigatewayv2::Route::api_key_required);
        properties = match &options.authorizer {
            None => properties.authorization_type("NONE"),
            Some(authorizer) => authorizer.authorize(self, properties),
        };
        if options.return_response {
            properties = properties.route_response_selection_expression("$default");
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        let route = WebSocketRoute { construct, resource };
        if options.return_response {
            let response = cfn::apigatewayv2::RouteResponse::new()
                .api_id(self.api_id())
                .route_id(route.route_id())
                .route_response_key("$default");
            CfnResource::new(&route, "Response", response);
        }
        route
    }

    pub fn api_id(&self) -> Value<id::apigatewayv2::ApiId> {
        self.resource.reference().cast()
    }

    /// `wss://…`, without a stage.
    pub fn api_endpoint(&self) -> Value<String> {
        self.resource.api_endpoint()
    }

    /// A route of a stage as policies name it; `*` stands for any.
    pub fn arn_for_execute_api(&self, route: &str, stage: &str) -> Value<String> {
        self.execute_arn(format!("{stage}/{route}").into()).cast()
    }

    /// `name` is what stands behind the id of the API.
    pub(super) fn execute_arn(&self, name: Expr) -> Expr {
        Stack::of(self).format_arn(Arn::new("execute-api", self.api_id().into_expr()).name(name))
    }

    /// To send to clients of every stage, and to cut them off.
    pub fn grant_manage_connections(&self, grantee: impl Into<Grantee>) {
        self.grant_connections("*".into(), &grantee.into());
    }

    pub(super) fn grant_connections(&self, stage: Expr, grantee: &Grantee) {
        let name = Expr::concat([stage, "/*/@connections/*".into()]);
        Grant::new(["execute-api:ManageConnections"], [self.execute_arn(name)]).to(grantee, |_| {
            self.construct
                .report("the connections of a WebSocket API are granted to roles only");
        });
    }

    /// A metric of `AWS/ApiGateway` about this API.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/ApiGateway", name)
            .dimension("ApiId", self.api_id())
            .attached_to(&self.construct)
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigatewayv2::Api> {
        &self.resource
    }
}
