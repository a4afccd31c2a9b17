//! Where a construct will stand: what every builder of a construct begins with.

use std::panic::Location;

use cfn::IntoResource;

use crate::element::{self, CfnResource};
use crate::error::Source;
use crate::tree::{Construct, Kind, Scope};

/// A scope, an id in it, and the line of the user's program that asked for the construct.
#[derive(Clone)]
pub(crate) struct Site {
    scope: Construct,
    id: String,
    location: Source,
}

impl Site {
    #[track_caller]
    pub(crate) fn new(scope: &impl Scope, id: impl Into<String>) -> Self {
        Self {
            scope: scope.construct().clone(),
            id: id.into(),
            location: Location::caller(),
        }
    }

    /// As [`Site::new`], for work that was asked for at a line further up.
    pub(crate) fn at(scope: &impl Scope, id: impl Into<String>, location: Source) -> Self {
        Self {
            scope: scope.construct().clone(),
            id: id.into(),
            location,
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Makes the construct. `type_name` is what `tree.json` shows: `ec2.Vpc`.
    pub(crate) fn make(self, type_name: &'static str) -> Construct {
        self.scope.add(self.id, type_name, Kind::Plain, self.location)
    }

    /// Makes a construct that is nothing but a resource.
    pub(crate) fn element<R: IntoResource>(self, resource: R) -> CfnResource<R::Type> {
        element::add(&self.scope, self.id, resource.into_resource(), self.location)
    }
}
