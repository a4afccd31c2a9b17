//! Mapping templates, as far as mock answers and simple reshaping need them: references are replaced, nothing else.
//!
//! A template with a directive (`#set`, `#if`, `#foreach`) is refused rather than half understood.

use serde_json::Value;

use super::exchange::{Exchange, at, text};

/// What templates read beside the request.
pub(super) struct Scope<'a> {
    pub exchange: &'a Exchange,
    /// `$input`: the request's body, or in answers the integration's.
    pub input: &'a str,
    /// `$context.error`, in answers of the gateway's own.
    pub error: Value,
}

#[derive(Debug, thiserror::Error)]
#[error("the mapping template uses {directive}, which the embedded cloud does not run")]
pub(super) struct UnsupportedTemplate {
    pub directive: String,
}

pub(super) fn render(template: &str, scope: &Scope<'_>) -> Result<String, UnsupportedTemplate> {
    let mut rendered = String::with_capacity(template.len());
    for line in template.split_inclusive('\n') {
        let (line, comment) = line
            .split_once("##")
            .map_or((line, None), |(line, comment)| (line, Some(comment)));
        if let Some(directive) = ["#set", "#if", "#foreach", "#else", "#end", "#define", "#macro"]
            .iter()
            .find(|directive| line.contains(**directive))
        {
            return Err(UnsupportedTemplate {
                directive: (*directive).to_owned(),
            });
        }
        let mut rest = line;
        while let Some(start) = rest.find('$') {
            rendered.push_str(&rest[..start]);
            let (value, length) = reference(&rest[start..], scope);
            match value {
                Some(value) => rendered.push_str(&value),
                None => rendered.push_str(&rest[start..start + length]),
            }
            rest = &rest[start + length..];
        }
        rendered.push_str(rest);
        if comment.is_some_and(|comment| comment.ends_with('\n')) {
            rendered.push('\n');
        }
    }
    Ok(rendered)
}

/// The value of the reference that `text` begins with, and its length. One that is unknown stays as it is written, as
/// Velocity has it.
fn reference(text: &str, scope: &Scope<'_>) -> (Option<String>, usize) {
    let braced = text.starts_with("${");
    let inner = &text[if braced { 2 } else { 1 }..];
    let mut length = 0;
    let mut depth = 0_u32;
    let mut quoted = false;
    for letter in inner.chars() {
        match letter {
            '\'' if depth > 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            letter if letter.is_ascii_alphanumeric() || letter == '.' || letter == '_' || letter == '-' => {}
            _ => break,
        }
        length += letter.len_utf8();
    }
    // A full stop behind a reference ends a sentence.
    let expression = inner[..length].trim_end_matches('.');
    let mut whole = if braced { 2 } else { 1 } + expression.len();
    if braced && inner[expression.len()..].starts_with('}') {
        whole += 1;
    }
    (evaluate(expression, scope), whole)
}

fn evaluate(expression: &str, scope: &Scope<'_>) -> Option<String> {
    if let Some(path) = expression.strip_prefix("context.error.") {
        return at(&scope.error, path).map(text);
    }
    if let Some(path) = expression.strip_prefix("context.") {
        return at(&scope.exchange.context(), path).map(text);
    }
    if let Some(name) = expression.strip_prefix("stageVariables.") {
        return scope.exchange.track.variables.get(name).cloned();
    }
    if expression == "input.body" {
        return Some(scope.input.to_owned());
    }
    let (function, argument) = expression.strip_suffix(')')?.split_once('(')?;
    let argument = argument.trim();
    let literal = argument.trim_matches(['\'', '"']);
    match function {
        "input.json" => json_path(scope.input, literal).map(|value| value.to_string()),
        "input.path" => json_path(scope.input, literal).map(|value| text(&value)),
        "input.params" => {
            let exchange = scope.exchange;
            let found = exchange
                .path_parameter(literal)
                .or_else(|| exchange.query_parameter(literal))
                .or_else(|| exchange.header(literal));
            Some(found.unwrap_or_default().to_owned())
        }
        "util.escapeJavaScript" => {
            let value = evaluate(argument.trim_start_matches('$'), scope)?;
            let quoted = Value::String(value).to_string();
            Some(quoted[1..quoted.len() - 1].replace('\'', "\\'"))
        }
        _ => None,
    }
}

/// `$`, `$.a.b` and `$.list[0]`.
fn json_path(input: &str, path: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(input).unwrap_or_else(|_| Value::Object(Default::default()));
    let path = path.trim_start_matches('$').replace('[', ".").replace(']', "");
    at(&value, &path).cloned()
}
