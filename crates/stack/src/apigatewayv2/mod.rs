//! API Gateway's second generation: WebSocket APIs and HTTP APIs, their stages and domains.
//!
//! REST APIs are in [`crate::apigateway`].

mod domain_name;
mod http_api;
mod http_authorizer;
mod http_integration;
mod http_route;
mod http_stage;
mod parameter_mapping;
mod stage;
mod vpc_link;
mod websocket_api;
mod websocket_authorizer;
mod websocket_integration;
mod websocket_stage;

use cfn::Expr;

use crate::iam::Principal;
use crate::lambda::Invocable;
use crate::stack::{Arn, Stack};
use crate::tree::Scope;

pub use domain_name::{ApiMapping, ApiMappingBuilder, DomainMapping, DomainName, DomainNameBuilder, SecurityPolicy};
pub use http_api::{HttpApi, HttpApiBuilder, HttpCors};
pub use http_authorizer::HttpAuthorizer;
pub use http_integration::{HttpIntegration, PayloadFormatVersion, QueueAction};
pub use http_route::{HttpMethod, HttpRoute, HttpRouteOptions};
pub use http_stage::{HttpStage, HttpStageBuilder};
pub use parameter_mapping::{MappingValue, ParameterMapping};
pub use stage::IpAddressType;
pub use vpc_link::{VpcLink, VpcLinkBuilder};
pub use websocket_api::{WebSocketApi, WebSocketApiBuilder, WebSocketRoute, WebSocketRouteOptions};
pub use websocket_authorizer::WebSocketAuthorizer;
pub use websocket_integration::{ContentHandling, PassthroughBehavior, WebSocketIntegration};
pub use websocket_stage::{WebSocketStage, WebSocketStageBuilder};

fn api_gateway() -> Principal {
    Principal::service("apigateway.amazonaws.com")
}

/// What API Gateway calls to invoke a function, from where `scope` is.
fn invocation_uri(scope: &impl Scope, handler: &dyn Invocable) -> Expr {
    let name = Expr::concat([handler.invocable_arn().into_expr(), "/invocations".into()]);
    Stack::of(scope).format_arn(
        Arn::new("apigateway", "path/2015-03-31/functions")
            .account("lambda")
            .name(name),
    )
}
