//! Moves a stack from one lasting state to the next. Each phase is entered by the state that the stack's file holds,
//! so a cloud that was killed goes on where the file says: what was being made is rolled back, what was being cleaned
//! or deleted is finished.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::blueprint::{Blueprint, Identity, Records};
use super::record::{Garbage, OnFailure, Output, Policy, ResourceRecord, Snapshot};
use super::schedule::each;
use super::stacks::{Cell, Stacks};
use super::status::Status;
use super::step::{Step, Verdict};
use super::world::World;

pub struct Engine {
    pub world: Arc<World>,
    pub stacks: Arc<Stacks>,
}

impl Engine {
    /// Works in the background until the stack rests.
    pub fn launch(self: &Arc<Self>, cell: Arc<Cell>) {
        let engine = self.clone();
        tokio::spawn(async move { engine.run(&cell).await });
    }

    /// Takes up what a killed cloud left.
    pub fn recover(self: &Arc<Self>) {
        for cell in self.stacks.all() {
            let status = cell.read().status;
            if !status.is_running() {
                continue;
            }
            tracing::info!(stack = cell.read().name, %status, "takes up a stack that was left in progress");
            let reason = "The embedded cloud ended before the operation did.";
            match status {
                Status::CreateInProgress => self.fail(&cell, reason),
                Status::UpdateInProgress => self.fail(&cell, reason),
                _ => {}
            }
            self.launch(cell);
        }
    }

    pub async fn run(&self, cell: &Cell) {
        loop {
            let status = cell.read().status;
            match status {
                Status::CreateInProgress | Status::UpdateInProgress => match self.apply(cell).await {
                    Ok(()) if status == Status::CreateInProgress => self.enter(cell, Status::CreateComplete, None),
                    Ok(()) => self.enter(cell, Status::UpdateCompleteCleanupInProgress, None),
                    Err(reason) => self.fail(cell, &reason),
                },
                Status::UpdateCompleteCleanupInProgress => self.clean_up(cell, Status::UpdateComplete).await,
                Status::UpdateRollbackInProgress => self.roll_back_update(cell).await,
                Status::UpdateRollbackCompleteCleanupInProgress => {
                    self.clean_up(cell, Status::UpdateRollbackComplete).await;
                }
                Status::RollbackInProgress => {
                    self.remove_all(cell, Status::RollbackComplete, Status::RollbackFailed)
                        .await
                }
                Status::DeleteInProgress => {
                    self.remove_all(cell, Status::DeleteComplete, Status::DeleteFailed)
                        .await
                }
                _ => break,
            }
        }
    }

    fn enter(&self, cell: &Cell, status: Status, reason: Option<&str>) {
        let now = self.world.now();
        cell.change(|stack| stack.enter(status, reason, now));
    }

    /// What a failed creation or update goes on with.
    fn fail(&self, cell: &Cell, reason: &str) {
        let (is_create, on_failure) = {
            let stack = cell.read();
            (stack.status == Status::CreateInProgress, stack.on_failure)
        };
        let next = match (is_create, on_failure) {
            (true, OnFailure::Rollback) => Status::RollbackInProgress,
            (true, OnFailure::Delete) => Status::DeleteInProgress,
            (true, OnFailure::DoNothing) => Status::CreateFailed,
            (false, OnFailure::DoNothing) => Status::UpdateFailed,
            (false, _) => Status::UpdateRollbackInProgress,
        };
        let asked = if next == Status::RollbackInProgress {
            " Rollback requested by user."
        } else {
            ""
        };
        self.enter(cell, next, Some(&format!("{reason}{asked}")));
    }

    fn identity(&self, cell: &Cell) -> Identity {
        let stack = cell.read();
        Identity {
            region: self.world.context.region.clone(),
            stack_name: stack.name.clone(),
            stack_id: stack.id.clone(),
            notification_arns: stack.goal.notification_arns.clone(),
        }
    }

    /// The exports that a stack may import: those of all others.
    pub fn exports_for(&self, stack_id: &str) -> BTreeMap<String, String> {
        let exports = self
            .stacks
            .exports()
            .into_iter()
            .filter(|(_, (_, owner))| owner != stack_id);
        exports.map(|(name, (value, _))| (name, value)).collect()
    }

    /// Makes and changes everything that the goal wants. The error is the reason of the stack's failure.
    async fn apply(&self, cell: &Cell) -> Result<(), String> {
        let identity = self.identity(cell);
        let exports = self.exports_for(&identity.stack_id);
        let goal = cell.read().goal.clone();
        let blueprint = Blueprint::new(&goal, identity, exports)?;
        let step = Step {
            world: &self.world,
            cell,
        };
        cell.change(|stack| {
            stack.description = blueprint.template.description.clone();
            stack.imports.clear();
        });
        let verdicts = each(
            &blueprint.dependencies,
            || cell.is_cancelled(),
            |id| step.apply(&blueprint, id),
        )
        .await;
        if cell.is_cancelled() {
            return Err("User Initiated".to_owned());
        }
        let failed = |verdict| {
            let of: Vec<&str> = verdicts
                .iter()
                .filter(|(_, found)| *found == verdict)
                .map(|(id, _)| id.as_str())
                .collect();
            of.join(", ")
        };
        let (create, update) = (failed(Verdict::CreateFailed), failed(Verdict::UpdateFailed));
        if !create.is_empty() {
            return Err(format!("The following resource(s) failed to create: [{create}]."));
        }
        if !update.is_empty() {
            return Err(format!("The following resource(s) failed to update: [{update}]."));
        }
        let outputs = {
            let stack = cell.read();
            blueprint.outputs(&Records(&stack.resources))?
        };
        self.guard_exports(cell, &outputs)?;
        cell.change(|stack| {
            stack.outputs = outputs;
            let gone: Vec<String> = stack
                .resources
                .keys()
                .filter(|id| !blueprint.is_wanted(id))
                .cloned()
                .collect();
            for id in gone {
                if let Some(record) = stack.resources.shift_remove(&id) {
                    stack.garbage.push(Garbage {
                        policy: record.deletion_policy,
                        record,
                    });
                }
            }
        });
        Ok(())
    }

    /// An export has one owner, and stays as it is while somebody imports it.
    fn guard_exports(&self, cell: &Cell, outputs: &[Output]) -> Result<(), String> {
        let (id, before) = {
            let stack = cell.read();
            (stack.id.clone(), stack.outputs.clone())
        };
        let taken = self.stacks.exports();
        for name in outputs.iter().filter_map(|output| output.export_name.as_ref()) {
            if let Some((_, owner)) = taken.get(name).filter(|(_, owner)| *owner != id) {
                let owner = owner.split('/').nth(1).unwrap_or(owner);
                return Err(format!("Export with name {name} is already exported by stack {owner}."));
            }
        }
        for old in before.iter().filter(|output| output.export_name.is_some()) {
            let name = old.export_name.as_deref().unwrap_or_default();
            let now = outputs
                .iter()
                .find(|output| output.export_name.as_deref() == Some(name));
            if now.is_some_and(|now| now.value == old.value) {
                continue;
            }
            let importers = self.stacks.importers(name).join(", ");
            if !importers.is_empty() {
                let verb = if now.is_some() { "updated" } else { "deleted" };
                return Err(format!("Export {name} cannot be {verb} as it is in use by {importers}"));
            }
        }
        Ok(())
    }

    /// Deletes what the update left over. What cannot be deleted stays behind, as in AWS.
    async fn clean_up(&self, cell: &Cell, end: Status) {
        let garbage = cell.read().garbage.clone();
        let step = Step {
            world: &self.world,
            cell,
        };
        // Dependents first; several records of one logical id may wait here.
        let key = |item: &Garbage, index: usize| format!("{}#{index}", item.record.logical_id);
        let keys: Vec<String> = garbage
            .iter()
            .enumerate()
            .map(|(index, item)| key(item, index))
            .collect();
        let dependencies = garbage.iter().zip(&keys).map(|(item, own)| {
            let dependents = garbage
                .iter()
                .zip(&keys)
                .filter(|(other, _)| other.record.depends_on.contains(&item.record.logical_id));
            (
                own.clone(),
                dependents
                    .map(|(_, key)| key.clone())
                    .filter(|key| key != own)
                    .collect(),
            )
        });
        let dependencies: BTreeMap<String, Vec<String>> = dependencies.collect();
        let by_key: BTreeMap<&String, &Garbage> = keys.iter().zip(&garbage).collect();
        each(
            &dependencies,
            || false,
            |key| {
                let item = by_key[&key];
                step.discard(item.record.clone(), item.policy, false)
            },
        )
        .await;
        let now = self.world.now();
        cell.change(|stack| {
            stack.garbage.clear();
            stack.previous = None;
            stack.enter(end, None, now);
        });
    }

    async fn roll_back_update(&self, cell: &Cell) {
        let Some(snapshot) = cell.read().previous.clone() else {
            self.enter(
                cell,
                Status::UpdateRollbackFailed,
                Some("The state before the update is not known."),
            );
            return;
        };
        let dependencies = snapshot.resources.iter().map(|(id, record)| {
            let targets = record
                .depends_on
                .iter()
                .filter(|target| snapshot.resources.contains_key(*target));
            (id.clone(), targets.cloned().collect())
        });
        let dependencies: BTreeMap<String, Vec<String>> = dependencies.collect();
        let step = Step {
            world: &self.world,
            cell,
        };
        let verdicts = each(
            &dependencies,
            || false,
            |id| step.restore(snapshot.resources[&id].clone()),
        )
        .await;
        let failed = unfinished(&verdicts);
        if !failed.is_empty() {
            let reason = format!("The following resource(s) failed to update: [{}].", failed.join(", "));
            self.enter(cell, Status::UpdateRollbackFailed, Some(&reason));
            return;
        }
        let now = self.world.now();
        cell.change(|stack| {
            let Snapshot {
                goal,
                outputs,
                imports,
                resources,
                description,
            } = *snapshot;
            let added: Vec<String> = stack
                .resources
                .keys()
                .filter(|id| !resources.contains_key(*id))
                .cloned()
                .collect();
            for id in added {
                if let Some(record) = stack.resources.shift_remove(&id) {
                    stack.garbage.push(Garbage {
                        policy: creation_policy(&record),
                        record,
                    });
                }
            }
            (stack.goal, stack.outputs, stack.imports, stack.description) = (goal, outputs, imports, description);
            stack.enter(Status::UpdateRollbackCompleteCleanupInProgress, None, now);
        });
    }

    async fn remove_all(&self, cell: &Cell, done: Status, failed: Status) {
        let records: Vec<ResourceRecord> = cell.read().resources.values().cloned().collect();
        let left: Vec<&ResourceRecord> = records
            .iter()
            .filter(|record| record.status != Status::DeleteComplete)
            .collect();
        let dependencies = left.iter().map(|record| {
            let dependents = left
                .iter()
                .filter(|other| other.depends_on.contains(&record.logical_id));
            (
                record.logical_id.clone(),
                dependents.map(|other| other.logical_id.clone()).collect(),
            )
        });
        let dependencies: BTreeMap<String, Vec<String>> = dependencies.collect();
        let by_id: BTreeMap<&str, &ResourceRecord> = left
            .iter()
            .map(|record| (record.logical_id.as_str(), *record))
            .collect();
        let is_rollback = done == Status::RollbackComplete;
        let step = Step {
            world: &self.world,
            cell,
        };
        let verdicts = each(
            &dependencies,
            || false,
            |id| {
                let record = by_id[id.as_str()].clone();
                let policy = if is_rollback {
                    creation_policy(&record)
                } else {
                    record.deletion_policy
                };
                step.discard(record, policy, true)
            },
        )
        .await;
        let stuck = unfinished(&verdicts);
        let now = self.world.now();
        cell.change(|stack| {
            if stuck.is_empty() {
                stack.outputs.clear();
                stack.imports.clear();
                if done == Status::DeleteComplete {
                    stack.deleted = Some(now);
                }
                stack.enter(done, None, now);
            } else {
                let reason = format!("The following resource(s) failed to delete: [{}]. ", stuck.join(", "));
                stack.enter(failed, Some(&reason), now);
            }
        });
    }
}

/// The ids of what did not come to its end.
fn unfinished(verdicts: &[(String, Verdict)]) -> Vec<&str> {
    verdicts
        .iter()
        .filter(|(_, verdict)| *verdict != Verdict::Done)
        .map(|(id, _)| id.as_str())
        .collect()
}

/// What happens to a resource whose creation is undone.
fn creation_policy(record: &ResourceRecord) -> Policy {
    if record.deletion_policy == Policy::RetainExceptOnCreate {
        Policy::Delete
    } else {
        record.deletion_policy
    }
}
