//! A snapshot made ready for requests: which method of which resource a path reaches, and what stands behind it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::record::{Definition, Object};
use crate::members::Members;

pub(super) struct Routes {
    root: Node,
    pub gateway_responses: BTreeMap<String, Object>,
    pub binary_media_types: Vec<String>,
    pub api_key_from_authorizer: bool,
}

#[derive(Default)]
struct Node {
    fixed: HashMap<String, Node>,
    variable: Option<(String, Box<Node>)>,
    greedy: Option<(String, Methods)>,
    methods: Methods,
}

type Methods = HashMap<String, Arc<Route>>;

pub(super) struct Route {
    pub resource_id: String,
    /// With its variables, for example `/users/{id}`.
    pub resource_path: String,
    /// As it was declared: a method or `ANY`.
    pub verb: String,
    pub authorization: Authorization,
    pub api_key_required: bool,
    /// `method.request.querystring.page` and the like, which the validator wants.
    pub required_parameters: Vec<String>,
    pub requires_body: bool,
    pub integration: Integration,
}

pub(super) enum Authorization {
    None,
    Iam,
    Custom(Authorizer),
    Cognito,
}

pub(super) struct Authorizer {
    pub id: String,
    pub is_token: bool,
    pub uri: String,
    pub identity_sources: Vec<String>,
    pub validation: Option<String>,
    pub ttl: Duration,
}

pub(super) struct Integration {
    pub kind: Kind,
    pub uri: String,
    pub verb: String,
    pub parameters: Vec<(String, String)>,
    pub templates: Object,
    pub passthrough: String,
    pub timeout: Duration,
    pub responses: Vec<IntegrationResponse>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    LambdaProxy,
    Lambda,
    HttpProxy,
    Http,
    Mock,
}

pub(super) struct IntegrationResponse {
    pub status: u16,
    /// None chooses this one when no other fits.
    pub pattern: Option<String>,
    pub parameters: Vec<(String, String)>,
    pub templates: Object,
}

/// A request's method, and the values of the path's variables in order.
pub(super) struct Found {
    pub route: Arc<Route>,
    pub path_parameters: Vec<(String, String)>,
}

impl Routes {
    pub fn compile(definition: &Definition) -> Self {
        let mut root = Node::default();
        for resource in definition.resources.values() {
            for (verb, method) in &resource.methods {
                let Some(route) = Route::compile(definition, resource, verb, method) else {
                    continue;
                };
                let methods = root.methods_at(resource.path.split('/').filter(|part| !part.is_empty()));
                methods.insert(verb.clone(), Arc::new(route));
            }
        }
        Self {
            root,
            gateway_responses: definition.gateway_responses.clone(),
            binary_media_types: definition.binary_media_types.clone(),
            api_key_from_authorizer: definition.api_key_source == "AUTHORIZER",
        }
    }

    /// A fixed part wins over a variable, a variable over a greedy one.
    pub fn find(&self, verb: &str, path: &str) -> Option<Found> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let mut path_parameters = Vec::new();
        let methods = self.root.find(&parts, &mut path_parameters)?;
        let route = methods.get(verb).or_else(|| methods.get("ANY"))?;
        Some(Found {
            route: Arc::clone(route),
            path_parameters,
        })
    }
}

impl Node {
    fn methods_at<'a>(&mut self, mut parts: impl Iterator<Item = &'a str>) -> &mut Methods {
        let Some(part) = parts.next() else {
            return &mut self.methods;
        };
        let variable = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match variable.map(|name| name.strip_suffix('+').ok_or(name)) {
            Some(Ok(name)) => &mut self.greedy.get_or_insert_with(|| (name.to_owned(), Methods::new())).1,
            Some(Err(name)) => {
                let (_, node) = self.variable.get_or_insert_with(|| (name.to_owned(), Box::default()));
                node.methods_at(parts)
            }
            None => self.fixed.entry(part.to_owned()).or_default().methods_at(parts),
        }
    }

    fn find(&self, parts: &[&str], parameters: &mut Vec<(String, String)>) -> Option<&Methods> {
        let Some((part, rest)) = parts.split_first() else {
            return (!self.methods.is_empty()).then_some(&self.methods);
        };
        if let Some(found) = self.fixed.get(*part).and_then(|node| node.find(rest, parameters)) {
            return Some(found);
        }
        if let Some((name, node)) = &self.variable {
            let before = parameters.len();
            parameters.push((name.clone(), decoded(part, false)));
            if let Some(found) = node.find(rest, parameters) {
                return Some(found);
            }
            parameters.truncate(before);
        }
        let (name, methods) = self.greedy.as_ref()?;
        parameters.push((name.clone(), decoded(&parts.join("/"), false)));
        Some(methods)
    }
}

impl Route {
    fn compile(
        definition: &Definition,
        resource: &super::record::Resource,
        verb: &str,
        method: &Object,
    ) -> Option<Self> {
        let authorizer = method
            .text("authorizerId")
            .and_then(|id| definition.authorizers.get(id));
        let authorization = match method.text("authorizationType").unwrap_or("NONE") {
            "AWS_IAM" => Authorization::Iam,
            "COGNITO_USER_POOLS" => Authorization::Cognito,
            "CUSTOM" => Authorization::Custom(Authorizer::compile(authorizer?)),
            _ => Authorization::None,
        };
        let validator = method
            .text("requestValidatorId")
            .and_then(|id| definition.validators.get(id));
        let validates = |member: &str| validator.is_some_and(|validator| validator.flag(member) == Some(true));
        let parameters = method.get("requestParameters").and_then(Value::as_object);
        let required = parameters
            .into_iter()
            .flatten()
            .filter(|(_, required)| required.as_bool() == Some(true) || *required == "true");
        let models = method.get("requestModels").and_then(Value::as_object);
        Some(Self {
            resource_id: resource.id.clone(),
            resource_path: resource.path.clone(),
            verb: verb.to_owned(),
            authorization,
            api_key_required: method.flag("apiKeyRequired").unwrap_or(false),
            required_parameters: required
                .filter(|_| validates("validateRequestParameters"))
                .map(|(name, _)| name.clone())
                .collect(),
            requires_body: validates("validateRequestBody") && models.is_some_and(|models| !models.is_empty()),
            integration: Integration::compile(method.get("methodIntegration")?)?,
        })
    }
}

impl Authorizer {
    fn compile(authorizer: &Object) -> Self {
        let sources = authorizer
            .text("identitySource")
            .unwrap_or_default()
            .split(',')
            .map(str::trim);
        let ttl = authorizer
            .integer("authorizerResultTtlInSeconds")
            .and_then(|ttl| u64::try_from(ttl).ok());
        Self {
            id: authorizer.text("id").unwrap_or_default().to_owned(),
            is_token: authorizer.text("type") == Some("TOKEN"),
            uri: authorizer.text("authorizerUri").unwrap_or_default().to_owned(),
            identity_sources: sources.filter(|source| !source.is_empty()).map(str::to_owned).collect(),
            validation: authorizer
                .text("identityValidationExpression")
                .filter(|text| !text.is_empty())
                .map(str::to_owned),
            ttl: Duration::from_secs(ttl.unwrap_or(300)),
        }
    }
}

impl Integration {
    fn compile(integration: &Value) -> Option<Self> {
        let kind = match integration.text("type")? {
            "AWS_PROXY" => Kind::LambdaProxy,
            "AWS" => Kind::Lambda,
            "HTTP_PROXY" => Kind::HttpProxy,
            "HTTP" => Kind::Http,
            _ => Kind::Mock,
        };
        let timeout = integration
            .integer("timeoutInMillis")
            .and_then(|timeout| u64::try_from(timeout).ok())
            .unwrap_or(29_000);
        let responses = integration.get("integrationResponses").and_then(Value::as_object);
        let responses = responses.into_iter().flatten().filter_map(|(status, response)| {
            Some(IntegrationResponse {
                status: status.parse().ok()?,
                pattern: response
                    .text("selectionPattern")
                    .filter(|pattern| !pattern.is_empty())
                    .map(str::to_owned),
                parameters: pairs(response, "responseParameters"),
                templates: object(response, "responseTemplates"),
            })
        });
        Some(Self {
            kind,
            uri: integration.text("uri").unwrap_or_default().to_owned(),
            verb: integration.text("httpMethod").unwrap_or("POST").to_owned(),
            parameters: pairs(integration, "requestParameters"),
            templates: object(integration, "requestTemplates"),
            passthrough: integration
                .text("passthroughBehavior")
                .unwrap_or("WHEN_NO_MATCH")
                .to_owned(),
            timeout: Duration::from_millis(timeout),
            responses: responses.collect(),
        })
    }
}

fn object(value: &Value, member: &str) -> Object {
    value
        .get(member)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

fn pairs(value: &Value, member: &str) -> Vec<(String, String)> {
    let object = value.get(member).and_then(Value::as_object).into_iter().flatten();
    object
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Without its percent escapes; in queries `+` is a space.
pub(super) fn decoded(text: &str, in_query: bool) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(if in_query && bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::record::Resource;
    use super::*;

    fn routes(paths: &[(&str, &str)]) -> Routes {
        let mut definition = Definition::default();
        for (index, (verb, path)) in paths.iter().enumerate() {
            let method = json!({"authorizationType": "NONE", "methodIntegration": {"type": "MOCK"}});
            let resource = Resource {
                id: index.to_string(),
                parent_id: None,
                path_part: String::new(),
                path: (*path).to_owned(),
                methods: [((*verb).to_owned(), method.as_object().cloned().unwrap())].into(),
            };
            definition.resources.insert(index.to_string(), resource);
        }
        Routes::compile(&definition)
    }

    #[test]
    fn the_most_specific_path_wins() {
        let routes = routes(&[
            ("GET", "/"),
            ("GET", "/users/{id}"),
            ("GET", "/users/me"),
            ("ANY", "/{proxy+}"),
            ("GET", "/users/{id}/posts/{rest+}"),
        ]);
        for (path, resource, parameters) in [
            ("/", "/", vec![]),
            ("/users/me", "/users/me", vec![]),
            ("/users/a%20b/", "/users/{id}", vec![("id", "a b")]),
            (
                "/users/7/posts/1/2",
                "/users/{id}/posts/{rest+}",
                vec![("id", "7"), ("rest", "1/2")],
            ),
            ("/users/7/other", "/{proxy+}", vec![("proxy", "users/7/other")]),
            ("/users", "/{proxy+}", vec![("proxy", "users")]),
        ] {
            let found = routes.find("GET", path).unwrap();
            assert_eq!(found.route.resource_path, resource, "{path}");
            let found: Vec<(&str, &str)> = found
                .path_parameters
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(found, parameters, "{path}");
        }
        assert!(
            routes.find("POST", "/users/me").is_none(),
            "a method that is missing does not fall through"
        );
        assert!(routes.find("POST", "/elsewhere").is_some());
    }

    #[test]
    fn escapes_are_read_and_broken_ones_kept() {
        assert_eq!(decoded("a%2Fb+c%", false), "a/b+c%");
        assert_eq!(decoded("a%20b+c%zz", true), "a b c%zz");
    }
}
