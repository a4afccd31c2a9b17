//! Series as numbers: the latest of each, or a table.

use cfn::{Expr, Map};

use super::properties::{Properties, Range, range, region};
use super::series::series;
use super::{size, title};
use crate::cloudwatch::metric::Series;
use crate::stack::Stack;

/// The latest value of each series, as a number.
#[derive(Clone, Debug)]
pub struct SingleValueWidget {
    title: Option<String>,
    metrics: Vec<Series>,
    sparkline: Option<bool>,
    full_precision: Option<bool>,
    range: Range,
    width: Option<u32>,
    height: Option<u32>,
}

impl SingleValueWidget {
    pub fn new(metrics: impl IntoIterator<Item = impl Into<Series>>) -> Self {
        let metrics = metrics.into_iter().map(Into::into).collect();
        Self {
            title: None,
            metrics,
            sparkline: None,
            full_precision: None,
            range: Range::default(),
            width: None,
            height: None,
        }
    }

    size!();
    title!();
    range!();

    #[must_use]
    pub fn sparkline(mut self, on: bool) -> Self {
        self.sparkline = Some(on);
        self
    }

    #[must_use]
    pub fn full_precision(mut self, on: bool) -> Self {
        self.full_precision = Some(on);
        self
    }

    pub(super) fn problem(&self) -> Option<String> {
        if self.range.set_period_to_time_range == Some(true) && self.sparkline == Some(true) {
            return Some("one value for all that is shown has no line; choose one of the two".to_owned());
        }
        self.range
            .problem()
            .or_else(|| self.metrics.iter().find_map(Series::problem))
    }

    pub(super) fn render(&self, stack: &Stack) -> Map {
        let mut properties = Properties::default();
        properties.set("view", Some("singleValue"));
        properties.set("title", self.title.clone());
        properties.set("region", Some(region(self.range.region.as_deref())));
        properties.set("sparkline", self.sparkline);
        properties.set(
            "metrics",
            Some(series(&self.metrics, &[], stack).unwrap_or(Expr::List(Vec::new()))),
        );
        properties.set("setPeriodToTimeRange", self.range.set_period_to_time_range);
        properties.set("singleValueFullPrecision", self.full_precision);
        properties.set("period", self.range.period);
        properties.set("start", self.range.start.clone());
        properties.set("end", self.range.end.clone());
        properties.set("accountId", self.range.account.clone());
        properties.set("liveData", self.range.live_data);
        properties.0
    }
}

/// Where a table shows a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableLayout {
    /// In a row.
    Horizontal,
    /// In a column.
    Vertical,
}

/// A number over all that a table shows of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableSummary {
    Minimum,
    Maximum,
    Sum,
    Average,
}

impl TableSummary {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Minimum => "MIN",
            Self::Maximum => "MAX",
            Self::Sum => "SUM",
            Self::Average => "AVG",
        }
    }
}

/// Values that are coloured.
#[derive(Clone, Debug, PartialEq)]
pub struct TableThreshold(Expr);

impl TableThreshold {
    fn line(value: f64, color: Option<String>, fill: Option<&'static str>) -> Map {
        let mut map: Map = [("value", Expr::Float(value))].into_iter().collect();
        map.extend(color.map(|color| ("color", Expr::text(color))));
        map.extend(fill.map(|fill| ("fill", Expr::text(fill))));
        map
    }

    pub fn above(value: f64, color: impl Into<String>) -> Self {
        Self(Self::line(value, Some(color.into()), Some("above")).into())
    }

    pub fn below(value: f64, color: impl Into<String>) -> Self {
        Self(Self::line(value, Some(color.into()), Some("below")).into())
    }

    pub fn between(lower: f64, upper: f64, color: impl Into<String>) -> Self {
        let lower = Self::line(lower, Some(color.into()), None);
        Self(Expr::list([lower, Self::line(upper, None, None)]))
    }
}

/// Series as rows or columns of numbers.
#[derive(Clone, Debug, Default)]
pub struct TableWidget {
    title: Option<String>,
    metrics: Vec<Series>,
    layout: Option<TableLayout>,
    summary: Vec<TableSummary>,
    hide_values: bool,
    sticky: bool,
    thresholds: Vec<TableThreshold>,
    show_units: bool,
    full_precision: Option<bool>,
    statistic: Option<String>,
    range: Range,
    width: Option<u32>,
    height: Option<u32>,
}

impl TableWidget {
    pub fn new(metrics: impl IntoIterator<Item = impl Into<Series>>) -> Self {
        Self {
            metrics: metrics.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    size!();
    title!();
    range!();

    /// Horizontal if nothing is said.
    #[must_use]
    pub fn layout(mut self, layout: TableLayout) -> Self {
        self.layout = Some(layout);
        self
    }

    #[must_use]
    pub fn summary(mut self, columns: impl IntoIterator<Item = TableSummary>) -> Self {
        self.summary.extend(columns);
        self
    }

    /// The summary stays in sight.
    #[must_use]
    pub fn sticky_summary(mut self) -> Self {
        self.sticky = true;
        self
    }

    /// Nothing but the summary.
    #[must_use]
    pub fn hide_non_summary_columns(mut self) -> Self {
        self.hide_values = true;
        self
    }

    #[must_use]
    pub fn threshold(mut self, threshold: TableThreshold) -> Self {
        self.thresholds.push(threshold);
        self
    }

    #[must_use]
    pub fn show_units_in_label(mut self) -> Self {
        self.show_units = true;
        self
    }

    #[must_use]
    pub fn full_precision(mut self, on: bool) -> Self {
        self.full_precision = Some(on);
        self
    }

    #[must_use]
    pub fn statistic(mut self, statistic: impl Into<String>) -> Self {
        self.statistic = Some(statistic.into());
        self
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.range
            .problem()
            .or_else(|| self.metrics.iter().find_map(Series::problem))
    }

    pub(super) fn render(&self, stack: &Stack) -> Map {
        let layout = match self.layout {
            Some(TableLayout::Vertical) => "vertical",
            Some(TableLayout::Horizontal) | None => "horizontal",
        };
        let summary = self.summary.iter().map(|column| column.as_str());
        let table = [
            ("layout", Expr::text(layout)),
            ("showTimeSeriesData", (!self.hide_values).into()),
            ("stickySummary", self.sticky.into()),
            ("summaryColumns", Expr::list(summary)),
        ];
        let mut axis = Map::new();
        if self.show_units {
            axis.insert("left", Expr::map([("showUnits", true)]));
        }
        let thresholds: Vec<Expr> = self
            .thresholds
            .iter()
            .map(|TableThreshold(threshold)| threshold.clone())
            .collect();
        let mut properties = Properties::default();
        properties.set("title", self.title.clone());
        properties.set("view", Some("table"));
        properties.set("table", Some(Expr::map(table)));
        properties.set("region", Some(region(self.range.region.as_deref())));
        properties.set("metrics", series(&self.metrics, &[], stack));
        properties.set(
            "annotations",
            (!thresholds.is_empty()).then(|| Expr::map([("horizontal", Expr::List(thresholds))])),
        );
        properties.set("yAxis", Some(axis));
        properties.set("liveData", self.range.live_data);
        properties.set("singleValueFullPrecision", self.full_precision);
        properties.set("setPeriodToTimeRange", self.range.set_period_to_time_range);
        properties.set("period", self.range.period);
        properties.set("stat", self.statistic.clone());
        properties.set("start", self.range.start.clone());
        properties.set("end", self.range.end.clone());
        properties.set("accountId", self.range.account.clone());
        properties.0
    }
}
