//! Lambda itself: what it holds, and which operation goes where.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::code::CodeFolder;
use super::host::Host;
use super::name::{FunctionName, function_arn};
use super::pool::Pool;
use super::record::{Function, State};
use super::worker::end_leftovers;
use crate::context::Context;
use crate::members::Members;
use crate::service::{ApiError, Request, Response, Service};
use crate::sink::{LogSink, MetricSink, ObjectSource, QueueSource};

const STATE: &str = "lambda";

/// Who else Lambda needs.
#[derive(Clone)]
pub struct Ports {
    pub metrics: Arc<dyn MetricSink>,
    pub logs: Arc<dyn LogSink>,
    /// Where code given as bucket and key is read from.
    pub objects: Arc<dyn ObjectSource>,
    /// What event source mappings read.
    pub queues: Arc<dyn QueueSource>,
}

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// More concurrent invocations of one version than this wait for one of its processes.
    pub processes_per_version: usize,
    /// After this time without an event a process ends.
    pub idle_limit: Duration,
    /// The account's concurrent executions; AWS begins with 1000 a region.
    pub account_concurrency: u32,
    /// Makes the choice between an alias's versions repeatable.
    pub seed: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            processes_per_version: 16,
            idle_limit: Duration::from_secs(300),
            account_concurrency: 1000,
            seed: None,
        }
    }
}

/// A handle; clones are the same Lambda.
#[derive(Clone)]
pub struct Lambda {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub context: Context,
    pub ports: Ports,
    pub settings: Settings,
    pub code: CodeFolder,
    pub host: Host,
    pub pool: Arc<Pool>,
    /// Invocations that run or wait, by function.
    pub in_flight: Mutex<HashMap<String, u32>>,
    pub dice: Mutex<fastrand::Rng>,
    /// The tasks that read queues, by the mapping's UUID.
    pub pollers: Mutex<HashMap<String, JoinHandle<()>>>,
    /// Files that remember our processes.
    pub marks: PathBuf,
    state: RwLock<State>,
    reaper: Once,
}

impl Lambda {
    /// Reads the saved state and ends processes that a killed server left.
    pub fn open(context: Context, ports: Ports, settings: Settings) -> io::Result<Self> {
        let folder = context.folder.join("lambda");
        let marks = folder.join("processes");
        end_leftovers(&marks)?;
        let state = context.store.load(STATE)?;
        let dice = settings.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let shared = Shared {
            ports,
            settings,
            code: CodeFolder::new(folder.join("code")),
            host: Host::open(folder.join("clients"), context.folder.join("tools"))?,
            pool: Pool::new(settings.processes_per_version.max(1), settings.idle_limit),
            in_flight: Mutex::default(),
            dice: Mutex::new(dice),
            pollers: Mutex::default(),
            marks,
            state: RwLock::new(state),
            reaper: Once::new(),
            context,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    pub(super) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.shared.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and saves it. `change` checks before it touches anything: what it did before an error stays.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state)?;
        self.shared.context.store.save(STATE, &*state).map_err(|error| {
            ApiError::new(
                500,
                "ServiceException",
                format!("the state of Lambda cannot be saved: {error}"),
            )
        })?;
        Ok(result)
    }

    pub(super) fn change_function<T>(
        &self,
        name: &FunctionName,
        change: impl FnOnce(&mut Function) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        self.change(|state| match state.functions.get_mut(&name.name) {
            Some(function) => change(function),
            None => Err(self.not_found(name)),
        })
    }

    pub(super) fn with_function<T>(
        &self,
        name: &FunctionName,
        read: impl FnOnce(&Function) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        match self.state().functions.get(&name.name) {
            Some(function) => read(function),
            None => Err(self.not_found(name)),
        }
    }

    pub(super) fn region(&self) -> &str {
        &self.shared.context.region
    }

    pub(super) fn arn(&self, name: &FunctionName) -> String {
        function_arn(self.region(), &name.name, name.qualifier.as_deref())
    }

    pub(super) fn not_found(&self, name: &FunctionName) -> ApiError {
        not_found(format!("Function not found: {}", self.arn(name)))
    }

    pub(super) fn revision(&self) -> String {
        let mut dice = self.shared.dice.lock().unwrap_or_else(PoisonError::into_inner);
        crate::chance::uuid_of(dice.u128(..))
    }

    pub(super) fn now(&self) -> jiff::Timestamp {
        self.shared.context.clock.now()
    }

    /// Needs a running tokio, which `open` may not have.
    pub(super) fn start_reaper(&self) {
        self.shared.reaper.call_once(|| {
            tokio::spawn(Pool::reap(Arc::downgrade(&self.shared.pool)));
        });
    }
}

pub(super) fn not_found(message: impl Into<String>) -> ApiError {
    with_type(ApiError::new(404, "ResourceNotFoundException", message))
}

pub(super) fn conflict(message: impl Into<String>) -> ApiError {
    with_type(ApiError::new(409, "ResourceConflictException", message))
}

fn with_type(mut error: ApiError) -> ApiError {
    error.details = json!({"Type": "User"});
    error
}

pub(super) fn check_revision(given: Option<&str>, current: &str) -> Result<(), ApiError> {
    match given {
        Some(given) if given != current => Err(with_type(ApiError::new(
            412,
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
        ))),
        _ => Ok(()),
    }
}

/// One page of `entries`, under `member`.
pub(super) fn page(input: &Value, member: &str, entries: Vec<Value>) -> Result<Value, ApiError> {
    let start = match input.text("Marker").filter(|marker| !marker.is_empty()) {
        Some(marker) => marker
            .parse()
            .map_err(|_| super::configuration::invalid("The provided marker is invalid."))?,
        None => 0_usize,
    };
    let limit = input
        .integer("MaxItems")
        .and_then(|items| usize::try_from(items).ok())
        .unwrap_or(50)
        .clamp(1, 10_000);
    let (page, next) = crate::page::page(&entries, start, limit);
    Ok(json!({member: page, "NextMarker": next}))
}

#[async_trait]
impl Service for Lambda {
    fn model(&self) -> &'static str {
        "lambda"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let input = &request.input;
        let output = match request.operation.as_str() {
            "CreateFunction" => self.create_function(input).await?,
            "GetFunction" => self.get_function(input)?,
            "GetFunctionConfiguration" => self.get_function_configuration(input)?,
            "UpdateFunctionCode" => self.update_function_code(input).await?,
            "UpdateFunctionConfiguration" => self.update_function_configuration(input)?,
            "DeleteFunction" => self.delete_function(input)?,
            "ListFunctions" => self.list_functions(input)?,
            "PublishVersion" => self.publish_version(input)?,
            "ListVersionsByFunction" => self.list_versions(input)?,
            "CreateAlias" => self.create_alias(input)?,
            "UpdateAlias" => self.update_alias(input)?,
            "GetAlias" => self.get_alias(input)?,
            "ListAliases" => self.list_aliases(input)?,
            "DeleteAlias" => self.delete_alias(input)?,
            "AddPermission" => self.add_permission(input)?,
            "RemovePermission" => self.remove_permission(input)?,
            "GetPolicy" => self.get_policy(input)?,
            "PutFunctionConcurrency" => self.put_concurrency(input)?,
            "GetFunctionConcurrency" => self.get_concurrency(input)?,
            "DeleteFunctionConcurrency" => self.delete_concurrency(input)?,
            "PutFunctionEventInvokeConfig" | "UpdateFunctionEventInvokeConfig" => {
                self.put_event_invoke_config(input, request.operation.starts_with("Update"))?
            }
            "GetFunctionEventInvokeConfig" => self.get_event_invoke_config(input)?,
            "ListFunctionEventInvokeConfigs" => self.list_event_invoke_configs(input)?,
            "DeleteFunctionEventInvokeConfig" => self.delete_event_invoke_config(input)?,
            "CreateEventSourceMapping" => self.create_mapping(input)?,
            "GetEventSourceMapping" => self.get_mapping(input)?,
            "ListEventSourceMappings" => self.list_mappings(input)?,
            "UpdateEventSourceMapping" => self.update_mapping(input)?,
            "DeleteEventSourceMapping" => self.delete_mapping(input)?,
            "PublishLayerVersion" => self.publish_layer_version(input).await?,
            "GetLayerVersion" => self.get_layer_version(input)?,
            "ListLayerVersions" => self.list_layer_versions(input)?,
            "DeleteLayerVersion" => self.delete_layer_version(input)?,
            "TagResource" => self.tag_resource(input)?,
            "UntagResource" => self.untag_resource(input)?,
            "ListTags" => self.list_tags(input)?,
            "GetAccountSettings" => self.account_settings(),
            "Invoke" => return self.call_invoke(request).await,
            other => {
                return Err(ApiError::new(
                    501,
                    "NotImplemented",
                    format!("The embedded cloud does not serve the Lambda operation {other}."),
                ));
            }
        };
        Ok(Response::from(output))
    }

    async fn stop(&self) {
        self.end_mappings();
        self.shared.pool.end_idle();
    }
}
