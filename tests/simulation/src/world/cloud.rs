//! What changes the cloud: every effect is carried out here, and told.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use orchestrator::domain::{AliasState, ApiTarget, ApiTraffic, FunctionName, LiveAlias, PerSlot, RolloutTarget, Slot};
use orchestrator::ledger::Standing;

use super::{APIS, Alias, Api, Checkout, Entry, FUNCTIONS, Function, Happening, Inner, Split, What, World};
use crate::process::{Call, ProcessId};

/// A stage with the variables that it has besides `color`.
pub fn stage(deployment: &str, slot: Slot) -> ApiTraffic {
    ApiTraffic {
        deployment_id: deployment.into(),
        slot: Some(slot),
        canary: None,
        variables: [
            ("color".to_owned(), slot.to_string()),
            ("theirs".to_owned(), "kept".to_owned()),
        ]
        .into(),
    }
}

impl World {
    /// Somebody else changes a live stage, as in the console.
    pub fn change_by_hand(&self, api: &str, traffic: ApiTraffic) {
        let mut inner = self.lock();
        let now = inner.now();
        inner.set_live(None, now, api, traffic, "somebody else changed");
    }

    /// Somebody else points a live alias elsewhere.
    pub fn route_by_hand(&self, function: &str, state: AliasState) {
        let mut inner = self.lock();
        let now = inner.now();
        inner.set_alias(None, now, function, state, "somebody else routed");
    }
}

impl Inner {
    /// What a process deploys.
    pub fn checkout(&self, process: ProcessId) -> Checkout {
        let own = self.processes[process.0].checkout.clone();
        own.unwrap_or_else(|| Checkout {
            code: self.template.clone(),
            migrations: self.migrations,
            needs: 0,
        })
    }

    /// A new code is written, and with `brings_migration` one that cannot do without its migration; or it is checked out
    /// once more.
    pub fn check_out(&mut self, code: &str, brings_migration: bool) -> Checkout {
        if let Some(known) = self.checkouts.get(code) {
            return known.clone();
        }
        if brings_migration {
            self.migrations = self.migrations.map(|newest| newest + 1);
        }
        let written = Checkout {
            code: code.to_owned(),
            migrations: self.migrations,
            needs: self.migrations.filter(|_| brings_migration).unwrap_or(0),
        };
        self.checkouts.insert(code.to_owned(), written.clone());
        written
    }

    /// The stacks are made with this code: one version of each function, both slots at it, the live stages at blue.
    pub fn create(&mut self, code: &str) {
        let now = self.now();
        for name in FUNCTIONS {
            let alias = Alias {
                version: 1,
                revision: 1,
            };
            let history = vec![(now - SignedDuration::from_hours(1), 1)];
            self.functions.insert(
                name.to_owned(),
                Function {
                    latest: code.to_owned(),
                    versions: vec![code.to_owned()],
                    deleted: BTreeSet::new(),
                    aliases: [(Slot::Blue, alias.clone()), (Slot::Green, alias)].into(),
                    live: AliasState {
                        version: "1".into(),
                        revision: "1".into(),
                        weights: Default::default(),
                    },
                    history: [(Slot::Blue, history.clone()), (Slot::Green, history)].into(),
                },
            );
        }
        for id in APIS.into_iter().take(self.shape.apis) {
            let first = format!("{id}-d0");
            let previews = Slot::BOTH.map(|slot| (slot, stage(&first, slot))).into();
            let live = stage(&first, Slot::Blue);
            self.timeline.push((now, id.to_owned(), live.clone()));
            let api = Api {
                deployments: vec!["created".to_owned()],
                deleted: BTreeSet::new(),
                live: live.clone(),
                before: live,
                previews,
            };
            self.apis.insert(id.to_owned(), api);
        }
        self.is_deployed = true;
        self.truth.in_force.clear();
        self.truth.foreign.clear();
        for entry in self.entries() {
            let Some(split) = self.split(&entry) else { continue };
            let composition = self.composition(&entry, &split.base);
            self.truth.trusted.insert(composition);
            self.truth.in_force.insert(entry, vec![(now, split)]);
        }
    }

    /// The stacks are deleted, and all that they held.
    pub fn delete(&mut self) {
        self.is_deployed = false;
        self.apis.clear();
        self.functions.clear();
        self.truth.in_force.clear();
        self.truth.foreign.clear();
        self.truth.standing = None;
        self.truth.began_anew = true;
        self.schema = None;
    }

    pub fn target(&self) -> RolloutTarget {
        let apis = self.apis.keys().map(|id| ApiTarget {
            rest_api_id: id.as_str().into(),
            name: id.clone(),
            live_stage: "prod".into(),
            preview_stages: PerSlot {
                blue: "blue".into(),
                green: "green".into(),
            },
            live_url: format!("http://{id}/prod"),
            preview_urls: PerSlot {
                blue: format!("http://{id}/blue"),
                green: format!("http://{id}/green"),
            },
        });
        let aliases = self.functions.keys().map(|function| LiveAlias {
            function: function.as_str().into(),
            alias: "live".into(),
            serves: match function.as_str() {
                "health" => vec!["HTTP API shop".into(), "WebSocket API events".into()],
                _ => vec!["queue jobs".into(), "schedule nightly".into()],
            },
        });
        RolloutTarget {
            functions: self
                .functions
                .keys()
                .map(|name| FunctionName::new(name.as_str()))
                .collect(),
            apis: apis.collect(),
            aliases: aliases.take_while(|_| self.shape.aliases).collect(),
        }
    }

    pub fn api(&mut self, api: &ApiTarget) -> Option<&mut Api> {
        self.apis.get_mut(api.rest_api_id.as_str())
    }

    /// Every change of a live stage goes through here.
    pub fn set_live(
        &mut self,
        by: Option<&Call>,
        issued: Timestamp,
        id: &str,
        traffic: ApiTraffic,
        change: &'static str,
    ) {
        let now = self.now();
        let Some(api) = self.apis.get_mut(id) else { return };
        let before = Split::of_stage(&api.live);
        let after = Split::of_stage(&traffic);
        api.before = std::mem::replace(&mut api.live, traffic.clone());
        self.timeline.push((now, id.to_owned(), traffic));
        self.mutations.push(format!("{change} {id}"));
        self.trace.line(|| format!("{change} {id}: {after}"));
        self.happen(Happening {
            by: by.map(|call| call.process),
            issued,
            what: What::Routed {
                entry: Entry::Stage(id.to_owned()),
                before,
                after,
                change,
            },
        });
    }

    /// Every change of a live alias goes through here; its revision counts up.
    pub fn set_alias(
        &mut self,
        by: Option<&Call>,
        issued: Timestamp,
        name: &str,
        state: AliasState,
        change: &'static str,
    ) {
        let Some(function) = self.functions.get_mut(name) else {
            return;
        };
        let revision: u64 = function.live.revision.as_str().parse().unwrap_or(0);
        let before = Split::of_alias(&function.live);
        let after = Split::of_alias(&state);
        function.live = AliasState {
            revision: (revision + 1).to_string().into(),
            ..state
        };
        let routed = function.live.clone();
        self.routes.push((self.time.now(), name.to_owned(), routed));
        self.mutations.push(format!("{change} {name}"));
        self.trace.line(|| format!("{change} {name}:live: {after}"));
        self.happen(Happening {
            by: by.map(|call| call.process),
            issued,
            what: What::Routed {
                entry: Entry::Alias(name.to_owned()),
                before,
                after,
                change,
            },
        });
    }

    /// What the stacks hold.
    pub fn deployed_code(&self) -> String {
        self.functions
            .get(FUNCTIONS[0])
            .map(|function| function.latest.clone())
            .unwrap_or_default()
    }

    pub fn live_code(&self) -> String {
        let version = match self.apis.values().next().and_then(|api| api.live.slot) {
            Some(slot) => self.functions[FUNCTIONS[0]].aliases[&slot].version,
            None => self.functions[FUNCTIONS[0]].live.version.as_str().parse().unwrap_or(0),
        };
        self.code_of(FUNCTIONS[0], version).unwrap_or_default().to_owned()
    }

    /// Whether the traffic is not on one slot without a canary, or not where the ledger says.
    pub fn unsettled(&self, standing: &Standing) -> Option<String> {
        if !self.is_deployed {
            return None;
        }
        if let Some(problem) = self.split_up() {
            return Some(problem);
        }
        let live = standing.live_release()?;
        for (id, api) in &self.apis {
            let settled = api.live.settled()?;
            if live.deployment(&id.as_str().into()) != Some(&settled.deployment_id) || live.slot != settled.slot {
                let found = Split::of_stage(&api.live);
                return Some(format!(
                    "{id} is {found}, the ledger's release {} is not there",
                    live.number
                ));
            }
        }
        for function in &live.functions {
            let Some(there) = self.functions.get(function.name.as_str()) else {
                continue;
            };
            let alias = &there.aliases[&live.slot];
            if function.version.as_str() != alias.version.to_string() {
                return Some(format!(
                    "{}:{} is at version {}, the ledger says {}",
                    function.name, live.slot, alias.version, function.version
                ));
            }
            if self.shape.aliases && there.live.version != function.version {
                return Some(format!(
                    "{}:live is at version {}, the ledger says {}",
                    function.name, there.live.version, function.version
                ));
            }
        }
        None
    }

    /// Whether the entries are on different slots, or one of them has a canary.
    pub fn split_up(&self) -> Option<String> {
        let mut slot = None;
        for (id, api) in &self.apis {
            let Some(settled) = api.live.settled() else {
                return Some(format!("{id} is split: {}", Split::of_stage(&api.live)));
            };
            if *slot.get_or_insert(settled.slot) != settled.slot {
                return Some(format!("{id} is on another slot than the other APIs: {}", settled.slot));
            }
        }
        if self.shape.aliases {
            for (name, function) in &self.functions {
                if !function.live.weights.is_empty() {
                    return Some(format!("{name}:live is split: {}", Split::of_alias(&function.live)));
                }
                if let Some(slot) = slot
                    && function.live.version.as_str() != function.aliases[&slot].version.to_string()
                {
                    return Some(format!(
                        "{name}:live is at version {}, the live slot {slot} at {}",
                        function.live.version, function.aliases[&slot].version
                    ));
                }
            }
        }
        None
    }
}
