//! How a rollout's end becomes the command's: what was reached, or a failure with its code.

use orchestrator::driver::{RolloutEnd, RolloutError, RolloutResult, Rollouts};
use orchestrator::ledger::{JournalError, LockError, head};
use orchestrator::rollout::{Effect, Reason};

use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::hooks;
use crate::refusal;

/// The hash of the newest record, for whoever keeps this run's log: `audit verify --head` finds by it what was cut off or
/// rewritten later. Said whatever came of the run; that it cannot be had is no failure of the run.
pub async fn tell_head(rollouts: &Rollouts, console: &Console) {
    match head(&*rollouts.ports.ledger, &rollouts.environment).await {
        Ok(Some(head)) => {
            console.clear();
            console.say(&format!("the journal ends with {head}: {}", head.hash));
            console.print_json(&serde_json::json!({ "event": "journal_head", "head": head }));
        }
        Ok(None) => {}
        Err(error) => console.say(&format!("warning: the journal's last hash cannot be read: {error}")),
    }
}

/// The end of a rollback that was asked for. An unfinished deploy that it found and turned back is one, too.
pub fn rolled_back(end: &RolloutEnd, environment: &str, console: &Console) -> Outcome<u8> {
    match &end.result {
        RolloutResult::RolledBack { .. } if !end.is_rollback => {
            console.clear();
            console.print_json(&serde_json::json!({ "event": "ended", "end": end }));
            let live = before(end);
            console.print(&format!(
                "rollout {} was turned back; {live} serves all traffic in {environment}",
                end.rollout
            ));
            Ok(0)
        }
        _ => ended(end, environment, console),
    }
}

fn before(end: &RolloutEnd) -> String {
    end.before
        .map_or_else(|| "the version before".to_owned(), |before| format!("release {before}"))
}

/// The end of a deploy or of a rollback that was reached.
pub fn ended(end: &RolloutEnd, environment: &str, console: &Console) -> Outcome<u8> {
    console.clear();
    console.print_json(&serde_json::json!({ "event": "ended", "end": end }));
    let failed_hooks = hooks::failures(&end.failed_hooks);
    for failed in &failed_hooks {
        console.say(&format!("warning: {failed}"));
    }
    let before = before(end);
    match &end.result {
        RolloutResult::Promoted => {
            console.print(&format!("release {} is live in {environment}", end.release));
            Ok(u8::from(!failed_hooks.is_empty()))
        }
        RolloutResult::RolledBack { reason } if end.is_rollback => Err(Failure::new(
            code_of(reason),
            format!(
                "the rollback to release {} did not happen; {before} serves",
                end.release
            ),
        )
        .because(anyhow::anyhow!("{reason}"))),
        RolloutResult::RolledBack { reason } => {
            let message = format!(
                "release {} was turned back; {before} serves all traffic in {environment}",
                end.release
            );
            let failure = Failure::new(code_of(reason), message).because(anyhow::anyhow!("{reason}"));
            Err(match reason {
                Reason::Interrupted { .. } => failure.hint("the traffic is settled; run the command again to deploy"),
                Reason::LiveBroken { .. } => failure
                    .hint("the schema is still expanded, and the live release goes on failing where it did in the checks")
                    .hint(format!(
                        "a release that serves on this schema is the way forward; llama-deploy migrate down --env \
                         {environment} takes the expand back, if that loses nothing; where only prepared statements are \
                         stale, ending the live release's sessions is enough"
                    )),
                _ => failure.hint(format!("llama-deploy history {environment} shows the rollout")),
            })
        }
        RolloutResult::NeedsHuman { found } => Err(Failure::new(
            Code::NeedsHuman,
            "somebody else moved the traffic, and it was left where it is",
        )
        .because(anyhow::anyhow!("{found}"))
        .hint(format!(
            "llama-deploy status {environment} shows what was expected and what is there"
        ))),
    }
}

fn code_of(reason: &Reason) -> Code {
    match reason {
        Reason::GateBreached { .. }
        | Reason::Inconclusive { .. }
        | Reason::Blind { .. }
        | Reason::Aborted { by: Some(_), .. }
        | Reason::NotApproved { .. } => Code::RolledBack,
        Reason::SmokeFailed { .. } => Code::SmokeFailed,
        Reason::LiveBroken { .. } => Code::SchemaUnfit,
        Reason::Aborted { .. } | Reason::Interrupted { .. } => Code::Interrupted,
        Reason::EffectFailed { effect, .. } => match effect {
            Effect::Deploy => Code::StackFailed,
            Effect::Expand | Effect::BackUp => Code::MigrationFailed,
            _ => Code::CloudUnavailable,
        },
    }
}

/// No end was reached.
pub fn failed(error: RolloutError) -> Failure {
    let (code, message) = match &error {
        RolloutError::Config(_) => (Code::ConfigInvalid, "the rollout's settings are not valid"),
        RolloutError::Lock(LockError::Held { .. }) => (Code::LockHeld, "another run is at work on this environment"),
        RolloutError::Lock(LockError::NotForced { .. }) => (Code::LockHeld, "the lock was not broken"),
        RolloutError::Lock(LockError::NotHeld) => (Code::NothingOpen, "there is no lock to break"),
        RolloutError::HandedOver { .. } => (Code::Interrupted, "the rollout was left to be carried on"),
        RolloutError::NothingOpen { .. } => (Code::NothingOpen, "no rollout is open"),
        RolloutError::NoRunAlive { .. } => (Code::RequestRefused, "the rollout stands still"),
        RolloutError::NeedsTheApp { .. } => (Code::RequestRefused, "the rollout was not carried on"),
        RolloutError::StillOpen { .. } => (Code::LockHeld, "a rollout has not ended"),
        RolloutError::Lock(LockError::Ledger(_)) | RolloutError::Ledger(_) => {
            (Code::CloudUnavailable, "the ledger cannot be used")
        }
        RolloutError::Lock(_) | RolloutError::LeaseEnded { .. } => (Code::LockHeld, "the lock was lost"),
        RolloutError::Journal(JournalError::Damaged { .. }) => (Code::JournalDamaged, "the journal cannot be trusted"),
        RolloutError::Journal(JournalError::Fenced { .. }) => (Code::LockHeld, "another run took over"),
        RolloutError::Journal(JournalError::Ledger(_)) => (Code::CloudUnavailable, "the ledger cannot be used"),
        RolloutError::Journal(JournalError::Illegal { .. }) => {
            (Code::Internal, "the rollout reached a state it cannot reach")
        }
        RolloutError::Port(error) => (refusal::code_of(error.kind), "nothing was begun"),
        RolloutError::Open { .. } => (Code::CloudUnavailable, "the rollout could not be finished"),
        RolloutError::ForeignChange { .. } => (Code::NeedsHuman, "the live traffic is not as this program left it"),
        RolloutError::NothingReleased => (Code::ReleaseUnknown, "there is nothing in the slots"),
        RolloutError::NothingToRollBackTo { .. }
        | RolloutError::UnknownRelease { .. }
        | RolloutError::NotRetained { .. } => (Code::ReleaseUnknown, "there is no such release to go back to"),
    };
    let hint = match &error {
        RolloutError::Lock(LockError::Held { .. }) => Some(
            "`llama-deploy abort ENV` tells the run that is at work to turn back, `pause` to wait, and `status` says what it \
             does",
        ),
        RolloutError::NothingOpen { .. } => {
            Some("`llama-deploy status ENV` says what happened last; `rollback` goes back from what is live")
        }
        _ => None,
    };
    let failure = Failure::new(code, message).because(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
