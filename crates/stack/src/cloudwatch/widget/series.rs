//! Series as widgets write them. The order of keys is that of aws-cdk-lib.

use cfn::Expr;

use super::properties::Properties;
use crate::cloudwatch::metric::{DEFAULT_PERIOD, Place, Series, SeriesSet};
use crate::stack::Stack;

/// The list of metrics of a graph: `["AWS/Lambda", "Errors", "FunctionName", …, {options}]`.
pub(super) fn series(left: &[Series], right: &[Series], stack: &Stack) -> Option<Expr> {
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
