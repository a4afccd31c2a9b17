//! `llama-deploy migrate lint`: what is known to hurt in migrations. Offline it judges every file; with `--env` those that
//! are pending there, and it knows how large the tables are and which version the server is; offline the settings may tell
//! that, `[database] server-version`. Status 1 where something must not run as it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use migrate::lint::{Catalogue, Finding, Severity, Surroundings, lint};
use migrate::{MigrationFile, Migrator};
use serde_json::json;

use super::{OpenDatabase, no_database};
use crate::arguments::MigrateLint;
use crate::commands::relative;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::settings::Settings;

pub fn run(options: &MigrateLint, settings: &Settings, console: &Console) -> Outcome<u8> {
    let database = settings.database().ok_or_else(|| no_database(settings))?;
    let folder = &database.migrations;
    let (files, catalogue) = match &options.environment {
        None => (Migrator::load(folder).map_err(refusal::loading)?.files().to_vec(), None),
        Some(environment) => {
            let open = OpenDatabase::find(environment, settings, console)?;
            let migrator = open.migrator()?;
            let (status, catalogue) = open
                .session
                .runtime
                .block_on(async {
                    let status = migrator.status(&open.server).await?;
                    Ok((status, Catalogue::read(&open.server).await?))
                })
                .map_err(refusal::migrating)?;
            let files = if options.files.is_empty() {
                status.pending
            } else {
                migrator.files().to_vec()
            };
            (files, Some(catalogue))
        }
    };
    let files = chosen(files, &options.files)?;
    let surroundings = Surroundings {
        server_major: catalogue
            .as_ref()
            .map_or(database.server_version, |catalogue| Some(catalogue.server_major())),
        catalogue: catalogue.as_ref(),
    };
    let findings = lint(&files, &surroundings);
    show(&findings, files.len(), relative(folder, &settings.root), console);
    Ok(u8::from(errors(&findings) > 0))
}

/// The named files; all where none is named.
fn chosen(files: Vec<MigrationFile>, named: &[PathBuf]) -> Outcome<Vec<MigrationFile>> {
    if named.is_empty() {
        return Ok(files);
    }
    let names: BTreeSet<&str> = named.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    let known: BTreeSet<String> = files.iter().map(|file| file.file.clone()).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(**name)) {
        return Err(
            Failure::new(Code::ArgumentsInvalid, format!("there is no migration {unknown}"))
                .hint("name a file that applies a migration, not one that takes it back"),
        );
    }
    Ok(files
        .into_iter()
        .filter(|file| names.contains(file.file.as_str()))
        .collect())
}

fn show(findings: &[Finding], files: usize, folder: &Path, console: &Console) {
    for finding in findings {
        console.print(&format!("{}/{finding}", folder.display()));
    }
    let errors = errors(findings);
    console.say(&format!(
        "{files} files: {errors} errors, {} pieces of advice",
        findings.len() - errors
    ));
    console.print_json(&json!({ "folder": folder, "files": files, "errors": errors, "findings": findings }));
}

fn errors(findings: &[Finding]) -> usize {
    findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count()
}
