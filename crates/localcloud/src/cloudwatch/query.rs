//! `MetricDataQuery`: what `GetMetricData` and metric math alarms ask, and the answer.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::expression::{self, Computed, Expression, Scope, TimeSeries};
use super::series::{Metric, PointSource, Window};
use super::statistic::Statistic;
use crate::members::Members;
use crate::service::ApiError;

#[derive(Clone, Debug)]
pub struct Query {
    pub id: String,
    pub label: Option<String>,
    pub return_data: bool,
    pub subject: Subject,
}

#[derive(Clone, Debug)]
pub enum Subject {
    Metric(MetricStatistic),
    Expression(Expression),
}

#[derive(Clone, Debug, PartialEq)]
pub struct MetricStatistic {
    pub metric: Metric,
    /// Seconds.
    pub period: i64,
    pub statistic: Statistic,
    pub unit: Option<String>,
}

impl Query {
    pub fn parse_all(queries: &[Value]) -> Result<Vec<Self>, ApiError> {
        let parsed: Vec<Self> = queries.iter().map(Self::parse).collect::<Result<_, _>>()?;
        for (place, query) in parsed.iter().enumerate() {
            if parsed[..place].iter().any(|other| other.id == query.id) {
                return Err(invalid(format!(
                    "The value {} for parameter Id is not unique",
                    query.id
                )));
            }
        }
        Ok(parsed)
    }

    fn parse(query: &Value) -> Result<Self, ApiError> {
        let id = query.text("Id").ok_or_else(|| invalid("The parameter Id is missing"))?;
        let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !id.starts_with(|first: char| first.is_ascii_lowercase()) || !letters(id) {
            return Err(invalid(format!(
                "The value {id} for parameter Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$"
            )));
        }
        let subject = match (query.member("MetricStat"), query.text("Expression")) {
            (Some(metric), None) => Subject::Metric(MetricStatistic::parse(metric)?),
            (None, Some(text)) => {
                let parsed = expression::parse(text)
                    .map_err(|error| invalid(format!("Error in expression '{id}' [{error}]")))?;
                Subject::Expression(parsed)
            }
            _ => return Err(invalid(format!("{id} has to have either MetricStat or Expression"))),
        };
        Ok(Self {
            id: id.to_owned(),
            label: query.text("Label").map(str::to_owned),
            return_data: query.flag("ReturnData").unwrap_or(true),
            subject,
        })
    }
}

impl MetricStatistic {
    fn parse(stat: &Value) -> Result<Self, ApiError> {
        let metric = stat
            .member("Metric")
            .ok_or_else(|| invalid("The parameter Metric is missing"))?;
        let name = stat
            .text("Stat")
            .ok_or_else(|| invalid("The parameter Stat is missing"))?;
        Ok(Self {
            metric: metric_of(metric)?,
            period: period_of(stat)?,
            statistic: Statistic::parse(name).ok_or_else(|| invalid(format!("The statistic {name} is not served")))?,
            unit: stat.text("Unit").map(str::to_owned),
        })
    }

    pub fn points(&self, source: &dyn PointSource, window: Window) -> BTreeMap<i64, f64> {
        source.points(&self.metric, self.statistic, self.unit.as_deref(), self.period, window)
    }
}

/// `Namespace`, `MetricName` and `Dimensions`.
pub fn metric_of(members: &impl Members) -> Result<Metric, ApiError> {
    let missing = |name: &str| ApiError::new(400, "MissingParameter", format!("The parameter {name} is required."));
    Ok(Metric::new(
        members.text("Namespace").ok_or_else(|| missing("Namespace"))?,
        members.text("MetricName").ok_or_else(|| missing("MetricName"))?,
        dimensions_of(members),
    ))
}

pub fn dimensions_of(members: &impl Members) -> Vec<(String, String)> {
    let dimensions = members.list("Dimensions").iter();
    dimensions
        .filter_map(|dimension| Some((dimension.text("Name")?.to_owned(), dimension.text("Value")?.to_owned())))
        .collect()
}

/// Seconds; every whole number of them, unlike AWS.
pub fn period_of(members: &impl Members) -> Result<i64, ApiError> {
    members
        .integer("Period")
        .filter(|period| (1..=86_400).contains(period))
        .ok_or_else(|| invalid("The parameter Period must be between 1 and 86400 seconds"))
}

pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ValidationError", message)
}

/// Computes queries that refer to each other, each once.
pub struct Answers<'q> {
    queries: &'q [Query],
    source: &'q dyn PointSource,
    window: Window,
    /// `None` while it is being computed.
    known: RefCell<HashMap<String, Option<Computed>>>,
}

impl<'q> Answers<'q> {
    pub fn new(queries: &'q [Query], source: &'q dyn PointSource, window: Window) -> Self {
        Self {
            queries,
            source,
            window,
            known: RefCell::default(),
        }
    }

    pub fn series(&self, id: &str) -> Result<Vec<TimeSeries>, ApiError> {
        let value = self
            .value(id)
            .map_err(|error| invalid(format!("Error in expression '{id}' [{error}]")))?;
        match value {
            Computed::One(series) => Ok(vec![series]),
            Computed::Many(all) => Ok(all),
            Computed::Number(_) | Computed::Text(_) => Err(invalid(format!(
                "Error in expression '{id}' [The expression at the top level should return a single time series or an \
                 array of time series]"
            ))),
        }
    }

    fn metric(&self, query: &Query, statistic: &MetricStatistic) -> TimeSeries {
        TimeSeries {
            label: query.label.clone().unwrap_or_else(|| statistic.metric.name.clone()),
            period: statistic.period,
            points: statistic.points(self.source, self.window),
        }
    }
}

impl Scope for Answers<'_> {
    fn value(&self, id: &str) -> Result<Computed, String> {
        match self.known.borrow().get(id) {
            Some(Some(value)) => return Ok(value.clone()),
            Some(None) => return Err(format!("{id} refers to itself")),
            None => {}
        }
        let query = self
            .queries
            .iter()
            .find(|query| query.id == id)
            .ok_or_else(|| format!("{id} is not defined"))?;
        self.known.borrow_mut().insert(id.to_owned(), None);
        let value = match &query.subject {
            Subject::Metric(statistic) => Computed::One(self.metric(query, statistic)),
            Subject::Expression(expression) => match expression::compute(expression, self)? {
                Computed::One(mut series) => {
                    series.label = query.label.clone().unwrap_or_else(|| id.to_owned());
                    Computed::One(series)
                }
                other => other,
            },
        };
        self.known.borrow_mut().insert(id.to_owned(), Some(value.clone()));
        Ok(value)
    }

    fn metrics(&self, part: &str) -> Result<Vec<TimeSeries>, String> {
        let metrics = self.queries.iter().filter(|query| query.id.contains(part));
        Ok(metrics
            .filter_map(|query| match &query.subject {
                Subject::Metric(statistic) => Some(self.metric(query, statistic)),
                Subject::Expression(_) => None,
            })
            .collect())
    }

    fn window(&self) -> Window {
        self.window
    }
}
