//! What an authorizer's policy says about a method.

use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    ExplicitlyDenied,
    NotAllowed,
}

/// API Gateway Developer Guide, "Output from an API Gateway Lambda authorizer". Conditions cannot be judged here: a
/// statement that has one allows nothing, and denies what it names.
pub(crate) fn judge(policy: &Value, method_arn: &str) -> Verdict {
    let mut verdict = Verdict::NotAllowed;
    for statement in one_or_many(&policy["Statement"]) {
        let (actions, resources) = (one_or_many(&statement["Action"]), one_or_many(&statement["Resource"]));
        let texts = |values: &[&Value]| {
            values
                .iter()
                .filter_map(|value| value.as_str())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let invokes = texts(&actions)
            .iter()
            .any(|action| glob(&action.to_ascii_lowercase(), "execute-api:invoke"));
        let names = texts(&resources).iter().any(|resource| glob(resource, method_arn));
        if !(invokes && names) {
            continue;
        }
        match statement["Effect"].as_str() {
            Some("Deny") => return Verdict::ExplicitlyDenied,
            Some("Allow") if statement.get("Condition").is_none() => verdict = Verdict::Allowed,
            _ => {}
        }
    }
    verdict
}

fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// `*` stands for any text, `/` and `:` included, `?` for one letter.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // The places of the pattern that the text read so far can have reached.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    let skip_stars = |reached: &mut Vec<bool>| {
        for at in 0..pattern.len() {
            if reached[at] && pattern[at] == b'*' {
                reached[at + 1] = true;
            }
        }
    };
    skip_stars(&mut reached);
    for letter in text {
        let mut next = vec![false; pattern.len() + 1];
        for at in 0..pattern.len() {
            if reached[at] {
                match pattern[at] {
                    b'*' => next[at] = true,
                    b'?' => next[at + 1] = true,
                    expected if expected == *letter => next[at + 1] = true,
                    _ => {}
                }
            }
        }
        skip_stars(&mut next);
        reached = next;
    }
    reached[pattern.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_denial_outweighs_every_permission() {
        let arn = "arn:aws:execute-api:eu-west-1:000000000000:abc/prod/GET/users/7";
        let allow = |resource: &str| json!({"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource});
        let deny = json!({"Effect": "Deny", "Action": ["execute-api:*"], "Resource": [arn]});
        let policy = |statements: Vec<Value>| json!({"Version": "2012-10-17", "Statement": statements});
        assert_eq!(judge(&policy(vec![allow("*")]), arn), Verdict::Allowed);
        assert_eq!(
            judge(&policy(vec![allow("arn:aws:execute-api:*:*:abc/prod/*/users/*")]), arn),
            Verdict::Allowed
        );
        assert_eq!(
            judge(&policy(vec![allow("arn:aws:execute-api:*:*:abc/prod/POST/*")]), arn),
            Verdict::NotAllowed
        );
        assert_eq!(judge(&policy(vec![allow("*"), deny]), arn), Verdict::ExplicitlyDenied);
        assert_eq!(judge(&json!({"Statement": allow(arn)}), arn), Verdict::Allowed);
        assert_eq!(judge(&policy(vec![]), arn), Verdict::NotAllowed);
    }
}
