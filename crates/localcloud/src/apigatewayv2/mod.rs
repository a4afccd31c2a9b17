//! API Gateway's HTTP and WebSocket APIs: the control plane, the HTTP that arrives for a stage, and the WebSocket
//! connections that stay open.
//!
//! An integration names a function alias; a weighted alias chooses a version for each request and for each message, so
//! this is where a rollout over aliases is rehearsed under traffic. Deliberately absent: custom domains, VPC links,
//! imports of OpenAPI, service integrations, JWT verification, templates of WebSocket integrations. The server calls it
//! as a [`crate::service::Service`] and as a [`crate::sink::HttpFrontend`], CloudFormation through
//! [`ApiGatewayV2Provider`].

mod apis;
mod authorizer;
mod connections;
mod cors;
mod event;
mod exchange;
mod http_api;
mod live;
mod metrics;
mod parts;
mod provider;
mod record;
mod routes;
mod selection;
mod service;
mod session;
mod stages;
#[cfg(test)]
mod tests;
mod websocket;

pub use connections::Connections;
pub use provider::ApiGatewayV2Provider;
pub use service::{ApiGatewayV2, Settings};
