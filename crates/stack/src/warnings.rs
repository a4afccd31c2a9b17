//! Warnings: what is not wrong but deserves a look. They do not stop synthesis; [`crate::run`] prints them, and they lie
//! in the assembly's manifest as those of the CDK's `Annotations` do, so that the `cdk` of npm shows them too.

use std::fmt;

use crate::error::Source;
use crate::tree::{Construct, NodeId, Tree};

/// A warning of an app that was synthesized.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// The construct's path.
    pub construct: String,
    pub message: String,
    /// The line of the user's program that made the construct.
    pub location: Source,
}

/// As a compiler prints it: the message and, below it, the line that is meant.
impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            construct,
            message,
            location,
        } = self;
        write!(formatter, "warning: `{construct}`: {message}\n  --> {location}")
    }
}

/// A warning where it belongs in the tree.
#[derive(Clone, PartialEq)]
pub(crate) struct Noted {
    pub(crate) node: NodeId,
    pub(crate) message: String,
}

impl Noted {
    pub(crate) fn told(&self, tree: &Tree) -> Warning {
        Warning {
            construct: tree.path(self.node),
            message: self.message.clone(),
            location: tree.node(self.node).location,
        }
    }
}

impl Construct {
    /// Records a warning about this construct, once however often it is said. What is wrong is recorded with
    /// [`Construct::report`] instead.
    pub fn warn(&self, message: impl Into<String>) {
        let noted = Noted {
            node: self.node(),
            message: message.into(),
        };
        let warnings = &mut self.tree_mut().warnings;
        if !warnings.contains(&noted) {
            warnings.push(noted);
        }
    }
}
