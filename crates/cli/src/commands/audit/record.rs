//! One record of a journal as lines: what happened, and for a decision everything that it rests on.

use orchestrator::gates::{Finding, Judgement, Numbers};
use orchestrator::ledger::Record;
use orchestrator::ports::{Expanded, HookRun};
use orchestrator::rollout::{Event, Goal, LiveCheck, Plan, PlannedStep};

use crate::moment::at;

/// `  12  12:05:03Z  baking            judged step 1: pass …`
pub fn lines(record: &Record) -> Vec<String> {
    let time = record.time.strftime("%Y-%m-%d %H:%M:%S%.3fZ");
    let (said, more) = event(&record.event);
    let mut lines = vec![format!(
        "{:>4}  {time}  {:17} {said}",
        record.sequence,
        record.state.to_string()
    )];
    lines.extend(more.into_iter().map(|line| format!("{:50}{line}", "")));
    lines
}

/// What happened, and what belongs to it.
fn event(event: &Event) -> (String, Vec<String>) {
    let mut more = Vec::new();
    let said = match event {
        Event::Opened { plan } => {
            more = planned(plan);
            match &plan.goal {
                Goal::Deploy {
                    release, tag, hotfix, ..
                } => {
                    let hotfix = hotfix.as_ref().map(|reason| format!(", HOTFIX: {reason}"));
                    format!("opened: release {release} ({tag}){}", hotfix.unwrap_or_default())
                }
                Goal::Rollback { from, to, .. } => {
                    format!("opened: rollback from release {from} to {} ({})", to.number, to.tag)
                }
            }
        }
        Event::LockTaken { epoch } => format!("took the lock, epoch {epoch}"),
        Event::Intended { effect, expected } => {
            if !expected.is_empty() {
                more.push(format!("expected: {expected}"));
            }
            format!("began {effect}")
        }
        Event::Prepared { live, alarms, .. } => {
            let in_alarm = alarms.len();
            match live {
                Some(live) => format!(
                    "release {} is live in slot {}; {in_alarm} alarms noted",
                    live.number, live.slot
                ),
                None => format!("nothing is live yet; {in_alarm} alarms noted"),
            }
        }
        Event::BackedUp { backup: None } => "no backup was asked for".to_owned(),
        Event::BackedUp { backup: Some(backup) } => {
            more = backup.hooks.iter().flat_map(hook).collect();
            format!("backed up: {}", backup.location)
        }
        Event::Expanded {
            expanded: Expanded::NoDatabaseYet,
        } => "there is no database to expand yet".to_owned(),
        Event::Expanded {
            expanded:
                Expanded::Applied {
                    count,
                    schema_version,
                    contracts: _,
                    hooks,
                },
        } => {
            more = hooks.iter().flat_map(hook).collect();
            let version = schema_version.as_deref().unwrap_or("no version");
            format!("expanded: {count} applied, the schema is at {version}")
        }
        Event::LiveChecked { checks: None, left, .. } if !left.is_empty() => {
            more = left.iter().map(LiveCheck::to_string).collect();
            "no expand is pending; what an earlier rollout left the live release failing with".to_owned()
        }
        Event::LiveChecked { checks: None, .. } => "no expand is pending: the live release is not checked".to_owned(),
        Event::LiveChecked {
            expanded,
            checks: Some(checks),
            ..
        } => {
            more = checks.iter().map(LiveCheck::to_string).collect();
            let when = if *expanded { "after" } else { "before" };
            format!("the live release {when} the expand")
        }
        Event::Deployed { deployed } => {
            let changed = if deployed.changed { "changed" } else { "as they were" };
            format!("the stacks are {changed}, templates {}", deployed.template_digest)
        }
        Event::Established { live, .. } => format!("release {} serves from slot {}", live.number, live.slot),
        Event::Released { release } => {
            let functions = release.functions.iter();
            more.extend(functions.map(|function| format!("{} version {}", function.name, function.version)));
            let apis = release.apis.iter();
            more.extend(apis.map(|api| format!("API {} deployment {}", api.rest_api_id, api.deployment_id)));
            let contracts = release.contracts.iter().flatten();
            more.extend(contracts.map(|version| format!("with the contract {version}")));
            format!("slot {} holds release {}", release.slot, release.number)
        }
        Event::Smoked { digest, results } => {
            more = results
                .iter()
                .map(|result| {
                    let sign = if result.passed { "✓" } else { "✗" };
                    format!("{sign} {}: {}", result.name, result.detail)
                })
                .collect();
            format!("smoke test of {}… passed", digest.get(..12).unwrap_or(digest))
        }
        Event::InForce { step, weight, .. } => format!("step {}: {weight} is in force", step + 1),
        Event::Judged { step, judgement, .. } => {
            more = decided(judgement);
            format!(
                "JUDGED step {}: {}, {} calls",
                step + 1,
                judgement.verdict,
                judgement.requests
            )
        }
        Event::Promoted { .. } => "all live traffic is on the release".to_owned(),
        Event::Retained => "recorded as live; the release before stays ready".to_owned(),
        Event::Withdrawn => "all live traffic is where it was before".to_owned(),
        Event::Failed { effect, reason } => format!("FAILED {effect}: {reason}"),
        Event::AbortRequested { reason } => format!("TOLD TO TURN BACK: {reason}"),
        Event::Requested { by, request, .. } => format!("ASKED by {by}: {request}"),
        Event::RequestRefused {
            by, request, because, ..
        } => format!("REFUSED to {by}: {request}: {because}"),
        Event::ApprovalAsked { step, .. } => format!("waits for the approval of step {}", step + 1),
        Event::TimedOut { .. } => "nobody answered in time".to_owned(),
        Event::Recovered {
            epoch,
            promoted,
            resume,
            ..
        } => {
            let then = match (promoted, resume) {
                (true, _) => "all traffic was on the candidate: finishing the promotion",
                (false, true) => "carrying it on",
                (false, false) => "turning it back",
            };
            format!("TAKEN OVER in epoch {epoch}: {then}")
        }
        Event::ForeignChange { found, .. } => format!("CHANGED BY SOMEBODY ELSE: {found}"),
    };
    (said, more)
}

fn planned(plan: &Plan) -> Vec<String> {
    let step = |(index, step): (usize, &PlannedStep)| {
        let approval = if step.approval { ", after approval" } else { "" };
        format!(
            "step {}: {} for {:#}, settling {:#}, extended by at most {:#}{approval}",
            index + 1,
            step.weight,
            step.bake,
            step.settle,
            step.longest_extension
        )
    };
    plan.steps.iter().enumerate().map(step).collect()
}

/// Verdict, numbers and bounds of every gate, what was asked, and for which window. The samples by period are in the JSON.
/// A command of the settings, and the end of what it wrote.
fn hook(run: &HookRun) -> Vec<String> {
    let sign = if run.succeeded { "✓" } else { "✗" };
    let head = format!("{sign} {}: {} ({})", run.when, run.command, run.ended);
    let output = run.output.lines().map(|line| format!("  {line}"));
    std::iter::once(head).chain(output).collect()
}

fn decided(judgement: &Judgement) -> Vec<String> {
    let mut lines: Vec<String> = judgement.findings.iter().map(found).collect();
    match &judgement.samples {
        Some(samples) => {
            lines.push(format!("samples from {} to {}", at(samples.from), at(samples.to)));
            lines.extend(samples.queries.iter().map(|query| format!("asked: {query}")));
        }
        None => lines.push("the metrics could not be read".to_owned()),
    }
    lines
}

fn found(finding: &Finding) -> String {
    let bounds = match &finding.numbers {
        Some(Numbers::Rate { lower, upper, .. }) => {
            format!("; above {lower} % for 99 % sure, below {upper} % for 95 % sure")
        }
        _ => String::new(),
    };
    format!("{:12} {finding}{bounds}", finding.verdict.to_string())
}
