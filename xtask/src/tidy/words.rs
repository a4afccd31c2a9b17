//! Words that do not belong in the repository: marks of unfinished work, paths of one machine, hosts of registries;
//! and files that have outgrown one purpose.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Finding;

/// A file of Rust past this many lines holds a second thing.
const LONGEST_FILE: usize = 700;

pub fn check(root: &Path, files: &[PathBuf]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in files.iter().filter(|path| !path.starts_with("xtask/src/tidy")) {
        let Ok(text) = std::fs::read_to_string(root.join(path)) else {
            continue;
        };
        if is_text_of_ours(path) {
            findings.extend(forbidden(path, &text));
        }
        let lines = text.lines().count();
        if path.extension().is_some_and(|extension| extension == "rs") && lines > LONGEST_FILE {
            findings.push(Finding {
                path: path.clone(),
                line: None,
                message: format!("{lines} lines: past {LONGEST_FILE} a file holds a second thing; move it out"),
            });
        }
    }
    Ok(findings)
}

/// Data that others wrote is not ours to word.
fn is_text_of_ours(path: &Path) -> bool {
    let data = [
        "crates/cfn/schema",
        "crates/localcloud/models",
        "tests/parity/oracle/expected",
    ];
    let generated = path
        .file_name()
        .is_some_and(|name| name == "Cargo.lock" || name == "package-lock.json");
    !generated && !data.iter().any(|folder| path.starts_with(folder))
}

fn forbidden(path: &Path, text: &str) -> Vec<Finding> {
    let rules: [(&[&str], &str); 4] = [
        (
            &["FIXME", "XXX:", "TODO", "unimplemented!(", "#[ignore"],
            "finish it, or write what is missing into the docs",
        ),
        (
            &["/work/", "/root/", "/home/user"],
            "a path of one machine: make it relative or configurable",
        ),
        (
            &["://registry.", "://static.", "://index.", "://files.", "://deb."],
            "name the package, never a registry's host",
        ),
        (&[".expect(\"\")"], "say why it cannot fail"),
    ];
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for (words, advice) in &rules {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                findings.push(Finding {
                    path: path.into(),
                    line: Some(index + 1),
                    message: format!("`{word}`: {advice}"),
                });
            }
        }
    }
    findings
}
