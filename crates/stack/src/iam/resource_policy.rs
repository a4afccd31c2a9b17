//! The policy of a resource itself: of a queue, a topic, a bucket, a secret.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::Expr;

use super::policy::{PolicyDocument, PolicyStatement};
use crate::cloudwatch::json_text::json_text;
use crate::element::CfnResource;

/// A policy that is made with its first statement.
#[derive(Clone)]
pub(crate) struct ResourcePolicy {
    property: &'static str,
    render: fn(&PolicyDocument) -> Expr,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    resource: Option<CfnResource>,
    document: PolicyDocument,
}

impl ResourcePolicy {
    /// `property` holds the document in the resource of the policy.
    pub(crate) fn new(property: &'static str) -> Self {
        Self {
            property,
            render: PolicyDocument::render,
            state: Rc::default(),
        }
    }

    /// Statements without an id get their position as one.
    pub(crate) fn with_ids(mut self) -> Self {
        self.render = PolicyDocument::render_with_ids;
        self
    }

    /// The property takes the document as a text of JSON.
    pub(crate) fn in_text(mut self) -> Self {
        self.render = |document| json_text(&document.render());
        self
    }

    /// Adds a statement; `make` makes the resource if this is the first.
    pub(crate) fn add(&self, statement: PolicyStatement, make: impl FnOnce(&PolicyDocument) -> CfnResource) {
        let mut state = self.state.borrow_mut();
        state.document.add(statement);
        let rendered = (self.render)(&state.document);
        let State { resource, document } = &mut *state;
        resource
            .get_or_insert_with(|| make(document))
            .set(self.property, Some(rendered));
    }
}
