//! The APIs themselves, the account, and tags.

use serde_json::{Map, Value, json};

use super::patch::{Fields, Kind, patched};
use super::record::{Definition, Object, Resource, RestApi, State, child};
use super::service::{ApiGateway, bad_request, no_api, not_found, page, pick};
use crate::members::Members;
use crate::service::ApiError;

const MEMBERS: [&str; 10] = [
    "name",
    "description",
    "version",
    "binaryMediaTypes",
    "minimumCompressionSize",
    "apiKeySource",
    "endpointConfiguration",
    "policy",
    "tags",
    "disableExecuteApiEndpoint",
];

const FIELDS: Fields = &[
    ("/name", Kind::Text),
    ("/description", Kind::Text),
    ("/apiKeySource", Kind::Text),
    ("/policy", Kind::Text),
    ("/minimumCompressionSize", Kind::Integer),
    ("/disableExecuteApiEndpoint", Kind::Flag),
    ("/binaryMediaTypes/*", Kind::Entry),
    ("/endpointConfiguration/types/*", Kind::Entry),
    ("/endpointConfiguration/vpcEndpointIds/*", Kind::Entry),
];

const ACCOUNT_FIELDS: Fields = &[("/cloudwatchRoleArn", Kind::Text), ("/features/*", Kind::Entry)];

impl ApiGateway {
    pub(super) fn create_rest_api(&self, input: &Value) -> Result<Value, ApiError> {
        let id = self.new_id(10);
        let root = self.new_id(10);
        let mut info = pick(input, &MEMBERS);
        if info.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(bad_request("Invalid REST API name specified: it is missing"));
        }
        info.insert("id".to_owned(), json!(id));
        info.insert("createdDate".to_owned(), json!(self.now().as_second()));
        info.insert("rootResourceId".to_owned(), json!(root));
        info.entry("apiKeySource").or_insert_with(|| json!("HEADER"));
        info.entry("endpointConfiguration")
            .or_insert_with(|| json!({"types": ["EDGE"]}));
        info.entry("disableExecuteApiEndpoint").or_insert_with(|| json!(false));
        info.entry("tags").or_insert_with(|| json!({}));
        let resource = Resource {
            id: root.clone(),
            parent_id: None,
            path_part: String::new(),
            path: "/".to_owned(),
            methods: Default::default(),
        };
        let definition = Definition {
            resources: [(root, resource)].into(),
            models: default_models(),
            ..Definition::default()
        };
        let mut api = RestApi {
            info,
            definition,
            ..RestApi::default()
        };
        api.settle();
        let described = Value::Object(api.info.clone());
        self.change(|state| {
            state.apis.insert(id, api);
            Ok(())
        })?;
        Ok(described)
    }

    pub(super) fn get_rest_api(&self, input: &Value) -> Result<Value, ApiError> {
        self.with_api(input, |api| Ok(Value::Object(api.info.clone())))
    }

    pub(super) fn get_rest_apis(&self, input: &Value) -> Result<Value, ApiError> {
        page(
            input,
            self.state()
                .apis
                .values()
                .map(|api| Value::Object(api.info.clone()))
                .collect(),
        )
    }

    pub(super) fn update_rest_api(&self, input: &Value) -> Result<Value, ApiError> {
        self.change_api(input, |api| {
            api.info = patched(&api.info, input, FIELDS)?;
            api.settle();
            Ok(Value::Object(api.info.clone()))
        })
    }

    /// Takes over what a template says, where it says something else than before.
    pub(super) fn set_rest_api(&self, id: &str, members: &Value) -> Result<(), ApiError> {
        self.change_api(&json!({"restApiId": id}), |api| {
            for name in MEMBERS {
                match members.get(name) {
                    Some(Value::Null) => drop(api.info.remove(name)),
                    Some(value) => drop(api.info.insert(name.to_owned(), value.clone())),
                    None => {}
                }
            }
            api.settle();
            Ok(())
        })
    }

    pub(super) fn delete_rest_api(&self, input: &Value) -> Result<Value, ApiError> {
        let id = input.text("restApiId").unwrap_or_default();
        self.change(|state| state.apis.remove(id).map(|_| json!({})).ok_or_else(|| no_api(id)))
    }

    pub(super) fn get_account(&self) -> Value {
        described_account(&self.state())
    }

    pub(super) fn update_account(&self, input: &Value) -> Result<Value, ApiError> {
        self.change(|state| {
            state.account = patched(&state.account, input, ACCOUNT_FIELDS)?;
            Ok(described_account(state))
        })
    }

    pub(super) fn set_account_role(&self, role: Option<&str>) -> Result<(), ApiError> {
        self.change(|state| {
            match role {
                Some(role) => drop(state.account.insert("cloudwatchRoleArn".to_owned(), json!(role))),
                None => drop(state.account.remove("cloudwatchRoleArn")),
            }
            Ok(())
        })
    }

    pub(super) fn tag_resource(&self, input: &Value) -> Result<Value, ApiError> {
        let added = input
            .get("tags")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        self.change(|state| {
            child(tagged(state, input)?, "tags").extend(added);
            Ok(json!({}))
        })
    }

    pub(super) fn untag_resource(&self, input: &Value) -> Result<Value, ApiError> {
        let keys = input.texts("tagKeys");
        self.change(|state| {
            child(tagged(state, input)?, "tags").retain(|key, _| !keys.contains(key));
            Ok(json!({}))
        })
    }

    pub(super) fn get_tags(&self, input: &Value) -> Result<Value, ApiError> {
        let (state, path) = (self.state(), tagged_path(input));
        let found = match path.as_slice() {
            ["restapis", id] => state.apis.get(*id).map(|api| &api.info),
            ["restapis", id, "stages", stage] => state.apis.get(*id).and_then(|api| api.stages.get(*stage)),
            ["apikeys", id] => state.api_keys.get(*id),
            ["usageplans", id] => state.usage_plans.get(*id).map(|plan| &plan.info),
            _ => None,
        };
        let found = found.ok_or_else(|| nothing_tagged(input))?;
        Ok(json!({"tags": found.get("tags").cloned().unwrap_or_else(|| json!({}))}))
    }
}

impl RestApi {
    /// What requests need of the API's own settings belongs to the next snapshot.
    fn settle(&mut self) {
        self.definition.binary_media_types = self.info.texts("binaryMediaTypes");
        self.definition.api_key_source = self.info.text("apiKeySource").unwrap_or("HEADER").to_owned();
    }

    pub fn name(&self) -> &str {
        self.info.text("name").unwrap_or_default()
    }
}

fn described_account(state: &State) -> Value {
    // The account's default quota of a region.
    let mut described = json!({
        "throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0},
        "features": ["UsagePlans"],
        "apiKeyVersion": "4",
    });
    for (name, value) in &state.account {
        described[name] = value.clone();
    }
    described
}

/// What `arn:aws:apigateway:REGION::/restapis/ID[/stages/NAME]` names.
fn tagged<'a>(state: &'a mut State, input: &Value) -> Result<&'a mut Object, ApiError> {
    let found = match tagged_path(input).as_slice() {
        ["restapis", id] => state.apis.get_mut(*id).map(|api| &mut api.info),
        ["restapis", id, "stages", stage] => state.apis.get_mut(*id).and_then(|api| api.stages.get_mut(*stage)),
        ["apikeys", id] => state.api_keys.get_mut(*id),
        ["usageplans", id] => state.usage_plans.get_mut(*id).map(|plan| &mut plan.info),
        _ => None,
    };
    found.ok_or_else(|| nothing_tagged(input))
}

fn tagged_path(input: &Value) -> Vec<&str> {
    let arn = input.text("resourceArn").unwrap_or_default();
    arn.splitn(6, ':')
        .nth(5)
        .unwrap_or_default()
        .split('/')
        .skip(1)
        .collect()
}

fn nothing_tagged(input: &Value) -> ApiError {
    let arn = input.text("resourceArn").unwrap_or_default();
    not_found(format!("Invalid Resource identifier specified: {arn}"))
}

/// Every new API has these two.
fn default_models() -> std::collections::BTreeMap<String, Object> {
    let model = |name: &str, title: &str, schema: Value| {
        let mut model = Map::new();
        model.insert("id".to_owned(), json!(name.to_lowercase()));
        model.insert("name".to_owned(), json!(name));
        model.insert(
            "description".to_owned(),
            json!(format!("This is a default {title} schema model")),
        );
        model.insert("schema".to_owned(), json!(schema.to_string()));
        model.insert("contentType".to_owned(), json!("application/json"));
        (name.to_owned(), model)
    };
    let draft = "http://json-schema.org/draft-04/schema#";
    let error = json!({"$schema": draft, "title": "Error Schema", "type": "object", "properties": {"message": {"type": "string"}}});
    let empty = json!({"$schema": draft, "title": "Empty Schema", "type": "object"});
    [model("Empty", "empty", empty), model("Error", "error", error)].into()
}
