//! JSON of expressions. An element that nobody resolved is an error, never a guess.

use serde::ser::{Error, Serialize, SerializeMap, Serializer};

use crate::element::Target;
use crate::expr::{Expr, Map};
use crate::intrinsic::Intrinsic;

impl Expr {
    /// The expression as JSON.
    ///
    /// # Errors
    /// When it still holds a reference to an element.
    pub fn to_json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

/// One entry, which is what every intrinsic is.
fn single<S: Serializer, V: Serialize + ?Sized>(serializer: S, key: &str, value: &V) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Logical(name) => serializer.serialize_str(name),
            Self::Pseudo(name) => serializer.serialize_str(name),
            Self::Element(element) => Err(S::Error::custom(format_args!(
                "element {} has no name yet: resolve references before rendering",
                element.index()
            ))),
        }
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl Serialize for Expr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serialize_float(*value, serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(map) => map.serialize(serializer),
            Self::Ref(target) => single(serializer, "Ref", target),
            Self::LogicalId(element) => Target::Element(*element).serialize(serializer),
            Self::Intrinsic(intrinsic) => intrinsic.serialize(serializer),
        }
    }
}

/// Whole numbers render without a fraction, as JSON of JavaScript does: templates compare equal to aws-cdk-lib's.
fn serialize_float<S: Serializer>(value: f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a whole number below 2^53 converts exactly"
        )]
        return serializer.serialize_i64(value as i64);
    }
    if !value.is_finite() {
        return Err(S::Error::custom(format_args!(
            "{value} is not a number that JSON can hold"
        )));
    }
    serializer.serialize_f64(value)
}

impl Serialize for Intrinsic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::GetAtt { target, attribute } => single(serializer, "Fn::GetAtt", &(target, attribute)),
            Self::Sub { template, variables } if variables.is_empty() => single(serializer, "Fn::Sub", template),
            Self::Sub { template, variables } => single(serializer, "Fn::Sub", &(template, variables)),
            Self::Join { delimiter, values } => single(serializer, "Fn::Join", &(delimiter, values)),
            Self::If {
                condition,
                then,
                otherwise,
            } => single(serializer, "Fn::If", &(condition, then, otherwise)),
            Self::Select { index, values } => single(serializer, "Fn::Select", &(index, values)),
            Self::Split { delimiter, source } => single(serializer, "Fn::Split", &(delimiter, source)),
            Self::FindInMap {
                map,
                top_key,
                second_key,
                default: None,
            } => single(serializer, "Fn::FindInMap", &(map, top_key, second_key)),
            Self::FindInMap {
                map,
                top_key,
                second_key,
                default: Some(default),
            } => {
                let default = Expr::map([("DefaultValue", default.clone())]);
                single(serializer, "Fn::FindInMap", &(map, top_key, second_key, default))
            }
            Self::ImportValue(name) => single(serializer, "Fn::ImportValue", name),
            Self::Cidr {
                block,
                count,
                bits: None,
            } => single(serializer, "Fn::Cidr", &(block, count)),
            Self::Cidr {
                block,
                count,
                bits: Some(bits),
            } => single(serializer, "Fn::Cidr", &(block, count, bits)),
            Self::GetAzs(region) => single(serializer, "Fn::GetAZs", region),
            Self::Base64(text) => single(serializer, "Fn::Base64", text),
            Self::Transform { name, parameters } => {
                let body = Expr::map([
                    ("Name", Expr::Text(name.clone())),
                    ("Parameters", parameters.clone().into()),
                ]);
                single(serializer, "Fn::Transform", &body)
            }
            Self::And(conditions) => single(serializer, "Fn::And", conditions),
            Self::Or(conditions) => single(serializer, "Fn::Or", conditions),
            Self::Not(condition) => single(serializer, "Fn::Not", &[condition]),
            Self::Equals(left, right) => single(serializer, "Fn::Equals", &(left, right)),
            Self::Condition(condition) => single(serializer, "Condition", condition),
            Self::ToJsonString(value) => single(serializer, "Fn::ToJsonString", value),
            Self::Length(list) => single(serializer, "Fn::Length", list),
        }
    }
}
