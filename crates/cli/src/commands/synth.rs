//! `llama-deploy synth`: run the app, write its templates, print the one that was asked for.

mod explain_hash;

use serde_json::json;

use super::{assemble, relative};
use crate::arguments::Synth;
use crate::assembly;
use crate::console::Console;
use crate::failure::Outcome;
use crate::settings::{Settings, Surroundings};

pub fn run(options: &Synth, settings: &Settings, surroundings: &Surroundings, console: &Console) -> Outcome<u8> {
    let output = surroundings.folder.join(&options.output);
    let (_, stacks) = assemble(settings, &options.app, output, console)?;
    if let Some(asset) = &options.explain_hash {
        return explain_hash::run(asset, &assembly::select(stacks, &options.stacks)?, console);
    }
    let stacks = if options.stacks.is_empty() {
        stacks
    } else {
        let named = assembly::select(stacks, &options.stacks)?;
        named
            .into_iter()
            .filter(|stack| {
                options
                    .stacks
                    .iter()
                    .any(|name| *name == stack.path || *name == stack.name)
            })
            .collect()
    };
    if let [stack] = stacks.as_slice() {
        let template = stack.template()?;
        console.print(&format!("{template:#}"));
    } else {
        for stack in &stacks {
            console.print(&format!(
                "{}\t{}",
                stack.path,
                relative(&stack.template_file, &surroundings.folder).display()
            ));
        }
    }
    let listed: Vec<_> = stacks
        .iter()
        .map(|stack| json!({ "path": stack.path, "name": stack.name, "template": stack.template_file }))
        .collect();
    console.print_json(&json!({ "stacks": listed }));
    Ok(0)
}
