//! Entry points, whatever their kind: how each divides its requests.

use std::fmt;

use orchestrator::domain::{AliasState, ApiTraffic, Slot, Weight};

/// What requests come in by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// The live stage of an API.
    Stage(String),
    /// The live alias of a function.
    Alias(String),
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Stage(api) => write!(formatter, "{api}"),
            Entry::Alias(function) => write!(formatter, "{function}:live"),
        }
    }
}

/// Where requests can go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Stage { deployment: String, slot: Option<Slot> },
    Version(String),
}

/// How an entry divides its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    pub base: Place,
    /// The weight may be zero: settings that send nobody there are settings all the same.
    pub share: Option<(Place, Weight)>,
}

impl Split {
    pub fn of_stage(traffic: &ApiTraffic) -> Split {
        Split {
            base: Place::Stage {
                deployment: traffic.deployment_id.to_string(),
                slot: traffic.slot,
            },
            share: traffic.canary.as_ref().map(|canary| {
                let place = Place::Stage {
                    deployment: canary.deployment_id.to_string(),
                    slot: canary.slot,
                };
                (place, canary.weight)
            }),
        }
    }

    pub fn of_alias(state: &AliasState) -> Split {
        Split {
            base: Place::Version(state.version.to_string()),
            share: state
                .weights
                .first_key_value()
                .map(|(version, weight)| (Place::Version(version.to_string()), *weight)),
        }
    }

    /// All places that requests reach.
    pub fn reached(&self) -> impl Iterator<Item = &Place> {
        let share = self.share.as_ref();
        let base = share.is_none_or(|(_, weight)| *weight < Weight::FULL);
        let shared = share.filter(|(_, weight)| *weight > Weight::ZERO);
        base.then_some(&self.base)
            .into_iter()
            .chain(shared.map(|(place, _)| place))
    }

    /// The share of requests, from 0 to 1, that a place gets.
    pub fn share_of(&self, place: &Place) -> f64 {
        let (shared, weight) = match &self.share {
            Some((to, weight)) => (Some(to), weight.as_percent() / 100.0),
            None => (None, 0.0),
        };
        let base = if &self.base == place { 1.0 - weight } else { 0.0 };
        base + if shared == Some(place) { weight } else { 0.0 }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.base)?;
        match &self.share {
            Some((place, weight)) => write!(formatter, " with {weight} to {place}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Stage { deployment, slot } => match slot {
                Some(slot) => write!(formatter, "{deployment} on {slot}"),
                None => write!(formatter, "{deployment} on no slot"),
            },
            Place::Version(version) => write!(formatter, "version {version}"),
        }
    }
}
