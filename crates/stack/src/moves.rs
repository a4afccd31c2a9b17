//! Constructs that moved in the tree and keep their names: logical ids, and whatever else is made from paths, are those of
//! the place where they stood before, so that CloudFormation keeps the resources.
//!
//! A move is said within a stack; stacks themselves are known by their names. Names that a construct takes while it is
//! built (descriptions, `Name` tags, the ids of permissions elsewhere) must know of the move before, which is what
//! [`Construct::moved_child`] is for; [`Construct::moved_from`] refuses where it comes too late for them.

use std::collections::{HashMap, HashSet};

use crate::error::{Error, Source};
use crate::tree::{Construct, Kind, NodeId, Tree};

/// What was said about moves.
#[derive(Default)]
pub(crate) struct Moves {
    /// By the construct that moved.
    done: HashMap<NodeId, Move>,
    /// By the scope and the id of what is still to be made.
    expected: HashMap<(NodeId, String), Move>,
    /// Constructs of which something has taken a name already.
    named: HashSet<NodeId>,
}

#[derive(Clone)]
struct Move {
    /// Ids from below the stack to the construct.
    from: Vec<String>,
    location: Source,
}

impl Move {
    fn new(from: &str, location: Source) -> Self {
        Self {
            from: from.split('/').map(str::to_owned).collect(),
            location,
        }
    }

    fn path(&self) -> String {
        self.from.join("/")
    }
}

impl Moves {
    /// Where a construct stood, as ids from below its stack.
    pub(crate) fn origin(&self, node: NodeId) -> Option<&[String]> {
        if self.done.is_empty() {
            return None;
        }
        self.done.get(&node).map(|done| done.from.as_slice())
    }

    pub(crate) fn note_name(&mut self, node: NodeId) {
        self.named.insert(node);
    }

    /// Takes up what was said about a child before it was made.
    pub(crate) fn adopt(&mut self, parent: NodeId, id: &str, child: NodeId) {
        if self.expected.is_empty() {
            return;
        }
        if let Some(expected) = self.expected.remove(&(parent, id.to_owned())) {
            self.done.insert(child, expected);
        }
    }
}

impl Construct {
    /// This construct stood at `path` (ids below its stack, joined with `/`): it and everything below it keep the logical
    /// ids that they had there.
    ///
    /// ```
    /// use stack::{Construct, Scope, Stack, sqs::Queue};
    /// # let app = stack::App::new("unused");
    /// # let stack = Stack::new(&app, "S").build();
    /// let jobs = Construct::new(&stack, "Jobs");
    /// Queue::new(&jobs, "Queue").build().construct().moved_from("JobQueue");
    /// ```
    #[track_caller]
    pub fn moved_from(&self, path: &str) {
        let location = std::panic::Location::caller();
        let too_late = {
            let tree = self.tree();
            let below = tree.descendants(self.node(), false);
            below.into_iter().find(|node| tree.moves.named.contains(node))
        };
        if let Some(named) = too_late {
            let named = self.tree().path(named);
            self.moved_wrongly(
                path,
                location,
                format!(
                    "something is named after `{named}` already; say it before: `scope.construct().moved_child(\"{}\", \
                     \"{path}\")`",
                    self.id()
                ),
            );
            return;
        }
        self.doubt(path);
        let moved = Move::new(path, location);
        let before = self.tree_mut().moves.done.insert(self.node(), moved);
        if let Some(before) = before {
            self.moved_wrongly(
                path,
                location,
                format!("it is said to come from `{}` already", before.path()),
            );
        }
    }

    /// As [`Construct::moved_from`], about a child that will be made with this id: for constructs that name things after
    /// their path while they are built, such as networks and security groups.
    #[track_caller]
    pub fn moved_child(&self, id: impl Into<String>, path: &str) {
        let location = std::panic::Location::caller();
        let id = id.into().replace('/', "--");
        if self.find_child(&id).is_some() {
            self.moved_wrongly(path, location, format!("`{id}` is made already; say it before"));
            return;
        }
        self.doubt(path);
        let expected = Move::new(path, location);
        self.tree_mut().moves.expected.insert((self.node(), id), expected);
    }

    /// A path that begins with the stack's own id is more often a mistake, which would replace resources, than the place
    /// where something stood.
    fn doubt(&self, path: &str) {
        let begins_with_stack = {
            let tree = self.tree();
            let first = path.split('/').next().unwrap_or_default();
            let stack = tree.stack_of(self.node());
            stack.is_some_and(|stack| tree.node(stack).id == first && tree.find_child(stack, first).is_none())
        };
        if begins_with_stack {
            self.warn(format!(
                "`{path}` is read as a path below the stack; if its first id is the stack's own, leave that out"
            ));
        }
    }

    fn moved_wrongly(&self, from: &str, location: Source, problem: String) {
        let error = Error::Moved {
            construct: self.path(),
            from: from.to_owned(),
            problem,
            location,
        };
        self.tree_mut().errors.push(error);
    }
}

/// What is wrong with the moves of a tree that is complete.
pub(crate) fn check(tree: &Tree) -> Vec<Error> {
    let mut errors = Vec::new();
    let wrong = |construct: NodeId, said: &Move, problem: String| Error::Moved {
        construct: tree.path(construct),
        from: said.path(),
        problem,
        location: said.location,
    };
    let mut expected: Vec<_> = tree.moves.expected.iter().collect();
    expected.sort_by_key(|(place, _)| *place);
    for ((scope, id), said) in expected {
        errors.push(wrong(*scope, said, format!("nothing was made in it as `{id}`")));
    }
    let mut done: Vec<_> = tree.moves.done.iter().collect();
    done.sort_by_key(|(node, _)| **node);
    let mut origins: HashMap<(NodeId, &[String]), NodeId> = HashMap::new();
    for (node, said) in done {
        let node = *node;
        if said.from.iter().any(String::is_empty) {
            errors.push(wrong(node, said, "that is no path: ids, joined with `/`".to_owned()));
            continue;
        }
        let Some(stack) = tree.stack_of(node).filter(|stack| *stack != node) else {
            let problem = "only what stands in a stack can move; a stack keeps its resources by its `stack_name`";
            errors.push(wrong(node, said, problem.to_owned()));
            continue;
        };
        if let Some(other) = origins.insert((stack, &said.from), node) {
            errors.push(wrong(
                node,
                said,
                format!("`{}` comes from there too", tree.path(other)),
            ));
            continue;
        }
        if tree.ids_below(stack, node).iter().eq(&said.from) {
            errors.push(wrong(node, said, "it stands there still".to_owned()));
            continue;
        }
        if let Some(occupant) = occupant(tree, stack, node, said) {
            let problem = format!(
                "`{}` stands there now; move that too, or rename it",
                tree.path(occupant)
            );
            errors.push(wrong(node, said, problem));
        }
    }
    errors
}

/// An element that stands where an element of the construct stood, and has not moved itself.
fn occupant(tree: &Tree, stack: NodeId, moved: NodeId, said: &Move) -> Option<NodeId> {
    let is_moved = |node: NodeId| {
        tree.scopes(node)
            .iter()
            .any(|scope| tree.moves.origin(*scope).is_some())
    };
    let elements = tree.descendants(moved, false).into_iter();
    elements
        .filter(|node| matches!(tree.node(*node).kind, Kind::Element(_)))
        .find_map(|element| {
            let below = tree.ids_below(moved, element);
            let mut path = said.from.iter().map(String::as_str).chain(below);
            let old = path.try_fold(stack, |at, id| tree.find_child(at, id))?;
            let is_element = matches!(tree.node(old).kind, Kind::Element(_));
            (is_element && !is_moved(old)).then_some(old)
        })
}
