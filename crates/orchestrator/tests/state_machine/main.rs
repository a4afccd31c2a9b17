//! Properties of the state machine: whatever events are offered, only those that are legal are taken, and the
//! invariants of a rollout hold over all that were.

mod walk;

use jiff::SignedDuration;
use orchestrator::domain::{PerSlot, Slot};
use orchestrator::gates::Verdict;
use orchestrator::rollout::{Effect, Event, LiveChecks, Phase, PhaseName, Plan, Reason, Request, State, open, step};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use walk::*;

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
                    expand_again: true,
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
                        expand_again: false,
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

/// Up to the expand, as `plan` says.
fn expanded(plan: &Plan) -> State {
    let mut state = step(&open(plan), &Event::LockTaken { epoch: 1 }).expect("the lock").0;
    while state.phase != Phase::Expanded {
        let effect = state.next_effect().expect("an effect is due");
        let intent = Event::Intended {
            effect: effect.clone(),
            expected: String::new(),
        };
        state = step(&state, &intent).expect("due").0;
        state = step(&state, &outcome(&effect, 3, 0)).expect("its outcome").0;
    }
    state
}

#[test]
fn a_live_release_that_the_schema_breaks_is_never_recorded_as_sound() {
    let state = expanded(&deploy_plan());
    let effect = Effect::CheckLive { expanded: true };
    assert_eq!(state.next_effect(), Some(effect.clone()));
    let intent = Event::Intended {
        effect,
        expected: String::new(),
    };
    let state = step(&state, &intent).expect("due").0;
    let checked = |failures| Event::LiveChecked {
        expanded: true,
        checks: Some(vec![live_check(failures)]),
        left: Vec::new(),
    };
    let refused = step(&state, &checked(1)).expect_err("it passed before and fails now");
    assert!(refused.to_string().contains("does not survive the schema"), "{refused}");
    assert_eq!(step(&state, &checked(0)).expect("sound").1, Some(Effect::Deploy));
}

#[test]
fn a_journal_of_before_these_checks_is_replayed_without_them() {
    let mut stored = serde_json::to_value(deploy_plan()).expect("a plan is JSON");
    let members = stored.as_object_mut().expect("an object");
    assert!(members.remove("live_checks").is_some());
    let plan: Plan = serde_json::from_value(stored).expect("an earlier program's plan");
    let state = expanded(&plan);
    assert_eq!(state.next_effect(), Some(Effect::Deploy));
    assert_eq!(state.facts.live_checks, LiveChecks::Due);
}
