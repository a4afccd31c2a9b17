//! Lambda: functions, versions and aliases as a control plane, and real processes behind them.
//!
//! A function's artifact runs as a process of this machine that talks the Lambda runtime API with us. What a rollout
//! reads or moves behaves as in AWS: immutable versions, weighted aliases, revision ids, resource policies,
//! concurrency, logs and metrics, queues that functions work on. Deliberately absent: isolation (functions see this
//! machine's files and network), memory limits, `/opt` with layers, streams, retries of asynchronous events. The server calls it as a
//! [`crate::service::Service`], CloudFormation through [`provider::LambdaProvider`], API Gateway through
//! [`crate::sink::FunctionInvoker`].

mod aliases;
mod code;
mod configuration;
mod functions;
mod host;
mod invoke;
mod layers;
mod libraries;
mod mappings;
mod name;
mod policy;
mod poller;
mod pool;
mod provider;
mod record;
mod runtime_api;
mod service;
mod telemetry;
mod versions;
mod worker;

pub use provider::LambdaProvider;
pub use service::{Lambda, Ports, Settings};
