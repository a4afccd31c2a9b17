//! Choices: which state follows depends on the input.

use std::collections::VecDeque;

use super::chain::{Chain, Chainable, End};
use super::condition::Condition;
use super::state::{Common, Kind, Rule, State, StateData, end, input_and_output};
use crate::site::Site;
use crate::tree::Scope;

end! {
    /// A state that others follow by rules. The first rule that holds decides.
    Choice
}

#[must_use = "nothing is made until `build`"]
pub struct ChoiceBuilder {
    site: Site,
    common: Common,
}

impl ChoiceBuilder {
    input_and_output!();

    pub fn build(self) -> Choice {
        let construct = self.site.make("stepfunctions.Choice");
        Choice(State::make(construct, StateData::new(Kind::Choice, self.common)))
    }
}

impl Choice {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> ChoiceBuilder {
        ChoiceBuilder {
            site: Site::new(scope, id),
            common: Common::default(),
        }
    }

    /// `next` follows if the condition holds.
    pub fn when(&self, condition: Condition, next: &impl Chainable) -> &Self {
        self.add(condition, next, None)
    }

    /// As [`Choice::when`], with a comment in the definition.
    pub fn when_because(&self, comment: impl Into<String>, condition: Condition, next: &impl Chainable) -> &Self {
        self.add(condition, next, Some(comment.into()))
    }

    fn add(&self, condition: Condition, next: &impl Chainable, comment: Option<String>) -> &Self {
        if let Some(problem) = condition.problem() {
            self.0.0.report(problem);
        }
        let next = next.chain().start;
        let rule = Rule {
            condition,
            next: next.node(),
            comment,
        };
        self.0.with(|data| data.rules.push(rule));
        next.with(|data| data.incoming.push(self.0.node()));
        self
    }

    /// `next` follows if no condition holds.
    pub fn otherwise(&self, next: &impl Chainable) -> &Self {
        let next = next.chain().start.node();
        let taken = self.0.with(|data| data.default.replace(next).is_some());
        if taken {
            self.0
                .0
                .report("another state follows already where no condition holds");
        }
        self
    }

    /// Goes on wherever the states that follow now go on.
    pub fn afterwards(&self) -> Chain {
        Chain {
            start: self.0.clone(),
            ends: self.ends(),
        }
    }

    /// As [`Choice::afterwards`], and where no condition holds.
    pub fn afterwards_or_otherwise(&self) -> Chain {
        if self.0.with(|data| data.default.is_some()) {
            self.0
                .0
                .report("another state follows already where no condition holds");
        }
        let mut ends = self.ends();
        ends.push(End::Otherwise(self.0.clone()));
        Chain {
            start: self.0.clone(),
            ends,
        }
    }

    /// The states that can be reached, that nothing follows, and that something may follow.
    fn ends(&self) -> Vec<End> {
        let mut seen = Vec::new();
        let mut pending = VecDeque::from([self.0.node()]);
        let mut ends = Vec::new();
        while let Some(node) = pending.pop_front() {
            if seen.contains(&node) {
                continue;
            }
            seen.push(node);
            let state = self.0.at(node);
            let (outgoing, can_go_on) = state.with(|data| (data.outgoing(false), data.can_go_on()));
            if outgoing.is_empty() && can_go_on {
                ends.push(End::Next(state));
            }
            pending.extend(outgoing);
        }
        ends
    }
}
