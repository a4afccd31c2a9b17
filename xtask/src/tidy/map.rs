//! ARCHITECTURE.md maps what exists: every workspace folder with a crate stands in it.

use std::path::Path;

use anyhow::{Context, Result};

use super::Finding;

pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).context("cannot read ARCHITECTURE.md")?;
    let mut findings = Vec::new();
    for parent in ["crates", "functions", "tests"] {
        for entry in std::fs::read_dir(root.join(parent))
            .with_context(|| format!("cannot read {parent}"))?
            .flatten()
        {
            let folder = format!("{parent}/{}", entry.file_name().to_string_lossy());
            if entry.path().join("Cargo.toml").is_file() && !map.contains(&format!("`{folder}`")) {
                findings.push(Finding {
                    path: "ARCHITECTURE.md".into(),
                    line: None,
                    message: format!("`{folder}` is missing from the map: say what it is and what it must never know"),
                });
            }
        }
    }
    Ok(findings)
}
