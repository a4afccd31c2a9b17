//! `llama-deploy list`: the app's stacks, dependencies first.

use serde_json::json;

use super::assemble_selected;
use crate::arguments::List;
use crate::console::Console;
use crate::failure::Outcome;
use crate::settings::Settings;

pub fn run(options: &List, settings: &Settings, console: &Console) -> Outcome<u8> {
    let (_, stacks) = assemble_selected(settings, &options.app, &[], console)?;
    for stack in &stacks {
        let name = if stack.name == stack.path {
            String::new()
        } else {
            format!(" ({})", stack.name)
        };
        console.print(&format!("{}{name}", stack.path));
    }
    let listed: Vec<_> = stacks
        .iter()
        .map(|stack| {
            json!({
                "path": stack.path, "name": stack.name, "environment": stack.environment, "dependencies": stack.dependencies
            })
        })
        .collect();
    console.print_json(&json!({ "stacks": listed }));
    Ok(0)
}
