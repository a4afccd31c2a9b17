//! REST stages and live aliases as one kind of thing: an entry point, the places where its calls can go, and the shapes
//! that its traffic can have. What moves them is in `traffic`.
//!
//! A REST stage's place is a deployment with a slot, a live alias's place is a version. Everything else is the same for
//! both, so that a rollout has one way to shift, promote, withdraw and verify.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::{
    AliasRouting, AliasState, ApiTarget, ApiTraffic, Canary, FunctionVersion, LiveAlias, Release, RolloutTarget, Slot,
    StageTarget, VersionShare, Weight,
};
use crate::rollout::LiveRelease;

/// One thing that live calls come through.
#[derive(Debug, Clone, Copy)]
pub(super) enum EntryPoint<'a> {
    Stage(&'a ApiTarget),
    Alias(&'a LiveAlias),
}

impl<'a> EntryPoint<'a> {
    pub(super) fn all(target: &'a RolloutTarget) -> impl Iterator<Item = EntryPoint<'a>> {
        let stages = target.apis.iter().map(EntryPoint::Stage);
        stages.chain(target.aliases.iter().map(EntryPoint::Alias))
    }

    /// Where its calls go while the release is live; `None` where the release does not hold what it calls.
    pub(super) fn place_in(self, release: &Release) -> Option<Place> {
        match self {
            EntryPoint::Stage(api) => Some(Place::Stage(StageTarget {
                deployment_id: release.deployment(&api.rest_api_id)?.clone(),
                slot: release.slot,
            })),
            EntryPoint::Alias(alias) => Some(Place::Version(release.function(&alias.function)?.version.clone())),
        }
    }

    /// Where its calls went before the rollout; `None` where that is not known.
    pub(super) fn place_before(self, live: &LiveRelease) -> Option<Place> {
        match self {
            EntryPoint::Stage(api) => {
                let known = live.apis.iter().find(|known| known.rest_api_id == api.rest_api_id)?;
                Some(Place::Stage(StageTarget {
                    deployment_id: known.deployment_id.clone(),
                    slot: live.slot,
                }))
            }
            EntryPoint::Alias(alias) => {
                let known = live.functions.iter().find(|known| known.name == alias.function)?;
                Some(Place::Version(known.version.clone()))
            }
        }
    }
}

impl fmt::Display for EntryPoint<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntryPoint::Stage(api) => write!(formatter, "{} stage {}", api.name, api.live_stage),
            EntryPoint::Alias(alias) => {
                write!(formatter, "alias {}", alias.resource())?;
                let serves: Vec<String> = alias.serves.iter().map(ToString::to_string).collect();
                if serves.is_empty() {
                    Ok(())
                } else {
                    write!(formatter, " ({})", serves.join(", "))
                }
            }
        }
    }
}

/// Where an entry point's calls can go.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    Stage(StageTarget),
    Version(FunctionVersion),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Stage(at) => write!(formatter, "slot {} (deployment {})", at.slot, at.deployment_id),
            Place::Version(version) => write!(formatter, "version {version}"),
        }
    }
}

/// How an entry point's traffic can be while a rollout has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// All traffic at one place, no canary settings and no weights.
    Settled(Place),
    /// This share to the candidate, the rest at the base.
    Split {
        base: Place,
        candidate: Place,
        weight: Weight,
    },
}

impl Shape {
    /// An entry point whose candidate is its base, because the release left the function as it was, is never split: an
    /// alias cannot be divided between a version and itself, and there is nothing to divide.
    pub(super) fn split(base: &Place, candidate: &Place, weight: Weight) -> Shape {
        if base == candidate {
            return Shape::Settled(base.clone());
        }
        Shape::Split {
            base: base.clone(),
            candidate: candidate.clone(),
            weight,
        }
    }

    /// As a stage with these variables would be seen; `None` for the shape of an alias.
    pub(super) fn as_stage(&self, mut variables: BTreeMap<String, String>) -> Option<ApiTraffic> {
        let (base, canary) = match self {
            Shape::Settled(Place::Stage(base)) => (base, None),
            Shape::Split {
                base: Place::Stage(base),
                candidate: Place::Stage(candidate),
                weight,
            } => {
                let canary = Canary {
                    weight: *weight,
                    deployment_id: candidate.deployment_id.clone(),
                    slot: Some(candidate.slot),
                };
                (base, Some(canary))
            }
            _ => return None,
        };
        variables.insert("color".to_owned(), base.slot.to_string());
        Some(ApiTraffic {
            deployment_id: base.deployment_id.clone(),
            slot: Some(base.slot),
            canary,
            variables,
        })
    }

    /// What an alias is to be told; `None` for the shape of a stage.
    pub(super) fn as_routing(&self) -> Option<AliasRouting> {
        match self {
            Shape::Settled(Place::Version(version)) => Some(AliasRouting {
                version: version.clone(),
                share: None,
            }),
            Shape::Split {
                base: Place::Version(base),
                candidate: Place::Version(candidate),
                weight,
            } => Some(AliasRouting {
                version: base.clone(),
                share: Some(VersionShare {
                    version: candidate.clone(),
                    weight: *weight,
                }),
            }),
            _ => None,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Settled(place) => write!(formatter, "all on {place}"),
            Shape::Split {
                base,
                candidate,
                weight,
            } => write!(formatter, "{weight} on {candidate}, the rest on {base}"),
        }
    }
}

/// An entry point's traffic as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seen {
    Stage(ApiTraffic),
    Alias(AliasState),
}

impl Seen {
    /// `None` where it is none that a rollout makes.
    pub(super) fn shape(&self) -> Option<Shape> {
        match self {
            Seen::Stage(seen) => {
                if let Some(settled) = seen.settled() {
                    return Some(Shape::Settled(Place::Stage(settled)));
                }
                let canary = seen.canary.as_ref()?;
                Some(Shape::Split {
                    base: Place::Stage(StageTarget {
                        deployment_id: seen.deployment_id.clone(),
                        slot: seen.slot?,
                    }),
                    candidate: Place::Stage(StageTarget {
                        deployment_id: canary.deployment_id.clone(),
                        slot: canary.slot?,
                    }),
                    weight: canary.weight,
                })
            }
            Seen::Alias(seen) => {
                let routing = seen.routing()?;
                let base = Place::Version(routing.version);
                Some(match routing.share {
                    None => Shape::Settled(base),
                    Some(share) => Shape::Split {
                        base,
                        candidate: Place::Version(share.version),
                        weight: share.weight,
                    },
                })
            }
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(shape) = self.shape() {
            return shape.fmt(formatter);
        }
        match self {
            Seen::Stage(seen) => {
                let slot =
                    |slot: Option<Slot>| slot.map_or_else(|| "no slot".to_owned(), |slot| format!("slot {slot}"));
                write!(formatter, "{} (deployment {})", slot(seen.slot), seen.deployment_id)?;
                match &seen.canary {
                    None => Ok(()),
                    Some(canary) => write!(
                        formatter,
                        ", canary of {} to {} (deployment {})",
                        canary.weight,
                        slot(canary.slot),
                        canary.deployment_id
                    ),
                }
            }
            Seen::Alias(seen) => {
                let shares: Vec<String> = seen
                    .weights
                    .iter()
                    .map(|(version, weight)| format!("{weight} on version {version}"))
                    .collect();
                write!(formatter, "{}, the rest on version {}", shares.join(", "), seen.version)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u32) -> Place {
        Place::Version(number.to_string().into())
    }

    fn percent(percent: f64) -> Weight {
        Weight::from_percent(percent).unwrap_or(Weight::ZERO)
    }

    fn seen(routing: AliasRouting) -> Seen {
        Seen::Alias(AliasState {
            version: routing.version,
            revision: "r".into(),
            weights: routing
                .share
                .into_iter()
                .map(|share| (share.version, share.weight))
                .collect(),
        })
    }

    #[test]
    fn an_alias_is_seen_as_it_was_told() {
        for shape in [
            Shape::Settled(version(3)),
            Shape::split(&version(3), &version(4), percent(10.0)),
            Shape::split(&version(3), &version(4), Weight::ZERO),
            Shape::split(&version(3), &version(4), Weight::FULL),
        ] {
            assert_eq!(shape.as_routing().map(seen).and_then(|seen| seen.shape()), Some(shape));
        }
    }

    #[test]
    fn an_unchanged_function_is_never_split() {
        assert_eq!(
            Shape::split(&version(3), &version(3), percent(10.0)),
            Shape::Settled(version(3))
        );
    }

    #[test]
    fn what_no_rollout_makes_has_no_shape_and_is_told_in_full() {
        let seen = Seen::Alias(AliasState {
            version: "3".into(),
            revision: "r".into(),
            weights: [("4".into(), percent(10.0)), ("5".into(), percent(20.0))].into(),
        });
        assert_eq!(seen.shape(), None);
        assert_eq!(
            seen.to_string(),
            "10 % on version 4, 20 % on version 5, the rest on version 3"
        );
    }
}
