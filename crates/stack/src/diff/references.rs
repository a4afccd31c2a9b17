//! Finds references to a logical id inside a value of a template.

use serde_json::Value;

use super::expression::is_intrinsic;

/// Whether `value` refers to `logical_id` by `Ref`, `Fn::GetAtt` or `Fn::Sub`.
pub fn any(value: &Value, logical_id: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, inner)| match (key.as_str(), inner) {
            ("Ref", Value::String(target)) => target == logical_id,
            ("Fn::GetAtt", Value::String(target)) => target.split('.').next() == Some(logical_id),
            ("Fn::GetAtt", Value::Array(parts)) => parts.first().and_then(Value::as_str) == Some(logical_id),
            ("Fn::Sub", Value::String(text)) => in_text(text, logical_id),
            ("Fn::Sub", Value::Array(parts)) => {
                parts
                    .first()
                    .and_then(Value::as_str)
                    .is_some_and(|text| in_text(text, logical_id))
                    || parts.iter().skip(1).any(|variables| any(variables, logical_id))
            }
            _ => any(inner, logical_id),
        }),
        Value::Array(items) => items.iter().any(|item| any(item, logical_id)),
        _ => false,
    }
}

/// `${Name}` and `${Name.Attribute}`; `${!Name}` is text.
fn in_text(text: &str, logical_id: &str) -> bool {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .any(|(name, _)| name.split('.').next() == Some(logical_id))
}

/// What a value depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// Of a resource's physical id, or of a parameter.
    Reference(String),
    Attribute(String, String),
    /// A mapping, with both keys where they are texts.
    Mapping(String, Option<[String; 2]>),
    Condition(String),
}

/// Each use with the path to it, down to the intrinsic function that holds it.
pub fn uses(value: &Value) -> Vec<(Vec<String>, Use)> {
    let mut found = Vec::new();
    collect(value, &mut Vec::new(), false, &mut found);
    found
}

fn collect(value: &Value, path: &mut Vec<String>, inside: bool, found: &mut Vec<(Vec<String>, Use)>) {
    match value {
        Value::Object(map) => {
            let inside = inside || is_intrinsic(map);
            for (key, inner) in map {
                of_function(key, inner, path, found);
                if inside {
                    collect(inner, path, true, found);
                } else {
                    path.push(key.clone());
                    collect(inner, path, false, found);
                    path.pop();
                }
            }
        }
        Value::Array(items) if inside => items.iter().for_each(|item| collect(item, path, true, found)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(format!("[{index}]"));
                collect(item, path, false, found);
                path.pop();
            }
        }
        _ => {}
    }
}

fn of_function(function: &str, argument: &Value, path: &[String], found: &mut Vec<(Vec<String>, Use)>) {
    let mut add = |used: Use| found.push((path.to_vec(), used));
    let dotted = |text: &str| match text.split_once('.') {
        Some((target, attribute)) => Use::Attribute(target.to_owned(), attribute.to_owned()),
        None => Use::Reference(text.to_owned()),
    };
    match (function, argument) {
        ("Ref", Value::String(target)) => add(Use::Reference(target.clone())),
        ("Condition", Value::String(name)) => add(Use::Condition(name.clone())),
        ("Fn::GetAtt", Value::String(target)) => add(dotted(target)),
        ("Fn::GetAtt", Value::Array(parts)) => {
            if let Some(Value::String(target)) = parts.first() {
                let attribute = parts.get(1).and_then(Value::as_str).unwrap_or_default();
                add(Use::Attribute(target.clone(), attribute.to_owned()));
            }
        }
        ("Fn::Sub", Value::String(text)) => variables(text).for_each(|name| add(dotted(name))),
        ("Fn::Sub", Value::Array(parts)) => {
            let text = parts.first().and_then(Value::as_str).unwrap_or_default();
            let own = |name: &str| parts.get(1).is_some_and(|variables| variables.get(name).is_some());
            variables(text)
                .filter(|name| !own(name))
                .for_each(|name| add(dotted(name)));
        }
        ("Fn::FindInMap", Value::Array(parts)) => {
            if let Some(Value::String(name)) = parts.first() {
                let key = |index: usize| Some(parts.get(index)?.as_str()?.to_owned());
                add(Use::Mapping(
                    name.clone(),
                    key(1).zip(key(2)).map(|(first, second)| [first, second]),
                ));
            }
        }
        ("Fn::If", Value::Array(parts)) => {
            if let Some(Value::String(name)) = parts.first() {
                add(Use::Condition(name.clone()));
            }
        }
        _ => {}
    }
}

/// `Name` and `Name.Attribute` of `${Name}` and `${Name.Attribute}`; `${!Name}` is text.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    let names = text
        .split("${")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('}')?.0));
    names.filter(|name| !name.starts_with('!'))
}
