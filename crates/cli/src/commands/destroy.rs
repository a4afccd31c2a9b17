//! `llama-deploy destroy`: deletes stacks, those that use others first, after it has said what would be lost.
//!
//! What would fail half way is refused before anything is deleted. CloudFormation deletes on its own once it was asked,
//! so an interrupt loses nothing: the first waits for what is being deleted and begins no other, the second leaves it to
//! CloudFormation, and the same command follows what goes on and deletes the rest.

mod fate;
mod selection;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws::stacks::{Removal, RemovalProgress, StackDescription, Stop};
use serde_json::{Value, json};

use self::fate::{Fate, Obstacle, StackFate};
use super::{Session, assemble, interrupts};
use crate::arguments::Destroy;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::rollout::{self, Stacks};
use crate::settings::{Environment, LOCAL, Settings};

pub fn run(options: &Destroy, settings: &Settings, console: &Console) -> Outcome<u8> {
    let name = options.app.environment.as_deref().unwrap_or(LOCAL);
    check_consent(options, settings.environment(name)?)?;
    let assembly = settings.environment_folder(name).join("assembly");
    let (environment, stacks) = assemble(settings, &options.app, assembly, console)?;
    let session = Session::open(settings, environment, console)?;
    console.clear();
    let ledger = rollout::ledger(&session)?;
    session
        .runtime
        .block_on(rollout::refuse_at_work(&*ledger, environment, "it needs the stacks"))?;
    let noted = session.runtime.block_on(Stacks::read(&ledger, &environment.name))?;
    let candidates = selection::candidates(&stacks, &noted.0, &options.stacks)?;
    let fates = session.runtime.block_on(look(&session, &candidates))?;
    if fates.is_empty() {
        console.say(&format!("nothing of it is deployed in {}", environment.name));
        session
            .runtime
            .block_on(Stacks::forget(&ledger, &environment.name, &candidates))?;
        console.print_json(&json!({ "deleted": [] }));
        return Ok(0);
    }
    let uses = |user: &str, stack: &StackFate| {
        stack.importers.contains(user) || selection::users(&stacks, &stack.name).any(|name| name == user)
    };
    show(&fates, uses, environment, &session, console);
    refuse_obstacles(&fates)?;
    if !consent(options, environment, console)? {
        console.say("nothing was deleted");
        return Ok(1);
    }
    let removals: Vec<Removal> = fates
        .iter()
        .map(|stack| Removal {
            stack: stack.name.clone(),
            after: selection::users(&stacks, &stack.name)
                .chain(stack.importers.iter().cloned())
                .collect(),
            retain: options.retain.clone(),
        })
        .collect();
    session.runtime.block_on(async {
        delete(&session, &removals, console).await?;
        Stacks::forget(&ledger, &environment.name, &candidates).await
    })?;
    console.clear();
    let deleted: Vec<&str> = fates.iter().map(|stack| stack.name.as_str()).collect();
    console.print(&format!("deleted: {}", deleted.join(", ")));
    let retained: Vec<Value> = fates.iter().flat_map(StackFate::kept).collect();
    console.print_json(&json!({ "deleted": deleted, "kept": retained }));
    Ok(0)
}

/// What stands of the candidates, in their order.
async fn look(session: &Session<'_>, candidates: &[String]) -> Outcome<Vec<StackFate>> {
    let mut standing = Vec::new();
    for name in candidates {
        let stack = session.aws.describe_stack(name).await.map_err(refusal::calling)?;
        standing.extend(stack.filter(|stack| stack.status != "DELETE_COMPLETE"));
    }
    let chosen: BTreeSet<&str> = standing.iter().map(|stack| stack.name.as_str()).collect();
    let mut fates = Vec::with_capacity(standing.len());
    for stack in &standing {
        fates.push(look_at(session, stack, &chosen).await?);
    }
    Ok(fates)
}

async fn look_at(session: &Session<'_>, stack: &StackDescription, chosen: &BTreeSet<&str>) -> Outcome<StackFate> {
    let aws = &session.aws;
    let mut fate = look_into(session, stack).await?;
    for export in stack.exports.keys() {
        for importer in aws.importers(export).await.map_err(refusal::calling)? {
            if chosen.contains(importer.as_str()) {
                fate.importers.insert(importer);
            } else {
                fate.obstacles.push(Obstacle::Imported {
                    export: export.clone(),
                    importer,
                });
            }
        }
    }
    Ok(fate)
}

/// The stack and those nested in it, which go with it.
async fn look_into(session: &Session<'_>, stack: &StackDescription) -> Outcome<StackFate> {
    let aws = &session.aws;
    let text = aws.stack_template(&stack.id).await.map_err(refusal::calling)?;
    // Only JSON is looked into; of a stack that somebody made from YAML the defaults are assumed.
    let template = text
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or(Value::Null);
    let resources = aws.stack_resources(&stack.id).await.map_err(refusal::calling)?;
    let mut fate = StackFate::new(stack, &template, &resources);
    for bucket in fate.buckets_to_delete(&template) {
        if aws.bucket_holds_objects(&bucket).await.map_err(refusal::calling)? {
            fate.obstacles.push(Obstacle::BucketHoldsObjects { bucket });
        }
    }
    for (logical_id, id) in fate.nested() {
        if let Some(nested) = aws.describe_stack(&id).await.map_err(refusal::calling)? {
            let nested = Box::pin(look_into(session, &nested)).await?;
            fate.take_in(&logical_id, nested);
        }
    }
    Ok(fate)
}

fn show(
    fates: &[StackFate],
    uses: impl Fn(&str, &StackFate) -> bool,
    environment: &Environment,
    session: &Session<'_>,
    console: &Console,
) {
    console.say(&format!(
        "{} (account {}, {}): {} would be deleted",
        environment.name,
        session.aws.account(),
        session.aws.region(),
        count(fates.len(), "stack")
    ));
    for stack in fates {
        let deleted = stack.resources.iter().filter(|(_, fate)| *fate != Fate::Kept).count();
        let used: Vec<&str> = fates
            .iter()
            .filter(|other| uses(&stack.name, other))
            .map(|other| other.name.as_str())
            .collect();
        let because = match used.is_empty() {
            true => String::new(),
            false => format!(" (it uses {})", used.join(", ")),
        };
        console.say(&format!("{}: {}{because}", stack.name, count(deleted, "resource")));
        for (resource, fate) in &stack.resources {
            let says = match fate {
                Fate::Deleted => continue,
                Fate::Lost => "LOST with its data",
                Fate::Snapshot => "deleted after a last snapshot",
                Fate::Kept => "stays, and belongs to no stack any more",
            };
            let physical = resource.physical_id.as_deref().unwrap_or("no name yet");
            console.say(&format!(
                "  {} {} ({physical}): {says}",
                resource.resource_type, resource.logical_id
            ));
        }
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn refuse_obstacles(fates: &[StackFate]) -> Outcome {
    let found: Vec<(&str, &Obstacle)> = fates
        .iter()
        .flat_map(|stack| stack.obstacles.iter().map(|obstacle| (stack.name.as_str(), obstacle)))
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = found.iter().map(|(stack, obstacle)| obstacle.reason(stack)).collect();
    let mut failure = Failure::new(Code::DeletionRefused, "this cannot be deleted, and nothing was")
        .because(anyhow::anyhow!("{}", reasons.join("\n")));
    for (stack, obstacle) in found {
        let advice = obstacle.advice(stack);
        if !failure.hints.contains(&advice) {
            failure = failure.hint(advice);
        }
    }
    Err(failure)
}

/// Looked at before anything else is done.
fn check_consent(options: &Destroy, environment: &Environment) -> Outcome {
    match &options.confirm {
        Some(name) if *name != environment.name => Err(Failure::new(
            Code::ApprovalNeeded,
            format!("--confirm {name} is not the environment's name, {}", environment.name),
        )
        .hint("nothing was deleted; is it the environment that you mean?")),
        None if options.yes && !environment.is_local() => Err(Failure::new(
            Code::ApprovalNeeded,
            format!("--yes is not enough to delete {}", environment.name),
        )
        .hint(format!("say --confirm {} where nobody can be asked", environment.name))),
        _ => Ok(()),
    }
}

fn consent(options: &Destroy, environment: &Environment, console: &Console) -> Outcome<bool> {
    if options.confirm.is_some() || options.yes {
        return Ok(true);
    }
    if !console.can_ask() {
        return Err(
            Failure::new(Code::ApprovalNeeded, "nobody can be asked, and nothing was deleted").hint(format!(
                "after a look at the list above say --confirm {}",
                environment.name
            )),
        );
    }
    let answer = console.ask(&format!(
        "type the environment's name, {}, to delete this:",
        environment.name
    ));
    Ok(answer.is_ok_and(|answer| answer == environment.name))
}

async fn delete(session: &Session<'_>, removals: &[Removal], console: &Console) -> Outcome {
    let running: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let report = |progress: RemovalProgress| {
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        match &progress {
            RemovalProgress::Deleting { stack } => drop(running.insert(stack.clone())),
            RemovalProgress::Deleted { stack } => drop(running.remove(stack)),
            RemovalProgress::Event(_) => {}
        }
        drop(running);
        tell(&progress, console);
    };
    let stop = Stop::default();
    let deleting = running.clone();
    let in_progress = move |_| {
        let running = deleting.lock().unwrap_or_else(PoisonError::into_inner);
        let each: Vec<&str> = running.iter().map(String::as_str).collect();
        (!each.is_empty()).then(|| format!("the deletion of {}", each.join(", ")))
    };
    interrupts::listen(&stop, in_progress, console)?;
    let ended = session.aws.destroy_stacks(removals, &report, &stop).await;
    ended.map_err(refusal::destroying)
}

fn tell(progress: &RemovalProgress, console: &Console) {
    match progress {
        RemovalProgress::Deleting { stack } => console.waiting(&format!("{stack}: deleting")),
        RemovalProgress::Deleted { stack } => console.waiting(&format!("{stack}: deleted")),
        RemovalProgress::Event(event) => {
            let line = format!(
                "{}: {} {} {}",
                event.stack, event.status, event.resource_type, event.logical_id
            );
            match &event.reason {
                Some(reason) if event.status.ends_with("FAILED") => console.say(&format!("{line}: {reason}")),
                _ => console.ticking(&line),
            }
        }
    }
}
