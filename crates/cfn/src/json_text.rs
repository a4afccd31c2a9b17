//! JSON as a text inside a template: dashboards, state machines, event patterns of some services. References inside
//! stay references, so that the whole is a concatenation.

use crate::element::Name;
use crate::expr::Expr;
use crate::intrinsic::Intrinsic;
use crate::value::Value;

impl Expr {
    /// The expression as JSON text, compact. A reference inside stands for a text, and gets its
    /// quotes.
    #[must_use]
    pub fn to_json_text(&self) -> Value<String> {
        let mut parts = Vec::new();
        write(self, &mut parts);
        Value::from_expr(Expr::concat(parts))
    }
}

fn write(expr: &Expr, parts: &mut Vec<Expr>) {
    match expr {
        Expr::List(items) => {
            literal(parts, "[");
            for (index, item) in items.iter().enumerate() {
                literal(parts, if index == 0 { "" } else { "," });
                write(item, parts);
            }
            literal(parts, "]");
        }
        Expr::Map(map) => {
            literal(parts, "{");
            for (index, (key, value)) in map.iter().enumerate() {
                let key = serde_json::Value::from(key);
                literal(parts, format!("{}{key}:", if index == 0 { "" } else { "," }));
                write(value, parts);
            }
            literal(parts, "}");
        }
        // A concatenation inside is a text of which the literal pieces need escaping.
        Expr::Intrinsic(intrinsic)
            if let Intrinsic::Join {
                delimiter,
                values: Expr::List(pieces),
            } = &**intrinsic =>
        {
            literal(parts, "\"");
            for (index, piece) in pieces.iter().enumerate() {
                literal(parts, if index == 0 { String::new() } else { escaped(delimiter) });
                match piece {
                    Expr::Text(text) => literal(parts, escaped(text)),
                    piece => parts.push(piece.clone()),
                }
            }
            literal(parts, "\"");
        }
        Expr::Ref(_) | Expr::LogicalId(_) | Expr::Intrinsic(_) => {
            literal(parts, "\"");
            parts.push(expr.clone());
            literal(parts, "\"");
        }
        Expr::Null | Expr::Bool(_) | Expr::Integer(_) | Expr::Float(_) | Expr::Text(_) => {
            // A float that JSON cannot hold becomes null, as in JavaScript.
            literal(parts, serde_json::to_string(expr).unwrap_or_else(|_| "null".to_owned()));
        }
    }
}

/// A text as it stands between the quotes of JSON.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn literal(parts: &mut Vec<Expr>, text: impl Into<Name>) {
    parts.push(Expr::Text(text.into()));
}
