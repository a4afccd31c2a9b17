//! What a rollout is going to do, decided before it begins: an immutable value that leaves no choices.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::config::{LowTraffic, RolloutConfig, StepConfig};
use crate::domain::{Release, ReleaseNumber, Weight};

/// Counts the rollouts and rollbacks of an environment, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RolloutNumber(pub u32);

impl fmt::Display for RolloutNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub rollout: RolloutNumber,
    pub goal: Goal,
    /// Empty for a rollback, which switches at once.
    pub steps: Vec<PlannedStep>,
    /// How long metrics may be unreachable during a bake.
    pub longest_blindness: SignedDuration,
    /// How long somebody is waited for, before the rollout is turned back.
    #[serde(default)]
    pub approval_timeout: SignedDuration,
    /// What becomes of a bake that ends without a verdict.
    #[serde(default)]
    pub low_traffic: LowTraffic,
    /// How often each check of the live release runs before an expand, and again after it; 0 for no such checks.
    #[serde(default)]
    pub live_checks: u32,
}

/// What whoever deploys says about this one rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployWishes {
    /// Why old alarms are not obeyed and the steps are the short ones of `hotfix_steps`.
    pub hotfix: Option<String>,
    /// Ask for approval before the first step, whatever the configuration says.
    pub hold: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Goal {
    /// Release what is there now, under a new number.
    Deploy {
        release: ReleaseNumber,
        tag: String,
        /// Marks the API deployments that it makes. Unique in the environment for all time, because it holds the epoch
        /// of the lock: another rollout's deployment must never be taken for this one's.
        client_token: String,
        /// A hotfix, and why: short steps, and what the live release does wrong does not count against it.
        #[serde(default)]
        hotfix: Option<String>,
    },
    /// Go back to a release that was live before.
    Rollback {
        from: ReleaseNumber,
        to: Box<Release>,
        /// Whether the idle slot has to be pointed at the release and smoke-tested first; otherwise it still holds it
        /// and one switch is all.
        repoint: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    pub weight: Weight,
    /// Counted from when the weight was seen to be in force.
    pub bake: SignedDuration,
    /// Data may come this much later than the bake's end.
    pub settle: SignedDuration,
    /// How long an inconclusive bake goes on after that.
    pub longest_extension: SignedDuration,
    /// Whether somebody has to approve before this step's weight is set.
    #[serde(default)]
    pub approval: bool,
}

impl Plan {
    pub fn deploy(
        rollout: RolloutNumber,
        release: ReleaseNumber,
        tag: String,
        client_token: String,
        config: &RolloutConfig,
        wishes: DeployWishes,
    ) -> Plan {
        let steps = if wishes.hotfix.is_some() {
            &config.hotfix_steps
        } else {
            &config.steps
        };
        let planned = |(index, step): (usize, &StepConfig)| PlannedStep {
            weight: step.weight_percent,
            bake: step.bake,
            settle: config.gates.settle,
            longest_extension: config.gates.longest_extension,
            approval: step.approval || (index == 0 && wishes.hold),
        };
        let steps = steps.iter().enumerate().map(planned).collect();
        Plan {
            rollout,
            goal: Goal::Deploy {
                release,
                tag,
                client_token,
                hotfix: wishes.hotfix,
            },
            steps,
            longest_blindness: config.gates.longest_blindness,
            approval_timeout: config.approval_timeout,
            low_traffic: config.gates.low_traffic,
            live_checks: config.live_checks,
        }
    }

    pub fn rollback(rollout: RolloutNumber, from: ReleaseNumber, to: Release, repoint: bool) -> Plan {
        Plan {
            rollout,
            goal: Goal::Rollback {
                from,
                to: Box::new(to),
                repoint,
            },
            steps: Vec::new(),
            longest_blindness: SignedDuration::ZERO,
            approval_timeout: SignedDuration::ZERO,
            low_traffic: LowTraffic::RollBack,
            live_checks: 0,
        }
    }

    pub fn is_rollback(&self) -> bool {
        matches!(self.goal, Goal::Rollback { .. })
    }

    /// Why this is a hotfix, if it is one.
    pub fn hotfix(&self) -> Option<&str> {
        match &self.goal {
            Goal::Deploy { hotfix, .. } => hotfix.as_deref(),
            Goal::Rollback { .. } => None,
        }
    }

    /// The release that is to be live at the end.
    pub fn release(&self) -> ReleaseNumber {
        match &self.goal {
            Goal::Deploy { release, .. } => *release,
            Goal::Rollback { to, .. } => to.number,
        }
    }
}
