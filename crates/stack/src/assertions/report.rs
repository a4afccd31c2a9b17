//! A value as indented JSON, with what was expected beside the lines that differ.

use serde_json::Value as Json;

use super::matching::Mismatch;

/// Names behind a lead, or nothing for none: `: A, B`.
pub(super) fn list(lead: &str, names: &[&String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    format!("{lead}{}", names.join(", "))
}

pub(super) fn marked(value: &Json, mismatches: &[Mismatch]) -> String {
    let mut lines = Lines {
        mismatches,
        text: String::new(),
        path: Vec::new(),
    };
    lines.value("", value, "");
    lines.text
}

struct Lines<'a> {
    mismatches: &'a [Mismatch],
    text: String,
    path: Vec<String>,
}

impl Lines<'_> {
    fn line(&mut self, content: &str) {
        let mark: Vec<&str> = self
            .mismatches
            .iter()
            .filter(|mismatch| mismatch.path == self.path)
            .map(|mismatch| mismatch.expected.as_str())
            .collect();
        let indent = "  ".repeat(self.path.len());
        if mark.is_empty() {
            self.text.push_str(&format!("    {indent}{content}\n"));
        } else {
            self.text
                .push_str(&format!(" !! {indent}{content}   <- expected {}\n", mark.join(" and ")));
        }
    }

    /// `lead` is the key, `tail` the comma.
    fn value(&mut self, lead: &str, value: &Json, tail: &str) {
        match value {
            Json::Object(map) if !map.is_empty() || self.has_marks_inside() => {
                self.line(&format!("{lead}{{"));
                let last = map.len();
                for (index, (key, inner)) in map.iter().enumerate() {
                    let comma = if index + 1 < last { "," } else { "" };
                    self.inside(key, &format!("{}: ", Json::from(key.as_str())), Some(inner), comma);
                }
                for key in self.missing(|key| !map.contains_key(key)) {
                    self.inside(&key, &format!("{}: ", Json::from(key.as_str())), None, "");
                }
                self.close("}", tail);
            }
            Json::Array(items) if !items.is_empty() || self.has_marks_inside() => {
                self.line(&format!("{lead}["));
                for (index, inner) in items.iter().enumerate() {
                    let comma = if index + 1 < items.len() { "," } else { "" };
                    self.inside(&index.to_string(), "", Some(inner), comma);
                }
                let is_past = |key: &str| key.parse::<usize>().is_ok_and(|index| index >= items.len());
                for key in self.missing(is_past) {
                    self.inside(&key, "", None, "");
                }
                self.close("]", tail);
            }
            plain => self.line(&format!("{lead}{plain}{tail}")),
        }
    }

    fn inside(&mut self, key: &str, lead: &str, value: Option<&Json>, tail: &str) {
        self.path.push(key.to_owned());
        match value {
            Some(value) => self.value(lead, value, tail),
            None => self.line(&format!("{lead}(missing)")),
        }
        self.path.pop();
    }

    fn close(&mut self, bracket: &str, tail: &str) {
        let indent = "  ".repeat(self.path.len());
        self.text.push_str(&format!("    {indent}{bracket}{tail}\n"));
    }

    fn has_marks_inside(&self) -> bool {
        let mut inside = self.mismatches.iter().map(|mismatch| &mismatch.path);
        inside.any(|path| path.len() > self.path.len() && path.starts_with(&self.path))
    }

    /// Keys directly below here that are expected, and absent.
    fn missing(&self, is_absent: impl Fn(&str) -> bool) -> Vec<String> {
        let depth = self.path.len();
        let mut keys: Vec<String> = Vec::new();
        for mismatch in self.mismatches {
            if let Some(key) = mismatch.path.get(depth)
                && mismatch.path.starts_with(&self.path)
                && is_absent(key)
                && !keys.contains(key)
            {
                keys.push(key.clone());
            }
        }
        keys
    }
}
