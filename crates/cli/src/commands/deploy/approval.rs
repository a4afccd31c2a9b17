//! Who says yes to a change set: the environment's setting, the command line, or the person at the terminal; and for
//! what holds data, only its name on the command line.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use aws::stacks::{Proposal, Replacement, ResourceChange, Stop};
use serde_json::Value;
use stack::diff::SecurityChanges;

use super::super::diff::security::table;
use super::guard::{AtRisk, Guard};
use crate::console::Console;
use crate::failure::{Code, Failure};
use crate::settings::Approval;

/// Why a stack's change set was not executed.
#[derive(Clone, Debug)]
pub enum Refusal {
    NotApproved,
    /// What would be lost, a line each.
    AtRisk(Vec<AtRisk>),
}

pub struct Ask {
    approval: Approval,
    yes: bool,
    guard: Guard,
    console: Console,
    stop: Stop,
    /// Two stacks at once must not ask at once.
    asking: tokio::sync::Mutex<()>,
    refused: Mutex<BTreeMap<String, Refusal>>,
}

impl Ask {
    pub fn new(approval: Approval, yes: bool, guard: Guard, console: Console, stop: Stop) -> Self {
        Self {
            approval,
            yes,
            guard,
            console,
            stop,
            asking: tokio::sync::Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// The failure of a stack that somebody, or the lack of anybody to ask, said no to; of any stack without a name.
    pub fn refusal(&self, stack: Option<&str>) -> Option<Failure> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let (stack, refusal) = match stack {
            Some(stack) => refused.get_key_value(stack)?,
            None => refused.iter().next()?,
        };
        Some(match refusal {
            Refusal::NotApproved if self.console.gives_up_questions() => Failure::new(
                Code::Interrupted,
                format!("interrupted before the change of {stack} was approved, and nothing of it was deployed"),
            ),
            Refusal::NotApproved => Failure::new(
                Code::ApprovalNeeded,
                format!("the change of {stack} was not approved, and nothing of it was deployed"),
            )
            .hint("look at `llama-deploy diff`, then approve on a terminal or with --yes"),
            Refusal::AtRisk(found) => AtRisk::failure(stack, found),
        })
    }

    fn refuse(&self, stack: &str, refusal: Refusal) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.insert(stack.to_owned(), refusal);
        false
    }

    async fn ask(&self, proposal: &Proposal<'_>) -> bool {
        let _alone = self.asking.lock().await;
        if self.stop.is_asked() || self.console.gives_up_questions() {
            return false;
        }
        let change_set = proposal.change_set;
        self.console.say(&format!(
            "{} would change {} resources:",
            change_set.stack,
            change_set.changes.len()
        ));
        for change in &change_set.changes {
            let place = self.guard.place(&change_set.stack, &change.logical_id);
            let place = place.map(|place| format!("  ({place})")).unwrap_or_default();
            self.console.say(&format!("  {}{place}", line(change)));
        }
        if let Some(changes) = security(proposal) {
            for row in table(&changes, self.console.paint()) {
                self.console.say(&format!("  {row}"));
            }
        }
        if !self.console.can_ask() {
            return false;
        }
        // Reading from the terminal blocks. A thread of its own, which an interrupt may leave behind: the runtime would
        // wait for one of its own.
        let (sender, answer) = tokio::sync::oneshot::channel();
        let console = self.console.clone();
        let question = format!("deploy {}? [y/N]", change_set.stack);
        std::thread::spawn(move || {
            let answer = console.ask(&question);
            // Nobody listens after an interrupt.
            let _ = sender.send(answer.is_ok_and(|answer| matches!(answer.as_str(), "y" | "Y" | "yes")));
        });
        tokio::select! {
            answer = answer => answer.unwrap_or(false),
            () = self.stop.asked() => false,
            () = self.console.questions_given_up() => false,
        }
    }

    fn is_needed(&self, proposal: &Proposal<'_>) -> bool {
        match self.approval {
            Approval::Never => false,
            Approval::Broadening => broadens(proposal),
            Approval::Destructive => proposal.change_set.changes.iter().any(is_destructive),
            Approval::Any => true,
        }
    }
}

#[async_trait]
impl aws::stacks::Approval for Ask {
    async fn approve(&self, proposal: &Proposal<'_>) -> bool {
        let stack = &proposal.change_set.stack;
        let at_risk = self.guard.at_risk(proposal);
        if !at_risk.is_empty() {
            return self.refuse(stack, Refusal::AtRisk(at_risk));
        }
        if !self.is_needed(proposal) || self.yes || self.ask(proposal).await {
            return true;
        }
        self.refuse(stack, Refusal::NotApproved)
    }
}

/// Whether something is allowed afterwards that was not before. What cannot be read is asked about.
fn broadens(proposal: &Proposal<'_>) -> bool {
    security(proposal).is_none_or(|changes| changes.broadens())
}

/// What the change allows and forbids; `None` where a template is not JSON.
fn security(proposal: &Proposal<'_>) -> Option<SecurityChanges> {
    let deployed = proposal.deployed.map_or(Ok(Value::Null), serde_json::from_str::<Value>);
    let new = serde_json::from_str::<Value>(&proposal.input.template);
    Some(stack::diff::security(&deployed.ok()?, &new.ok()?))
}

fn is_destructive(change: &ResourceChange) -> bool {
    change.action == "Remove" || change.replacement != Replacement::Never
}

/// One change on one line.
pub fn line(change: &ResourceChange) -> String {
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
