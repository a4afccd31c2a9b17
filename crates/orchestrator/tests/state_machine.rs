//! Properties of the state machine: whatever events are offered, only those that are legal are taken, and the
//! invariants of a rollout hold over all that were.

use jiff::{SignedDuration, Timestamp};
use orchestrator::config::{LowTraffic, RolloutConfig};
use orchestrator::domain::{ApiDeployment, PerSlot, Release, ReleaseNumber, ReleaseState, RolloutTarget, Slot, Weight};
use orchestrator::gates::{Before, Judgement, Verdict};
use orchestrator::ledger::Actor;
use orchestrator::ports::{Deployed, Expanded};
use orchestrator::rollout::{
    DeployWishes, Effect, Event, LiveRelease, Phase, PhaseName, Plan, Reason, Request, RolloutNumber, State, is_legal,
    open, replay, step,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time of this century")
}

fn release(number: u32, slot: Slot) -> Release {
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
        created_at: at(0),
        previous: None,
        state: ReleaseState::Candidate,
        retained_until: None,
    }
}

fn live() -> LiveRelease {
    let release = release(1, Slot::Blue);
    LiveRelease {
        number: release.number,
        slot: release.slot,
        apis: release.apis,
        functions: release.functions,
    }
}

fn deployed() -> Deployed {
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

fn judgement(verdict: Verdict) -> Judgement {
    Judgement {
        verdict,
        requests: 100,
        findings: Vec::new(),
        samples: Some(Box::default()),
    }
}

fn deploy_plan() -> Plan {
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
fn careful_plan() -> Plan {
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

fn operator() -> Actor {
    Actor {
        name: "operator".to_owned(),
        host: "elsewhere".to_owned(),
        process_id: 7,
    }
}

fn request(kind: u8) -> Request {
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

fn rollback_plan(repoint: bool) -> Plan {
    Plan::rollback(RolloutNumber(3), ReleaseNumber(1), release(0, Slot::Green), repoint)
}

/// The outcome that belongs to an effect; `variant` chooses among them.
fn outcome(effect: &Effect, variant: u8, now: i64) -> Event {
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
            },
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
enum Move {
    Due { variant: u8, seconds: i64 },
    Recover { promoted: bool, resume: bool },
    Request { kind: u8 },
    Abort,
    Foreign { proven: bool },
    OutOfPlace { effect: usize, variant: u8 },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        30 => (0_u8..30, 0_i64..400).prop_map(|(variant, seconds)| Move::Due { variant, seconds }),
        1 => any::<(bool, bool)>().prop_map(|(promoted, resume)| Move::Recover { promoted, resume }),
        5 => (0_u8..4).prop_map(|kind| Move::Request { kind }),
        1 => Just(Move::Request { kind: 4 }),
        1 => Just(Move::Abort),
        1 => any::<bool>().prop_map(|proven| Move::Foreign { proven }),
        4 => (0_usize..12, 0_u8..4).prop_map(|(effect, variant)| Move::OutOfPlace { effect, variant }),
    ];
    proptest::collection::vec(one, 1..120)
}

fn all_effects() -> Vec<Effect> {
    let slot = Slot::Green;
    vec![
        Effect::Prepare,
        Effect::BackUp,
        Effect::Expand,
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
fn play(plan: &Plan, moves: &[Move]) -> Vec<(Event, State)> {
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

fn check(plan: &Plan, taken: &[(Event, State)]) -> Result<(), TestCaseError> {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000,
        rng_seed: RngSeed::Fixed(15), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_deploy_keeps_the_invariants(moves in moves()) {
        let plan = deploy_plan();
        check(&plan, &play(&plan, &moves))?;
    }

    #[test]
    fn a_careful_deploy_keeps_the_invariants(moves in moves()) {
        let plan = careful_plan();
        check(&plan, &play(&plan, &moves))?;
    }

    #[test]
    fn a_rollback_keeps_the_invariants(repoint in any::<bool>(), moves in moves()) {
        let plan = rollback_plan(repoint);
        check(&plan, &play(&plan, &moves))?;
    }
}

/// A history in which everything passes and everybody approves at once.
fn smooth(plan: &Plan) -> Vec<(Event, State)> {
    let moves: Vec<Move> = (0..80)
        .flat_map(|_| {
            [
                Move::Request { kind: 2 },
                Move::Due {
                    variant: 3,
                    seconds: 700,
                },
            ]
        })
        .collect();
    play(plan, &moves)
}

/// From wherever a history stops, carrying it on comes to a promotion; only what was being turned back is not.
#[test]
fn from_every_state_carrying_on_comes_to_the_promotion() {
    for plan in [deploy_plan(), careful_plan(), rollback_plan(false), rollback_plan(true)] {
        for (_, state) in smooth(&plan).iter().filter(|(_, state)| !state.phase.name().is_end()) {
            for promoted in [false, true] {
                let resumed = Event::Recovered {
                    epoch: 9,
                    promoted,
                    resume: true,
                };
                let mut state = step(state, &resumed).expect("it may be carried on").0;
                assert_eq!(state.pending, None);
                let mut now = 100_000;
                let mut sequence = 1000;
                for _ in 0..60 {
                    let Some(effect) = state.next_effect() else { break };
                    now += 700;
                    if effect.has_intent() {
                        let intent = Event::Intended {
                            effect: effect.clone(),
                            expected: String::new(),
                        };
                        state = step(&state, &intent).expect("due").0;
                    }
                    state = step(&state, &outcome(&effect, 3, now)).expect("its outcome").0;
                    if state.phase.name() == PhaseName::AwaitingApproval {
                        sequence += 1;
                        let approved = Event::Requested {
                            sequence,
                            at: at(now),
                            by: operator(),
                            request: Request::Approve,
                        };
                        state = step(&state, &approved).expect("it is waited for").0;
                    }
                }
                assert_eq!(state.phase, Phase::Retained);
            }
        }
    }
}

#[test]
fn an_operators_promotion_skips_steps_and_approvals_but_no_verdict() {
    let plan = careful_plan();
    let taken = smooth(&plan);
    let (_, waiting) = taken
        .iter()
        .find(|(_, state)| matches!(&state.phase, Phase::AwaitingApproval { watched: Some(_), .. }))
        .expect("the second step is asked about");
    let asked = at(50_000);
    let promote = Event::Requested {
        sequence: 1,
        at: asked,
        by: operator(),
        request: Request::Promote {
            reason: Some("it is good".to_owned()),
        },
    };
    let promoting = step(waiting, &promote).expect("it may be asked for").0;
    let look = |verdict| {
        let event = Event::Judged {
            step: 0,
            at: asked,
            judgement: judgement(verdict),
        };
        step(&promoting, &event).expect("a look").1
    };
    assert_eq!(look(Verdict::Pass), Some(Effect::Promote));
    assert_eq!(look(Verdict::Inconclusive), Some(Effect::Judge { step: 0 }));
    assert_eq!(look(Verdict::Fail), Some(Effect::Withdraw));
    let abort = Event::Requested {
        sequence: 2,
        at: asked,
        by: operator(),
        request: request(4),
    };
    assert_eq!(step(&promoting, &abort).expect("it outranks").1, Some(Effect::Withdraw));
}

#[test]
fn a_paused_bake_is_watched_and_goes_nowhere() {
    let plan = deploy_plan();
    let taken = smooth(&plan);
    let (_, baking) = taken
        .iter()
        .find(|(_, state)| state.phase.name() == PhaseName::Baking)
        .expect("it bakes");
    let ask = |state: &State, sequence, seconds, kind| {
        let event = Event::Requested {
            sequence,
            at: at(seconds),
            by: operator(),
            request: request(kind),
        };
        step(state, &event)
    };
    let look = |state: &State, seconds, verdict| {
        let event = Event::Judged {
            step: 0,
            at: at(seconds),
            judgement: judgement(verdict),
        };
        step(state, &event).expect("a look")
    };
    let since = baking.phase.bake().expect("it bakes").since.as_second() - at(0).as_second();
    let paused = ask(baking, 1, since, 0).expect("it can be paused").0;
    let late = since + 90_000;
    for verdict in [Verdict::Pass, Verdict::Inconclusive] {
        assert_eq!(
            look(&paused, late, verdict).1,
            Some(Effect::Judge { step: 0 }),
            "{verdict}"
        );
    }
    assert_eq!(look(&paused, late, Verdict::Fail).1, Some(Effect::Withdraw));
    assert_eq!(
        ask(&paused, 2, late, 0).expect_err("twice is once").detail,
        "it is paused already"
    );
    // It goes on with an extension of its own, however long the pause was.
    let resumed = ask(&paused, 2, late, 1).expect("it can go on").0;
    assert_eq!(
        look(&resumed, late + 1, Verdict::Inconclusive).1,
        Some(Effect::Judge { step: 0 })
    );
    assert_eq!(
        look(&resumed, late + 1, Verdict::Pass).1,
        Some(Effect::Shift {
            step: 1,
            weight: plan.steps[1].weight
        })
    );
}

/// 2: from wherever a history stops, taking over and then doing what is due without failures comes to an end.
#[test]
fn from_every_state_taking_over_comes_to_an_end() {
    for plan in [deploy_plan(), careful_plan(), rollback_plan(false), rollback_plan(true)] {
        let taken = smooth(&plan);
        let ends = taken.last().map(|(_, state)| state.phase.name());
        assert_eq!(ends, Some(PhaseName::Retained), "{plan:?}");
        let mut ended = Vec::new();
        for (_, state) in taken.iter().skip(1).filter(|(_, state)| !state.phase.name().is_end()) {
            for promoted in [false, true] {
                let mut state = step(
                    state,
                    &Event::Recovered {
                        epoch: 9,
                        promoted,
                        resume: false,
                    },
                )
                .expect("it may be taken over")
                .0;
                for _ in 0..10 {
                    let Some(effect) = state.next_effect() else { break };
                    state = step(
                        &state,
                        &Event::Intended {
                            effect: effect.clone(),
                            expected: String::new(),
                        },
                    )
                    .expect("due")
                    .0;
                    state = step(&state, &outcome(&effect, 3, 0)).expect("its outcome").0;
                }
                assert!(state.phase.name().is_end(), "{:?}", state.phase);
                ended.push(state.phase.name());
            }
        }
        assert!(ended.contains(&PhaseName::RolledBack) && ended.contains(&PhaseName::Retained));
    }
}

#[test]
fn an_inconclusive_bake_is_extended_and_then_turned_back() {
    let plan = deploy_plan();
    let smooth: Vec<Move> = (0..60).map(|_| Move::Due { variant: 3, seconds: 0 }).collect();
    let taken = play(&plan, &smooth);
    let (_, baking) = taken
        .iter()
        .find(|(_, state)| state.phase.name() == PhaseName::Baking)
        .expect("it bakes");
    let planned = &plan.steps[0];
    let passes_from = planned.bake + planned.settle;
    let look = |after: SignedDuration, verdict| {
        let event = Event::Judged {
            step: 0,
            at: at(0) + after,
            judgement: judgement(verdict),
        };
        step(baking, &event).expect("a look").0.phase
    };
    let early = look(passes_from - SignedDuration::from_secs(1), Verdict::Pass);
    assert!(
        matches!(early, Phase::Baking { passed: false, .. }),
        "a pass before the time is none"
    );
    assert!(matches!(
        look(passes_from, Verdict::Pass),
        Phase::Baking { passed: true, .. }
    ));
    assert!(matches!(
        look(passes_from, Verdict::Inconclusive),
        Phase::Baking { passed: false, .. }
    ));
    let bound = passes_from + planned.longest_extension;
    assert!(matches!(look(bound, Verdict::Pass), Phase::Baking { passed: true, .. }));
    let Phase::RollingBack {
        reason: Reason::Inconclusive { step: 0, .. },
    } = look(bound, Verdict::Inconclusive)
    else {
        panic!("it has to turn back at the bound");
    };
    assert!(matches!(
        look(SignedDuration::ZERO, Verdict::Fail),
        Phase::RollingBack {
            reason: Reason::GateBreached { .. }
        }
    ));
}

#[test]
fn an_inconclusive_bake_waits_for_somebody_where_the_plan_says_so() {
    let plan = careful_plan();
    let taken = smooth(&plan);
    let (_, baking) = taken
        .iter()
        .find(|(_, state)| state.phase.name() == PhaseName::Baking)
        .expect("it bakes");
    let ends_at = baking.bake_times().expect("it bakes").ends_at;
    let look = |state: &State, at, verdict| {
        let event = Event::Judged {
            step: 0,
            at,
            judgement: judgement(verdict),
        };
        step(state, &event).expect("a look").0
    };
    let waiting = look(baking, ends_at, Verdict::Inconclusive);
    assert_eq!(waiting.phase.name(), PhaseName::Inconclusive);
    let until = waiting.waits_until().expect("not for ever");
    assert_eq!(until, ends_at + plan.approval_timeout);
    assert_eq!(
        look(&waiting, ends_at, Verdict::Inconclusive).phase.name(),
        PhaseName::Inconclusive
    );
    assert!(matches!(
        look(&waiting, ends_at, Verdict::Pass).phase,
        Phase::Baking { passed: true, .. }
    ));
    assert_eq!(
        look(&waiting, ends_at, Verdict::Fail).phase.name(),
        PhaseName::RollingBack
    );
    assert!(step(&waiting, &Event::TimedOut { at: ends_at }).is_err(), "too early");
    let gone = step(&waiting, &Event::TimedOut { at: until }).expect("in time").0;
    assert!(matches!(
        gone.phase,
        Phase::RollingBack {
            reason: Reason::Inconclusive { step: 0, .. }
        }
    ));
    let approve = Event::Requested {
        sequence: 50,
        at: ends_at,
        by: operator(),
        request: Request::Approve,
    };
    assert!(
        step(&waiting, &approve).is_err(),
        "nobody can approve what was not decided"
    );
}

#[test]
fn another_release_than_the_tested_one_gets_no_weight() {
    let plan = deploy_plan();
    let smooth: Vec<Move> = (0..60).map(|_| Move::Due { variant: 3, seconds: 0 }).collect();
    let taken = play(&plan, &smooth);
    let (_, smoked) = taken
        .iter()
        .find(|(_, state)| state.phase == Phase::Smoked)
        .expect("it is smoke-tested");
    let mut other = smoked.clone();
    other.facts.candidate = Some(release(7, Slot::Green));
    let effect = other.next_effect().expect("the first shift");
    let error = step(
        &other,
        &Event::Intended {
            effect,
            expected: String::new(),
        },
    )
    .expect_err("it was not tested");
    assert_eq!(error.detail, "the candidate's smoke test is missing");
}

#[test]
fn pairs_hold_one_value_for_each_slot() {
    let pair = PerSlot { blue: 1, green: 2 };
    assert_eq!((*pair.get(Slot::Blue), *pair.get(Slot::Green)), (1, 2));
}
