//! Who says yes to a change set: the environment's setting, the command line, or the person at the terminal.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use aws::stacks::{ChangeSet, Replacement, ResourceChange};

use crate::console::Console;
use crate::settings::Approval;

pub struct Ask {
    approval: Approval,
    yes: bool,
    console: Console,
    refused: AtomicBool,
}

impl Ask {
    pub fn new(approval: Approval, yes: bool, console: Console) -> Self {
        Self {
            approval,
            yes,
            console,
            refused: AtomicBool::new(false),
        }
    }

    /// Whether somebody, or the lack of anybody to ask, said no.
    pub fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    async fn ask(&self, change_set: &ChangeSet) -> bool {
        self.console.say(&format!(
            "{} would change {} resources:",
            change_set.stack,
            change_set.changes.len()
        ));
        for change in &change_set.changes {
            self.console.say(&format!("  {}", line(change)));
        }
        if !self.console.can_ask() {
            return false;
        }
        let console = self.console.clone();
        // Reading from the terminal blocks, and the lock has to be kept meanwhile.
        let answer = tokio::task::spawn_blocking(move || console.ask("deploy this? [y/N]")).await;
        answer.is_ok_and(|answer| answer.is_ok_and(|answer| matches!(answer.as_str(), "y" | "Y" | "yes")))
    }
}

#[async_trait]
impl aws::stacks::Approval for Ask {
    async fn approve(&self, change_set: &ChangeSet) -> bool {
        let destructive: Vec<&ResourceChange> = change_set
            .changes
            .iter()
            .filter(|change| is_destructive(change))
            .collect();
        let needed = match self.approval {
            Approval::Never => false,
            Approval::Destructive => !destructive.is_empty(),
            Approval::Any => true,
        };
        let approved = !needed || self.yes || self.ask(change_set).await;
        if !approved {
            self.refused.store(true, Ordering::Relaxed);
        }
        approved
    }
}

fn is_destructive(change: &ResourceChange) -> bool {
    change.action == "Remove" || change.replacement != Replacement::Never
}

fn line(change: &ResourceChange) -> String {
    let replacement = match change.replacement {
        Replacement::Never => "",
        Replacement::Conditional => "  may be replaced",
        Replacement::Always => "  will be REPLACED",
    };
    format!(
        "{:8} {} {}{replacement}",
        change.action, change.resource_type, change.logical_id
    )
}
