//! Who may depend on whom. The directions keep the cores pure: a `stack` app never compiles an SDK, and the
//! orchestrator never learns of AWS.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::Finding;

/// What each of our crates may depend on, of ours.
const ALLOWED: &[(&str, &[&str])] = &[
    ("cfn", &[]),
    ("stack", &["cfn"]),
    ("orchestrator", &[]),
    ("aws", &["orchestrator"]),
    ("migrate", &[]),
    ("localcloud", &["cfn"]),
    (
        "llama-deploy",
        &["cfn", "stack", "orchestrator", "aws", "migrate", "localcloud"],
    ),
    ("stacks", &["stack", "cfn"]),
    ("platform", &[]),
    ("protocol-analytics", &["platform"]),
    ("health", &["platform"]),
    ("api-key-authorizer", &["platform"]),
    ("parity", &["stack", "cfn"]),
    ("e2e", &["stack", "cfn"]),
    ("simulation", &["orchestrator"]),
    ("test-postgres", &[]),
    ("migrations", &["migrate", "test-postgres"]),
    ("xtask", &[]),
];

/// Crates that an app of stacks must not pull in, directly or not: they cost its user's compile time.
const NOT_IN_STACKS: &[&str] = &[
    "tokio",
    "aws-config",
    "aws-smithy-types",
    "hyper",
    "reqwest",
    "sqlx",
    "rand",
    "chrono",
    "jiff",
];

pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let manifests = manifests(root)?;
    for (name, (path, dependencies)) in &manifests {
        let Some((_, allowed)) = ALLOWED.iter().find(|(crate_name, _)| crate_name == name) else {
            findings.push(Finding {
                path: path.into(),
                line: None,
                message: format!(
                    "crate `{name}` has no line in xtask/src/tidy/dependencies.rs: say what it may depend on"
                ),
            });
            continue;
        };
        for dependency in dependencies
            .iter()
            .filter(|dependency| manifests.contains_key(*dependency))
        {
            if !allowed.contains(&dependency.as_str()) {
                findings.push(Finding {
                    path: path.into(),
                    line: None,
                    message: format!("`{name}` must not depend on `{dependency}`: see the map in ARCHITECTURE.md"),
                });
            }
        }
    }
    findings.extend(stacks_stay_lean(root)?);
    Ok(findings)
}

/// Name → (manifest, normal dependencies). A dev-dependency may point anywhere: tests are edges.
fn manifests(root: &Path) -> Result<BTreeMap<String, (String, Vec<String>)>> {
    let mut found = BTreeMap::new();
    let folders = ["crates", "functions", "tests"].iter().flat_map(|folder| {
        std::fs::read_dir(root.join(folder))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect::<Vec<_>>()
    });
    for folder in folders.chain([root.join("stacks"), root.join("xtask")]) {
        let manifest = folder.join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&manifest) else {
            continue;
        };
        let table: toml::Table = text.parse().with_context(|| manifest.display().to_string())?;
        let name = table
            .get("package")
            .and_then(|package| package.get("name"))
            .and_then(toml::Value::as_str);
        let name = name
            .with_context(|| format!("{} names no package", manifest.display()))?
            .to_owned();
        let dependencies = table.get("dependencies").and_then(toml::Value::as_table);
        let dependencies = dependencies
            .map(|table| table.keys().cloned().collect())
            .unwrap_or_default();
        let path = manifest.strip_prefix(root).unwrap_or(&manifest).display().to_string();
        found.insert(name, (path, dependencies));
    }
    Ok(found)
}

fn stacks_stay_lean(root: &Path) -> Result<Vec<Finding>> {
    let tree = std::process::Command::new("cargo")
        .args([
            "tree",
            "--package",
            "stacks",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--locked",
        ])
        .current_dir(root)
        .output()
        .context("cannot start cargo tree")?;
    anyhow::ensure!(
        tree.status.success(),
        "cargo tree failed: {}",
        String::from_utf8_lossy(&tree.stderr).trim()
    );
    let text = String::from_utf8_lossy(&tree.stdout).into_owned();
    let mut names: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    names.sort_unstable();
    names.dedup();
    let heavy = names
        .into_iter()
        .filter(|name| NOT_IN_STACKS.contains(name) || name.starts_with("aws-sdk-"));
    Ok(heavy
        .map(|name| Finding {
            path: "stacks/Cargo.toml".into(),
            line: None,
            message: format!(
                "an app of stacks pulls in `{name}` (cargo tree -p stacks -i {name}): find what brings it and drop it"
            ),
        })
        .collect())
}
