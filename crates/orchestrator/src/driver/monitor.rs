//! Watches what is live by the gates of a rollout, for as long as somebody wants. Changes nothing, takes no lock.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::lease_end::LeaseEnd;
use super::run::Hands;
use super::{RolloutError, Rollouts};
use crate::domain::{Release, ReleaseNumber, Slot, Weight};
use crate::gates::{Judgement, Verdict};
use crate::ledger::{Standing, read_standing};
use crate::ports::Deployed;
use crate::rollout::{Bake, DeployWishes, Phase, Plan, PlannedStep, RolloutNumber, State, open};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MonitorReport {
    pub environment: String,
    pub release: ReleaseNumber,
    pub tag: String,
    pub slot: Slot,
    pub since: Timestamp,
    pub until: Timestamp,
    pub end: MonitorEnd,
    /// The last look.
    pub judgement: Judgement,
}

/// How the watch ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MonitorEnd {
    /// The whole time is over, and the last look passes.
    Passed,
    /// A gate failed; the watch ended there.
    Failed,
    /// The whole time is over, no gate failed, and the last look cannot decide.
    Undecided,
    /// Another release is live now; `None` where that cannot be told.
    Replaced { by: Option<ReleaseNumber> },
}

impl Rollouts {
    /// Asks the gates about the live release at every poll, over what happened since now, until `duration` and the time
    /// that data may be late are over or a gate fails. Nothing is compared with another slot: it has no traffic. An alarm
    /// that is in ALARM counts, whenever it went there.
    ///
    /// # Errors
    /// [`RolloutError::NothingReleased`]; where the ledger cannot be read. Metrics that cannot be read are an undecided
    /// look.
    pub async fn monitor(&self, duration: SignedDuration) -> Result<MonitorReport, RolloutError> {
        self.config.validate()?;
        let standing = self.standing().await?;
        let Some(live) = standing.live_release().cloned() else {
            return Err(RolloutError::NothingReleased);
        };
        let since = self.now();
        let Some(state) = self.as_a_bake(&standing, &live, since, duration) else {
            return Err(RolloutError::NothingReleased);
        };
        // Nothing is changed, so no lease is needed.
        let lease_end = LeaseEnd::new(Timestamp::MAX);
        let hands = Hands {
            rollouts: self,
            lease_end: &lease_end,
            epoch: 0,
        };
        let over_at = since + duration + self.config.gates.settle;
        loop {
            let judgement = hands.ask_the_gates(&state).await;
            hands.tell_baking(&state, &judgement);
            let now = self.now();
            let live_now = self.standing().await?.live;
            let end = if live_now != Some(live.number) {
                Some(MonitorEnd::Replaced { by: live_now })
            } else {
                match judgement.verdict {
                    Verdict::Fail => Some(MonitorEnd::Failed),
                    _ if now < over_at => None,
                    Verdict::Pass => Some(MonitorEnd::Passed),
                    Verdict::Inconclusive => Some(MonitorEnd::Undecided),
                }
            };
            if let Some(end) = end {
                return Ok(MonitorReport {
                    environment: self.environment.to_string(),
                    release: live.number,
                    tag: live.tag,
                    slot: live.slot,
                    since,
                    until: now,
                    end,
                    judgement,
                });
            }
            let next = over_at.min(now + self.config.poll_interval);
            self.ports.clock.sleep_until(next).await;
        }
    }

    async fn standing(&self) -> Result<Standing, RolloutError> {
        Ok(read_standing(&*self.ports.ledger, &self.environment).await?)
    }

    /// The live release as if it baked with all of the traffic, so that the same question is asked as in a rollout.
    fn as_a_bake(
        &self,
        standing: &Standing,
        live: &Release,
        since: Timestamp,
        duration: SignedDuration,
    ) -> Option<State> {
        let target = standing.target.clone()?;
        let plan = Plan::deploy(
            standing.live_by.unwrap_or(RolloutNumber(0)),
            live.number,
            live.tag.clone(),
            String::new(),
            &self.config,
            DeployWishes::default(),
        );
        let step = PlannedStep {
            weight: Weight::FULL,
            bake: duration,
            settle: self.config.gates.settle,
            longest_extension: SignedDuration::ZERO,
            approval: false,
        };
        let mut state = open(&Plan {
            steps: vec![step],
            ..plan
        });
        state.facts.deployed = Some(Deployed {
            target,
            template_digest: live.template_digest.clone(),
            changed: false,
        });
        state.facts.candidate = Some(live.clone());
        state.phase = Phase::Baking {
            bake: Bake {
                step: 0,
                since,
                blind_since: None,
                went_on_at: None,
            },
            passed: false,
        };
        Some(state)
    }
}
