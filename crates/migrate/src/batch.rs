//! A backfill that goes through a table in batches: what its file's head says.
//!
//! ```sql
//! -- phase: backfill
//! -- batch: table=users key=id rows=1000 pause=50ms
//! UPDATE users SET email_lower = lower(email) WHERE id BETWEEN $1 AND $2 AND email_lower IS NULL
//! ```
//!
//! `$1` and `$2` are the first and the last key of a batch, both included.

use std::time::Duration;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxKind};

/// How a backfill goes through its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// As the statement names it.
    pub table: String,
    /// A column with a unique index of its own and without nulls.
    pub key: String,
    /// Keys a batch.
    pub rows: u32,
    /// The least pause between two batches; after a slow one it is as long as that took.
    pub pause: Duration,
}

impl Batch {
    /// Reads what follows `-- batch:`.
    ///
    /// # Errors
    /// What is wrong with it, for the end of a sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut table, mut key) = (None, None);
        let (mut rows, mut pause) = (1000, Duration::from_millis(50));
        for word in text.split_whitespace() {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| format!("{word:?} is not NAME=VALUE"))?;
            match name {
                "table" => table = Some(name_of(value)?),
                "key" => key = Some(name_of(value)?),
                "rows" => {
                    rows = value
                        .parse()
                        .ok()
                        .filter(|rows| (1..=1_000_000).contains(rows))
                        .ok_or_else(|| format!("rows={value} is no number from 1 to 1000000"))?;
                }
                "pause" => {
                    pause = milliseconds(value).ok_or_else(|| format!("pause={value} is not like 50ms or 2s"))?
                }
                _ => return Err(format!("{name:?} is none of table, key, rows and pause")),
            }
        }
        match (table, key) {
            (Some(table), Some(key)) => Ok(Self {
                table,
                key,
                rows,
                pause,
            }),
            _ => Err("table=… and key=… are needed".to_owned()),
        }
    }

    /// What is wrong with the statement of such a file, if anything.
    pub(crate) fn objection(sql: &str) -> Option<&'static str> {
        let tree = SourceFile::parse(sql).tree();
        let mut statements = tree.stmts();
        let (Some(statement), None) = (statements.next(), statements.next()) else {
            return Some("a backfill in batches is one statement");
        };
        if !matches!(
            statement,
            ast::Stmt::Update(_) | ast::Stmt::Delete(_) | ast::Stmt::Insert(_)
        ) {
            return Some("a backfill in batches is an UPDATE, a DELETE or an INSERT");
        }
        let uses = |parameter: &str| parameters(sql).iter().any(|(_, name)| name == parameter);
        match (uses("$1"), uses("$2")) {
            (true, true) => None,
            _ => Some("a backfill in batches needs $1 and $2, the first and the last key of a batch"),
        }
    }

    /// The statement with its parameters read as text and cast to the key's type.
    pub(crate) fn statement(sql: &str, key_type: &str) -> String {
        let mut statement = sql.to_owned();
        for (at, name) in parameters(sql).into_iter().rev() {
            statement.replace_range(at..at + name.len(), &format!("CAST({name}::text AS {key_type})"));
        }
        statement
    }
}

/// The parameters outside of strings and comments, with where they stand.
fn parameters(sql: &str) -> Vec<(usize, String)> {
    SourceFile::parse(sql)
        .tree()
        .syntax()
        .descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| token.kind() == SyntaxKind::POSITIONAL_PARAM)
        .map(|token| (token.text_range().start().into(), token.text().to_owned()))
        .collect()
}

/// A name, with a schema before it or not, that needs no quotes: it stands in statements as it is.
fn name_of(value: &str) -> Result<String, String> {
    let plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if value.split('.').count() <= 2 && value.split('.').all(plain) {
        Ok(value.to_owned())
    } else {
        Err(format!("{value:?} is no plain name"))
    }
}

fn milliseconds(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_and_what_is_wrong_with_it_said() {
        let batch = Batch::parse(" table=app.users key=id rows=500 pause=2s").unwrap();
        assert_eq!(
            batch,
            Batch {
                table: "app.users".to_owned(),
                key: "id".to_owned(),
                rows: 500,
                pause: Duration::from_secs(2)
            }
        );
        assert_eq!(Batch::parse("table=a key=b").unwrap().rows, 1000);
        for (text, expected) in [
            ("table=a", "are needed"),
            ("table=a key=b rows=0", "rows=0"),
            ("table=a key=b pause=5", "pause=5"),
            ("table=a; key=b", "no plain name"),
            ("table=a key=b colour=red", "none of"),
            ("everything", "not NAME=VALUE"),
        ] {
            assert!(Batch::parse(text).unwrap_err().contains(expected), "{text}");
        }
    }

    #[test]
    fn parameters_are_cast_where_they_are_parameters() {
        assert_eq!(
            Batch::statement("UPDATE a SET b = '$1' -- $2\nWHERE id BETWEEN $1 AND $2", "bigint"),
            "UPDATE a SET b = '$1' -- $2\nWHERE id BETWEEN CAST($1::text AS bigint) AND CAST($2::text AS bigint)"
        );
        assert_eq!(Batch::objection("UPDATE a SET b = 1 WHERE id BETWEEN $1 AND $2"), None);
        for sql in [
            "UPDATE a SET b = 1 WHERE id > $1",
            "SELECT $1, $2",
            "UPDATE a SET b = $1; UPDATE a SET b = $2",
        ] {
            assert!(Batch::objection(sql).is_some(), "{sql}");
        }
    }
}
