//! Rollouts that do something when they tell something, and what operators elsewhere write.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::executor::block_on;
use jiff::Timestamp;
use orchestrator::config::RolloutConfig;
use orchestrator::driver::{DeployOptions, Observer, RolloutEnd, RolloutEvent, RolloutResult, Rollouts};
use orchestrator::ledger::{Actor, read_journal, write_request};
use orchestrator::rollout::{Event, Reason, Request, RolloutNumber};

use crate::world::World;

/// Does something whenever the rollout tells something; `usize` counts the looks at the gates so far.
pub struct Script<F> {
    pub world: Arc<World>,
    pub looks: AtomicUsize,
    pub act: F,
}

impl<F: Fn(&World, &RolloutEvent, usize) + Send + Sync> Observer for Script<F> {
    fn observe(&self, event: &RolloutEvent) {
        let is_look = matches!(event, RolloutEvent::Baking { .. });
        let looks = self.looks.fetch_add(usize::from(is_look), Ordering::SeqCst) + usize::from(is_look);
        self.world.lock().events.push(event.clone());
        (self.act)(&self.world, event, looks);
    }
}

pub fn scripted(
    world: &Arc<World>,
    config: RolloutConfig,
    act: impl Fn(&World, &RolloutEvent, usize) + Send + Sync + 'static,
) -> Rollouts {
    Rollouts {
        observer: Arc::new(Script {
            world: world.clone(),
            looks: AtomicUsize::new(0),
            act,
        }),
        ..world.rollouts_with(config)
    }
}

pub fn operator() -> Actor {
    Actor {
        name: "operator".to_owned(),
        host: "elsewhere".to_owned(),
        process_id: 7,
    }
}

/// Writes the request, as another machine does.
pub fn ask(world: &World, rollout: u32, request: Request) {
    let now = world.lock().now;
    let (environment, actor) = ("test".into(), operator());
    let written = write_request(
        &*world.store,
        &environment,
        RolloutNumber(rollout),
        now,
        &actor,
        request,
    );
    block_on(written).unwrap();
}

pub async fn with_one_release() -> Arc<World> {
    let world = World::new();
    world.new_code("one");
    let end = world.rollouts().deploy_blue_green(DeployOptions::default()).await;
    assert!(end.unwrap().is_promoted());
    world.new_code("two");
    world.lock().events.clear();
    world
}

pub async fn deploy(rollouts: &Rollouts) -> RolloutEnd {
    rollouts.deploy_blue_green(DeployOptions::default()).await.unwrap()
}

pub fn reason(end: &RolloutEnd) -> &Reason {
    match &end.result {
        RolloutResult::RolledBack { reason } => reason,
        other => panic!("{other:?}"),
    }
}

pub async fn events_of(world: &World, rollout: u32) -> Vec<(Timestamp, Event)> {
    let journal = read_journal(&*world.store, &"test".into(), RolloutNumber(rollout))
        .await
        .unwrap();
    journal
        .records
        .into_iter()
        .map(|record| (record.time, record.event))
        .collect()
}

pub const FIRST_LOOK: usize = 1;
