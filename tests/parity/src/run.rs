//! Synthesizes cases and compares them.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use stack::App;
use thiserror::Error;

use crate::cases::{self, Case, Origin};
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

/// What the comparison of the cases has shown: own cases first, the oracle's verdict last.
#[derive(Debug, Default)]
pub struct Verdict {
    own: Report,
    oracle: Report,
}

impl Verdict {
    pub fn is_same(&self) -> bool {
        let compared = || {
            [&self.own, &self.oracle]
                .into_iter()
                .filter(|report| !report.is_empty())
        };
        compared().count() > 0 && compared().all(Report::is_same)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.own.is_empty() {
            write!(formatter, "{}", self.own)?;
        }
        if !self.own.is_empty() && !self.oracle.is_empty() {
            writeln!(formatter, "those were this repository's own cases; the oracle's:")?;
        }
        if !self.oracle.is_empty() {
            write!(formatter, "{}", self.oracle)?;
        }
        Ok(())
    }
}

/// The named cases, or all. Templates are written to `target/<case>/<Stack>.template.json`.
pub fn run(names: &[String], target: &Path) -> Result<Verdict, Failure> {
    let mut verdict = Verdict::default();
    for name in names {
        cases::find(name).ok_or_else(|| Failure::UnknownCase { name: name.clone() })?;
    }
    let wanted = |case: &&Case| names.is_empty() || names.iter().any(|name| name == case.name);
    for case in cases::CASES.iter().filter(wanted) {
        let folder = target.join(case.name);
        synthesize(case, &folder)?;
        let report = match case.origin {
            Origin::Oracle => &mut verdict.oracle,
            Origin::Own => &mut verdict.own,
        };
        compare::folders(&Path::new(ORACLE).join("expected").join(case.name), &folder, report)?;
    }
    Ok(verdict)
}

fn synthesize(case: &Case, folder: &Path) -> Result<(), Failure> {
    let at = |path: &Path, source| Failure::File {
        path: path.to_owned(),
        source,
    };
    // A template of an earlier run must not pass for one of this.
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|source| at(folder, source))?;
    }
    let app = App::new(folder.join("assembly"));
    (case.build)(&app);
    let assembly = app.synth().map_err(|errors| Failure::Synthesis {
        case: case.name,
        errors,
    })?;
    for stack in assembly.stacks {
        let path = folder.join(format!("{}.template.json", stack.name));
        fs::copy(&stack.template_path, &path).map_err(|source| at(&path, source))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_makes_the_same_templates() {
        let target = tempfile::tempdir().unwrap();
        let report = run(&[], target.path()).unwrap();
        assert!(report.is_same(), "{report}");
    }

    #[test]
    fn the_guide_shows_the_example_that_is_compared() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        let guide = read("../../docs/from-cdk.md");
        for (language, source) in [("ts", "oracle/cases/guide.ts"), ("rust", "src/cases/guide.rs")] {
            let source = read(source);
            let (_, example) = source.split_once("// begin example\n").unwrap();
            let (example, _) = example.split_once("// end example").unwrap();
            assert!(
                guide.contains(&format!("```{language}\n{example}```")),
                "docs/from-cdk.md shows another {language} than the case `guide`"
            );
        }
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
