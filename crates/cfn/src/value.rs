//! An [`Expr`] that is known to yield a type, and the rules of what may stand where.
//!
//! `T` in [`Value<T>`] is a marker: `String`, `i64`, `f64`, `bool`, [`Json`], [`List`], [`MapOf`], a nested property
//! type, or the identifier of a resource type such as `id::ec2::SubnetId`. Setters take `impl IntoValue<T>`; what may
//! stand where a `T` is expected is said by [`Accepts`]: an identifier passes for text, text never passes for an
//! identifier without [`Value::cast`]. Literal text is taken for identifiers: whoever writes `"subnet-1"` means it.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use indexmap::IndexMap;

use crate::element::Name;
use crate::expr::{Expr, Map};

/// A literal or an intrinsic that yields a `T`.
pub struct Value<T> {
    expr: Expr,
    yields: PhantomData<fn() -> T>,
}

impl<T> Value<T> {
    /// Takes the caller's word that the expression yields a `T`.
    #[must_use]
    pub const fn from_expr(expr: Expr) -> Self {
        Self {
            expr,
            yields: PhantomData,
        }
    }

    #[must_use]
    pub const fn expr(&self) -> &Expr {
        &self.expr
    }

    #[must_use]
    pub fn into_expr(self) -> Expr {
        self.expr
    }

    /// States that the value yields a `U` although the types do not show it.
    #[must_use]
    pub fn cast<U>(self) -> Value<U> {
        Value::from_expr(self.expr)
    }
}

impl<T> Clone for Value<T> {
    fn clone(&self) -> Self {
        Self::from_expr(self.expr.clone())
    }
}

impl<T> PartialEq for Value<T> {
    fn eq(&self, other: &Self) -> bool {
        self.expr == other.expr
    }
}

impl<T> fmt::Debug for Value<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(formatter)
    }
}

/// Any JSON: policy documents, dashboards, properties whose shape the schema leaves open.
#[derive(Debug)]
pub enum Json {}

/// A list of `T`.
pub struct List<T>(PhantomData<fn() -> T>);

/// A map from text to `T`.
pub struct MapOf<T>(PhantomData<fn() -> T>);

/// What a condition function yields.
#[derive(Debug)]
pub enum Condition {}

/// A marker for the physical identifier or an attribute of one resource type: always text.
#[diagnostic::on_unimplemented(message = "`{Self}` is not the identifier of a resource")]
pub trait Identifier {}

/// What may stand where a `Self` is expected.
#[diagnostic::on_unimplemented(
    message = "a `{S}` cannot stand where a `{Self}` is expected",
    label = "this yields a `{S}`",
    note = "if the value really is a `{Self}`, say so with `.cast()`"
)]
pub trait Accepts<S> {}

/// What a setter for a property of type `T` takes: literals, values, handles of resources, builders of nested types.
#[diagnostic::on_unimplemented(message = "a `{Self}` cannot stand where a `{T}` is expected", label = "not a `{T}`")]
pub trait IntoValue<T> {
    fn into_value(self) -> Value<T>;
}

impl<T: Accepts<S>, S> IntoValue<T> for Value<S> {
    fn into_value(self) -> Value<T> {
        self.cast()
    }
}

impl<T: Accepts<S>, S> IntoValue<T> for &Value<S> {
    fn into_value(self) -> Value<T> {
        self.clone().cast()
    }
}

macro_rules! accepts_itself {
    ($($type:ty),*) => { $(impl Accepts<$type> for $type {})* };
}
accepts_itself!(String, i64, f64, bool, Condition);

impl<S: Identifier> Accepts<S> for String {}
impl Accepts<i64> for f64 {}
impl<S> Accepts<S> for Json {}
impl<T: Accepts<S>, S> Accepts<List<S>> for List<T> {}
impl<T: Accepts<S>, S> Accepts<MapOf<S>> for MapOf<T> {}

/// Types that a literal text may stand for.
#[diagnostic::on_unimplemented(
    message = "a text cannot stand where a `{Self}` is expected",
    label = "this property is not a text",
    note = "write the literal without quotes, or state the type of a reference with `.cast()`"
)]
pub trait FromText {}
impl FromText for String {}
impl FromText for Json {}
#[diagnostic::do_not_recommend]
impl<T: Identifier> FromText for T {}

/// Types that a literal integer may stand for.
#[diagnostic::on_unimplemented(
    message = "an integer cannot stand where a `{Self}` is expected",
    label = "this property is not an integer",
    note = "some numbers are texts in CloudFormation: write them in quotes"
)]
pub trait FromInteger {}
impl FromInteger for i64 {}
impl FromInteger for f64 {}
impl FromInteger for Json {}

/// Types that a literal number with a fraction may stand for.
#[diagnostic::on_unimplemented(
    message = "a number with a fraction cannot stand where a `{Self}` is expected",
    label = "this property is not a number with a fraction"
)]
pub trait FromFloat {}
impl FromFloat for f64 {}
impl FromFloat for Json {}

/// Types that `true` and `false` may stand for.
#[diagnostic::on_unimplemented(
    message = "a boolean cannot stand where a `{Self}` is expected",
    label = "this property is not a boolean"
)]
pub trait FromBool {}
impl FromBool for bool {}
impl FromBool for Json {}

macro_rules! literals {
    ($($literal:ty as $bound:ident: |$value:ident| $expr:expr;)*) => { $(
        impl<T: $bound> IntoValue<T> for $literal {
            fn into_value(self) -> Value<T> {
                let $value = self;
                Value::from_expr($expr)
            }
        }
    )* };
}
literals! {
    &str as FromText: |text| Expr::text(text.to_owned());
    String as FromText: |text| Expr::text(text);
    &String as FromText: |text| Expr::text(text.clone());
    Name as FromText: |text| Expr::Text(text);
    bool as FromBool: |value| Expr::Bool(value);
    i32 as FromInteger: |number| Expr::Integer(number.into());
    i64 as FromInteger: |number| Expr::Integer(number);
    u8 as FromInteger: |number| Expr::Integer(number.into());
    u16 as FromInteger: |number| Expr::Integer(number.into());
    u32 as FromInteger: |number| Expr::Integer(number.into());
    f64 as FromFloat: |number| Expr::Float(number);
}

impl IntoValue<Json> for serde_json::Value {
    fn into_value(self) -> Value<Json> {
        Value::from_expr(self.into())
    }
}

impl IntoValue<Json> for Expr {
    fn into_value(self) -> Value<Json> {
        Value::from_expr(self)
    }
}

impl IntoValue<Json> for Map {
    fn into_value(self) -> Value<Json> {
        Value::from_expr(self.into())
    }
}

fn list<T>(items: impl IntoIterator<Item = impl IntoValue<T>>) -> Value<List<T>> {
    Value::from_expr(Expr::List(
        items.into_iter().map(|item| item.into_value().into_expr()).collect(),
    ))
}

fn map<T, K: Into<Name>>(entries: impl IntoIterator<Item = (K, impl IntoValue<T>)>) -> Value<MapOf<T>> {
    Value::from_expr(Expr::map(
        entries
            .into_iter()
            .map(|(key, value)| (key, value.into_value().into_expr())),
    ))
}

impl<T, I: IntoValue<T>> IntoValue<List<T>> for Vec<I> {
    fn into_value(self) -> Value<List<T>> {
        list(self)
    }
}

impl<T, I: IntoValue<T>, const N: usize> IntoValue<List<T>> for [I; N] {
    fn into_value(self) -> Value<List<T>> {
        list(self)
    }
}

impl<T, I: IntoValue<T> + Clone> IntoValue<List<T>> for &[I] {
    fn into_value(self) -> Value<List<T>> {
        list(self.iter().cloned())
    }
}

impl<T, I: IntoValue<T> + Clone> IntoValue<List<T>> for &Vec<I> {
    fn into_value(self) -> Value<List<T>> {
        list(self.iter().cloned())
    }
}

impl<T, K: Into<Name>, I: IntoValue<T>, const N: usize> IntoValue<MapOf<T>> for [(K, I); N] {
    fn into_value(self) -> Value<MapOf<T>> {
        map(self)
    }
}

impl<T, K: Into<Name>, I: IntoValue<T>> IntoValue<MapOf<T>> for Vec<(K, I)> {
    fn into_value(self) -> Value<MapOf<T>> {
        map(self)
    }
}

impl<T, K: Into<Name>, I: IntoValue<T>> IntoValue<MapOf<T>> for BTreeMap<K, I> {
    fn into_value(self) -> Value<MapOf<T>> {
        map(self)
    }
}

impl<T, K: Into<Name>, I: IntoValue<T>> IntoValue<MapOf<T>> for IndexMap<K, I> {
    fn into_value(self) -> Value<MapOf<T>> {
        map(self)
    }
}
