//! Construct tree, constructs, assets and the cloud assembly: an app declares its infrastructure with this crate and
//! writes what CloudFormation, our CLI and the CDK's understand.
//!
//! Constructs begin with `new`, take options as setters, and come to be with `build`; what they return is a handle that
//! is cheap to clone. Logical ids, hashes and the assembly are those of aws-cdk-lib 2.276, so that a stack can move here
//! without a resource being replaced.
//!
//! Deliberately absent: network, async, clocks, randomness, an SDK, and the environment beyond the app protocol.

pub mod apigateway;
pub mod apigatewayv2;
mod aspects;
mod assembly;
pub mod assertions;
pub mod asset;
mod blue_green;
pub mod certificatemanager;
pub mod cloudfront;
pub mod cloudwatch;
mod collation;
mod dependency;
pub mod diff;
pub mod dynamodb;
pub mod ec2;
pub mod elasticache;
mod element;
mod environment;
mod error;
pub mod events;
pub mod exports;
pub mod iam;
pub mod kinesis;
pub mod kms;
pub mod lambda;
mod limits;
mod logical_id;
pub mod logs;
mod moves;
pub mod policy;
pub mod rds;
pub mod route53;
pub mod s3;
pub mod scheduler;
pub mod secretsmanager;
mod site;
pub mod sns;
pub mod sqs;
pub mod ssm;
mod stack;
mod stage;
pub mod stepfunctions;
mod synthesis;
mod tags;
mod tree;
pub mod units;
mod warnings;

pub use aspects::Aspects;
pub use assembly::{Assembly, SynthesizedStack};
pub use blue_green::{
    BlueGreen, BlueGreenBuilder, COLOR_VARIABLE, COLORS, LIVE_ALIAS, METADATA_KEY, RestApiInFront, RestStages,
    WithoutRestApi,
};
pub use dependency::DependencyGroup;
pub use element::{
    CfnCondition, CfnMapping, CfnOutput, CfnOutputBuilder, CfnParameter, CfnResource, RemovalPolicy, Untyped,
};
pub use error::{Error, Errors, Source};
pub use stack::{Arn, ArnFormat, AssetLocation, Stack, StackBuilder};
pub use stage::{App, Stage, StageBuilder, run};
pub use tags::{TagOptions, Tags};
pub use tree::{Construct, Scope};
pub use warnings::Warning;
