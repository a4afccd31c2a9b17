//! What methods refer to: authorizers, models, request validators, and the answers that the gateway itself gives. They
//! differ in their members only, so one description of each serves all operations.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::gateway_response;
use super::patch::{Fields, Kind, patched};
use super::record::{Definition, Object};
use super::service::{ApiGateway, bad_request, conflict, not_found, page, pick};
use crate::members::Members;
use crate::service::ApiError;

/// One kind of part.
pub(super) struct Part {
    /// As it stands in the operations' names.
    name: &'static str,
    members: &'static [&'static str],
    fields: Fields,
    /// The input member that names one, and under which they are kept.
    key: &'static str,
    select: fn(&mut Definition) -> &mut BTreeMap<String, Object>,
    read: fn(&Definition) -> &BTreeMap<String, Object>,
    check: fn(&Object) -> Result<(), ApiError>,
}

pub(super) const AUTHORIZER: Part = Part {
    name: "Authorizer",
    members: &[
        "name",
        "type",
        "providerARNs",
        "authType",
        "authorizerUri",
        "authorizerCredentials",
        "identitySource",
        "identityValidationExpression",
        "authorizerResultTtlInSeconds",
    ],
    fields: &[
        ("/name", Kind::Text),
        ("/type", Kind::Text),
        ("/authType", Kind::Text),
        ("/authorizerUri", Kind::Text),
        ("/authorizerCredentials", Kind::Text),
        ("/identitySource", Kind::Text),
        ("/identityValidationExpression", Kind::Text),
        ("/authorizerResultTtlInSeconds", Kind::Integer),
        ("/providerARNs/*", Kind::Entry),
    ],
    key: "authorizerId",
    select: |definition| &mut definition.authorizers,
    read: |definition| &definition.authorizers,
    check: check_authorizer,
};

pub(super) const MODEL: Part = Part {
    name: "Model",
    members: &["name", "description", "schema", "contentType"],
    fields: &[("/description", Kind::Text), ("/schema", Kind::Text)],
    key: "modelName",
    select: |definition| &mut definition.models,
    read: |definition| &definition.models,
    check: check_model,
};

pub(super) const VALIDATOR: Part = Part {
    name: "RequestValidator",
    members: &["name", "validateRequestBody", "validateRequestParameters"],
    fields: &[
        ("/name", Kind::Text),
        ("/validateRequestBody", Kind::Flag),
        ("/validateRequestParameters", Kind::Flag),
    ],
    key: "requestValidatorId",
    select: |definition| &mut definition.validators,
    read: |definition| &definition.validators,
    check: |_| Ok(()),
};

pub(super) const GATEWAY_RESPONSE: Part = Part {
    name: "GatewayResponse",
    members: &["responseType", "statusCode", "responseParameters", "responseTemplates"],
    fields: &[
        ("/statusCode", Kind::Text),
        ("/responseParameters/*", Kind::Text),
        ("/responseTemplates/*", Kind::Text),
    ],
    key: "responseType",
    select: |definition| &mut definition.gateway_responses,
    read: |definition| &definition.gateway_responses,
    check: gateway_response::check,
};

const PARTS: [&Part; 4] = [&AUTHORIZER, &MODEL, &VALIDATOR, &GATEWAY_RESPONSE];

impl ApiGateway {
    /// None when the operation concerns no part.
    pub(super) fn call_part(&self, operation: &str, input: &Value) -> Option<Result<Value, ApiError>> {
        PARTS.iter().find_map(|part| {
            let of = |verb: &str| operation.strip_prefix(verb);
            let plural = format!("{}s", part.name);
            if of("Create") == Some(part.name) || of("Put") == Some(part.name) {
                Some(self.create_part(part, input))
            } else if of("Get") == Some(part.name) {
                Some(self.get_part(part, input))
            } else if of("Get") == Some(&plural) {
                Some(self.get_parts(part, input))
            } else if of("Update") == Some(part.name) {
                Some(self.update_part(part, input))
            } else if of("Delete") == Some(part.name) {
                Some(self.delete_part(part, input))
            } else {
                None
            }
        })
    }

    pub(super) fn create_part(&self, part: &Part, input: &Value) -> Result<Value, ApiError> {
        let mut record = pick(input, part.members);
        let key = match part.name {
            "Model" => record.text("name").unwrap_or_default().to_owned(),
            "GatewayResponse" => record.text("responseType").unwrap_or_default().to_owned(),
            _ => self.new_id(6),
        };
        match part.name {
            "GatewayResponse" => {
                gateway_response::complete(&mut record);
            }
            "Authorizer" => {
                record.insert("id".to_owned(), json!(key));
                record.entry("authType").or_insert_with(|| json!("custom"));
                record
                    .entry("authorizerResultTtlInSeconds")
                    .or_insert_with(|| json!(300));
            }
            "RequestValidator" => {
                record.insert("id".to_owned(), json!(key));
                record.entry("validateRequestBody").or_insert_with(|| json!(false));
                record
                    .entry("validateRequestParameters")
                    .or_insert_with(|| json!(false));
            }
            _ => {
                record.insert("id".to_owned(), json!(self.new_id(6)));
            }
        }
        (part.check)(&record)?;
        self.change_api(input, |api| {
            let records = (part.select)(&mut api.definition);
            let same_name = |other: &Object| other.get("name") == record.get("name");
            let taken = match part.name {
                "GatewayResponse" => false,
                "Model" => records.contains_key(&key),
                "Authorizer" => records.values().any(same_name),
                _ => false,
            };
            if taken {
                return Err(conflict(format!("{} name already exists for this REST API", part.name)));
            }
            records.insert(key, record.clone());
            Ok(Value::Object(record))
        })
    }

    fn get_part(&self, part: &Part, input: &Value) -> Result<Value, ApiError> {
        let key = input.text(part.key).unwrap_or_default();
        self.with_api(input, |api| match (part.read)(&api.definition).get(key) {
            Some(record) => Ok(Value::Object(record.clone())),
            None if part.name == "GatewayResponse" => gateway_response::default(key),
            None => Err(missing(part)),
        })
    }

    fn get_parts(&self, part: &Part, input: &Value) -> Result<Value, ApiError> {
        self.with_api(input, |api| {
            let records = (part.read)(&api.definition);
            let entries = if part.name == "GatewayResponse" {
                gateway_response::all(records)
            } else {
                records.values().cloned().map(Value::Object).collect()
            };
            page(input, entries)
        })
    }

    fn update_part(&self, part: &Part, input: &Value) -> Result<Value, ApiError> {
        let key = input.text(part.key).unwrap_or_default();
        self.change_api(input, |api| {
            let records = (part.select)(&mut api.definition);
            let record = records.get_mut(key).ok_or_else(|| missing(part))?;
            let patched = patched(record, input, part.fields)?;
            (part.check)(&patched)?;
            *record = patched.clone();
            Ok(Value::Object(patched))
        })
    }

    /// Sets the members as a template describes them.
    pub(super) fn replace_part(&self, part: &Part, input: &Value) -> Result<(), ApiError> {
        let key = input.text(part.key).unwrap_or_default();
        self.change_api(input, |api| {
            let record = (part.select)(&mut api.definition)
                .get_mut(key)
                .ok_or_else(|| missing(part))?;
            let mut replaced = record.clone();
            replaced.retain(|name, _| {
                !part.members.contains(&name.as_str()) || matches!(name.as_str(), "name" | "responseType")
            });
            replaced.extend(pick(input, part.members));
            if part.name == "GatewayResponse" {
                gateway_response::complete(&mut replaced);
            }
            (part.check)(&replaced)?;
            *record = replaced;
            Ok(())
        })
    }

    pub(super) fn delete_part(&self, part: &Part, input: &Value) -> Result<Value, ApiError> {
        let key = input.text(part.key).unwrap_or_default();
        self.change_api(input, |api| {
            let used = api
                .definition
                .resources
                .values()
                .flat_map(|resource| resource.methods.values())
                .any(|method| match part.name {
                    "Authorizer" => method.text("authorizerId") == Some(key),
                    "RequestValidator" => method.text("requestValidatorId") == Some(key),
                    _ => false,
                });
            if used {
                return Err(conflict(format!(
                    "Cannot delete {} '{key}': a method uses it",
                    part.name
                )));
            }
            (part.select)(&mut api.definition)
                .remove(key)
                .map(|_| json!({}))
                .ok_or_else(|| missing(part))
        })
    }
}

fn missing(part: &Part) -> ApiError {
    not_found(format!("Invalid {} identifier specified", part.name))
}

fn check_authorizer(authorizer: &Object) -> Result<(), ApiError> {
    let kind = authorizer.text("type").unwrap_or_default();
    if authorizer.text("name").is_none_or(str::is_empty) {
        return Err(bad_request("Authorizer name cannot be null or empty"));
    }
    let ttl = authorizer.integer("authorizerResultTtlInSeconds").unwrap_or(300);
    if !(0..=3600).contains(&ttl) {
        return Err(bad_request("Authorizer result TTL must be between 0 and 3600 seconds"));
    }
    match kind {
        "TOKEN" | "REQUEST" => {
            if !authorizer
                .text("authorizerUri")
                .unwrap_or_default()
                .contains(":lambda:path/")
            {
                return Err(bad_request(
                    "Invalid Authorizer URI: it must be the path to a Lambda function",
                ));
            }
            let source = authorizer.text("identitySource").unwrap_or_default();
            if source.is_empty() && (kind == "TOKEN" || ttl > 0) {
                return Err(bad_request("Identity source is required for this authorizer"));
            }
            Ok(())
        }
        "COGNITO_USER_POOLS" => Ok(()),
        other => Err(bad_request(format!("Invalid authorizer type specified: '{other}'"))),
    }
}

fn check_model(model: &Object) -> Result<(), ApiError> {
    let name = model.text("name").unwrap_or_default();
    if name.is_empty() || !name.bytes().all(|letter| letter.is_ascii_alphanumeric()) {
        return Err(bad_request("Model name must be alphanumeric"));
    }
    match model.text("schema").filter(|schema| !schema.is_empty()) {
        Some(schema) if serde_json::from_str::<Value>(schema).is_err() => {
            Err(bad_request("Invalid model schema specified. It is no JSON"))
        }
        _ => Ok(()),
    }
}
