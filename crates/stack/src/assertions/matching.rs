//! Patterns for JSON, and what a value lacks to match one.

use std::cell::RefCell;
use std::rc::Rc;

use regex_lite::Regex;
use serde_json::Value as Json;

/// A pattern. Plain JSON is one too: objects may have more keys than it names, at every depth; lists must have as many
/// items; anything else must be equal.
#[derive(Clone, Debug)]
pub struct Match(Pattern);

#[derive(Clone, Debug)]
enum Pattern {
    Any,
    Absent,
    Exact(Json),
    Object {
        entries: Vec<(String, Match)>,
        partial: bool,
    },
    Items(Vec<Match>),
    /// In this order, with others between them.
    Subsequence(Vec<Match>),
    Regexp(Regex),
    /// A text that is JSON itself.
    Serialized(Box<Match>),
    Not(Box<Match>),
    Capture(Capture, Box<Match>),
}

/// Takes the values that stood where it stands in a pattern, when all of the pattern matched.
#[derive(Clone, Debug, Default)]
pub struct Capture(Rc<RefCell<Vec<Json>>>);

impl Capture {
    pub fn new() -> Self {
        Self::default()
    }

    /// All values, in the order in which they matched.
    pub fn values(&self) -> Vec<Json> {
        self.0.borrow().clone()
    }

    /// The first value.
    ///
    /// # Panics
    /// When nothing was captured.
    #[track_caller]
    pub fn json(&self) -> Json {
        self.0
            .borrow()
            .first()
            .cloned()
            .expect("a capture is read after a pattern with it has matched")
    }

    /// The first value, if it is a text.
    ///
    /// # Panics
    /// When nothing was captured, or no text.
    #[track_caller]
    pub fn text(&self) -> String {
        let json = self.json();
        json.as_str().map(str::to_owned).expect("what was captured is a text")
    }
}

impl Match {
    /// Anything, as long as it is there.
    pub const fn any() -> Self {
        Self(Pattern::Any)
    }

    /// Nothing is there.
    pub const fn absent() -> Self {
        Self(Pattern::Absent)
    }

    /// Equal, with nothing more.
    pub fn exact(value: impl Into<Json>) -> Self {
        Self(Pattern::Exact(value.into()))
    }

    /// An object with at least these keys.
    pub fn object_like<K: Into<String>, M: Into<Match>>(entries: impl IntoIterator<Item = (K, M)>) -> Self {
        Self::object(entries, true)
    }

    /// An object with these keys and no others.
    pub fn object_equals<K: Into<String>, M: Into<Match>>(entries: impl IntoIterator<Item = (K, M)>) -> Self {
        Self::object(entries, false)
    }

    fn object<K: Into<String>, M: Into<Match>>(entries: impl IntoIterator<Item = (K, M)>, partial: bool) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value.into()));
        Self(Pattern::Object {
            entries: entries.collect(),
            partial,
        })
    }

    /// A list that holds these items in this order, and perhaps others.
    pub fn array_with<M: Into<Match>>(items: impl IntoIterator<Item = M>) -> Self {
        Self(Pattern::Subsequence(items.into_iter().map(Into::into).collect()))
    }

    /// A list of exactly these items.
    pub fn array_equals<M: Into<Match>>(items: impl IntoIterator<Item = M>) -> Self {
        Self(Pattern::Items(items.into_iter().map(Into::into).collect()))
    }

    /// A text in which the expression is found.
    ///
    /// # Panics
    /// When it is no regular expression.
    #[track_caller]
    pub fn string_like_regexp(expression: &str) -> Self {
        let regex = Regex::new(expression);
        Self(Pattern::Regexp(regex.expect("the test's own regular expression")))
    }

    /// A text that is JSON, such as the body of a dashboard.
    pub fn serialized_json(inner: impl Into<Match>) -> Self {
        Self(Pattern::Serialized(Box::new(inner.into())))
    }

    /// Anything else.
    pub fn not(inner: impl Into<Match>) -> Self {
        Self(Pattern::Not(Box::new(inner.into())))
    }

    /// Anything, to be read from the capture afterwards.
    pub fn capture(capture: &Capture) -> Self {
        Self::capture_where(capture, Self::any())
    }

    /// What matches, to be read from the capture afterwards.
    pub fn capture_where(capture: &Capture, inner: impl Into<Match>) -> Self {
        Self(Pattern::Capture(capture.clone(), Box::new(inner.into())))
    }

    /// Whether a value matches; captures stay as they are.
    pub fn accepts(&self, value: &Json) -> bool {
        Attempt::of(self, value).mismatches.is_empty()
    }

    fn describe(&self) -> String {
        match &self.0 {
            Pattern::Any => "anything".to_owned(),
            Pattern::Absent => "nothing".to_owned(),
            Pattern::Exact(value) => value.to_string(),
            Pattern::Object { entries, .. } => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, value)| format!("{}: {}", Json::from(key.as_str()), value.describe()))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
            Pattern::Items(items) => format!("[{}]", describe_all(items)),
            Pattern::Subsequence(items) => format!("a list with [{}]", describe_all(items)),
            Pattern::Regexp(regex) => format!("a text like /{regex}/"),
            Pattern::Serialized(inner) => format!("the JSON {}", inner.describe()),
            Pattern::Not(inner) => format!("not {}", inner.describe()),
            Pattern::Capture(_, inner) => inner.describe(),
        }
    }
}

fn describe_all(items: &[Match]) -> String {
    items.iter().map(Match::describe).collect::<Vec<_>>().join(", ")
}

impl From<Json> for Match {
    fn from(json: Json) -> Self {
        match json {
            Json::Object(entries) => Self::object_like(entries),
            Json::Array(items) => Self::array_equals(items),
            other => Self::exact(other),
        }
    }
}

macro_rules! from_plain {
    ($($plain:ty),*) => {$(
        impl From<$plain> for Match {
            fn from(value: $plain) -> Self {
                Self::exact(value)
            }
        }
    )*};
}

from_plain!(&str, String, bool, i32, i64, u32, f64);

/// Where a value differs from a pattern.
#[derive(Debug, PartialEq)]
pub(super) struct Mismatch {
    /// Keys and indices from the value down.
    pub(super) path: Vec<String>,
    pub(super) expected: String,
}

/// One value held against one pattern.
#[derive(Default)]
pub(super) struct Attempt {
    pub(super) mismatches: Vec<Mismatch>,
    captured: Vec<(Capture, Json)>,
    path: Vec<String>,
}

impl Attempt {
    pub(super) fn of(pattern: &Match, value: &Json) -> Self {
        let mut attempt = Self::default();
        attempt.compare(pattern, Some(value));
        attempt
    }

    pub(super) fn keep_captures(self) {
        for (capture, value) in self.captured {
            capture.0.borrow_mut().push(value);
        }
    }

    fn differs(&mut self, expected: String) {
        self.mismatches.push(Mismatch {
            path: self.path.clone(),
            expected,
        });
    }

    fn inside(&mut self, key: impl Into<String>, pattern: &Match, value: Option<&Json>) {
        self.path.push(key.into());
        self.compare(pattern, value);
        self.path.pop();
    }

    fn compare(&mut self, pattern: &Match, value: Option<&Json>) {
        let Some(value) = value else {
            let may_be_absent = match &pattern.0 {
                Pattern::Absent => true,
                Pattern::Not(inner) => !matches!(inner.0, Pattern::Absent),
                _ => false,
            };
            if !may_be_absent {
                self.differs(pattern.describe());
            }
            return;
        };
        match (&pattern.0, value) {
            (Pattern::Any, _) => {}
            (Pattern::Exact(expected), value) if same(expected, value) => {}
            (Pattern::Object { entries, partial }, Json::Object(map)) => {
                for (key, inner) in entries {
                    self.inside(key, inner, map.get(key));
                }
                let is_named = |key: &String| entries.iter().any(|(named, _)| named == key);
                for key in map.keys().filter(|key| !partial && !is_named(key)) {
                    self.inside(key, &Match::absent(), map.get(key));
                }
            }
            (Pattern::Items(patterns), Json::Array(items)) => {
                for index in 0..patterns.len().max(items.len()) {
                    let absent = Match::absent();
                    let pattern = patterns.get(index).unwrap_or(&absent);
                    self.inside(index.to_string(), pattern, items.get(index));
                }
            }
            (Pattern::Subsequence(patterns), Json::Array(items)) => self.subsequence(patterns, items),
            (Pattern::Regexp(regex), Json::String(text)) if regex.is_match(text) => {}
            (Pattern::Serialized(inner), Json::String(text)) => match serde_json::from_str::<Json>(text) {
                // Below a text there are no lines to mark, so all differences belong to it.
                Ok(json) if inner.accepts(&json) => self.captured.extend(Self::of(inner, &json).captured),
                _ => self.differs(pattern.describe()),
            },
            (Pattern::Not(inner), value) if !inner.accepts(value) => {}
            (Pattern::Capture(capture, inner), value) => {
                self.compare(inner, Some(value));
                self.captured.push((capture.clone(), value.clone()));
            }
            _ => self.differs(pattern.describe()),
        }
    }

    /// Every pattern takes the first item behind the one before it that matches.
    fn subsequence(&mut self, patterns: &[Match], items: &[Json]) {
        let mut at = 0;
        for pattern in patterns {
            let found = items[at..].iter().position(|item| pattern.accepts(item));
            match found {
                Some(offset) => {
                    self.captured.extend(Self::of(pattern, &items[at + offset]).captured);
                    at += offset + 1;
                }
                None => {
                    let order = if at == 0 { "" } else { " behind the one before it" };
                    self.differs(format!("an item{order}: {}", pattern.describe()));
                }
            }
        }
    }
}

/// Numbers are equal by value: `1` and `1.0`.
fn same(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (left, right) => left == right,
    }
}
