//! Invocations: which version runs, whether it may, and what comes back.
//!
//! This is the path of every request; it takes a read lock for a moment and saves nothing.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;

use super::functions::function_name;
use super::name::{FunctionName, function_arn};
use super::pool::PoolKey;
use super::record::Version;
use super::runtime_api::Event;
use super::service::Lambda;
use super::telemetry::{MetricTarget, log_lines, log_stream, tail};
use super::worker::{Launch, Outcome, Worker, error};
use crate::members::Members;
use crate::service::{ApiError, Request, Response};
use crate::sink::{FunctionInvoker, Invocation};

/// Lambda quotas: 6 MB for a synchronous invocation, 1 MB for an asynchronous one.
const SYNCHRONOUS_LIMIT: usize = 6 * 1024 * 1024;
const ASYNCHRONOUS_LIMIT: usize = 1024 * 1024;
/// Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation": a throttled event is
/// tried again for up to 6 hours, after 1 second at first and 5 minutes at last.
const EVENT_AGE_LIMIT: Duration = Duration::from_secs(6 * 60 * 60);
const FIRST_EVENT_PAUSE: Duration = Duration::from_secs(1);
const LAST_EVENT_PAUSE: Duration = Duration::from_secs(300);

struct Target {
    version: Arc<Version>,
    /// As the caller gave it.
    qualifier: Option<String>,
    through_alias: bool,
    reserved: Option<u32>,
    /// What all functions without a reservation share.
    unreserved: u32,
}

impl Target {
    /// A refused invocation has its version, too: the alias chose it before anything could be throttled.
    fn metrics(&self) -> MetricTarget {
        let executed = self.through_alias.then_some(self.version.version.as_str());
        MetricTarget::new(&self.version.function, self.qualifier.as_deref(), executed)
    }
}

struct Execution {
    invocation: Invocation,
    log: Vec<String>,
}

/// Counts an invocation for as long as it lives.
struct InFlight {
    lambda: Lambda,
    function: String,
    /// This one included.
    count: u32,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut in_flight = self
            .lambda
            .shared
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = in_flight.get_mut(&self.function) {
            *count -= 1;
            if *count == 0 {
                in_flight.remove(&self.function);
            }
        }
    }
}

impl Lambda {
    pub(super) async fn call_invoke(&self, request: Request) -> Result<Response, ApiError> {
        let name = function_name(&request.input)?;
        let kind = request.input.text("InvocationType").unwrap_or("RequestResponse");
        let target = self.target(&name)?;
        let limit = if kind == "Event" {
            ASYNCHRONOUS_LIMIT
        } else {
            SYNCHRONOUS_LIMIT
        };
        if request.body.len() > limit {
            let message = format!(
                "{} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
                request.body.len()
            );
            return Err(ApiError::new(413, "RequestTooLargeException", message));
        }
        let payload = checked_payload(request.body)?;
        let version = target.version.version.clone();
        match kind {
            "DryRun" => Ok(Response::from(json!({"StatusCode": 204, "ExecutedVersion": version}))),
            "Event" => {
                tokio::spawn(self.clone().execute_event(target, payload));
                Ok(Response::from(json!({"StatusCode": 202})))
            }
            "RequestResponse" => {
                let execution = self.run(target, payload).await?;
                let mut output = json!({"StatusCode": 200, "ExecutedVersion": execution.invocation.executed_version});
                if let Some(kind) = execution.invocation.function_error {
                    output["FunctionError"] = json!(kind);
                }
                if request.input.text("LogType") == Some("Tail") {
                    output["LogResult"] = json!(STANDARD.encode(tail(&execution.log)));
                }
                Ok(Response {
                    output,
                    body: execution.invocation.payload,
                })
            }
            other => Err(super::configuration::invalid(format!(
                "There is no invocation type {other}."
            ))),
        }
    }

    fn target(&self, name: &FunctionName) -> Result<Target, ApiError> {
        let state = self.state();
        let function = state.functions.get(&name.name).ok_or_else(|| self.not_found(name))?;
        let alias = name
            .qualifier
            .as_deref()
            .and_then(|qualifier| function.aliases.get(qualifier));
        let version = match alias {
            Some(alias) => {
                let dice = self.shared.dice.lock().unwrap_or_else(PoisonError::into_inner).f64();
                function
                    .version(alias.choose(dice))
                    .ok_or_else(|| self.not_found(name))?
            }
            None => self.version_of(function, name)?,
        };
        let reserved = state.reserved_concurrency();
        Ok(Target {
            version: Arc::clone(version),
            qualifier: name.qualifier.clone(),
            through_alias: alias.is_some(),
            reserved: function.reserved_concurrency,
            unreserved: self.shared.settings.account_concurrency.saturating_sub(reserved),
        })
    }

    async fn run(&self, target: Target, payload: Bytes) -> Result<Execution, ApiError> {
        let in_flight = self.admit(&target)?;
        // On its own task: a caller who hangs up does not stop the function.
        let execution = tokio::spawn(self.clone().execute(target, payload, in_flight)).await;
        execution
            .map_err(|error| ApiError::new(500, "ServiceException", format!("the invocation was lost: {error}")))?
    }

    /// An asynchronous event waits while it is throttled.
    async fn execute_event(self, target: Target, payload: Bytes) {
        let mut pause = FIRST_EVENT_PAUSE;
        let mut waited = Duration::ZERO;
        let in_flight = loop {
            match self.admit(&target) {
                Ok(in_flight) => break in_flight,
                Err(_) if waited < EVENT_AGE_LIMIT => {
                    tokio::time::sleep(pause).await;
                    waited += pause;
                    pause = (pause * 2).min(LAST_EVENT_PAUSE);
                }
                Err(error) => {
                    tracing::warn!(%error, function = target.version.function, "an event has become too old");
                    return;
                }
            }
        };
        let function = target.version.function.clone();
        if let Err(error) = self.execute(target, payload, in_flight).await {
            tracing::warn!(%error, function, "an event could not be served");
        }
    }

    fn admit(&self, target: &Target) -> Result<InFlight, ApiError> {
        let function = &target.version.function;
        let mut in_flight = self.shared.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        let (running, limit, reason) = match target.reserved {
            Some(reserved) => {
                let running = in_flight.get(function).copied().unwrap_or_default();
                (running, reserved, "ReservedFunctionConcurrentInvocationLimitExceeded")
            }
            None => (
                in_flight.values().sum(),
                target.unreserved,
                "ConcurrentInvocationLimitExceeded",
            ),
        };
        if running >= limit {
            drop(in_flight);
            self.shared.ports.metrics.record(target.metrics().throttled(self.now()));
            let mut error = ApiError::new(429, "TooManyRequestsException", "Rate Exceeded.");
            error.details = json!({"Reason": reason, "Type": "User"});
            return Err(error);
        }
        let count = in_flight.entry(function.clone()).or_default();
        *count += 1;
        Ok(InFlight {
            lambda: self.clone(),
            function: function.clone(),
            count: *count,
        })
    }

    async fn execute(self, target: Target, payload: Bytes, in_flight: InFlight) -> Result<Execution, ApiError> {
        self.start_reaper();
        let version = &target.version;
        let timeout = Duration::from_secs(u64::from(version.configuration.timeout_seconds));
        let key = PoolKey {
            function: version.function.clone(),
            revision_id: version.revision_id.clone(),
        };
        let place = self.shared.pool.place(key).await;
        let request_id = self.revision();
        let event = Event {
            request_id: request_id.clone(),
            payload,
            deadline: self.now().as_millisecond() + i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX),
            function_arn: function_arn(self.region(), &version.function, target.qualifier.as_deref()),
            trace_id: format!(
                "Root=1-{:08x}-{};Sampled=0",
                self.now().as_second(),
                &request_id.replace('-', "")[..24]
            ),
        };
        let (mut outcome, stream) = loop {
            let warm = self.shared.pool.warm(&place);
            let started = match warm {
                Some(worker) => Ok(worker),
                None => self.start(version, &request_id).await?,
            };
            match started {
                Ok(mut worker) => {
                    let outcome = worker.run(event.clone(), timeout).await;
                    // Only warm processes leave an event untaken, and there are fewer of them each time.
                    if outcome.never_taken {
                        continue;
                    }
                    let stream = worker.log_stream.clone();
                    if outcome.reusable {
                        self.shared.pool.put_back(&place, worker);
                    }
                    break (outcome, stream);
                }
                Err(message) => {
                    let outcome = Outcome::never_ran(error("Runtime.InvalidEntrypoint", &message));
                    break (outcome, self.stream(version));
                }
            }
        };
        let now = self.now();
        let log = log_lines(&request_id, version, &mut outcome, now);
        self.shared
            .ports
            .logs
            .append(&format!("/aws/lambda/{}", version.function), &stream, log.clone());
        let milliseconds = outcome.duration.as_secs_f64() * 1000.0;
        self.shared
            .ports
            .metrics
            .record(target.metrics().ran(outcome.failed, milliseconds, in_flight.count, now));
        let invocation = Invocation {
            payload: outcome.payload,
            function_error: outcome.failed.then(|| "Unhandled".to_owned()),
            executed_version: version.version.clone(),
        };
        Ok(Execution { invocation, log })
    }

    /// The inner error is the function's own: it has nothing that could be started.
    async fn start(&self, version: &Arc<Version>, request_id: &str) -> Result<Result<Worker, String>, ApiError> {
        let runtime = version.configuration.runtime.as_deref().unwrap_or("container image");
        let code = self.shared.code.path(&version.code);
        let program = self.shared.host.program(runtime, &code)?;
        let path = program.path.clone();
        let stream = self.stream(version);
        let libraries = self.shared.host.provide(runtime, &code, &program).await;
        // The function's own variables come after it, and win.
        let environment = libraries
            .into_iter()
            .chain(self.environment(version, &code.display().to_string(), &stream))
            .collect();
        let launch = Launch {
            program,
            code,
            environment,
        };
        match Worker::start(launch, &self.shared.host, &self.shared.marks, stream).await {
            Ok(worker) => Ok(Ok(worker)),
            Err(_) if !path.exists() => Ok(Err(format!(
                "RequestId: {request_id} Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
            ))),
            Err(error) => Ok(Err(format!(
                "RequestId: {request_id} Error: fork/exec {}: {error}",
                path.display()
            ))),
        }
    }

    fn stream(&self, version: &Version) -> String {
        log_stream(&version.version, &self.revision().replace('-', ""), self.now())
    }

    /// AWS Lambda Developer Guide, "Defined runtime environment variables", and the address of this cloud.
    fn environment(&self, version: &Version, task_root: &str, stream: &str) -> Vec<(String, String)> {
        let configuration = &version.configuration;
        let context = &self.shared.context;
        let memory = configuration.memory_megabytes.to_string();
        let group = format!("/aws/lambda/{}", version.function);
        let runtime = format!("AWS_Lambda_{}", configuration.runtime.as_deref().unwrap_or_default());
        let defined = [
            ("_HANDLER", configuration.handler.as_deref().unwrap_or_default()),
            ("AWS_REGION", &context.region),
            ("AWS_DEFAULT_REGION", &context.region),
            ("AWS_EXECUTION_ENV", &runtime),
            ("AWS_LAMBDA_FUNCTION_NAME", &version.function),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
            ("AWS_LAMBDA_FUNCTION_VERSION", &version.version),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &group),
            ("AWS_LAMBDA_LOG_STREAM_NAME", stream),
            ("AWS_ACCESS_KEY_ID", "localcloud"),
            ("AWS_SECRET_ACCESS_KEY", "localcloud"),
            ("AWS_SESSION_TOKEN", "localcloud"),
            ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
            ("AWS_ENDPOINT_URL", &context.endpoint),
            ("LAMBDA_TASK_ROOT", task_root),
            ("LAMBDA_RUNTIME_DIR", task_root),
            ("TZ", ":UTC"),
        ];
        let defined = defined.map(|(name, value)| (name.to_owned(), value.to_owned()));
        // The function's own come last: AWS_ENDPOINT_URL and TZ may be set by it.
        defined.into_iter().chain(configuration.environment.clone()).collect()
    }
}

fn checked_payload(payload: Bytes) -> Result<Bytes, ApiError> {
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<&serde_json::value::RawValue>(&payload) {
        Ok(_) => Ok(payload),
        Err(error) => Err(ApiError::new(
            400,
            "InvalidRequestContentException",
            format!("Could not parse request body into json: {error}"),
        )),
    }
}

#[async_trait]
impl FunctionInvoker for Lambda {
    async fn invoke(&self, function: &str, qualifier: Option<&str>, payload: Bytes) -> Result<Invocation, ApiError> {
        let target = self.target(&FunctionName::parse(function, qualifier)?)?;
        Ok(self.run(target, payload).await?.invocation)
    }
}

impl Outcome {
    fn never_ran(payload: Bytes) -> Self {
        Self {
            payload,
            failed: true,
            lines: Vec::new(),
            duration: Duration::ZERO,
            init_duration: None,
            peak_memory_megabytes: None,
            timed_out: false,
            never_taken: false,
            reusable: false,
        }
    }
}
