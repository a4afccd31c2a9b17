//! All stacks, each with its lock and its file.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::record::{Event, Stack};
use super::status::Status;
use crate::identity;
use crate::store::Store;

pub struct Stacks {
    store: Store,
    cells: Mutex<Vec<Arc<Cell>>>,
}

pub struct Cell {
    store: Store,
    file: String,
    stack: Mutex<Stack>,
    /// Somebody asked to cancel the update that runs.
    pub cancelled: AtomicBool,
    /// Logical ids that the running rollback or deletion leaves alone.
    pub skipped: Mutex<Vec<String>>,
}

impl Stacks {
    pub fn open(store: Store) -> io::Result<Self> {
        let mut cells = Vec::new();
        for file in store.names()? {
            if let Some(stack) = store.load::<Option<Stack>>(&file)? {
                cells.push(Arc::new(Cell::new(store.clone(), file, stack)));
            }
        }
        cells.sort_by(|left, right| left.read().created.total_cmp(&right.read().created));
        Ok(Self {
            store,
            cells: Mutex::new(cells),
        })
    }

    pub fn all(&self) -> Vec<Arc<Cell>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn add(&self, stack: Stack) -> Arc<Cell> {
        let file = stack.id.rsplit('/').next().unwrap_or(&stack.id).to_owned();
        let cell = Arc::new(Cell::new(self.store.clone(), file, stack));
        cell.save(&cell.read());
        self.cells
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(cell.clone());
        cell
    }

    /// By id, deleted stacks too; by name only what is not deleted.
    pub fn find(&self, name_or_id: &str) -> Option<Arc<Cell>> {
        self.all().into_iter().find(|cell| {
            let stack = cell.read();
            stack.id == name_or_id || (stack.name == name_or_id && stack.status != Status::DeleteComplete)
        })
    }

    /// Export names with the value and the exporting stack's id.
    pub fn exports(&self) -> BTreeMap<String, (String, String)> {
        let mut exports = BTreeMap::new();
        for cell in self.all() {
            let stack = cell.read();
            if stack.status == Status::DeleteComplete {
                continue;
            }
            for output in &stack.outputs {
                if let Some(name) = &output.export_name {
                    exports.insert(name.clone(), (output.value.clone(), stack.id.clone()));
                }
            }
        }
        exports
    }

    /// The names of the stacks that import an export.
    pub fn importers(&self, export: &str) -> Vec<String> {
        let cells = self.all();
        let stacks = cells
            .iter()
            .map(|cell| cell.read())
            .filter(|stack| stack.status != Status::DeleteComplete);
        stacks
            .filter(|stack| stack.imports.iter().any(|name| name == export))
            .map(|stack| stack.name.clone())
            .collect()
    }
}

impl Cell {
    fn new(store: Store, file: String, stack: Stack) -> Self {
        Self {
            store,
            file,
            stack: Mutex::new(stack),
            cancelled: AtomicBool::new(false),
            skipped: Mutex::default(),
        }
    }

    /// The stack to read. Hold it briefly, never across an await, and never two at once.
    pub fn read(&self) -> MutexGuard<'_, Stack> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the stack and saves it.
    pub fn change<R>(&self, change: impl FnOnce(&mut Stack) -> R) -> R {
        let mut stack = self.read();
        let result = change(&mut stack);
        self.save(&stack);
        result
    }

    fn save(&self, stack: &Stack) {
        // The engine has nobody to tell; the next step tries again.
        if let Err(error) = self.store.save(&self.file, stack) {
            tracing::error!(stack = stack.name, %error, "the stack could not be saved");
        }
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub fn skips(&self, logical_id: &str) -> bool {
        self.skipped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .any(|id| id == logical_id)
    }

    pub fn skip(&self, logical_ids: Vec<String>) {
        *self.skipped.lock().unwrap_or_else(PoisonError::into_inner) = logical_ids;
    }
}

impl Stack {
    /// Moves the stack itself to a state, with its event.
    pub fn enter(&mut self, status: Status, reason: Option<&str>, now: f64) {
        self.status = status;
        self.status_reason = reason.map(str::to_owned);
        let event = Event {
            id: identity::uuid(),
            logical_id: self.name.clone(),
            physical_id: Some(self.id.clone()),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            timestamp: now,
            status,
            reason: reason.map(str::to_owned),
            properties: None,
            token: None,
        };
        self.events.push(event);
    }
}
