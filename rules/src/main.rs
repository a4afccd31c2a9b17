//! AWS's rules for CloudFormation templates: judges the files that are named and writes one JSON document a file, in
//! their order. `llama-deploy validate` starts it; people read what that makes of it.
//!
//! ```text
//! llama-deploy-rules [--region REGION] FILE...
//! {"file":"a.json","findings":[{"id":"E3002","severity":"error","message":"…","resource":"Queue",…}]}
//! ```
//! Exit status 0, whatever was found; 2 where a file cannot be read.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use cel_engine::CelEngine;
use rules::Severity;
use schema_validator::SchemaValidator;
use serde_json::{Value, json};
use validation_engine::{EngineConfig, ValidateConfig, validate_bytes_with_path};

fn main() -> ExitCode {
    let mut files: Vec<String> = Vec::new();
    let mut region = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--region" => region = arguments.next(),
            _ => files.push(argument),
        }
    }
    match judge(&files, region.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr must not hide the exit status.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}

fn judge(files: &[String], region: Option<&str>) -> Result<(), Box<dyn Error>> {
    let schemas = SchemaValidator::default();
    let engine = CelEngine::new(EngineConfig::default())?;
    let mut output = std::io::stdout().lock();
    for file in files {
        let text = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        // What AWS calls information is advice on style.
        let mut config = ValidateConfig {
            severity_level: Severity::Warn,
            ..ValidateConfig::default()
        };
        config.pseudo_parameter_overrides.region = region.map(str::to_owned);
        let report = validate_bytes_with_path(&engine, &schemas, &text, config, file.clone())
            .map_err(|error| format!("{file}: {error}"))?;
        let findings: Vec<Value> = report
            .diagnostics
            .into_iter()
            .map(|found| {
                let is_error = matches!(found.severity, Severity::Error | Severity::Fatal);
                json!({
                    "id": found.rule_id, "severity": if is_error { "error" } else { "warning" },
                    "message": found.message, "resource": found.entity.map(|entity| entity.logical_id),
                    "property": found.property_path, "line": found.location.map(|span| span.start_line), "fix": found.suggested_fix
                })
            })
            .collect();
        writeln!(output, "{}", json!({ "file": file, "findings": findings }))?;
    }
    Ok(())
}
