//! How a simulation ends: nothing goes wrong any more, and everything has to come right.

use std::sync::Arc;

use orchestrator::driver::{DeployOptions, RolloutError};
use orchestrator::ledger::{read_journal, rollout_numbers};
use orchestrator::ports::AlarmState;

use crate::by_hand::put_back;
use crate::people::check_out;
use crate::process::Process;
use crate::scenario::{ALARM, Scenario};
use crate::simulate::{alarm, fail, happen};
use crate::world::{What, World, quick_config, seconds};

/// When nothing goes wrong any more: what somebody else changed is put back, a clean run settles what is open, and
/// repeating it changes nothing.
pub async fn finish(world: &Arc<World>, scenario: &Scenario) {
    put_back(world).await;
    if scenario.clocks_are_wrong {
        return finish_with_wrong_clocks(world).await;
    }
    if let Err(error) = world.quick_rollouts().recover().await {
        return fail(world, 2, format!("what is open cannot be settled: {error}"));
    }
    let open = open_rollout(world).await;
    happen(world, What::Settled { open });
    let mutations = world.lock().mutations.len();
    match world.quick_rollouts().recover().await {
        Ok(None) => {}
        other => fail(world, 12, format!("settling again found something: {other:?}")),
    }
    if world.lock().mutations.len() != mutations {
        fail(world, 12, "settling again changed something".to_owned());
    }
    if !world.lock().truth.violations.is_empty() {
        return;
    }
    match scenario.seed % 3 {
        0 => deploy_again(world, scenario.seed).await,
        1 => roll_back_in_the_dark(world).await,
        _ => {}
    }
}

/// The next deploy goes as if nothing had been.
async fn deploy_again(world: &Arc<World>, seed: u64) {
    {
        let mut inner = world.lock();
        inner.requests_per_second = 30.0;
        // What is live may be bad since before it had anything to prove.
        inner.error_percent.clear();
        inner.failing_smoke.clear();
        let since = inner.now();
        inner.alarms.insert(ALARM.to_owned(), alarm(AlarmState::Ok, since));
    }
    let process = Process::new(world, seconds(0), &quick_config());
    check_out(world, process.id, "good-after-all", seed);
    let rollouts = process.rollouts(quick_config());
    match rollouts.deploy_blue_green(DeployOptions::default()).await {
        Ok(end) if end.is_promoted() => {}
        other => fail(
            world,
            2,
            format!("a good release was not promoted afterwards: {other:?}"),
        ),
    }
    happen(
        world,
        What::Settled {
            open: open_rollout(world).await,
        },
    );
}

/// A rollback needs neither metrics nor alarms.
async fn roll_back_in_the_dark(world: &Arc<World>) {
    {
        let mut inner = world.lock();
        inner.metrics_down = true;
        inner.alarms.clear();
        inner.requests_per_second = 0.0;
    }
    match world.quick_rollouts().rollback(None).await {
        Ok(end) if end.is_promoted() => {}
        Err(RolloutError::NothingToRollBackTo { .. } | RolloutError::NotRetained { .. }) => {}
        other => fail(world, 8, format!("a rollback did not work in the dark: {other:?}")),
    }
    happen(
        world,
        What::Settled {
            open: open_rollout(world).await,
        },
    );
}

/// With clocks that differ by more than the margin a late change may be left behind. Then it is at least seen.
async fn finish_with_wrong_clocks(world: &Arc<World>) {
    let settled = world.quick_rollouts().recover().await;
    let standing = world.standing().await;
    let unsettled = world.lock().unsettled(&standing);
    let Some(problem) = unsettled else { return };
    let status = world.quick_rollouts().status().await;
    let told = match &status {
        Ok(status) => status.apis.iter().any(|api| !api.as_recorded) || status.open.is_some(),
        Err(_) => true,
    };
    if settled.is_ok() && !told {
        fail(world, 2, format!("{problem}, and nobody is told"));
    }
}

async fn open_rollout(world: &World) -> Option<u32> {
    for rollout in rollout_numbers(&*world.store, &"test".into()).await.unwrap_or_default() {
        match read_journal(&*world.store, &"test".into(), rollout).await {
            Ok(journal) if !journal.is_open() => {}
            Ok(_) => return Some(rollout.0),
            Err(error) => {
                fail(
                    world,
                    12,
                    format!("the journal of rollout {rollout} does not read: {error}"),
                );
                return Some(rollout.0);
            }
        }
    }
    None
}
