//! `deploy --no-execute` and `deploy PLAN`: change sets that are made now, looked at, and executed later.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws::assets::AssetManifest;
use aws::stacks::no_echo_parameters;
use aws::stacks::{ChangeSetPlan, Deployment, Planned, Proposal, StackError, StackInput, StackPlan, json_digest};
use futures::StreamExt as _;
use serde_json::json;

use super::approval::line;
use super::guard::{AtRisk, Guard};
use super::plan_file::{Deployed, Plan, PlannedChangeSet, PlannedStack};
use crate::assembly::{self, Stack};
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::session::Session;

/// `ENV.plan.json` in the current folder.
pub fn default_file(environment: &str) -> PathBuf {
    PathBuf::from(format!("{environment}.plan.json"))
}

/// A plan is named where a stack would be: by a file's name, which no stack can have.
pub fn named(stacks: &[String]) -> Outcome<Option<&Path>> {
    let is_file = |name: &String| name.ends_with(".json");
    match stacks {
        [one] if is_file(one) => Ok(Some(Path::new(one))),
        many if many.iter().any(is_file) => Err(Failure::new(
            Code::PlanInvalid,
            "a plan is executed as a whole, and alone: name one plan file, or stacks",
        )),
        _ => Ok(None),
    }
}

/// Makes the change sets and writes the plan.
pub async fn make(
    session: &Session<'_>,
    stacks: &[Stack],
    inputs: &[StackInput],
    deployment: &Deployment<'_>,
    guard: &Guard,
    file: &Path,
    console: &Console,
) -> Outcome<u8> {
    let planned: Vec<(&StackInput, Result<StackPlan, StackError>)> = futures::stream::iter(inputs)
        .map(|input| async move { (input, session.aws.plan_to_keep(input, deployment).await) })
        .buffered(deployment.concurrency.get())
        .collect()
        .await;
    let mut plans: Vec<(&StackInput, StackPlan)> = Vec::new();
    let mut later = BTreeMap::new();
    let mut failure = None;
    for (input, planned) in planned {
        match planned {
            Ok(plan) => plans.push((input, plan)),
            // What it imports comes with a stack that has not been deployed yet.
            Err(StackError::Refused { stack, reason }) if reason.contains("No export named") => {
                later.insert(stack, reason);
            }
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    if let Some(error) = failure {
        for (_, plan) in &plans {
            if let Planned::Changes(change_set) = &plan.planned {
                session
                    .aws
                    .discard_change_set(change_set)
                    .await
                    .map_err(refusal::deploying)?;
            }
        }
        return Err(refusal::deploying(error).hint("no plan was written, and nothing was changed"));
    }
    console.clear();
    let mut records = Vec::new();
    for (input, plan) in plans {
        show(&plan, guard, console);
        let stack = stacks.iter().find(|stack| stack.name == input.name);
        records.push(record(input, plan, stack)?);
    }
    for (stack, reason) in &later {
        console.say(&format!(
            "{stack}: to be planned when the others are deployed: {reason}"
        ));
    }
    let changing = records.iter().filter(|stack| stack.change_set.is_some()).count();
    let (all, file_name) = (records.len() + later.len(), file.display().to_string());
    let plan = Plan {
        tool: format!("llama-deploy {}", env!("CARGO_PKG_VERSION")),
        environment: session.environment.name.clone(),
        account: session.aws.account().to_owned(),
        region: session.aws.region().to_owned(),
        stacks: records,
        later,
    };
    console.print_json(&json!({ "plan": file_name, "stacks": plan.stacks, "later": plan.later }));
    plan.write(file)?;
    console.print(&format!(
        "{changing} of {all} stacks would change; `llama-deploy deploy {file_name}` executes exactly this"
    ));
    Ok(0)
}

fn show(plan: &StackPlan, guard: &Guard, console: &Console) {
    let stack = &plan.input.name;
    let Planned::Changes(change_set) = &plan.planned else {
        console.print(&format!("{stack}: no change"));
        return;
    };
    console.print(&format!("{stack}: {} changes", change_set.changes.len()));
    for change in &change_set.changes {
        console.print(&format!("  {}", line(change)));
    }
    let proposal = Proposal {
        input: &plan.input,
        change_set,
        deployed: plan.deployed.as_deref(),
    };
    for at_risk in guard.at_risk(&proposal) {
        console.say(&format!(
            "{stack}: refused without --allow-replace: {}",
            AtRisk::line(&at_risk)
        ));
    }
}

fn record(given: &StackInput, plan: StackPlan, stack: Option<&Stack>) -> Outcome<PlannedStack> {
    let input = plan.input;
    let hidden = no_echo_parameters(&input.template);
    let manifest = stack
        .and_then(|stack| stack.assets_file.as_deref())
        .map(AssetManifest::read)
        .transpose()
        .map_err(refusal::reading_assets)?;
    Ok(PlannedStack {
        template: json_digest(&input.template),
        app_template: json_digest(&given.template),
        assets: manifest.map(|manifest| manifest.object_keys()).unwrap_or_default(),
        parameters: input
            .parameters
            .into_iter()
            .map(|(key, value)| match hidden.contains(&key) {
                true => (key, "****".to_owned()),
                false => (key, value),
            })
            .collect(),
        name: input.name,
        depends_on: input.depends_on,
        tags: input.tags,
        termination_protection: input.termination_protection,
        deployed: plan.fingerprint.map(Deployed::of),
        change_set: match &plan.planned {
            Planned::Changes(change_set) => Some(PlannedChangeSet::of(change_set)),
            Planned::Unchanged(_) => None,
        },
    })
}

/// That the plan is of this environment, and of the assembly that stands in its folder, if there is one.
pub fn check(plan: &Plan, session: &Session<'_>, assembly: &[Stack]) -> Outcome {
    for (what, planned, actual) in [
        ("account", &plan.account, session.aws.account()),
        ("region", &plan.region, session.aws.region()),
    ] {
        if planned != actual {
            return Err(Failure::new(
                Code::PlanInvalid,
                format!("the plan is for {what} {planned}, and the environment's is {actual}"),
            )
            .hint("nothing was done"));
        }
    }
    for planned in &plan.stacks {
        let Some(stack) = assembly.iter().find(|stack| stack.name == planned.name) else {
            continue;
        };
        if json_digest(&stack.template()?.to_string()) != planned.app_template {
            return Err(Failure::new(
                Code::PlanMoved,
                format!(
                    "the app's assembly has another template of {} than the plan: the app was changed or built again \
                     since",
                    planned.name
                ),
            )
            .hint(format!(
                "plan again; or, to execute the plan as it is, remove {}",
                stack.template_file.parent().unwrap_or(&stack.template_file).display()
            )));
        }
    }
    Ok(())
}

/// What is to be executed, dependencies first. Stacks that do not change order nothing.
pub fn change_sets(plan: &Plan) -> Vec<ChangeSetPlan> {
    let changing: Vec<&PlannedStack> = plan.stacks.iter().filter(|stack| stack.change_set.is_some()).collect();
    let is_changing = |name: &String| changing.iter().any(|stack| stack.name == *name);
    changing
        .iter()
        .filter_map(|stack| {
            Some(ChangeSetPlan {
                input: StackInput {
                    name: stack.name.clone(),
                    depends_on: stack
                        .depends_on
                        .iter()
                        .filter(|name| is_changing(name))
                        .cloned()
                        .collect(),
                    termination_protection: stack.termination_protection,
                    ..StackInput::default()
                },
                change_set: stack.change_set.as_ref()?.change_set(&stack.name),
                template_digest: stack.template.clone(),
                fingerprint: stack.deployed.as_ref().map(Deployed::fingerprint),
            })
        })
        .collect()
}

/// The assembly of the environment's folder as the last command left it; none on a machine that has not made one.
pub fn assembly_of(session: &Session<'_>) -> Vec<Stack> {
    let folder = session.settings.environment_folder(&session.environment.name);
    assembly::read(&folder.join("assembly")).unwrap_or_default()
}
