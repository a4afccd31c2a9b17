//! What a target gets instead of the event.

use std::fmt;

use cfn::{Expr, IntoValue, Json, Map};

use crate::cloudwatch::json_text::json_text;

/// Stands around the path of a field in a text, and in no text that anybody writes.
const MARK: char = '\u{1}';

/// What a target gets instead of the event.
#[derive(Clone, Debug)]
pub enum Input {
    /// A text, which arrives as a JSON string. May hold [`EventField`]s.
    Text(String),
    /// A JSON value, which may hold references and [`EventField`]s.
    Object(Expr),
    /// A part of the event: `$.detail`.
    Path(String),
}

impl Input {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn object(value: impl IntoValue<Json>) -> Self {
        Self::Object(value.into_value().into_expr())
    }

    pub fn path(path: impl Into<String>) -> Self {
        Self::Path(path.into())
    }

    /// Puts itself into a target of a rule.
    pub(super) fn render(&self, target: &mut Map) {
        let (value, unquotes) = match self {
            Self::Path(path) => {
                target.insert("InputPath", path.clone());
                return;
            }
            Self::Text(text) => (Expr::text(text.clone()), false),
            Self::Object(value) => (value.clone(), true),
        };
        let mut paths = Map::new();
        let text = json_text(&replace_fields(value, &mut paths));
        if paths.is_empty() {
            target.insert("Input", text);
            return;
        }
        let keys: Vec<String> = paths.iter().map(|(key, _)| key.to_owned()).collect();
        let template = if unquotes { without_quotes(text, &keys) } else { text };
        let mut transformer = Map::new();
        transformer.insert("InputPathsMap", paths);
        transformer.insert("InputTemplate", template);
        target.insert("InputTransformer", transformer);
    }
}

/// A field of the event, inside of an [`Input`]: `json!({ "order": EventField::path("$.detail.id").to_string() })`, or
/// written into a longer text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventField(String);

impl EventField {
    /// `$.detail.id`
    pub fn path(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    pub fn event_id() -> Self {
        Self::path("$.id")
    }

    pub fn detail_type() -> Self {
        Self::path("$.detail-type")
    }

    pub fn source() -> Self {
        Self::path("$.source")
    }

    pub fn account() -> Self {
        Self::path("$.account")
    }

    pub fn time() -> Self {
        Self::path("$.time")
    }

    pub fn region() -> Self {
        Self::path("$.region")
    }
}

/// A placeholder that the input replaces.
impl fmt::Display for EventField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{MARK}{}{MARK}", self.0)
    }
}

/// The key of a path, as aws-cdk-lib chooses it: `detail-id` for `$.detail.id`.
fn key_of(path: &str, index: usize) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    let key: String = path
        .trim_start_matches(|character| !is_plain(character))
        .chars()
        .map(|character| if is_plain(character) { character } else { '-' })
        .collect();
    if key.is_empty() { format!("f{index}") } else { key }
}

/// Writes `<key>` for each field, and notes where it points.
fn replace_fields(value: Expr, paths: &mut Map) -> Expr {
    match value {
        Expr::Text(text) if text.contains(MARK) => {
            let mut replaced = String::new();
            for (index, part) in text.split(MARK).enumerate() {
                if index % 2 == 0 {
                    replaced.push_str(part);
                    continue;
                }
                let key = key_of(part, paths.len() + 1);
                replaced.push_str(&format!("<{key}>"));
                paths.insert(key, part.to_owned());
            }
            Expr::text(replaced)
        }
        Expr::List(items) => Expr::List(items.into_iter().map(|item| replace_fields(item, paths)).collect()),
        Expr::Map(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| (key.to_owned(), replace_fields(value.clone(), paths)));
            Expr::map(entries.collect::<Vec<_>>())
        }
        other => other,
    }
}

/// A value that is a field and nothing else keeps the field's type: it stands without quotes.
fn without_quotes(text: Expr, keys: &[String]) -> Expr {
    let unquote = |text: &str| {
        keys.iter().fold(text.to_owned(), |text, key| {
            text.replace(&format!("\"<{key}>\""), &format!("<{key}>"))
        })
    };
    match text {
        Expr::Text(text) => Expr::text(unquote(&text)),
        Expr::Intrinsic(intrinsic) => match *intrinsic {
            cfn::Intrinsic::Join { delimiter, values } => {
                let values = match values {
                    Expr::List(parts) => Expr::List(parts.into_iter().map(|part| without_quotes(part, keys)).collect()),
                    other => other,
                };
                cfn::Intrinsic::Join { delimiter, values }.into()
            }
            other => other.into(),
        },
        other => other,
    }
}
