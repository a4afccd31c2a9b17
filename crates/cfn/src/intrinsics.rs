//! The intrinsic functions, typed. Names follow CloudFormation; `if_else` avoids the keyword.

use crate::element::{Name, Target};
use crate::expr::{Expr, Map};
use crate::intrinsic::Intrinsic;
use crate::value::{Condition, IntoValue, Json, List, MapOf, Value};

fn value<T>(intrinsic: Intrinsic) -> Value<T> {
    Value::from_expr(intrinsic.into())
}

fn exprs<T>(items: impl IntoIterator<Item = impl IntoValue<T>>) -> Vec<Expr> {
    items.into_iter().map(|item| item.into_value().into_expr()).collect()
}

/// `Ref` of something without a generated type, such as a parameter.
pub fn reference<T>(target: impl Into<Target>) -> Value<T> {
    Value::from_expr(Expr::Ref(target.into()))
}

/// `Fn::GetAtt` of something without a generated type, such as a custom resource.
pub fn get_att<T>(target: impl Into<Target>, attribute: impl Into<Name>) -> Value<T> {
    Value::from_expr(Expr::get_att(target, attribute))
}

/// Texts one after another, minimized; [`text!`](crate::text) writes it more easily for parts of several types.
pub fn concat(parts: impl IntoIterator<Item = impl IntoValue<String>>) -> Value<String> {
    Value::from_expr(Expr::concat(exprs(parts)))
}

/// `Fn::Join`, minimized when the list is known.
pub fn join(delimiter: impl Into<Name>, values: impl IntoValue<List<String>>) -> Value<String> {
    Value::from_expr(Expr::join_list(delimiter, values.into_value().into_expr()))
}

/// `Fn::Sub`; the variables shadow logical ids, and references belong into the variables, where they resolve late.
pub fn sub<T: Into<Map>>(template: impl Into<Name>, variables: T) -> Value<String> {
    value(Intrinsic::Sub {
        template: template.into(),
        variables: variables.into(),
    })
}

/// `Fn::Select`. The index counts from 0; out of range fails when the stack deploys.
pub fn select<T>(index: impl IntoValue<i64>, values: Value<List<T>>) -> Value<T> {
    value(Intrinsic::Select {
        index: index.into_value().into_expr(),
        values: values.into_expr(),
    })
}

/// `Fn::Split`.
pub fn split(delimiter: impl Into<Name>, source: impl IntoValue<String>) -> Value<List<String>> {
    value(Intrinsic::Split {
        delimiter: delimiter.into(),
        source: source.into_value().into_expr(),
    })
}

/// `Fn::FindInMap` of a mapping in the same template.
pub fn find_in_map<T>(
    map: impl IntoValue<String>,
    top_key: impl IntoValue<String>,
    second_key: impl IntoValue<String>,
) -> Value<T> {
    value(Intrinsic::FindInMap {
        map: map.into_value().into_expr(),
        top_key: top_key.into_value().into_expr(),
        second_key: second_key.into_value().into_expr(),
        default: None,
    })
}

/// `Fn::ImportValue` of an export of another stack in the same account and region.
pub fn import_value<T>(name: impl IntoValue<String>) -> Value<T> {
    value(Intrinsic::ImportValue(name.into_value().into_expr()))
}

/// `Fn::Cidr`: `count` blocks (1–256) out of `block`, each leaving `bits` host bits (8 makes a /24).
pub fn cidr(
    block: impl IntoValue<String>,
    count: impl IntoValue<i64>,
    bits: impl IntoValue<String>,
) -> Value<List<String>> {
    value(Intrinsic::Cidr {
        block: block.into_value().into_expr(),
        count: count.into_value().into_expr(),
        bits: Some(bits.into_value().into_expr()),
    })
}

/// `Fn::GetAZs`; an empty text means the region of the stack.
pub fn get_azs(region: impl IntoValue<String>) -> Value<List<String>> {
    value(Intrinsic::GetAzs(region.into_value().into_expr()))
}

/// `Fn::Base64`.
pub fn base64(text: impl IntoValue<String>) -> Value<String> {
    value(Intrinsic::Base64(text.into_value().into_expr()))
}

/// `Fn::Transform`: a macro inside a template.
pub fn transform(name: impl Into<Name>, parameters: impl Into<Map>) -> Value<Json> {
    value(Intrinsic::Transform {
        name: name.into(),
        parameters: parameters.into(),
    })
}

/// `Fn::If`. Both branches yield the same type; [`crate::pseudo::no_value`] yields any.
pub fn if_else<T>(condition: impl Into<Target>, then: impl IntoValue<T>, otherwise: impl IntoValue<T>) -> Value<T> {
    value(Intrinsic::If {
        condition: condition.into(),
        then: then.into_value().into_expr(),
        otherwise: otherwise.into_value().into_expr(),
    })
}

/// `Fn::Equals`.
pub fn equals(left: impl IntoValue<Json>, right: impl IntoValue<Json>) -> Value<Condition> {
    value(Intrinsic::Equals(
        left.into_value().into_expr(),
        right.into_value().into_expr(),
    ))
}

/// `Fn::And` of 2 to 10 conditions.
pub fn and(conditions: impl IntoIterator<Item = Value<Condition>>) -> Value<Condition> {
    value(Intrinsic::And(exprs::<Condition>(conditions)))
}

/// `Fn::Or` of 2 to 10 conditions.
pub fn or(conditions: impl IntoIterator<Item = Value<Condition>>) -> Value<Condition> {
    value(Intrinsic::Or(exprs::<Condition>(conditions)))
}

/// `Fn::Not`.
#[must_use]
pub fn not(condition: Value<Condition>) -> Value<Condition> {
    value(Intrinsic::Not(condition.into_expr()))
}

/// A named condition inside another condition.
pub fn condition(target: impl Into<Target>) -> Value<Condition> {
    value(Intrinsic::Condition(target.into()))
}

/// A literal list, for places where the type of the items cannot be inferred.
pub fn list<T>(items: impl IntoIterator<Item = impl IntoValue<T>>) -> Value<List<T>> {
    Value::from_expr(Expr::List(exprs(items)))
}

/// A literal map.
pub fn map<T, K: Into<Name>>(entries: impl IntoIterator<Item = (K, impl IntoValue<T>)>) -> Value<MapOf<T>> {
    Value::from_expr(Expr::map(
        entries
            .into_iter()
            .map(|(key, item)| (key, item.into_value().into_expr())),
    ))
}

/// Texts and references one after another: `text!["arn:", pseudo::partition(), ":s3:::", bucket.reference()]`.
#[macro_export]
macro_rules! text {
    ($($part:expr),* $(,)?) => {
        $crate::Value::<String>::from_expr($crate::Expr::concat([
            $($crate::IntoValue::<String>::into_value($part).into_expr()),*
        ]))
    };
}
