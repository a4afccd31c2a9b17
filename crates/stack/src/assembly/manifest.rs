//! The parts of an assembly that grow with its resources, written as they are walked: what an app of a hundred thousand
//! resources says about each need not stand in memory at once.

use std::collections::HashSet;

use cfn::Name;
use indexmap::IndexMap;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use crate::tree::{NodeId, Tree};
use crate::warnings::Noted;

/// An entry of `artifacts` in the manifest.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Artifact<'a> {
    Plain(Json),
    Stack(Box<StackArtifact<'a>>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StackArtifact<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) environment: String,
    pub(super) properties: Json,
    pub(super) dependencies: Vec<String>,
    pub(super) metadata: Metadata<'a>,
    pub(super) display_name: String,
}

/// For each element its logical id and the line of the app that made it; the stack's tags; what there is to warn of.
pub(super) struct Metadata<'a> {
    pub(super) tree: &'a Tree,
    pub(super) stack: NodeId,
    pub(super) elements: Vec<(NodeId, Name)>,
    pub(super) tags: IndexMap<String, String>,
    pub(super) warnings: &'a [Noted],
}

/// One line about a construct.
#[derive(Serialize)]
struct Entry<'a, D> {
    #[serde(rename = "type")]
    kind: &'static str,
    data: D,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<[&'a str; 1]>,
}

/// All that is said about one construct.
struct Entries<'a> {
    logical_id: Option<&'a Name>,
    tags: &'a IndexMap<String, String>,
    warnings: &'a [&'a str],
    location: &'a str,
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let trace = Some([self.location]);
        let mut entries = serializer.serialize_seq(None)?;
        if !self.tags.is_empty() {
            let tags: Vec<Json> = self
                .tags
                .iter()
                .map(|(key, value)| json!({ "Key": key, "Value": value }))
                .collect();
            entries.serialize_element(&Entry {
                kind: "aws:cdk:stack-tags",
                data: tags,
                trace: None,
            })?;
        }
        if let Some(logical_id) = self.logical_id {
            entries.serialize_element(&Entry {
                kind: "aws:cdk:logicalId",
                data: logical_id,
                trace,
            })?;
        }
        for warning in self.warnings {
            entries.serialize_element(&Entry {
                kind: "aws:cdk:warning",
                data: warning,
                trace,
            })?;
        }
        entries.end()
    }
}

impl Metadata<'_> {
    fn entry<M: SerializeMap>(&self, map: &mut M, node: NodeId, entries: &Entries<'_>) -> Result<(), M::Error> {
        let location = self.tree.node(node).location.to_string();
        let entries = Entries {
            location: &location,
            ..*entries
        };
        map.serialize_entry(&format!("/{}", self.tree.path(node)), &entries)
    }
}

impl Serialize for Metadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut warnings: IndexMap<NodeId, Vec<&str>> = IndexMap::new();
        for noted in self.warnings {
            if self.tree.stack_of(noted.node) == Some(self.stack) {
                warnings.entry(noted.node).or_default().push(&noted.message);
            }
        }
        let none = IndexMap::new();
        let mut map = serializer.serialize_map(None)?;
        let mut said: HashSet<NodeId> = HashSet::new();
        let stack_warnings = warnings.get(&self.stack).map_or(&[][..], Vec::as_slice);
        if !self.tags.is_empty() || !stack_warnings.is_empty() {
            let entries = Entries {
                logical_id: None,
                tags: &self.tags,
                warnings: stack_warnings,
                location: "",
            };
            self.entry(&mut map, self.stack, &entries)?;
            said.insert(self.stack);
        }
        for (node, logical_id) in &self.elements {
            let of_element = warnings.get(node).map_or(&[][..], Vec::as_slice);
            if !of_element.is_empty() {
                said.insert(*node);
            }
            let entries = Entries {
                logical_id: Some(logical_id),
                tags: &none,
                warnings: of_element,
                location: "",
            };
            self.entry(&mut map, *node, &entries)?;
        }
        for (node, of_construct) in warnings.iter().filter(|(node, _)| !said.contains(*node)) {
            let entries = Entries {
                logical_id: None,
                tags: &none,
                warnings: of_construct,
                location: "",
            };
            self.entry(&mut map, *node, &entries)?;
        }
        map.end()
    }
}

/// `tree.json`: all constructs, for tools that show them.
#[derive(Serialize)]
pub(super) struct TreeFile<'a> {
    version: &'static str,
    tree: Branch<'a>,
}

impl<'a> TreeFile<'a> {
    pub(super) const fn new(tree: &'a Tree) -> Self {
        Self {
            version: "tree-0.1",
            tree: Branch {
                tree,
                node: NodeId::ROOT,
            },
        }
    }
}

/// A construct with everything below it.
struct Branch<'a> {
    tree: &'a Tree,
    node: NodeId,
}

#[derive(Serialize)]
struct ConstructInfo {
    fqn: String,
    version: &'static str,
}

impl Serialize for Branch<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = self.tree.node(self.node);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", if self.node == NodeId::ROOT { "App" } else { &own.id })?;
        map.serialize_entry("path", &self.tree.path(self.node))?;
        let info = ConstructInfo {
            fqn: format!("stack.{}", own.type_name),
            version: env!("CARGO_PKG_VERSION"),
        };
        map.serialize_entry("constructInfo", &info)?;
        if let Some(resource) = self.tree.resource(self.node) {
            let attributes = [("aws:cdk:cloudformation:type", &resource.resource.type_name)];
            map.serialize_entry("attributes", &attributes.into_iter().collect::<IndexMap<_, _>>())?;
        }
        if !own.children.is_empty() {
            map.serialize_entry("children", &Branches(self))?;
        }
        map.end()
    }
}

/// The constructs directly in another.
struct Branches<'a>(&'a Branch<'a>);

impl Serialize for Branches<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Branch { tree, node } = self.0;
        let children = tree.node(*node).children.iter();
        serializer.collect_map(children.map(|child| (&tree.node(*child).id, Branch { tree, node: *child })))
    }
}
