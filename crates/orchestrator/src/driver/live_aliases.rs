//! What live aliases need besides being moved: a first place, and versions that a weight can divide.
//!
//! A stack makes a live alias at a version of its own and never touches it again, so a rollout that meets a new one gives
//! it its place. Called while the live slot is verified and after a release; moving and verifying is in `traffic`.

use super::RolloutEvent;
use super::effects::target;
use super::entry::{EntryPoint, Place, Seen};
use super::run::{EffectFailure, Hands};
use crate::domain::{AliasRouting, FunctionVersion, LiveAlias, Release, RolloutTarget, Slot, VersionSettings};
use crate::ports::{PortError, PortErrorKind};
use crate::rollout::{LiveRelease, State};

/// What Lambda calls a function's code and configuration before they are published.
const UNPUBLISHED: &str = "$LATEST";

/// `target` with those live aliases only that a rollout has moved or verified before.
pub(super) fn without_new_aliases(target: &RolloutTarget, known: Option<&RolloutTarget>) -> RolloutTarget {
    RolloutTarget {
        aliases: target
            .aliases
            .iter()
            .filter(|alias| is_known(alias, known))
            .cloned()
            .collect(),
        ..target.clone()
    }
}

fn is_known(alias: &LiveAlias, known: Option<&RolloutTarget>) -> bool {
    known.is_some_and(|known| {
        known
            .aliases
            .iter()
            .any(|one| one.function == alias.function && one.alias == alias.alias)
    })
}

impl Hands<'_> {
    /// Live aliases that came with this deploy are pointed at the live release's versions.
    pub(super) async fn place_new_aliases(
        &self,
        live: &LiveRelease,
        target: &RolloutTarget,
        known: Option<&RolloutTarget>,
    ) -> Result<(), EffectFailure> {
        for alias in target.aliases.iter().filter(|alias| !is_known(alias, known)) {
            let entry = EntryPoint::Alias(alias);
            if let Some(place) = entry.place_before(live) {
                self.adopt(entry, &place).await?;
            }
        }
        Ok(())
    }

    /// `live` with the functions that are newer than it, at the version that their live alias was made for: that is
    /// where their calls return to.
    pub(super) async fn with_new_functions(
        &self,
        live: &LiveRelease,
        target: &RolloutTarget,
    ) -> Result<LiveRelease, EffectFailure> {
        let ports = &self.rollouts.ports;
        let mut live = live.clone();
        for alias in &target.aliases {
            if live.functions.iter().any(|known| known.name == alias.function) {
                continue;
            }
            let version = self.settled_version(alias).await?;
            let released = self
                .retry(|| ports.slots.observe_version(&alias.function, &version))
                .await?;
            live.functions.push(released);
        }
        Ok(live)
    }

    /// The slot whose aliases agree with all live aliases, for stacks without a REST API to say which slot is live.
    /// Before the first rollout both do; then it is blue.
    pub(super) async fn slot_of_live_aliases(&self, target: &RolloutTarget) -> Result<Slot, EffectFailure> {
        let ports = &self.rollouts.ports;
        let mut differences = Vec::new();
        for slot in Slot::BOTH {
            let mut agrees = true;
            for alias in &target.aliases {
                let version = self.settled_version(alias).await?;
                let of_slot = self
                    .retry(|| ports.slots.observe_alias(&alias.function, slot))
                    .await?
                    .version;
                if of_slot != version {
                    agrees = false;
                    differences.push(format!(
                        "alias {} is at version {version} and {}:{slot} at version {of_slot}",
                        alias.resource(),
                        alias.function
                    ));
                }
            }
            if agrees {
                return Ok(slot);
            }
        }
        Err(EffectFailure::Foreign {
            found: format!("the live aliases are on neither slot: {}", differences.join("; ")),
            proven: false,
        })
    }

    async fn settled_version(&self, alias: &LiveAlias) -> Result<FunctionVersion, EffectFailure> {
        let seen = self
            .retry(|| self.rollouts.ports.traffic.observe_live_alias(alias))
            .await?;
        match seen.routing() {
            Some(AliasRouting { version, share: None }) if version.as_str() != UNPUBLISHED => Ok(version),
            _ => Err(EffectFailure::Foreign {
                found: format!(
                    "{} is not on one published version: {}",
                    EntryPoint::Alias(alias),
                    Seen::Alias(seen)
                ),
                proven: false,
            }),
        }
    }

    /// Before anything moves: whether each live alias can be divided between what is live and the release, and whether
    /// those that it serves may call it.
    ///
    /// # Errors
    /// `Invalid` where Lambda would refuse the weight, with what to do.
    pub(super) async fn check_live_aliases(
        &self,
        live: &LiveRelease,
        release: &Release,
        target: &RolloutTarget,
    ) -> Result<(), EffectFailure> {
        self.together(target.aliases.iter().map(|alias| async move {
            let entry = EntryPoint::Alias(alias);
            if let (Some(Place::Version(base)), Some(Place::Version(goal))) =
                (entry.place_before(live), entry.place_in(release))
                && base != goal
            {
                self.check_split(alias, &base, &goal).await?;
            }
            self.warn_of_lacking_permissions(alias).await;
            Ok(())
        }))
        .await
    }

    async fn check_split(
        &self,
        alias: &LiveAlias,
        base: &FunctionVersion,
        goal: &FunctionVersion,
    ) -> Result<(), EffectFailure> {
        let traffic = &self.rollouts.ports.traffic;
        let settings = |version: &FunctionVersion| {
            let version = version.clone();
            async move {
                if version.as_str() == UNPUBLISHED {
                    return Err(cannot_split(
                        alias,
                        "it is at $LATEST, which is no published version; point it at one",
                    ));
                }
                self.retry(|| traffic.version_settings(&alias.function, &version)).await
            }
        };
        let (of_base, of_goal) = (settings(base).await?, settings(goal).await?);
        match difference(&of_base, &of_goal) {
            None => Ok(()),
            Some(difference) => Err(cannot_split(
                alias,
                &format!(
                    "Lambda divides calls only between versions with the same role and the same dead-letter setting, and \
                     version {base} has {}, version {goal} has {}; keep the old one in this release (a role's policies \
                     may change), and change it where no traffic is divided: with a plain deploy and one switch of the \
                     live alias",
                    difference.0, difference.1
                ),
            )
            .into()),
        }
    }

    /// A release from before a function was made has no version of it, so the function's live alias stays where it is:
    /// its callers go on to meet the newer code, which whoever goes back has to know.
    pub(super) fn warn_of_aliases_that_stay(&self, state: &State) -> Result<(), EffectFailure> {
        let Some(candidate) = &state.facts.candidate else {
            return Ok(());
        };
        for alias in &target(state)?.aliases {
            if EntryPoint::Alias(alias).place_in(candidate).is_none() {
                let serves: Vec<String> = alias.serves.iter().map(ToString::to_string).collect();
                let callers = if serves.is_empty() {
                    "whatever calls it".to_owned()
                } else {
                    serves.join(", ")
                };
                self.tell(RolloutEvent::Warning {
                    message: format!(
                        "release {} ({}) has no function {}, so alias {} stays at its version: {callers} goes on to meet it",
                        candidate.number,
                        candidate.tag,
                        alias.function,
                        alias.resource()
                    ),
                });
            }
        }
        Ok(())
    }

    /// A permission of the function is none of its alias: the callers would be refused, and some of them in silence.
    async fn warn_of_lacking_permissions(&self, alias: &LiveAlias) {
        let message = match self.retry(|| self.rollouts.ports.traffic.not_permitted(alias)).await {
            Ok(lacking) if lacking.is_empty() => return,
            Ok(lacking) => {
                let lacking: Vec<String> = lacking.iter().map(ToString::to_string).collect();
                format!(
                    "nothing permits {} to call alias {}: add a permission for the alias, one for the function is not enough",
                    lacking.join(", "),
                    alias.resource()
                )
            }
            Err(error) => format!("who may call alias {} cannot be read: {error}", alias.resource()),
        };
        self.tell(RolloutEvent::Warning { message });
    }
}

fn cannot_split(alias: &LiveAlias, why: &str) -> PortError {
    PortError::new(
        PortErrorKind::Invalid,
        "checking the versions",
        EntryPoint::Alias(alias).to_string(),
        why,
    )
}

/// In words, what the one has and what the other has, where they differ.
fn difference(one: &VersionSettings, other: &VersionSettings) -> Option<(String, String)> {
    if one.role != other.role {
        return Some((format!("role {}", one.role), format!("role {}", other.role)));
    }
    let dead_letter = |settings: &VersionSettings| match &settings.dead_letter {
        Some(target) => format!("dead letters to {target}"),
        None => "no dead letters".to_owned(),
    };
    (one.dead_letter != other.dead_letter).then(|| (dead_letter(one), dead_letter(other)))
}
