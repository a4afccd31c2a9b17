//! What is kept between commands, as it stands in `apigatewayv2.json`: every leaf as the API describes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::members::Members;

pub(super) type Object = Map<String, Value>;

#[derive(Default, Serialize, Deserialize)]
pub(super) struct State {
    /// By id.
    pub apis: BTreeMap<String, Api>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ApiKind {
    Http,
    WebSocket,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Api {
    /// As `GetApi` gives it.
    pub info: Object,
    /// What the next deployment will hold.
    pub definition: Definition,
    pub deployments: BTreeMap<String, Deployment>,
    /// By name, as `GetStage` gives them.
    pub stages: BTreeMap<String, Object>,
}

impl Api {
    pub fn kind(&self) -> ApiKind {
        match self.info.text("ProtocolType") {
            Some("WEBSOCKET") => ApiKind::WebSocket,
            _ => ApiKind::Http,
        }
    }
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Definition {
    pub routes: BTreeMap<String, Object>,
    pub integrations: BTreeMap<String, Object>,
    pub authorizers: BTreeMap<String, Object>,
    /// By the route's id.
    pub route_responses: BTreeMap<String, BTreeMap<String, Object>>,
    /// By the integration's id.
    pub integration_responses: BTreeMap<String, BTreeMap<String, Object>>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Deployment {
    /// As `GetDeployment` gives it.
    pub info: Object,
    pub snapshot: Arc<Definition>,
}
