//! The intrinsic functions as data. The typed way to make them is [`crate::intrinsics`].

use crate::element::{Name, Target};
use crate::expr::{Expr, Map};

/// An intrinsic function; `Ref` is a variant of [`Expr`] itself because it is by far the most frequent.
#[derive(Clone, Debug, PartialEq)]
pub enum Intrinsic {
    GetAtt {
        target: Target,
        attribute: Name,
    },
    Sub {
        template: Name,
        variables: Map,
    },
    Join {
        delimiter: Name,
        values: Expr,
    },
    If {
        condition: Target,
        then: Expr,
        otherwise: Expr,
    },
    Select {
        index: Expr,
        values: Expr,
    },
    Split {
        delimiter: Name,
        source: Expr,
    },
    FindInMap {
        map: Expr,
        top_key: Expr,
        second_key: Expr,
        default: Option<Expr>,
    },
    ImportValue(Expr),
    Cidr {
        block: Expr,
        count: Expr,
        bits: Option<Expr>,
    },
    GetAzs(Expr),
    Base64(Expr),
    Transform {
        name: Name,
        parameters: Map,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Expr),
    Equals(Expr, Expr),
    /// `{"Condition": name}`, a condition used inside another.
    Condition(Target),
    /// `Fn::ToJsonString`; needs the transform `AWS::LanguageExtensions`.
    ToJsonString(Expr),
    /// `Fn::Length`; needs the transform `AWS::LanguageExtensions`.
    Length(Expr),
}
