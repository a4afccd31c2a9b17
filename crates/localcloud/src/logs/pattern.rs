//! Filter patterns: which messages a search wants
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>).
//!
//! Terms (`ERROR "a phrase" -not ?either ?or`) and JSON conditions (`{ $.level = "error" && $.took > 5 }`). Not served:
//! space-delimited patterns, regular expressions, parentheses inside a JSON condition.

use serde_json::Value;

#[derive(Debug, PartialEq)]
pub enum Pattern {
    All,
    Terms {
        required: Vec<String>,
        any: Vec<String>,
        excluded: Vec<String>,
    },
    /// Alternatives of conditions that have to hold together.
    Json(Vec<Vec<Condition>>),
}

#[derive(Debug, PartialEq)]
pub struct Condition {
    /// The members from the root.
    path: Vec<String>,
    operator: Operator,
    value: Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, PartialEq)]
enum Wanted {
    Number(f64),
    /// With `*` for anything at either end.
    Text(String),
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::All);
        }
        if let Some(inner) = text.strip_prefix('{') {
            let inner = inner.strip_suffix('}').ok_or("the closing } is missing")?;
            let alternatives = inner.split("||").map(|all| all.split("&&").map(condition).collect());
            return alternatives.collect::<Result<_, _>>().map(Self::Json);
        }
        if text.starts_with('[') || text.starts_with('%') {
            return Err("only terms and JSON conditions are served".into());
        }
        terms(text)
    }

    pub fn matches(&self, message: &str) -> bool {
        match self {
            Self::All => true,
            Self::Terms {
                required,
                any,
                excluded,
            } => {
                let has = |term: &String| message.contains(term.as_str());
                required.iter().all(has) && (any.is_empty() || any.iter().any(has)) && !excluded.iter().any(has)
            }
            Self::Json(alternatives) => serde_json::from_str::<Value>(message).is_ok_and(|message| {
                alternatives
                    .iter()
                    .any(|all| all.iter().all(|condition| condition.holds(&message)))
            }),
        }
    }
}

fn terms(text: &str) -> Result<Pattern, String> {
    let (mut required, mut any, mut excluded) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = text;
    while !rest.is_empty() {
        let target = match rest.as_bytes()[0] {
            b'?' => &mut any,
            b'-' => &mut excluded,
            _ => &mut required,
        };
        rest = rest.strip_prefix(['?', '-']).unwrap_or(rest);
        let (term, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or("a quote is not closed")?,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        target.push(term.to_owned());
        rest = after.trim_start();
    }
    Ok(Pattern::Terms {
        required,
        any,
        excluded,
    })
}

fn condition(text: &str) -> Result<Condition, String> {
    const OPERATORS: [(&str, Operator); 6] = [
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    let text = text.trim();
    let found = OPERATORS
        .iter()
        .find_map(|(symbol, operator)| Some((text.split_once(symbol)?, *operator)));
    let ((path, value), operator) = found.ok_or_else(|| format!("'{text}' has no comparison"))?;
    let path = path
        .trim()
        .strip_prefix("$.")
        .ok_or_else(|| format!("'{}' does not begin with $.", path.trim()))?;
    let value = value.trim();
    let wanted = match value.strip_prefix('"') {
        Some(quoted) => Wanted::Text(quoted.strip_suffix('"').ok_or("a quote is not closed")?.to_owned()),
        None => value
            .parse()
            .map_or_else(|_| Wanted::Text(value.to_owned()), Wanted::Number),
    };
    Ok(Condition {
        path: path.split('.').map(str::to_owned).collect(),
        operator,
        value: wanted,
    })
}

impl Condition {
    fn holds(&self, message: &Value) -> bool {
        let found = self.path.iter().try_fold(message, |value, member| value.get(member));
        let Some(found) = found else { return false };
        match &self.value {
            Wanted::Number(wanted) => found.as_f64().is_some_and(|found| match self.operator {
                Operator::Equal => found == *wanted,
                Operator::NotEqual => found != *wanted,
                Operator::Less => found < *wanted,
                Operator::LessOrEqual => found <= *wanted,
                Operator::Greater => found > *wanted,
                Operator::GreaterOrEqual => found >= *wanted,
            }),
            Wanted::Text(wanted) => {
                let found = match found {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                match self.operator {
                    Operator::Equal => is_like(&found, wanted),
                    Operator::NotEqual => !is_like(&found, wanted),
                    _ => false,
                }
            }
        }
    }
}

fn is_like(text: &str, wanted: &str) -> bool {
    match (wanted.strip_prefix('*'), wanted.strip_suffix('*')) {
        (Some(rest), Some(_)) if wanted.len() > 1 => text.contains(rest.trim_end_matches('*')),
        (Some(end), _) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => text == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_by_table() {
        let json = r#"{"level":"error","took":7,"at":{"path":"/health"}}"#;
        for (pattern, message, expected) in [
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            ("ERROR fatal", "fatal ERROR", true),
            ("\"fatal ERROR\"", "ERROR, fatal", false),
            ("ERROR -ignored", "ERROR, ignored", false),
            ("?WARN ?ERROR", "an ERROR", true),
            ("?WARN ?ERROR", "fine", false),
            ("{ $.level = \"error\" }", json, true),
            ("{ $.level != error }", json, false),
            ("{ $.took > 6 && $.at.path = \"/h*\" }", json, true),
            ("{ $.took > 8 || $.took <= 7 }", json, true),
            ("{ $.gone = 1 }", json, false),
            ("{ $.level = error }", "no json", false),
        ] {
            let parsed = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(parsed.matches(message), expected, "{pattern} on {message}");
        }
        for pattern in ["{ $.a = 1", "[a, b]", "\"open", "{ a = 1 }", "{ $.a }"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
