//! What generated resource types look like from outside: a builder that becomes a [`Resource`], and a [`Handle`] that
//! refers to it once it stands in a tree.

use std::fmt;
use std::marker::PhantomData;

use crate::element::{ElementId, Name, Target};
use crate::expr::{Expr, Map};
use crate::resource::{Resource, TypeInfo};
use crate::value::{Accepts, IntoValue, Value};

/// A resource type of the schema. Generated builders with nothing set yet serve as the marker: `sqs::Queue`.
pub trait ResourceType {
    /// What `Ref` yields.
    type Ref;

    const INFO: TypeInfo;
}

/// A builder of which every required property is set, or a resource made by hand.
pub trait IntoResource {
    /// What the [`Handle`] of the added resource is a handle of.
    type Type;

    fn into_resource(self) -> Resource;
}

/// What all generated builders share: properties by their exact key.
pub trait Builder: Sized {
    fn properties_mut(&mut self) -> &mut Map;

    /// Sets a property that the schema does not know (yet), by its exact key.
    #[must_use]
    fn property(mut self, key: impl Into<Name>, value: impl Into<Expr>) -> Self {
        self.properties_mut().insert(key, value);
        self
    }

    /// Sets an optional property only if there is a value:
    /// `.when_some(props.memory, lambda::Function::memory_size)`.
    #[must_use]
    fn when_some<V>(self, value: Option<V>, set: impl FnOnce(Self, V) -> Self) -> Self {
        match value {
            Some(value) => set(self, value),
            None => self,
        }
    }
}

/// The state of a required property that is set.
#[derive(Clone, Copy, Debug)]
pub enum Set {}

/// The state of a required property; only [`Set`] will do. A property that is not set is a type of its own name.
#[diagnostic::on_unimplemented(
    message = "required property `{Self}` is not set",
    label = "`{Self}` is missing",
    note = "call the setter of that name before the builder is used"
)]
pub trait Provided {}
impl Provided for Set {}

/// A resource that stands in a tree: refers to it, and yields its attributes.
///
/// Generated code adds one method per attribute: `queue.arn()`. A handle stands directly where the schema expects what
/// its `Ref` yields: `.vpc_id(vpc)`.
pub struct Handle<T> {
    element: ElementId,
    of: PhantomData<fn() -> T>,
}

impl<T> Handle<T> {
    /// Takes the caller's word that the element is a `T`; whoever adds resources to a tree calls this.
    #[must_use]
    pub const fn new(element: ElementId) -> Self {
        Self {
            element,
            of: PhantomData,
        }
    }

    #[must_use]
    pub const fn element(self) -> ElementId {
        self.element
    }

    /// `Fn::GetAtt` by name, for attributes that the schema does not know (yet).
    #[must_use]
    pub fn attribute<U>(self, name: impl Into<Name>) -> Value<U> {
        Value::from_expr(Expr::get_att(self.element, name))
    }
}

impl<T: ResourceType> Handle<T> {
    /// `Ref`.
    #[must_use]
    pub fn reference(self) -> Value<T::Ref> {
        Value::from_expr(Expr::reference(self.element))
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.element == other.element
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.element.fmt(formatter)
    }
}

impl<T> From<Handle<T>> for Target {
    fn from(handle: Handle<T>) -> Self {
        Self::Element(handle.element)
    }
}

impl<T: ResourceType, U: Accepts<T::Ref>> IntoValue<U> for Handle<T> {
    fn into_value(self) -> Value<U> {
        self.reference().cast()
    }
}

impl<T: ResourceType, U: Accepts<T::Ref>> IntoValue<U> for &Handle<T> {
    fn into_value(self) -> Value<U> {
        self.reference().cast()
    }
}

/// A resource made by hand stands for itself; its attributes are reached by name.
impl IntoResource for Resource {
    type Type = Resource;

    fn into_resource(self) -> Resource {
        self
    }
}

impl Handle<Resource> {
    /// `Ref`.
    #[must_use]
    pub fn reference(self) -> Value<String> {
        Value::from_expr(Expr::reference(self.element))
    }
}
