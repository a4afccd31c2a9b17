//! What a template is made of: resources, parameters, outputs, conditions and mappings as constructs.
//!
//! [`CfnResource`] is also the escape hatch under every level-2 construct: properties, overrides, logical id, policies.

use std::fmt;
use std::ops::Deref;
use std::panic::Location;

use cfn::{
    Condition, DeletionPolicy, ElementId, Expr, Handle, IntoResource, IntoValue, Map, Name, Parameter, Resource,
    Target, Value,
};

use crate::error::Source;
use crate::tree::{Construct, Element, Kind, LogicalId, ResourceNode, Scope};

/// What happens to a resource that leaves the stack or is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalPolicy {
    Destroy,
    Retain,
    /// Kept, except when the creation that made it fails.
    RetainOnUpdateOrDelete,
    /// A last snapshot is taken, of types that can.
    Snapshot,
}

/// The types that CloudFormation can take a last snapshot of.
const WITH_SNAPSHOT: [&str; 8] = [
    "AWS::DocDB::DBCluster",
    "AWS::EC2::Volume",
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::Neptune::DBCluster",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::Redshift::Cluster",
];

/// A resource of a type that is not known at compile time.
#[derive(Debug)]
pub enum Untyped {}

/// A resource in the tree. Dereferences to its [`Handle`], so attributes read `queue.arn()`.
pub struct CfnResource<T = Untyped> {
    construct: Construct,
    handle: Handle<T>,
}

impl<T> Clone for CfnResource<T> {
    fn clone(&self) -> Self {
        Self {
            construct: self.construct.clone(),
            handle: self.handle,
        }
    }
}

impl<T> Scope for CfnResource<T> {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl<T> Deref for CfnResource<T> {
    type Target = Handle<T>;

    fn deref(&self) -> &Handle<T> {
        &self.handle
    }
}

impl<T> fmt::Debug for CfnResource<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CfnResource({})", self.construct.path())
    }
}

impl CfnResource {
    /// A resource of any type, also of types that the schema does not know.
    #[track_caller]
    pub fn raw(scope: &impl Scope, id: impl Into<String>, resource: Resource) -> Self {
        add(scope, id, resource, Location::caller())
    }
}

pub(crate) fn add<T>(
    scope: &impl Scope,
    id: impl Into<String>,
    resource: Resource,
    location: Source,
) -> CfnResource<T> {
    let kind = Kind::Element(Element::Resource(Box::new(ResourceNode {
        resource,
        depends_on: Vec::new(),
    })));
    let construct = scope.construct().add(id.into(), "CfnResource", kind, location);
    let handle = Handle::new(construct.node().element());
    CfnResource { construct, handle }
}

impl<T> CfnResource<T> {
    /// Stands for the resource of something that was taken over, and reports that there is none to change here.
    pub(crate) fn elsewhere(construct: &Construct) -> Self {
        construct.report("this was taken over from elsewhere and has no resource in this app that could be changed");
        match construct.find_child("Resource") {
            Some(known) => Self {
                handle: Handle::new(known.node().element()),
                construct: known,
            },
            None => add(construct, "Resource", Resource::new("Elsewhere"), construct.location()),
        }
    }

    /// Puts a resource into the tree: `CfnResource::new(&stack, "Queue", sqs::Queue::new().queue_name("jobs"))`.
    #[track_caller]
    pub fn new<R: IntoResource<Type = T>>(scope: &impl Scope, id: impl Into<String>, resource: R) -> Self {
        add(scope, id, resource.into_resource(), Location::caller())
    }

    pub fn handle(&self) -> Handle<T> {
        self.handle
    }

    fn change(&self, change: impl FnOnce(&mut ResourceNode)) {
        if let Kind::Element(Element::Resource(resource)) =
            &mut self.construct.tree_mut().node_mut(self.construct.node()).kind
        {
            change(resource);
        }
    }

    /// `AWS::SQS::Queue`.
    pub fn type_name(&self) -> String {
        let tree = self.construct.tree();
        tree.resource(self.construct.node())
            .map(|node| node.resource.type_name.to_string())
            .unwrap_or_default()
    }

    /// Adds to a property that is a list.
    pub(crate) fn append(&self, key: &'static str, item: Expr) {
        let mut items = match self.property(key) {
            Some(Expr::List(items)) => items,
            _ => Vec::new(),
        };
        items.push(item);
        self.set(key, Some(Expr::List(items)));
    }

    /// Sets a property by its exact key; `None` removes it.
    pub fn set(&self, key: impl Into<Name>, value: Option<Expr>) {
        let key = key.into();
        self.change(|node| match value {
            Some(value) => {
                node.resource.properties.insert(key, value);
            }
            None => {
                node.resource.properties.remove(&key);
            }
        });
    }

    /// All that was said of the resource so far.
    pub(crate) fn definition(&self) -> Option<Resource> {
        let tree = self.construct.tree();
        tree.resource(self.construct.node()).map(|node| node.resource.clone())
    }

    pub fn property(&self, key: &str) -> Option<Expr> {
        let tree = self.construct.tree();
        tree.resource(self.construct.node())
            .and_then(|node| node.resource.properties.get(key).cloned())
    }

    /// Replaces what stands at a path of the rendered resource, such as `Metadata.note`; a dot inside a key is written
    /// `\.`. A map is merged into what is there, anything else takes its place.
    pub fn override_at(&self, path: &str, value: impl Into<Expr>) {
        let value = value.into();
        self.change(|node| merge_override(&mut node.resource, path, value));
    }

    /// As [`CfnResource::override_at`], below `Properties`.
    pub fn override_property(&self, path: &str, value: impl Into<Expr>) {
        self.override_at(&format!("Properties.{path}"), value);
    }

    pub fn delete_override_at(&self, path: &str) {
        self.change(|node| node.resource.override_at(path, None));
    }

    pub fn delete_property(&self, path: &str) {
        self.delete_override_at(&format!("Properties.{path}"));
    }

    /// Gives the resource this logical id, for resources that exist under it already.
    pub fn override_logical_id(&self, logical_id: impl Into<String>) {
        self.construct.tree_mut().node_mut(self.construct.node()).logical_id = LogicalId::Fixed(logical_id.into());
    }

    /// The resource exists only where the condition holds.
    pub fn set_condition(&self, condition: &CfnCondition) {
        let target = Target::Element(condition.element());
        self.change(|node| node.resource.options_mut().condition = Some(target));
    }

    pub fn set_deletion_policy(&self, policy: DeletionPolicy) {
        self.change(|node| node.resource.options_mut().deletion_policy = Some(policy));
    }

    pub fn set_update_replace_policy(&self, policy: DeletionPolicy) {
        self.change(|node| node.resource.options_mut().update_replace_policy = Some(policy));
    }

    /// Deletion and replacement alike.
    pub fn apply_removal_policy(&self, policy: RemovalPolicy) {
        let (deletion, replacement) = match policy {
            RemovalPolicy::Destroy => (DeletionPolicy::Delete, DeletionPolicy::Delete),
            RemovalPolicy::Retain => (DeletionPolicy::Retain, DeletionPolicy::Retain),
            RemovalPolicy::RetainOnUpdateOrDelete => (DeletionPolicy::RetainExceptOnCreate, DeletionPolicy::Retain),
            RemovalPolicy::Snapshot => (DeletionPolicy::Snapshot, DeletionPolicy::Snapshot),
        };
        let type_name = self.type_name();
        if policy == RemovalPolicy::Snapshot && !WITH_SNAPSHOT.contains(&type_name.as_str()) {
            self.construct.report(format!(
                "CloudFormation takes no last snapshot of a {type_name}; keep it or let it go"
            ));
        }
        self.set_deletion_policy(deletion);
        self.set_update_replace_policy(replacement);
    }

    /// An entry of the resource's `Metadata`.
    pub fn add_metadata(&self, key: impl Into<Name>, value: impl Into<Expr>) {
        let (key, value) = (key.into(), value.into());
        self.change(|node| {
            node.resource.options_mut().metadata.insert(key, value);
        });
    }

    /// `DependsOn` another resource.
    pub fn depend_on<U>(&self, other: &CfnResource<U>) {
        let target = other.construct.node();
        self.change(|node| {
            if !node.depends_on.contains(&target) {
                node.depends_on.push(target);
            }
        });
    }

    /// The logical id as text.
    pub fn logical_id(&self) -> Expr {
        Expr::LogicalId(self.handle.element())
    }

    /// Forgets the type, for lists of resources of several types.
    pub fn untyped(&self) -> CfnResource {
        CfnResource {
            construct: self.construct.clone(),
            handle: Handle::new(self.handle.element()),
        }
    }
}

/// The CDK merges override maps into what is there, so each leaf is an override of its own.
fn merge_override(resource: &mut Resource, path: &str, value: Expr) {
    match value {
        Expr::Map(map) if !map.is_empty() => {
            for (key, value) in map {
                let key = key.replace('\\', "\\\\").replace('.', "\\.");
                merge_override(resource, &format!("{path}.{key}"), value);
            }
        }
        value => resource.override_at(path, Some(value)),
    }
}

impl Construct {
    /// The resource that a level-2 construct is about: the escape hatch to everything the construct does not offer.
    pub fn default_child(&self) -> Option<CfnResource> {
        let resource = |child: &Self| self.tree().resource(child.node()).is_some();
        if resource(self) {
            return Some(CfnResource {
                construct: self.clone(),
                handle: Handle::new(self.node().element()),
            });
        }
        let child = ["Resource", "Default"]
            .iter()
            .find_map(|id| self.find_child(id))
            .filter(resource)?;
        let handle = Handle::new(child.node().element());
        Some(CfnResource {
            construct: child,
            handle,
        })
    }

    /// The construct as a resource, if it is itself one of this type: `construct.as_resource("AWS::SQS::Queue")`.
    pub fn as_resource(&self, type_name: &str) -> Option<CfnResource> {
        let is_one = {
            let tree = self.tree();
            tree.resource(self.node())
                .is_some_and(|node| node.resource.type_name == type_name)
        };
        is_one.then(|| CfnResource {
            construct: self.clone(),
            handle: Handle::new(self.node().element()),
        })
    }

    /// As [`Construct::default_child`], for constructs of our own that always have one.
    pub(crate) fn resource(&self) -> CfnResource {
        self.default_child().unwrap_or_else(|| CfnResource {
            construct: self.clone(),
            handle: Handle::new(self.node().element()),
        })
    }
}

macro_rules! element {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            construct: Construct,
        }

        impl Scope for $name {
            fn construct(&self) -> &Construct {
                &self.construct
            }
        }

        impl $name {
            /// What expressions refer to.
            pub fn element(&self) -> ElementId {
                self.construct.node().element()
            }

            /// Gives it this logical id instead of the one that follows from its path.
            pub fn override_logical_id(&self, logical_id: impl Into<String>) {
                self.construct.tree_mut().node_mut(self.construct.node()).logical_id = LogicalId::Fixed(logical_id.into());
            }
        }
    };
}

element! {
    /// A parameter of the template.
    CfnParameter
}
element! {
    /// An output of the template.
    CfnOutput
}
element! {
    /// A condition of the template.
    CfnCondition
}
element! {
    /// A mapping of the template.
    CfnMapping
}

impl CfnParameter {
    #[track_caller]
    pub fn new(scope: &impl Scope, id: impl Into<String>, parameter: Parameter) -> Self {
        let kind = Kind::Element(Element::Parameter(Box::new(parameter)));
        Self {
            construct: scope
                .construct()
                .add(id.into(), "CfnParameter", kind, Location::caller()),
        }
    }

    /// Its value, of the type that the parameter was declared with.
    pub fn value<T>(&self) -> Value<T> {
        Value::from_expr(Expr::reference(self.element()))
    }
}

#[must_use = "nothing is made until `build`"]
pub struct CfnOutputBuilder {
    scope: Construct,
    id: String,
    location: Source,
    output: cfn::Output,
}

impl CfnOutputBuilder {
    pub fn description(mut self, description: impl Into<Name>) -> Self {
        self.output.description = Some(description.into());
        self
    }

    /// The name under which other stacks may import the value.
    pub fn export_name(mut self, name: impl IntoValue<String>) -> Self {
        self.output.export = Some(cfn::Export {
            name: name.into_value().into_expr(),
        });
        self
    }

    pub fn condition(mut self, condition: &CfnCondition) -> Self {
        self.output.condition = Some(Target::Element(condition.element()));
        self
    }

    pub fn build(self) -> CfnOutput {
        let kind = Kind::Element(Element::Output(Box::new(self.output)));
        CfnOutput {
            construct: self.scope.add(self.id, "CfnOutput", kind, self.location),
        }
    }
}

impl CfnOutput {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, value: impl IntoValue<String>) -> CfnOutputBuilder {
        CfnOutputBuilder {
            scope: scope.construct().clone(),
            id: id.into(),
            location: Location::caller(),
            output: cfn::Output {
                value: value.into_value().into_expr(),
                ..cfn::Output::default()
            },
        }
    }
}

impl CfnCondition {
    #[track_caller]
    pub fn new(scope: &impl Scope, id: impl Into<String>, expression: Value<Condition>) -> Self {
        let kind = Kind::Element(Element::Condition(expression.into_expr()));
        Self {
            construct: scope
                .construct()
                .add(id.into(), "CfnCondition", kind, Location::caller()),
        }
    }

    /// The condition inside another one.
    pub fn value(&self) -> Value<Condition> {
        cfn::intrinsics::condition(self.element())
    }
}

impl CfnMapping {
    /// `entries` is a map of maps: `{"eu-west-1": {"max": "10"}}`.
    #[track_caller]
    pub fn new(scope: &impl Scope, id: impl Into<String>, entries: Map) -> Self {
        let kind = Kind::Element(Element::Mapping(entries));
        Self {
            construct: scope.construct().add(id.into(), "CfnMapping", kind, Location::caller()),
        }
    }

    pub fn find_in_map<T>(&self, top_key: impl IntoValue<String>, second_key: impl IntoValue<String>) -> Value<T> {
        let (top_key, second_key) = (top_key.into_value().into_expr(), second_key.into_value().into_expr());
        let map = Expr::LogicalId(self.element());
        Value::from_expr(
            cfn::Intrinsic::FindInMap {
                map,
                top_key,
                second_key,
                default: None,
            }
            .into(),
        )
    }
}
