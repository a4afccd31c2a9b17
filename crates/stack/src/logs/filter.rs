//! Metrics made of log events, and deliveries of them to a function.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>

use std::fmt::Display;

use cfn::{IntoValue, Value, id};

use super::LogGroup;
use crate::cloudwatch::Metric;
use crate::element::CfnResource;
use crate::iam::Principal;
use crate::lambda::{Invocable, Permission};
use crate::site::Site;
use crate::tree::{Construct, Scope};

const MOST_DIMENSIONS: usize = 3;

/// Which log events are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterPattern(String);

impl FilterPattern {
    /// A pattern in the syntax of CloudWatch: `[ip, user, status=4*]`, `{ $.latency > 500 }`.
    pub fn literal(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    pub fn all_events() -> Self {
        Self(String::new())
    }

    /// Every one of these words occurs.
    pub fn all_terms(terms: impl IntoIterator<Item = impl Display>) -> Self {
        Self::terms("", terms)
    }

    /// One of these words occurs.
    pub fn any_term(terms: impl IntoIterator<Item = impl Display>) -> Self {
        Self::terms("?", terms)
    }

    fn terms(prefix: &str, terms: impl IntoIterator<Item = impl Display>) -> Self {
        let terms: Vec<String> = terms.into_iter().map(|term| format!("\"{term}\"")).collect();
        match terms.as_slice() {
            [only] => Self(only.clone()),
            several => {
                let marked: Vec<String> = several.iter().map(|term| format!("{prefix}{term}")).collect();
                Self(marked.join(" "))
            }
        }
    }

    /// The event is JSON and has the field: `$.latency`.
    pub fn exists(field: &str) -> Self {
        Self(format!("{{ {field} = \"*\" }}"))
    }

    pub fn not_exists(field: &str) -> Self {
        Self(format!("{{ {field} NOT EXISTS }}"))
    }

    pub fn is_null(field: &str) -> Self {
        Self(format!("{{ {field} IS NULL }}"))
    }

    pub fn is_true(field: &str) -> Self {
        Self(format!("{{ {field} IS TRUE }}"))
    }

    pub fn is_false(field: &str) -> Self {
        Self(format!("{{ {field} IS FALSE }}"))
    }

    /// A text in the field of a JSON event: `=` or `!=`, with `*` for any characters.
    pub fn text(field: &str, comparison: &str, value: &str) -> Self {
        Self(format!("{{ {field} {comparison} \"{value}\" }}"))
    }

    /// A number in the field of a JSON event: `=`, `!=`, `<`, `<=`, `>`, `>=`.
    pub fn number(field: &str, comparison: &str, value: impl Display) -> Self {
        Self(format!("{{ {field} {comparison} {value} }}"))
    }

    /// All of these patterns of JSON events match.
    pub fn all(patterns: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(" && ", patterns)
    }

    /// One of these patterns of JSON events matches.
    pub fn any(patterns: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(" || ", patterns)
    }

    fn joined(operator: &str, patterns: impl IntoIterator<Item = Self>) -> Self {
        let patterns: Vec<Self> = patterns.into_iter().collect();
        if let [only] = patterns.as_slice() {
            return only.clone();
        }
        let inner = |pattern: &Self| {
            let text = pattern.0.strip_prefix("{ ").unwrap_or(&pattern.0);
            format!("({})", text.strip_suffix(" }").unwrap_or(text))
        };
        let parts: Vec<String> = patterns.iter().map(inner).collect();
        Self(format!("{{ {} }}", parts.join(operator)))
    }
}

/// A metric that counts events, or takes its values from them.
#[derive(Clone)]
pub struct MetricFilter {
    construct: Construct,
    resource: CfnResource<cfn::logs::MetricFilter>,
    namespace: String,
    metric_name: String,
}

impl Scope for MetricFilter {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct MetricFilterBuilder {
    site: Site,
    group: LogGroup,
    pattern: FilterPattern,
    namespace: String,
    metric_name: String,
    filter_name: Option<String>,
    value: String,
    default_value: Option<f64>,
    dimensions: Vec<(String, String)>,
    unit: Option<String>,
}

impl MetricFilterBuilder {
    pub fn filter_name(mut self, name: impl Into<String>) -> Self {
        self.filter_name = Some(name.into());
        self
    }

    /// A number, or a field of the event: `$.latency`. 1 if nothing is said, which counts.
    pub fn metric_value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// Reported for minutes with events of which none matches.
    pub fn default_value(mut self, value: f64) -> Self {
        self.default_value = Some(value);
        self
    }

    /// A field of the event as a dimension, three at most: `("Route", "$.route")`. Each value is a metric that costs.
    pub fn dimension(mut self, name: impl Into<String>, field: impl Into<String>) -> Self {
        self.dimensions.push((name.into(), field.into()));
        self
    }

    /// A unit of CloudWatch: `Milliseconds`, `Count`.
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = Some(unit.into());
        self
    }

    pub fn build(self) -> MetricFilter {
        use cfn::logs::metric_filter::{Dimension, MetricTransformation};

        let construct = self.site.make("logs.MetricFilter");
        if self.dimensions.len() > MOST_DIMENSIONS {
            construct.report(format!("a metric filter has {MOST_DIMENSIONS} dimensions at most"));
        }
        if !self.dimensions.is_empty() && self.default_value.is_some() {
            construct.report("a metric filter with dimensions takes no default value");
        }
        let mut transformation = MetricTransformation::new()
            .metric_namespace(self.namespace.clone())
            .metric_name(self.metric_name.clone())
            .metric_value(self.value);
        if let Some(value) = self.default_value {
            transformation = transformation.default_value(value);
        }
        if !self.dimensions.is_empty() {
            let dimensions = self
                .dimensions
                .into_iter()
                .map(|(key, value)| Dimension::new().key(key).value(value));
            transformation = transformation.dimensions(dimensions.collect::<Vec<_>>());
        }
        if let Some(unit) = self.unit {
            transformation = transformation.unit(unit);
        }
        let mut properties = cfn::logs::MetricFilter::new()
            .log_group_name(self.group.log_group_name())
            .filter_pattern(self.pattern.0)
            .metric_transformations([transformation]);
        if let Some(name) = self.filter_name {
            properties = properties.filter_name(name);
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        MetricFilter {
            construct,
            resource,
            namespace: self.namespace,
            metric_name: self.metric_name,
        }
    }
}

impl MetricFilter {
    /// Counts the events that match as `namespace`/`metric_name`.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        group: &LogGroup,
        pattern: FilterPattern,
        namespace: impl Into<String>,
        metric_name: impl Into<String>,
    ) -> MetricFilterBuilder {
        MetricFilterBuilder {
            site: Site::new(scope, id),
            group: group.clone(),
            pattern,
            namespace: namespace.into(),
            metric_name: metric_name.into(),
            filter_name: None,
            value: "1".into(),
            default_value: None,
            dimensions: Vec::new(),
            unit: None,
        }
    }

    /// The metric, as an average.
    pub fn metric(&self) -> Metric {
        Metric::new(self.namespace.clone(), self.metric_name.clone()).attached_to(&self.construct)
    }

    pub fn resource(&self) -> &CfnResource<cfn::logs::MetricFilter> {
        &self.resource
    }
}

/// Hands events on as they come, to a function or whatever takes them by ARN and role.
#[derive(Clone)]
pub struct SubscriptionFilter {
    construct: Construct,
    resource: CfnResource<cfn::logs::SubscriptionFilter>,
}

impl Scope for SubscriptionFilter {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct SubscriptionFilterBuilder {
    site: Site,
    group: LogGroup,
    pattern: FilterPattern,
    filter_name: Option<Value<String>>,
}

impl SubscriptionFilterBuilder {
    pub fn filter_name(mut self, name: impl IntoValue<String>) -> Self {
        self.filter_name = Some(name.into_value());
        self
    }

    /// To a function, which is allowed to be called by the log group.
    pub fn to_function(self, function: &impl Invocable) -> SubscriptionFilter {
        let arn = function.invocable_arn();
        let source = self.group.log_group_arn();
        let filter = self.make(arn, None);
        let logs = Permission::new(Principal::service("logs.amazonaws.com")).source_arn(source);
        let permission = function.add_permission_in(&filter.construct, "CanInvokeLambda", &logs);
        filter.resource.depend_on(&permission);
        filter
    }

    /// To a stream of Kinesis or Firehose; CloudWatch Logs takes on the role to write there.
    pub fn to_stream(self, arn: impl IntoValue<String>, role: impl IntoValue<id::iam::RoleArn>) -> SubscriptionFilter {
        self.make(arn.into_value(), Some(role.into_value()))
    }

    fn make(self, destination: Value<String>, role: Option<Value<id::iam::RoleArn>>) -> SubscriptionFilter {
        let construct = self.site.make("logs.SubscriptionFilter");
        let mut properties = cfn::logs::SubscriptionFilter::new()
            .log_group_name(self.group.log_group_name())
            .filter_pattern(self.pattern.0)
            .destination_arn(destination);
        if let Some(name) = self.filter_name {
            properties = properties.filter_name(name);
        }
        if let Some(role) = role {
            properties = properties.role_arn(role);
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        SubscriptionFilter { construct, resource }
    }
}

impl SubscriptionFilter {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with where the events go"
    )]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        group: &LogGroup,
        pattern: FilterPattern,
    ) -> SubscriptionFilterBuilder {
        SubscriptionFilterBuilder {
            site: Site::new(scope, id),
            group: group.clone(),
            pattern,
            filter_name: None,
        }
    }

    pub fn resource(&self) -> &CfnResource<cfn::logs::SubscriptionFilter> {
        &self.resource
    }
}
