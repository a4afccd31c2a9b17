//! The parts of an API that a deployment holds: routes, integrations, authorizers, and the responses of the first two.
//! They are made, described, changed and removed alike; what differs stands in one table.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::record::{Api, ApiKind, Definition, Object};
use super::routes::RouteKey;
use super::service::{ApiGatewayV2, bad_request, conflict, merge, not_found, page, without};
use crate::members::Members;
use crate::service::ApiError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Route,
    Integration,
    Authorizer,
    RouteResponse,
    IntegrationResponse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Get,
    List,
    Update,
    Delete,
}

impl Part {
    /// Reads `CreateRoute`, `GetRoutes` and their kin.
    pub fn of_operation(operation: &str) -> Option<(Verb, Self)> {
        let verbs = [
            ("Create", Verb::Create),
            ("Get", Verb::Get),
            ("Update", Verb::Update),
            ("Delete", Verb::Delete),
        ];
        let (verb, noun) = verbs
            .into_iter()
            .find_map(|(name, verb)| Some((verb, operation.strip_prefix(name)?)))?;
        let parts = [
            Self::Route,
            Self::Integration,
            Self::Authorizer,
            Self::RouteResponse,
            Self::IntegrationResponse,
        ];
        parts.into_iter().find_map(|part| match noun.strip_prefix(part.noun()) {
            Some("") => Some((verb, part)),
            Some("s") if verb == Verb::Get => Some((Verb::List, part)),
            _ => None,
        })
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Route => "Route",
            Self::Integration => "Integration",
            Self::Authorizer => "Authorizer",
            Self::RouteResponse => "RouteResponse",
            Self::IntegrationResponse => "IntegrationResponse",
        }
    }

    /// The member that holds its id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Route => "RouteId",
            Self::Integration => "IntegrationId",
            Self::Authorizer => "AuthorizerId",
            Self::RouteResponse => "RouteResponseId",
            Self::IntegrationResponse => "IntegrationResponseId",
        }
    }

    /// The member that holds the id of what it belongs to, beside the API.
    fn parent(self) -> Option<&'static str> {
        match self {
            Self::RouteResponse => Some("RouteId"),
            Self::IntegrationResponse => Some("IntegrationId"),
            _ => None,
        }
    }

    fn all(self, definition: &Definition, input: &Value) -> BTreeMap<String, Object> {
        let parent = || self.parent().and_then(|parent| input.text(parent)).unwrap_or_default();
        match self {
            Self::Route => definition.routes.clone(),
            Self::Integration => definition.integrations.clone(),
            Self::Authorizer => definition.authorizers.clone(),
            Self::RouteResponse => definition.route_responses.get(parent()).cloned().unwrap_or_default(),
            Self::IntegrationResponse => definition
                .integration_responses
                .get(parent())
                .cloned()
                .unwrap_or_default(),
        }
    }

    fn all_mut<'a>(
        self,
        definition: &'a mut Definition,
        input: &Value,
    ) -> Result<&'a mut BTreeMap<String, Object>, ApiError> {
        let parent = self.parent().and_then(|parent| input.text(parent)).unwrap_or_default();
        let missing = |noun: &str| {
            not_found(format!(
                "Unable to find {noun} by key {parent} within the provided scope"
            ))
        };
        Ok(match self {
            Self::Route => &mut definition.routes,
            Self::Integration => &mut definition.integrations,
            Self::Authorizer => &mut definition.authorizers,
            Self::RouteResponse if !definition.routes.contains_key(parent) => return Err(missing("Route")),
            Self::RouteResponse => definition.route_responses.entry(parent.to_owned()).or_default(),
            Self::IntegrationResponse if !definition.integrations.contains_key(parent) => {
                return Err(missing("Integration"));
            }
            Self::IntegrationResponse => definition.integration_responses.entry(parent.to_owned()).or_default(),
        })
    }

    fn missing(self, id: &str) -> ApiError {
        not_found(format!("Invalid {} identifier specified {id}", self.noun()))
    }
}

impl ApiGatewayV2 {
    pub(super) fn call_part(&self, verb: Verb, part: Part, input: &Value) -> Result<Value, ApiError> {
        let id = input.text(part.id()).unwrap_or_default();
        match verb {
            Verb::Create => self.create_part(part, input),
            Verb::Get => self.with_api(input, |api| {
                let all = part.all(&api.definition, input);
                all.get(id).cloned().map(Value::Object).ok_or_else(|| part.missing(id))
            }),
            Verb::List => self.with_api(input, |api| page(input, part.all(&api.definition, input).values())),
            Verb::Update => {
                let mut changes = without(input, &["ApiId", part.id()]);
                if let Some(parent) = part.parent() {
                    changes.remove(parent);
                }
                self.update_part(part, input, id, &changes)
            }
            Verb::Delete => self.delete_part(part, input, id),
        }
    }

    pub(super) fn create_part(&self, part: Part, input: &Value) -> Result<Value, ApiError> {
        let id = self.new_id(7);
        let mut object = without(input, &["ApiId"]);
        if let Some(parent) = part.parent() {
            object.remove(parent);
        }
        object.insert(part.id().to_owned(), json!(id));
        self.change_api(input, |api| {
            complete(part, api.kind(), &mut object);
            part.all_mut(&mut api.definition, input)?.insert(id, object.clone());
            check(api)?;
            Ok(Value::Object(object))
        })
    }

    /// `changes` hold null for what goes away.
    pub(super) fn update_part(&self, part: Part, input: &Value, id: &str, changes: &Object) -> Result<Value, ApiError> {
        self.change_api(input, |api| {
            let kind = api.kind();
            let all = part.all_mut(&mut api.definition, input)?;
            let object = all.get_mut(id).ok_or_else(|| part.missing(id))?;
            merge(object, changes);
            complete(part, kind, object);
            let object = object.clone();
            check(api)?;
            Ok(Value::Object(object))
        })
    }

    pub(super) fn delete_part(&self, part: Part, input: &Value, id: &str) -> Result<Value, ApiError> {
        self.change_api(input, |api| {
            let gone = part.all_mut(&mut api.definition, input)?.remove(id);
            gone.ok_or_else(|| part.missing(id))?;
            let definition = &mut api.definition;
            match part {
                Part::Route => drop(definition.route_responses.remove(id)),
                Part::Integration => drop(definition.integration_responses.remove(id)),
                _ => {}
            }
            let uses = |route: &&Object| match part {
                Part::Integration => route.text("Target") == Some(&format!("integrations/{id}")),
                Part::Authorizer => route.text("AuthorizerId") == Some(id),
                _ => false,
            };
            if let Some(route) = definition.routes.values().find(uses) {
                let key = route.text("RouteKey").unwrap_or_default();
                let noun = part.noun();
                return Err(conflict(format!(
                    "Cannot delete {noun} '{id}': the route '{key}' uses it."
                )));
            }
            Ok(json!({}))
        })
    }
}

/// What AWS adds when a part is made.
fn complete(part: Part, kind: ApiKind, object: &mut Object) {
    let mut default = |name: &str, value: Value| {
        object.entry(name).or_insert(value);
    };
    match (part, kind) {
        (Part::Route, _) => {
            default("ApiKeyRequired", json!(false));
            default("AuthorizationType", json!("NONE"));
        }
        // "For HTTP APIs … the default is 30 seconds", API reference, CreateIntegration.
        (Part::Integration, ApiKind::Http) => {
            default("TimeoutInMillis", json!(30_000));
            default("ConnectionType", json!("INTERNET"));
            default("PayloadFormatVersion", json!("1.0"));
        }
        (Part::Integration, ApiKind::WebSocket) => {
            default("TimeoutInMillis", json!(29_000));
            default("ConnectionType", json!("INTERNET"));
            default("PayloadFormatVersion", json!("1.0"));
            default("PassthroughBehavior", json!("WHEN_NO_MATCH"));
            default(
                "IntegrationResponseSelectionExpression",
                json!("${integration.response.statuscode}"),
            );
        }
        _ => {}
    }
}

/// Whether all parts of the definition fit together.
fn check(api: &Api) -> Result<(), ApiError> {
    let kind = api.kind();
    let definition = &api.definition;
    for integration in definition.integrations.values() {
        check_integration(kind, integration)?;
    }
    let mut keys = std::collections::BTreeSet::new();
    for route in definition.routes.values() {
        let key = route.text("RouteKey").unwrap_or_default();
        if RouteKey::parse(kind, key).is_none() {
            return Err(bad_request(format!(
                "The provided route key is not formatted properly for the protocol: '{key}'"
            )));
        }
        if !keys.insert(key) {
            return Err(conflict(format!("Route with key {key} already exists for this API")));
        }
        let target = route
            .text("Target")
            .and_then(|target| target.strip_prefix("integrations/"));
        if let Some(target) = target.filter(|target| !definition.integrations.contains_key(*target)) {
            return Err(bad_request(format!(
                "Invalid integration identifier specified in the target: {target}"
            )));
        }
        let authorizer = route.text("AuthorizerId").filter(|id| !id.is_empty());
        match (route.text("AuthorizationType"), authorizer) {
            (Some("CUSTOM" | "JWT"), Some(id)) if definition.authorizers.contains_key(id) => {}
            (Some("CUSTOM" | "JWT"), id) => {
                let id = id.unwrap_or_default();
                return Err(bad_request(format!(
                    "Invalid authorizer specified for route '{key}': '{id}'"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_integration(kind: ApiKind, integration: &Object) -> Result<(), ApiError> {
    let of = integration.text("IntegrationType").unwrap_or_default();
    if kind == ApiKind::Http && !matches!(of, "AWS_PROXY" | "HTTP_PROXY") {
        return Err(bad_request(format!("HTTP APIs have no integrations of the type {of}")));
    }
    let wants_uri = of != "MOCK" && integration.member("IntegrationSubtype").is_none();
    if wants_uri && integration.text("IntegrationUri").is_none_or(str::is_empty) {
        return Err(bad_request("Integration URI is required for this integration type"));
    }
    if !matches!(integration.text("PayloadFormatVersion"), Some("1.0" | "2.0")) {
        return Err(bad_request("PayloadFormatVersion must be 1.0 or 2.0"));
    }
    let longest = if kind == ApiKind::Http { 30_000 } else { 29_000 };
    if !integration
        .integer("TimeoutInMillis")
        .is_some_and(|timeout| (50..=longest).contains(&timeout))
    {
        return Err(bad_request(format!("Timeout should be between 50 ms and {longest} ms")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_by_verb_and_noun() {
        assert_eq!(Part::of_operation("CreateRoute"), Some((Verb::Create, Part::Route)));
        assert_eq!(
            Part::of_operation("GetRouteResponses"),
            Some((Verb::List, Part::RouteResponse))
        );
        assert_eq!(
            Part::of_operation("DeleteIntegrationResponse"),
            Some((Verb::Delete, Part::IntegrationResponse))
        );
        assert_eq!(Part::of_operation("CreateRoutes"), None);
        assert_eq!(Part::of_operation("GetModel"), None);
    }
}
