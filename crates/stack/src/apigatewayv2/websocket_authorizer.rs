//! Who may connect to a WebSocket API.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::{Expr, id};

use super::websocket_api::WebSocketApi;
use super::{api_gateway, invocation_uri};
use crate::element::CfnResource;
use crate::lambda::{Invocable, Permission};
use crate::site::Site;
use crate::tree::{Construct, Scope as _};

/// Whom IAM lets, or whom a function lets.
#[derive(Clone)]
pub struct WebSocketAuthorizer(Kind);

#[derive(Clone)]
enum Kind {
    Iam,
    Lambda(Box<LambdaAuthorizer>),
}

#[derive(Clone)]
struct LambdaAuthorizer {
    id: String,
    handler: Rc<dyn Invocable>,
    name: Option<String>,
    identity_source: Vec<String>,
    bound: Rc<RefCell<Option<(Construct, Expr)>>>,
}

type Route = cfn::apigatewayv2::Route<cfn::Set, cfn::Set>;

impl WebSocketAuthorizer {
    /// Requests that are signed by whom IAM lets.
    pub fn iam() -> Self {
        Self(Kind::Iam)
    }

    /// The function answers with a policy. Made with the first API that uses it.
    pub fn lambda(id: impl Into<String>, handler: &(impl Invocable + Clone + 'static)) -> Self {
        Self(Kind::Lambda(Box::new(LambdaAuthorizer {
            id: id.into(),
            handler: Rc::new(handler.clone()),
            name: None,
            identity_source: vec!["route.request.header.Authorization".to_owned()],
            bound: Rc::default(),
        })))
    }

    /// Of [`WebSocketAuthorizer::lambda`]; the id if nothing is said.
    #[must_use]
    pub fn authorizer_name(mut self, name: impl Into<String>) -> Self {
        if let Kind::Lambda(lambda) = &mut self.0 {
            lambda.name = Some(name.into());
        }
        self
    }

    /// Of [`WebSocketAuthorizer::lambda`]: what a request must hold for the function to be asked, such as
    /// `route.request.querystring.token`; the header `Authorization` if nothing is said.
    #[must_use]
    pub fn identity_source(mut self, sources: impl IntoIterator<Item = impl Into<String>>) -> Self {
        if let Kind::Lambda(lambda) = &mut self.0 {
            lambda.identity_source = sources.into_iter().map(Into::into).collect();
        }
        self
    }

    pub(super) fn authorize(&self, api: &WebSocketApi, route: Route) -> Route {
        match &self.0 {
            Kind::Iam => route.authorization_type("AWS_IAM"),
            Kind::Lambda(lambda) => route
                .authorization_type("CUSTOM")
                .authorizer_id(lambda.bind(api).cast::<id::apigatewayv2::AuthorizerId>()),
        }
    }
}

impl LambdaAuthorizer {
    fn bind(&self, api: &WebSocketApi) -> Expr {
        let mut bound = self.bound.borrow_mut();
        if let Some((other, authorizer)) = &*bound {
            if !other.is(api.construct()) {
                api.construct()
                    .report("an authorizer belongs to one API; make another for this one");
            }
            return authorizer.clone();
        }
        let construct = Site::new(api, self.id.as_str()).make("apigatewayv2.WebSocketAuthorizer");
        let properties = cfn::apigatewayv2::Authorizer::new()
            .name(self.name.as_deref().unwrap_or(&self.id))
            .api_id(api.api_id())
            .authorizer_type("REQUEST")
            .identity_source(self.identity_source.clone())
            .authorizer_uri(invocation_uri(self.handler.construct(), self.handler.as_ref()).cast::<String>());
        let authorizer = CfnResource::new(&construct, "Resource", properties)
            .reference()
            .into_expr();
        let arn = api.execute_arn(Expr::concat(["authorizers/".into(), authorizer.clone()]));
        let permission = Permission::new(api_gateway()).source_arn(arn.cast::<String>());
        self.handler.add_permission_in(
            api.construct(),
            &format!("{}-Permission", construct.unique_id()),
            &permission,
        );
        *bound = Some((api.construct().clone(), authorizer.clone()));
        authorizer
    }
}
