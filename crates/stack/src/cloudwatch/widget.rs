//! What a dashboard shows. Keys stand in the order in which aws-cdk-lib writes them: the body of a dashboard is one text.

use std::time::Duration;

use cfn::{Expr, Map};

use super::alarm::Alarm;
use super::metric::{DEFAULT_PERIOD, Place, Series, SeriesSet};
use crate::stack::Stack;
use crate::units::whole_seconds;

/// The grid is 24 wide.
pub(crate) const GRID_WIDTH: u32 = 24;
const DEFAULT_SIZE: u32 = 6;

/// A tile of a dashboard.
#[derive(Clone, Debug)]
pub struct Widget {
    pub(crate) width: u32,
    pub(crate) height: u32,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Graph(Box<GraphWidget>),
    Text(TextWidget),
    SingleValue(SingleValueWidget),
    Alarm(AlarmWidget),
    AlarmStatus(AlarmStatusWidget),
    Spacer,
}

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

    /// `above` or `below`.
    #[must_use]
    pub fn fill(mut self, fill: impl Into<String>) -> Self {
        self.0.insert("fill", fill.into());
        self
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphView {
    TimeSeries,
    Bar,
    Pie,
}

macro_rules! size {
    () => {
        /// Of 24.
        #[must_use]
        pub fn width(mut self, width: u32) -> Self {
            self.width = Some(width);
            self
        }

        #[must_use]
        pub fn height(mut self, height: u32) -> Self {
            self.height = Some(height);
            self
        }
    };
}

macro_rules! title {
    () => {
        #[must_use]
        pub fn title(mut self, title: impl Into<String>) -> Self {
            self.title = Some(title.into());
            self
        }
    };
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
    live_data: Option<bool>,
    period: Option<i64>,
    statistic: Option<String>,
    region: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
}

impl GraphWidget {
    pub fn new() -> Self {
        Self::default()
    }

    size!();
    title!();

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
    pub fn live_data(mut self, on: bool) -> Self {
        self.live_data = Some(on);
        self
    }

    #[must_use]
    pub fn period(mut self, period: Duration) -> Self {
        self.period = Some(whole_seconds(period));
        self
    }

    #[must_use]
    pub fn statistic(mut self, statistic: impl Into<String>) -> Self {
        self.statistic = Some(statistic.into());
        self
    }

    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    fn render(&self, stack: &Stack) -> Map {
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
        properties.set("region", Some(region(self.region.as_deref())));
        properties.set("stacked", self.stacked);
        properties.set("metrics", series(&self.left, &self.right, stack));
        properties.set(
            "annotations",
            (!annotations.is_empty()).then(|| Expr::map([("horizontal", Expr::List(annotations))])),
        );
        properties.set("yAxis", Some(y_axis));
        properties.set(
            "legend",
            self.legend.clone().map(|position| Expr::map([("position", position)])),
        );
        properties.set("liveData", self.live_data);
        properties.set("period", self.period);
        properties.set("stat", self.statistic.clone());
        properties.0
    }
}

/// Markdown.
#[derive(Clone, Debug)]
pub struct TextWidget {
    markdown: String,
    solid: bool,
    width: Option<u32>,
    height: Option<u32>,
}

impl TextWidget {
    pub fn new(markdown: impl Into<String>) -> Self {
        Self {
            markdown: markdown.into(),
            solid: false,
            width: None,
            height: None,
        }
    }

    size!();

    #[must_use]
    pub fn solid_background(mut self) -> Self {
        self.solid = true;
        self
    }
}

/// The latest value of each series, as a number.
#[derive(Clone, Debug)]
pub struct SingleValueWidget {
    title: Option<String>,
    metrics: Vec<Series>,
    sparkline: Option<bool>,
    full_precision: Option<bool>,
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
            width: None,
            height: None,
        }
    }

    size!();
    title!();

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

    fn render(&self, stack: &Stack) -> Map {
        let mut properties = Properties::default();
        properties.set("view", Some("singleValue"));
        properties.set("title", self.title.clone());
        properties.set("region", Some(region(None)));
        properties.set("sparkline", self.sparkline);
        properties.set(
            "metrics",
            Some(series(&self.metrics, &[], stack).unwrap_or(Expr::List(Vec::new()))),
        );
        properties.set("singleValueFullPrecision", self.full_precision);
        properties.0
    }
}

/// An alarm over time.
#[derive(Clone, Debug)]
pub struct AlarmWidget {
    title: Option<String>,
    alarm: Expr,
    width: Option<u32>,
    height: Option<u32>,
}

impl AlarmWidget {
    pub fn new(alarm: &Alarm) -> Self {
        Self {
            title: None,
            alarm: alarm.alarm_arn().into_expr(),
            width: None,
            height: None,
        }
    }

    size!();
    title!();

    fn render(&self) -> Map {
        let mut properties = Properties::default();
        properties.set("view", Some("timeSeries"));
        properties.set("title", self.title.clone());
        properties.set("region", Some(region(None)));
        properties.set(
            "annotations",
            Some(Expr::map([("alarms", Expr::list([self.alarm.clone()]))])),
        );
        properties.set("yAxis", Some(Map::new()));
        properties.0
    }
}

/// The states of several alarms.
#[derive(Clone, Debug)]
pub struct AlarmStatusWidget {
    title: Option<String>,
    alarms: Vec<Expr>,
    width: Option<u32>,
    height: Option<u32>,
}

impl AlarmStatusWidget {
    pub fn new<'a>(alarms: impl IntoIterator<Item = &'a Alarm>) -> Self {
        let alarms = alarms.into_iter().map(|alarm| alarm.alarm_arn().into_expr()).collect();
        Self {
            title: None,
            alarms,
            width: None,
            height: None,
        }
    }

    size!();
    title!();
}

/// Nothing, to keep a place free.
#[derive(Clone, Debug, Default)]
pub struct Spacer {
    width: Option<u32>,
    height: Option<u32>,
}

impl Spacer {
    pub fn new() -> Self {
        Self::default()
    }

    size!();
}

macro_rules! widget {
    ($($type:ident => $kind:expr, $width:expr, $height:expr;)*) => { $(
        impl From<$type> for Widget {
            fn from(widget: $type) -> Self {
                let (width, height) = (widget.width.unwrap_or($width), widget.height.unwrap_or($height));
                Self { width, height, kind: ($kind)(widget) }
            }
        }
    )* };
}

widget! {
    GraphWidget => |widget| Kind::Graph(Box::new(widget)), DEFAULT_SIZE, DEFAULT_SIZE;
    TextWidget => Kind::Text, DEFAULT_SIZE, 2;
    SingleValueWidget => Kind::SingleValue, DEFAULT_SIZE, 3;
    AlarmWidget => Kind::Alarm, DEFAULT_SIZE, DEFAULT_SIZE;
    AlarmStatusWidget => Kind::AlarmStatus, DEFAULT_SIZE, 3;
    Spacer => |_| Kind::Spacer, 1, 1;
}

impl Widget {
    pub(crate) fn render(&self, x: u32, y: u32, stack: &Stack) -> Option<Expr> {
        let (kind, properties) = match &self.kind {
            Kind::Graph(widget) => ("metric", widget.render(stack)),
            Kind::SingleValue(widget) => ("metric", widget.render(stack)),
            Kind::Alarm(widget) => ("metric", widget.render()),
            Kind::Text(widget) => {
                let background = if widget.solid { "solid" } else { "transparent" };
                let entries = [
                    ("markdown", Expr::text(widget.markdown.clone())),
                    ("background", background.into()),
                ];
                ("text", entries.into_iter().collect())
            }
            Kind::AlarmStatus(widget) => {
                let title = widget.title.clone().unwrap_or_else(|| "Alarm Status".into());
                let entries = [
                    ("title", Expr::text(title)),
                    ("alarms", Expr::List(widget.alarms.clone())),
                ];
                ("alarm", entries.into_iter().collect())
            }
            Kind::Spacer => return None,
        };
        let entries = [
            ("type", kind.into()),
            ("width", self.width.into()),
            ("height", self.height.into()),
            ("x", x.into()),
            ("y", y.into()),
            ("properties", Expr::Map(properties)),
        ];
        Some(Expr::map(entries))
    }

    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.width > GRID_WIDTH {
            return Some(format!("a widget is {GRID_WIDTH} wide at most"));
        }
        match &self.kind {
            Kind::Graph(widget) => widget.left.iter().chain(&widget.right).find_map(Series::problem),
            Kind::SingleValue(widget) => widget.metrics.iter().find_map(Series::problem),
            _ => None,
        }
    }
}

/// Keys in the order in which they are set; what is nothing is left out.
#[derive(Default)]
struct Properties(Map);

impl Properties {
    fn set(&mut self, key: &'static str, value: Option<impl Into<Expr>>) {
        if let Some(value) = value {
            self.0.insert(key, value);
        }
    }
}

fn region(named: Option<&str>) -> Expr {
    named.map_or_else(
        || cfn::pseudo::region().into_expr(),
        |region| Expr::text(region.to_owned()),
    )
}

/// The list of metrics of a graph: `["AWS/Lambda", "Errors", "FunctionName", …, {options}]`.
fn series(left: &[Series], right: &[Series], stack: &Stack) -> Option<Expr> {
    let mut set = SeriesSet::new();
    set.add(&"left", left);
    set.add(&"right", right);
    let rows: Vec<Expr> = set
        .entries
        .iter()
        .map(|entry| row(&entry.series, entry.tag, entry.id.as_deref(), stack))
        .collect();
    (!rows.is_empty()).then_some(Expr::List(rows))
}

/// A row: names, and how they are drawn. The order of options is that of aws-cdk-lib, which keeps the place of a key
/// when it is set again.
fn row(series: &Series, axis: Option<&str>, id: Option<&str>, stack: &Stack) -> Expr {
    let mut row: Vec<Expr> = Vec::new();
    let mut options = Properties::default();
    let look = series.look();
    let visible = if axis.is_some() { look.visible } else { Some(false) };
    let id = id.or(look.id.as_deref()).map(str::to_owned);
    let y_axis = axis.filter(|axis| *axis != "left").map(str::to_owned);
    let period = |period: i64| (period != DEFAULT_PERIOD).then_some(period);
    match series {
        Series::Metric(metric) => {
            row.extend([Expr::text(metric.namespace.clone()), Expr::text(metric.name.clone())]);
            for (name, value) in &metric.dimensions {
                row.extend([Expr::text(name.clone()), value.clone()]);
            }
            let (account, region) = stack.known_environment();
            let statistic = metric.statistic.as_str();
            options.set("color", look.color.clone());
            options.set("label", look.label.clone());
            options.set("id", id);
            options.set("visible", visible);
            options.set("accountId", elsewhere(&metric.account, account.as_deref()));
            options.set("region", elsewhere(&metric.region, region.as_deref()));
            options.set("period", period(metric.period));
            options.set("stat", (statistic != "Average").then(|| statistic.to_owned()));
            options.set("yAxis", y_axis);
        }
        Series::Math(expression) => {
            let default_label = || (visible != Some(false)).then(|| expression.expression.clone());
            options.set("label", look.label.clone().or_else(default_label));
            options.set("color", look.color.clone());
            options.set("visible", visible);
            options.set("expression", Some(expression.expression.clone()));
            options.set("period", period(expression.period));
            options.set("yAxis", y_axis);
            options.set("id", id);
        }
    }
    if !options.0.is_empty() {
        row.push(options.0.into());
    }
    Expr::List(row)
}

fn elsewhere(place: &Place, here: Option<&str>) -> Option<String> {
    match place {
        Place::Here => None,
        Place::Explicit(name) => Some(name.clone()),
        Place::OfStack(name) => (here != Some(name)).then(|| name.clone()),
    }
}
