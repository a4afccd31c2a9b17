//! What whoever looks at a dashboard can choose: a region, a function, a part of a name.

use cfn::{Expr, Map};

/// What can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct VariableValues(Map);

impl VariableValues {
    /// Each with the label that is shown.
    pub fn labelled(values: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        let value =
            |label: String, value: String| Expr::map([("label", Expr::text(label)), ("value", Expr::text(value))]);
        let values = values.into_iter().map(|(label, text)| value(label.into(), text.into()));
        Self::list(values.collect())
    }

    /// Shown as they are.
    pub fn plain(values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let value = |text: String| Expr::map([("value", Expr::text(text))]);
        Self::list(values.into_iter().map(|text| value(text.into())).collect())
    }

    fn list(values: Vec<Expr>) -> Self {
        Self([("values", Expr::List(values))].into_iter().collect())
    }

    /// The values of a dimension among the metrics that a search finds: `{AWS/Lambda,FunctionName} MetricName="Errors"`.
    pub fn search(expression: impl Into<String>, populate_from: impl Into<String>) -> Self {
        let entries = [
            ("search", Expr::text(expression.into())),
            ("populateFrom", Expr::text(populate_from.into())),
        ];
        Self(entries.into_iter().collect())
    }

    /// As [`VariableValues::search`], for the last of these dimensions of a metric.
    pub fn of_metric<'a>(
        namespace: &str,
        metric: &str,
        dimensions: impl IntoIterator<Item = &'a str>,
        populate_from: &str,
    ) -> Self {
        let dimensions: Vec<_> = dimensions.into_iter().collect();
        let schema = [&[namespace], dimensions.as_slice()].concat().join(",");
        Self::search(format!("{{{schema}}} MetricName=\"{metric}\""), populate_from)
    }
}

/// How it is chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum VariableInput {
    /// Typed in.
    Text,
    Radio(VariableValues),
    Select(VariableValues),
}

/// A variable of a dashboard.
#[derive(Clone, Debug, PartialEq)]
pub struct DashboardVariable {
    kind: &'static str,
    value: String,
    input: VariableInput,
    id: String,
    label: Option<String>,
    default: Option<String>,
    visible: Option<bool>,
}

impl DashboardVariable {
    /// Changes a property of all widgets: `region`, or a dimension such as `FunctionName`.
    pub fn property(id: impl Into<String>, property: impl Into<String>, input: VariableInput) -> Self {
        Self::new("property", id.into(), property.into(), input)
    }

    /// Changes a text wherever it stands in the widgets.
    pub fn pattern(id: impl Into<String>, pattern: impl Into<String>, input: VariableInput) -> Self {
        Self::new("pattern", id.into(), pattern.into(), input)
    }

    fn new(kind: &'static str, id: String, value: String, input: VariableInput) -> Self {
        Self {
            kind,
            value,
            input,
            id,
            label: None,
            default: None,
            visible: None,
        }
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    #[must_use]
    pub fn default_value(mut self, value: impl Into<String>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// The first that a search finds.
    #[must_use]
    pub fn default_first(self) -> Self {
        self.default_value("__FIRST")
    }

    #[must_use]
    pub fn visible(mut self, on: bool) -> Self {
        self.visible = Some(on);
        self
    }

    pub(super) fn render(&self) -> Expr {
        let (input, values) = match &self.input {
            VariableInput::Text => ("input", None),
            VariableInput::Radio(values) => ("radio", Some(values)),
            VariableInput::Select(values) => ("select", Some(values)),
        };
        let mut map = Map::new();
        map.insert(self.kind, self.value.clone());
        map.insert("type", self.kind);
        map.insert("inputType", input);
        map.insert("id", self.id.clone());
        map.extend(
            self.default
                .clone()
                .map(|default| ("defaultValue", Expr::text(default))),
        );
        map.extend(self.visible.map(|on| ("visible", Expr::Bool(on))));
        map.extend(self.label.clone().map(|label| ("label", Expr::text(label))));
        for (key, value) in values.iter().flat_map(|VariableValues(values)| values.iter()) {
            map.insert(key.to_owned(), value.clone());
        }
        map.into()
    }
}
