//! Routes of HTTP APIs: method, path, what answers, and who may ask.

use cfn::{Builder, Expr, Value, id};

use super::http_api::HttpApi;
use super::http_authorizer::HttpAuthorizer;
use super::http_integration::HttpIntegration;
use crate::element::CfnResource;
use crate::iam::{Grant, Grantee};
use crate::site::Site;
use crate::tree::{Construct, Scope};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMethod {
    Any,
    Delete,
    Get,
    Head,
    Options,
    Patch,
    Post,
    Put,
}

impl HttpMethod {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "ANY",
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }

    /// As ARNs and CORS write it.
    pub(super) const fn or_star(self) -> &'static str {
        match self {
            Self::Any => "*",
            other => other.as_str(),
        }
    }
}

/// What answers a route, and who may ask.
#[derive(Clone)]
pub struct HttpRouteOptions {
    integration: HttpIntegration,
    authorizer: Option<HttpAuthorizer>,
    scopes: Option<Vec<String>>,
}

impl HttpRouteOptions {
    pub fn new(integration: &HttpIntegration) -> Self {
        Self {
            integration: integration.clone(),
            authorizer: None,
            scopes: None,
        }
    }

    /// Instead of the API's default one. [`HttpAuthorizer::none`] lets everybody in.
    #[must_use]
    pub fn authorizer(mut self, authorizer: &HttpAuthorizer) -> Self {
        self.authorizer = Some(authorizer.clone());
        self
    }

    /// What a token must be good for, instead of the API's default scopes.
    #[must_use]
    pub fn authorization_scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }
}

impl From<HttpIntegration> for HttpRouteOptions {
    fn from(integration: HttpIntegration) -> Self {
        Self::new(&integration)
    }
}

impl From<&HttpIntegration> for HttpRouteOptions {
    fn from(integration: &HttpIntegration) -> Self {
        Self::new(integration)
    }
}

/// A route of an HTTP API.
#[derive(Clone)]
pub struct HttpRoute {
    construct: Construct,
    resource: CfnResource<cfn::apigatewayv2::Route>,
    api: HttpApi,
    method: HttpMethod,
    path: Option<String>,
    signed: bool,
}

impl Scope for HttpRoute {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl HttpRoute {
    /// What answers when no other route does.
    #[track_caller]
    pub(super) fn of_default(api: &HttpApi, integration: &HttpIntegration) -> Self {
        let options = HttpRouteOptions::new(integration);
        Self::make(Site::new(api, "DefaultRoute"), api, HttpMethod::Any, None, &options)
    }

    #[track_caller]
    pub(super) fn of_path(api: &HttpApi, method: HttpMethod, path: &str, options: &HttpRouteOptions) -> Self {
        let id = format!("{}{path}", method.as_str());
        Self::make(Site::new(api, id), api, method, Some(path), options)
    }

    fn make(site: Site, api: &HttpApi, method: HttpMethod, path: Option<&str>, options: &HttpRouteOptions) -> Self {
        let construct = site.make("apigatewayv2.HttpRoute");
        if path.is_some_and(|path| path != "/" && (!path.starts_with('/') || path.ends_with('/'))) {
            construct.report(format!(
                "the path `{}` of a route begins with `/` and does not end with it",
                path.unwrap_or_default()
            ));
        }
        let integration = options.integration.bind(api, &construct, path);
        let authorizer = options.authorizer.as_ref().or(api.inner.default_authorizer.as_ref());
        let key = path.map_or_else(|| "$default".to_owned(), |path| format!("{} {path}", method.as_str()));
        let target = Expr::concat(["integrations/".into(), integration]);
        let mut properties = cfn::apigatewayv2::Route::new()
            .api_id(api.api_id())
            .route_key(key)
            .target(target.cast::<String>());
        let authorization = authorizer.map(|authorizer| authorizer.bind(api));
        let kind = authorization
            .as_ref()
            .map_or("NONE", |authorization| authorization.kind);
        properties = properties.authorization_type(kind);
        if let Some(authorization) = authorization {
            properties = properties.when_some(
                authorization
                    .authorizer
                    .map(|id| id.cast::<id::apigatewayv2::AuthorizerId>()),
                |properties, id| properties.authorizer_id(id),
            );
            let mut scopes: Vec<String> = Vec::new();
            for scope in options.scopes.as_ref().unwrap_or(&api.inner.default_scopes) {
                if !scopes.contains(scope) {
                    scopes.push(scope.clone());
                }
            }
            if !scopes.is_empty() {
                properties = properties.authorization_scopes(scopes);
            }
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        Self {
            construct,
            resource,
            api: api.clone(),
            method,
            path: path.map(str::to_owned),
            signed: kind == "AWS_IAM",
        }
    }

    pub fn route_id(&self) -> Value<id::apigatewayv2::RouteId> {
        self.resource.reference().cast()
    }

    /// The route as policies name it, in every stage.
    pub fn route_arn(&self) -> Value<String> {
        self.arn(self.method).cast()
    }

    fn arn(&self, method: HttpMethod) -> Expr {
        let path = self.path.as_deref().unwrap_or("/");
        let path = match (path.find('{'), path.find('}')) {
            (Some(start), Some(end)) if start < end => format!("{}*", &path[..start]),
            _ => path.to_owned(),
        };
        self.api.execute_arn(format!("*/{}{path}", method.or_star()).into())
    }

    /// To call the route, which needs [`HttpAuthorizer::iam`].
    pub fn grant_invoke(&self, grantee: impl Into<Grantee>) {
        self.grant_invoke_with(grantee, [self.method]);
    }

    /// As [`HttpRoute::grant_invoke`], with these methods of a route for any.
    pub fn grant_invoke_with(&self, grantee: impl Into<Grantee>, methods: impl IntoIterator<Item = HttpMethod>) {
        if !self.signed {
            self.construct
                .report("a route is granted only if IAM authorizes it; give it `HttpAuthorizer::iam`");
        }
        let mut granted: Vec<HttpMethod> = Vec::new();
        for method in methods {
            if self.method != HttpMethod::Any && method != self.method {
                self.construct.report(format!(
                    "the route is for {} only, so {} cannot be granted",
                    self.method.as_str(),
                    method.as_str()
                ));
            }
            if !granted.contains(&method) {
                granted.push(method);
            }
        }
        let arns = granted.into_iter().map(|method| self.arn(method));
        Grant::new(["execute-api:Invoke"], arns).to(&grantee.into(), |_| {
            self.construct.report("routes are granted to identities only");
        });
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigatewayv2::Route> {
        &self.resource
    }
}
