//! What a reference points to: a name that is known already, a pseudo parameter, or an element that gets its name late.

use std::borrow::Cow;

/// Text that is usually a constant of the program: keys, attribute names, logical ids.
pub type Name = Cow<'static, str>;

/// An element of somebody's tree. The number means nothing here; the owner of the tree hands it out and resolves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ElementId(u32);

impl ElementId {
    #[must_use]
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    #[must_use]
    pub const fn index(self) -> u32 {
        self.0
    }
}

/// The thing a reference points to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A logical id that is already decided.
    Logical(Name),
    /// A pseudo parameter, with its prefix: `AWS::Region`.
    Pseudo(&'static str),
    /// An element whose logical id, and even whose stack, is decided later.
    Element(ElementId),
}

impl From<ElementId> for Target {
    fn from(element: ElementId) -> Self {
        Self::Element(element)
    }
}

impl From<&'static str> for Target {
    fn from(logical_id: &'static str) -> Self {
        Self::Logical(Cow::Borrowed(logical_id))
    }
}

impl From<String> for Target {
    fn from(logical_id: String) -> Self {
        Self::Logical(Cow::Owned(logical_id))
    }
}
