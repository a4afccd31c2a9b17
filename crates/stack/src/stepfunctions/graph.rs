//! From the first state to all that belong to a state machine, in the order in which aws-cdk-lib finds them: the states
//! that lead to a state, then those that follow it. Branches are graphs of their own.

use super::state::{GraphId, State};
use crate::iam::PolicyStatement;
use crate::tree::{Construct, NodeId};

/// The states of a state machine or a branch.
pub(super) struct Graph {
    pub(super) start: State,
    pub(super) states: Vec<NodeId>,
    /// What the role must be allowed for these states and for those of branches.
    pub(super) policies: Vec<PolicyStatement>,
    /// The names in it and in its branches, which must be unique.
    names: Vec<(String, NodeId)>,
    /// Of its states that have branches, those branches.
    pub(super) branches: Vec<(NodeId, Vec<Graph>)>,
}

impl Graph {
    /// Follows all transitions from `start`. `owner` is the state machine, or the state whose branch this is.
    pub(super) fn collect(start: &State, owner: &Construct, index: usize) -> Self {
        let mut graph = Self {
            start: start.clone(),
            states: Vec::new(),
            policies: Vec::new(),
            names: Vec::new(),
            branches: Vec::new(),
        };
        graph.bind(start, GraphId(owner.node(), index));
        graph
    }

    fn bind(&mut self, state: &State, id: GraphId) {
        match state.with(|data| data.graph) {
            Some(known) if known == id => return,
            Some(_) => {
                let name = state.name();
                state
                    .0
                    .report(format!("`{name}` belongs to another state machine or branch already"));
                return;
            }
            None => {}
        }
        let (incoming, outgoing, branches, policies) = state.with(|data| {
            data.graph = Some(id);
            (
                data.incoming.clone(),
                data.outgoing(true),
                data.branches.clone(),
                data.policies.clone(),
            )
        });
        let branches: Vec<Self> = branches
            .into_iter()
            .enumerate()
            .map(|(index, start)| Self::collect(&state.at(start), &state.0, index))
            .collect();
        self.states.push(state.node());
        self.add_name(state.name(), state);
        self.policies.extend(policies);
        for next in incoming.into_iter().chain(outgoing) {
            self.bind(&state.at(next), id);
        }
        for branch in &branches {
            for (name, node) in &branch.names {
                self.add_name(name.clone(), &state.at(*node));
            }
            self.policies.extend(branch.policies.iter().cloned());
        }
        if !branches.is_empty() {
            self.branches.push((state.node(), branches));
        }
    }

    fn add_name(&mut self, name: String, state: &State) {
        if let Some((_, other)) = self.names.iter().find(|(known, _)| *known == name) {
            let other = state.0.at(*other).path();
            state.0.report(format!(
                "the state `{name}` has the name of {other}: names are unique in a state machine; set `state_name`"
            ));
        }
        self.names.push((name, state.node()));
    }

    pub(super) fn branches_of(&self, state: NodeId) -> &[Self] {
        let found = self.branches.iter().find(|(owner, _)| *owner == state);
        found.map_or(&[], |(_, branches)| branches)
    }
}
