//! Selection expressions of WebSocket APIs: which route a message is for.

use serde_json::Value;

/// The key that `expression` finds in a message, for example `send` by `$request.body.action` in `{"action":"send"}`.
/// `${request.body.a}/${request.body.b}` joins several. None when the message has not what is asked for.
pub(super) fn selected(expression: &str, message: &Value) -> Option<String> {
    if !expression.contains("${") {
        return value(expression.strip_prefix('$')?, message);
    }
    let mut result = String::new();
    let mut rest = expression;
    while let Some((before, after)) = rest.split_once("${") {
        let (path, behind) = after.split_once('}')?;
        result.push_str(before);
        result.push_str(&value(path, message)?);
        rest = behind;
    }
    result.push_str(rest);
    Some(result)
}

fn value(path: &str, message: &Value) -> Option<String> {
    let path = path.strip_prefix("request.body.")?;
    match path.split('.').try_fold(message, |value, part| value.get(part))? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_find_keys_in_messages() {
        let message = json!({"action": "send", "of": {"kind": 7}, "list": []});
        let key = |expression: &str| selected(expression, &message);
        assert_eq!(key("$request.body.action").as_deref(), Some("send"));
        assert_eq!(key("${request.body.action}").as_deref(), Some("send"));
        assert_eq!(
            key("${request.body.of.kind}/${request.body.action}").as_deref(),
            Some("7/send")
        );
        assert_eq!(key("$request.body.missing"), None);
        assert_eq!(key("$request.body.list"), None);
        assert_eq!(selected("$request.body.action", &Value::Null), None);
    }
}
