//! What Logs Insights finds, and what a function draws.

use cfn::{Expr, IntoValue, Json, Map};

use super::properties::{Properties, region};
use super::{size, title};
use crate::lambda::Invocable;

/// How the answer of a query is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogQueryView {
    Table,
    Line,
    StackedArea,
    Bar,
    Pie,
}

/// The language of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogQueryLanguage {
    LogsInsights,
    Sql,
    Ppl,
}

/// The answer of a query over logs.
#[derive(Clone, Debug)]
pub struct LogQueryWidget {
    title: Option<String>,
    groups: Vec<Expr>,
    query: String,
    view: LogQueryView,
    language: Option<LogQueryLanguage>,
    region: Option<String>,
    account: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
}

impl LogQueryWidget {
    /// A query over groups of logs, by name.
    pub fn new(groups: impl IntoIterator<Item = impl IntoValue<String>>, query: impl Into<String>) -> Self {
        Self {
            title: None,
            groups: groups.into_iter().map(|group| group.into_value().into_expr()).collect(),
            query: query.into(),
            view: LogQueryView::Table,
            language: None,
            region: None,
            account: None,
            width: None,
            height: None,
        }
    }

    /// As [`LogQueryWidget::new`], with the commands of the query one by one.
    pub fn of_lines<'a>(
        groups: impl IntoIterator<Item = impl IntoValue<String>>,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let lines: Vec<_> = lines.into_iter().collect();
        Self::new(groups, lines.join("\n| "))
    }

    size!();
    title!();

    #[must_use]
    pub fn view(mut self, view: LogQueryView) -> Self {
        self.view = view;
        self
    }

    #[must_use]
    pub fn query_language(mut self, language: LogQueryLanguage) -> Self {
        self.language = Some(language);
        self
    }

    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    pub(super) fn problem(&self) -> Option<String> {
        let empty = self.groups.is_empty();
        empty.then(|| "a query is about one group of logs at least".to_owned())
    }

    pub(super) fn render(&self) -> Map {
        let (view, stacked) = match self.view {
            LogQueryView::Table => ("table", None),
            LogQueryView::Line => ("timeSeries", Some(false)),
            LogQueryView::StackedArea => ("timeSeries", Some(true)),
            LogQueryView::Bar => ("bar", None),
            LogQueryView::Pie => ("pie", None),
        };
        let mut query: Vec<Expr> = Vec::new();
        for group in &self.groups {
            query.extend(["SOURCE '".into(), group.clone(), "' | ".into()]);
        }
        query.push(Expr::text(self.query.clone()));
        let language = self.language.map(|language| match language {
            LogQueryLanguage::LogsInsights => "Logs",
            LogQueryLanguage::Sql => "SQL",
            LogQueryLanguage::Ppl => "PPL",
        });
        let mut properties = Properties::default();
        properties.set("view", Some(view));
        properties.set("title", self.title.clone());
        properties.set("region", Some(region(self.region.as_deref())));
        properties.set("accountId", self.account.clone());
        properties.set("query", Some(Expr::concat(query)));
        properties.set("queryLanguage", language);
        properties.set("stacked", stacked);
        properties.0
    }
}

/// What a function draws: HTML, or JSON.
#[derive(Clone, Debug)]
pub struct CustomWidget {
    title: Option<String>,
    function: Expr,
    parameters: Option<Expr>,
    on_refresh: bool,
    on_resize: bool,
    on_time_range: bool,
    width: Option<u32>,
    height: Option<u32>,
}

impl CustomWidget {
    /// A function, a version or an alias.
    pub fn new(function: &impl Invocable) -> Self {
        Self {
            title: None,
            function: function.invocable_arn().into_expr(),
            parameters: None,
            on_refresh: true,
            on_resize: true,
            on_time_range: true,
            width: None,
            height: None,
        }
    }

    size!();
    title!();

    /// What the function gets with each event.
    #[must_use]
    pub fn parameters(mut self, parameters: impl IntoValue<Json>) -> Self {
        self.parameters = Some(parameters.into_value().into_expr());
        self
    }

    /// Whether it is drawn anew when the dashboard is; it is if nothing is said.
    #[must_use]
    pub fn update_on_refresh(mut self, on: bool) -> Self {
        self.on_refresh = on;
        self
    }

    /// … when the widget's size changes.
    #[must_use]
    pub fn update_on_resize(mut self, on: bool) -> Self {
        self.on_resize = on;
        self
    }

    /// … when another time is shown.
    #[must_use]
    pub fn update_on_time_range_change(mut self, on: bool) -> Self {
        self.on_time_range = on;
        self
    }

    pub(super) fn render(&self) -> Map {
        let update = [
            ("refresh", self.on_refresh),
            ("resize", self.on_resize),
            ("timeRange", self.on_time_range),
        ];
        let mut properties = Properties::default();
        properties.set("endpoint", Some(self.function.clone()));
        properties.set("params", self.parameters.clone());
        properties.set("title", self.title.clone());
        properties.set("updateOn", Some(Expr::map(update)));
        properties.0
    }
}
