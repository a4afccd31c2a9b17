//! What can be wrong with an app: typed, with a stable code, the construct and the line that made it.
//!
//! Constructs do not return results: a mistake is recorded in the tree where it is seen, synthesis goes on as far as it
//! can, and [`crate::App::synth`] returns all of them together, so that one run shows every mistake.

use std::fmt;
use std::io;
use std::panic::Location;
use std::path::PathBuf;

use thiserror::Error;

use crate::policy::Finding;

/// The line of the user's program that made a construct.
pub type Source = &'static Location<'static>;

#[derive(Debug, Error)]
pub enum Error {
    #[error("there is already a construct `{path}`, made at {first}; give one of them another id")]
    DuplicateId {
        path: String,
        first: Source,
        location: Source,
    },

    #[error("`{path}` and `{other_path}` (made at {other}) both get the logical id `{logical_id}`; rename one of them")]
    DuplicateLogicalId {
        logical_id: String,
        path: String,
        other_path: String,
        other: Source,
        location: Source,
    },

    #[error("`{construct}` cannot have moved from `{from}`: {problem}")]
    Moved {
        construct: String,
        from: String,
        problem: String,
        location: Source,
    },

    #[error("the asset of `{construct}` is missing: `{path}`; build it first, or correct the path")]
    AssetMissing {
        construct: String,
        path: PathBuf,
        location: Source,
        source: io::Error,
    },

    #[error("`{construct}`: {message}")]
    Invalid {
        construct: String,
        message: String,
        location: Source,
    },

    #[error("the stack `{stack}` is too large: {problem}")]
    Limit {
        stack: String,
        problem: String,
        location: Source,
    },

    #[error("{finding} ({})", finding.reason)]
    Policy { finding: Box<Finding>, location: Source },

    #[error("`{construct}` stands in no stack; only stages and stacks may stand outside of one")]
    OutsideOfStack { construct: String, location: Source },

    #[error(
        "`{consumer}` refers to `{producer}`, which is in another account or region ({producer_environment}, not \
         {consumer_environment}); pass the value by an SSM parameter instead"
    )]
    CrossEnvironmentReference {
        consumer: String,
        producer: String,
        consumer_environment: String,
        producer_environment: String,
        location: Source,
    },

    #[error("`{consumer}` refers to `{producer}` across the border of a stage; stages must be deployable alone")]
    CrossStageReference {
        consumer: String,
        producer: String,
        location: Source,
    },

    #[error(
        "`{consumer}` names `{producer}` of another stack; conditions and mappings cannot be shared between stacks"
    )]
    NameAcrossStacks {
        consumer: String,
        producer: String,
        location: Source,
    },

    #[error("stacks depend on each other in a circle: {cycle}")]
    StackCycle { cycle: String, location: Source },

    #[error("`{construct}` cannot depend on `{target}`, which contains it")]
    DependencyOnParent {
        construct: String,
        target: String,
        location: Source,
    },

    #[error("the template of stack `{stack}` cannot be rendered")]
    Render {
        stack: String,
        location: Source,
        source: serde_json::Error,
    },

    #[error("cannot write the assembly: `{path}`")]
    Write { path: PathBuf, source: io::Error },

    #[error("the context in `{variable}` is not a JSON object")]
    Context {
        variable: &'static str,
        source: serde_json::Error,
    },

    #[error("cannot read the context file `{path}`")]
    ContextFile { path: PathBuf, source: io::Error },
}

impl Error {
    /// The stable code; its page is shown by `llama-deploy explain CODE`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DuplicateId { .. } => "LD1001",
            Self::DuplicateLogicalId { .. } => "LD1002",
            Self::AssetMissing { .. } => "LD1003",
            Self::Invalid { .. } => "LD1004",
            Self::OutsideOfStack { .. } => "LD1005",
            Self::CrossEnvironmentReference { .. } => "LD1006",
            Self::CrossStageReference { .. } => "LD1007",
            Self::NameAcrossStacks { .. } => "LD1008",
            Self::StackCycle { .. } => "LD1009",
            Self::DependencyOnParent { .. } => "LD1010",
            Self::Render { .. } => "LD1011",
            Self::Write { .. } => "LD1012",
            Self::Context { .. } | Self::ContextFile { .. } => "LD1013",
            Self::Moved { .. } => "LD1015",
            Self::Limit { .. } => "LD1016",
            Self::Policy { .. } => "LD1017",
        }
    }

    /// The line of the app to look at, where there is one.
    pub const fn location(&self) -> Option<Source> {
        match self {
            Self::DuplicateId { location, .. }
            | Self::DuplicateLogicalId { location, .. }
            | Self::AssetMissing { location, .. }
            | Self::Invalid { location, .. }
            | Self::OutsideOfStack { location, .. }
            | Self::CrossEnvironmentReference { location, .. }
            | Self::CrossStageReference { location, .. }
            | Self::NameAcrossStacks { location, .. }
            | Self::StackCycle { location, .. }
            | Self::DependencyOnParent { location, .. }
            | Self::Render { location, .. }
            | Self::Limit { location, .. }
            | Self::Policy { location, .. }
            | Self::Moved { location, .. } => Some(location),
            Self::Write { .. } | Self::Context { .. } | Self::ContextFile { .. } => None,
        }
    }
}

/// Everything that was wrong, in the order in which it was seen. Never empty.
#[derive(Debug)]
pub struct Errors(pub(crate) Vec<Error>);

impl Errors {
    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.0.iter()
    }
}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self(vec![error])
    }
}

/// One block per error, as a compiler prints it: `error[LD1003]: message` and, below it, the line that is meant.
impl fmt::Display for Errors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            write!(formatter, "error[{}]: {error}", error.code())?;
            if let Some(cause) = std::error::Error::source(error) {
                write!(formatter, ": {cause}")?;
            }
            if let Some(location) = error.location() {
                write!(formatter, "\n  --> {location}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
