//! What a migration file must not hold, because it would break the bookkeeping that records it.

use crate::statements::Statement;

/// Why a statement is refused, or `None` if it is not.
pub(crate) fn refusal(statement: &Statement) -> Option<&'static str> {
    let is = |words: &[&str]| statement.begins_with(words);
    if ["begin", "commit", "end", "rollback", "abort", "savepoint", "release"]
        .iter()
        .any(|word| is(&[word]))
        || is(&["start", "transaction"])
        || is(&["prepare", "transaction"])
    {
        return Some("it controls the transaction, in which the migration and its record belong together");
    }
    if statement.words.iter().any(|word| word == "search_path") && (is(&["set"]) || is(&["reset"])) {
        return Some(
            "it changes search_path, by which the record of the migration is found; name the schema in the statement",
        );
    }
    if is(&["set"]) && !is(&["set", "local"]) && !is(&["set", "constraints"]) || is(&["reset"]) || is(&["discard"]) {
        return Some("it changes the session, which the next migration would inherit; SET LOCAL lasts for this file");
    }
    // Quoted, `set_config` would be another function; a name in a string is not among the words.
    if statement.words.iter().any(|word| word == "set_config") {
        return Some("set_config changes the session, as the head of a pg_dump does; SET LOCAL lasts for this file");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statements::statements;

    #[test]
    fn only_what_breaks_the_bookkeeping_is_refused() {
        let refused = |sql: &str| refusal(&statements(sql)[0]).is_some();
        for sql in [
            "BEGIN",
            "commit",
            "START TRANSACTION",
            "ROLLBACK TO a",
            "SET work_mem = '1GB'",
            "SET LOCAL search_path = a",
            "RESET ALL",
            "SELECT pg_catalog.set_config('search_path', '', false)",
        ] {
            assert!(refused(sql), "{sql}");
        }
        for sql in [
            "SET LOCAL work_mem = '1GB'",
            "SET CONSTRAINTS ALL DEFERRED",
            "UPDATE a SET begin = 1",
            "CREATE FUNCTION f() RETURNS void SET search_path = a LANGUAGE sql AS $$ SELECT 1 $$",
            "COMMENT ON TABLE a IS 'commit'",
        ] {
            assert!(!refused(sql), "{sql}");
        }
    }
}
