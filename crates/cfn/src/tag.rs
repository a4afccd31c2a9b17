//! The tag that most resource types share.

use crate::expr::Expr;
use crate::value::{Accepts, IntoValue, Value};

/// `{"Key": …, "Value": …}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    key: Expr,
    value: Expr,
}

impl Tag {
    pub fn new(key: impl IntoValue<String>, value: impl IntoValue<String>) -> Self {
        Self {
            key: key.into_value().into_expr(),
            value: value.into_value().into_expr(),
        }
    }
}

impl From<Tag> for Expr {
    fn from(tag: Tag) -> Self {
        Expr::map([("Key", tag.key), ("Value", tag.value)])
    }
}

impl Accepts<Tag> for Tag {}

impl<T: Accepts<Tag>> IntoValue<T> for Tag {
    fn into_value(self) -> Value<T> {
        Value::from_expr(self.into())
    }
}
