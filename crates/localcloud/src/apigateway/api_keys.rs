//! API keys and usage plans: kept, and asked when a method wants a key. Quotas are kept only.

use serde_json::{Value, json};

use super::patch::{Fields, Kind, PatchOperation, patched};
use super::record::{Object, State, UsagePlan};
use super::service::{ApiGateway, bad_request, conflict, not_found, page, pick};
use crate::members::Members;
use crate::service::ApiError;

const KEY: [&str; 7] = [
    "name",
    "description",
    "enabled",
    "value",
    "customerId",
    "tags",
    "stageKeys",
];
const KEY_FIELDS: Fields = &[
    ("/name", Kind::Text),
    ("/description", Kind::Text),
    ("/enabled", Kind::Flag),
    ("/customerId", Kind::Text),
];
const PLAN: [&str; 6] = ["name", "description", "apiStages", "throttle", "quota", "tags"];
const PLAN_FIELDS: Fields = &[
    ("/name", Kind::Text),
    ("/description", Kind::Text),
    ("/productCode", Kind::Text),
    ("/throttle", Kind::Whole),
    ("/throttle/burstLimit", Kind::Integer),
    ("/throttle/rateLimit", Kind::Decimal),
    ("/quota", Kind::Whole),
    ("/quota/limit", Kind::Integer),
    ("/quota/offset", Kind::Integer),
    ("/quota/period", Kind::Text),
];

impl ApiGateway {
    /// None when the operation concerns neither keys nor plans.
    pub(super) fn call_api_key(&self, operation: &str, input: &Value) -> Option<Result<Value, ApiError>> {
        Some(match operation {
            "CreateApiKey" => self.create_api_key(input),
            "GetApiKey" => self.get_api_key(input),
            "GetApiKeys" => self.get_api_keys(input),
            "UpdateApiKey" => self.update_api_key(input),
            "DeleteApiKey" => self.delete_api_key(input),
            "CreateUsagePlan" => self.create_usage_plan(input),
            "GetUsagePlan" => self.with_plan(input, |plan| Ok(Value::Object(plan.info.clone()))),
            "GetUsagePlans" => self.get_usage_plans(input),
            "UpdateUsagePlan" => self.update_usage_plan(input),
            "DeleteUsagePlan" => self.delete_usage_plan(input),
            "CreateUsagePlanKey" => self.create_usage_plan_key(input),
            "GetUsagePlanKey" => self.get_usage_plan_key(input),
            "GetUsagePlanKeys" => self.get_usage_plan_keys(input),
            "DeleteUsagePlanKey" => self.delete_usage_plan_key(input),
            _ => return None,
        })
    }

    pub(super) fn create_api_key(&self, input: &Value) -> Result<Value, ApiError> {
        let id = self.new_id(10);
        let mut key = pick(input, &KEY);
        let now = self.now().as_second();
        key.insert("id".to_owned(), json!(id));
        key.entry("value").or_insert_with(|| json!(self.new_id(40)));
        key.entry("enabled").or_insert_with(|| json!(false));
        key.insert("createdDate".to_owned(), json!(now));
        key.insert("lastUpdatedDate".to_owned(), json!(now));
        // The input has objects, the answer texts.
        let stages = input
            .list("stageKeys")
            .iter()
            .filter_map(|stage| Some(format!("{}/{}", stage.text("restApiId")?, stage.text("stageName")?)));
        key.insert("stageKeys".to_owned(), stages.collect());
        if key.text("value").is_some_and(|value| value.len() < 20) {
            return Err(bad_request("API Key value should be at least 20 characters"));
        }
        self.change(|state| {
            if state
                .api_keys
                .values()
                .any(|other| other.get("value") == key.get("value"))
            {
                return Err(conflict("API Key already exists"));
            }
            state.api_keys.insert(id, key.clone());
            Ok(Value::Object(key))
        })
    }

    fn get_api_key(&self, input: &Value) -> Result<Value, ApiError> {
        let state = self.state();
        let key = state
            .api_keys
            .get(input.text("apiKey").unwrap_or_default())
            .ok_or_else(no_key)?;
        Ok(shown(key, input.flag("includeValue").unwrap_or(false)))
    }

    fn get_api_keys(&self, input: &Value) -> Result<Value, ApiError> {
        let with_values = input.flag("includeValues").unwrap_or(false);
        let name = input.text("nameQuery").unwrap_or_default();
        let state = self.state();
        let keys = state
            .api_keys
            .values()
            .filter(|key| key.text("name").unwrap_or_default().starts_with(name));
        page(input, keys.map(|key| shown(key, with_values)).collect())
    }

    fn update_api_key(&self, input: &Value) -> Result<Value, ApiError> {
        let now = self.now().as_second();
        self.change(|state| {
            let key = state
                .api_keys
                .get_mut(input.text("apiKey").unwrap_or_default())
                .ok_or_else(no_key)?;
            *key = patched(key, input, KEY_FIELDS)?;
            key.insert("lastUpdatedDate".to_owned(), json!(now));
            Ok(shown(key, false))
        })
    }

    pub(super) fn delete_api_key(&self, input: &Value) -> Result<Value, ApiError> {
        let id = input.text("apiKey").unwrap_or_default();
        self.change(|state| {
            state.api_keys.remove(id).ok_or_else(no_key)?;
            for plan in state.usage_plans.values_mut() {
                plan.keys.retain(|key| key != id);
            }
            Ok(json!({}))
        })
    }

    pub(super) fn create_usage_plan(&self, input: &Value) -> Result<Value, ApiError> {
        let id = self.new_id(6);
        let mut info = pick(input, &PLAN);
        info.insert("id".to_owned(), json!(id));
        info.entry("apiStages").or_insert_with(|| json!([]));
        self.change(|state| {
            check_stages(state, &info)?;
            state.usage_plans.insert(
                id,
                UsagePlan {
                    info: info.clone(),
                    keys: Vec::new(),
                },
            );
            Ok(Value::Object(info))
        })
    }

    fn get_usage_plans(&self, input: &Value) -> Result<Value, ApiError> {
        let state = self.state();
        let has_key = |plan: &&UsagePlan| {
            input
                .text("keyId")
                .is_none_or(|id| plan.keys.iter().any(|key| key == id))
        };
        page(
            input,
            state
                .usage_plans
                .values()
                .filter(has_key)
                .map(|plan| Value::Object(plan.info.clone()))
                .collect(),
        )
    }

    fn update_usage_plan(&self, input: &Value) -> Result<Value, ApiError> {
        let operations = PatchOperation::all_of(input)?;
        self.change(|state| {
            let mut info = plan(state, input)?.info.clone();
            for operation in &operations {
                match (operation.op.as_str(), operation.path.as_str()) {
                    ("add" | "remove", "/apiStages") => change_stages(&mut info, operation)?,
                    _ => operation.apply(&mut info, PLAN_FIELDS)?,
                }
            }
            check_stages(state, &info)?;
            plan(state, input)?.info = info.clone();
            Ok(Value::Object(info))
        })
    }

    /// Sets the members as a template describes them.
    pub(super) fn replace_usage_plan(&self, id: &str, members: &Value) -> Result<(), ApiError> {
        self.change(|state| {
            let mut info = pick(members, &PLAN);
            info.insert("id".to_owned(), json!(id));
            info.entry("apiStages").or_insert_with(|| json!([]));
            check_stages(state, &info)?;
            plan(state, &json!({"usagePlanId": id}))?.info = info;
            Ok(())
        })
    }

    pub(super) fn delete_usage_plan(&self, input: &Value) -> Result<Value, ApiError> {
        self.change(|state| {
            state
                .usage_plans
                .remove(input.text("usagePlanId").unwrap_or_default())
                .map(|_| json!({}))
                .ok_or_else(no_plan)
        })
    }

    pub(super) fn create_usage_plan_key(&self, input: &Value) -> Result<Value, ApiError> {
        let id = input.text("keyId").unwrap_or_default();
        self.change(|state| {
            let key = state.api_keys.get(id).ok_or_else(no_key)?.clone();
            let plan = plan(state, input)?;
            if plan.keys.iter().any(|other| other == id) {
                return Err(conflict("Usage Plan Key already exists"));
            }
            plan.keys.push(id.to_owned());
            Ok(plan_key(&key))
        })
    }

    fn get_usage_plan_key(&self, input: &Value) -> Result<Value, ApiError> {
        let id = input.text("keyId").unwrap_or_default();
        self.with_plan(input, |plan| {
            if plan.keys.iter().any(|key| key == id) {
                Ok(())
            } else {
                Err(no_key())
            }
        })?;
        self.state().api_keys.get(id).map(plan_key).ok_or_else(no_key)
    }

    fn get_usage_plan_keys(&self, input: &Value) -> Result<Value, ApiError> {
        let ids = self.with_plan(input, |plan| Ok(plan.keys.clone()))?;
        let state = self.state();
        page(
            input,
            ids.iter()
                .filter_map(|id| state.api_keys.get(id))
                .map(plan_key)
                .collect(),
        )
    }

    pub(super) fn delete_usage_plan_key(&self, input: &Value) -> Result<Value, ApiError> {
        let id = input.text("keyId").unwrap_or_default();
        self.change(|state| {
            plan(state, input)?.keys.retain(|key| key != id);
            Ok(json!({}))
        })
    }

    fn with_plan<T>(&self, input: &Value, read: impl FnOnce(&UsagePlan) -> Result<T, ApiError>) -> Result<T, ApiError> {
        read(
            self.state()
                .usage_plans
                .get(input.text("usagePlanId").unwrap_or_default())
                .ok_or_else(no_plan)?,
        )
    }

    /// The id of the enabled key with this value that a usage plan lets into the stage.
    pub(super) fn api_key_for(&self, value: &str, api: &str, stage: &str) -> Option<String> {
        let state = self.state();
        let (id, _) = state
            .api_keys
            .iter()
            .find(|(_, key)| key.text("value") == Some(value) && key.flag("enabled") == Some(true))?;
        let covers = |plan: &UsagePlan| {
            plan.keys.contains(id)
                && plan
                    .info
                    .list("apiStages")
                    .iter()
                    .any(|of| of.text("apiId") == Some(api) && of.text("stage") == Some(stage))
        };
        state.usage_plans.values().any(covers).then(|| id.clone())
    }
}

fn plan<'a>(state: &'a mut State, input: &Value) -> Result<&'a mut UsagePlan, ApiError> {
    state
        .usage_plans
        .get_mut(input.text("usagePlanId").unwrap_or_default())
        .ok_or_else(no_plan)
}

/// `API:STAGE` is added or removed.
fn change_stages(info: &mut Object, operation: &PatchOperation) -> Result<(), ApiError> {
    let value = operation.needed_value()?;
    let (api, stage) = value
        .split_once(':')
        .ok_or_else(|| bad_request(format!("Invalid API stage '{value}': it is API:STAGE")))?;
    let mut stages = info.list("apiStages").to_vec();
    stages.retain(|of| of.text("apiId") != Some(api) || of.text("stage") != Some(stage));
    if operation.op == "add" {
        stages.push(json!({"apiId": api, "stage": stage}));
    }
    info.insert("apiStages".to_owned(), Value::Array(stages));
    Ok(())
}

fn check_stages(state: &State, info: &Object) -> Result<(), ApiError> {
    for of in info.list("apiStages") {
        let (api, stage) = (
            of.text("apiId").unwrap_or_default(),
            of.text("stage").unwrap_or_default(),
        );
        if !state.apis.get(api).is_some_and(|api| api.stages.contains_key(stage)) {
            return Err(not_found(format!("API Stage not found: {api}:{stage}")));
        }
    }
    Ok(())
}

fn shown(key: &Object, with_value: bool) -> Value {
    let mut key = key.clone();
    if !with_value {
        key.remove("value");
    }
    Value::Object(key)
}

fn plan_key(key: &Object) -> Value {
    json!({"id": key.get("id"), "type": "API_KEY", "value": key.get("value"), "name": key.get("name")})
}

fn no_key() -> ApiError {
    not_found("Invalid API Key identifier specified")
}

fn no_plan() -> ApiError {
    not_found("Invalid Usage Plan ID specified")
}
