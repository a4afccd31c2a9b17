//! A crash at every call, and `resume`: the rollout is carried on to its promotion.

use std::sync::Arc;

use orchestrator::domain::ReleaseNumber;
use orchestrator::driver::{Answer, DeployOptions, RolloutEnd, RolloutError};
use orchestrator::ledger::{read_journal, rollout_numbers};
use orchestrator::rollout::Event;

use crate::script::events_of;
use crate::world::{When, World, config, seconds};

#[derive(Debug, Clone, Copy)]
enum Command {
    Deploy,
    Rollback(Option<u32>),
}

async fn run(world: &Arc<World>, command: Command) -> Option<Result<RolloutEnd, RolloutError>> {
    let rollouts = world.quick_rollouts();
    match command {
        Command::Deploy => {
            world
                .or_crash(rollouts.deploy_blue_green(DeployOptions::default()))
                .await
        }
        Command::Rollback(to) => world.or_crash(rollouts.rollback(to.map(ReleaseNumber))).await,
    }
}

async fn prepared(releases: usize) -> Arc<World> {
    let world = World::new();
    for number in 1..=releases {
        world.new_code(&format!("code{number}"));
        let end = world.quick_rollouts().deploy_blue_green(DeployOptions::default()).await;
        assert!(end.unwrap().is_promoted());
    }
    world.new_code("next");
    world.lock().calls = 0;
    world
}

async fn calls_of(prepared: &World, command: Command) -> u64 {
    let world = prepared.fork();
    run(&world, command).await.unwrap().unwrap();
    world.lock().calls
}

/// `resume` as somebody types it: the dead run's lease has not ended yet.
async fn resume(world: &Arc<World>) -> Result<Answer, RolloutError> {
    let wait = config().lock_lease + config().lock_margin + seconds(5);
    world.quick_rollouts().resume(wait).await
}

async fn nothing_is_open(world: &Arc<World>, context: &str) {
    for rollout in rollout_numbers(&*world.store, &"test".into()).await.unwrap() {
        let journal = read_journal(&*world.store, &"test".into(), rollout).await.unwrap();
        assert!(!journal.is_open(), "{context}: rollout {rollout} is open");
    }
}

async fn every_crash_is_carried_on(releases: usize, command: Command) {
    let prepared = prepared(releases).await;
    let calls = calls_of(&prepared, command).await;
    let mut carried_on = 0;
    for call in 0..calls {
        // A crash after a call is one before the next: in between nothing leaves the run.
        let context = format!("{command:?} crashed before call {call}");
        let world = prepared.fork();
        world.lock().crash_at = Some((call, When::Before));
        run(&world, command).await;
        world.lock().crash_at = None;
        match resume(&world).await {
            Ok(Answer::CarriedOn { end }) => {
                assert!(end.is_promoted(), "{context}: {end:?}");
                carried_on += 1;
            }
            // It crashed before it began, or after it had ended.
            Err(RolloutError::NothingOpen { .. }) => {}
            other => panic!("{context}: {other:?}"),
        }
        nothing_is_open(&world, &context).await;
        world.assert_settled(&context).await;
        let mutations = world.lock().mutations.len();
        assert!(
            matches!(resume(&world).await, Err(RolloutError::NothingOpen { .. })),
            "{context}"
        );
        assert_eq!(world.lock().mutations.len(), mutations, "{context}");
    }
    assert!(
        carried_on > calls / 2,
        "{carried_on} of {calls} calls are too few to be true"
    );
}

#[tokio::test]
async fn a_first_deploy_is_carried_on() {
    every_crash_is_carried_on(0, Command::Deploy).await;
}

#[tokio::test]
async fn a_later_deploy_is_carried_on() {
    every_crash_is_carried_on(2, Command::Deploy).await;
}

#[tokio::test]
async fn a_rollback_by_one_switch_is_carried_on() {
    every_crash_is_carried_on(2, Command::Rollback(None)).await;
}

#[tokio::test]
async fn a_rollback_to_an_older_release_is_carried_on() {
    every_crash_is_carried_on(2, Command::Rollback(Some(0))).await;
}

#[tokio::test]
async fn a_crash_while_carrying_on_is_carried_on_too() {
    let prepared = prepared(1).await;
    let calls = calls_of(&prepared, Command::Deploy).await;
    let mut twice = 0;
    for call in (0..calls).step_by(13) {
        for second in (0..60).step_by(5) {
            let context = format!("crashed at call {call}, and {second} calls into carrying it on");
            let world = prepared.fork();
            world.lock().crash_at = Some((call, When::Before));
            if run(&world, Command::Deploy).await.is_some() {
                continue;
            }
            {
                let mut inner = world.lock();
                inner.crash_at = Some((inner.calls + second, When::Before));
            }
            twice += u32::from(world.or_crash(resume(&world)).await.is_none());
            world.lock().crash_at = None;
            match resume(&world).await {
                Ok(Answer::CarriedOn { end }) => assert!(end.is_promoted(), "{context}: {end:?}"),
                Err(RolloutError::NothingOpen { .. }) => {}
                other => panic!("{context}: {other:?}"),
            }
            nothing_is_open(&world, &context).await;
            world.assert_settled(&context).await;
        }
    }
    assert!(twice > 50, "{twice} second crashes are too few to be true");
}

/// Whoever carries on may bring another checkout than the run before, with migrations of its own.
#[tokio::test]
async fn what_another_run_deploys_it_has_expanded_for() {
    let prepared = prepared(1).await;
    let calls = calls_of(&prepared, Command::Deploy).await;
    let mut deployed = 0;
    for call in 0..calls {
        let world = prepared.fork();
        world.lock().crash_at = Some((call, When::Before));
        run(&world, Command::Deploy).await;
        world.lock().crash_at = None;
        world.new_code("newer");
        let Ok(Answer::CarriedOn { .. }) = resume(&world).await else {
            continue;
        };
        let events = events_of(&world, 2).await;
        let its_own: Vec<&Event> = events
            .iter()
            .map(|(_, event)| event)
            .skip_while(|event| !matches!(event, Event::Recovered { .. }))
            .collect();
        let at = |wanted: fn(&Event) -> bool| its_own.iter().position(|event| wanted(event));
        if let Some(deploy) = at(|event| matches!(event, Event::Deployed { .. })) {
            let expand = at(|event| matches!(event, Event::Expanded { .. }));
            assert!(
                expand.is_some_and(|expand| expand < deploy),
                "crashed before call {call}: {its_own:#?}"
            );
            deployed += 1;
        }
    }
    assert!(deployed > 0);
}
