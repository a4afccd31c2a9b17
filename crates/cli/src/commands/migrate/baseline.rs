//! `llama-deploy migrate baseline ENV --to VERSION`: takes over a database whose schema came from elsewhere.

use serde_json::json;

use super::OpenDatabase;
use crate::arguments::MigrateBaseline;
use crate::console::Console;
use crate::failure::Outcome;
use crate::refusal;
use crate::settings::Settings;

pub fn run(options: &MigrateBaseline, settings: &Settings, console: &Console) -> Outcome<u8> {
    let open = OpenDatabase::find(options.environment.name(), settings, console)?;
    let migrator = open.migrator()?;
    let recorded = open
        .session
        .runtime
        .block_on(migrator.baseline(&open.server, options.to, &open.by_hand(), &open.wired.events()))
        .map_err(refusal::migrating)?;
    console.clear();
    for file in &recorded {
        console.print(&format!("recorded  {file}"));
    }
    console.say(&format!(
        "{} files are recorded as applied; none was run, and the schema was not looked at",
        recorded.len()
    ));
    console.print_json(&json!({ "environment": open.environment().name, "recorded": recorded }));
    Ok(0)
}
