//! Wishes from outside of the run, in the same process: signals, and what a terminal answers to them.
//!
//! Operators on other machines ask through the ledger instead (`ledger::requests`).

use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone, Default)]
struct Wish {
    turn_back: Option<String>,
    hand_over: bool,
}

/// Asked for between effects and at every look. Nothing that the run took up already is undone by another wish.
#[derive(Debug, Clone, Default)]
pub struct InterruptHandle {
    wish: Arc<Mutex<Wish>>,
}

impl InterruptHandle {
    /// Turn the traffic back and end. Outranks a promotion that has not begun. The first reason stays.
    pub fn turn_back(&self, reason: impl Into<String>) {
        self.change(|wish| {
            wish.turn_back.get_or_insert_with(|| reason.into());
        });
    }

    /// Finish the effect under way, record it, give the lock back and end: the rollout stays open for `resume`. A wish
    /// to turn back is recorded first, so that whoever resumes turns back.
    pub fn hand_over(&self) {
        self.change(|wish| wish.hand_over = true);
    }

    /// Forget the wishes that the run has not taken up yet.
    pub fn go_on(&self) {
        self.change(|wish| *wish = Wish::default());
    }

    pub(super) fn turn_back_reason(&self) -> Option<String> {
        self.wish().turn_back
    }

    pub(super) fn wants_hand_over(&self) -> bool {
        self.wish().hand_over
    }

    /// Whether anything is wished.
    pub fn is_wished(&self) -> bool {
        let wish = self.wish();
        wish.turn_back.is_some() || wish.hand_over
    }

    fn wish(&self) -> Wish {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Wish)) {
        change(&mut self.wish.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
