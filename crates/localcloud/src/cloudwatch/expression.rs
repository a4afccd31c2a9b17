//! Metric math: the language of expressions over metrics, and how they are computed
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>).
//!
//! Operators on two series join them by time: a point exists where both have one; a division by zero drops its point.
//! Not served: `SEARCH`, Metrics Insights, anomaly bands. [`super::query`] calls it.

mod functions;
mod parse;

use std::collections::BTreeMap;

pub(super) use parse::parse;

use super::series::Window;

/// A series of points with the period that they stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeSeries {
    pub label: String,
    /// Seconds.
    pub period: i64,
    /// Start of the period in epoch seconds, and value.
    pub points: BTreeMap<i64, f64>,
}

/// What an expression yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Computed {
    Number(f64),
    Text(String),
    One(TimeSeries),
    Many(Vec<TimeSeries>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    Number(f64),
    Text(String),
    /// Another query of the same request.
    Id(String),
    Array(Vec<Expression>),
    Negated(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Call(String, Vec<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

impl Operator {
    /// `None` drops the point.
    fn apply(self, left: f64, right: f64) -> Option<f64> {
        let truth = |truth: bool| if truth { 1.0 } else { 0.0 };
        let value = match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Power => left.powf(right),
            Self::Equal => truth(left == right),
            Self::NotEqual => truth(left != right),
            Self::Less => truth(left < right),
            Self::LessOrEqual => truth(left <= right),
            Self::Greater => truth(left > right),
            Self::GreaterOrEqual => truth(left >= right),
            Self::And => truth(left != 0.0 && right != 0.0),
            Self::Or => truth(left != 0.0 || right != 0.0),
        };
        value.is_finite().then_some(value)
    }
}

/// What an expression is computed against.
pub(super) trait Scope {
    /// The value of another query of the request.
    fn value(&self, id: &str) -> Result<Computed, String>;
    /// All metrics (not expressions) of the request whose id contains `part`, in the request's order.
    fn metrics(&self, part: &str) -> Result<Vec<TimeSeries>, String>;
    fn window(&self) -> Window;
}

pub(super) fn compute(expression: &Expression, scope: &dyn Scope) -> Result<Computed, String> {
    match expression {
        Expression::Number(number) => Ok(Computed::Number(*number)),
        Expression::Text(text) => Ok(Computed::Text(text.clone())),
        Expression::Id(id) => scope.value(id),
        Expression::Array(members) => {
            let mut all = Vec::new();
            for member in members {
                match compute(member, scope)? {
                    Computed::One(series) => all.push(series),
                    Computed::Many(series) => all.extend(series),
                    other => return Err(format!("an array holds metrics, not {}", kind(&other))),
                }
            }
            Ok(Computed::Many(all))
        }
        Expression::Negated(operand) => binary(Operator::Subtract, Computed::Number(0.0), compute(operand, scope)?),
        Expression::Binary(operator, left, right) => binary(*operator, compute(left, scope)?, compute(right, scope)?),
        Expression::Call(name, arguments) => functions::call(name, arguments, scope),
    }
}

fn kind(value: &Computed) -> &'static str {
    match value {
        Computed::Number(_) => "a number",
        Computed::Text(_) => "a text",
        Computed::One(_) => "a metric",
        Computed::Many(_) => "an array of metrics",
    }
}

fn binary(operator: Operator, left: Computed, right: Computed) -> Result<Computed, String> {
    use Computed::{Many, Number, One};
    Ok(match (left, right) {
        (Number(left), Number(right)) => Number(operator.apply(left, right).ok_or("a number is divided by zero")?),
        (One(series), Number(number)) => One(map(series, |value| operator.apply(value, number))),
        (Number(number), One(series)) => One(map(series, |value| operator.apply(number, value))),
        (One(left), One(right)) => One(join(operator, left, &right)),
        (Many(all), Number(number)) => Many(
            all.into_iter()
                .map(|series| map(series, |value| operator.apply(value, number)))
                .collect(),
        ),
        (Number(number), Many(all)) => Many(
            all.into_iter()
                .map(|series| map(series, |value| operator.apply(number, value)))
                .collect(),
        ),
        (Many(all), One(right)) => Many(all.into_iter().map(|left| join(operator, left, &right)).collect()),
        (One(left), Many(all)) => {
            let joined = all.into_iter().map(|right| TimeSeries {
                label: right.label.clone(),
                ..join(operator, left.clone(), &right)
            });
            Many(joined.collect())
        }
        (left, right) => return Err(format!("no operator joins {} and {}", kind(&left), kind(&right))),
    })
}

fn map(mut series: TimeSeries, change: impl Fn(f64) -> Option<f64>) -> TimeSeries {
    series.points = series
        .points
        .into_iter()
        .filter_map(|(time, value)| Some((time, change(value)?)))
        .collect();
    series
}

fn join(operator: Operator, mut left: TimeSeries, right: &TimeSeries) -> TimeSeries {
    left.period = left.period.max(right.period);
    left.points = left
        .points
        .into_iter()
        .filter_map(|(time, value)| Some((time, operator.apply(value, *right.points.get(&time)?)?)))
        .collect();
    left
}

#[cfg(test)]
mod tests;
