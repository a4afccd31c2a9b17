//! Compares templates the way CloudFormation reads them: the order of keys does not matter, the order of lists does.
//!
//! Left out: asset hashes (a changed hash only uploads code again), the CDK's own bootstrap parameter and rule, and
//! `CDKMetadata`.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value as Json};

use crate::run::Failure;

const HASH_LENGTH: usize = 64;
const SHOWN_DIFFERENCES: usize = 40;
const SHOWN_CHARACTERS: usize = 160;
const SUFFIX: &str = ".template.json";

/// What was compared so far.
#[derive(Debug, Default)]
pub struct Report {
    lines: Vec<String>,
    stacks: usize,
    same_stacks: usize,
    resources: usize,
    same_resources: usize,
}

impl Report {
    /// Nothing was compared.
    pub const fn is_empty(&self) -> bool {
        self.stacks == 0
    }

    pub const fn is_same(&self) -> bool {
        self.stacks > 0 && self.same_stacks == self.stacks
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(formatter, "{line}")?;
        }
        let Self {
            stacks,
            same_stacks,
            resources,
            same_resources,
            ..
        } = self;
        writeln!(
            formatter,
            "same {same_stacks} of {stacks} stacks, {same_resources} of {resources} resources"
        )
    }
}

/// Compares all templates of a folder with those of the same name in another.
pub fn folders(expected: &Path, actual: &Path, report: &mut Report) -> Result<(), Failure> {
    let (wanted, made) = (templates(expected)?, templates(actual)?);
    for name in &wanted {
        let want = load(&expected.join(name))?;
        report.stacks += 1;
        report.resources += resources(&want).map_or(0, Map::len);
        if made.contains(name) {
            compare(name, &want, &load(&actual.join(name))?, report);
        } else {
            report.lines.push(format!("{name}: not synthesized"));
        }
    }
    for name in made.difference(&wanted) {
        report.stacks += 1;
        report.lines.push(format!("{name}: aws-cdk-lib makes no such stack"));
    }
    Ok(())
}

/// The names of the templates in a folder.
fn templates(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let file = |source| Failure::File {
        path: folder.to_owned(),
        source,
    };
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(file)? {
        let name = entry.map_err(file)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(SUFFIX) {
            names.insert(name);
        }
    }
    Ok(names)
}

fn compare(name: &str, want: &Json, have: &Json, report: &mut Report) {
    let mut found = Vec::new();
    differences(want, have, "", &mut found);
    found.sort();
    let ours = resources(have);
    let same = |(id, resource): (&String, &Json)| ours.and_then(|ours| ours.get(id)) == Some(resource);
    report.same_resources += resources(want)
        .into_iter()
        .flatten()
        .filter(|entry| same(*entry))
        .count();
    report.same_stacks += usize::from(found.is_empty());
    report
        .lines
        .extend(found.iter().take(SHOWN_DIFFERENCES).map(|line| format!("{name}{line}")));
    if found.len() > SHOWN_DIFFERENCES {
        report.lines.push(format!(
            "{name}: and {} more differences",
            found.len() - SHOWN_DIFFERENCES
        ));
    }
}

fn resources(template: &Json) -> Option<&Map<String, Json>> {
    template.get("Resources").and_then(Json::as_object)
}

fn load(path: &Path) -> Result<Json, Failure> {
    let text = fs::read_to_string(path).map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })?;
    let mut template: Json = serde_json::from_str(&text).map_err(|source| Failure::Json {
        path: path.to_owned(),
        source,
    })?;
    for (section, name) in [
        ("Parameters", "BootstrapVersion"),
        ("Rules", "CheckBootstrapVersion"),
        ("Resources", "CDKMetadata"),
        ("Conditions", "CDKMetadataAvailable"),
    ] {
        if let Some(section) = template.get_mut(section).and_then(Json::as_object_mut) {
            section.remove(name);
        }
    }
    Ok(mask(template))
}

/// Without what says nothing, and with asset hashes made equal.
fn mask(value: Json) -> Json {
    match value {
        Json::Object(map) => {
            let says = |value: &Json| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty());
            map.into_iter()
                .filter(|(_, value)| says(value))
                .map(|(key, value)| (key, mask(value)))
                .collect()
        }
        Json::Array(items) => items.into_iter().map(mask).collect(),
        Json::String(text) => Json::String(without_hashes(&text)),
        other => other,
    }
}

fn without_hashes(text: &str) -> String {
    let mut masked = String::new();
    let mut run = String::new();
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    for character in text.chars() {
        if is_hex(character) {
            run.push(character);
            if run.len() == HASH_LENGTH {
                run.clear();
                masked.push_str("<hash>");
            }
        } else {
            masked.push_str(&std::mem::take(&mut run));
            masked.push(character);
        }
    }
    masked + &run
}

fn differences(want: &Json, have: &Json, path: &str, found: &mut Vec<String>) {
    match (want, have) {
        (Json::Object(want), Json::Object(have)) => {
            for (key, value) in want {
                match have.get(key) {
                    Some(ours) => differences(value, ours, &format!("{path}/{key}"), found),
                    None => found.push(format!("{path}/{key}: missing, expected {}", short(value))),
                }
            }
            for (key, value) in have.iter().filter(|(key, _)| !want.contains_key(*key)) {
                found.push(format!("{path}/{key}: unexpected {}", short(value)));
            }
        }
        (Json::Array(want), Json::Array(have)) => {
            if want.len() != have.len() {
                found.push(format!("{path}: expected {} items, got {}", want.len(), have.len()));
            }
            for (index, (want, have)) in want.iter().zip(have).enumerate() {
                differences(want, have, &format!("{path}/{index}"), found);
            }
        }
        _ if want == have => {}
        _ => found.push(format!("{path}: expected {}, got {}", short(want), short(have))),
    }
}

fn short(value: &Json) -> String {
    value.to_string().chars().take(SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(want: &Json, have: &Json) -> Vec<String> {
        let mut found = Vec::new();
        differences(&mask(want.clone()), &mask(have.clone()), "", &mut found);
        found.sort();
        found
    }

    #[test]
    fn keys_in_any_order_but_lists_in_theirs() {
        assert_eq!(
            found(&json!({ "a": 1, "b": 2 }), &json!({ "b": 2, "a": 1 })),
            Vec::<String>::new()
        );
        assert_eq!(found(&json!([1, 2]), &json!([2, 1])).len(), 2);
    }

    #[test]
    fn differences_say_where_and_what() {
        let want = json!({ "Resources": { "A": { "Type": "x", "P": [1] }, "Gone": {"Type": "y"} } });
        let have = json!({ "Resources": { "A": { "Type": "z", "P": [1, 2] }, "New": true } });
        assert_eq!(
            found(&want, &have),
            [
                "/Resources/A/P: expected 1 items, got 2",
                "/Resources/A/Type: expected \"x\", got \"z\"",
                "/Resources/Gone: missing, expected {\"Type\":\"y\"}",
                "/Resources/New: unexpected true",
            ]
        );
    }

    #[test]
    fn hashes_and_what_says_nothing_do_not_count() {
        let hash = |digit: &str| format!("{}.zip", digit.repeat(HASH_LENGTH));
        let want = json!({ "key": hash("a"), "empty": {}, "none": null });
        assert_eq!(found(&want, &json!({ "key": hash("0") })), Vec::<String>::new());
        assert_eq!(found(&json!("abc"), &json!("abd")).len(), 1);
    }

    #[test]
    fn the_last_line_is_the_verdict() {
        let mut report = Report::default();
        let template = json!({ "Resources": { "A": {}, "B": { "Type": "x" } } });
        compare("S.template.json", &mask(template.clone()), &mask(template), &mut report);
        assert!(!report.is_same(), "no stack was counted");
        assert_eq!(report.to_string(), "same 1 of 0 stacks, 1 of 0 resources\n");
    }
}
