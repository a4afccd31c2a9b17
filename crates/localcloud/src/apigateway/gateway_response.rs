//! What the gateway answers by itself: the types, their defaults, and how an API changes them.
//!
//! API Gateway Developer Guide, "Gateway response types".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::record::Object;
use super::service::{bad_request, not_found};
use crate::members::Members;
use crate::service::ApiError;

/// Type, status, error type in the `x-amzn-ErrorType` header, message.
const TYPES: [(&str, u16, &str, &str); 20] = [
    (
        "ACCESS_DENIED",
        403,
        "AccessDeniedException",
        "User is not authorized to access this resource",
    ),
    (
        "API_CONFIGURATION_ERROR",
        500,
        "ApiConfigurationException",
        "Internal server error",
    ),
    (
        "AUTHORIZER_CONFIGURATION_ERROR",
        500,
        "AuthorizerConfigurationException",
        "Internal server error",
    ),
    (
        "AUTHORIZER_FAILURE",
        500,
        "AuthorizerConfigurationException",
        "Internal server error",
    ),
    ("BAD_REQUEST_BODY", 400, "BadRequestException", "Invalid request body"),
    (
        "BAD_REQUEST_PARAMETERS",
        400,
        "BadRequestException",
        "Missing required request parameters",
    ),
    (
        "EXPIRED_TOKEN",
        403,
        "ExpiredTokenException",
        "The security token included in the request is expired",
    ),
    (
        "INTEGRATION_FAILURE",
        504,
        "InternalServerErrorException",
        "Internal server error",
    ),
    (
        "INTEGRATION_TIMEOUT",
        504,
        "InternalServerErrorException",
        "Endpoint request timed out",
    ),
    ("INVALID_API_KEY", 403, "ForbiddenException", "Forbidden"),
    (
        "INVALID_SIGNATURE",
        403,
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided.",
    ),
    (
        "MISSING_AUTHENTICATION_TOKEN",
        403,
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    ),
    ("QUOTA_EXCEEDED", 429, "LimitExceededException", "Limit Exceeded"),
    (
        "REQUEST_TOO_LARGE",
        413,
        "RequestTooLargeException",
        "HTTP content length exceeded 10485760 bytes.",
    ),
    ("RESOURCE_NOT_FOUND", 404, "NotFoundException", "Not found"),
    ("THROTTLED", 429, "TooManyRequestsException", "Too Many Requests"),
    ("UNAUTHORIZED", 401, "UnauthorizedException", "Unauthorized"),
    (
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        "BadRequestException",
        "Unsupported Media Type",
    ),
    ("DEFAULT_4XX", 400, "BadRequestException", "Bad request"),
    (
        "DEFAULT_5XX",
        500,
        "InternalServerErrorException",
        "Internal server error",
    ),
];

/// An answer of the gateway's own, before the API's settings are applied.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub kind: &'static str,
    pub status: u16,
    pub error_type: &'static str,
    /// None is written as `null`, as AWS does when an authorizer fails.
    pub message: Option<String>,
}

impl Refusal {
    pub fn new(kind: &'static str) -> Self {
        let known = TYPES.iter().find(|(name, ..)| *name == kind);
        let (kind, status, error_type, message) = *known.expect("the caller names one of the types above");
        Self {
            kind,
            status,
            error_type,
            message: Some(message.to_owned()),
        }
    }

    pub fn saying(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            ..Self::new(kind)
        }
    }

    /// Lambda refused the invocation, or something is configured wrongly: AWS answers 500.
    pub fn configuration() -> Self {
        Self::new("API_CONFIGURATION_ERROR")
    }

    /// The function failed or answered in the wrong shape. AWS answers 502 here, and the type's own status is 504.
    pub fn bad_integration() -> Self {
        Self {
            status: 502,
            ..Self::new("INTEGRATION_FAILURE")
        }
    }

    pub fn body(&self) -> String {
        // Measured on AWS by many: only this one has a capital letter.
        let member = if self.kind == "ACCESS_DENIED" {
            "Message"
        } else {
            "message"
        };
        json!({ member: self.message }).to_string()
    }
}

pub(super) fn check(response: &Object) -> Result<(), ApiError> {
    let kind = response.text("responseType").unwrap_or_default();
    if !TYPES.iter().any(|(name, ..)| *name == kind) && kind != "WAF_FILTERED" {
        return Err(bad_request(format!(
            "Invalid gateway response type specified: '{kind}'"
        )));
    }
    let status = response.text("statusCode").unwrap_or("400");
    if status.parse::<u16>().is_ok_and(|status| (100..600).contains(&status)) {
        Ok(())
    } else {
        Err(bad_request(format!("Invalid status code specified: '{status}'")))
    }
}

/// Adds what the API answers beside the given members.
pub(super) fn complete(response: &mut Object) {
    for name in ["responseParameters", "responseTemplates"] {
        response.entry(name).or_insert_with(|| json!({}));
    }
    response.insert("defaultResponse".to_owned(), json!(false));
}

pub(super) fn default(kind: &str) -> Result<Value, ApiError> {
    let known = TYPES.iter().find(|(name, ..)| *name == kind);
    let (kind, status, ..) = known.ok_or_else(|| not_found("Invalid gateway response type specified"))?;
    let mut response = Map::new();
    response.insert("responseType".to_owned(), json!(kind));
    if !kind.starts_with("DEFAULT") {
        response.insert("statusCode".to_owned(), json!(status.to_string()));
    }
    response.insert("responseParameters".to_owned(), json!({}));
    response.insert(
        "responseTemplates".to_owned(),
        json!({"application/json": "{\"message\":$context.error.messageString}"}),
    );
    response.insert("defaultResponse".to_owned(), json!(true));
    Ok(Value::Object(response))
}

pub(super) fn all(changed: &BTreeMap<String, Object>) -> Vec<Value> {
    let describe = |kind: &str| match changed.get(kind) {
        Some(response) => Ok(Value::Object(response.clone())),
        None => default(kind),
    };
    TYPES.iter().filter_map(|(kind, ..)| describe(kind).ok()).collect()
}
