//! Dashboards: rows of widgets on a grid.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cfn::{Expr, IntoValue, Map};

use super::json_text::json_text;
use super::variable::DashboardVariable;
use super::widget::Widget;
use crate::element::CfnResource;
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};

#[derive(Clone)]
pub struct Dashboard {
    construct: Construct,
    resource: CfnResource<cfn::cloudwatch::Dashboard>,
    state: Rc<RefCell<State>>,
}

/// What stands in the body.
#[derive(Default)]
struct State {
    start: Option<String>,
    end: Option<String>,
    period_override: Option<String>,
    rows: Vec<Widget>,
    variables: Vec<DashboardVariable>,
}

impl Scope for Dashboard {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct DashboardBuilder {
    site: Site,
    name: Option<Expr>,
    state: State,
}

impl DashboardBuilder {
    pub fn dashboard_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    /// What is shown first: the last so many hours, say.
    pub fn default_interval(self, interval: Duration) -> Self {
        self.start(format!("-{}", iso_8601(interval)))
    }

    /// What is shown first: since a time such as `2026-11-22T20:00:00Z`.
    pub fn start(mut self, start: impl Into<String>) -> Self {
        self.state.start = Some(start.into());
        self
    }

    /// … until when, together with [`DashboardBuilder::start`].
    pub fn end(mut self, end: impl Into<String>) -> Self {
        self.state.end = Some(end.into());
        self
    }

    /// `auto` or `inherit`.
    pub fn period_override(mut self, period: impl Into<String>) -> Self {
        self.state.period_override = Some(period.into());
        self
    }

    /// What whoever looks can choose.
    pub fn variable(mut self, variable: DashboardVariable) -> Self {
        self.state.variables.push(variable);
        self
    }

    pub fn build(self) -> Dashboard {
        let construct = self.site.make("cloudwatch.Dashboard");
        let valid = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        if self
            .name
            .as_ref()
            .and_then(Expr::as_text)
            .is_some_and(|name| !valid(name))
        {
            construct.report("the name of a dashboard holds letters, digits, `-` and `_` only");
        }
        let mut properties = cfn::cloudwatch::Dashboard::new().dashboard_body("");
        if let Some(name) = self.name {
            properties = properties.dashboard_name(name.cast::<String>());
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        if self.state.end.is_some() && self.state.start.is_none() {
            construct.report("a dashboard that ends at a time begins at one, too");
        }
        let dashboard = Dashboard {
            construct,
            resource,
            state: Rc::new(RefCell::new(self.state)),
        };
        dashboard.render();
        dashboard
    }
}

impl Dashboard {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> DashboardBuilder {
        DashboardBuilder {
            site: Site::new(scope, id),
            name: None,
            state: State::default(),
        }
    }

    /// Puts widgets side by side, below what is there; those that do not fit go into the next line.
    pub fn add_widgets(&self, widgets: impl IntoIterator<Item = Widget>) {
        let row: Vec<Widget> = widgets.into_iter().collect();
        for problem in row.iter().filter_map(Widget::problem) {
            self.construct.report(problem);
        }
        if !row.is_empty() {
            self.state.borrow_mut().rows.push(Widget::row(row));
            self.render();
        }
    }

    pub fn add_variable(&self, variable: DashboardVariable) {
        self.state.borrow_mut().variables.push(variable);
        self.render();
    }

    pub fn resource(&self) -> &CfnResource<cfn::cloudwatch::Dashboard> {
        &self.resource
    }

    fn render(&self) {
        let stack = Stack::of(self);
        let state = self.state.borrow();
        let mut widgets = Vec::new();
        let mut top = 0;
        for row in &state.rows {
            row.render(0, top, &stack, &mut widgets);
            top += row.height;
        }
        let mut body = Map::new();
        let head = [
            ("start", &state.start),
            ("end", &state.end),
            ("periodOverride", &state.period_override),
        ];
        for (key, value) in head {
            body.extend(value.clone().map(|value| (key, Expr::text(value))));
        }
        body.insert("widgets", Expr::List(widgets));
        if !state.variables.is_empty() {
            let variables = state.variables.iter().map(DashboardVariable::render);
            body.insert("variables", Expr::List(variables.collect()));
        }
        self.resource.set("DashboardBody", Some(json_text(&body.into())));
    }
}

/// `PT3H`, as intervals are written.
fn iso_8601(interval: Duration) -> String {
    let mut seconds = interval.as_secs();
    let mut take = |unit: u64| {
        let count = seconds / unit;
        seconds %= unit;
        count
    };
    let (days, hours, minutes) = (take(86_400), take(3_600), take(60));
    let part = |count: u64, letter: char| {
        if count > 0 {
            format!("{count}{letter}")
        } else {
            String::new()
        }
    };
    let time = part(hours, 'H') + &part(minutes, 'M') + &part(seconds, 'S');
    match (days, time.is_empty()) {
        (0, true) => "PT0S".into(),
        (days, true) => format!("P{days}D"),
        (days, false) => format!("P{}T{time}", part(days, 'D')),
    }
}
