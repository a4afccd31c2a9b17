//! `llama-deploy pause | resume | approve | promote | abort ENV`: a word to the rollout that is open, wherever it runs.
//!
//! Where nobody carries it on any more, all but `pause` take it over and carry it to its end here.

use std::sync::Arc;

use jiff::SignedDuration;
use orchestrator::driver::{Answer, RolloutResult, Rollouts};
use serde_json::json;

use super::{Session, deploy};
use crate::arguments::{Request, RequestWithReason};
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::moment::at;
use crate::rollout::{self, WithTraffic};
use crate::settings::Settings;

/// How long an answer of the run is waited for. It looks for requests between its calls and at every look of the gates.
const WAIT: SignedDuration = SignedDuration::from_secs(60);

/// What is asked.
#[derive(Clone, Debug)]
pub enum Verb {
    Pause,
    Resume,
    Approve,
    Promote { reason: Option<String> },
    Abort { reason: String },
}

pub fn pause(options: &Request, settings: &Settings, console: &Console) -> Outcome<u8> {
    run(Verb::Pause, options, settings, console)
}

pub fn resume(options: &Request, settings: &Settings, console: &Console) -> Outcome<u8> {
    run(Verb::Resume, options, settings, console)
}

pub fn approved(options: &Request, settings: &Settings, console: &Console) -> Outcome<u8> {
    run(Verb::Approve, options, settings, console)
}

pub fn promote(options: &RequestWithReason, settings: &Settings, console: &Console) -> Outcome<u8> {
    let reason = options.reason.clone();
    run(Verb::Promote { reason }, &options.request, settings, console)
}

pub fn abort(options: &RequestWithReason, settings: &Settings, console: &Console) -> Outcome<u8> {
    let reason = options
        .reason
        .clone()
        .unwrap_or_else(|| "no reason was given".to_owned());
    run(Verb::Abort { reason }, &options.request, settings, console)
}

/// For `traffic switch` to the candidate of a rollout that is held.
pub fn approve(session: &Session<'_>, rollouts: &Rollouts, console: &Console) -> Outcome<u8> {
    let answer = session.runtime.block_on(ask(rollouts, &Verb::Approve, WAIT, console))?;
    told(&answer, &Verb::Approve, &session.environment.name, console)
}

fn run(verb: Verb, options: &Request, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.environment.name())?;
    let session = Session::open(settings, environment, console)?;
    console.clear();
    let looking = rollout::rollouts(&session, None, Arc::new(()), console)?;
    let carries_on = matches!(verb, Verb::Resume | Verb::Approve | Verb::Promote { .. });
    let deploys = session
        .runtime
        .block_on(looking.resume_deploys_stacks())
        .map_err(rollout::failed)?;
    let wait = options.wait.unwrap_or(WAIT);
    let answer = if carries_on && deploys == Some(true) {
        console.say("the stacks are not deployed yet: the app is needed to carry this rollout on");
        deploy::with_app(&session, options.yes, settings, console, async |rollouts| {
            ask(rollouts, &verb, wait, console).await
        })?
    } else {
        let traffic = Arc::new(session.runtime.block_on(WithTraffic::carried_on(&session, console))?);
        let rollouts = rollout::rollouts(&session, None, traffic.clone(), console)?;
        session.runtime.block_on(async {
            let answer = ask(&rollouts, &verb, wait, console).await;
            traffic.finish().await;
            answer
        })?
    };
    told(&answer, &verb, &environment.name, console)
}

async fn ask(rollouts: &Rollouts, verb: &Verb, wait: SignedDuration, console: &Console) -> Outcome<Answer> {
    rollout::abort_on_signals(&rollouts.interrupt, console)?;
    let answer = match verb {
        Verb::Pause => rollouts.pause(wait).await,
        Verb::Resume => rollouts.resume(wait).await,
        Verb::Approve => rollouts.approve(wait).await,
        Verb::Promote { reason } => rollouts.promote(reason.clone(), wait).await,
        Verb::Abort { reason } => rollouts.abort(reason.clone(), wait).await,
    };
    if !matches!(
        answer,
        Ok(Answer::Taken { .. } | Answer::Refused { .. } | Answer::Queued { .. } | Answer::TooLate { .. })
    ) {
        rollout::tell_head(rollouts, console).await;
    }
    answer.map_err(rollout::failed)
}

fn told(answer: &Answer, verb: &Verb, environment: &str, console: &Console) -> Outcome<u8> {
    console.clear();
    if let Answer::CarriedOn { end } = answer {
        return match (verb, &end.result) {
            // What was asked for.
            (Verb::Abort { .. }, RolloutResult::RolledBack { .. }) => rollout::rolled_back(end, environment, console),
            _ => rollout::ended(end, environment, console),
        };
    }
    console.print_json(&json!({ "environment": environment, "answer": answer }));
    let see = format!("llama-deploy status {environment} shows what comes of it");
    match answer {
        Answer::Taken { rollout, state } => {
            console.print(&format!(
                "rollout {rollout} of {environment} ({state}): {}",
                obeyed(verb)
            ));
            Ok(0)
        }
        Answer::Refused { rollout, because } => Err(Failure::new(
            Code::RequestRefused,
            format!("rollout {rollout} of {environment} does not {}: {because}", word(verb)),
        )),
        Answer::TooLate { rollout, state } => Err(Failure::new(
            Code::RequestRefused,
            format!("rollout {rollout} of {environment} had ended ({state}) before the request was read"),
        )),
        Answer::Queued {
            rollout,
            sequence,
            holder,
        } => Err(Failure::new(
            Code::NoAnswer,
            format!("rollout {rollout} of {environment} did not answer request {sequence} yet"),
        )
        .because(anyhow::anyhow!(
            "the lock is held by {}, until {} unless it is renewed",
            holder.owner,
            at(holder.until)
        ))
        .hint(see)),
        Answer::CarriedOn { .. } => Ok(0),
    }
}

fn word(verb: &Verb) -> &'static str {
    match verb {
        Verb::Pause => "pause",
        Verb::Resume => "resume",
        Verb::Approve => "take the approval",
        Verb::Promote { .. } => "promote",
        Verb::Abort { .. } => "turn back",
    }
}

fn obeyed(verb: &Verb) -> &'static str {
    match verb {
        Verb::Pause => "paused. It is watched on, and a breach still turns it back; `resume` lets it go on",
        Verb::Resume => "goes on",
        Verb::Approve => "approved, goes on with its next step",
        Verb::Promote { .. } => "goes live at the next look of the gates that passes",
        Verb::Abort { .. } => "turns back",
    }
}
