//! `llama-deploy deploy`: the app's stacks by change set; with `--blue-green` also the release and its rollout.

mod approval;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::BLUE_GREEN_METADATA;
use aws::assets::AssetEvent;
use aws::stacks::{StackOutcome, StackProgress};
use serde_json::json;

use self::approval::Ask;
use super::{Session, assemble_selected};
use crate::arguments::Deploy;
use crate::assembly::Stack;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::rollout::{self, Release, Reporter, Stacks, WithTraffic};
use crate::settings::Settings;

pub fn run(options: &Deploy, settings: &Settings, console: &Console) -> Outcome<u8> {
    let (environment, stacks) = assemble_selected(settings, &options.app, &options.stacks, console)?;
    let session = Session::open(settings, environment, console)?;
    let approval = Ask::new(environment.approval, options.yes, console.clone());
    if options.blue_green {
        return blue_green(options, &session, &stacks, approval, console);
    }
    let (inputs, manifests) = session.inputs(&stacks)?;
    let names = Stacks(stacks.iter().map(|stack| stack.name.clone()).collect());
    let ledger = rollout::ledger(&session)?;
    let outcomes = session.runtime.block_on(async {
        names.note(&ledger, &environment.name).await?;
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

fn blue_green(
    options: &Deploy,
    session: &Session<'_>,
    stacks: &[Stack],
    approval: Ask,
    console: &Console,
) -> Outcome<u8> {
    if !has_slots(stacks)? {
        return Err(Failure::new(Code::NothingToRelease, "no stack of the app holds slots")
            .hint("add `BlueGreen` to the stack of the API, or deploy without --blue-green"));
    }
    let approval = Arc::new(approval);
    let release = Release {
        stacks,
        approval: approval.clone(),
    };
    let reporter = Reporter::new(console.clone());
    let traffic = Arc::new(WithTraffic::new(
        reporter,
        console.clone(),
        session,
        stacks,
        !options.no_traffic,
    ));
    let rollouts = rollout::rollouts(session, Some(release), traffic.clone(), console)?;
    let end = session.runtime.block_on(async {
        rollout::abort_on_signals(&rollouts.abort, console)?;
        let end = rollouts.deploy_blue_green(options.tag.clone()).await;
        traffic.finish().await;
        end.map_err(rollout::failed)
    })?;
    if approval.was_refused() {
        return Err(Failure::new(
            Code::ApprovalNeeded,
            "a change was not approved, and nothing was deployed",
        )
        .hint("look at `llama-deploy diff`, then approve on a terminal or with --yes"));
    }
    rollout::ended(&end, &session.environment.name, console)
}

fn has_slots(stacks: &[Stack]) -> Outcome<bool> {
    for stack in stacks {
        if stack
            .template()?
            .pointer(&format!("/Metadata/{BLUE_GREEN_METADATA}"))
            .is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
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
