//! API Gateway's REST APIs: the control plane, and the HTTP that arrives for a deployed stage.
//!
//! What a rollout moves behaves as in AWS: deployments are immutable snapshots, a stage points to one and may send a
//! share of its traffic to a canary's, stage variables choose the function behind an integration. Deliberately absent:
//! custom domains, caching, VPC links, usage quotas, validation of bodies against models. The server calls it as a
//! [`crate::service::Service`] and as a [`crate::sink::HttpFrontend`], CloudFormation through
//! [`provider::ApiGatewayProvider`].

mod api_keys;
mod authorizer;
mod deployments;
mod event;
mod exchange;
mod frontend;
mod functions;
mod gateway_response;
mod integration;
mod live;
mod outbound;
mod parts;
mod patch;
mod policy;
mod properties;
mod provider;
mod record;
mod resources;
mod rest_apis;
mod routes;
mod service;
mod stages;
mod template;
mod throttle;

pub use functions::Functions;
pub(crate) use integration::FunctionTarget;
pub(crate) use outbound::send as send_http;
pub(crate) use policy::{Verdict, judge};
pub use provider::ApiGatewayProvider;
pub use service::{ApiGateway, Ports, Settings};
pub(crate) use throttle::Throttle;
