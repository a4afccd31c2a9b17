//! Synthesizes cases and compares them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use stack::App;
use thiserror::Error;

use crate::cases::{self, Case};
use crate::compare::{self, Report};

/// Where the TypeScript cases and aws-cdk-lib's templates stand.
pub const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/oracle");

#[derive(Debug, Error)]
pub enum Failure {
    #[error("there is no case `{name}`; there are {}", cases::names())]
    UnknownCase { name: String },
    #[error("the case `{case}` does not synthesize:\n{errors}")]
    Synthesis { case: &'static str, errors: stack::Errors },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is no JSON: {source}", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
}

/// The named cases, or the default ones. Templates are written to `target/<case>/<Stack>.template.json`.
pub fn run(names: &[String], target: &Path) -> Result<Report, Failure> {
    let mut report = Report::default();
    for name in names {
        cases::find(name).ok_or_else(|| Failure::UnknownCase { name: name.clone() })?;
    }
    let wanted = |name: &str| {
        if names.is_empty() {
            cases::DEFAULT_CASES.contains(&name)
        } else {
            names.iter().any(|wanted| wanted == name)
        }
    };
    for case in cases::CASES.iter().filter(|case| wanted(case.name)) {
        let folder = target.join(case.name);
        synthesize(case, &folder)?;
        compare::folders(
            &Path::new(ORACLE).join("expected").join(case.name),
            &folder,
            &mut report,
        )?;
    }
    Ok(report)
}

fn synthesize(case: &Case, folder: &Path) -> Result<(), Failure> {
    let app = App::new(folder.join("assembly"));
    (case.build)(&app);
    let assembly = app.synth().map_err(|errors| Failure::Synthesis {
        case: case.name,
        errors,
    })?;
    for stack in assembly.stacks {
        let path = folder.join(format!("{}.template.json", stack.name));
        fs::copy(&stack.template_path, &path).map_err(|source| Failure::File { path, source })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_makes_the_same_templates() {
        let target = tempfile::tempdir().unwrap();
        let all = cases::CASES.map(|case| case.name.to_owned());
        let report = run(&all, target.path()).unwrap();
        assert!(report.is_same(), "{report}");
    }

    #[test]
    fn an_unknown_case_is_refused() {
        let target = tempfile::tempdir().unwrap();
        let failure = run(&["nothing".to_owned()], target.path()).unwrap_err();
        assert!(
            failure
                .to_string()
                .starts_with("there is no case `nothing`; there are core, "),
            "{failure}"
        );
    }
}
