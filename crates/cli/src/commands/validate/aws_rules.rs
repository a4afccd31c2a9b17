//! AWS's rules for templates: the program `llama-deploy-rules`, run over the files.
//!
//! It is a program of its own because AWS's crates change what a number is for every crate in the same program (see
//! `rules/Cargo.toml`). It stands beside this one, or is built once from the checkout that this one was built in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::finding::{Finding, Severity};
use crate::cargo_build::{CargoBuild, Progress};
use crate::checkout;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};

const PROGRAM: &str = "llama-deploy-rules";

/// A file to judge.
pub struct Template {
    /// The stack's path, or the file as it was named.
    pub name: String,
    pub file: PathBuf,
}

/// One line of the program's answer; `rules/src/main.rs` writes it.
#[derive(Deserialize)]
struct Judged {
    findings: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    id: String,
    severity: Severity,
    message: String,
    resource: Option<String>,
    property: Option<String>,
    line: Option<u32>,
    fix: Option<String>,
}

/// Errors and warnings, in the order of the templates. A text that is no template is a finding, too. `region` decides
/// what exists there.
pub fn check(templates: &[Template], region: Option<&str>, console: &Console) -> Outcome<Vec<Finding>> {
    let unusable = || Failure::new(Code::RulesUnavailable, format!("{PROGRAM} cannot judge the templates"));
    let program = program(console)?;
    console.waiting("applying AWS's rules");
    let mut command = Command::new(&program);
    command.args(region.iter().flat_map(|region| ["--region", region]));
    command.args(templates.iter().map(|template| &template.file));
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| unusable().because(error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(unusable().because(anyhow::anyhow!("{}, {}", said.trim(), output.status)));
    }
    let answers = String::from_utf8_lossy(&output.stdout);
    let answers: Vec<Judged> = answers
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable().because(error))?;
    if answers.len() != templates.len() {
        return Err(unusable().because(anyhow::anyhow!(
            "{} answers came for {} templates",
            answers.len(),
            templates.len()
        )));
    }
    let findings = templates.iter().zip(answers).flat_map(|(template, judged)| {
        let named = judged.findings.into_iter();
        named.map(|found| finding(found, template))
    });
    Ok(findings.collect())
}

fn finding(found: Found, template: &Template) -> Finding {
    let file = template.file.file_name().unwrap_or(template.file.as_os_str());
    Finding {
        id: found.id,
        severity: found.severity,
        message: found.message,
        template: template.name.clone(),
        resource: found.resource,
        property: found.property,
        construct: None,
        source: found.line.map(|line| format!("{}:{line}", file.display())),
        reason: None,
        fix: found.fix,
        suppressed: None,
    }
}

fn program(console: &Console) -> Outcome<PathBuf> {
    let missing = |what: &str| Failure::new(Code::RulesUnavailable, what);
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(|folder| folder.join(PROGRAM));
    if let Some(program) = beside.filter(|program| program.is_file()) {
        return Ok(program);
    }
    let Some(checkout) = checkout::built_in() else {
        return Err(missing(&format!("{PROGRAM} is not installed"))
            .hint(format!("put it beside this program: cargo install --ignore-rust-version {PROGRAM}, from the folder `rules` of its repository")));
    };
    let build = CargoBuild {
        workspace: checkout.join("rules"),
        target: checkout.join("target/rules"),
        profile: "release".to_owned(),
        triple: None,
        zigbuild: false,
    };
    let building = |progress: Progress<'_>| match progress {
        Progress::Starting(_) => console.waiting("building AWS's rules, once; this takes a minute or two"),
        Progress::Line(line) => console.ticking(&format!("building AWS's rules: {line}")),
    };
    let built = build
        .ensure(&[PROGRAM.to_owned()], &building)
        .map_err(|error| missing("AWS's rules cannot be built").because(error))?;
    built.into_iter().next().ok_or_else(|| missing("nothing was built"))
}
