//! Functions that decide which requests come through.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cfn::{Expr, IntoValue, Value, id, intrinsics};

use super::rest_api::RestApi;
use crate::element::CfnResource;
use crate::iam::Principal;
use crate::lambda::{Function, Invocable, Permission};
use crate::site::Site;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};
use crate::units::{minutes, whole_seconds};

const MAX_CACHE_SECONDS: i64 = 3600;
const TOKEN: &str = "TOKEN";
const REQUEST: &str = "REQUEST";

/// A function that is asked about requests.
#[derive(Clone)]
pub struct Authorizer {
    construct: Construct,
    resource: CfnResource<cfn::apigateway::Authorizer>,
    permission: CfnResource<cfn::lambda::Permission>,
    api: Rc<RefCell<Option<RestApi>>>,
}

impl Scope for Authorizer {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl From<&Authorizer> for Authorizer {
    fn from(authorizer: &Authorizer) -> Self {
        authorizer.clone()
    }
}

/// Decides by one header.
pub enum TokenAuthorizer {}

/// Decides by several parts of a request.
pub enum RequestAuthorizer {}

/// A part of a request that an authorizer looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySource(String);

impl IdentitySource {
    pub fn header(name: &str) -> Self {
        Self(format!("method.request.header.{name}"))
    }

    pub fn query_string(name: &str) -> Self {
        Self(format!("method.request.querystring.{name}"))
    }

    pub fn stage_variable(name: &str) -> Self {
        Self(format!("stageVariables.{name}"))
    }

    pub fn context(name: &str) -> Self {
        Self(format!("context.{name}"))
    }
}

#[must_use = "nothing is made until `build`"]
pub struct AuthorizerBuilder {
    site: Site,
    handler: Function,
    name: Option<String>,
    kind: &'static str,
    identity_sources: Vec<IdentitySource>,
    validation: Option<String>,
    cache: Duration,
}

impl AuthorizerBuilder {
    pub fn authorizer_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The header that holds the token; `Authorization` if nothing is said.
    pub fn header(mut self, name: &str) -> Self {
        self.identity_sources = vec![IdentitySource::header(name)];
        self
    }

    /// A regular expression that a token must match before the function is asked; of token authorizers only.
    pub fn validation_regex(mut self, regex: impl Into<String>) -> Self {
        self.validation = Some(regex.into());
        self
    }

    /// How long an answer holds for a token: five minutes if nothing is said, an hour at most, 0 to ask each time.
    pub fn results_cache_ttl(mut self, ttl: Duration) -> Self {
        self.cache = ttl;
        self
    }

    pub fn build(self) -> Authorizer {
        let construct = self.site.make("apigateway.Authorizer");
        let seconds = whole_seconds(self.cache);
        if seconds > MAX_CACHE_SECONDS {
            construct.report("an authorizer's answer holds an hour at most");
        }
        if self.identity_sources.is_empty() && seconds > 0 {
            construct.report("an authorizer whose answers hold for a time needs something that it tells requests by");
        }
        if self.kind != TOKEN && self.validation.is_some() {
            construct.report("only tokens are matched before the function is asked");
        }
        let sources: Vec<String> = self
            .identity_sources
            .into_iter()
            .map(|IdentitySource(source)| source)
            .collect();
        let name = self.name.unwrap_or_else(|| construct.unique_id());
        let properties = cfn::apigateway::Authorizer::new()
            .name(name)
            // Not known before the authorizer is used in an API.
            .rest_api_id("")
            .type_(self.kind)
            .authorizer_uri(invocation_uri(&self.handler))
            .authorizer_result_ttl_in_seconds(seconds)
            .identity_source(sources.join(","));
        let properties = match &self.validation {
            Some(regex) => properties.identity_validation_expression(regex),
            None => properties,
        };
        let resource = CfnResource::new(&construct, "Resource", properties);
        let id = format!("{}:Permissions", construct.unique_id());
        let permission = Permission::new(Principal::service("apigateway.amazonaws.com"));
        let permission = self.handler.add_permission(&id, &permission);
        let authorizer = Authorizer {
            construct,
            resource,
            permission,
            api: Rc::default(),
        };
        let checked = authorizer.clone();
        authorizer.construct.on_synth(move || {
            if checked.api.borrow().is_none() {
                checked.construct.report("the authorizer is used by no method");
            }
        });
        authorizer
    }
}

/// In the region and partition of the function, which the ARN says.
fn invocation_uri(handler: &Function) -> Value<String> {
    let arn: Value<String> = handler.invocable_arn();
    let part = |index: i64| intrinsics::select(index, intrinsics::split(":", arn.clone())).into_expr();
    Value::from_expr(Expr::concat([
        "arn:".into(),
        part(1),
        ":apigateway:".into(),
        part(3),
        ":lambda:path/2015-03-31/functions/".into(),
        arn.clone().into_expr(),
        "/invocations".into(),
    ]))
}

impl TokenAuthorizer {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, handler: &Function) -> AuthorizerBuilder {
        AuthorizerBuilder {
            site: Site::new(scope, id),
            handler: handler.clone(),
            name: None,
            kind: TOKEN,
            identity_sources: vec![IdentitySource::header("Authorization")],
            validation: None,
            cache: minutes(5),
        }
    }
}

impl RequestAuthorizer {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        handler: &Function,
        identity_sources: impl IntoIterator<Item = IdentitySource>,
    ) -> AuthorizerBuilder {
        AuthorizerBuilder {
            site: Site::new(scope, id),
            handler: handler.clone(),
            name: None,
            kind: REQUEST,
            identity_sources: identity_sources.into_iter().collect(),
            validation: None,
            cache: minutes(5),
        }
    }
}

impl Authorizer {
    pub fn authorizer_id(&self) -> Value<id::apigateway::AuthorizerId> {
        self.resource.reference()
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigateway::Authorizer> {
        &self.resource
    }

    pub(super) fn attach_to(&self, api: &RestApi) {
        if let Some(known) = &*self.api.borrow() {
            if !known.construct().is(api.construct()) {
                self.construct.report("an authorizer serves one API only");
            }
            return;
        }
        self.resource.set("RestApiId", Some(api.rest_api_id().into_expr()));
        let name = Expr::concat(["authorizers/".into(), self.authorizer_id().into_expr()]);
        let arn = Stack::of(self).format_arn(Arn::new("execute-api", api.rest_api_id()).name(name));
        self.permission.set("SourceArn", Some(arn));
        *self.api.borrow_mut() = Some(api.clone());
    }
}

impl IntoValue<id::apigateway::AuthorizerId> for &Authorizer {
    fn into_value(self) -> Value<id::apigateway::AuthorizerId> {
        self.authorizer_id()
    }
}
