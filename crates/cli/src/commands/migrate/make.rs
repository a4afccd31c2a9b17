//! `llama-deploy migrate make NAME`: an empty migration with the next version. Needs no database.

use serde_json::json;

use super::no_database;
use crate::arguments::MigrateMake;
use crate::commands::relative;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::rollout::now;
use crate::settings::Settings;

pub fn run(options: &MigrateMake, settings: &Settings, console: &Console) -> Outcome<u8> {
    let folder = &settings.database().ok_or_else(|| no_database(settings))?.migrations;
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::new(
            Code::MigrationsInvalid,
            format!("the folder {} cannot be made", folder.display()),
        )
        .because(error)
    })?;
    let version = now().strftime("%Y%m%d%H%M%S").to_string();
    let version = version
        .parse::<i64>()
        .map_err(|error| Failure::new(Code::Internal, format!("{version} is no version")).because(error))?;
    let made =
        migrate::make(folder, version, &options.name, options.phase, !options.no_down).map_err(refusal::loading)?;
    let paths: Vec<String> = made
        .iter()
        .map(|path| relative(path, &settings.root).display().to_string())
        .collect();
    for path in &paths {
        console.print(path);
    }
    console.say("write a statement into each; an empty one is refused");
    console.print_json(&json!({ "files": paths, "phase": options.phase.name() }));
    Ok(0)
}
