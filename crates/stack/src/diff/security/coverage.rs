//! Whether what a statement says was said before, with its wildcards: `s3:*` covers `s3:GetObject`.
//!
//! It answers yes only when it is sure, statement by statement; two statements that cover a third only together do not.

use std::collections::BTreeSet;

use super::statements::Statement;

/// Whether one of the statements says at least as much as the part.
pub fn covers(statements: &BTreeSet<Statement>, part: &Statement) -> bool {
    statements.iter().any(|statement| {
        statement.effect == part.effect
            && (statement.condition.is_empty() || statement.condition == part.condition)
            && all(&part.principals, &statement.principals, |pattern, text| {
                pattern == "*" || pattern == text
            })
            && all(&part.actions, &statement.actions, |pattern, text| {
                matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
            })
            && all(&part.resources, &statement.resources, matches)
    })
}

fn all(texts: &BTreeSet<String>, patterns: &BTreeSet<String>, covers: impl Fn(&str, &str) -> bool) -> bool {
    texts.iter().all(|text| {
        // "not a, b" is no pattern; it covers itself.
        patterns.contains(text)
            || (!text.starts_with("not ")
                && patterns
                    .iter()
                    .any(|pattern| !pattern.starts_with("not ") && covers(pattern, text)))
    })
}

/// Whether the principals and resources that the statement names are still in the template: what is gone needs no
/// `Deny`.
pub fn lives(part: &Statement, logical_ids: &BTreeSet<&str>) -> bool {
    part.principals.iter().chain(&part.resources).all(|text| {
        let names = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
        let mut names = names.map(|(name, _)| name.split('.').next().unwrap_or(name));
        names.all(|name| name.contains(':') || name.contains(' ') || logical_ids.contains(name))
    })
}

/// Whether everything that `text` matches, `pattern` matches too. `*` in the text stands for anything, so that only `*`
/// covers it; `?` covers one character that is no wildcard, or another `?`.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, seen));
                at += 1;
                continue;
            }
            Some(b'?') if text[seen] != b'*' => {
                at += 1;
                seen += 1;
                continue;
            }
            Some(byte) if *byte == text[seen] => {
                at += 1;
                seen += 1;
                continue;
            }
            _ => {}
        }
        let Some((after, from)) = retry else { return false };
        retry = Some((after, from + 1));
        at = after;
        seen = from + 1;
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_wildcard_covers_what_it_matches() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("s3:*", "s3:GetObject", true),
            ("s3:Get*", "s3:*", false),
            ("s3:*", "s3:Get*", true),
            ("a?", "a*", false),
            ("a?", "a?", true),
            ("a*b*c", "axbxbxc", true),
            ("a*b", "axbx", false),
            ("${Bucket.Arn}/*", "${Bucket.Arn}/x", true),
            ("${Bucket.Arn}/*", "${Bucket.Arn}", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
