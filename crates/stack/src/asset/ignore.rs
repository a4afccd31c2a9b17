//! Which files an asset leaves out, in the three languages of the CDK's `IgnoreMode`.
//!
//! Each follows the library that the CDK uses, with its peculiarities, because a file more or less is another asset:
//! minimatch 10 (`matchBase`, `flipNegate`), ignore 5, @balena/dockerignore 1. Paths are relative to the root, with `/`.

use regex_lite::{Regex, RegexBuilder};

use super::glob;
use super::options::IgnoreMode;

pub(super) enum Ignore {
    Glob(Vec<(bool, glob::Pattern)>),
    Git(Vec<(bool, Regex)>),
    Docker {
        rules: Vec<DockerRule>,
        /// The rules, and one for every folder above what a rule takes in again.
        complete: Vec<DockerRule>,
    },
}

pub(super) struct DockerRule {
    takes_in: bool,
    parts: Vec<String>,
    expression: Regex,
}

impl Ignore {
    /// The error names a pattern that cannot be understood.
    pub fn new(mode: IgnoreMode, patterns: &[String]) -> Result<Self, String> {
        Ok(match mode {
            IgnoreMode::Glob => {
                let parsed = patterns.iter().map(|pattern| {
                    let takes_in = pattern.starts_with('!');
                    Ok((takes_in, glob::Pattern::parse(pattern)?))
                });
                Self::Glob(parsed.collect::<Result<_, String>>()?)
            }
            IgnoreMode::Git => {
                let rules = patterns.iter().filter_map(|pattern| git_rule(pattern).transpose());
                Self::Git(rules.collect::<Result<_, _>>()?)
            }
            IgnoreMode::Docker => {
                let lines = || patterns.iter().flat_map(|pattern| pattern.lines());
                let rules = lines().filter_map(|line| docker_rule(line).transpose());
                let complete = lines().flat_map(|line| std::iter::once(line.to_owned()).chain(folders_above(line)));
                Self::Docker {
                    rules: rules.collect::<Result<_, _>>()?,
                    complete: complete
                        .filter_map(|line| docker_rule(&line).transpose())
                        .collect::<Result<_, _>>()?,
                }
            }
        })
    }

    /// Whether this file, link or folder is left out.
    pub fn ignores(&self, path: &str) -> bool {
        match self {
            Self::Glob(rules) => last_match(rules.iter().map(|(takes_in, rule)| (*takes_in, rule.matches(path)))),
            Self::Git(rules) => git_ignores(rules, path),
            Self::Docker { rules, .. } => docker_ignores(rules, path),
        }
    }

    /// Whether nothing below this folder needs to be looked at.
    pub fn ignores_all_of(&self, path: &str) -> bool {
        match self {
            Self::Glob(_) => self.ignores(path),
            Self::Git(rules) => git_ignores(rules, &format!("{path}/")),
            Self::Docker { rules, complete } => docker_ignores(rules, path) && docker_ignores(complete, path),
        }
    }
}

fn last_match(rules: impl Iterator<Item = (bool, bool)>) -> bool {
    rules.fold(
        false,
        |ignored, (takes_in, matches)| {
            if matches { !takes_in } else { ignored }
        },
    )
}

fn compiled(pattern: &str, expression: &str) -> Result<Regex, String> {
    RegexBuilder::new(expression)
        .case_insensitive(true)
        .build()
        .map_err(|error| format!("the pattern `{pattern}` cannot be understood: {error}"))
}

/// A folder above that is left out cannot be taken in again. `path` ends with `/` when it is a folder's.
fn git_ignores(rules: &[(bool, Regex)], path: &str) -> bool {
    let below = path.trim_end_matches('/').match_indices('/');
    let parents = below.map(|(end, _)| &path[..=end]);
    parents
        .chain([path])
        .any(|path| last_match(rules.iter().map(|(takes_in, rule)| (*takes_in, rule.is_match(path)))))
}

fn git_rule(line: &str) -> Result<Option<(bool, Regex)>, String> {
    let trimmed = line.trim_end();
    // A space that is escaped stays.
    let trimmed = match trimmed.ends_with('\\') && trimmed.len() < line.len() {
        true => format!("{} ", &trimmed[..trimmed.len() - 1]),
        false => trimmed.to_owned(),
    };
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return Ok(None);
    }
    let (takes_in, pattern) = match trimmed.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, trimmed.as_str()),
    };
    let pattern = match pattern.strip_prefix('\\') {
        Some(rest) if rest.starts_with(['!', '#']) => rest,
        _ => pattern,
    };
    let (pattern, folders_only) = match pattern.strip_suffix('/') {
        Some(rest) => (rest, true),
        None => (pattern, false),
    };
    if pattern.is_empty() {
        return Ok(None);
    }
    let anchored = pattern.contains('/');
    let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
    let parts: Vec<&str> = pattern.split('/').collect();
    let mut expression = String::from(if anchored { "^" } else { "(?:^|/)" });
    for (index, part) in parts.iter().enumerate() {
        let (is_first, is_last) = (index == 0, index + 1 == parts.len());
        match (*part, is_first, is_last) {
            ("**", true, false) => expression.push_str("(?:.*/)?"),
            ("**", false, true) => expression.push_str("/.+"),
            ("**", false, false) => expression.push_str("(?:/[^/]+)*"),
            _ => {
                let follows_any_depth = index == 1 && parts[0] == "**";
                if !(is_first || follows_any_depth) {
                    expression.push('/');
                }
                // A folder's whole content is not the folder.
                match *part == "*" && is_last && anchored {
                    true => expression.push_str("[^/]+"),
                    false => git_part(part, &mut expression),
                }
            }
        }
    }
    expression.push_str(if folders_only { "/$" } else { "/?$" });
    Ok(Some((takes_in, compiled(line, &expression)?)))
}

fn git_part(part: &str, expression: &mut String) {
    let mut rest = part.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '*' => expression.push_str("[^/]*"),
            '?' => expression.push_str("[^/]"),
            '\\' => {
                if let Some(escaped) = rest.next() {
                    expression.push_str(&regex_lite::escape(&escaped.to_string()));
                }
            }
            '[' => {
                let inside: String = rest.by_ref().take_while(|letter| *letter != ']').collect();
                // Unlike git, the library knows no class of what is not in it.
                let inside = inside.replace('\\', "\\\\").replace('[', "\\[").replace('^', "\\^");
                expression.push_str(&format!("[{inside}]"));
            }
            other => expression.push_str(&regex_lite::escape(&other.to_string())),
        }
    }
}

fn docker_ignores(rules: &[DockerRule], path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let parents = &parts[..parts.len() - 1];
    last_match(rules.iter().map(|rule| (rule.takes_in, rule.matches(path, parents))))
}

impl DockerRule {
    /// The path itself, or a folder above it.
    fn matches(&self, path: &str, parents: &[&str]) -> bool {
        if self.expression.is_match(path) {
            return true;
        }
        if parents.is_empty() {
            return false;
        }
        let fits = |count: usize| self.expression.is_match(&parents[..count].join("/"));
        if self.parts.iter().any(|part| part == "**") {
            let fixed = self.parts.iter().filter(|part| *part != "**").count();
            return (fixed..=parents.len()).any(fits);
        }
        self.parts.len() <= parents.len() && fits(self.parts.len())
    }
}

fn docker_rule(line: &str) -> Result<Option<DockerRule>, String> {
    if line.starts_with('#') {
        return Ok(None);
    }
    let (takes_in, pattern) = match line.trim().strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, line.trim()),
    };
    if pattern.is_empty() {
        return Ok(None);
    }
    let pattern = clean(pattern);
    let pattern = match pattern.strip_prefix('/') {
        Some(rest) if !rest.is_empty() => rest,
        _ => &pattern,
    };
    Ok(Some(DockerRule {
        takes_in,
        parts: pattern.split('/').map(str::to_owned).collect(),
        expression: compiled(line, &docker_expression(pattern))?,
    }))
}

fn docker_expression(pattern: &str) -> String {
    let mut expression = String::from("^");
    let mut rest = pattern.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '*' if rest.peek() == Some(&'*') => {
                rest.next();
                if rest.peek() == Some(&'/') {
                    rest.next();
                }
                expression.push_str(if rest.peek().is_none() { ".*" } else { "(.*/)?" });
            }
            '*' => expression.push_str("[^/]*"),
            '?' => expression.push_str("[^/]"),
            '.' | '$' => expression.push_str(&format!("\\{letter}")),
            '\\' => match rest.next() {
                Some(escaped) => expression.push_str(&regex_lite::escape(&escaped.to_string())),
                None => expression.push_str("\\\\"),
            },
            other => expression.push(other),
        }
    }
    expression.push('$');
    expression
}

/// For `!a/b/c` the rules `!a/b` and `!a`.
fn folders_above(line: &str) -> Vec<String> {
    let line = line.trim_start();
    let Some((mark, rest)) = ["!", "/!"]
        .iter()
        .find_map(|mark| Some((*mark, line.strip_prefix(mark)?)))
    else {
        return Vec::new();
    };
    let mut folders = Vec::new();
    let mut path = rest.trim_end_matches('/');
    while let Some((above, _)) = path.rsplit_once('/') {
        path = above.trim_end_matches('/');
        if path.is_empty() || path == "." {
            break;
        }
        folders.push(format!("{mark}{path}"));
    }
    folders
}

/// Without `.`, `..`, doubled and trailing slashes.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let rooted = if path.starts_with('/') { "/" } else { "" };
    match parts.is_empty() && rooted.is_empty() {
        true => ".".to_owned(),
        false => format!("{rooted}{}", parts.join("/")),
    }
}
