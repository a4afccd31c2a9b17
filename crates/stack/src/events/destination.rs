//! Addresses outside of AWS as targets of rules: how EventBridge signs in there, and where it posts to.

use cfn::{Expr, IntoValue, Map, Value};

use super::DeliveryRole;
use crate::element::CfnResource;
use crate::iam::Role;
use crate::site::Site;
use crate::tree::{Construct, Scope};

/// How EventBridge signs in. Secrets are taken as references to where they are kept:
/// `{{resolve:secretsmanager:partner:SecretString:key}}`.
#[derive(Clone, Debug)]
pub enum Authorization {
    ApiKey {
        name: String,
        value: Expr,
    },
    Basic {
        user: String,
        password: Expr,
    },
    /// Client credentials of OAuth 2.
    OAuth {
        endpoint: String,
        http_method: String,
        client_id: String,
        client_secret: Expr,
    },
}

impl Authorization {
    pub fn api_key(name: impl Into<String>, value: impl IntoValue<String>) -> Self {
        Self::ApiKey {
            name: name.into(),
            value: value.into_value().into_expr(),
        }
    }

    pub fn basic(user: impl Into<String>, password: impl IntoValue<String>) -> Self {
        Self::Basic {
            user: user.into(),
            password: password.into_value().into_expr(),
        }
    }

    pub fn oauth(
        endpoint: impl Into<String>,
        http_method: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl IntoValue<String>,
    ) -> Self {
        Self::OAuth {
            endpoint: endpoint.into(),
            http_method: http_method.into(),
            client_id: client_id.into(),
            client_secret: client_secret.into_value().into_expr(),
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::ApiKey { .. } => "API_KEY",
            Self::Basic { .. } => "BASIC",
            Self::OAuth { .. } => "OAUTH_CLIENT_CREDENTIALS",
        }
    }

    fn render(&self, parameters: &mut Map) {
        match self {
            Self::ApiKey { name, value } => {
                let key = [("ApiKeyName", name.clone().into()), ("ApiKeyValue", value.clone())];
                parameters.insert("ApiKeyAuthParameters", Expr::map(key));
            }
            Self::Basic { user, password } => {
                let basic = [("Password", password.clone()), ("Username", user.clone().into())];
                parameters.insert("BasicAuthParameters", Expr::map(basic));
            }
            Self::OAuth {
                endpoint,
                http_method,
                client_id,
                client_secret,
            } => {
                let client = Expr::map([
                    ("ClientID", client_id.clone().into()),
                    ("ClientSecret", client_secret.clone()),
                ]);
                let oauth = [
                    ("AuthorizationEndpoint", endpoint.clone().into()),
                    ("ClientParameters", client),
                    ("HttpMethod", http_method.clone().into()),
                ];
                parameters.insert("OAuthParameters", Expr::map(oauth));
            }
        }
    }
}

/// A value that goes with every request.
#[derive(Clone, Debug)]
pub struct HttpParameter {
    value: Expr,
    is_secret: bool,
}

impl HttpParameter {
    pub fn text(value: impl Into<String>) -> Self {
        Self {
            value: Expr::text(value.into()),
            is_secret: false,
        }
    }

    /// Never shown by EventBridge.
    pub fn secret(value: impl IntoValue<String>) -> Self {
        Self {
            value: value.into_value().into_expr(),
            is_secret: true,
        }
    }
}

/// How EventBridge signs in somewhere.
#[derive(Clone)]
pub struct Connection {
    construct: Construct,
    resource: CfnResource<cfn::events::Connection>,
}

impl Scope for Connection {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct ConnectionBuilder {
    site: Site,
    authorization: Authorization,
    properties: cfn::events::Connection,
    body: Vec<(String, HttpParameter)>,
    headers: Vec<(String, HttpParameter)>,
    query: Vec<(String, HttpParameter)>,
}

impl ConnectionBuilder {
    pub fn connection_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.name(name);
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    pub fn header(mut self, name: impl Into<String>, value: HttpParameter) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    pub fn body_parameter(mut self, name: impl Into<String>, value: HttpParameter) -> Self {
        self.body.push((name.into(), value));
        self
    }

    pub fn query_string(mut self, name: impl Into<String>, value: HttpParameter) -> Self {
        self.query.push((name.into(), value));
        self
    }

    pub fn build(self) -> Connection {
        let construct = self.site.make("events.Connection");
        let mut parameters = Map::new();
        self.authorization.render(&mut parameters);
        let mut request = Map::new();
        for (part, values) in [
            ("BodyParameters", &self.body),
            ("HeaderParameters", &self.headers),
            ("QueryStringParameters", &self.query),
        ] {
            if !values.is_empty() {
                request.insert(part, Expr::List(values.iter().map(parameter).collect()));
            }
        }
        if !request.is_empty() {
            parameters.insert("InvocationHttpParameters", request);
        }
        let properties = self.properties.authorization_type(self.authorization.kind());
        let resource = CfnResource::new(&construct, "Connection", properties);
        resource.set("AuthParameters", Some(parameters.into()));
        Connection { construct, resource }
    }
}

fn parameter((name, parameter): &(String, HttpParameter)) -> Expr {
    Expr::map([
        ("IsValueSecret", parameter.is_secret.into()),
        ("Key", name.clone().into()),
        ("Value", parameter.value.clone()),
    ])
}

impl Connection {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, authorization: Authorization) -> ConnectionBuilder {
        ConnectionBuilder {
            site: Site::new(scope, id),
            authorization,
            properties: cfn::events::Connection::new(),
            body: Vec::new(),
            headers: Vec::new(),
            query: Vec::new(),
        }
    }

    pub fn connection_arn(&self) -> Value<String> {
        self.resource.arn().cast()
    }

    pub fn resource(&self) -> &CfnResource<cfn::events::Connection> {
        &self.resource
    }
}

/// An address outside of AWS.
#[derive(Clone)]
pub struct ApiDestination {
    construct: Construct,
    resource: CfnResource<cfn::events::ApiDestination>,
    role: DeliveryRole,
}

impl Scope for ApiDestination {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct ApiDestinationBuilder {
    site: Site,
    connection: Connection,
    endpoint: Value<String>,
    http_method: String,
    properties: cfn::events::ApiDestination,
}

impl ApiDestinationBuilder {
    pub fn api_destination_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.name(name);
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    /// `POST` if nothing is said.
    pub fn http_method(mut self, method: impl Into<String>) -> Self {
        self.http_method = method.into();
        self
    }

    /// Requests a second at most.
    pub fn rate_limit_per_second(mut self, count: u32) -> Self {
        self.properties = self.properties.invocation_rate_limit_per_second(count);
        self
    }

    pub fn build(self) -> ApiDestination {
        let construct = self.site.make("events.ApiDestination");
        let properties = self
            .properties
            .connection_arn(self.connection.connection_arn())
            .http_method(self.http_method)
            .invocation_endpoint(self.endpoint);
        let resource = CfnResource::new(&construct, "ApiDestination", properties);
        ApiDestination {
            construct,
            resource,
            role: DeliveryRole::default(),
        }
    }
}

impl ApiDestination {
    /// `endpoint` is an HTTPS address; `*` in it is filled in by the target.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        connection: &Connection,
        endpoint: impl IntoValue<String>,
    ) -> ApiDestinationBuilder {
        ApiDestinationBuilder {
            site: Site::new(scope, id),
            connection: connection.clone(),
            endpoint: endpoint.into_value(),
            http_method: "POST".into(),
            properties: cfn::events::ApiDestination::new(),
        }
    }

    pub fn api_destination_arn(&self) -> Value<String> {
        self.resource.arn().cast()
    }

    pub fn resource(&self) -> &CfnResource<cfn::events::ApiDestination> {
        &self.resource
    }

    pub(super) fn delivery_role(&self) -> &Role {
        self.role.of(&self.construct)
    }
}
