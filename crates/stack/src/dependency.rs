//! What must exist before what: dependencies between constructs, made into `DependsOn` and into an order of stacks.

use std::cell::RefCell;
use std::rc::Rc;

use indexmap::{IndexMap, IndexSet};

use crate::error::Error;
use crate::tree::{Construct, Kind, NodeId, Scope, Tree};

/// What a construct waits for.
#[derive(Clone)]
pub(crate) enum Dependency {
    Construct(NodeId),
    Group(DependencyGroup),
}

/// Several constructs to wait for together. It may still grow after something began to depend on it.
#[derive(Clone, Default)]
pub struct DependencyGroup(Rc<RefCell<Vec<NodeId>>>);

impl DependencyGroup {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add(&self, member: &impl Scope) {
        self.0.borrow_mut().push(member.construct().node());
    }

    /// The members of several groups, as they are when asked.
    pub(crate) fn depend(construct: &Construct, groups: &[Self]) {
        let mut tree = construct.tree_mut();
        let dependencies = &mut tree.node_mut(construct.node()).dependencies;
        dependencies.extend(groups.iter().cloned().map(Dependency::Group));
    }
}

impl Construct {
    /// Every resource in this construct is made after every resource in `target`; between stacks, the stack after the
    /// other stack.
    pub fn add_dependency(&self, target: &impl Scope) {
        let target = target.construct().node();
        self.tree_mut()
            .node_mut(self.node())
            .dependencies
            .push(Dependency::Construct(target));
    }

    /// As [`Construct::add_dependency`], for all members of a group.
    pub fn add_dependency_on_group(&self, group: &DependencyGroup) {
        DependencyGroup::depend(self, std::slice::from_ref(group));
    }
}

/// All dependencies of a stage: by resource, and by stack.
#[derive(Default)]
pub(crate) struct Dependencies {
    pub(crate) of_resource: IndexMap<NodeId, IndexSet<NodeId>>,
    pub(crate) of_stack: IndexMap<NodeId, IndexSet<NodeId>>,
}

impl Dependencies {
    /// What was said in the tree below `stage`.
    pub(crate) fn collect(tree: &Tree, stage: NodeId) -> (Self, Vec<Error>) {
        let mut all = Self::default();
        let mut errors = Vec::new();
        for source in tree.descendants(stage, true) {
            if let Some(resource) = tree.resource(source) {
                for target in &resource.depends_on {
                    all.add(tree, source, *target, &mut errors);
                }
            }
            for dependency in &tree.node(source).dependencies {
                match dependency {
                    Dependency::Construct(target) => all.add(tree, source, *target, &mut errors),
                    Dependency::Group(group) => {
                        for target in group.0.borrow().iter() {
                            all.add(tree, source, *target, &mut errors);
                        }
                    }
                }
            }
        }
        (all, errors)
    }

    fn add(&mut self, tree: &Tree, source: NodeId, target: NodeId, errors: &mut Vec<Error>) {
        if source == target {
            return;
        }
        let location = tree.node(source).location;
        if tree.stage_of(source) != tree.stage_of(target) {
            errors.push(Error::CrossStageReference {
                consumer: tree.path(source),
                producer: tree.path(target),
                location,
            });
            return;
        }
        let scopes = tree.scopes(source);
        let is_container = matches!(tree.node(target).kind, Kind::Stack(_) | Kind::Stage(_));
        if is_container && scopes.contains(&target) {
            errors.push(Error::DependencyOnParent {
                construct: tree.path(source),
                target: tree.path(target),
                location,
            });
            return;
        }
        match (tree.stack_of(source), tree.stack_of(target)) {
            (Some(from), Some(to)) if from != to => self.add_stack(from, to),
            (Some(_), Some(_)) => {
                let targets: Vec<_> = resources(tree, target).collect();
                for resource in resources(tree, source) {
                    let on = self.of_resource.entry(resource).or_default();
                    on.extend(targets.iter().copied().filter(|target| *target != resource));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn add_stack(&mut self, from: NodeId, to: NodeId) {
        self.of_stack.entry(from).or_default().insert(to);
    }

    /// A circle of stacks, if there is one, as the stacks along it.
    pub(crate) fn stack_cycle(&self) -> Option<Vec<NodeId>> {
        fn visit(
            stack: NodeId,
            edges: &IndexMap<NodeId, IndexSet<NodeId>>,
            trail: &mut Vec<NodeId>,
            done: &mut IndexSet<NodeId>,
        ) -> Option<Vec<NodeId>> {
            if let Some(start) = trail.iter().position(|seen| *seen == stack) {
                let mut cycle = trail[start..].to_vec();
                cycle.push(stack);
                return Some(cycle);
            }
            if done.contains(&stack) {
                return None;
            }
            trail.push(stack);
            for next in edges.get(&stack).into_iter().flatten() {
                if let Some(cycle) = visit(*next, edges, trail, done) {
                    return Some(cycle);
                }
            }
            trail.pop();
            done.insert(stack);
            None
        }
        let mut done = IndexSet::new();
        self.of_stack
            .keys()
            .find_map(|stack| visit(*stack, &self.of_stack, &mut Vec::new(), &mut done))
    }
}

/// The resources at or below a construct, within its stack.
fn resources(tree: &Tree, node: NodeId) -> impl Iterator<Item = NodeId> {
    tree.descendants(node, false)
        .into_iter()
        .filter(|node| tree.resource(*node).is_some())
}
