//! Items of tables.

use cfn::{Expr, Map};

use super::{Call, Pattern, TaskTarget};
use crate::dynamodb::TableReference;
use crate::iam::PolicyStatement;
use crate::stack::{Arn, Stack};
use crate::stepfunctions::condition::number;
use crate::stepfunctions::input::Field;
use crate::tree::Construct;

/// A value of an attribute, as DynamoDB writes it: `{"S": "text"}`.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeValue(Map);

impl AttributeValue {
    fn new(kind: &'static str, value: impl Into<Expr>) -> Self {
        let mut map = Map::new();
        map.insert(kind, value);
        Self(map)
    }

    fn of_field(kind: &'static str, field: &Field) -> Self {
        let mut map = Map::new();
        field.insert(&mut map, kind);
        Self(map)
    }

    /// A text that is given, or found: `Field::path("$.id")`.
    pub fn string(value: impl Into<Field>) -> Self {
        Self::of_field("S", &value.into())
    }

    pub fn number(value: f64) -> Self {
        Self::new("N", number_text(value))
    }

    /// A number written as a text, or found as one in the input.
    pub fn number_from_string(value: impl Into<Field>) -> Self {
        Self::of_field("N", &value.into())
    }

    /// Base64, given or found.
    pub fn binary(value: impl Into<Field>) -> Self {
        Self::of_field("B", &value.into())
    }

    pub fn boolean(value: bool) -> Self {
        Self::new("BOOL", value)
    }

    pub fn null() -> Self {
        Self::new("NULL", true)
    }

    pub fn string_set(values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new("SS", Expr::list(values.into_iter().map(Into::<String>::into)))
    }

    pub fn number_set(values: impl IntoIterator<Item = f64>) -> Self {
        Self::new("NS", Expr::list(values.into_iter().map(number_text)))
    }

    pub fn binary_set(values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::new("BS", Expr::list(values.into_iter().map(Into::<String>::into)))
    }

    pub fn list(values: impl IntoIterator<Item = Self>) -> Self {
        Self::new("L", Expr::list(values.into_iter().map(|value| value.0)))
    }

    pub fn map(entries: impl IntoIterator<Item = (impl Into<String>, Self)>) -> Self {
        Self::new("M", render(&attributes(entries)))
    }

    /// A map as DynamoDB writes it, in the input.
    pub fn map_from_path(path: impl Into<String>) -> Self {
        Self::of_field("M", &Field::path(path))
    }
}

fn number_text(value: f64) -> String {
    match number(value) {
        Expr::Integer(whole) => whole.to_string(),
        _ => value.to_string(),
    }
}

type Attributes = Vec<(String, AttributeValue)>;

fn attributes(entries: impl IntoIterator<Item = (impl Into<String>, AttributeValue)>) -> Attributes {
    entries.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

fn render(attributes: &[(String, AttributeValue)]) -> Map {
    attributes
        .iter()
        .map(|(name, value)| (name.clone(), value.0.clone()))
        .collect()
}

/// What a call says beside the item or its key.
#[derive(Clone, Default)]
struct Options {
    condition: Option<Field>,
    names: Map,
    values: Attributes,
    update: Option<Field>,
    returned: Map,
}

impl Options {
    fn insert(&self, parameters: &mut Map) {
        if let Some(condition) = &self.condition {
            condition.insert(parameters, "ConditionExpression");
        }
        if !self.names.is_empty() {
            parameters.insert("ExpressionAttributeNames", self.names.clone());
        }
        if !self.values.is_empty() {
            parameters.insert("ExpressionAttributeValues", render(&self.values));
        }
        for key in ["ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "ReturnValues"] {
            if let Some(value) = self.returned.get(key) {
                parameters.insert(key, value.clone());
            }
        }
        if let Some(update) = &self.update {
            update.insert(parameters, "UpdateExpression");
        }
    }
}

fn call(task: &Construct, table: &TableReference, method: &str, parameters: Map) -> Call {
    let arn = Arn::new("dynamodb", "table").name(table.table_name());
    let arn = Stack::of(task).format_arn(arn).cast::<String>();
    let statement = PolicyStatement::allow([format!("dynamodb:{method}Item")]).on(arn);
    let api = format!("{}Item", method.to_lowercase());
    Call::new(Pattern::Response.resource("dynamodb", &api), parameters, [statement])
}

macro_rules! names {
    () => {
        /// What a name in an expression stands for: `("#n", "name")`.
        #[must_use]
        pub fn expression_attribute_name(mut self, name: impl Into<String>, attribute: impl Into<String>) -> Self {
            self.options.names.insert(name.into(), attribute.into());
            self
        }

        /// `INDEXES`, `TOTAL` or `NONE`.
        #[must_use]
        pub fn return_consumed_capacity(mut self, level: impl Into<String>) -> Self {
            self.options
                .returned
                .insert("ReturnConsumedCapacity", level.into());
            self
        }
    };
}

/// Reads an item by its key.
#[derive(Clone)]
pub struct DynamoGet {
    table: TableReference,
    key: Attributes,
    consistent: bool,
    projection: Vec<String>,
    options: Options,
}

impl DynamoGet {
    pub fn new(table: &TableReference, key: impl IntoIterator<Item = (impl Into<String>, AttributeValue)>) -> Self {
        Self {
            table: table.clone(),
            key: attributes(key),
            consistent: false,
            projection: Vec::new(),
            options: Options::default(),
        }
    }

    names!();

    /// Sees all writes that were done before.
    #[must_use]
    pub fn consistent_read(mut self) -> Self {
        self.consistent = true;
        self
    }

    /// Only this part of the item: `a[1].b`.
    #[must_use]
    pub fn project(mut self, path: impl Into<String>) -> Self {
        self.projection.push(path.into());
        self
    }
}

impl TaskTarget for DynamoGet {
    fn call(&self, task: &Construct) -> Call {
        let mut parameters = Map::new();
        parameters.insert("Key", render(&self.key));
        parameters.insert("TableName", self.table.table_name());
        parameters.insert("ConsistentRead", self.consistent);
        if !self.options.names.is_empty() {
            parameters.insert("ExpressionAttributeNames", self.options.names.clone());
        }
        if !self.projection.is_empty() {
            parameters.insert("ProjectionExpression", self.projection.join(","));
        }
        if let Some(level) = self.options.returned.get("ReturnConsumedCapacity") {
            parameters.insert("ReturnConsumedCapacity", level.clone());
        }
        call(task, &self.table, "Get", parameters)
    }
}

macro_rules! writes {
    ($($(#[$doc:meta])* $name:ident($method:literal, $subject:literal);)*) => { $(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            table: TableReference,
            subject: Attributes,
            options: Options,
        }

        impl $name {
            pub fn new(
                table: &TableReference,
                subject: impl IntoIterator<Item = (impl Into<String>, AttributeValue)>,
            ) -> Self {
                Self {
                    table: table.clone(),
                    subject: attributes(subject),
                    options: Options::default(),
                }
            }

            names!();

            /// Nothing is done unless this holds: `attribute_not_exists(id)`.
            #[must_use]
            pub fn condition_expression(mut self, expression: impl Into<Field>) -> Self {
                self.options.condition = Some(expression.into());
                self
            }

            /// What a value in an expression stands for: `(":n", AttributeValue::number(1.0))`.
            #[must_use]
            pub fn expression_attribute_value(mut self, name: impl Into<String>, value: AttributeValue) -> Self {
                self.options.values.push((name.into(), value));
                self
            }

            /// `SIZE` or `NONE`.
            #[must_use]
            pub fn return_item_collection_metrics(mut self, level: impl Into<String>) -> Self {
                self.options.returned.insert("ReturnItemCollectionMetrics", level.into());
                self
            }

            /// `NONE`, `ALL_OLD`, `UPDATED_OLD`, `ALL_NEW` or `UPDATED_NEW`.
            #[must_use]
            pub fn return_values(mut self, which: impl Into<String>) -> Self {
                self.options.returned.insert("ReturnValues", which.into());
                self
            }
        }

        impl TaskTarget for $name {
            fn call(&self, task: &Construct) -> Call {
                let mut parameters = Map::new();
                parameters.insert($subject, render(&self.subject));
                parameters.insert("TableName", self.table.table_name());
                self.options.insert(&mut parameters);
                call(task, &self.table, $method, parameters)
            }
        }
    )* };
}

writes! {
    /// Writes an item, given with all its attributes.
    DynamoPut("Put", "Item");
    /// Changes an item, given by its key, or makes it.
    DynamoUpdate("Update", "Key");
    /// Deletes an item, given by its key.
    DynamoDelete("Delete", "Key");
}

impl DynamoUpdate {
    /// What to change: `SET #n = :n`.
    #[must_use]
    pub fn update_expression(mut self, expression: impl Into<Field>) -> Self {
        self.options.update = Some(expression.into());
        self
    }
}
