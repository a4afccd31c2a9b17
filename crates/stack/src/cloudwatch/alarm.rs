//! Alarms.

use std::time::Duration;

use cfn::cloudwatch::alarm;
use cfn::{Expr, IntoValue, Map, Value, id};

use super::metric::{MathExpression, Metric, Place, Series, SeriesSet};
use super::statistic::Statistic;
use crate::element::CfnResource;
use crate::iam::Principal;
use crate::lambda::{Invocable, Permission};
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};

/// When a value is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    AtLeast,
    Above,
    Below,
    AtMost,
}

impl Comparison {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AtLeast => "GreaterThanOrEqualToThreshold",
            Self::Above => "GreaterThanThreshold",
            Self::Below => "LessThanThreshold",
            Self::AtMost => "LessThanOrEqualToThreshold",
        }
    }

    const fn symbol(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::Above => ">",
            Self::Below => "<",
            Self::AtMost => "<=",
        }
    }
}

/// What a period without data counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreatMissingData {
    Breaching,
    NotBreaching,
    /// The state stays as it is.
    Ignore,
    Missing,
}

impl TreatMissingData {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Breaching => "breaching",
            Self::NotBreaching => "notBreaching",
            Self::Ignore => "ignore",
            Self::Missing => "missing",
        }
    }
}

#[derive(Clone)]
pub struct Alarm {
    construct: Construct,
    resource: CfnResource<cfn::cloudwatch::Alarm>,
    annotation: Map,
}

impl Scope for Alarm {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

/// When an alarm goes off.
#[derive(Clone, Copy)]
enum Trigger {
    Threshold(Comparison, f64),
    /// Where the value leaves what CloudWatch expects by more than so many standard deviations.
    Band(&'static str, f64),
}

#[must_use = "nothing is made until `build`"]
pub struct AlarmBuilder {
    site: Site,
    series: Series,
    properties: cfn::cloudwatch::Alarm,
    trigger: Option<Trigger>,
    periods: u32,
    datapoints: Option<u32>,
}

impl AlarmBuilder {
    fn compare(mut self, comparison: Comparison, threshold: f64) -> Self {
        self.trigger = Some(Trigger::Threshold(comparison, threshold));
        self
    }

    /// Bad is what reaches the threshold.
    pub fn at_least(self, threshold: f64) -> Self {
        self.compare(Comparison::AtLeast, threshold)
    }

    pub fn above(self, threshold: f64) -> Self {
        self.compare(Comparison::Above, threshold)
    }

    pub fn below(self, threshold: f64) -> Self {
        self.compare(Comparison::Below, threshold)
    }

    pub fn at_most(self, threshold: f64) -> Self {
        self.compare(Comparison::AtMost, threshold)
    }

    /// Bad is what lies so many standard deviations from what CloudWatch expects of a single metric: mostly 2.
    pub fn outside_band(mut self, standard_deviations: f64) -> Self {
        let operator = "LessThanLowerOrGreaterThanUpperThreshold";
        self.trigger = Some(Trigger::Band(operator, standard_deviations));
        self
    }

    /// As [`AlarmBuilder::outside_band`], of what is greater than expected only.
    pub fn above_band(mut self, standard_deviations: f64) -> Self {
        self.trigger = Some(Trigger::Band("GreaterThanUpperThreshold", standard_deviations));
        self
    }

    /// As [`AlarmBuilder::outside_band`], of what is less than expected only.
    pub fn below_band(mut self, standard_deviations: f64) -> Self {
        self.trigger = Some(Trigger::Band("LessThanLowerThreshold", standard_deviations));
        self
    }

    /// How many periods are looked at; one if nothing is said.
    pub fn for_periods(mut self, count: u32) -> Self {
        self.periods = count;
        self
    }

    /// How many of the periods must be bad; all if nothing is said.
    pub fn datapoints_to_alarm(mut self, count: u32) -> Self {
        self.datapoints = Some(count);
        self
    }

    pub fn treat_missing_data(mut self, treat: TreatMissingData) -> Self {
        self.properties = self.properties.treat_missing_data(treat.as_str());
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.alarm_description(description);
        self
    }

    pub fn alarm_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.alarm_name(name);
        self
    }

    pub fn actions_enabled(mut self, on: bool) -> Self {
        self.properties = self.properties.actions_enabled(on);
        self
    }

    /// What few data mean for a percentile: `ignore` leaves the state as it is, `evaluate` looks at them all the same.
    pub fn evaluate_low_sample_count_percentile(mut self, mode: impl IntoValue<String>) -> Self {
        self.properties = self.properties.evaluate_low_sample_count_percentile(mode);
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::cloudwatch::Alarm) -> cfn::cloudwatch::Alarm) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> Alarm {
        let construct = self.site.make("cloudwatch.Alarm");
        if let Some(problem) = self.series.problem() {
            construct.report(problem);
        }
        let Some(trigger) = self.trigger else {
            construct.report("nothing says when the alarm goes off; name a threshold with `above` or `at_least`");
            return Alarm::empty(construct);
        };
        let mut properties = self.properties.evaluation_periods(self.periods);
        if let Some(count) = self.datapoints {
            properties = properties.datapoints_to_alarm(count);
        }
        let (properties, annotation) = match trigger {
            Trigger::Threshold(comparison, threshold) => {
                let seconds = i64::from(self.periods) * self.series.period_seconds();
                let label = format!(
                    "{} {} {} for {} datapoints within {}",
                    self.series.display_name(),
                    comparison.symbol(),
                    threshold,
                    self.datapoints.unwrap_or(self.periods),
                    describe(seconds)
                );
                let properties = properties.comparison_operator(comparison.as_str()).threshold(threshold);
                let annotation = [("label", Expr::text(label)), ("value", threshold.into())];
                (
                    watch(properties, &self.series, 1, &construct),
                    annotation.into_iter().collect(),
                )
            }
            Trigger::Band(operator, deviations) => {
                if deviations <= 0.0 || matches!(self.series, Series::Math(_)) {
                    construct.report("a band lies around a single metric, a number of deviations above zero wide");
                }
                let band = around(self.series, deviations);
                let properties = properties.comparison_operator(operator).threshold_metric_id(FIRST_ID);
                let annotation = [
                    ("value", Expr::from(0)),
                    ("label", BAND_LABEL.into()),
                    ("visible", false.into()),
                ];
                (
                    watch(properties, &band, 2, &construct),
                    annotation.into_iter().collect(),
                )
            }
        };
        let resource = CfnResource::new(&construct, "Resource", properties);
        Alarm {
            construct,
            resource,
            annotation,
        }
    }
}

const BAND_LABEL: &str = "Anomaly Detection Band";
/// Of the first expression that has no name.
const FIRST_ID: &str = "expr_1";
/// CloudWatch takes no more metrics in an alarm over an expression.
const MOST_METRICS: usize = 10;

/// What CloudWatch expects of a series.
fn around(series: Series, deviations: f64) -> Series {
    let period = u64::try_from(series.period_seconds()).unwrap_or_default();
    MathExpression::new(format!("ANOMALY_DETECTION_BAND(m0, {deviations})"))
        .period(Duration::from_secs(period))
        .label(BAND_LABEL)
        .using("m0", series)
        .into()
}

fn describe(seconds: i64) -> String {
    match seconds {
        60 => "1 minute".into(),
        1 => "1 second".into(),
        seconds if seconds > 60 && seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
    }
}

/// A single metric has properties of its own; with a label, and for expressions, there is a list of queries.
/// `returned` is the level down to which data come back: 1, or 2 where a band and its metric are compared.
fn watch(
    properties: cfn::cloudwatch::Alarm,
    series: &Series,
    returned: u32,
    construct: &Construct,
) -> cfn::cloudwatch::Alarm {
    check_place(series, construct);
    match series {
        Series::Metric(metric) if metric.look.label.is_none() && other_account(metric, construct).is_none() => {
            let mut properties = properties
                .namespace(metric.namespace.as_str())
                .metric_name(metric.name.as_str())
                .period(metric.period);
            if !metric.dimensions.is_empty() {
                properties = properties.dimensions(dimensions(metric));
            }
            if let Some(unit) = &metric.unit {
                properties = properties.unit(unit);
            }
            match &metric.statistic {
                Statistic::Simple(name) => properties.statistic(*name),
                Statistic::Extended(name) => properties.extended_statistic(name),
            }
        }
        Series::Metric(metric) => properties.metrics([query(metric, construct).id("m1").return_data(true)]),
        Series::Math(_) => {
            let mut set = SeriesSet::new();
            set.add(&(), std::slice::from_ref(series));
            if let Series::Math(expression) = series
                && expression.using.len() > MOST_METRICS
            {
                construct.report(format!(
                    "an alarm looks at {MOST_METRICS} metrics at most, not {}",
                    expression.using.len()
                ));
            }
            let mut unnamed = 0;
            let mut queries = Vec::new();
            for entry in &set.entries {
                let id = entry.id.clone().unwrap_or_else(|| {
                    unnamed += 1;
                    format!("expr_{unnamed}")
                });
                let returned = entry.level <= returned;
                queries.push(match &entry.series {
                    Series::Metric(metric) => query(metric, construct).id(id).return_data(returned),
                    Series::Math(expression) => {
                        let mut query = alarm::MetricDataQuery::new().expression(expression.expression.as_str());
                        if let Some(label) = &expression.look.label {
                            query = query.label(label);
                        }
                        if expression.using.is_empty() {
                            query = query.period(expression.period);
                        }
                        query.id(id).return_data(returned)
                    }
                });
            }
            properties.metrics(queries)
        }
    }
}

fn dimensions(metric: &Metric) -> Vec<alarm::Dimension<cfn::Set, cfn::Set>> {
    let dimension =
        |(name, value): &(String, Expr)| alarm::Dimension::new().name(name).value(value.clone().cast::<String>());
    metric.dimensions.iter().map(dimension).collect()
}

fn query(metric: &Metric, construct: &Construct) -> alarm::MetricDataQuery {
    let mut named = alarm::Metric::new()
        .namespace(metric.namespace.as_str())
        .metric_name(metric.name.as_str());
    if !metric.dimensions.is_empty() {
        named = named.dimensions(dimensions(metric));
    }
    let mut stat = alarm::MetricStat::new()
        .metric(named)
        .period(metric.period)
        .stat(metric.statistic.as_str());
    if let Some(unit) = &metric.unit {
        stat = stat.unit(unit);
    }
    let mut query = alarm::MetricDataQuery::new().metric_stat(stat);
    if let Some(label) = &metric.look.label {
        query = query.label(label);
    }
    if let Some(account) = other_account(metric, construct) {
        query = query.account_id(account);
    }
    query
}

/// Alarms look at metrics of their own region only.
fn check_place(series: &Series, construct: &Construct) {
    match series {
        Series::Metric(metric) => {
            let (Place::OfStack(region) | Place::Explicit(region)) = &metric.region else {
                return;
            };
            let (_, here) = Stack::of(construct).known_environment();
            if here.is_some_and(|here| here != *region) {
                construct.report(format!(
                    "the metric `{}` is in {region}, where an alarm of this stack cannot see it",
                    metric.name
                ));
            }
        }
        Series::Math(expression) => {
            for (_, series) in &expression.using {
                check_place(series, construct);
            }
        }
    }
}

/// The account of a metric where it is not that of the alarm.
fn other_account(metric: &Metric, construct: &Construct) -> Option<String> {
    let (Place::OfStack(account) | Place::Explicit(account)) = &metric.account else {
        return None;
    };
    let (here, _) = Stack::of(construct).known_environment();
    (here.as_ref() != Some(account)).then(|| account.clone())
}

impl Alarm {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, series: impl Into<Series>) -> AlarmBuilder {
        AlarmBuilder {
            site: Site::new(scope, id),
            series: series.into(),
            properties: cfn::cloudwatch::Alarm::new(),
            trigger: None,
            periods: 1,
            datapoints: None,
        }
    }

    /// For an alarm that is wrong and will not be rendered.
    fn empty(construct: Construct) -> Self {
        let resource = CfnResource::new(&construct, "Resource", cfn::cloudwatch::Alarm::new());
        Self {
            construct,
            resource,
            annotation: Map::new(),
        }
    }

    pub fn alarm_name(&self) -> Value<id::cloudwatch::AlarmName> {
        self.resource.reference()
    }

    pub fn alarm_arn(&self) -> Value<id::cloudwatch::AlarmArn> {
        self.resource.arn()
    }

    pub fn resource(&self) -> &CfnResource<cfn::cloudwatch::Alarm> {
        &self.resource
    }

    alarm_actions!();

    /// Invokes a function when the alarm goes off. A function takes the alarms of one such call only.
    pub fn add_alarm_function(&self, function: &impl Invocable) {
        let permission = Permission::new(Principal::service("lambda.alarms.cloudwatch.amazonaws.com"))
            .source_account(Stack::of(self).account())
            .source_arn(self.alarm_arn());
        function.add_permission("AlarmPermission", &permission);
        self.add_alarm_action(function.invocable_arn());
    }

    /// The line that the threshold is in a graph.
    pub(crate) fn annotation(&self) -> Map {
        self.annotation.clone()
    }
}
