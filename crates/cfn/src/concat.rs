//! Concatenation of texts that are partly known, in the shortest form: what aws-cdk-lib calls a minimal `Fn::Join`.
//!
//! Adjacent literals merge, a nested join with the same delimiter is spliced in, and a single part stands alone.

use crate::element::Name;
use crate::expr::Expr;
use crate::intrinsic::Intrinsic;

impl Expr {
    /// The parts one after another. Empty literals vanish; no parts at all are the empty text.
    pub fn concat(parts: impl IntoIterator<Item = Expr>) -> Expr {
        let parts = parts.into_iter().filter(|part| part.as_text() != Some(""));
        match Expr::join("", parts) {
            Expr::List(empty) if empty.is_empty() => Expr::text(""),
            joined => joined,
        }
    }

    /// `Fn::Join` over parts that are known to be several, minimized. With no part it is the empty text.
    pub fn join(delimiter: impl Into<Name>, parts: impl IntoIterator<Item = Expr>) -> Expr {
        let delimiter = delimiter.into();
        let mut minimal: Vec<Expr> = Vec::new();
        for part in parts {
            push(&mut minimal, part, &delimiter);
        }
        match minimal.len() {
            0 => Expr::text(""),
            1 => minimal.remove(0),
            _ => Intrinsic::Join {
                delimiter,
                values: Expr::List(minimal),
            }
            .into(),
        }
    }

    /// `Fn::Join` over a list that may itself be a reference.
    pub fn join_list(delimiter: impl Into<Name>, values: Expr) -> Expr {
        match values {
            Expr::List(parts) => Expr::join(delimiter, parts),
            values => Intrinsic::Join {
                delimiter: delimiter.into(),
                values,
            }
            .into(),
        }
    }
}

fn push(minimal: &mut Vec<Expr>, part: Expr, delimiter: &str) {
    let part = match part {
        Expr::Intrinsic(intrinsic) => match *intrinsic {
            Intrinsic::Join {
                delimiter: inner,
                values: Expr::List(parts),
            } if inner == delimiter => {
                parts.into_iter().for_each(|part| push(minimal, part, delimiter));
                return;
            }
            other => Expr::from(other),
        },
        other => other,
    };
    match (minimal.last_mut(), literal(&part)) {
        (Some(last), Some(more)) if matches!(last, Expr::Text(_) | Expr::Integer(_)) => {
            let mut text = take_literal(last);
            text.push_str(delimiter);
            text.push_str(&more);
            *last = Expr::text(text);
        }
        _ => minimal.push(part),
    }
}

fn literal(part: &Expr) -> Option<Name> {
    match part {
        Expr::Text(text) => Some(text.clone()),
        Expr::Integer(number) => Some(number.to_string().into()),
        _ => None,
    }
}

/// The text of a literal part, taken out so that appending to a long text does not copy it each time.
fn take_literal(part: &mut Expr) -> String {
    match part {
        Expr::Text(text) => std::mem::take(text).into_owned(),
        other => literal(other).unwrap_or_default().into_owned(),
    }
}
