//! What API Gateway sends to a token authorizer and expects of it
//! (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html).

use serde::{Deserialize, Serialize};

/// A request for a decision.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRequest {
    /// The header's whole text; absent or empty when the caller sent none.
    #[serde(default)]
    pub authorization_token: Option<String>,
    /// `arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH`
    pub method_arn: String,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    pub principal_id: String,
    policy_document: Document,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: &'static str,
    resource: String,
}

impl Policy {
    pub fn allow(principal_id: String, method_arn: &str) -> Self {
        Self::new(principal_id, "Allow", method_arn)
    }

    pub fn deny(principal_id: String, method_arn: &str) -> Self {
        Self::new(principal_id, "Deny", method_arn)
    }

    fn new(principal_id: String, effect: &'static str, method_arn: &str) -> Self {
        let statement = Statement {
            action: "execute-api:Invoke",
            effect,
            resource: whole_stage(method_arn),
        };
        Self {
            principal_id,
            policy_document: Document {
                version: "2012-10-17",
                statement: [statement],
            },
        }
    }
}

/// Every method of the stage. API Gateway caches a decision by the token alone and applies it to the caller's next
/// request too; a policy for this one method would refuse the same key on every other.
fn whole_stage(method_arn: &str) -> String {
    let mut parts = method_arn.splitn(3, '/');
    match (parts.next(), parts.next()) {
        (Some(api), Some(stage)) => format!("{api}/{stage}/*"),
        _ => method_arn.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: &str =
        "arn:aws:execute-api:eu-west-1:111122223333:abc123/prod/GET/analytics/protocol/uniswap-v3/performance";

    #[test]
    fn a_policy_has_the_form_that_api_gateway_reads() {
        let policy = Policy::allow("key-1".to_owned(), METHOD);
        let expected = serde_json::json!({
            "principalId": "key-1",
            "policyDocument": { "Version": "2012-10-17", "Statement": [{
                "Action": "execute-api:Invoke", "Effect": "Allow",
                "Resource": "arn:aws:execute-api:eu-west-1:111122223333:abc123/prod/*",
            }] },
        });
        assert_eq!(serde_json::to_value(policy).unwrap(), expected);
    }

    #[test]
    fn a_request_without_a_token_is_read() {
        let request: TokenRequest = serde_json::from_str(r#"{"type":"TOKEN","methodArn":"arn"}"#).unwrap();
        assert_eq!(request.authorization_token, None);
    }
}
