//! HTTP and WebSocket APIs themselves: what they hold, and which operation goes where.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::authorizer::Authorizations;
use super::connections::Registry;
use super::live::LiveStages;
use super::parts::Part;
use super::record::{Api, Object, State};
use crate::apigateway::{Ports, Throttle};
use crate::context::Context;
use crate::members::Members;
use crate::service::{ApiError, Request, Response, Service};

const STATE: &str = "apigatewayv2";

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Makes ids repeatable.
    pub seed: Option<u64>,
    /// API Gateway quotas for WebSocket APIs: 2 hours a connection …
    pub connection_limit: Duration,
    /// … and 10 minutes without a message.
    pub idle_limit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: None,
            connection_limit: Duration::from_secs(2 * 60 * 60),
            idle_limit: Duration::from_secs(10 * 60),
        }
    }
}

/// A handle; clones are the same API Gateway.
#[derive(Clone)]
pub struct ApiGatewayV2 {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub context: Context,
    pub ports: Ports,
    pub settings: Settings,
    pub live: LiveStages,
    pub authorizations: Authorizations,
    pub throttle: Throttle,
    pub registry: Registry,
    state: RwLock<State>,
    dice: Mutex<fastrand::Rng>,
}

impl ApiGatewayV2 {
    pub fn open(context: Context, ports: Ports, settings: Settings) -> io::Result<Self> {
        let state = context.store.load(STATE)?;
        let dice = settings.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let shared = Shared {
            context,
            ports,
            settings,
            live: LiveStages::default(),
            authorizations: Authorizations::default(),
            throttle: Throttle::default(),
            registry: Registry::default(),
            state: RwLock::new(state),
            dice: Mutex::new(dice),
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
        self.shared
            .context
            .store
            .save(STATE, &*state)
            .map_err(crate::saved::storage_failure)?;
        // Under the lock: nobody can prepare a stage from the old state after this.
        self.shared.live.forget();
        Ok(result)
    }

    /// Changes a copy of an API and keeps it when `change` found nothing wrong; stages that deploy by themselves get
    /// what it holds then.
    pub(super) fn change_api<T>(
        &self,
        input: &Value,
        change: impl FnOnce(&mut Api) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let id = input.text("ApiId").unwrap_or_default();
        self.change(|state| {
            let api = state.apis.get_mut(id).ok_or_else(|| no_api(id))?;
            let mut changed = api.clone();
            let result = change(&mut changed)?;
            self.deploy_automatically(&mut changed);
            *api = changed;
            Ok(result)
        })
    }

    pub(super) fn with_api<T>(
        &self,
        input: &Value,
        read: impl FnOnce(&Api) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let id = input.text("ApiId").unwrap_or_default();
        read(self.state().apis.get(id).ok_or_else(|| no_api(id))?)
    }

    /// Lower-case letters and digits, as API Gateway's ids are.
    pub(super) fn new_id(&self, length: usize) -> String {
        let mut dice = self.dice();
        (0..length)
            .map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[dice.usize(..36)]))
            .collect()
    }

    pub(super) fn new_uuid(&self) -> String {
        crate::chance::uuid_of(self.dice().u128(..))
    }

    /// As AWS's connection ids and extended request ids look: 15 letters and digits and a `=`.
    pub(super) fn new_token(&self) -> String {
        let mut dice = self.dice();
        let letters = crate::chance::LETTERS_AND_DIGITS;
        let text: String = (0..15)
            .map(|_| char::from(letters[dice.usize(..letters.len())]))
            .collect();
        text + "="
    }

    fn dice(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.shared.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> jiff::Timestamp {
        self.shared.context.clock.now()
    }

    pub(super) fn region(&self) -> &str {
        &self.shared.context.region
    }
}

pub(super) fn bad_request(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "BadRequestException", message)
}

pub(super) fn conflict(message: impl Into<String>) -> ApiError {
    ApiError::new(409, "ConflictException", message)
}

pub(super) fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new(404, "NotFoundException", message)
}

pub(super) fn no_api(id: &str) -> ApiError {
    not_found(format!(
        "Invalid API identifier specified {}:{id}",
        crate::context::ACCOUNT
    ))
}

/// Sets the members of `changes` in `object`; null takes one away.
pub(super) fn merge(object: &mut Object, changes: &Object) {
    for (name, value) in changes {
        match value {
            Value::Null => drop(object.remove(name)),
            value => drop(object.insert(name.clone(), value.clone())),
        }
    }
}

/// The input without the members that say of what it is.
pub(super) fn without(input: &Value, names: &[&str]) -> Object {
    let members = input.as_object().into_iter().flatten();
    let wanted = members.filter(|(name, value)| !names.contains(&name.as_str()) && !value.is_null());
    wanted.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// One page of a collection. (The size is a text here.)
pub(super) fn page<'a>(input: &Value, entries: impl Iterator<Item = &'a Object>) -> Result<Value, ApiError> {
    let entries: Vec<Value> = entries.cloned().map(Value::Object).collect();
    let size = usize::try_from(input.integer("MaxResults").unwrap_or(100))
        .unwrap_or(100)
        .max(1);
    let (items, next) = crate::page::page(&entries, crate::page::start(input, "NextToken"), size);
    Ok(json!({"Items": items, "NextToken": next}))
}

#[async_trait]
impl Service for ApiGatewayV2 {
    fn model(&self) -> &'static str {
        "apigatewayv2"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let input = &request.input;
        let output = match request.operation.as_str() {
            "CreateApi" => self.create_api(input)?,
            "GetApi" => self.with_api(input, |api| Ok(Value::Object(api.info.clone())))?,
            "GetApis" => page(input, self.state().apis.values().map(|api| &api.info))?,
            "UpdateApi" => self.update_api(input)?,
            "DeleteApi" => self.delete_api(input)?,
            "DeleteCorsConfiguration" => self.change_api(input, |api| {
                api.info.remove("CorsConfiguration");
                Ok(json!({}))
            })?,
            "CreateStage" => self.create_stage(input)?,
            "GetStage" => self.with_stage(input, |stage| Ok(Value::Object(stage.clone())))?,
            "GetStages" => self.with_api(input, |api| page(input, api.stages.values()))?,
            "UpdateStage" => self.update_stage(input)?,
            "DeleteStage" => self.delete_stage(input)?,
            "DeleteRouteSettings" => self.delete_route_settings(input)?,
            "ResetAuthorizersCache" => self.reset_authorizers(input)?,
            "CreateDeployment" => self.create_deployment(input)?,
            "GetDeployment" => self.get_deployment(input)?,
            "GetDeployments" => self.with_api(input, |api| {
                page(input, api.deployments.values().map(|deployment| &deployment.info))
            })?,
            "UpdateDeployment" => self.update_deployment(input)?,
            "DeleteDeployment" => self.delete_deployment(input)?,
            "TagResource" => self.tag_resource(input)?,
            "UntagResource" => self.untag_resource(input)?,
            "GetTags" => self.get_tags(input)?,
            other => match Part::of_operation(other) {
                Some((verb, part)) => self.call_part(verb, part, input)?,
                None => {
                    return Err(ApiError::new(
                        501,
                        "NotImplemented",
                        format!("The embedded cloud does not serve the operation {other} of HTTP and WebSocket APIs."),
                    ));
                }
            },
        };
        Ok(Response::from(output))
    }

    async fn stop(&self) {
        self.shared.registry.close_all();
    }
}
