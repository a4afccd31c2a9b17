//! States one after another.

use super::fallible::ParallelBuilder;
use super::state::State;
use crate::tree::Scope;

/// What can begin a chain, or go on with one: a state or a chain.
pub trait Chainable {
    fn chain(&self) -> Chain;
}

impl<T: Chainable> Chainable for &T {
    fn chain(&self) -> Chain {
        (**self).chain()
    }
}

/// Where a chain goes on.
#[derive(Clone)]
pub(super) enum End {
    /// Behind a state.
    Next(State),
    /// Where none of the rules of a choice holds.
    Otherwise(State),
}

/// States one after another: one begins, and some go on.
#[derive(Clone)]
pub struct Chain {
    pub(super) start: State,
    pub(super) ends: Vec<End>,
}

impl Chainable for Chain {
    fn chain(&self) -> Self {
        self.clone()
    }
}

impl Chain {
    pub(super) fn of_step(state: &State) -> Self {
        Self {
            start: state.clone(),
            ends: vec![End::Next(state.clone())],
        }
    }

    pub(super) fn of_end(state: &State) -> Self {
        Self {
            start: state.clone(),
            ends: Vec::new(),
        }
    }

    /// `next` follows wherever this goes on.
    pub fn next(&self, next: &impl Chainable) -> Self {
        let next = next.chain();
        if self.ends.is_empty() {
            self.start.0.report(format!(
                "nothing can follow `{}`: the chain that begins there ends with a choice or an end",
                self.start.name()
            ));
        }
        for end in &self.ends {
            match end {
                End::Next(state) => state.go_on(&next.start),
                End::Otherwise(choice) => choice.with(|data| data.default = Some(next.start.node())),
            }
        }
        Self {
            start: self.start.clone(),
            ends: next.ends,
        }
    }

    /// The chain as one state, whose result is a list of one.
    #[track_caller]
    pub fn to_single_state(&self, id: impl Into<String>) -> ParallelBuilder {
        super::Parallel::new(&self.start.0, id).branch(self)
    }
}

impl Scope for Chain {
    fn construct(&self) -> &crate::tree::Construct {
        &self.start.0
    }
}
