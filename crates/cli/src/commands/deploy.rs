//! `llama-deploy deploy`: the app's stacks by change set; with `--blue-green` also the release and its rollout.

mod approval;

use std::collections::BTreeMap;

use aws::assets::AssetEvent;
use aws::stacks::{StackOutcome, StackProgress};
use serde_json::json;

use self::approval::Ask;
use super::{Session, assemble, scratch_assembly};
use crate::arguments::Deploy;
use crate::assembly;
use crate::console::Console;
use crate::failure::Outcome;
use crate::refusal;
use crate::settings::Settings;

pub fn run(options: &Deploy, settings: &Settings, console: &Console) -> Outcome<u8> {
    let (environment, stacks) = assemble(
        settings,
        &options.app,
        scratch_assembly(settings, &options.app),
        console,
    )?;
    let stacks = assembly::select(stacks, &options.stacks)?;
    let session = Session::open(settings, environment, console)?;
    let (inputs, manifests) = session.inputs(&stacks)?;
    let approval = Ask {
        approval: environment.approval,
        yes: options.yes,
        console,
    };
    let outcomes = session.runtime.block_on(async {
        for manifest in &manifests {
            session
                .aws
                .publish(manifest, &|event| asset(&event, console))
                .await
                .map_err(refusal::publishing)?;
        }
        session
            .aws
            .deploy_stacks(&inputs, &approval, &|event| progress(&event, console))
            .await
            .map_err(refusal::deploying)
    })?;
    console.clear();
    show(&outcomes, console);
    Ok(0)
}

fn show(outcomes: &BTreeMap<String, StackOutcome>, console: &Console) {
    let mut documents = Vec::new();
    for (stack, outcome) in outcomes {
        console.say(&format!(
            "{stack}: {}",
            if outcome.changed { "deployed" } else { "no change" }
        ));
        for (name, value) in &outcome.description.outputs {
            console.print(&format!("{stack}.{name} = {value}"));
        }
        documents.push(json!({
            "stack": stack, "changed": outcome.changed, "status": outcome.description.status,
            "outputs": outcome.description.outputs
        }));
    }
    console.print_json(&json!({ "stacks": documents }));
}

fn asset(event: &AssetEvent, console: &Console) {
    match event {
        AssetEvent::Uploading { asset, bytes } => {
            console.waiting(&format!("uploading {asset} ({:.1} MB)", *bytes as f64 / 1e6));
        }
        AssetEvent::AlreadyThere { .. } | AssetEvent::Uploaded { .. } => {}
    }
}

pub fn progress(event: &StackProgress, console: &Console) {
    match event {
        StackProgress::Planning { stack } => console.waiting(&format!("{stack}: planning")),
        StackProgress::Unchanged { .. } => {}
        StackProgress::Executing { stack, changes } => console.waiting(&format!("{stack}: {changes} changes")),
        StackProgress::Event(event) => {
            let line = format!(
                "{}: {} {} {}",
                event.stack, event.status, event.resource_type, event.logical_id
            );
            match &event.reason {
                Some(reason) if event.status.ends_with("FAILED") => console.say(&format!("{line}: {reason}")),
                _ => console.ticking(&line),
            }
        }
        StackProgress::Done { stack, status } => console.waiting(&format!("{stack}: {status}")),
    }
}
