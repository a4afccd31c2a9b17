//! Resources, their methods, and what stands behind a method: integration and responses.

use serde_json::{Value, json};

use super::patch::{Fields, Kind, patched};
use super::record::{Definition, Object, Resource, RestApi, child};
use super::service::{ApiGateway, bad_request, conflict, not_found, page, pick};
use crate::members::Members;
use crate::service::ApiError;

pub(super) const METHOD: [&str; 8] = [
    "authorizationType",
    "authorizerId",
    "apiKeyRequired",
    "operationName",
    "requestParameters",
    "requestModels",
    "requestValidatorId",
    "authorizationScopes",
];

const METHOD_FIELDS: Fields = &[
    ("/authorizationType", Kind::Text),
    ("/authorizerId", Kind::Text),
    ("/apiKeyRequired", Kind::Flag),
    ("/operationName", Kind::Text),
    ("/requestParameters/*", Kind::Flag),
    ("/requestModels/*", Kind::Text),
    ("/requestValidatorId", Kind::Text),
    ("/authorizationScopes/*", Kind::Entry),
];

const INTEGRATION: [&str; 13] = [
    "type",
    "uri",
    "connectionType",
    "connectionId",
    "credentials",
    "requestParameters",
    "requestTemplates",
    "passthroughBehavior",
    "contentHandling",
    "timeoutInMillis",
    "cacheNamespace",
    "cacheKeyParameters",
    "tlsConfig",
];

const INTEGRATION_FIELDS: Fields = &[
    ("/uri", Kind::Text),
    ("/httpMethod", Kind::Text),
    ("/connectionType", Kind::Text),
    ("/connectionId", Kind::Text),
    ("/credentials", Kind::Text),
    ("/requestParameters/*", Kind::Text),
    ("/requestTemplates/*", Kind::Text),
    ("/passthroughBehavior", Kind::Text),
    ("/contentHandling", Kind::Text),
    ("/timeoutInMillis", Kind::Integer),
    ("/cacheNamespace", Kind::Text),
    ("/cacheKeyParameters/*", Kind::Entry),
    ("/tlsConfig/insecureSkipVerification", Kind::Flag),
];

const METHOD_RESPONSE: [&str; 2] = ["responseParameters", "responseModels"];
const METHOD_RESPONSE_FIELDS: Fields = &[("/responseParameters/*", Kind::Flag), ("/responseModels/*", Kind::Text)];

const INTEGRATION_RESPONSE: [&str; 4] = [
    "selectionPattern",
    "responseParameters",
    "responseTemplates",
    "contentHandling",
];
const INTEGRATION_RESPONSE_FIELDS: Fields = &[
    ("/selectionPattern", Kind::Text),
    ("/responseParameters/*", Kind::Text),
    ("/responseTemplates/*", Kind::Text),
    ("/contentHandling", Kind::Text),
];

const VERBS: [&str; 8] = ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

impl ApiGateway {
    pub(super) fn create_resource(&self, input: &Value) -> Result<Value, ApiError> {
        let id = self.new_id(6);
        let part = input.text("pathPart").unwrap_or_default().to_owned();
        check_part(&part)?;
        self.change_api(input, |api| {
            let parent = api.definition.resource(input.text("parentId").unwrap_or_default())?;
            api.definition.check_sibling(&parent.id, &part, None)?;
            let path = format!("{}/{part}", parent.path.trim_end_matches('/'));
            let parent_id = Some(parent.id.clone());
            let resource = Resource {
                id: id.clone(),
                parent_id,
                path_part: part,
                path,
                methods: Default::default(),
            };
            let described = resource.describe(false);
            api.definition.resources.insert(id, resource);
            Ok(described)
        })
    }

    pub(super) fn get_resource(&self, input: &Value) -> Result<Value, ApiError> {
        let embeds = input.texts("embed").iter().any(|part| part == "methods");
        self.with_api(input, |api| {
            Ok(api.definition.resource(resource_id(input))?.describe(embeds))
        })
    }

    pub(super) fn get_resources(&self, input: &Value) -> Result<Value, ApiError> {
        let embeds = input.texts("embed").iter().any(|part| part == "methods");
        self.with_api(input, |api| {
            page(
                input,
                api.definition
                    .resources
                    .values()
                    .map(|resource| resource.describe(embeds))
                    .collect(),
            )
        })
    }

    pub(super) fn update_resource(&self, input: &Value) -> Result<Value, ApiError> {
        const FIELDS: Fields = &[("/pathPart", Kind::Text), ("/parentId", Kind::Text)];
        self.change_api(input, |api| {
            let current = api.definition.resource(resource_id(input))?;
            let mut members = Object::new();
            members.insert("pathPart".to_owned(), json!(current.path_part));
            members.insert("parentId".to_owned(), json!(current.parent_id));
            let (id, members) = (current.id.clone(), patched(&members, input, FIELDS)?);
            let part = members.text("pathPart").unwrap_or_default().to_owned();
            check_part(&part)?;
            let parent = api
                .definition
                .resource(members.text("parentId").unwrap_or_default())?
                .id
                .clone();
            api.definition.check_sibling(&parent, &part, Some(&id))?;
            let resource = api.definition.resource_mut(&id)?;
            resource.path_part = part;
            resource.parent_id = Some(parent);
            api.definition.settle_paths();
            Ok(api.definition.resource(&id)?.describe(false))
        })
    }

    pub(super) fn delete_resource(&self, input: &Value) -> Result<Value, ApiError> {
        self.change_api(input, |api| {
            let resource = api.definition.resource(resource_id(input))?;
            if resource.parent_id.is_none() {
                return Err(bad_request("Root resource cannot be deleted"));
            }
            // What lies below goes with it.
            let (id, below) = (resource.id.clone(), format!("{}/", resource.path));
            api.definition
                .resources
                .retain(|other, resource| *other != id && !resource.path.starts_with(&below));
            Ok(json!({}))
        })
    }

    pub(super) fn put_method(&self, input: &Value) -> Result<Value, ApiError> {
        let verb = verb(input)?;
        let mut method = pick(input, &METHOD);
        method.insert("httpMethod".to_owned(), json!(verb));
        method.entry("apiKeyRequired").or_insert_with(|| json!(false));
        self.change_api(input, |api| {
            check_method(&method, api)?;
            let resource = api.definition.resource_mut(resource_id(input))?;
            if resource.methods.contains_key(&verb) {
                return Err(conflict("Method already exists for this resource"));
            }
            let described = Value::Object(method.clone());
            resource.methods.insert(verb, method);
            Ok(described)
        })
    }

    pub(super) fn get_method(&self, input: &Value) -> Result<Value, ApiError> {
        self.with_method(input, |method| Ok(method.clone()))
    }

    pub(super) fn update_method(&self, input: &Value) -> Result<Value, ApiError> {
        self.change_api(input, |api| {
            let patched = patched(api.definition.method_mut(input)?, input, METHOD_FIELDS)?;
            check_method(&patched, api)?;
            *api.definition.method_mut(input)? = patched.clone();
            Ok(Value::Object(patched))
        })
    }

    pub(super) fn delete_method(&self, input: &Value) -> Result<Value, ApiError> {
        let verb = verb(input)?;
        self.change_api(input, |api| {
            api.definition.method_mut(input)?;
            api.definition.resource_mut(resource_id(input))?.methods.remove(&verb);
            Ok(json!({}))
        })
    }

    pub(super) fn put_integration(&self, input: &Value) -> Result<Value, ApiError> {
        let mut integration = pick(input, &INTEGRATION);
        // `httpMethod` of the input is the method's own.
        if let Some(verb) = input.member("integrationHttpMethod") {
            integration.insert("httpMethod".to_owned(), verb.clone());
        }
        integration
            .entry("passthroughBehavior")
            .or_insert_with(|| json!("WHEN_NO_MATCH"));
        integration.entry("timeoutInMillis").or_insert_with(|| json!(29_000));
        integration
            .entry("cacheNamespace")
            .or_insert_with(|| json!(resource_id(input)));
        integration.entry("cacheKeyParameters").or_insert_with(|| json!([]));
        check_integration(&integration)?;
        self.change_api(input, |api| {
            let method = api.definition.method_mut(input)?;
            if let Some(responses) = method
                .get("methodIntegration")
                .and_then(|current| current.get("integrationResponses"))
            {
                integration.insert("integrationResponses".to_owned(), responses.clone());
            }
            method.insert("methodIntegration".to_owned(), Value::Object(integration.clone()));
            Ok(Value::Object(integration))
        })
    }

    pub(super) fn get_integration(&self, input: &Value) -> Result<Value, ApiError> {
        self.with_method(input, |method| integration(method).cloned())
    }

    pub(super) fn update_integration(&self, input: &Value) -> Result<Value, ApiError> {
        self.change_method(input, |method| {
            let patched = patched(integration(method)?, input, INTEGRATION_FIELDS)?;
            check_integration(&patched)?;
            method.insert("methodIntegration".to_owned(), Value::Object(patched.clone()));
            Ok(Value::Object(patched))
        })
    }

    pub(super) fn delete_integration(&self, input: &Value) -> Result<Value, ApiError> {
        self.change_method(input, |method| {
            integration(method)?;
            method.remove("methodIntegration");
            Ok(json!({}))
        })
    }

    pub(super) fn put_method_response(&self, input: &Value) -> Result<Value, ApiError> {
        let response = response_of(input, &METHOD_RESPONSE)?;
        self.change_method(input, |method| {
            let responses = child(method, "methodResponses");
            if responses.contains_key(status(input)) {
                return Err(conflict("Response already exists for this resource"));
            }
            responses.insert(status(input).to_owned(), Value::Object(response.clone()));
            Ok(Value::Object(response))
        })
    }

    pub(super) fn get_method_response(&self, input: &Value) -> Result<Value, ApiError> {
        self.with_method(input, |method| response(method.get("methodResponses"), input).cloned())
    }

    pub(super) fn update_method_response(&self, input: &Value) -> Result<Value, ApiError> {
        self.change_method(input, |method| {
            let patched = patched(
                response(method.get("methodResponses"), input)?,
                input,
                METHOD_RESPONSE_FIELDS,
            )?;
            child(method, "methodResponses").insert(status(input).to_owned(), Value::Object(patched.clone()));
            Ok(Value::Object(patched))
        })
    }

    pub(super) fn delete_method_response(&self, input: &Value) -> Result<Value, ApiError> {
        self.change_method(input, |method| {
            response(method.get("methodResponses"), input)?;
            child(method, "methodResponses").remove(status(input));
            Ok(json!({}))
        })
    }

    pub(super) fn put_integration_response(&self, input: &Value) -> Result<Value, ApiError> {
        let response = response_of(input, &INTEGRATION_RESPONSE)?;
        self.change_method(input, |method| {
            integration(method)?;
            let responses = child(child(method, "methodIntegration"), "integrationResponses");
            responses.insert(status(input).to_owned(), Value::Object(response.clone()));
            Ok(Value::Object(response))
        })
    }

    pub(super) fn get_integration_response(&self, input: &Value) -> Result<Value, ApiError> {
        self.with_method(input, |method| {
            response(integration(method)?.get("integrationResponses"), input).cloned()
        })
    }

    pub(super) fn update_integration_response(&self, input: &Value) -> Result<Value, ApiError> {
        self.change_method(input, |method| {
            let current = response(integration(method)?.get("integrationResponses"), input)?;
            let patched = patched(current, input, INTEGRATION_RESPONSE_FIELDS)?;
            let responses = child(child(method, "methodIntegration"), "integrationResponses");
            responses.insert(status(input).to_owned(), Value::Object(patched.clone()));
            Ok(Value::Object(patched))
        })
    }

    pub(super) fn delete_integration_response(&self, input: &Value) -> Result<Value, ApiError> {
        self.change_method(input, |method| {
            response(integration(method)?.get("integrationResponses"), input)?;
            child(child(method, "methodIntegration"), "integrationResponses").remove(status(input));
            Ok(json!({}))
        })
    }

    fn with_method(
        &self,
        input: &Value,
        read: impl FnOnce(&Object) -> Result<Object, ApiError>,
    ) -> Result<Value, ApiError> {
        let verb = verb(input)?;
        self.with_api(input, |api| {
            let resource = api.definition.resource(resource_id(input))?;
            read(resource.methods.get(&verb).ok_or_else(no_method)?).map(Value::Object)
        })
    }

    fn change_method(
        &self,
        input: &Value,
        change: impl FnOnce(&mut Object) -> Result<Value, ApiError>,
    ) -> Result<Value, ApiError> {
        self.change_api(input, |api| change(api.definition.method_mut(input)?))
    }

    /// Sets a whole method as a template describes it, whatever was there.
    pub(super) fn replace_method(&self, input: &Value, method: Object) -> Result<(), ApiError> {
        let verb = verb(input)?;
        if let Some(integration) = method.get("methodIntegration").and_then(Value::as_object) {
            check_integration(integration)?;
        }
        self.change_api(input, |api| {
            check_method(&method, api)?;
            api.definition
                .resource_mut(resource_id(input))?
                .methods
                .insert(verb, method);
            Ok(())
        })
    }
}

impl Resource {
    fn describe(&self, embeds_methods: bool) -> Value {
        let mut described = json!({"id": self.id, "path": self.path});
        if let Some(parent) = &self.parent_id {
            described["parentId"] = json!(parent);
            described["pathPart"] = json!(self.path_part);
        }
        if !self.methods.is_empty() {
            let methods = self.methods.iter().map(|(verb, method)| {
                (
                    verb.clone(),
                    if embeds_methods {
                        Value::Object(method.clone())
                    } else {
                        json!({})
                    },
                )
            });
            described["resourceMethods"] = Value::Object(methods.collect());
        }
        described
    }
}

impl Definition {
    pub fn resource(&self, id: &str) -> Result<&Resource, ApiError> {
        self.resources.get(id).ok_or_else(no_resource)
    }

    fn resource_mut(&mut self, id: &str) -> Result<&mut Resource, ApiError> {
        self.resources.get_mut(id).ok_or_else(no_resource)
    }

    fn method_mut(&mut self, input: &Value) -> Result<&mut Object, ApiError> {
        let verb = verb(input)?;
        self.resource_mut(resource_id(input))?
            .methods
            .get_mut(&verb)
            .ok_or_else(no_method)
    }

    /// Two parts that mean the same requests cannot be neighbours.
    fn check_sibling(&self, parent: &str, part: &str, except: Option<&str>) -> Result<(), ApiError> {
        let mut siblings = self
            .resources
            .values()
            .filter(|resource| resource.parent_id.as_deref() == Some(parent) && Some(resource.id.as_str()) != except);
        let variable = |part: &str| part.starts_with('{') && !part.ends_with("+}");
        let same = |other: &str| {
            other == part || (variable(other) && variable(part)) || (other.ends_with("+}") && part.ends_with("+}"))
        };
        match siblings.find(|sibling| same(&sibling.path_part)) {
            Some(sibling) if sibling.path_part == part => Err(conflict(format!(
                "Another resource with the same parent already has this name: {part}"
            ))),
            Some(sibling) => Err(bad_request(format!(
                "A sibling ({}) of this resource already has a variable path part -- only one is allowed",
                sibling.path_part
            ))),
            None => Ok(()),
        }
    }

    fn settle_paths(&mut self) {
        let parts: Vec<(String, Option<String>, String)> = self
            .resources
            .values()
            .map(|resource| {
                (
                    resource.id.clone(),
                    resource.parent_id.clone(),
                    resource.path_part.clone(),
                )
            })
            .collect();
        let find = |id: &str| parts.iter().find(|(other, ..)| other == id);
        for resource in self.resources.values_mut() {
            let mut path = Vec::new();
            let mut at = find(&resource.id);
            // Bounded, should a resource be made its own ancestor.
            while let Some((_, Some(parent), part)) = at
                && path.len() <= parts.len()
            {
                path.push(part.as_str());
                at = find(parent);
            }
            path.reverse();
            resource.path = format!("/{}", path.join("/"));
        }
    }
}

fn resource_id(input: &Value) -> &str {
    input.text("resourceId").unwrap_or_default()
}

fn status(input: &Value) -> &str {
    input.text("statusCode").unwrap_or_default()
}

fn verb(input: &Value) -> Result<String, ApiError> {
    let verb = input.text("httpMethod").unwrap_or_default();
    if VERBS.contains(&verb) {
        Ok(verb.to_owned())
    } else {
        Err(bad_request(format!(
            "Invalid HttpMethod specified: '{verb}'. Valid options are {}",
            VERBS.join(",")
        )))
    }
}

fn no_resource() -> ApiError {
    not_found("Invalid Resource identifier specified")
}

fn no_method() -> ApiError {
    not_found("Invalid Method identifier specified")
}

fn integration(method: &Object) -> Result<&Object, ApiError> {
    method
        .get("methodIntegration")
        .and_then(Value::as_object)
        .ok_or_else(|| not_found("Invalid Integration identifier specified"))
}

fn response<'a>(responses: Option<&'a Value>, input: &Value) -> Result<&'a Object, ApiError> {
    let found = responses
        .and_then(|responses| responses.get(status(input)))
        .and_then(Value::as_object);
    found.ok_or_else(|| not_found("Invalid Response status code specified"))
}

fn response_of(input: &Value, members: &[&str]) -> Result<Object, ApiError> {
    let status = status(input);
    if status.len() != 3 || !status.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(bad_request(format!("Invalid status code specified: '{status}'")));
    }
    let mut response = pick(input, members);
    response.insert("statusCode".to_owned(), json!(status));
    Ok(response)
}

fn check_part(part: &str) -> Result<(), ApiError> {
    let inner = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let name = match inner {
        Some(inner) => inner.strip_suffix('+').unwrap_or(inner),
        None => part,
    };
    // API Gateway allows a-zA-Z0-9._-: and curly braces around the whole part.
    if name.is_empty()
        || !name
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || b"._-:~$,".contains(&letter))
    {
        return Err(bad_request(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.",
        ));
    }
    Ok(())
}

fn check_method(method: &Object, api: &RestApi) -> Result<(), ApiError> {
    let kind = method.text("authorizationType").unwrap_or("NONE");
    if !matches!(kind, "NONE" | "AWS_IAM" | "CUSTOM" | "COGNITO_USER_POOLS") {
        return Err(bad_request(format!("Invalid authorization type specified: {kind}")));
    }
    if matches!(kind, "CUSTOM" | "COGNITO_USER_POOLS") {
        let known = method
            .text("authorizerId")
            .is_some_and(|id| api.definition.authorizers.contains_key(id));
        if !known {
            return Err(bad_request(
                "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.",
            ));
        }
    }
    match method.text("requestValidatorId") {
        Some(id) if !api.definition.validators.contains_key(id) => {
            Err(bad_request("Invalid Request Validator identifier specified"))
        }
        _ => Ok(()),
    }
}

fn check_integration(integration: &Object) -> Result<(), ApiError> {
    let kind = integration.text("type").unwrap_or_default();
    if !matches!(kind, "HTTP" | "AWS" | "MOCK" | "HTTP_PROXY" | "AWS_PROXY") {
        return Err(bad_request(format!("Invalid integration type specified: '{kind}'")));
    }
    if kind != "MOCK" {
        if integration.text("httpMethod").is_none_or(str::is_empty) {
            return Err(bad_request("Enumeration value for HttpMethod must be non-empty"));
        }
        let uri = integration.text("uri").unwrap_or_default();
        let expected = if kind.starts_with("AWS") {
            uri.starts_with("arn:")
        } else {
            uri.contains("://")
        };
        if !expected {
            let what = if kind.starts_with("AWS") {
                "AWS ARN"
            } else {
                "HTTP endpoint"
            };
            return Err(bad_request(format!("Invalid {what} specified in the request: '{uri}'")));
        }
    }
    let timeout = integration.integer("timeoutInMillis").unwrap_or(29_000);
    if timeout < 50 {
        return Err(bad_request("Timeout should be between 50 ms and 29000 ms"));
    }
    Ok(())
}
