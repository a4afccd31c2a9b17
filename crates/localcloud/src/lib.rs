//! The embedded cloud: AWS wire protocols on loopback.
//!
//! It serves the operations that our adapters call, so that the shipped SDK clients, the `aws` CLI and boto3 talk to
//! it unchanged. It listens on 127.0.0.1 only and keeps everything in one folder. What it promises, and from where we
//! know it, stands in `SPEC.md` beside this crate. It deliberately is no emulator of all of AWS: what a rollout
//! touches behaves, every other resource type can be created and described, and nothing pretends.

pub mod apigateway;
pub mod chance;
pub mod cloud;
pub mod cloudformation;
pub mod cloudwatch;
pub mod codec;
pub mod context;
pub mod elasticache;
pub mod generic;
mod identity;
pub mod lambda;
pub mod logs;
pub mod members;
pub mod percent;
pub mod process;
pub mod rds;
pub mod resource;
pub mod s3;
pub mod saved;
pub mod secretsmanager;
pub mod server;
pub mod service;
pub mod sink;
pub mod ssm;
pub mod store;
pub mod sts;
#[cfg(test)]
mod testing;
