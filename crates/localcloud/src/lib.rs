//! The embedded cloud: AWS wire protocols on loopback.
//!
//! It serves the operations that our adapters call, so that the shipped SDK clients, the `aws` CLI and boto3 talk to
//! it unchanged. It listens on 127.0.0.1 only and keeps everything in one folder. What it promises, and from where we
//! know it, stands in `SPEC.md` beside this crate. It deliberately is no emulator of all of AWS: what a rollout
//! touches behaves, every other resource type can be created and described, and nothing pretends.

pub mod apigateway;
pub mod apigatewayv2;
mod chance;
pub mod cloud;
mod cloudformation;
mod cloudwatch;
mod codec;
pub mod context;
mod dynamodb;
mod elasticache;
mod generic;
mod identity;
pub mod lambda;
mod logs;
mod members;
mod page;
mod percent;
pub mod process;
mod rds;
pub mod resource;
mod s3;
mod saved;
mod schedules;
mod secretsmanager;
mod server;
pub mod service;
pub mod sink;
mod sqs;
mod ssm;
pub mod store;
mod sts;
#[cfg(test)]
mod testing;

pub use cloudformation::parse_template;
