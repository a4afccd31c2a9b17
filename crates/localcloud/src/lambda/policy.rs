//! Resource policies: who may invoke a function, one policy for the function itself and one for each qualifier.

use serde_json::{Map, Value, json};

use super::functions::function_name;
use super::name::{FunctionName, function_arn};
use super::record::{Function, LATEST};
use super::service::{Lambda, check_revision, conflict, not_found};
use crate::members::Members;
use crate::service::ApiError;

impl Lambda {
    pub(super) fn add_permission(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let id = input.required_text("StatementId")?;
        let statement = self.statement(&name, input)?;
        let revision_id = self.revision();
        self.change_function(&name, |function| {
            self.check_qualifier(function, &name)?;
            let policy = function.policies.entry(name.qualifier.clone().unwrap_or_default()).or_default();
            if !policy.statements.is_empty() {
                check_revision(input.text("RevisionId"), &policy.revision_id)?;
            }
            if policy.statements.iter().any(|present| present["Sid"] == id) {
                return Err(conflict(format!("The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement.")));
            }
            policy.revision_id = revision_id;
            policy.statements.push(statement.clone());
            Ok(())
        })?;
        Ok(json!({"Statement": statement.to_string()}))
    }

    fn statement(&self, name: &FunctionName, input: &Value) -> Result<Value, ApiError> {
        let principal = input.required_text("Principal")?;
        let principal = if principal == "*" {
            json!("*")
        } else if principal.starts_with("arn:") {
            json!({"AWS": principal})
        } else if principal.len() == 12 && principal.bytes().all(|letter| letter.is_ascii_digit()) {
            json!({"AWS": format!("arn:aws:iam::{principal}:root")})
        } else {
            json!({"Service": principal})
        };
        let mut conditions = Map::new();
        if let Some(arn) = input.text("SourceArn") {
            conditions.insert("ArnLike".to_owned(), json!({"AWS:SourceArn": arn}));
        }
        let mut equal = Map::new();
        for (member, key) in [
            ("SourceAccount", "AWS:SourceAccount"),
            ("EventSourceToken", "lambda:EventSourceToken"),
            ("PrincipalOrgID", "aws:PrincipalOrgID"),
            ("FunctionUrlAuthType", "lambda:FunctionUrlAuthType"),
        ] {
            if let Some(value) = input.text(member) {
                equal.insert(key.to_owned(), json!(value));
            }
        }
        if !equal.is_empty() {
            conditions.insert("StringEquals".to_owned(), Value::Object(equal));
        }
        let mut statement = json!({
            "Sid": input.required_text("StatementId")?,
            "Effect": "Allow",
            "Principal": principal,
            "Action": input.required_text("Action")?,
            "Resource": self.arn(name),
        });
        if !conditions.is_empty() {
            statement["Condition"] = Value::Object(conditions);
        }
        Ok(statement)
    }

    pub(super) fn remove_permission(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let id = input.required_text("StatementId")?;
        let revision_id = self.revision();
        let missing = || not_found(format!("Statement {id} is not found in resource policy."));
        self.change_function(&name, |function| {
            let qualifier = name.qualifier.clone().unwrap_or_default();
            let policy = function.policies.get_mut(&qualifier).ok_or_else(missing)?;
            check_revision(input.text("RevisionId"), &policy.revision_id)?;
            let before = policy.statements.len();
            policy.statements.retain(|statement| statement["Sid"] != id);
            if policy.statements.len() == before {
                return Err(missing());
            }
            policy.revision_id = revision_id;
            if policy.statements.is_empty() {
                function.policies.remove(&qualifier);
            }
            Ok(json!({}))
        })
    }

    pub(super) fn get_policy(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        self.with_function(&name, |function| {
            self.check_qualifier(function, &name)?;
            let qualifier = name.qualifier.as_deref().unwrap_or_default();
            let policy = function
                .policies
                .get(qualifier)
                .ok_or_else(|| not_found("The resource you requested does not exist."))?;
            let document = json!({"Version": "2012-10-17", "Id": "default", "Statement": policy.statements});
            Ok(json!({"Policy": document.to_string(), "RevisionId": policy.revision_id}))
        })
    }

    fn check_qualifier(&self, function: &Function, name: &FunctionName) -> Result<(), ApiError> {
        match name.qualifier.as_deref() {
            Some(LATEST) => Err(super::configuration::invalid(
                "We currently do not support adding policies for $LATEST.",
            )),
            Some(qualifier) if !function.aliases.contains_key(qualifier) && function.version(qualifier).is_none() => {
                Err(not_found(format!(
                    "Cannot find alias arn: {}",
                    function_arn(self.region(), &name.name, Some(qualifier))
                )))
            }
            _ => Ok(()),
        }
    }

    /// Whether `service` (for example `apigateway.amazonaws.com`) may invoke the function on behalf of `source_arn`.
    pub fn permits(&self, function: &str, qualifier: Option<&str>, service: &str, source_arn: &str) -> bool {
        let Ok(name) = FunctionName::parse(function, qualifier) else {
            return false;
        };
        let state = self.state();
        let Some(function) = state.functions.get(&name.name) else {
            return false;
        };
        let policy = function.policies.get(name.qualifier.as_deref().unwrap_or_default());
        policy.is_some_and(|policy| {
            policy
                .statements
                .iter()
                .any(|statement| allows(statement, service, source_arn))
        })
    }
}

fn allows(statement: &Value, service: &str, source_arn: &str) -> bool {
    let principal = &statement["Principal"];
    let action = statement["Action"].as_str().unwrap_or_default();
    let account = source_arn.split(':').nth(4).unwrap_or_default();
    let arn = statement["Condition"]["ArnLike"]["AWS:SourceArn"].as_str();
    let owner = statement["Condition"]["StringEquals"]["AWS:SourceAccount"].as_str();
    (principal == "*" || principal["Service"] == service)
        && matches!(action, "lambda:InvokeFunction" | "lambda:*" | "*")
        && arn.is_none_or(|pattern| arn_like(pattern, source_arn))
        && owner.is_none_or(|owner| owner == account)
}

/// IAM's `ArnLike`: each of the six parts is compared for itself, `*` and `?` may stand in each.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let parts = |text: &str| text.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
    let (pattern, arn) = (parts(pattern), parts(arn));
    pattern.len() == arn.len()
        && pattern
            .iter()
            .zip(&arn)
            .all(|(pattern, part)| glob(pattern.as_bytes(), part.as_bytes()))
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where the last `*` stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(letter) if *letter == b'?' || *letter == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    at_pattern = at + 1;
                    at_text = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at_pattern..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_compared_part_by_part() {
        let arn = "arn:aws:execute-api:eu-west-1:000000000000:abc/prod/GET/users/*";
        assert!(arn_like(
            "arn:aws:execute-api:eu-west-1:000000000000:abc/*/GET/users/*",
            arn
        ));
        assert!(arn_like("arn:aws:execute-api:*:*:abc/*", arn));
        assert!(arn_like("arn:aws:execute-api:eu-west-?:000000000000:abc/*/*/*", arn));
        assert!(!arn_like(
            "arn:aws:execute-api:eu-west-1:000000000000:abc/*/POST/*",
            arn
        ));
        assert!(
            !arn_like("arn:aws:execute-api:*", arn),
            "a star does not reach over a colon"
        );
    }

    #[test]
    fn every_condition_must_hold() {
        let source = "arn:aws:execute-api:r:000000000000:abc/prod/GET/";
        let mut statement = json!({
            "Principal": {"Service": "apigateway.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:execute-api:r:000000000000:abc/*"}},
        });
        assert!(allows(&statement, "apigateway.amazonaws.com", source));
        assert!(!allows(&statement, "sns.amazonaws.com", source));
        statement["Condition"]["StringEquals"] = json!({"AWS:SourceAccount": "111111111111"});
        assert!(!allows(&statement, "apigateway.amazonaws.com", source));
    }
}
