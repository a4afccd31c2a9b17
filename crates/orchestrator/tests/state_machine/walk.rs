//! Rollouts made of random moves, and what must hold over them.

use jiff::Timestamp;
use orchestrator::config::{LowTraffic, RolloutConfig};
use orchestrator::domain::{ApiDeployment, Release, ReleaseNumber, ReleaseState, RolloutTarget, Slot, Weight};
use orchestrator::gates::{Before, Judgement, Verdict};
use orchestrator::ledger::Actor;
use orchestrator::ports::{Deployed, Expanded};
use orchestrator::rollout::{
    DeployWishes, Effect, Event, LiveCheck, LiveChecks, LiveRelease, Phase, PhaseName, Plan, Reason, Request,
    RolloutNumber, State, is_legal, open, replay, step,
};
use proptest::prelude::*;

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time of this century")
}

pub fn release(number: u32, slot: Slot) -> Release {
    Release {
        number: ReleaseNumber(number),
        tag: format!("release-{number}"),
        functions: Vec::new(),
        apis: vec![ApiDeployment {
            rest_api_id: "api".into(),
            deployment_id: format!("d{number}").into(),
        }],
        slot,
        template_digest: "template".to_owned(),
        schema_version: None,
        contracts: None,
        created_at: at(0),
        previous: None,
        state: ReleaseState::Candidate,
        retained_until: None,
    }
}

pub fn live() -> LiveRelease {
    let release = release(1, Slot::Blue);
    LiveRelease {
        number: release.number,
        slot: release.slot,
        apis: release.apis,
        functions: release.functions,
    }
}

pub fn deployed() -> Deployed {
    let target = RolloutTarget {
        functions: Vec::new(),
        apis: Vec::new(),
        aliases: Vec::new(),
    };
    Deployed {
        target,
        template_digest: "template".to_owned(),
        changed: true,
    }
}

pub fn judgement(verdict: Verdict) -> Judgement {
    Judgement {
        verdict,
        requests: 100,
        findings: Vec::new(),
        samples: Some(Box::default()),
    }
}

pub fn live_check(failures: u32) -> LiveCheck {
    LiveCheck {
        name: "GET /health".to_owned(),
        runs: 3,
        failures,
        detail: "200".to_owned(),
    }
}

pub fn deploy_plan() -> Plan {
    let config = RolloutConfig::default();
    Plan::deploy(
        RolloutNumber(2),
        ReleaseNumber(2),
        "two".to_owned(),
        "token".to_owned(),
        &config,
        DeployWishes::default(),
    )
}

/// Every step has to be approved, and a bake without a verdict waits for somebody.
pub fn careful_plan() -> Plan {
    let mut config = RolloutConfig::default();
    for step in &mut config.steps {
        step.approval = true;
    }
    config.gates.low_traffic = LowTraffic::Pause;
    Plan::deploy(
        RolloutNumber(2),
        ReleaseNumber(2),
        "two".to_owned(),
        "token".to_owned(),
        &config,
        DeployWishes::default(),
    )
}

pub fn operator() -> Actor {
    Actor {
        name: "operator".to_owned(),
        host: "elsewhere".to_owned(),
        process_id: 7,
    }
}

pub fn request(kind: u8) -> Request {
    match kind {
        0 => Request::Pause,
        1 => Request::Resume,
        2 => Request::Approve,
        3 => Request::Promote { reason: None },
        _ => Request::Abort {
            reason: "planned".to_owned(),
        },
    }
}

pub fn rollback_plan(repoint: bool) -> Plan {
    Plan::rollback(RolloutNumber(3), ReleaseNumber(1), release(0, Slot::Green), repoint)
}

/// The outcome that belongs to an effect; `variant` chooses among them.
pub fn outcome(effect: &Effect, variant: u8, now: i64) -> Event {
    if variant == 0 && effect.has_intent() {
        let reason = Reason::EffectFailed {
            effect: effect.clone(),
            error: "planned".to_owned(),
        };
        return Event::Failed {
            effect: effect.clone(),
            reason,
        };
    }
    match effect {
        Effect::Prepare => Event::Prepared {
            live: Some(live()),
            alarms: Vec::new(),
            deployed: Some(deployed()),
        },
        Effect::BackUp => Event::BackedUp { backup: None },
        Effect::Expand if variant.is_multiple_of(2) => Event::Expanded {
            expanded: Expanded::NoDatabaseYet,
        },
        Effect::Expand => Event::Expanded {
            expanded: Expanded::Applied {
                count: 1,
                schema_version: None,
                contracts: None,
                hooks: Vec::new(),
            },
        },
        Effect::CheckLive { expanded } => Event::LiveChecked {
            expanded: *expanded,
            checks: (*expanded || variant % 3 != 1).then(|| vec![live_check(0)]),
            left: Vec::new(),
        },
        Effect::Deploy => Event::Deployed { deployed: deployed() },
        Effect::Establish => Event::Established {
            live: live(),
            before: Before::default(),
            shortages: Vec::new(),
            alarms: Vec::new(),
        },
        Effect::Release { slot } => Event::Released {
            release: release(2, *slot),
        },
        Effect::Smoke { digest, .. } => Event::Smoked {
            digest: digest.clone(),
            results: Vec::new(),
        },
        Effect::Shift { step, weight } => Event::InForce {
            step: *step,
            at: at(now),
            weight: *weight,
        },
        Effect::Judge { step } => {
            let verdict = match variant {
                0 => Verdict::Fail,
                1 => Verdict::Inconclusive,
                _ => Verdict::Pass,
            };
            Event::Judged {
                step: *step,
                at: at(now),
                judgement: judgement(verdict),
            }
        }
        Effect::Promote => Event::Promoted { at: at(now) },
        Effect::AskForApproval { step } => Event::ApprovalAsked {
            step: *step,
            at: at(now),
        },
        Effect::Wait => Event::TimedOut { at: at(now) },
        Effect::Retain => Event::Retained,
        Effect::Withdraw => Event::Withdrawn,
    }
}

/// A step of a random history: usually what is due, sometimes something else.
#[derive(Debug, Clone)]
pub enum Move {
    Due { variant: u8, seconds: i64 },
    Recover { promoted: bool, resume: bool },
    Request { kind: u8 },
    Abort,
    Foreign { proven: bool },
    OutOfPlace { effect: usize, variant: u8 },
}

pub fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        30 => (0_u8..30, 0_i64..400).prop_map(|(variant, seconds)| Move::Due { variant, seconds }),
        1 => any::<(bool, bool)>().prop_map(|(promoted, resume)| Move::Recover { promoted, resume }),
        5 => (0_u8..4).prop_map(|kind| Move::Request { kind }),
        1 => Just(Move::Request { kind: 4 }),
        1 => Just(Move::Abort),
        1 => any::<bool>().prop_map(|proven| Move::Foreign { proven }),
        4 => (0_usize..14, 0_u8..4).prop_map(|(effect, variant)| Move::OutOfPlace { effect, variant }),
    ];
    proptest::collection::vec(one, 1..120)
}

pub fn all_effects() -> Vec<Effect> {
    let slot = Slot::Green;
    vec![
        Effect::Prepare,
        Effect::BackUp,
        Effect::CheckLive { expanded: false },
        Effect::Expand,
        Effect::CheckLive { expanded: true },
        Effect::Deploy,
        Effect::Establish,
        Effect::Release { slot },
        Effect::Smoke {
            slot,
            digest: release(2, slot).digest(),
        },
        Effect::Shift {
            step: 1,
            weight: Weight::FULL,
        },
        Effect::Judge { step: 1 },
        Effect::Promote,
        Effect::Retain,
        Effect::Withdraw,
    ]
}

/// Plays the moves; gives the events that were taken, each with the state after it.
pub fn play(plan: &Plan, moves: &[Move]) -> Vec<(Event, State)> {
    let mut state = open(plan);
    let mut taken = vec![(Event::Opened { plan: plan.clone() }, state.clone())];
    let mut now = 0;
    let mut epoch = 1;
    let mut sequence = 0;
    let first = Event::LockTaken { epoch };
    state = step(&state, &first).expect("the lock comes first").0;
    taken.push((first, state.clone()));
    for one in moves {
        let event = match one {
            Move::Due { variant, seconds } => {
                now += seconds;
                match (&state.pending, state.next_effect()) {
                    (Some(pending), _) => outcome(pending, *variant, now),
                    (None, Some(effect)) if !effect.has_intent() => outcome(&effect, *variant, now),
                    (None, Some(effect)) => Event::Intended {
                        effect,
                        expected: String::new(),
                    },
                    (None, None) => break,
                }
            }
            Move::Request { kind } => {
                sequence += 1;
                Event::Requested {
                    sequence,
                    at: at(now),
                    by: operator(),
                    request: request(*kind),
                }
            }
            Move::Recover { promoted, resume } => {
                epoch += 1;
                Event::Recovered {
                    epoch,
                    promoted: *promoted,
                    resume: *resume,
                    expand_again: *resume,
                }
            }
            Move::Abort => Event::AbortRequested {
                reason: "planned".to_owned(),
            },
            Move::Foreign { proven } => Event::ForeignChange {
                found: "planned".to_owned(),
                proven: *proven,
            },
            Move::OutOfPlace { effect, variant } => {
                let effect = all_effects()[*effect].clone();
                if *variant == 0 {
                    Event::Intended {
                        effect,
                        expected: String::new(),
                    }
                } else {
                    outcome(&effect, *variant, now)
                }
            }
        };
        if let Ok((next, _)) = step(&state, &event) {
            state = next;
            taken.push((event, state.clone()));
        }
    }
    taken
}

pub fn check(plan: &Plan, taken: &[(Event, State)]) -> Result<(), TestCaseError> {
    let mut weight = Weight::ZERO;
    let mut in_force = None;
    for pair in taken.windows(2) {
        let [(_, before), (event, after)] = pair else { continue };
        prop_assert!(is_legal(before.phase.name(), event.name(), after.phase.name()));
        prop_assert!(!before.phase.name().is_end(), "nothing follows an end");
        // 14: what somebody else changed stops the rollout until it is taken over.
        prop_assert!(
            !before.halted || matches!(event, Event::Recovered { .. }),
            "{:?} after a halt",
            event
        );
        match event {
            Event::Intended { effect, .. } => {
                prop_assert_eq!(&before.pending, &None, "two effects under way");
                if let Effect::Shift { step, weight: wanted } = effect {
                    // 4: the weight rises only as planned.
                    prop_assert_eq!(Some(*wanted), plan.steps.get(*step).map(|step| step.weight));
                    prop_assert!(*wanted >= weight);
                    weight = *wanted;
                    let begun = before.phase == Phase::Shifting { step: *step };
                    // While it is paused no step is taken; one that was begun is seen through, so that it is watched.
                    prop_assert!(before.paused.is_none() || begun, "a step while paused");
                    let approved = before.facts.approved >= Some(*step) || before.promote_asked.is_some();
                    prop_assert!(
                        begun || !plan.steps[*step].approval || approved,
                        "a step without approval"
                    );
                }
                if matches!(effect, Effect::Shift { .. } | Effect::Promote) {
                    // 1: no live weight without a smoke test of exactly this release.
                    prop_assert!(before.candidate_is_proven());
                }
                if let (Effect::Shift { step, .. }, Some((at, _))) = (effect, in_force)
                    && *step > 0
                    && before.phase != (Phase::Shifting { step: *step })
                {
                    // 5 and 6: a step follows only a bake that lasted its time and passed.
                    let Phase::Baking { bake, passed } = &before.phase else {
                        panic!("{:?}", before.phase)
                    };
                    prop_assert!(*passed);
                    prop_assert_eq!(bake.since, at);
                }
                if *effect == Effect::Promote && !plan.is_rollback() {
                    // A rollback of ours has no bake. Steps are skipped only where an operator asked for it.
                    let from_bake = matches!(&before.phase, Phase::Baking { bake, passed: true }
                        if bake.step == plan.steps.len() - 1 || before.promote_asked.is_some());
                    prop_assert!(from_bake || before.phase == Phase::Promoting);
                    prop_assert!(before.paused.is_none(), "a promotion while paused");
                }
                // 13: before the schema changes it is seen what the live release can do, and nothing follows the expand
                // before it was seen that it still can.
                if *effect == Effect::Expand && before.phase == Phase::BackedUp {
                    prop_assert!(before.facts.live_checks != LiveChecks::Due || before.facts.deployed.is_none());
                }
                if matches!(effect, Effect::Deploy | Effect::Release { .. } | Effect::Shift { .. }) {
                    prop_assert!(!matches!(before.facts.live_checks, LiveChecks::Before(_)));
                }
                // 9: what has to go back goes nowhere else.
                if before.phase.name() == PhaseName::RollingBack {
                    prop_assert_eq!(effect, &Effect::Withdraw);
                }
            }
            Event::InForce { step, at, .. } => in_force = Some((*at, *step)),
            Event::Judged { at, judgement, .. } => {
                if judgement.verdict == Verdict::Fail {
                    prop_assert_eq!(after.phase.name(), PhaseName::RollingBack);
                }
                if let Phase::Baking { bake, passed: true } = &after.phase {
                    let planned = &plan.steps[bake.step];
                    prop_assert_eq!(judgement.verdict, Verdict::Pass);
                    let whole = bake.since + planned.bake + planned.settle;
                    prop_assert!(*at >= whole || before.promote_asked.is_some_and(|asked| *at >= asked));
                }
            }
            Event::AbortRequested { .. } => prop_assert_eq!(after.phase.name(), PhaseName::RollingBack),
            Event::Requested {
                request: Request::Abort { .. },
                ..
            } => prop_assert_eq!(after.phase.name(), PhaseName::RollingBack),
            Event::Requested { .. } => prop_assert!(
                after.phase.name() != PhaseName::RollingBack
                    && !matches!(after.phase, Phase::Baking { passed: true, .. })
                    || after.phase == before.phase,
                "only an abort turns back, and no request is a pass"
            ),
            Event::TimedOut { at } => {
                prop_assert!(before.waits_until().is_some_and(|until| *at >= until));
                prop_assert_eq!(after.phase.name(), PhaseName::RollingBack);
            }
            Event::Recovered { resume: true, .. } => {
                // Whoever carries on never rests on a look of the run before.
                prop_assert_ne!(after.phase.name(), PhaseName::Baking);
                prop_assert_eq!(&after.paused, &None);
                // Nor does it deploy on an expand of the run before.
                prop_assert_ne!(after.phase.name(), PhaseName::Expanded);
                // And an expand that was not judged yet is judged by what was before it.
                if matches!(before.facts.live_checks, LiveChecks::Before(_)) {
                    prop_assert_eq!(&after.facts.live_checks, &before.facts.live_checks);
                }
            }
            Event::LockTaken { .. }
            | Event::Recovered { .. }
            | Event::ForeignChange { .. }
            | Event::RequestRefused { .. }
            | Event::ApprovalAsked { .. } => {}
            // 12: every other event is the outcome of an effect that was intended.
            _ => prop_assert!(before.pending.is_some(), "{:?} without an intent", event),
        }
    }
    // 12: replaying gives the state, for every prefix.
    for length in 1..=taken.len() {
        let replayed = replay(taken[..length].iter().map(|(event, _)| event))
            .expect("it was taken")
            .expect("it was opened");
        prop_assert_eq!(&replayed, &taken[length - 1].1);
    }
    Ok(())
}
