//! What tasks are given: values, and paths into the input or the context.

use cfn::{Expr, IntoValue, Json, Map};

/// Paths into what Step Functions knows of the execution.
pub mod context {
    pub const EXECUTION_ID: &str = "$$.Execution.Id";
    pub const EXECUTION_INPUT: &str = "$$.Execution.Input";
    pub const EXECUTION_NAME: &str = "$$.Execution.Name";
    pub const EXECUTION_START_TIME: &str = "$$.Execution.StartTime";
    pub const STATE_NAME: &str = "$$.State.Name";
    pub const STATE_ENTERED_TIME: &str = "$$.State.EnteredTime";
    pub const STATE_RETRY_COUNT: &str = "$$.State.RetryCount";
    pub const STATE_MACHINE_ID: &str = "$$.StateMachine.Id";
    pub const STATE_MACHINE_NAME: &str = "$$.StateMachine.Name";
    /// What a callback names: `SendTaskSuccess`.
    pub const TASK_TOKEN: &str = "$$.Task.Token";
    pub const MAP_ITEM_VALUE: &str = "$$.Map.Item.Value";
    pub const MAP_ITEM_INDEX: &str = "$$.Map.Item.Index";
}

/// What a task is given: a JSON value, or a part of the state's input.
#[derive(Clone, Debug, PartialEq)]
pub struct Input(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Value(Expr),
    Path(String),
}

impl Input {
    pub fn text(text: impl IntoValue<String>) -> Self {
        Self(Kind::Value(text.into_value().into_expr()))
    }

    /// A JSON value. A key that ends with `.$` takes its value from a path.
    pub fn object(value: impl IntoValue<Json>) -> Self {
        Self(Kind::Value(value.into_value().into_expr()))
    }

    /// A part of the state's input, or of the context: `$.order`, `$$.Execution.Id`, `States.Format('{}', $.id)`.
    pub fn path(path: impl Into<String>) -> Self {
        Self(Kind::Path(path.into()))
    }

    /// The whole input of the state.
    pub fn whole() -> Self {
        Self::path("$")
    }

    /// The JSON value, if it is one.
    pub(super) fn value(&self) -> Option<&Expr> {
        match &self.0 {
            Kind::Value(value) => Some(value),
            Kind::Path(_) => None,
        }
    }

    /// Sets a key of a state's parameters.
    pub(super) fn insert(&self, map: &mut Map, key: &str) {
        match &self.0 {
            Kind::Value(value) => map.insert(key.to_owned(), value.clone()),
            Kind::Path(path) => map.insert(format!("{key}.$"), path.clone()),
        };
    }

    /// It alone, where there is no key.
    pub(super) fn bare(&self) -> Expr {
        match &self.0 {
            Kind::Value(value) => value.clone(),
            Kind::Path(path) => path.clone().into(),
        }
    }
}

/// A text that is given, or found in the state's input.
pub type Field = Input;

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Input {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<serde_json::Value> for Input {
    fn from(value: serde_json::Value) -> Self {
        Self::object(value)
    }
}

/// Whether a path in a value is the token of the task, or has it inside.
pub(super) fn holds_token(value: &Expr) -> bool {
    match value {
        Expr::Map(map) => map.iter().any(|(key, value)| {
            let is_token = |path: &str| path == "$$" || path == "$$.Task" || path.contains(context::TASK_TOKEN);
            key.ends_with(".$") && value.as_text().is_some_and(is_token) || holds_token(value)
        }),
        Expr::List(items) => items.iter().any(holds_token),
        _ => false,
    }
}
