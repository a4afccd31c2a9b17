//! Metrics and expressions over them, as values: what alarms watch and graphs draw.

use std::time::Duration;

use cfn::{Expr, IntoValue};

use super::statistic::Statistic;
use crate::stack::Stack;
use crate::tree::Scope;
use crate::units::whole_seconds;

/// What graphs and alarms aggregate over if nothing is said, in seconds.
pub(crate) const DEFAULT_PERIOD: i64 = 300;

/// One metric with a statistic.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Sorted by name.
    pub(crate) dimensions: Vec<(String, Expr)>,
    pub(crate) statistic: Statistic,
    pub(crate) period: i64,
    pub(crate) unit: Option<String>,
    pub(crate) look: Look,
    /// Where the metric is, if not where it is shown.
    pub(crate) account: Place,
    pub(crate) region: Place,
}

/// Account or region of a metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Place {
    /// Where it is looked at.
    #[default]
    Here,
    /// Of the stack that the metric comes from; said only where it differs.
    OfStack(String),
    /// Always said.
    Explicit(String),
}

/// How a series is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Look {
    pub(crate) label: Option<String>,
    pub(crate) color: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) visible: Option<bool>,
}

impl Metric {
    /// The average over five minutes, until something else is said.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            dimensions: Vec::new(),
            statistic: Statistic::Simple("Average"),
            period: DEFAULT_PERIOD,
            unit: None,
            look: Look::default(),
            account: Place::Here,
            region: Place::Here,
        }
    }

    #[must_use]
    pub fn dimension(mut self, name: impl Into<String>, value: impl IntoValue<String>) -> Self {
        let name = name.into();
        self.dimensions.retain(|(known, _)| *known != name);
        self.dimensions.push((name, value.into_value().into_expr()));
        self.dimensions.sort_by(|(a, _), (b, _)| a.cmp(b));
        self
    }

    /// By name: `p99.9`, `TM(10%:90%)`.
    #[must_use]
    pub fn statistic(mut self, statistic: &str) -> Self {
        self.statistic = Statistic::parse(statistic);
        self
    }

    #[must_use]
    pub fn average(self) -> Self {
        self.statistic("Average")
    }

    #[must_use]
    pub fn sum(self) -> Self {
        self.statistic("Sum")
    }

    #[must_use]
    pub fn minimum(self) -> Self {
        self.statistic("Minimum")
    }

    #[must_use]
    pub fn maximum(self) -> Self {
        self.statistic("Maximum")
    }

    #[must_use]
    pub fn sample_count(self) -> Self {
        self.statistic("SampleCount")
    }

    #[must_use]
    pub fn p50(self) -> Self {
        self.statistic("p50")
    }

    #[must_use]
    pub fn p90(self) -> Self {
        self.statistic("p90")
    }

    #[must_use]
    pub fn p95(self) -> Self {
        self.statistic("p95")
    }

    #[must_use]
    pub fn p99(self) -> Self {
        self.statistic("p99")
    }

    /// 1, 5, 10 or 30 seconds, or whole minutes.
    #[must_use]
    pub fn period(mut self, period: Duration) -> Self {
        self.period = whole_seconds(period);
        self
    }

    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = Some(unit.into());
        self
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.look.label = Some(label.into());
        self
    }

    /// `#1f77b4`.
    #[must_use]
    pub fn color(mut self, color: impl Into<String>) -> Self {
        self.look.color = Some(color.into());
        self
    }

    #[must_use]
    pub fn visible(mut self, on: bool) -> Self {
        self.look.visible = Some(on);
        self
    }

    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Place::Explicit(account.into());
        self
    }

    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Place::Explicit(region.into());
        self
    }

    /// The metric comes from a construct, whose stack says account and region where they are known.
    pub(crate) fn attached_to(mut self, scope: &impl Scope) -> Self {
        let (account, region) = Stack::of(scope).known_environment();
        self.account = account.map_or(Place::Here, Place::OfStack);
        self.region = region.map_or(Place::Here, Place::OfStack);
        self
    }

    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        let valid = matches!(self.period, 1 | 5 | 10 | 30) || self.period > 0 && self.period % 60 == 0;
        if !valid {
            return Some(format!(
                "a period is 1, 5, 10 or 30 seconds or whole minutes, not {} seconds",
                self.period
            ));
        }
        (self.dimensions.len() > 30).then(|| "a metric has thirty dimensions at most".to_owned())
    }
}

/// An expression over metrics: `100 * errors / invocations`.
#[derive(Clone, Debug, PartialEq)]
pub struct MathExpression {
    pub(crate) expression: String,
    pub(crate) using: Vec<(String, Series)>,
    pub(crate) period: i64,
    pub(crate) look: Look,
}

impl MathExpression {
    pub fn new(expression: impl Into<String>) -> Self {
        Self {
            expression: expression.into(),
            using: Vec::new(),
            period: DEFAULT_PERIOD,
            look: Look::default(),
        }
    }

    /// What a name of the expression stands for. Names begin in lower case.
    #[must_use]
    pub fn using(mut self, name: impl Into<String>, series: impl Into<Series>) -> Self {
        self.using.push((name.into(), series.into().with_period(self.period)));
        self
    }

    /// Of all that it uses, too.
    #[must_use]
    pub fn period(mut self, period: Duration) -> Self {
        self.period = whole_seconds(period);
        self.using = self
            .using
            .into_iter()
            .map(|(name, series)| (name, series.with_period(self.period)))
            .collect();
        self
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.look.label = Some(label.into());
        self
    }

    #[must_use]
    pub fn color(mut self, color: impl Into<String>) -> Self {
        self.look.color = Some(color.into());
        self
    }

    pub(crate) fn problem(&self) -> Option<String> {
        let valid = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let bad = self.using.iter().find(|(name, _)| !valid(name));
        bad.map(|(name, _)| {
            format!("`{name}` is no name in an expression: a lower-case letter, then letters, digits and `_`")
        })
    }
}

/// A metric or an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Series {
    Metric(Metric),
    Math(MathExpression),
}

impl From<Metric> for Series {
    fn from(metric: Metric) -> Self {
        Self::Metric(metric)
    }
}

impl From<MathExpression> for Series {
    fn from(expression: MathExpression) -> Self {
        Self::Math(expression)
    }
}

impl Series {
    fn with_period(self, period: i64) -> Self {
        match self {
            Self::Metric(metric) => Self::Metric(Metric { period, ..metric }),
            Self::Math(expression) => {
                Self::Math(expression.period(Duration::from_secs(u64::try_from(period).unwrap_or(0))))
            }
        }
    }

    pub(crate) fn look(&self) -> &Look {
        match self {
            Self::Metric(metric) => &metric.look,
            Self::Math(expression) => &expression.look,
        }
    }

    pub(crate) fn period_seconds(&self) -> i64 {
        match self {
            Self::Metric(metric) => metric.period,
            Self::Math(expression) => expression.period,
        }
    }

    pub(crate) fn problem(&self) -> Option<String> {
        match self {
            Self::Metric(metric) => metric.problem(),
            Self::Math(expression) => expression.problem(),
        }
    }

    /// How it is called where nobody gave it a label.
    pub(crate) fn display_name(&self) -> &str {
        let name = match self {
            Self::Metric(metric) => &metric.name,
            Self::Math(expression) => &expression.expression,
        };
        self.look().label.as_deref().unwrap_or(name)
    }

    /// The same data, however it is drawn.
    fn same_data(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Metric(a), Self::Metric(b)) => {
                a.namespace == b.namespace
                    && a.name == b.name
                    && a.dimensions == b.dimensions
                    && a.statistic == b.statistic
                    && a.period == b.period
                    && a.region == b.region
                    && a.account == b.account
            }
            (Self::Math(a), Self::Math(b)) => {
                let used = |expression: &MathExpression| {
                    let mut using: Vec<_> = expression.using.clone();
                    using.sort_by(|(a, _), (b, _)| a.cmp(b));
                    using
                };
                a.expression == b.expression
                    && a.using.len() == b.using.len()
                    && used(a)
                        .iter()
                        .zip(used(b))
                        .all(|((a_name, a), (b_name, b))| *a_name == b_name && a.same_data(&b))
            }
            _ => false,
        }
    }
}

/// Series with all that they use, each once, in the order in which they were first met.
pub(crate) struct SeriesSet<T> {
    pub(crate) entries: Vec<SeriesEntry<T>>,
}

pub(crate) struct SeriesEntry<T> {
    pub(crate) series: Series,
    /// Said of those at the top.
    pub(crate) tag: Option<T>,
    /// The name under which an expression uses it.
    pub(crate) id: Option<String>,
    /// 1 at the top, more for each expression above.
    pub(crate) level: u32,
}

impl<T: Clone> SeriesSet<T> {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    pub(crate) fn add(&mut self, tag: &T, series: &[Series]) {
        for series in series {
            self.add_one(series, 1, Some(tag), None);
        }
    }

    fn add_one(&mut self, series: &Series, level: u32, tag: Option<&T>, id: Option<&str>) {
        let by_id = id.and_then(|id| self.entries.iter().position(|entry| entry.id.as_deref() == Some(id)));
        let known = by_id.or_else(|| {
            let same = |entry: &SeriesEntry<T>| entry.series.same_data(series) && (entry.id.is_none() || id.is_none());
            self.entries.iter().position(same)
        });
        let at = known.unwrap_or_else(|| {
            self.entries.push(SeriesEntry {
                series: series.clone(),
                tag: None,
                id: None,
                level,
            });
            self.entries.len() - 1
        });
        let entry = &mut self.entries[at];
        if entry.id.is_none() {
            entry.id = id.map(str::to_owned);
        }
        if entry.tag.is_none() {
            entry.tag = tag.cloned();
        }
        if let Series::Math(expression) = series {
            for (name, used) in &expression.using {
                self.add_one(used, level + 1, None, Some(name));
            }
        }
    }
}
