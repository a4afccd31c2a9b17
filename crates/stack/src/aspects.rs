//! Aspects: code of the user's that visits every construct below a scope before the templates are made, to check or to
//! change what stands there.
//!
//! The priorities are the CDK's (`AspectPriority`): lower ones come first. Two things differ on purpose: an aspect has
//! visited everything before one of a higher number begins, and stages are no borders, so that a rule for the whole app
//! has no holes. What an aspect adds is visited too.

use std::collections::HashSet;
use std::rc::Rc;

use crate::error::Error;
use crate::tree::{Construct, NodeId, Scope};

/// Rounds in which aspects may add constructs for each other to visit; the CDK allows as many.
const MAX_ROUNDS: usize = 100;

/// Which aspect has visited which construct.
pub(crate) type Visits = HashSet<(usize, NodeId)>;

type Visit = Rc<dyn Fn(&Construct)>;

#[derive(Clone)]
pub(crate) struct Aspect {
    scope: NodeId,
    priority: u32,
    visit: Visit,
}

/// The aspects of a construct and all below it.
///
/// ```
/// use stack::{Aspects, Scope, Stack, sqs::Queue};
/// # let app = stack::App::new("unused");
/// # let stack = Stack::new(&app, "S").build();
/// Queue::new(&stack, "Jobs").build();
/// Aspects::of(&app).add(|construct| {
///     if let Some(queue) = construct.as_resource("AWS::SQS::Queue") {
///         queue.set("KmsMasterKeyId", Some("alias/queues".into()));
///     }
/// });
/// ```
pub struct Aspects {
    construct: Construct,
}

impl Aspects {
    /// For aspects that change constructs.
    pub const MUTATING: u32 = 200;
    /// What [`Aspects::add`] gives.
    pub const DEFAULT: u32 = 500;
    /// For aspects that only look.
    pub const READONLY: u32 = 1000;

    pub fn of(scope: &impl Scope) -> Self {
        Self {
            construct: scope.construct().clone(),
        }
    }

    /// Visits the construct and everything below it, parents first, also what is made later.
    pub fn add(&self, visit: impl Fn(&Construct) + 'static) -> &Self {
        self.add_with_priority(Self::DEFAULT, visit)
    }

    pub fn add_with_priority(&self, priority: u32, visit: impl Fn(&Construct) + 'static) -> &Self {
        self.construct.tree_mut().aspects.push(Aspect {
            scope: self.construct.node(),
            priority,
            visit: Rc::new(visit),
        });
        self
    }
}

/// Calls every aspect for every construct below its scope, once, until nothing new comes up.
pub(crate) fn visit(root: &Construct) {
    // Tests render an app once a stack; nothing is visited twice by that.
    let mut visited = std::mem::take(&mut root.tree_mut().visits);
    for _ in 0..MAX_ROUNDS {
        let mut aspects: Vec<(usize, Aspect)> = root.tree().aspects.iter().cloned().enumerate().collect();
        aspects.sort_by_key(|(index, aspect)| (aspect.priority, *index));
        let before = visited.len();
        for (index, aspect) in aspects {
            let below = root.tree().everything_below(aspect.scope);
            for node in below {
                if visited.insert((index, node)) {
                    (aspect.visit)(&root.at(node));
                }
            }
        }
        if visited.len() == before {
            root.tree_mut().visits = visited;
            return;
        }
    }
    let error = Error::Invalid {
        construct: root.path(),
        message: format!("aspects still add constructs after {MAX_ROUNDS} rounds; one of them does not end"),
        location: root.location(),
    };
    root.tree_mut().errors.push(error);
}
