//! Stages as requests see them: prepared once, forgotten with every change of the control plane.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;

use super::record::{Api, ApiKind, Definition, Object};
use super::routes::{PathParameters, RouteKey};
use super::service::ApiGatewayV2;
use crate::members::Members;

type Key = (String, String);

#[derive(Default)]
pub(super) struct LiveStages {
    stages: RwLock<HashMap<Key, Arc<LiveStage>>>,
}

impl LiveStages {
    pub fn forget(&self) {
        self.stages.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

pub(super) struct LiveStage {
    pub api_id: String,
    pub name: String,
    pub kind: ApiKind,
    pub cors: Option<Object>,
    pub selection: String,
    pub variables: BTreeMap<String, String>,
    pub routes: Vec<Arc<Route>>,
    default_settings: Object,
    route_settings: Object,
}

pub(super) struct Route {
    pub key: RouteKey,
    /// As it was declared, for example `GET /pets/{id}`.
    pub text: String,
    pub authorization: Authorization,
    pub integration: Option<Integration>,
    /// A WebSocket route that answers the sender.
    pub answers: bool,
}

pub(super) enum Authorization {
    None,
    Iam,
    /// Tokens cannot be verified here.
    Jwt,
    Custom(Authorizer),
}

pub(super) struct Authorizer {
    pub id: String,
    pub uri: String,
    pub format: Format,
    pub simple: bool,
    /// `$request.header.Authorization` and the like.
    pub identity_sources: Vec<String>,
    pub ttl: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    One,
    Two,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntegrationKind {
    FunctionProxy,
    Function,
    HttpProxy,
    Mock,
    /// Kept and described only: service integrations, VPC links, HTTP endpoints of WebSocket APIs.
    Unserved,
}

pub(super) struct Integration {
    pub kind: IntegrationKind,
    pub uri: String,
    /// The method for an HTTP endpoint; `ANY` passes the client's.
    pub verb: String,
    pub format: Format,
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RouteSetting {
    pub detailed_metrics: bool,
    /// Requests a second, and how many at once.
    pub throttle: Option<(f64, f64)>,
}

impl ApiGatewayV2 {
    pub(super) fn live(&self, api: &str, stage: &str) -> Option<Arc<LiveStage>> {
        let key = (api.to_owned(), stage.to_owned());
        let stages = &self.shared.live.stages;
        if let Some(live) = stages.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Some(Arc::clone(live));
        }
        // The state stays locked until the stage is kept, so that a change cannot come between.
        let state = self.state();
        let live = Arc::new(LiveStage::prepare(api, state.apis.get(api)?, stage)?);
        stages
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Arc::clone(&live));
        Some(live)
    }
}

impl LiveStage {
    fn prepare(api_id: &str, api: &Api, name: &str) -> Option<Self> {
        let stage = api.stages.get(name)?;
        let deployment = api.deployments.get(stage.text("DeploymentId")?)?;
        let kind = api.kind();
        let object = |name: &str| stage.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let variables = object("StageVariables")
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
        let routes = deployment.snapshot.routes.values();
        Some(Self {
            api_id: api_id.to_owned(),
            name: name.to_owned(),
            kind,
            cors: api.info.get("CorsConfiguration").and_then(Value::as_object).cloned(),
            selection: api.info.text("RouteSelectionExpression").unwrap_or_default().to_owned(),
            variables: variables.collect(),
            routes: routes
                .filter_map(|route| Some(Arc::new(Route::prepare(kind, &deployment.snapshot, route)?)))
                .collect(),
            default_settings: object("DefaultRouteSettings"),
            route_settings: object("RouteSettings"),
        })
    }

    /// The route with this very key.
    pub fn named(&self, key: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| route.text == key)
    }

    /// The route of an HTTP API for a request, with the path's variables.
    pub fn find(&self, verb: &str, path: &str) -> Option<(Arc<Route>, PathParameters)> {
        let fitting = self
            .routes
            .iter()
            .filter_map(|route| Some((route, route.key.fits(verb, path)?)));
        let best = fitting.max_by(|(_, (one, _)), (_, (other, _))| one.cmp(other));
        match best {
            Some((route, (_, variables))) => Some((Arc::clone(route), variables)),
            None => Some((Arc::clone(self.named("$default")?), Vec::new())),
        }
    }

    /// The route's own settings over those of all routes.
    pub fn setting(&self, route_key: &str) -> RouteSetting {
        let own = self.route_settings.get(route_key).and_then(Value::as_object);
        let find = |name: &str| {
            own.and_then(|own| own.member(name))
                .or_else(|| self.default_settings.member(name))
                .is_some()
        };
        let number = |name: &str| {
            own.and_then(|own| own.number(name))
                .or_else(|| self.default_settings.number(name))
        };
        let flag = |name: &str| {
            own.and_then(|own| own.flag(name))
                .or_else(|| self.default_settings.flag(name))
        };
        // Only one of the two given: the other is the account's.
        let limited = find("ThrottlingRateLimit") || find("ThrottlingBurstLimit");
        let throttle = limited.then(|| {
            let rate = number("ThrottlingRateLimit").unwrap_or(10_000.0);
            (rate, number("ThrottlingBurstLimit").unwrap_or(5_000.0))
        });
        RouteSetting {
            detailed_metrics: flag("DetailedMetricsEnabled").unwrap_or(false),
            throttle,
        }
    }

    /// `${stageVariables.NAME}` replaced; a variable that the stage has not is empty.
    pub fn substituted(&self, uri: &str) -> String {
        let mut result = String::with_capacity(uri.len());
        let mut rest = uri;
        while let Some((before, after)) = rest.split_once("${stageVariables.") {
            let Some((name, behind)) = after.split_once('}') else {
                break;
            };
            result.push_str(before);
            result.push_str(self.variables.get(name).map(String::as_str).unwrap_or_default());
            rest = behind;
        }
        result + rest
    }
}

impl Route {
    fn prepare(kind: ApiKind, definition: &Definition, route: &Object) -> Option<Self> {
        let text = route.text("RouteKey")?.to_owned();
        let authorizer = || {
            let authorizer = definition.authorizers.get(route.text("AuthorizerId")?)?;
            Some(Authorizer::prepare(authorizer))
        };
        let authorization = match route.text("AuthorizationType") {
            Some("AWS_IAM") => Authorization::Iam,
            Some("CUSTOM") => Authorization::Custom(authorizer()?),
            Some("JWT") => Authorization::Jwt,
            _ => Authorization::None,
        };
        let integration = route
            .text("Target")
            .and_then(|target| definition.integrations.get(target.strip_prefix("integrations/")?));
        let id = route.text("RouteId").unwrap_or_default();
        let responses = definition.route_responses.get(id);
        Some(Self {
            key: RouteKey::parse(kind, &text)?,
            text,
            authorization,
            integration: integration.map(|integration| Integration::prepare(kind, integration)),
            answers: route.text("RouteResponseSelectionExpression") == Some("$default")
                && responses.is_some_and(|responses| !responses.is_empty()),
        })
    }
}

impl Authorizer {
    fn prepare(authorizer: &Object) -> Self {
        let identity_sources = authorizer.texts("IdentitySource");
        let ttl = authorizer.integer("AuthorizerResultTtlInSeconds").unwrap_or(0);
        Self {
            id: authorizer.text("AuthorizerId").unwrap_or_default().to_owned(),
            uri: authorizer.text("AuthorizerUri").unwrap_or_default().to_owned(),
            format: Format::of(authorizer.text("AuthorizerPayloadFormatVersion")),
            simple: authorizer.flag("EnableSimpleResponses").unwrap_or(false),
            // Without an identity there is nothing to keep an answer by.
            ttl: Duration::from_secs(u64::try_from(ttl).unwrap_or(0) * u64::from(!identity_sources.is_empty())),
            identity_sources,
        }
    }
}

impl Format {
    fn of(text: Option<&str>) -> Self {
        if text == Some("2.0") { Self::Two } else { Self::One }
    }
}

impl Integration {
    fn prepare(kind: ApiKind, integration: &Object) -> Self {
        let timeout = integration
            .integer("TimeoutInMillis")
            .and_then(|timeout| u64::try_from(timeout).ok());
        Self {
            kind: match (kind, integration.text("IntegrationType")) {
                _ if integration.member("IntegrationSubtype").is_some()
                    || integration.text("ConnectionType") == Some("VPC_LINK") =>
                {
                    IntegrationKind::Unserved
                }
                (_, Some("AWS_PROXY")) => IntegrationKind::FunctionProxy,
                (ApiKind::Http, Some("HTTP_PROXY")) => IntegrationKind::HttpProxy,
                (ApiKind::WebSocket, Some("AWS")) => IntegrationKind::Function,
                (ApiKind::WebSocket, Some("MOCK")) => IntegrationKind::Mock,
                _ => IntegrationKind::Unserved,
            },
            uri: integration.text("IntegrationUri").unwrap_or_default().to_owned(),
            verb: integration.text("IntegrationMethod").unwrap_or("ANY").to_owned(),
            format: Format::of(integration.text("PayloadFormatVersion")),
            timeout: Duration::from_millis(timeout.unwrap_or(30_000)),
        }
    }
}
