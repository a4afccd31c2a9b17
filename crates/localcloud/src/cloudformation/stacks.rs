//! All stacks, each with its lock and its files.
//!
//! A stack is saved as a whole when it enters another state. The steps between, hundreds in a large stack, go to a
//! journal beside it, a line a step, which the next save of the whole makes void.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::record::{Event, ResourceRecord, Stack};
use super::status::Status;
use serde::{Deserialize, Serialize};

use crate::identity;
use crate::store::Store;

pub struct Stacks {
    store: Store,
    cells: Mutex<Vec<Arc<Cell>>>,
}

/// A step: the resource as it is from now on, and what the events tell of it.
#[derive(Serialize, Deserialize)]
struct Entry {
    generation: u64,
    record: Option<ResourceRecord>,
    event: Option<Event>,
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
                let cell = Cell::new(store.clone(), file, stack);
                if cell.replay()? {
                    cell.change(|_| ());
                }
                cells.push(Arc::new(cell));
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
        cell.change(|_| ());
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

    /// Changes the stack and saves all of it.
    pub fn change<R>(&self, change: impl FnOnce(&mut Stack) -> R) -> R {
        let mut stack = self.read();
        let result = change(&mut stack);
        stack.generation += 1;
        // The engine has nobody to tell; the next step tries again.
        match self.store.save(&self.file, &*stack) {
            Ok(()) => {
                // Void already: its entries are of an older generation.
                let _ = std::fs::remove_file(self.journal());
            }
            Err(error) => tracing::error!(stack = stack.name, %error, "the stack could not be saved"),
        }
        result
    }

    /// Notes a step in memory and in the journal.
    pub fn note(&self, record: Option<ResourceRecord>, event: Option<Event>) {
        let mut stack = self.read();
        let entry = Entry {
            generation: stack.generation,
            record,
            event,
        };
        if let Err(error) = self.append(&entry) {
            tracing::error!(stack = stack.name, %error, "a step could not be saved");
        }
        entry.take_effect(&mut stack);
    }

    fn journal(&self) -> PathBuf {
        self.store.folder().join(format!("{}.journal", self.file))
    }

    fn append(&self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.journal())?
            .write_all(&line)
    }

    /// Takes up the steps since the last save. A line that broke off is the end: its step was not yet begun.
    /// Whether there was any.
    fn replay(&self) -> io::Result<bool> {
        let lines = match std::fs::read(self.journal()) {
            Ok(lines) => lines,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let entries = lines
            .split(|byte| *byte == b'\n')
            .map_while(|line| serde_json::from_slice::<Entry>(line).ok());
        let mut stack = self.read();
        for entry in entries
            .filter(|entry| entry.generation == stack.generation)
            .collect::<Vec<_>>()
        {
            entry.take_effect(&mut stack);
        }
        Ok(true)
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

impl Entry {
    fn take_effect(self, stack: &mut Stack) {
        stack.events.extend(self.event);
        if let Some(record) = self.record {
            stack.resources.insert(record.logical_id.clone(), record);
        }
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
