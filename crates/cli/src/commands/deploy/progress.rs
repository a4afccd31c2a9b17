//! What is said while stacks are being deployed: each line names its stack, so that lines of several may interleave.
//!
//! It also keeps every event in `.llama/ENV/last-deploy.log`, where the rest of a failed deploy can be read, and knows
//! what is in progress, for whoever interrupts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws::assets::AssetEvent;
use aws::stacks::{StackEvent, StackProgress};
use aws::who_imports;

use crate::console::Console;

pub struct Progress {
    console: Console,
    /// Columns that the longest stack's name takes.
    width: usize,
    state: Mutex<State>,
    pub log: PathBuf,
}

#[derive(Default)]
struct State {
    /// The stacks that are being changed, with their status.
    running: BTreeMap<String, Running>,
    file: Option<File>,
}

#[derive(Default)]
struct Running {
    status: String,
    /// Resources that the change set concerns; 0 where somebody else's change is followed.
    changes: usize,
    /// It was begun before us.
    is_followed: bool,
    /// Logical ids of resources that are done.
    done: BTreeSet<String>,
}

impl Progress {
    /// `folder` is the environment's own. A log that cannot be written is done without.
    pub fn new<'a>(console: &Console, folder: &Path, stacks: impl Iterator<Item = &'a str>) -> Self {
        let log = folder.join("last-deploy.log");
        let file = std::fs::create_dir_all(folder).and_then(|()| File::create(&log)).ok();
        Self {
            console: console.clone(),
            width: stacks.map(str::len).max().unwrap_or_default(),
            state: Mutex::new(State {
                running: BTreeMap::new(),
                file,
            }),
            log,
        }
    }

    /// `Service (UPDATE_IN_PROGRESS), Data (CREATE_IN_PROGRESS)`; nothing where CloudFormation is not at work. With
    /// `ours` only what this run has begun.
    pub fn in_progress(&self, ours: bool) -> Option<String> {
        let state = self.state();
        let each: Vec<String> = state
            .running
            .iter()
            .filter(|(_, running)| !(ours && running.is_followed))
            .map(|(stack, running)| format!("{stack} ({})", running.status))
            .collect();
        (!each.is_empty()).then(|| each.join(", "))
    }

    pub fn asset(&self, event: &AssetEvent) {
        match event {
            AssetEvent::Uploading { asset, bytes } => self
                .console
                .waiting(&format!("uploading {asset} ({:.1} MB)", *bytes as f64 / 1e6)),
            AssetEvent::StillUploading { asset, bytes, elapsed } => self.console.ticking(&format!(
                "uploading {asset} ({:.1} MB), for {} s",
                *bytes as f64 / 1e6,
                elapsed.as_secs()
            )),
            AssetEvent::AlreadyThere { .. } | AssetEvent::Uploaded { .. } => {}
        }
    }

    pub fn stack(&self, event: StackProgress) {
        match event {
            StackProgress::Planning { stack } => self.console.waiting(&self.line(&stack, "asking what would change")),
            StackProgress::Unchanged { stack } => self.say(&stack, "no change"),
            StackProgress::Waiting { stack, status } => {
                let text = format!("is {status} already; follows that to its end first");
                self.say(&stack, &text);
                self.state().running.insert(
                    stack,
                    Running {
                        status,
                        is_followed: true,
                        ..Running::default()
                    },
                );
            }
            StackProgress::KeepsExports { stack, importers } => {
                let text = format!(
                    "keeps exports that are imported until a later deploy: {}",
                    who_imports(&importers)
                );
                self.say(&stack, &text);
            }
            StackProgress::Executing { stack, changes } => {
                let plural = if changes == 1 { "change" } else { "changes" };
                self.say(&stack, &format!("{changes} {plural}"));
                let running = Running {
                    status: "begins".to_owned(),
                    changes,
                    ..Running::default()
                };
                self.state().running.insert(stack, running);
            }
            StackProgress::Event(event) => self.event(&event),
            StackProgress::Done { stack, status } => {
                self.state().running.remove(&stack);
                self.say(&stack, &status);
            }
            StackProgress::Skipped { stack, because_of } => {
                self.say(&stack, &format!("skipped: it depends on {}", because_of.join(", ")));
            }
        }
    }

    fn event(&self, event: &StackEvent) {
        let reason = event.reason.as_deref().unwrap_or_default();
        let what = format!("{:20} {} {}", event.status, event.resource_type, event.logical_id);
        let mut state = self.state();
        if let Some(file) = &mut state.file {
            // The log is a convenience: a full disk must not end a deploy.
            let _ = writeln!(file, "{} {} {what} {reason}", event.at, event.stack);
        }
        let is_of_the_stack = event.is_of_the_stack_itself();
        let running = state.running.get_mut(&event.stack);
        let mut count = String::new();
        if let Some(running) = running {
            if is_of_the_stack {
                running.status.clone_from(&event.status);
            } else if event.status.ends_with("_COMPLETE") {
                running.done.insert(event.logical_id.clone());
            }
            if running.changes > 0 {
                let digits = running.changes.to_string().len();
                let done = running.done.len().min(running.changes);
                count = format!("{done:>digits$}/{} ", running.changes);
            }
        }
        let ended = is_of_the_stack && !event.status.ends_with("_IN_PROGRESS");
        if ended {
            state.running.remove(&event.stack);
        }
        drop(state);
        let line = self.line(&event.stack, &format!("{count}{what}"));
        if event.status.ends_with("_FAILED") {
            self.console.say(&format!("{line}: {reason}"));
        } else if event.status.ends_with("_COMPLETE") && !self.console.is_terminal() {
            self.console.say(&line);
        } else {
            self.console.ticking(&line);
        }
    }

    fn say(&self, stack: &str, text: &str) {
        self.console.say(&self.line(stack, text));
    }

    fn line(&self, stack: &str, text: &str) -> String {
        format!("{stack:width$}  {text}", width = self.width)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
