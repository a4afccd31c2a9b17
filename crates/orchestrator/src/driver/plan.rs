//! Plans, made from the ledger and from what is seen, before anything is opened.

use super::{DeployOptions, RolloutError, Rollouts};
use crate::domain::{Release, ReleaseNumber, ReleaseState, RolloutTarget};
use crate::ledger::{Standing, read_standing, rollout_numbers};
use crate::ports::Deployed;
use crate::rollout::{DeployWishes, Plan, RolloutNumber};

/// Whether what the ledger knows belongs to what is deployed. After an environment was deleted it does not: then its
/// first rollout begins with a new baseline.
pub(super) fn belongs(standing: &Standing, deployed: Option<&Deployed>) -> bool {
    let (Some(_), Some(known), Some(deployed)) = (&standing.live, &standing.target, deployed) else {
        return false;
    };
    let same_api = known.apis.iter().any(|api| {
        let apis = &deployed.target.apis;
        apis.iter().any(|there| there.rest_api_id == api.rest_api_id)
    });
    // Without a REST API a function's name has to do: a physical id that CloudFormation makes is not made twice.
    same_api
        || (known.apis.is_empty()
            && known.aliases.iter().any(|alias| {
                let aliases = &deployed.target.aliases;
                aliases.iter().any(|there| there.function == alias.function)
            }))
}

impl Rollouts {
    pub(super) async fn plan_deploy(&self, options: DeployOptions, epoch: u64) -> Result<Plan, RolloutError> {
        let standing = read_standing(&*self.ports.ledger, &self.environment).await?;
        let deployed = self.retry(|| self.ports.infrastructure.observe()).await?;
        let mut release = standing.next_release();
        if !standing.releases.is_empty() && !belongs(&standing, deployed.as_ref()) {
            // The number before it is for the new baseline.
            release = release.next();
        }
        let tag = options.tag.unwrap_or_else(|| format!("release-{release}"));
        let rollout = self.next_rollout().await?;
        let client_token = format!("{}-rollout-{rollout}-epoch-{epoch}", self.environment);
        let wishes = DeployWishes {
            hotfix: options.hotfix,
            hold: options.hold,
        };
        Ok(Plan::deploy(rollout, release, tag, client_token, &self.config, wishes))
    }

    pub(super) async fn plan_rollback(&self, to: Option<ReleaseNumber>) -> Result<Plan, RolloutError> {
        let standing = read_standing(&*self.ports.ledger, &self.environment).await?;
        let nothing = |reason: &str| RolloutError::NothingToRollBackTo {
            reason: reason.to_owned(),
        };
        let (Some(live), Some(target)) = (standing.live_release(), &standing.target) else {
            return Err(nothing("no release was rolled out in this environment yet"));
        };
        let number = match to {
            Some(number) => number,
            None => live.previous.ok_or_else(|| nothing("what is live is the baseline"))?,
        };
        if number == live.number {
            return Err(nothing(&format!("release {number} is live already")));
        }
        let release = standing
            .release(number)
            .ok_or(RolloutError::UnknownRelease { release: number })?;
        if release.state != ReleaseState::Retained {
            return Err(RolloutError::NotRetained {
                release: number,
                state: release.state,
            });
        }
        let repoint = !self.still_in_its_slot(&standing, release, live, target).await;
        Ok(Plan::rollback(
            self.next_rollout().await?,
            live.number,
            release.clone(),
            repoint,
        ))
    }

    /// Whether the idle slot still holds the release: the ledger says so, and nothing that can be seen denies it. Where
    /// the functions cannot be asked, the ledger is believed, because a rollback must not wait for them.
    async fn still_in_its_slot(
        &self,
        standing: &Standing,
        release: &Release,
        live: &Release,
        target: &RolloutTarget,
    ) -> bool {
        let idle = live.slot.other();
        if release.slot != idle || *standing.occupants.get(idle) != Some(release.number) {
            return false;
        }
        if target
            .apis
            .iter()
            .any(|api| release.deployment(&api.rest_api_id).is_none())
        {
            return false;
        }
        for function in &release.functions {
            if let Ok(alias) = self.ports.slots.observe_alias(&function.name, idle).await
                && (alias.version != function.version || !alias.weights.is_empty())
            {
                return false;
            }
        }
        true
    }

    async fn next_rollout(&self) -> Result<RolloutNumber, RolloutError> {
        let numbers = rollout_numbers(&*self.ports.ledger, &self.environment).await?;
        Ok(RolloutNumber(numbers.last().map_or(1, |last| last.0 + 1)))
    }
}
