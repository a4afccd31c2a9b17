//! `llama-deploy migrate repair ENV`: proposes what to do about what does not fit, and does what can be done from here
//! after a yes. It never offers to begin anew.

use migrate::Remedy;
use serde_json::{Value, json};

use super::OpenDatabase;
use crate::arguments::MigrateRepair;
use crate::console::Console;
use crate::failure::Outcome;
use crate::refusal;
use crate::settings::Settings;

pub fn run(options: &MigrateRepair, settings: &Settings, console: &Console) -> Outcome<u8> {
    let open = OpenDatabase::find(options.environment.name(), settings, console)?;
    let migrator = open.migrator()?;
    let runtime = &open.session.runtime;
    let remedies = runtime
        .block_on(migrator.diagnose(&open.server))
        .map_err(refusal::migrating)?;
    let environment = &open.environment().name;
    if remedies.is_empty() {
        console.print("nothing is to be repaired");
    }
    let actor = &settings.actor;
    let who = format!("{} on {}", actor.name, actor.host);
    let mut answered = Vec::new();
    let mut left = 0;
    for remedy in &remedies {
        console.print(&format!("* {remedy}"));
        let done = remedy.is_certain() && agreed(options, console);
        if done {
            runtime
                .block_on(migrator.repair(&open.server, remedy, &who, &open.by_hand(), &open.wired.events()))
                .map_err(refusal::migrating)?;
            console.clear();
            console.print("  done");
        } else {
            left += 1;
        }
        answered.push(described(remedy, done));
    }
    if left > 0 && !options.yes && !console.can_ask() && remedies.iter().any(Remedy::is_certain) {
        console.say(&format!(
            "nobody can be asked, and nothing was changed: llama-deploy migrate repair {environment} --yes does what can be \
             done from here"
        ));
    }
    console.print_json(&json!({ "environment": environment, "remedies": answered }));
    Ok(u8::from(left > 0))
}

fn agreed(options: &MigrateRepair, console: &Console) -> bool {
    options.yes
        || console.can_ask()
            && console
                .ask("  do it? [y/N]")
                .is_ok_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

fn described(remedy: &Remedy, done: bool) -> Value {
    let kind = match remedy {
        Remedy::DropInvalidIndex { .. } => "drop_invalid_index",
        Remedy::Rebless { .. } => "record_new_checksum",
        Remedy::ForgetUnfinished { .. } => "forget_unfinished",
        Remedy::Advice { .. } => "advice",
    };
    json!({ "kind": kind, "remedy": remedy.to_string(), "can_be_done": remedy.is_certain(), "done": done })
}
