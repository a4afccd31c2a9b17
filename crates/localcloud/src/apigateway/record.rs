//! What API Gateway keeps between commands, as it stands in `apigateway.json`. Leaves are kept as the API describes
//! them; only what is looked up has a shape of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(super) type Object = Map<String, Value>;

#[derive(Default, Serialize, Deserialize)]
pub(super) struct State {
    /// By id.
    pub apis: BTreeMap<String, RestApi>,
    #[serde(default)]
    pub account: Object,
    /// By id; each with its `value`.
    #[serde(default)]
    pub api_keys: BTreeMap<String, Object>,
    #[serde(default)]
    pub usage_plans: BTreeMap<String, UsagePlan>,
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct UsagePlan {
    pub info: Object,
    /// Ids of API keys.
    pub keys: Vec<String>,
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct RestApi {
    /// As `GetRestApi` gives it.
    pub info: Object,
    /// What the next deployment will hold.
    pub definition: Definition,
    pub deployments: BTreeMap<String, Deployment>,
    /// By name, as `GetStage` gives them.
    pub stages: BTreeMap<String, Object>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Definition {
    /// By id.
    pub resources: BTreeMap<String, Resource>,
    /// By id.
    pub authorizers: BTreeMap<String, Object>,
    /// By name.
    pub models: BTreeMap<String, Object>,
    /// By id.
    pub validators: BTreeMap<String, Object>,
    /// By response type.
    pub gateway_responses: BTreeMap<String, Object>,
    pub binary_media_types: Vec<String>,
    /// `HEADER` or `AUTHORIZER`.
    pub api_key_source: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Resource {
    pub id: String,
    /// None for the root.
    pub parent_id: Option<String>,
    pub path_part: String,
    /// Begins with `/`.
    pub path: String,
    /// By HTTP method or `ANY`; each with its `methodIntegration` and `methodResponses`.
    pub methods: BTreeMap<String, Object>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Deployment {
    pub id: String,
    pub description: String,
    /// Epoch seconds.
    pub created: i64,
    pub snapshot: Arc<Definition>,
}

/// The member as an object, made when missing.
pub(super) fn child<'a>(object: &'a mut Object, name: &str) -> &'a mut Object {
    let value = object.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made an object just now")
}
