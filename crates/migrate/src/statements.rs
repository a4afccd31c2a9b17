//! Cuts a file into its statements, as far as is needed to count them and to see how they begin.
//!
//! It follows PostgreSQL's lexical rules (manual, chapter 4.1): comments (nested too), strings with and without escapes,
//! quoted names, dollar quotes, and the bodies of `BEGIN ATOMIC … END`. It understands no grammar.

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Where it begins, from 1.
    pub line: usize,
    /// Its words outside strings, quoted names and comments, in lower case. Everything else is left out.
    pub words: Vec<String>,
}

impl Statement {
    pub(crate) fn begins_with(&self, words: &[&str]) -> bool {
        self.words.len() >= words.len() && self.words.iter().zip(words).all(|(have, want)| have == want)
    }
}

/// The statements of a file, in order. What follows the last semicolon counts if it holds more than comments.
pub(crate) fn statements(sql: &str) -> Vec<Statement> {
    let mut scanner = Scanner {
        sql,
        at: 0,
        line: 1,
        statements: Vec::new(),
        current: None,
        atomic_depth: 0,
    };
    while scanner.step() {}
    scanner.finish();
    scanner.statements
}

struct Scanner<'a> {
    sql: &'a str,
    at: usize,
    line: usize,
    statements: Vec<Statement>,
    current: Option<Statement>,
    /// How many `BEGIN ATOMIC` and `CASE` are open in a function's body.
    atomic_depth: usize,
}

impl Scanner<'_> {
    /// Takes one token; false at the end.
    fn step(&mut self) -> bool {
        let rest = &self.sql[self.at..];
        let Some(first) = rest.chars().next() else { return false };
        if rest.starts_with("--") {
            self.take(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.take(comment_length(rest));
        } else if first.is_whitespace() {
            self.take(first.len_utf8());
        } else if first == ';' && self.atomic_depth == 0 {
            self.take(1);
            self.finish();
        } else {
            self.token(first, rest);
        }
        true
    }

    fn token(&mut self, first: char, rest: &str) {
        let line = self.line;
        let statement = self.current.get_or_insert_with(|| Statement {
            line,
            words: Vec::new(),
        });
        let length = match first {
            '\'' => string_length(rest, false),
            '"' => quoted_length(rest, '"'),
            '$' => dollar_length(rest),
            _ if is_word_start(first) => {
                let length = rest
                    .find(|c: char| !is_word_start(c) && !c.is_ascii_digit() && c != '$')
                    .unwrap_or(rest.len());
                let word = rest[..length].to_lowercase();
                if word == "e" && rest[length..].starts_with('\'') {
                    length + string_length(&rest[length..], true)
                } else {
                    statement.words.push(word);
                    self.follow_atomic_body();
                    length
                }
            }
            _ => first.len_utf8(),
        };
        self.take(length);
    }

    fn follow_atomic_body(&mut self) {
        let words = self
            .current
            .as_ref()
            .map(|statement| statement.words.as_slice())
            .unwrap_or_default();
        match words {
            [create, .., begin, atomic] if create == "create" && begin == "begin" && atomic == "atomic" => {
                self.atomic_depth += 1
            }
            [.., word] if word == "case" && self.atomic_depth > 0 => self.atomic_depth += 1,
            [.., word] if word == "end" => self.atomic_depth = self.atomic_depth.saturating_sub(1),
            _ => {}
        }
    }

    fn take(&mut self, length: usize) {
        let taken = &self.sql[self.at..self.at + length];
        self.line += taken.matches('\n').count();
        self.at += length;
    }

    fn finish(&mut self) {
        self.atomic_depth = 0;
        self.statements.extend(self.current.take());
    }
}

fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn comment_length(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let tail = &rest[at..];
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// A doubled quote inside reads as two strings side by side, which changes no boundary.
fn quoted_length(rest: &str, quote: char) -> usize {
    rest[1..].find(quote).map_or(rest.len(), |end| end + 2)
}

fn string_length(rest: &str, escapes: bool) -> usize {
    if !escapes {
        return quoted_length(rest, '\'');
    }
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of `$tag$ … $tag$`, or of the dollar alone where it quotes nothing, as in `$1`.
fn dollar_length(rest: &str) -> usize {
    let tag_end = rest[1..]
        .find(|c: char| !is_word_start(c) && !c.is_ascii_digit())
        .map(|end| end + 1);
    match tag_end {
        Some(end) if rest[end..].starts_with('$') && !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            let tag = &rest[..=end];
            rest[tag.len()..]
                .find(tag)
                .map_or(rest.len(), |close| close + 2 * tag.len())
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(sql: &str) -> Vec<(usize, String)> {
        statements(sql)
            .into_iter()
            .map(|statement| (statement.line, statement.words.join(" ")))
            .collect()
    }

    #[test]
    fn statements_are_counted_with_their_lines() {
        assert_eq!(
            lines("-- head\nCREATE TABLE a (b int);\n\n/* two */ DROP TABLE a"),
            [(2, "create table a b int".to_owned()), (4, "drop table a".to_owned())]
        );
        assert!(lines("-- nothing;\n/* at /* all; */ */\n ; ;").is_empty());
    }

    #[test]
    fn quotes_hide_semicolons() {
        for sql in [
            "SELECT 'a;b''c;d'",
            r"SELECT E'a\';b'",
            r#"SELECT ";" FROM "a;""b;""#,
            "DO $$ BEGIN; END; $$",
            "SELECT $q$ $$ ; $q$, $1",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
            "SELECT 'open;",
            "SELECT 1 -- ;",
        ] {
            assert_eq!(statements(sql).len(), 1, "{sql}");
            assert_eq!(
                statements(&format!("{sql}\n;SELECT 2")).len(),
                if sql.contains("open") { 1 } else { 2 },
                "{sql}"
            );
        }
    }

    #[test]
    fn a_backslash_escapes_only_where_it_is_asked_to() {
        assert_eq!(statements(r"SELECT 'a\'; SELECT 2").len(), 2);
    }

    #[test]
    fn nothing_that_is_left_open_or_odd_breaks_the_count() {
        let pieces = [
            "'",
            "\"",
            "$",
            "a",
            "--",
            "/*",
            "*/",
            "\\",
            ";",
            "ü",
            "\n",
            "E'",
            "create begin atomic ",
            "1",
        ];
        for number in 0..pieces.len().pow(4) {
            let text: String = (0..4)
                .map(|place| pieces[number / pieces.len().pow(place) % pieces.len()])
                .collect();
            let lines = text.matches('\n').count() + 1;
            assert!(
                statements(&text).iter().all(|statement| statement.line <= lines),
                "{text:?}"
            );
        }
    }
}
