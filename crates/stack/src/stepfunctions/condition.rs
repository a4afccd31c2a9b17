//! Conditions of choices.

use cfn::{Expr, Map};

/// What must hold of the input. Variables are paths: `$.status`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    rendered: Map,
    problem: Option<String>,
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $function:ident($kind:ty) => $operator:literal;)*) => { $(
        $(#[$doc])*
        pub fn $function(variable: &str, value: impl Into<$kind>) -> Self {
            Self::compare(variable, $operator, value.into())
        }
    )* };
}

macro_rules! path_comparisons {
    ($($(#[$doc:meta])* $function:ident => $operator:literal;)*) => { $(
        $(#[$doc])*
        pub fn $function(variable: &str, path: &str) -> Self {
            Self::compare(variable, $operator, path.to_owned())
        }
    )* };
}

macro_rules! checks {
    ($($function:ident, $opposite:ident => $operator:literal;)*) => { $(
        pub fn $function(variable: &str) -> Self {
            Self::compare(variable, $operator, true)
        }

        pub fn $opposite(variable: &str) -> Self {
            Self::compare(variable, $operator, false)
        }
    )* };
}

/// A number as JavaScript writes it: without a fraction where it has none.
pub(super) fn number(value: f64) -> Expr {
    /// Beyond, not every whole number has a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within what an i64 holds")]
        let whole = value as i64;
        return Expr::Integer(whole);
    }
    Expr::Float(value)
}

/// A number of a comparison.
pub struct Number(Expr);

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self(number(value))
    }
}

impl From<i32> for Number {
    fn from(value: i32) -> Self {
        Self(value.into())
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(value.into())
    }
}

impl From<Number> for Expr {
    fn from(number: Number) -> Self {
        number.0
    }
}

impl Condition {
    fn compare(variable: &str, operator: &'static str, value: impl Into<Expr>) -> Self {
        let mut rendered = Map::new();
        rendered.insert("Variable", variable.to_owned());
        rendered.insert(operator, value);
        let problem = (!variable.starts_with('$')).then(|| format!("`{variable}` is no path: those begin with `$`"));
        Self { rendered, problem }
    }

    checks! {
        is_present, is_not_present => "IsPresent";
        is_null, is_not_null => "IsNull";
        is_string, is_not_string => "IsString";
        is_numeric, is_not_numeric => "IsNumeric";
        is_boolean, is_not_boolean => "IsBoolean";
        is_timestamp, is_not_timestamp => "IsTimestamp";
    }

    comparisons! {
        boolean_equals(bool) => "BooleanEquals";
        string_equals(String) => "StringEquals";
        string_less_than(String) => "StringLessThan";
        string_less_than_equals(String) => "StringLessThanEquals";
        string_greater_than(String) => "StringGreaterThan";
        string_greater_than_equals(String) => "StringGreaterThanEquals";
        /// `*` stands for anything: `log-*.txt`.
        string_matches(String) => "StringMatches";
        number_equals(Number) => "NumericEquals";
        number_less_than(Number) => "NumericLessThan";
        number_less_than_equals(Number) => "NumericLessThanEquals";
        number_greater_than(Number) => "NumericGreaterThan";
        number_greater_than_equals(Number) => "NumericGreaterThanEquals";
        /// `2026-12-24T18:00:00Z`.
        timestamp_equals(String) => "TimestampEquals";
        timestamp_less_than(String) => "TimestampLessThan";
        timestamp_less_than_equals(String) => "TimestampLessThanEquals";
        timestamp_greater_than(String) => "TimestampGreaterThan";
        timestamp_greater_than_equals(String) => "TimestampGreaterThanEquals";
    }

    path_comparisons! {
        boolean_equals_path => "BooleanEqualsPath";
        string_equals_path => "StringEqualsPath";
        string_less_than_path => "StringLessThanPath";
        string_less_than_equals_path => "StringLessThanEqualsPath";
        string_greater_than_path => "StringGreaterThanPath";
        string_greater_than_equals_path => "StringGreaterThanEqualsPath";
        number_equals_path => "NumericEqualsPath";
        number_less_than_path => "NumericLessThanPath";
        number_less_than_equals_path => "NumericLessThanEqualsPath";
        number_greater_than_path => "NumericGreaterThanPath";
        number_greater_than_equals_path => "NumericGreaterThanEqualsPath";
        timestamp_equals_path => "TimestampEqualsPath";
        timestamp_less_than_path => "TimestampLessThanPath";
        timestamp_less_than_equals_path => "TimestampLessThanEqualsPath";
        timestamp_greater_than_path => "TimestampGreaterThanPath";
        timestamp_greater_than_equals_path => "TimestampGreaterThanEqualsPath";
    }

    /// All of them.
    pub fn all(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::several("And", conditions)
    }

    /// One of them at least.
    pub fn any(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::several("Or", conditions)
    }

    #[expect(
        clippy::should_implement_trait,
        reason = "a constructor among constructors, not an operator"
    )]
    pub fn not(condition: Self) -> Self {
        let mut rendered = Map::new();
        rendered.insert("Not", condition.rendered);
        Self {
            rendered,
            problem: condition.problem,
        }
    }

    fn several(operator: &'static str, conditions: impl IntoIterator<Item = Self>) -> Self {
        let mut problem = None;
        let mut list = Vec::new();
        for condition in conditions {
            problem = problem.or(condition.problem);
            list.push(Expr::from(condition.rendered));
        }
        if list.is_empty() {
            problem = Some("all or any of no conditions says nothing".to_owned());
        }
        let mut rendered = Map::new();
        rendered.insert(operator, Expr::List(list));
        Self { rendered, problem }
    }

    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    pub(super) fn render(&self) -> Map {
        self.rendered.clone()
    }
}
