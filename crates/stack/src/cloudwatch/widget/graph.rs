//! Series over time, and on a dial.

use cfn::{Expr, Map};

use super::properties::{Properties, Range, range, region};
use super::series::series;
use super::{size, title};
use crate::cloudwatch::alarm::Alarm;
use crate::cloudwatch::metric::Series;
use crate::stack::Stack;

/// A line above which, or below which, something is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation(Map);

impl Annotation {
    pub fn at(value: f64) -> Self {
        Self([("value", Expr::Float(value))].into_iter().collect())
    }

    /// The threshold of an alarm.
    pub fn of(alarm: &Alarm) -> Self {
        Self(alarm.annotation())
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.0.insert("label", label.into());
        self
    }

    #[must_use]
    pub fn color(mut self, color: impl Into<String>) -> Self {
        self.0.insert("color", color.into());
        self
    }

    #[must_use]
    pub fn visible(mut self, on: bool) -> Self {
        self.0.insert("visible", on);
        self
    }

    /// `above` or `below`.
    #[must_use]
    pub fn fill(mut self, fill: impl Into<String>) -> Self {
        self.0.insert("fill", fill.into());
        self
    }

    pub(super) fn plain(&self) -> Expr {
        self.0.clone().into()
    }

    fn render(&self, axis: &'static str) -> Expr {
        let mut map = self.0.clone();
        map.insert("yAxis", axis);
        map.into()
    }
}

/// A vertical axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct YAxis(Map);

impl YAxis {
    pub(super) fn render(&self) -> Map {
        self.0.clone()
    }

    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn min(mut self, min: f64) -> Self {
        self.0.insert("min", min);
        self
    }

    #[must_use]
    pub fn max(mut self, max: f64) -> Self {
        self.0.insert("max", max);
        self
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.0.insert("label", label.into());
        self
    }

    #[must_use]
    pub fn show_units(mut self, on: bool) -> Self {
        self.0.insert("showUnits", on);
        self
    }
}

/// A moment.
#[derive(Clone, Debug, PartialEq)]
pub struct VerticalAnnotation(Map);

impl VerticalAnnotation {
    /// `2026-11-22T20:00:00Z`.
    pub fn at(time: impl Into<String>) -> Self {
        Self([("value", Expr::text(time.into()))].into_iter().collect())
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.0.insert("label", label.into());
        self
    }

    #[must_use]
    pub fn color(mut self, color: impl Into<String>) -> Self {
        self.0.insert("color", color.into());
        self
    }

    #[must_use]
    pub fn visible(mut self, on: bool) -> Self {
        self.0.insert("visible", on);
        self
    }

    /// `before` or `after`.
    #[must_use]
    pub fn fill(mut self, fill: impl Into<String>) -> Self {
        self.0.insert("fill", fill.into());
        self
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphView {
    TimeSeries,
    Bar,
    Pie,
}

/// Series over time.
#[derive(Clone, Debug, Default)]
pub struct GraphWidget {
    title: Option<String>,
    left: Vec<Series>,
    right: Vec<Series>,
    left_annotations: Vec<Annotation>,
    right_annotations: Vec<Annotation>,
    left_axis: Option<YAxis>,
    right_axis: Option<YAxis>,
    view: Option<GraphView>,
    stacked: Option<bool>,
    legend: Option<String>,
    range: Range,
    vertical_annotations: Vec<VerticalAnnotation>,
    labels: bool,
    statistic: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
}

impl GraphWidget {
    pub fn new() -> Self {
        Self::default()
    }

    size!();
    title!();
    range!();

    #[must_use]
    pub fn left(mut self, series: impl IntoIterator<Item = impl Into<Series>>) -> Self {
        self.left.extend(series.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn right(mut self, series: impl IntoIterator<Item = impl Into<Series>>) -> Self {
        self.right.extend(series.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn left_annotation(mut self, annotation: Annotation) -> Self {
        self.left_annotations.push(annotation);
        self
    }

    #[must_use]
    pub fn right_annotation(mut self, annotation: Annotation) -> Self {
        self.right_annotations.push(annotation);
        self
    }

    #[must_use]
    pub fn vertical_annotation(mut self, annotation: VerticalAnnotation) -> Self {
        self.vertical_annotations.push(annotation);
        self
    }

    /// Of a pie only.
    #[must_use]
    pub fn display_labels_on_chart(mut self) -> Self {
        self.labels = true;
        self
    }

    #[must_use]
    pub fn left_y_axis(mut self, axis: YAxis) -> Self {
        self.left_axis = Some(axis);
        self
    }

    #[must_use]
    pub fn right_y_axis(mut self, axis: YAxis) -> Self {
        self.right_axis = Some(axis);
        self
    }

    #[must_use]
    pub fn view(mut self, view: GraphView) -> Self {
        self.view = Some(view);
        self
    }

    #[must_use]
    pub fn stacked(mut self, on: bool) -> Self {
        self.stacked = Some(on);
        self
    }

    /// `bottom`, `right` or `hidden`.
    #[must_use]
    pub fn legend_position(mut self, position: impl Into<String>) -> Self {
        self.legend = Some(position.into());
        self
    }

    #[must_use]
    pub fn statistic(mut self, statistic: impl Into<String>) -> Self {
        self.statistic = Some(statistic.into());
        self
    }

    pub(super) fn problem(&self) -> Option<String> {
        if self.labels && self.view != Some(GraphView::Pie) {
            return Some("labels stand on the chart of a pie only".to_owned());
        }
        let mut series = self.left.iter().chain(&self.right);
        self.range.problem().or_else(|| series.find_map(Series::problem))
    }

    pub(super) fn render(&self, stack: &Stack) -> Map {
        let view = match self.view.unwrap_or(GraphView::TimeSeries) {
            GraphView::TimeSeries => "timeSeries",
            GraphView::Bar => "bar",
            GraphView::Pie => "pie",
        };
        let left = self.left_annotations.iter().map(|annotation| annotation.render("left"));
        let annotations: Vec<Expr> = left
            .chain(
                self.right_annotations
                    .iter()
                    .map(|annotation| annotation.render("right")),
            )
            .collect();
        let mut y_axis = Map::new();
        y_axis.extend(self.left_axis.iter().map(|axis| ("left", axis.0.clone())));
        y_axis.extend(self.right_axis.iter().map(|axis| ("right", axis.0.clone())));

        let mut properties = Properties::default();
        properties.set("view", Some(view));
        properties.set("title", self.title.clone());
        properties.set("region", Some(region(self.range.region.as_deref())));
        properties.set("stacked", self.stacked);
        properties.set("labels", self.labels.then(|| Expr::map([("visible", true)])));
        properties.set("metrics", series(&self.left, &self.right, stack));
        let vertical: Vec<Expr> = self
            .vertical_annotations
            .iter()
            .map(|annotation| annotation.0.clone().into())
            .collect();
        let lists: Map = [("horizontal", annotations), ("vertical", vertical)]
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(key, list)| (key, Expr::List(list)))
            .collect();
        properties.set("annotations", (!lists.is_empty()).then_some(lists));
        properties.set("yAxis", Some(y_axis));
        properties.set(
            "legend",
            self.legend.clone().map(|position| Expr::map([("position", position)])),
        );
        properties.range(&self.range, self.statistic.as_deref());
        properties.0
    }
}

/// The latest value of each series, on a dial from 0 to 100 if no axis says otherwise.
#[derive(Clone, Debug, Default)]
pub struct GaugeWidget {
    title: Option<String>,
    metrics: Vec<Series>,
    annotations: Vec<Annotation>,
    axis: Option<YAxis>,
    legend: Option<String>,
    statistic: Option<String>,
    range: Range,
    width: Option<u32>,
    height: Option<u32>,
}

impl GaugeWidget {
    pub fn new(metrics: impl IntoIterator<Item = impl Into<Series>>) -> Self {
        Self {
            metrics: metrics.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    size!();
    title!();
    range!();

    #[must_use]
    pub fn annotation(mut self, annotation: Annotation) -> Self {
        self.annotations.push(annotation);
        self
    }

    #[must_use]
    pub fn left_y_axis(mut self, axis: YAxis) -> Self {
        self.axis = Some(axis);
        self
    }

    /// `bottom`, `right` or `hidden`.
    #[must_use]
    pub fn legend_position(mut self, position: impl Into<String>) -> Self {
        self.legend = Some(position.into());
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
        let mut axis: Map = [("min", 0), ("max", 100)].into_iter().collect();
        axis.extend(
            self.axis
                .iter()
                .flat_map(|axis| axis.0.iter())
                .map(|(key, value)| (key.to_owned(), value.clone())),
        );
        let annotations: Vec<Expr> = self.annotations.iter().map(Annotation::plain).collect();
        let mut properties = Properties::default();
        properties.set("view", Some("gauge"));
        properties.set("title", self.title.clone());
        properties.set("region", Some(region(self.range.region.as_deref())));
        properties.set("metrics", series(&self.metrics, &[], stack));
        properties.set(
            "annotations",
            (!annotations.is_empty()).then(|| Expr::map([("horizontal", Expr::List(annotations))])),
        );
        properties.set("yAxis", Some(Expr::map([("left", axis)])));
        properties.set(
            "legend",
            self.legend.clone().map(|position| Expr::map([("position", position)])),
        );
        properties.range(&self.range, self.statistic.as_deref());
        properties.0
    }
}
