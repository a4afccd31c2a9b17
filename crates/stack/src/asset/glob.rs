//! Globs as minimatch reads them with `matchBase`: braces, `*`, `?`, classes, `**`, and extended groups but `!(…)`.
//!
//! A pattern without a slash is held against the last part of a path. A part that begins with a dot has to be asked for
//! by a dot.

use regex_lite::Regex;

pub(super) struct Pattern {
    /// One for each way that the braces can be read.
    alternatives: Vec<Vec<Part>>,
}

enum Part {
    AnyDepth,
    Name { expression: Regex, takes_dots: bool },
}

impl Pattern {
    /// Leading `!`s say what a match means, not what matches; a pattern that begins with `#` is a comment.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        if pattern.starts_with('#') {
            return Ok(Self {
                alternatives: Vec::new(),
            });
        }
        let plain = pattern.trim_start_matches('!');
        let refuse = |reason: String| format!("the pattern `{pattern}` cannot be understood: {reason}");
        let alternatives = expand(plain).into_iter().map(|one| {
            one.split('/')
                .map(|part| Part::parse(part).map_err(refuse))
                .collect::<Result<Vec<_>, _>>()
        });
        Ok(Self {
            alternatives: alternatives.collect::<Result<_, _>>()?,
        })
    }

    pub fn matches(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let name = &parts[parts.len() - 1..];
        self.alternatives.iter().any(|pattern| match pattern.as_slice() {
            [_] => fits(pattern, name),
            _ => fits(pattern, &parts),
        })
    }
}

fn fits(pattern: &[Part], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        ([], _) => false,
        // At the end it stands for at least one part, and none of what it stands for begins with a dot.
        ([Part::AnyDepth], path) => !path.is_empty() && path.iter().all(|part| !part.starts_with('.')),
        ([Part::AnyDepth, rest @ ..], path) => {
            let visible = path.iter().take_while(|part| !part.starts_with('.')).count();
            (0..=visible).any(|skipped| fits(rest, &path[skipped..]))
        }
        ([Part::Name { .. }, ..], []) => false,
        ([Part::Name { expression, takes_dots }, rest @ ..], [first, below @ ..]) => {
            (*takes_dots || !first.starts_with('.')) && expression.is_match(first) && fits(rest, below)
        }
    }
}

impl Part {
    fn parse(part: &str) -> Result<Self, String> {
        if part == "**" {
            return Ok(Self::AnyDepth);
        }
        let mut expression = String::from("^");
        if part == "*" {
            expression.push_str("[^/]+");
        } else {
            translate(part, &mut expression)?;
        }
        expression.push('$');
        Ok(Self::Name {
            expression: Regex::new(&expression).map_err(|error| error.to_string())?,
            takes_dots: part.starts_with('.'),
        })
    }
}

fn translate(part: &str, expression: &mut String) -> Result<(), String> {
    let letters: Vec<char> = part.chars().collect();
    // What stands behind the closing bracket of each open group.
    let mut groups = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let letter = letters[at];
        let opens_group = letters.get(at + 1) == Some(&'(') && letters[at..].contains(&')');
        match letter {
            '!' if opens_group => return Err("`!(…)` is not served".to_owned()),
            '?' | '*' | '+' | '@' if opens_group => {
                expression.push_str("(?:");
                groups.push(if letter == '@' {
                    String::new()
                } else {
                    letter.to_string()
                });
                at += 1;
            }
            ')' if !groups.is_empty() => {
                expression.push(')');
                expression.push_str(&groups.pop().unwrap_or_default());
            }
            '|' if !groups.is_empty() => expression.push('|'),
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '\\' => {
                at += 1;
                if let Some(escaped) = letters.get(at) {
                    expression.push_str(&regex_lite::escape(&escaped.to_string()));
                }
            }
            '[' => match letters[at + 1..].iter().skip(1).position(|letter| *letter == ']') {
                Some(length) => {
                    let end = at + 2 + length;
                    let inside: String = letters[at + 1..end].iter().collect();
                    let inside = match inside.strip_prefix('!') {
                        Some(rest) => format!("^{rest}"),
                        None => inside,
                    };
                    expression.push_str(&format!("[{}]", inside.replace('\\', "\\\\")));
                    at = end;
                }
                None => expression.push_str("\\["),
            },
            other => expression.push_str(&regex_lite::escape(&other.to_string())),
        }
        at += 1;
    }
    Ok(())
}

/// What a shell makes of braces: `a{b,c}d` and `a{1..3}`; braces without either are letters.
fn expand(pattern: &str) -> Vec<String> {
    let Some((start, end)) = braces(pattern) else {
        return vec![pattern.to_owned()];
    };
    let (before, inside, after) = (&pattern[..start], &pattern[start + 1..end], &pattern[end + 1..]);
    let choices = match range(inside) {
        Some(numbers) => numbers,
        None => split(inside),
    };
    let mut all = Vec::new();
    for choice in choices {
        for choice in expand(&choice) {
            for rest in expand(after) {
                all.push(format!("{before}{choice}{rest}"));
            }
        }
    }
    all
}

/// The first pair of braces that offers a choice.
fn braces(pattern: &str) -> Option<(usize, usize)> {
    for (start, _) in pattern.match_indices('{') {
        let mut depth = 0;
        for (offset, letter) in pattern[start..].char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let inside = &pattern[start + 1..start + offset];
                if split(inside).len() > 1 || range(inside).is_some() {
                    return Some((start, start + offset));
                }
                break;
            }
        }
    }
    None
}

/// At the commas that stand in no further braces.
fn split(inside: &str) -> Vec<String> {
    let mut choices = vec![String::new()];
    let mut depth = 0;
    for letter in inside.chars() {
        match letter {
            ',' if depth == 0 => {
                choices.push(String::new());
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if let Some(last) = choices.last_mut() {
            last.push(letter);
        }
    }
    choices
}

/// Bounded, since each number becomes a pattern.
fn range(inside: &str) -> Option<Vec<String>> {
    let (from, to) = inside.split_once("..")?;
    let (from, to): (i32, i32) = (from.parse().ok()?, to.parse().ok()?);
    let numbers: Vec<i32> = if from <= to {
        (from..=to).collect()
    } else {
        (to..=from).rev().collect()
    };
    (numbers.len() <= 1000).then(|| numbers.iter().map(ToString::to_string).collect())
}
