//! One resource's way: made, changed, replaced, restored, deleted; with its record before and after, and its events.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use serde_json::{Map, Value};

use super::blueprint::{Blueprint, Records, text};
use super::custom::is_custom;
use super::plan::same_properties;
use super::record::{Event, Garbage, Policy, ResourceRecord, Stack};
use super::stacks::Cell;
use super::status::Status;
use super::template::Definition;
use super::world::World;
use super::{evaluate, schema};
use crate::resource::{ProviderError, Resource, ResourceRequest};
use crate::{generic, identity};

use cfn::schema::Replaces;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    CreateFailed,
    UpdateFailed,
    DeleteFailed,
}

impl Verdict {
    /// Whether nothing further should begin.
    pub fn stops(self) -> bool {
        matches!(self, Self::CreateFailed | Self::UpdateFailed)
    }
}

pub struct Step<'a> {
    pub world: &'a World,
    pub cell: &'a Cell,
}

impl Step<'_> {
    /// Makes or changes a resource as the blueprint wants it.
    pub async fn apply(&self, blueprint: &Blueprint, id: String) -> Verdict {
        let definition = &blueprint.template.resources[&id];
        let (evaluated, current, tags) = {
            let stack = self.cell.read();
            let records = Records(&stack.resources);
            let scope = blueprint.scope(&records);
            let evaluated = scope.object(&definition.properties).map_err(text);
            let imported: Vec<String> = scope.imported.borrow().iter().cloned().collect();
            (
                evaluated.map(|properties| (properties, imported)),
                stack.resources.get(&id).cloned(),
                stack.goal.tags.clone(),
            )
        };
        let current = current.filter(|record| record.physical_id.is_some());
        let (properties, imported) = match evaluated {
            Ok(found) => found,
            Err(reason) => {
                let (status, verdict) = failed(current.is_some());
                let record = current.unwrap_or_else(|| self.fresh(blueprint, &id, definition, Map::new(), tags));
                self.note(record, status, Some(&reason));
                return verdict;
            }
        };
        if !imported.is_empty() {
            self.cell.change(|stack| stack.imports.extend(imported));
        }
        let wanted = self.fresh(blueprint, &id, definition, properties, tags);
        match current {
            None => self.create(wanted, Status::CreateInProgress, None).await,
            Some(current) => self.change(current, wanted).await,
        }
    }

    fn fresh(
        &self,
        blueprint: &Blueprint,
        id: &str,
        definition: &Definition,
        properties: Map<String, Value>,
        tags: Vec<(String, String)>,
    ) -> ResourceRecord {
        ResourceRecord {
            logical_id: id.to_owned(),
            resource_type: definition.resource_type.clone(),
            status: Status::CreateInProgress,
            status_reason: None,
            timestamp: self.world.now(),
            physical_id: None,
            attributes: Map::new(),
            properties,
            tags,
            generated_name: generated_name(&blueprint.identity.stack_name, id),
            deletion_policy: definition.deletion_policy,
            update_replace_policy: definition.update_replace_policy,
            metadata: definition.metadata.clone(),
            depends_on: blueprint.dependencies.get(id).cloned().unwrap_or_default(),
        }
    }

    async fn create(&self, mut record: ResourceRecord, status: Status, reason: Option<&str>) -> Verdict {
        let is_replacement = status == Status::UpdateInProgress;
        self.note(record.clone(), status, reason);
        let (failure, verdict) = failed(is_replacement);
        match self.make(&record).await {
            Ok(resource) => {
                record.physical_id = Some(resource.physical_id);
                record.attributes = resource.attributes;
                self.note(record.clone(), status, Some("Resource creation Initiated"));
                let end = if is_replacement {
                    Status::UpdateComplete
                } else {
                    Status::CreateComplete
                };
                self.note(record, end, None);
                Verdict::Done
            }
            Err(reason) => {
                self.note(record, failure, Some(&reason));
                verdict
            }
        }
    }

    async fn make(&self, record: &ResourceRecord) -> Result<Resource, String> {
        let request = self.request(record).await?;
        generic::validate(&record.resource_type, &request.properties)?;
        let provider = self.world.provider(&record.resource_type);
        outcome(provider.create(&request)).await
    }

    async fn change(&self, current: ResourceRecord, mut wanted: ResourceRecord) -> Verdict {
        wanted.physical_id = current.physical_id.clone();
        wanted.attributes = current.attributes.clone();
        let retagged = current.tags != wanted.tags && schema::takes_tags(&wanted.resource_type);
        let is_same =
            same_properties(&wanted.properties, &current.properties) && current.resource_type == wanted.resource_type;
        if is_same && !retagged && !matches!(current.status, Status::CreateFailed | Status::UpdateFailed) {
            let kept = ResourceRecord {
                status: current.status,
                status_reason: current.status_reason,
                timestamp: current.timestamp,
                generated_name: current.generated_name,
                properties: current.properties,
                ..wanted
            };
            self.cell.note(Some(kept), None);
            return Verdict::Done;
        }
        if replaces(&current, &wanted) {
            return self.replace(current, wanted).await;
        }
        wanted.generated_name = current.generated_name.clone();
        self.update(current, wanted, None).await
    }

    async fn replace(&self, current: ResourceRecord, mut wanted: ResourceRecord) -> Verdict {
        if let Some(name) = schema::kept_name(&wanted.resource_type, &current.properties, &wanted.properties) {
            let reason = format!(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {name} and update the stack again."
            );
            self.note(current, Status::UpdateFailed, Some(&reason));
            return Verdict::UpdateFailed;
        }
        wanted.physical_id = None;
        wanted.attributes = Map::new();
        // Before the new one is begun: should the cloud be killed now, the old one is still known.
        self.cell.change(|stack| {
            stack.garbage.push(Garbage {
                policy: wanted.update_replace_policy,
                record: current,
            })
        });
        let reason = "Requested update requires the creation of a new physical resource; hence creating one.";
        self.create(wanted, Status::UpdateInProgress, Some(reason)).await
    }

    /// Changes a resource in place. `reason` goes with the event.
    async fn update(&self, current: ResourceRecord, mut wanted: ResourceRecord, reason: Option<&str>) -> Verdict {
        // The new properties are noted first: a rollback then knows that there is something to undo.
        self.note(wanted.clone(), Status::UpdateInProgress, reason);
        match self.modify(&current, &wanted).await {
            Ok(resource) => {
                let is_another = current.physical_id.as_ref() != Some(&resource.physical_id);
                wanted.physical_id = Some(resource.physical_id);
                wanted.attributes = resource.attributes;
                if is_another && is_custom(&wanted.resource_type) {
                    // Its function made a new one: the old one is deleted in the cleanup.
                    let policy = wanted.update_replace_policy;
                    self.cell.change(|stack| {
                        stack.garbage.push(Garbage {
                            policy,
                            record: current,
                        })
                    });
                }
                self.note(wanted, Status::UpdateComplete, None);
                Verdict::Done
            }
            Err(reason) => {
                self.note(wanted, Status::UpdateFailed, Some(&reason));
                Verdict::UpdateFailed
            }
        }
    }

    async fn modify(&self, current: &ResourceRecord, wanted: &ResourceRecord) -> Result<Resource, String> {
        let request = self.request(wanted).await?;
        generic::validate(&wanted.resource_type, &request.properties)?;
        // A secret that is gone since leaves its reference, which differs from any value.
        let old = self
            .world
            .resolve_dynamic(&current.properties)
            .await
            .unwrap_or_else(|_| current.properties.clone());
        let provider = self.world.provider(&wanted.resource_type);
        outcome(provider.update(&resource(current), &old, &request)).await
    }

    /// Takes a resource back to what it was before the update.
    pub async fn restore(&self, old: ResourceRecord) -> Verdict {
        let current = self.cell.read().resources.get(&old.logical_id).cloned();
        let Some(current) = current else { return Verdict::Done };
        if self.cell.skips(&old.logical_id) {
            self.cell.note(Some(old), None);
            return Verdict::Done;
        }
        if current.physical_id != old.physical_id {
            let now = self.world.now();
            self.cell.change(|stack| {
                stack.garbage.retain(|item| item.record.physical_id != old.physical_id);
                // A provider that refused has made nothing; one that never answered may have.
                if current.physical_id.is_some() || current.status == Status::UpdateInProgress {
                    stack.garbage.push(Garbage {
                        policy: Policy::Delete,
                        record: current,
                    });
                }
                insert(
                    stack,
                    ResourceRecord {
                        status: Status::UpdateComplete,
                        status_reason: None,
                        ..old
                    },
                    now,
                );
            });
            return Verdict::Done;
        }
        let is_same = same_properties(&current.properties, &old.properties) && current.tags == old.tags;
        if is_same && !matches!(current.status, Status::UpdateInProgress | Status::UpdateFailed) {
            self.cell.note(Some(old), None);
            return Verdict::Done;
        }
        let wanted = ResourceRecord {
            attributes: current.attributes.clone(),
            ..old
        };
        self.update(current, wanted, None).await
    }

    /// Deletes a resource, or leaves it where its policy says so. `is_own` tells a record of the stack from garbage.
    pub async fn discard(&self, record: ResourceRecord, policy: Policy, is_own: bool) -> Verdict {
        let never_answered = record.physical_id.is_none();
        let refused = matches!(record.status, Status::CreateFailed | Status::UpdateFailed) && never_answered;
        let note = |status, reason: Option<&str>| {
            let now = self.world.now();
            let record = ResourceRecord {
                status,
                status_reason: reason.map(str::to_owned),
                timestamp: now,
                ..record.clone()
            };
            let event = event(&record);
            self.cell.note(is_own.then_some(record), Some(event));
        };
        if refused {
            if is_own {
                let status = Status::DeleteComplete;
                self.cell.note(Some(ResourceRecord { status, ..record }), None);
            }
            return Verdict::Done;
        }
        if matches!(policy, Policy::Retain | Policy::RetainExceptOnCreate) || self.cell.skips(&record.logical_id) {
            note(Status::DeleteSkipped, None);
            return Verdict::Done;
        }
        note(Status::DeleteInProgress, None);
        let mut current = resource(&record);
        if never_answered {
            current.physical_id = schema::guessed_id(&record.resource_type, &record.properties, &record.generated_name);
        }
        let provider = self.world.provider(&record.resource_type);
        let request = self.request_as_it_is(&record);
        let removal = async {
            if policy == Policy::Snapshot {
                provider.snapshot(&current, &request).await?;
            }
            provider.delete(&current, &request).await
        };
        match outcome(removal).await {
            Ok(()) => {
                note(Status::DeleteComplete, None);
                Verdict::Done
            }
            Err(reason) => {
                note(Status::DeleteFailed, Some(&reason));
                Verdict::DeleteFailed
            }
        }
    }

    async fn request(&self, record: &ResourceRecord) -> Result<ResourceRequest, String> {
        let properties = self.world.resolve_dynamic(&record.properties).await?;
        Ok(ResourceRequest {
            properties,
            ..self.request_as_it_is(record)
        })
    }

    fn request_as_it_is(&self, record: &ResourceRecord) -> ResourceRequest {
        let (stack_name, stack_id) = {
            let stack = self.cell.read();
            (stack.name.clone(), stack.id.clone())
        };
        ResourceRequest {
            resource_type: record.resource_type.clone(),
            stack_name,
            stack_id,
            logical_id: record.logical_id.clone(),
            properties: record.properties.clone(),
            generated_name: record.generated_name.clone(),
            tags: record.tags.clone(),
        }
    }

    /// Saves the record in a state, with its event.
    fn note(&self, record: ResourceRecord, status: Status, reason: Option<&str>) {
        let now = self.world.now();
        let record = ResourceRecord {
            status,
            status_reason: reason.map(str::to_owned),
            timestamp: now,
            ..record
        };
        let event = event(&record);
        self.cell.note(Some(record), Some(event));
    }
}

/// A provider that panics fails its resource, not the cloud: a stack would be in progress for ever.
async fn outcome<T>(work: impl Future<Output = Result<T, ProviderError>>) -> Result<T, String> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result.map_err(|error| error.message),
        Err(_) => Err("The provider of the embedded cloud panicked: this is a bug of the embedded cloud.".to_owned()),
    }
}

fn insert(stack: &mut Stack, record: ResourceRecord, now: f64) {
    let record = ResourceRecord {
        timestamp: now,
        ..record
    };
    stack.events.push(event(&record));
    stack.resources.insert(record.logical_id.clone(), record);
}

fn event(record: &ResourceRecord) -> Event {
    Event {
        id: format!("{}-{}-{}", record.logical_id, record.status, identity::uuid()),
        logical_id: record.logical_id.clone(),
        physical_id: record.physical_id.clone(),
        resource_type: record.resource_type.clone(),
        timestamp: record.timestamp,
        status: record.status,
        reason: record.status_reason.clone(),
        properties: Some(Value::Object(record.properties.clone()).to_string()),
        token: None,
    }
}

fn failed(exists: bool) -> (Status, Verdict) {
    if exists {
        (Status::UpdateFailed, Verdict::UpdateFailed)
    } else {
        (Status::CreateFailed, Verdict::CreateFailed)
    }
}

fn resource(record: &ResourceRecord) -> Resource {
    Resource {
        physical_id: record.physical_id.clone().unwrap_or_default(),
        attributes: record.attributes.clone(),
    }
}

/// Whether the change makes a new resource. What the schema calls conditional is changed in place.
fn replaces(current: &ResourceRecord, wanted: &ResourceRecord) -> bool {
    let (old, new) = (&current.properties, &wanted.properties);
    let differs = |name: &&String| match (old.get(*name), new.get(*name)) {
        (Some(old), Some(new)) => !evaluate::same(old, new),
        (old, new) => old.is_some() != new.is_some(),
    };
    let always = |name: &String| {
        schema::replaces_by(&wanted.resource_type, name, old.get(name), new.get(name)) == Replaces::Always
    };
    current.resource_type != wanted.resource_type || old.keys().chain(new.keys()).filter(differs).any(always)
}

/// `stack-logical-TAIL`, short enough for the names of all services (a function's has at most 64 characters).
fn generated_name(stack: &str, logical_id: &str) -> String {
    let short = |text: &str| text.chars().take(24).collect::<String>();
    format!("{}-{}-{}", short(stack), short(logical_id), identity::tail(12))
}
