//! What a dashboard shows. Keys stand in the order in which aws-cdk-lib writes them: the body of a dashboard is one text.

mod alarm;
mod graph;
mod log;
mod number;
mod properties;
mod series;

use cfn::{Expr, Map};

use crate::stack::Stack;

pub use alarm::{AlarmSort, AlarmState, AlarmStatusWidget, AlarmWidget};
pub use graph::{Annotation, GaugeWidget, GraphView, GraphWidget, VerticalAnnotation, YAxis};
pub use log::{CustomWidget, LogQueryLanguage, LogQueryView, LogQueryWidget};
pub use number::{SingleValueWidget, TableLayout, TableSummary, TableThreshold, TableWidget};

/// The grid is 24 wide.
pub(crate) const GRID_WIDTH: u32 = 24;
const DEFAULT_SIZE: u32 = 6;

/// A tile of a dashboard, or several that belong together.
#[derive(Clone, Debug)]
pub struct Widget {
    pub(crate) width: u32,
    pub(crate) height: u32,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Graph(Box<GraphWidget>),
    Gauge(Box<GaugeWidget>),
    Text(TextWidget),
    SingleValue(Box<SingleValueWidget>),
    Table(Box<TableWidget>),
    Alarm(Box<AlarmWidget>),
    AlarmStatus(Box<AlarmStatusWidget>),
    LogQuery(Box<LogQueryWidget>),
    Custom(Box<CustomWidget>),
    Spacer,
    /// With the place of each.
    Several(Vec<(u32, u32, Widget)>),
}

macro_rules! size {
    () => {
        pub(in crate::cloudwatch) const fn width_said(&self) -> Option<u32> {
            self.width
        }

        pub(in crate::cloudwatch) const fn height_said(&self) -> Option<u32> {
            self.height
        }

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
use {size, title};

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

    fn render(&self) -> Map {
        let background = if self.solid { "solid" } else { "transparent" };
        [
            ("markdown", Expr::text(self.markdown.clone())),
            ("background", background.into()),
        ]
        .into_iter()
        .collect()
    }
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
                let (width, height) = (widget.width_said(), widget.height_said());
                let (width, height) = (width.unwrap_or($width), height.unwrap_or($height));
                Self { width, height, kind: ($kind)(widget) }
            }
        }
    )* };
}

widget! {
    GraphWidget => |widget| Kind::Graph(Box::new(widget)), DEFAULT_SIZE, DEFAULT_SIZE;
    GaugeWidget => |widget| Kind::Gauge(Box::new(widget)), DEFAULT_SIZE, DEFAULT_SIZE;
    TextWidget => Kind::Text, DEFAULT_SIZE, 2;
    SingleValueWidget => |widget| Kind::SingleValue(Box::new(widget)), DEFAULT_SIZE, 3;
    TableWidget => |widget| Kind::Table(Box::new(widget)), DEFAULT_SIZE, DEFAULT_SIZE;
    AlarmWidget => |widget| Kind::Alarm(Box::new(widget)), DEFAULT_SIZE, DEFAULT_SIZE;
    AlarmStatusWidget => |widget| Kind::AlarmStatus(Box::new(widget)), DEFAULT_SIZE, 3;
    LogQueryWidget => |widget| Kind::LogQuery(Box::new(widget)), DEFAULT_SIZE, DEFAULT_SIZE;
    CustomWidget => |widget| Kind::Custom(Box::new(widget)), DEFAULT_SIZE, DEFAULT_SIZE;
    Spacer => |_| Kind::Spacer, 1, 1;
}

impl Widget {
    /// Side by side; those that do not fit go into the next line.
    pub fn row(widgets: impl IntoIterator<Item = Self>) -> Self {
        let (mut x, mut y, mut width, mut height) = (0, 0, 0, 0);
        let mut places = Vec::new();
        for widget in widgets {
            if x + widget.width > GRID_WIDTH {
                (x, y) = (0, height);
            }
            width = width.max(x + widget.width);
            height = height.max(y + widget.height);
            let at = x;
            x += widget.width;
            places.push((at, y, widget));
        }
        Self {
            width,
            height,
            kind: Kind::Several(places),
        }
    }

    /// One below the other.
    pub fn column(widgets: impl IntoIterator<Item = Self>) -> Self {
        let (mut width, mut height) = (0, 0);
        let mut places = Vec::new();
        for widget in widgets {
            let at = height;
            width = width.max(widget.width);
            height += widget.height;
            places.push((0, at, widget));
        }
        Self {
            width,
            height,
            kind: Kind::Several(places),
        }
    }

    pub(crate) fn render(&self, x: u32, y: u32, stack: &Stack, into: &mut Vec<Expr>) {
        let (kind, properties) = match &self.kind {
            Kind::Graph(widget) => ("metric", widget.render(stack)),
            Kind::Gauge(widget) => ("metric", widget.render(stack)),
            Kind::SingleValue(widget) => ("metric", widget.render(stack)),
            Kind::Table(widget) => ("metric", widget.render(stack)),
            Kind::Alarm(widget) => ("metric", widget.render()),
            Kind::Text(widget) => ("text", widget.render()),
            Kind::AlarmStatus(widget) => ("alarm", widget.render()),
            Kind::LogQuery(widget) => ("log", widget.render()),
            Kind::Custom(widget) => ("custom", widget.render()),
            Kind::Spacer => return,
            Kind::Several(places) => {
                for (right, down, widget) in places {
                    widget.render(x + right, y + down, stack, into);
                }
                return;
            }
        };
        let entries = [
            ("type", kind.into()),
            ("width", self.width.into()),
            ("height", self.height.into()),
            ("x", x.into()),
            ("y", y.into()),
            ("properties", Expr::Map(properties)),
        ];
        into.push(Expr::map(entries));
    }

    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.width > GRID_WIDTH {
            return Some(format!("a widget is {GRID_WIDTH} wide at most"));
        }
        match &self.kind {
            Kind::Graph(widget) => widget.problem(),
            Kind::Gauge(widget) => widget.problem(),
            Kind::SingleValue(widget) => widget.problem(),
            Kind::Table(widget) => widget.problem(),
            Kind::LogQuery(widget) => widget.problem(),
            Kind::Several(places) => places.iter().find_map(|(_, _, widget)| widget.problem()),
            Kind::Text(_) | Kind::Alarm(_) | Kind::AlarmStatus(_) | Kind::Custom(_) | Kind::Spacer => None,
        }
    }
}
