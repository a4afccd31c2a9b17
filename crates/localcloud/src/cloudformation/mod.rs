//! CloudFormation: stacks, change sets, and the engine that carries them out.
//!
//! A change set plans ([`plan`]), its execution runs in the background ([`engine`]) and clients poll, as against AWS.
//! Resources are made by the providers of the other services and, for every type that none of them serves, by the
//! generic one. No macros, wait conditions, change sets of nested stacks, stack sets, drift detection, imports
//! or stack policies.

mod answers;
mod blueprint;
mod change_sets;
mod custom;
mod engine;
mod evaluate;
#[cfg(test)]
mod fuzz;
mod nested;
mod parameters;
mod plan;
mod record;
mod schedule;
mod schema;
mod stacks;
mod status;
mod step;
mod template;
mod templates;
#[cfg(test)]
mod tests;
mod updates;
mod world;
mod yaml;

/// A template as JSON or as YAML with its short forms (`!Ref`); the error says what is wrong and where.
pub use yaml::parse as parse_template;

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::context::{ACCOUNT, Context};
use crate::members::Members;
use crate::resource::Provider;
use crate::service::{ApiError, Request, Response, Service};
use crate::store::Store;

pub use custom::CustomResources;
use engine::Engine;
use nested::NestedStacks;
use stacks::{Cell, Stacks};
use world::World;

pub struct CloudFormation {
    engine: Arc<Engine>,
}

impl CloudFormation {
    /// `services` are asked for templates (`s3`), parameters (`ssm`) and secrets (`secretsmanager`).
    /// [`CloudFormation::recover`] goes on with what a killed cloud left.
    pub fn open(
        context: &Context,
        providers: Vec<Arc<dyn Provider>>,
        services: Vec<Arc<dyn Service>>,
    ) -> io::Result<Arc<Self>> {
        let store = Store::open(context.store.folder().join("cloudformation"))?;
        let stacks = Arc::new(Stacks::open(store)?);
        Ok(Arc::new_cyclic(|cloud| {
            let nested: Arc<dyn Provider> = Arc::new(NestedStacks { cloud: cloud.clone() });
            let providers = providers.into_iter().chain([nested]).collect();
            let world = Arc::new(World::new(context, providers, services));
            Self {
                engine: Arc::new(Engine { world, stacks }),
            }
        }))
    }

    /// Rolls back or finishes, in the background, every operation that the last process did not end. Call it once,
    /// when the services behind the providers run.
    pub fn recover(&self) {
        self.engine.recover();
    }

    fn now(&self) -> f64 {
        self.engine.world.now()
    }

    /// The stack that the call names, or the error that AWS answers for one that is not there.
    fn stack(&self, input: &Value) -> Result<Arc<Cell>, ApiError> {
        let name = input.text("StackName").unwrap_or_default();
        self.engine
            .stacks
            .find(name)
            .ok_or_else(|| refusal(format!("Stack with id {name} does not exist")))
    }

    /// As [`Self::stack`], for the operations whose error has the name in brackets.
    fn bracketed_stack(&self, input: &Value) -> Result<Arc<Cell>, ApiError> {
        let name = input.text("StackName").unwrap_or_default();
        self.engine
            .stacks
            .find(name)
            .ok_or_else(|| refusal(format!("Stack [{name}] does not exist")))
    }

    fn arn(&self, kind: &str, name: &str) -> String {
        let (region, id) = (&self.engine.world.context.region, crate::identity::uuid());
        format!("arn:aws:cloudformation:{region}:{ACCOUNT}:{kind}/{name}/{id}")
    }
}

/// A `ValidationError`, which is most of what CloudFormation answers.
fn refusal(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ValidationError", message)
}

#[async_trait]
impl Service for CloudFormation {
    fn model(&self) -> &'static str {
        "cloudformation"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let input = &request.input;
        let output = match request.operation.as_str() {
            "CreateStack" => self.create_stack(input).await,
            "UpdateStack" => self.update_stack(input).await,
            "DeleteStack" => self.delete_stack(input),
            "CancelUpdateStack" => self.cancel_update(input),
            "ContinueUpdateRollback" => self.continue_rollback(input),
            "UpdateTerminationProtection" => self.protect(input),
            "CreateChangeSet" => self.create_change_set(input).await,
            "DescribeChangeSet" => self.describe_change_set(input),
            "ExecuteChangeSet" => self.execute_change_set(input),
            "DeleteChangeSet" => self.delete_change_set(input),
            "ListChangeSets" => self.list_change_sets(input),
            "DescribeStacks" => self.describe_stacks(input),
            "ListStacks" => self.list_stacks(input),
            "DescribeStackEvents" => self.describe_events(input),
            "DescribeStackResource" => self.describe_resource(input),
            "DescribeStackResources" => self.describe_resources(input),
            "ListStackResources" => self.list_resources(input),
            "ListExports" => self.list_exports(input),
            "ListImports" => self.list_imports(input),
            "GetTemplate" => self.get_template(input),
            "GetTemplateSummary" => self.summarize_template(input).await,
            "ValidateTemplate" => self.validate_template(input).await,
            other => Err(ApiError::new(
                400,
                "InvalidAction",
                format!("Could not find operation {other}"),
            )),
        };
        output.map(Response::from)
    }
}
