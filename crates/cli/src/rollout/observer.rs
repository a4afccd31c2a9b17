//! Renders what the orchestrator tells: a line for what lasts, the terminal's last line for what goes on.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use orchestrator::driver::{Observer, RolloutEvent};
use orchestrator::gates::{Judgement, Verdict};
use orchestrator::ports::{InfrastructureProgress, SmokeCheckResult};
use orchestrator::rollout::{Effect, Goal, LiveCheck, Plan, RolloutNumber};

use crate::console::{Console, bar};
use crate::moment::at;

/// Without a terminal, what a bake says is repeated this often, or at once when its verdict changes.
const REPEAT: SignedDuration = SignedDuration::from_secs(30);

pub struct Reporter {
    console: Console,
    /// The last bake line that was written where there is no terminal.
    said: Mutex<Option<(Timestamp, String)>>,
}

impl Reporter {
    pub fn new(console: Console) -> Self {
        Self {
            console,
            said: Mutex::new(None),
        }
    }

    fn baking(&self, step: usize, share: f64, head: &str, judgement: &Judgement, now: Timestamp) {
        let verdict = judgement.verdict.to_string();
        let said = match judgement.verdict {
            Verdict::Pass => format!("{} calls of the candidate, nothing to object", judgement.requests),
            Verdict::Inconclusive | Verdict::Fail => judgement.summary(),
        };
        let line = format!("{head} {} {verdict}: {said}", bar(share));
        self.console.ticking(line.trim_start());
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{step} {verdict}");
        let due = said
            .as_ref()
            .is_none_or(|(at, known)| *known != key || now.duration_since(*at) >= REPEAT);
        if due && !self.console.is_terminal() {
            self.console.say(&line);
            *said = Some((now, key));
        }
    }
}

impl Observer for Reporter {
    fn observe(&self, event: &RolloutEvent) {
        let console = &self.console;
        console.print_json(event);
        match event {
            RolloutEvent::WaitingForLock { holder } => console.say(&format!(
                "the environment is locked by {} since {}; waiting until it is renewed or its lease ends at {}",
                holder.owner,
                at(holder.since),
                at(holder.until)
            )),
            RolloutEvent::LockTaken { .. } | RolloutEvent::State { .. } => {}
            RolloutEvent::FoundOpen {
                rollout,
                state,
                pending,
                last_record,
                actor,
                resume,
            } => {
                let then = if *resume { "Carrying it on" } else { "Settling it first" };
                let doing = pending.as_ref().map(|effect| format!(", {effect}")).unwrap_or_default();
                console.say(&format!(
                    "found rollout {rollout} unfinished: {state}{doing}; begun by {actor}, last heard of at {last_record}. {then}"
                ));
            }
            RolloutEvent::Planned { plan } => console.say(&planned(plan)),
            RolloutEvent::EffectBegins { effect } => {
                if matches!(effect, Effect::Deploy | Effect::BackUp | Effect::Expand) {
                    console.waiting(&effect.to_string());
                } else if !matches!(effect, Effect::Judge { .. }) {
                    console.ticking(&effect.to_string());
                }
            }
            RolloutEvent::EffectEnds {
                effect: Effect::Judge { .. },
                ..
            } => {}
            RolloutEvent::EffectEnds {
                effect,
                succeeded: true,
            } => {
                console.clear();
                console.say(&format!("✓ {effect}"));
            }
            RolloutEvent::EffectEnds {
                effect,
                succeeded: false,
            } => {
                console.clear();
                console.say(&format!("✗ {effect}"));
            }
            RolloutEvent::Retrying {
                operation,
                error,
                attempt,
                attempts,
                ..
            } => {
                console.say(&format!("{operation}: {error}; trying again ({attempt} of {attempts})"));
            }
            RolloutEvent::Infrastructure { progress } => infrastructure(console, progress),
            RolloutEvent::OldAlarm { alarm } => {
                console.say(&format!(
                    "alarm {} is in ALARM since {} already: it is not obeyed",
                    alarm.name.0, alarm.since
                ));
            }
            RolloutEvent::Smoked { slot, results } => {
                for result in results {
                    console.say(&smoked(slot.as_str(), result));
                }
            }
            RolloutEvent::LiveChecked { expanded, checks } => {
                for check in checks {
                    console.say(&live_checked(*expanded, check));
                }
            }
            RolloutEvent::LiveLeftBroken { rollout, checks } => {
                for check in checks {
                    console.say(&left_broken(*rollout, check));
                }
                if checks.iter().any(|check| check.failures > 0) {
                    console.say(
                        "  this rollout does not judge that: a release that serves on the schema as it is is the way forward",
                    );
                }
            }
            RolloutEvent::WaitingForTraffic { api, seen } => {
                console.ticking(&format!("{api}: not in force yet: {seen}"))
            }
            RolloutEvent::Draining { entries, until, now } => console.ticking(&format!(
                "draining {} for {:.0} s more",
                entries.join(", "),
                until.duration_since(*now).as_secs_f64().max(0.0)
            )),
            RolloutEvent::InForce { slot, weight } => {
                console.say(&format!("  {slot} has {weight} of the live traffic"))
            }
            RolloutEvent::Baking {
                step,
                weight,
                since,
                passes_from,
                now,
                judgement,
                ..
            } => {
                let whole = passes_from.duration_since(*since).as_secs_f64();
                let gone = now.duration_since(*since).as_secs_f64();
                let share = if whole > 0.0 { gone / whole } else { 1.0 };
                let head = format!("  {weight} for {:.0} s of at least {:.0} s", gone.max(0.0), whole);
                self.baking(*step, share, &head, judgement, *now);
            }
            RolloutEvent::RequestTaken { by, request } => {
                console.clear();
                console.say(&format!("{by}: {request}"));
            }
            RolloutEvent::RequestRefused { by, request, because } => {
                console.clear();
                console.say(&format!("{by}: {request}: not now, {because}"));
            }
            RolloutEvent::ApprovalAsked { step, weight, until } => {
                console.clear();
                console.say(&format!(
                    "WAITING FOR APPROVAL of step {} ({weight}) until {}: llama-deploy approve, or abort",
                    step + 1,
                    at(*until)
                ));
            }
            RolloutEvent::Waiting { state, paused, until } => {
                let paused = if *paused { ", paused" } else { "" };
                let until = until.map(|until| format!(" until {}", at(until))).unwrap_or_default();
                console.ticking(&format!("{state}{paused}: waiting{until}"));
            }
            RolloutEvent::TurningBack { reason } => {
                console.clear();
                console.say(&format!("TURNING BACK: {reason}"));
            }
            RolloutEvent::Preflight { shortages, required } => {
                console.clear();
                let head = if *required {
                    "TOO LITTLE TRAFFIC"
                } else {
                    "warning: little traffic"
                };
                for shortage in shortages {
                    console.say(&format!("{head}: {shortage}"));
                }
            }
            RolloutEvent::Warning { message } => console.say(&format!("warning: {message}")),
        }
    }
}

fn planned(plan: &Plan) -> String {
    match &plan.goal {
        Goal::Deploy {
            release, tag, hotfix, ..
        } => {
            let steps: Vec<String> = plan
                .steps
                .iter()
                .map(|step| format!("{} for {:#}", step.weight, step.bake))
                .collect();
            let steps = steps.join(", ");
            let hotfix = hotfix.as_ref().map(|reason| {
                format!("\nHOTFIX: {reason}: short steps; old alarms and the live release's errors are not obeyed")
            });
            format!(
                "rollout {}: release {release} ({tag}) by {steps}{}",
                plan.rollout,
                hotfix.unwrap_or_default()
            )
        }
        Goal::Rollback { from, to, repoint } => {
            let how = if *repoint {
                "after a smoke test in the idle slot"
            } else {
                "in one switch"
            };
            format!(
                "rollout {}: back from release {from} to release {} ({}) {how}",
                plan.rollout, to.number, to.tag
            )
        }
    }
}

fn smoked(slot: &str, result: &SmokeCheckResult) -> String {
    let sign = if result.passed { "✓" } else { "✗" };
    format!(
        "  {sign} {slot}: {}: {} ({:.0} ms)",
        result.name,
        result.detail,
        result.duration.as_secs_f64() * 1e3
    )
}

fn live_checked(expanded: bool, check: &LiveCheck) -> String {
    let note = if !expanded && check.failures > 0 {
        "; it is not judged after the expand"
    } else {
        ""
    };
    let when = if expanded { "after" } else { "before" };
    format!("  live, {when} the expand: {check}{note}")
}

fn left_broken(rollout: RolloutNumber, check: &LiveCheck) -> String {
    match check.failures {
        0 => format!("  live, as rollout {rollout} left it failing: {check} now"),
        _ => format!("warning: the live release still fails since rollout {rollout} expanded the schema: {check}"),
    }
}

fn infrastructure(console: &Console, progress: &InfrastructureProgress) {
    match progress {
        InfrastructureProgress::Asset { name, done: false } => console.waiting(&format!("publishing {name}")),
        InfrastructureProgress::Asset { .. } => {}
        InfrastructureProgress::Stack { stack, status } => console.waiting(&format!("{stack}: {status}")),
        InfrastructureProgress::Resource {
            stack,
            logical_id,
            resource_type,
            status,
            reason,
        } => {
            let line = format!("{stack}: {status} {resource_type} {logical_id}");
            match reason {
                Some(reason) if status.ends_with("FAILED") => console.say(&format!("{line}: {reason}")),
                _ => console.ticking(&line),
            }
        }
        InfrastructureProgress::Note { message } => console.say(message),
    }
}
