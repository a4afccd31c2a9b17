//! What a state is before it is rendered: kept with the construct tree, so that transitions may go round in circles.

use std::cell::RefCell;

use cfn::{Expr, Map};

use super::condition::Condition;
use super::fallible::{Catch, Retry};
use crate::iam::PolicyStatement;
use crate::tree::{Construct, NodeId};

/// A part of a state machine: the states that it or a branch of it has, by the construct that begins it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GraphId(pub(super) NodeId, pub(super) usize);

/// What every kind of state may say about its input and output.
#[derive(Default)]
pub(super) struct Common {
    pub(super) name: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) input_path: Option<Expr>,
    pub(super) output_path: Option<Expr>,
    pub(super) parameters: Option<Expr>,
    pub(super) result_path: Option<Expr>,
    pub(super) result_selector: Option<Expr>,
}

/// What only one kind of state has.
pub(super) enum Kind {
    Pass {
        result: Option<Expr>,
    },
    Wait(&'static str, Expr),
    Succeed,
    Fail(Map),
    Choice,
    /// As it was written.
    Custom(Map),
    Parallel,
    /// What stands before the processor, and what stands behind it.
    Map {
        items: Map,
        concurrency: Map,
    },
    /// What stands between the transitions and the resource, and what stands behind it.
    Task {
        times: Map,
        call: Map,
    },
}

/// A transition of a choice.
pub(super) struct Rule {
    pub(super) condition: Condition,
    pub(super) next: NodeId,
    pub(super) comment: Option<String>,
}

pub(super) struct StateData {
    pub(super) kind: Kind,
    pub(super) common: Common,
    pub(super) next: Option<NodeId>,
    pub(super) default: Option<NodeId>,
    pub(super) rules: Vec<Rule>,
    pub(super) retries: Vec<Retry>,
    pub(super) catches: Vec<(Catch, NodeId)>,
    /// The states that lead here, in the order in which it was said.
    pub(super) incoming: Vec<NodeId>,
    /// Where each branch begins; of a map, its one.
    pub(super) branches: Vec<NodeId>,
    pub(super) policies: Vec<PolicyStatement>,
    pub(super) graph: Option<GraphId>,
}

impl StateData {
    pub(super) fn new(kind: Kind, common: Common) -> Self {
        Self {
            kind,
            common,
            next: None,
            default: None,
            rules: Vec::new(),
            retries: Vec::new(),
            catches: Vec::new(),
            incoming: Vec::new(),
            branches: Vec::new(),
            policies: Vec::new(),
            graph: None,
        }
    }

    /// Where it leads, in the order in which states are found.
    pub(super) fn outgoing(&self, with_handlers: bool) -> Vec<NodeId> {
        let mut outgoing: Vec<NodeId> = self.next.into_iter().chain(self.default).collect();
        outgoing.extend(self.rules.iter().map(|rule| rule.next));
        if with_handlers {
            outgoing.extend(self.catches.iter().map(|(_, handler)| *handler));
        }
        outgoing
    }

    /// Whether another state may follow it.
    pub(super) const fn can_go_on(&self) -> bool {
        !matches!(self.kind, Kind::Succeed | Kind::Fail(_) | Kind::Choice)
    }
}

/// A state in the tree.
#[derive(Clone)]
pub(super) struct State(pub(super) Construct);

impl State {
    /// Puts a state into the tree.
    pub(super) fn make(construct: Construct, data: StateData) -> Self {
        construct.share(RefCell::new(data));
        let state = Self(construct);
        state.check_paths();
        state
    }

    pub(super) fn node(&self) -> NodeId {
        self.0.node()
    }

    pub(super) fn at(&self, node: NodeId) -> Self {
        Self(self.0.at(node))
    }

    /// Looks at the state, or changes it. It is gone after synthesis: nothing is done then.
    pub(super) fn with<R: Default>(&self, what: impl FnOnce(&mut StateData) -> R) -> R {
        let cell = self.0.shared::<RefCell<StateData>>();
        cell.map_or_else(R::default, |cell| what(&mut cell.borrow_mut()))
    }

    /// As definitions call it.
    pub(super) fn name(&self) -> String {
        let given = self.with(|data| data.common.name.clone());
        given.unwrap_or_else(|| self.0.id())
    }

    /// `next` follows. Reported where something does already, which stays.
    pub(super) fn go_on(&self, next: &Self) {
        let taken = self.with(|data| {
            let taken = data.next.is_some();
            data.next.get_or_insert(next.node());
            taken
        });
        if taken {
            let name = self.name();
            self.0.report(format!("another state follows `{name}` already"));
            return;
        }
        next.with(|data| data.incoming.push(self.node()));
    }

    fn check_paths(&self) {
        let wrong = self.with(|data| {
            let common = &data.common;
            let paths = [&common.input_path, &common.output_path, &common.result_path];
            let text = |path: &Expr| path.as_text().map(str::to_owned);
            let texts = paths.into_iter().flatten().filter_map(text);
            texts.filter(|path| !path.starts_with('$')).collect::<Vec<_>>()
        });
        for path in wrong {
            self.0.report(format!("`{path}` is no path: those begin with `$`"));
        }
    }
}

macro_rules! input_and_output {
    () => {
        /// The name in the definition, if not the id of the construct.
        pub fn state_name(mut self, name: impl Into<String>) -> Self {
            self.common.name = Some(name.into());
            self
        }

        pub fn comment(mut self, comment: impl Into<String>) -> Self {
            self.common.comment = Some(comment.into());
            self
        }

        /// The part of the input that the state sees: `$.order`.
        pub fn input_path(mut self, path: impl Into<String>) -> Self {
            self.common.input_path = Some(path.into().into());
            self
        }

        /// The part of the output that the next state sees: `$.result`.
        pub fn output_path(mut self, path: impl Into<String>) -> Self {
            self.common.output_path = Some(path.into().into());
            self
        }
    };
}

macro_rules! result_path {
    () => {
        /// Where the result goes in the input, which is then the output: `$.result`.
        pub fn result_path(mut self, path: impl Into<String>) -> Self {
            self.common.result_path = Some(path.into().into());
            self
        }

        /// Throws the result away: the input is the output.
        pub fn discard_result(mut self) -> Self {
            self.common.result_path = Some(cfn::Expr::Null);
            self
        }
    };
}

macro_rules! parameters {
    () => {
        /// What the state gets instead of its input: `{"id.$": "$.order.id"}`.
        pub fn parameters(mut self, parameters: impl cfn::IntoValue<cfn::Json>) -> Self {
            self.common.parameters = Some(parameters.into_value().into_expr());
            self
        }
    };
}

macro_rules! result_selector {
    () => {
        /// What becomes of the raw result: `{"status.$": "$.Payload.status"}`.
        pub fn result_selector(mut self, selector: impl cfn::IntoValue<cfn::Json>) -> Self {
            self.common.result_selector = Some(selector.into_value().into_expr());
            self
        }
    };
}

/// A handle of a state that others may follow.
macro_rules! step {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(pub(super) $crate::stepfunctions::state::State);

        impl $crate::tree::Scope for $name {
            fn construct(&self) -> &$crate::tree::Construct {
                &self.0.0
            }
        }

        impl $crate::stepfunctions::chain::Chainable for $name {
            fn chain(&self) -> $crate::stepfunctions::chain::Chain {
                $crate::stepfunctions::chain::Chain::of_step(&self.0)
            }
        }

        impl $name {
            /// `next` follows this state.
            pub fn next(
                &self,
                next: &impl $crate::stepfunctions::chain::Chainable,
            ) -> $crate::stepfunctions::chain::Chain {
                $crate::stepfunctions::chain::Chainable::chain(self).next(next)
            }
        }
    };
}

/// A handle of a state that nothing follows.
macro_rules! end {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(pub(super) $crate::stepfunctions::state::State);

        impl $crate::tree::Scope for $name {
            fn construct(&self) -> &$crate::tree::Construct {
                &self.0.0
            }
        }

        impl $crate::stepfunctions::chain::Chainable for $name {
            fn chain(&self) -> $crate::stepfunctions::chain::Chain {
                $crate::stepfunctions::chain::Chain::of_end(&self.0)
            }
        }
    };
}

pub(super) use {end, input_and_output, parameters, result_path, result_selector, step};
