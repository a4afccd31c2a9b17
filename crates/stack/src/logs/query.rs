//! Saved queries of CloudWatch Logs Insights.

use super::LogGroup;
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};

const MOST_STATS: usize = 2;

/// A query in parts, rendered in the order in which Insights wants them.
#[derive(Clone, Debug, Default)]
pub struct QueryString {
    fields: Vec<String>,
    parse: Vec<String>,
    filter: Vec<String>,
    stats: Vec<String>,
    sort: Option<String>,
    limit: Option<u32>,
    display: Option<String>,
}

impl QueryString {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn fields(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.fields = fields.into_iter().map(Into::into).collect();
        self
    }

    /// `@message "[*] *" as loggingType, loggingMessage`; repeatable.
    #[must_use]
    pub fn parse(mut self, statement: impl Into<String>) -> Self {
        self.parse.push(statement.into());
        self
    }

    /// `loggingType = "ERROR"`; repeatable.
    #[must_use]
    pub fn filter(mut self, statement: impl Into<String>) -> Self {
        self.filter.push(statement.into());
        self
    }

    /// `count(*) by route`; two at most.
    #[must_use]
    pub fn stats(mut self, statement: impl Into<String>) -> Self {
        self.stats.push(statement.into());
        self
    }

    #[must_use]
    pub fn sort(mut self, order: impl Into<String>) -> Self {
        self.sort = Some(order.into());
        self
    }

    #[must_use]
    pub fn limit(mut self, count: u32) -> Self {
        self.limit = Some(count);
        self
    }

    #[must_use]
    pub fn display(mut self, fields: impl Into<String>) -> Self {
        self.display = Some(fields.into());
        self
    }

    fn render(&self) -> String {
        let mut lines = Vec::new();
        if !self.fields.is_empty() {
            lines.push(format!("fields {}", self.fields.join(", ")));
        }
        for (command, statements) in [("parse", &self.parse), ("filter", &self.filter), ("stats", &self.stats)] {
            lines.extend(statements.iter().map(|statement| format!("{command} {statement}")));
        }
        lines.extend(self.sort.as_ref().map(|order| format!("sort {order}")));
        lines.extend(self.limit.map(|count| format!("limit {count}")));
        lines.extend(self.display.as_ref().map(|fields| format!("display {fields}")));
        lines.join("\n| ")
    }
}

/// A query that everybody in the account finds by its name.
#[derive(Clone)]
pub struct QueryDefinition {
    construct: Construct,
    resource: CfnResource<cfn::logs::QueryDefinition>,
}

impl Scope for QueryDefinition {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl QueryDefinition {
    /// Without groups the reader chooses them. A name with slashes makes folders.
    #[track_caller]
    pub fn new<'a>(
        scope: &impl Scope,
        id: impl Into<String>,
        name: impl Into<String>,
        query: &QueryString,
        groups: impl IntoIterator<Item = &'a LogGroup>,
    ) -> Self {
        let construct = Site::new(scope, id).make("logs.QueryDefinition");
        if query.stats.len() > MOST_STATS {
            construct.report(format!("a query has {MOST_STATS} `stats` at most"));
        }
        let mut properties = cfn::logs::QueryDefinition::new()
            .name(name.into())
            .query_string(query.render());
        let groups: Vec<_> = groups.into_iter().map(LogGroup::log_group_name).collect();
        if !groups.is_empty() {
            properties = properties.log_group_names(groups);
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        Self { construct, resource }
    }

    pub fn resource(&self) -> &CfnResource<cfn::logs::QueryDefinition> {
        &self.resource
    }
}
