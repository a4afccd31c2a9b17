//! API Gateway itself: what it holds, and which operation goes where.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::authorizer::AuthorizerCache;
use super::functions::Functions;
use super::live::LiveStages;
use super::record::{Object, RestApi, State};
use super::throttle::Throttle;
use crate::context::Context;
use crate::members::Members;
use crate::service::{ApiError, Request, Response, Service};
use crate::sink::MetricSink;

const STATE: &str = "apigateway";

/// Who else API Gateway needs.
#[derive(Clone)]
pub struct Ports {
    pub metrics: Arc<dyn MetricSink>,
    pub functions: Arc<dyn Functions>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Makes ids and the choice between stage and canary repeatable.
    pub seed: Option<u64>,
}

/// A handle; clones are the same API Gateway.
#[derive(Clone)]
pub struct ApiGateway {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub context: Context,
    pub ports: Ports,
    pub live: LiveStages,
    pub authorizations: AuthorizerCache,
    pub throttle: Throttle,
    state: RwLock<State>,
    dice: Mutex<fastrand::Rng>,
}

impl ApiGateway {
    pub fn open(context: Context, ports: Ports, settings: Settings) -> io::Result<Self> {
        let state = context.store.load(STATE)?;
        let dice = settings.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let shared = Shared {
            context,
            ports,
            live: LiveStages::default(),
            authorizations: AuthorizerCache::default(),
            throttle: Throttle::default(),
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
        self.shared.context.store.save(STATE, &*state).map_err(|error| {
            ApiError::new(
                500,
                "ServiceUnavailableException",
                format!("the state of API Gateway cannot be saved: {error}"),
            )
        })?;
        // Under the lock: nobody can prepare a stage from the old state after this.
        self.shared.live.forget();
        Ok(result)
    }

    pub(super) fn change_api<T>(
        &self,
        input: &Value,
        change: impl FnOnce(&mut RestApi) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let id = input.text("restApiId").unwrap_or_default();
        self.change(|state| change(state.apis.get_mut(id).ok_or_else(|| no_api(id))?))
    }

    pub(super) fn with_api<T>(
        &self,
        input: &Value,
        read: impl FnOnce(&RestApi) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let id = input.text("restApiId").unwrap_or_default();
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

    pub(super) fn dice(&self) -> std::sync::MutexGuard<'_, fastrand::Rng> {
        self.shared.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> jiff::Timestamp {
        self.shared.context.clock.now()
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

/// The members that `input` has among `names`.
pub(super) fn pick(input: &Value, names: &[&str]) -> Object {
    let given = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), input.member(name)?.clone())));
    given.collect()
}

/// One page of a collection.
pub(super) fn page(input: &Value, entries: Vec<Value>) -> Result<Value, ApiError> {
    let start: usize = match input.text("position").filter(|position| !position.is_empty()) {
        Some(position) => position
            .parse()
            .map_err(|_| bad_request("Invalid position parameter specified"))?,
        None => 0,
    };
    let limit = input
        .integer("limit")
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(25)
        .clamp(1, 500);
    let (items, next) = crate::page::page(&entries, start, limit);
    Ok(json!({"items": items, "position": next}))
}

#[async_trait]
impl Service for ApiGateway {
    fn model(&self) -> &'static str {
        "apigateway"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let input = &request.input;
        let output = match request.operation.as_str() {
            "CreateRestApi" => self.create_rest_api(input)?,
            "GetRestApi" => self.get_rest_api(input)?,
            "GetRestApis" => self.get_rest_apis(input)?,
            "UpdateRestApi" => self.update_rest_api(input)?,
            "DeleteRestApi" => self.delete_rest_api(input)?,
            "CreateResource" => self.create_resource(input)?,
            "GetResource" => self.get_resource(input)?,
            "GetResources" => self.get_resources(input)?,
            "UpdateResource" => self.update_resource(input)?,
            "DeleteResource" => self.delete_resource(input)?,
            "PutMethod" => self.put_method(input)?,
            "GetMethod" => self.get_method(input)?,
            "UpdateMethod" => self.update_method(input)?,
            "DeleteMethod" => self.delete_method(input)?,
            "PutMethodResponse" => self.put_method_response(input)?,
            "GetMethodResponse" => self.get_method_response(input)?,
            "UpdateMethodResponse" => self.update_method_response(input)?,
            "DeleteMethodResponse" => self.delete_method_response(input)?,
            "PutIntegration" => self.put_integration(input)?,
            "GetIntegration" => self.get_integration(input)?,
            "UpdateIntegration" => self.update_integration(input)?,
            "DeleteIntegration" => self.delete_integration(input)?,
            "PutIntegrationResponse" => self.put_integration_response(input)?,
            "GetIntegrationResponse" => self.get_integration_response(input)?,
            "UpdateIntegrationResponse" => self.update_integration_response(input)?,
            "DeleteIntegrationResponse" => self.delete_integration_response(input)?,
            "CreateDeployment" => self.create_deployment(input)?,
            "GetDeployment" => self.get_deployment(input)?,
            "GetDeployments" => self.get_deployments(input)?,
            "UpdateDeployment" => self.update_deployment(input)?,
            "DeleteDeployment" => self.delete_deployment(input)?,
            "CreateStage" => self.create_stage(input)?,
            "GetStage" => self.get_stage(input)?,
            "GetStages" => self.get_stages(input)?,
            "UpdateStage" => self.update_stage(input)?,
            "DeleteStage" => self.delete_stage(input)?,
            "FlushStageCache" => self.get_stage(input).map(|_| json!({}))?,
            "FlushStageAuthorizersCache" => self.flush_authorizers(input)?,
            "GetAccount" => self.get_account(),
            "UpdateAccount" => self.update_account(input)?,
            "TagResource" => self.tag_resource(input)?,
            "UntagResource" => self.untag_resource(input)?,
            "GetTags" => self.get_tags(input)?,
            other => match self.call_part(other, input).or_else(|| self.call_api_key(other, input)) {
                Some(output) => output?,
                None => {
                    return Err(ApiError::new(
                        501,
                        "NotImplemented",
                        format!("The embedded cloud does not serve the API Gateway operation {other}."),
                    ));
                }
            },
        };
        Ok(Response::from(output))
    }
}
