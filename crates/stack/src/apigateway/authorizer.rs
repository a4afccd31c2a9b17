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

/// Any of them.
#[derive(Clone)]
pub struct Authorizer(TokenAuthorizer);

impl From<&TokenAuthorizer> for Authorizer {
    fn from(authorizer: &TokenAuthorizer) -> Self {
        Self(authorizer.clone())
    }
}

impl Authorizer {
    pub(super) fn authorizer_id(&self) -> Value<id::apigateway::AuthorizerId> {
        self.0.authorizer_id()
    }

    pub(super) fn attach_to(&self, api: &RestApi) {
        self.0.attach_to(api);
    }
}

/// Decides by one header.
#[derive(Clone)]
pub struct TokenAuthorizer {
    construct: Construct,
    resource: CfnResource<cfn::apigateway::Authorizer>,
    permission: CfnResource<cfn::lambda::Permission>,
    api: Rc<RefCell<Option<RestApi>>>,
}

impl Scope for TokenAuthorizer {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct TokenAuthorizerBuilder {
    site: Site,
    handler: Function,
    name: Option<String>,
    identity_source: String,
    validation: Option<String>,
    cache: Duration,
}

impl TokenAuthorizerBuilder {
    pub fn authorizer_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The header that holds the token; `Authorization` if nothing is said.
    pub fn header(mut self, name: &str) -> Self {
        self.identity_source = format!("method.request.header.{name}");
        self
    }

    /// A regular expression that a token must match before the function is asked.
    pub fn validation_regex(mut self, regex: impl Into<String>) -> Self {
        self.validation = Some(regex.into());
        self
    }

    /// How long an answer holds for a token: five minutes if nothing is said, an hour at most, 0 to ask each time.
    pub fn results_cache_ttl(mut self, ttl: Duration) -> Self {
        self.cache = ttl;
        self
    }

    pub fn build(self) -> TokenAuthorizer {
        let construct = self.site.make("apigateway.TokenAuthorizer");
        let seconds = whole_seconds(self.cache);
        if seconds > MAX_CACHE_SECONDS {
            construct.report("an authorizer's answer holds an hour at most");
        }
        let name = self.name.unwrap_or_else(|| construct.unique_id());
        let properties = cfn::apigateway::Authorizer::new()
            .name(name)
            // Not known before the authorizer is used in an API.
            .rest_api_id("")
            .type_("TOKEN")
            .authorizer_uri(invocation_uri(&self.handler))
            .authorizer_result_ttl_in_seconds(seconds)
            .identity_source(self.identity_source);
        let properties = match &self.validation {
            Some(regex) => properties.identity_validation_expression(regex),
            None => properties,
        };
        let resource = CfnResource::new(&construct, "Resource", properties);
        let id = format!("{}:Permissions", construct.unique_id());
        let permission = Permission::new(Principal::service("apigateway.amazonaws.com"));
        let permission = self.handler.add_permission(&id, &permission);
        let authorizer = TokenAuthorizer {
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
    pub fn new(scope: &impl Scope, id: impl Into<String>, handler: &Function) -> TokenAuthorizerBuilder {
        TokenAuthorizerBuilder {
            site: Site::new(scope, id),
            handler: handler.clone(),
            name: None,
            identity_source: "method.request.header.Authorization".into(),
            validation: None,
            cache: minutes(5),
        }
    }

    pub fn authorizer_id(&self) -> Value<id::apigateway::AuthorizerId> {
        self.resource.reference()
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigateway::Authorizer> {
        &self.resource
    }

    fn attach_to(&self, api: &RestApi) {
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

impl IntoValue<id::apigateway::AuthorizerId> for &TokenAuthorizer {
    fn into_value(self) -> Value<id::apigateway::AuthorizerId> {
        self.authorizer_id()
    }
}
