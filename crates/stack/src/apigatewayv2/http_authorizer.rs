//! Who may call a route of an HTTP API.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cfn::apigatewayv2::authorizer;
use cfn::{Expr, IntoValue};

use super::http_api::HttpApi;
use super::{api_gateway, invocation_uri};
use crate::element::CfnResource;
use crate::iam::Role;
use crate::lambda::{Invocable, Permission};
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope as _};
use crate::units::{minutes, whole_seconds};

const AUTHORIZATION: &str = "$request.header.Authorization";

/// Everybody, whom IAM lets, whoever holds a token of an issuer, or whom a function lets.
#[derive(Clone)]
pub struct HttpAuthorizer(Kind);

#[derive(Clone)]
enum Kind {
    None,
    Iam,
    Jwt(Made, Jwt),
    Lambda(Made, Box<Lambda>),
}

/// What is made with the first API that uses it.
#[derive(Clone)]
struct Made {
    id: String,
    name: Option<String>,
    identity_source: Vec<String>,
    bound: Rc<RefCell<Option<(Construct, Expr)>>>,
}

#[derive(Clone)]
struct Jwt {
    issuer: Issuer,
    audience: Vec<Expr>,
}

#[derive(Clone)]
enum Issuer {
    Url(Expr),
    /// A user pool of Cognito, in the region of the API if nothing else is said.
    UserPool {
        pool: Expr,
        region: Option<String>,
    },
}

#[derive(Clone)]
struct Lambda {
    handler: Rc<dyn Invocable>,
    simple_responses: bool,
    results_cache_ttl: Duration,
    role: Option<Role>,
}

/// What a route says of its authorizer.
pub(super) struct Authorization {
    pub(super) kind: &'static str,
    pub(super) authorizer: Option<Expr>,
}

impl HttpAuthorizer {
    /// Everybody, where the API's default is another.
    pub const fn none() -> Self {
        Self(Kind::None)
    }

    /// Requests that are signed by whom IAM lets; see `HttpRoute::grant_invoke`.
    pub const fn iam() -> Self {
        Self(Kind::Iam)
    }

    /// Whoever holds a token that `issuer`, a URL, gave to one of `audience`.
    pub fn jwt(
        id: impl Into<String>,
        issuer: impl IntoValue<String>,
        audience: impl IntoIterator<Item = impl IntoValue<String>>,
    ) -> Self {
        let issuer = Issuer::Url(issuer.into_value().into_expr());
        Self::of_issuer(id, issuer, audience)
    }

    /// Whoever holds a token that a user pool of Cognito, by id, gave to one of its clients, by id.
    pub fn user_pool(
        id: impl Into<String>,
        pool: impl IntoValue<String>,
        clients: impl IntoIterator<Item = impl IntoValue<String>>,
    ) -> Self {
        let issuer = Issuer::UserPool {
            pool: pool.into_value().into_expr(),
            region: None,
        };
        Self::of_issuer(id, issuer, clients)
    }

    fn of_issuer(
        id: impl Into<String>,
        issuer: Issuer,
        audience: impl IntoIterator<Item = impl IntoValue<String>>,
    ) -> Self {
        let audience = audience.into_iter().map(|client| client.into_value().into_expr());
        let jwt = Jwt {
            issuer,
            audience: audience.collect(),
        };
        Self(Kind::Jwt(Made::new(id), jwt))
    }

    /// The function answers with a policy, which counts for five minutes.
    pub fn lambda(id: impl Into<String>, handler: &(impl Invocable + Clone + 'static)) -> Self {
        let lambda = Lambda {
            handler: Rc::new(handler.clone()),
            simple_responses: false,
            results_cache_ttl: minutes(5),
            role: None,
        };
        Self(Kind::Lambda(Made::new(id), Box::new(lambda)))
    }

    fn change_made(mut self, change: impl FnOnce(&mut Made)) -> Self {
        if let Kind::Jwt(made, _) | Kind::Lambda(made, _) = &mut self.0 {
            change(made);
        }
        self
    }

    fn change_lambda(mut self, change: impl FnOnce(&mut Lambda)) -> Self {
        if let Kind::Lambda(_, lambda) = &mut self.0 {
            change(lambda);
        }
        self
    }

    /// The id if nothing is said.
    #[must_use]
    pub fn authorizer_name(self, name: impl Into<String>) -> Self {
        self.change_made(|made| made.name = Some(name.into()))
    }

    /// Where the token stands, or what a function is asked about: `$request.header.Authorization` if nothing is said.
    #[must_use]
    pub fn identity_source(self, sources: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.change_made(|made| made.identity_source = sources.into_iter().map(Into::into).collect())
    }

    /// Of a user pool in another region.
    #[must_use]
    pub fn user_pool_region(mut self, name: impl Into<String>) -> Self {
        if let Kind::Jwt(_, jwt) = &mut self.0
            && let Issuer::UserPool { region, .. } = &mut jwt.issuer
        {
            *region = Some(name.into());
        }
        self
    }

    /// Of a function: it answers `{"isAuthorized": true}`, or with a policy all the same.
    #[must_use]
    pub fn simple_responses(self) -> Self {
        self.change_lambda(|lambda| lambda.simple_responses = true)
    }

    /// Of a function: how long an answer counts, an hour at most. Zero asks each time.
    #[must_use]
    pub fn results_cache_ttl(self, ttl: Duration) -> Self {
        self.change_lambda(|lambda| lambda.results_cache_ttl = ttl)
    }

    /// Of a function: as which it is invoked, instead of a permission in the function's own policy.
    #[must_use]
    pub fn role(self, role: &Role) -> Self {
        self.change_lambda(|lambda| lambda.role = Some(role.clone()))
    }

    pub(super) fn bind(&self, api: &HttpApi) -> Authorization {
        let (kind, authorizer) = match &self.0 {
            Kind::None => ("NONE", None),
            Kind::Iam => ("AWS_IAM", None),
            Kind::Jwt(made, jwt) => ("JWT", Some(made.bind(api, |construct| jwt.make(made, api, construct)))),
            Kind::Lambda(made, lambda) => {
                let make = |construct: &Construct| lambda.make(made, api, construct);
                ("CUSTOM", Some(made.bind(api, make)))
            }
        };
        Authorization { kind, authorizer }
    }
}

type Properties = cfn::apigatewayv2::Authorizer<cfn::Set, cfn::Set, cfn::Set>;

impl Made {
    fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: None,
            identity_source: vec![AUTHORIZATION.to_owned()],
            bound: Rc::default(),
        }
    }

    fn bind(&self, api: &HttpApi, make: impl FnOnce(&Construct) -> Expr) -> Expr {
        let mut bound = self.bound.borrow_mut();
        if let Some((other, authorizer)) = &*bound {
            if !other.is(api.construct()) {
                api.construct()
                    .report("an authorizer belongs to one API; make another for this one");
            }
            return authorizer.clone();
        }
        let construct = Site::new(api, self.id.as_str()).make("apigatewayv2.HttpAuthorizer");
        let authorizer = make(&construct);
        *bound = Some((api.construct().clone(), authorizer.clone()));
        authorizer
    }

    fn properties(&self, api: &HttpApi, kind: &'static str) -> Properties {
        cfn::apigatewayv2::Authorizer::new()
            .name(self.name.as_deref().unwrap_or(&self.id))
            .api_id(api.api_id())
            .authorizer_type(kind)
            .identity_source(self.identity_source.clone())
    }
}

impl Jwt {
    fn make(&self, made: &Made, api: &HttpApi, construct: &Construct) -> Expr {
        if self.audience.is_empty() {
            construct.report("tokens are for somebody; name an audience");
        }
        let issuer = match &self.issuer {
            Issuer::Url(url) => url.clone(),
            Issuer::UserPool { pool, region } => {
                let region = region
                    .clone()
                    .map_or_else(|| Stack::of(construct).region().into_expr(), Expr::text);
                let parts = [
                    "https://cognito-idp.".into(),
                    region,
                    ".amazonaws.com/".into(),
                    pool.clone(),
                ];
                Expr::concat(parts)
            }
        };
        let configuration = authorizer::JWTConfiguration::new()
            .audience(Expr::List(self.audience.clone()).cast::<cfn::List<String>>())
            .issuer(issuer.cast::<String>());
        let properties = made.properties(api, "JWT").jwt_configuration(configuration);
        CfnResource::new(construct, "Resource", properties)
            .reference()
            .into_expr()
    }
}

impl Lambda {
    fn make(&self, made: &Made, api: &HttpApi, construct: &Construct) -> Expr {
        let ttl = whole_seconds(self.results_cache_ttl);
        if ttl > 3_600 {
            construct.report("an answer of an authorizer counts for an hour at most");
        }
        let version = if self.simple_responses { "2.0" } else { "1.0" };
        let mut properties = made
            .properties(api, "REQUEST")
            .authorizer_payload_format_version(version)
            .authorizer_result_ttl_in_seconds(ttl)
            .authorizer_uri(invocation_uri(self.handler.construct(), self.handler.as_ref()).cast::<String>());
        if self.simple_responses {
            properties = properties.enable_simple_responses(true);
        }
        if let Some(role) = &self.role {
            properties = properties.authorizer_credentials_arn(role.role_arn());
        }
        let authorizer = CfnResource::new(construct, "Resource", properties)
            .reference()
            .into_expr();
        if self.role.is_none() {
            let arn = api.execute_arn(Expr::concat(["authorizers/".into(), authorizer.clone()]));
            let permission = Permission::new(api_gateway()).source_arn(arn.cast::<String>());
            let id = format!("{}-Permission", construct.unique_id());
            self.handler.add_permission_in(api.construct(), &id, &permission);
        }
        authorizer
    }
}
