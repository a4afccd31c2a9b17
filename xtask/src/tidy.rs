//! `cargo xtask tidy`: the repository's own rules as checks that name the fix.

mod dependencies;
mod map;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// One broken rule: where, and what to do.
pub struct Finding {
    pub path: PathBuf,
    pub line: Option<usize>,
    pub message: String,
}

pub fn run() -> Result<()> {
    let root = shell::root();
    let files = tracked_files(&root)?;
    let mut findings = dependencies::check(&root)?;
    findings.extend(map::check(&root)?);
    findings.extend(words::check(&root, &files)?);
    for finding in &findings {
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        eprintln!("{}{line}: {}", finding.path.display(), finding.message);
    }
    if !findings.is_empty() {
        bail!("{} rules broken", findings.len());
    }
    println!("tidy: {} files keep the rules", files.len());
    Ok(())
}

/// What git knows, and what it would know after `git add`.
fn tracked_files(root: &Path) -> Result<Vec<PathBuf>> {
    let listing = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("cannot list the repository's files: is git installed?")?;
    if !listing.status.success() {
        bail!(
            "git ls-files failed: {}",
            String::from_utf8_lossy(&listing.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&listing.stdout)
        .lines()
        .map(PathBuf::from)
        .filter(|path| root.join(path).is_file())
        .collect())
}
