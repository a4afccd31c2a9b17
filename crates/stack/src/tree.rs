//! The construct tree: one arena, and handles into it that are cheap to clone.
//!
//! A [`Construct`] is a place in the tree; level-2 constructs hold one and what they need to remember. Nothing here
//! knows a service. Mistakes are recorded with [`Construct::report`] and come out of synthesis together.

use std::any::Any;
use std::cell::{Ref, RefCell, RefMut};
use std::collections::HashMap;
use std::panic::Location;
use std::rc::Rc;

use cfn::{ElementId, Expr, Map, Parameter};
use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::aspects::{Aspect, Visits};
use crate::dependency::Dependency;
use crate::error::{Error, Source};
use crate::logical_id;
use crate::moves::Moves;
use crate::policy::{Pack, Suppression};
use crate::stack::StackNode;
use crate::stage::StageNode;
use crate::synthesis::Synthesis;
use crate::tags::TagRule;
use crate::warnings::Noted;

/// The index of a node. Also its [`ElementId`]: an expression that refers to an element holds this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

impl NodeId {
    pub(crate) const ROOT: Self = Self(0);

    pub(crate) const fn element(self) -> ElementId {
        ElementId::new(self.0)
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

impl From<ElementId> for NodeId {
    fn from(element: ElementId) -> Self {
        Self(element.index())
    }
}

/// What a node is to synthesis.
pub(crate) enum Kind {
    Plain,
    Stage(StageNode),
    Stack(Box<StackNode>),
    Element(Element),
}

/// What a node adds to the template of its stack.
pub(crate) enum Element {
    Resource(Box<ResourceNode>),
    Parameter(Box<Parameter>),
    Output(Box<cfn::Output>),
    Condition(Expr),
    Mapping(Map),
}

pub(crate) struct ResourceNode {
    pub(crate) resource: cfn::Resource,
    /// Dependencies on elements, beside those that constructs imply.
    pub(crate) depends_on: Vec<NodeId>,
}

type Prepare = Box<dyn FnOnce()>;
/// Makes a logical id that depends on content, when the content is final.
pub(crate) type ComputedId = Rc<dyn Fn(&Synthesis<'_>) -> Result<String, Error>>;

pub(crate) enum LogicalId {
    FromPath,
    Fixed(String),
    Computed(ComputedId),
}

pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) parent: Option<NodeId>,
    pub(crate) children: Vec<NodeId>,
    pub(crate) location: Source,
    /// The kind of construct as `tree.json` shows it: `ec2.Vpc`.
    pub(crate) type_name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) logical_id: LogicalId,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) tags: Vec<TagRule>,
}

pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// Of constructs with many children, these by their ids.
    crowds: HashMap<NodeId, HashMap<String, NodeId>>,
    pub(crate) errors: Vec<Error>,
    pub(crate) context: IndexMap<String, Json>,
    pub(crate) prepare: Vec<Prepare>,
    /// What is remembered with constructs beside the tree, such as handles that several others share. Those hold the
    /// tree, so synthesis lets all go.
    pub(crate) shared: HashMap<NodeId, Rc<dyn Any>>,
    pub(crate) moves: Moves,
    pub(crate) aspects: Vec<Aspect>,
    pub(crate) visits: Visits,
    /// Its errors were told; there is no second attempt.
    pub(crate) is_broken: bool,
    pub(crate) warnings: Vec<Noted>,
    pub(crate) suppressions: Vec<Suppression>,
    pub(crate) policies: Vec<Pack>,
}

/// Up to here a list of children is searched faster than a map.
const FEW_CHILDREN: usize = 16;

impl Tree {
    pub(crate) fn new(location: Source, stage: StageNode) -> Self {
        let root = Node {
            id: String::new(),
            parent: None,
            children: Vec::new(),
            location,
            type_name: "App",
            kind: Kind::Stage(stage),
            logical_id: LogicalId::FromPath,
            dependencies: Vec::new(),
            tags: Vec::new(),
        };
        Self {
            nodes: vec![root],
            crowds: HashMap::new(),
            errors: Vec::new(),
            context: IndexMap::new(),
            prepare: Vec::new(),
            shared: HashMap::new(),
            moves: Moves::default(),
            aspects: Vec::new(),
            visits: Visits::new(),
            is_broken: false,
            warnings: Vec::new(),
            suppressions: Vec::new(),
            policies: Vec::new(),
        }
    }

    pub(crate) fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node.index()]
    }

    pub(crate) fn node_mut(&mut self, node: NodeId) -> &mut Node {
        &mut self.nodes[node.index()]
    }

    pub(crate) fn find_child(&self, parent: NodeId, id: &str) -> Option<NodeId> {
        let children = &self.node(parent).children;
        if children.len() <= FEW_CHILDREN {
            return children.iter().copied().find(|child| self.node(*child).id == id);
        }
        self.crowds.get(&parent)?.get(id).copied()
    }

    fn add_child(&mut self, parent: NodeId, child: NodeId) {
        let children = &mut self.nodes[parent.index()].children;
        children.push(child);
        if children.len() <= FEW_CHILDREN {
            return;
        }
        let crowd = self.crowds.entry(parent).or_default();
        let known = crowd.len();
        for child in &self.nodes[parent.index()].children[known..] {
            crowd.insert(self.nodes[child.index()].id.clone(), *child);
        }
    }

    /// The nodes from the root (included) down to `node` (included).
    pub(crate) fn scopes(&self, node: NodeId) -> Vec<NodeId> {
        let mut scopes = vec![node];
        while let Some(parent) = self.node(scopes[scopes.len() - 1]).parent {
            scopes.push(parent);
        }
        scopes.reverse();
        scopes
    }

    /// Ids below the root, joined with `/`.
    pub(crate) fn path(&self, node: NodeId) -> String {
        self.ids_below(NodeId::ROOT, node).join("/")
    }

    /// The ids between `ancestor` (left out) and `node` (included).
    pub(crate) fn ids_below(&self, ancestor: NodeId, node: NodeId) -> Vec<&str> {
        let mut ids = Vec::new();
        let mut at = node;
        while at != ancestor {
            ids.push(self.node(at).id.as_str());
            match self.node(at).parent {
                Some(parent) => at = parent,
                None => break,
            }
        }
        ids.reverse();
        ids
    }

    /// As [`Tree::ids_below`] a stack, a stage or the root, for names: what moved is named by the place where it stood.
    pub(crate) fn name_below(&self, ancestor: NodeId, node: NodeId) -> Vec<&str> {
        let mut ids = Vec::new();
        let mut at = node;
        while at != ancestor {
            let parent = match (self.moves.origin(at), self.stack_of(at)) {
                (Some(origin), Some(stack)) if stack != at => {
                    ids.extend(origin.iter().rev().map(String::as_str));
                    Some(stack)
                }
                _ => {
                    ids.push(self.node(at).id.as_str());
                    self.node(at).parent
                }
            };
            match parent {
                Some(parent) => at = parent,
                None => break,
            }
        }
        ids.reverse();
        ids
    }

    fn ancestor(&self, node: NodeId, wanted: impl Fn(&Kind) -> bool) -> Option<NodeId> {
        let mut at = Some(node);
        while let Some(candidate) = at {
            if wanted(&self.node(candidate).kind) {
                return Some(candidate);
            }
            at = self.node(candidate).parent;
        }
        None
    }

    pub(crate) fn stack_of(&self, node: NodeId) -> Option<NodeId> {
        self.ancestor(node, |kind| matches!(kind, Kind::Stack(_)))
    }

    pub(crate) fn stage_of(&self, node: NodeId) -> NodeId {
        self.ancestor(node, |kind| matches!(kind, Kind::Stage(_)))
            .unwrap_or(NodeId::ROOT)
    }

    pub(crate) fn stack(&self, node: NodeId) -> Option<&StackNode> {
        match &self.node(node).kind {
            Kind::Stack(stack) => Some(stack),
            _ => None,
        }
    }

    pub(crate) fn stage(&self, node: NodeId) -> Option<&StageNode> {
        match &self.node(node).kind {
            Kind::Stage(stage) => Some(stage),
            _ => None,
        }
    }

    pub(crate) fn resource(&self, node: NodeId) -> Option<&ResourceNode> {
        match &self.node(node).kind {
            Kind::Element(Element::Resource(resource)) => Some(resource),
            _ => None,
        }
    }

    /// `node` and everything below it, parents first.
    pub(crate) fn everything_below(&self, node: NodeId) -> Vec<NodeId> {
        self.below(node, |_| false)
    }

    /// `node` and everything below it, parents first, without what lies in stages further down; with `into_stacks`
    /// false also without what lies in stacks further down.
    pub(crate) fn descendants(&self, node: NodeId, into_stacks: bool) -> Vec<NodeId> {
        self.below(node, |kind| match kind {
            Kind::Stage(_) => true,
            Kind::Stack(_) => !into_stacks,
            Kind::Plain | Kind::Element(_) => false,
        })
    }

    fn below(&self, node: NodeId, stops: impl Fn(&Kind) -> bool) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut pending = vec![node];
        while let Some(at) = pending.pop() {
            if at != node && stops(&self.node(at).kind) {
                continue;
            }
            found.push(at);
            pending.extend(self.node(at).children.iter().rev());
        }
        found
    }
}

/// A place in the tree, and the handle that every construct holds.
#[derive(Clone)]
pub struct Construct {
    tree: Rc<RefCell<Tree>>,
    node: NodeId,
}

/// Whether a line belongs to this crate.
fn is_own_code(location: Source) -> bool {
    let own = file!().strip_suffix("tree.rs").unwrap_or_default();
    location.file().starts_with(own)
}

/// Whatever other constructs can be put into.
pub trait Scope {
    fn construct(&self) -> &Construct;
}

impl Scope for Construct {
    fn construct(&self) -> &Construct {
        self
    }
}

impl<T: Scope + ?Sized> Scope for &T {
    fn construct(&self) -> &Construct {
        (**self).construct()
    }
}

impl Construct {
    /// A construct of the user's own, to put others into.
    #[track_caller]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> Self {
        Self::of_type(scope, id, "Construct")
    }

    #[track_caller]
    pub(crate) fn of_type(scope: &impl Scope, id: impl Into<String>, type_name: &'static str) -> Self {
        scope
            .construct()
            .add(id.into(), type_name, Kind::Plain, Location::caller())
    }

    pub(crate) fn root(tree: Tree) -> Self {
        Self {
            tree: Rc::new(RefCell::new(tree)),
            node: NodeId::ROOT,
        }
    }

    /// Adds a child. An id that is taken is reported, and the child gets another so that work can go on.
    pub(crate) fn add(&self, id: String, type_name: &'static str, kind: Kind, location: Source) -> Self {
        let mut tree = self.tree_mut();
        // What a construct of ours makes in itself was asked for where the construct was.
        let location = if is_own_code(location) {
            tree.node(self.node).location
        } else {
            location
        };
        // A separator in an id would make paths ambiguous; the CDK writes it this way.
        let asked_id = id.replace('/', "--");
        let mut id = asked_id.clone();
        if let Some(first) = tree.find_child(self.node, &id) {
            let error = Error::DuplicateId {
                path: tree.path(first),
                first: tree.node(first).location,
                location,
            };
            tree.errors.push(error);
            id = format!("{id}#{}", tree.nodes.len());
        }
        let node = NodeId(
            u32::try_from(tree.nodes.len()).expect("a tree of four thousand million constructs does not fit memory"),
        );
        tree.nodes.push(Node {
            id,
            parent: Some(self.node),
            children: Vec::new(),
            location,
            type_name,
            kind,
            logical_id: LogicalId::FromPath,
            dependencies: Vec::new(),
            tags: Vec::new(),
        });
        tree.add_child(self.node, node);
        tree.moves.adopt(self.node, &asked_id, node);
        drop(tree);
        self.at(node)
    }

    pub(crate) fn at(&self, node: NodeId) -> Self {
        Self {
            tree: Rc::clone(&self.tree),
            node,
        }
    }

    pub(crate) fn tree(&self) -> Ref<'_, Tree> {
        self.tree.borrow()
    }

    pub(crate) fn tree_mut(&self) -> RefMut<'_, Tree> {
        self.tree.borrow_mut()
    }

    pub(crate) const fn node(&self) -> NodeId {
        self.node
    }

    pub fn id(&self) -> String {
        self.tree().node(self.node).id.clone()
    }

    /// Ids from below the app, joined with `/`: `Phase2Stack/Phase2VPC/Resource`.
    pub fn path(&self) -> String {
        self.tree().path(self.node)
    }

    /// The line of the user's program that made this construct.
    pub fn location(&self) -> Source {
        self.tree().node(self.node).location
    }

    pub fn parent(&self) -> Option<Self> {
        let parent = self.tree().node(self.node).parent;
        parent.map(|parent| self.at(parent))
    }

    pub fn children(&self) -> Vec<Self> {
        let children = self.tree().node(self.node).children.clone();
        children.into_iter().map(|child| self.at(child)).collect()
    }

    pub fn find_child(&self, id: &str) -> Option<Self> {
        let child = self.tree().find_child(self.node, id);
        child.map(|child| self.at(child))
    }

    /// An id that is unique in the app, for names: path and hash, letters and digits only.
    pub fn unique_id(&self) -> String {
        self.tree_mut().moves.note_name(self.node);
        logical_id::unique_id(&self.tree().name_below(NodeId::ROOT, self.node))
    }

    /// The path for descriptions and `Name` tags: as [`Construct::path`], but what moved keeps its old one.
    pub(crate) fn path_for_names(&self) -> String {
        self.tree_mut().moves.note_name(self.node);
        self.tree().name_below(NodeId::ROOT, self.node).join("/")
    }

    /// A name of the place in the app: a hash of the path.
    pub(crate) fn address(&self) -> String {
        let tree = self.tree();
        let mut components = vec![""];
        components.extend(tree.ids_below(NodeId::ROOT, self.node));
        logical_id::address(&components)
    }

    /// A name that is unique among stacks, from the name of the stack and the path in it, shortened in its middle.
    pub(crate) fn unique_resource_name(&self, max_length: usize) -> String {
        self.unique_resource_name_with(logical_id::Style::default(), max_length)
    }

    /// As [`Construct::unique_resource_name`], in another style.
    pub(crate) fn unique_resource_name_with(&self, style: logical_id::Style, max_length: usize) -> String {
        let tree = self.tree();
        let stack = tree.stack_of(self.node);
        let name = stack
            .and_then(|stack| tree.stack(stack))
            .map(|stack| stack.name.as_str());
        let mut components: Vec<&str> = name.into_iter().collect();
        components.extend(tree.ids_below(stack.unwrap_or(NodeId::ROOT), self.node));
        logical_id::unique_resource_name_with(&components, "", style, max_length)
    }

    /// A value of the app's context: `--context KEY=VALUE`, or what the app was made with.
    pub fn context(&self, key: &str) -> Option<Json> {
        self.tree().context.get(key).cloned()
    }

    /// Records that something about this construct is wrong. Synthesis will fail with all that was recorded.
    pub fn report(&self, message: impl Into<String>) {
        let error = Error::Invalid {
            construct: self.path(),
            message: message.into(),
            location: self.location(),
        };
        self.tree_mut().errors.push(error);
    }

    /// Runs `prepare` when the app is synthesized, before anything is rendered: for what depends on all that was said
    /// about a construct.
    pub(crate) fn on_synth(&self, prepare: impl FnOnce() + 'static) {
        self.tree_mut().prepare.push(Box::new(prepare));
    }

    /// Remembers the handle of this construct for others that share it.
    pub(crate) fn share(&self, handle: impl Any) {
        self.tree_mut().shared.insert(self.node, Rc::new(handle));
    }

    /// What was remembered with this construct.
    pub(crate) fn shared<T: Any>(&self) -> Option<Rc<T>> {
        let handle = self.tree().shared.get(&self.node).cloned()?;
        handle.downcast().ok()
    }

    /// The handle of a child that another construct has made to be shared.
    pub(crate) fn find_shared<T: Any + Clone>(&self, id: &str) -> Option<T> {
        let tree = self.tree();
        let child = tree.find_child(self.node, id)?;
        tree.shared.get(&child)?.downcast_ref().cloned()
    }

    /// An expression as compact JSON under the names that its elements have now, for ids that are made of it.
    pub(crate) fn early_text(&self, expr: Expr) -> String {
        let text = Synthesis::early_text(&self.tree(), expr);
        text.unwrap_or_else(|error| {
            self.tree_mut().errors.push(error);
            String::new()
        })
    }

    /// The same place in the same tree.
    pub fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.tree, &other.tree) && self.node == other.node
    }
}
