//! Tags: said once about a construct, put on everything below it that can carry them.
//!
//! The rules are the CDK's: a rule of higher priority wins, of equal ones the one nearer to the resource, of equally near
//! ones the later. Stages are borders.

use cfn::{Expr, IntoValue, Map, TagShape, TagStyle};
use indexmap::IndexMap;

use crate::collation;
use crate::tree::{Construct, NodeId, Scope, Tree};

/// Priority of tags that a resource was made with.
const PRIORITY_OF_PROPERTIES: u32 = 50;
const PRIORITY_OF_ADDITIONS: u32 = 100;
const PRIORITY_OF_REMOVALS: u32 = 200;
/// The type under which stacks themselves are tagged.
pub(crate) const STACK_TYPE: &str = "aws:cdk:stack";

#[derive(Clone)]
pub(crate) struct TagRule {
    key: String,
    /// Nothing removes the tag.
    value: Option<Expr>,
    priority: u32,
    include: Vec<String>,
    exclude: Vec<String>,
    launched_instances: bool,
}

/// How far a tag reaches.
#[derive(Clone, Debug, Default)]
pub struct TagOptions {
    priority: Option<u32>,
    include: Vec<String>,
    exclude: Vec<String>,
    not_launched_instances: bool,
}

impl TagOptions {
    pub fn new() -> Self {
        Self::default()
    }

    /// 100 for tags and 200 for removals if nothing is said; the properties of a resource have 50.
    #[must_use]
    pub fn priority(mut self, priority: u32) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Only resources of these types (`AWS::EC2::Subnet`; `aws:cdk:stack` for stacks).
    #[must_use]
    pub fn include(mut self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.include.extend(types.into_iter().map(Into::into));
        self
    }

    /// All but resources of these types.
    #[must_use]
    pub fn exclude(mut self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.exclude.extend(types.into_iter().map(Into::into));
        self
    }

    /// An auto scaling group keeps the tag for itself.
    #[must_use]
    pub fn not_for_launched_instances(mut self) -> Self {
        self.not_launched_instances = true;
        self
    }

    fn rule(self, key: String, value: Option<Expr>, default_priority: u32) -> TagRule {
        TagRule {
            key,
            value,
            priority: self.priority.unwrap_or(default_priority),
            include: self.include,
            exclude: self.exclude,
            launched_instances: !self.not_launched_instances,
        }
    }
}

/// The tags of a construct and all below it.
pub struct Tags {
    construct: Construct,
}

impl Tags {
    pub fn of(scope: &impl Scope) -> Self {
        Self {
            construct: scope.construct().clone(),
        }
    }

    pub fn add(&self, key: impl Into<String>, value: impl IntoValue<String>) -> &Self {
        self.add_with(key, value, TagOptions::new())
    }

    pub fn add_with(&self, key: impl Into<String>, value: impl IntoValue<String>, options: TagOptions) -> &Self {
        self.push(options.rule(key.into(), Some(value.into_value().into_expr()), PRIORITY_OF_ADDITIONS))
    }

    pub fn remove(&self, key: impl Into<String>) -> &Self {
        self.remove_with(key, TagOptions::new())
    }

    pub fn remove_with(&self, key: impl Into<String>, options: TagOptions) -> &Self {
        self.push(options.rule(key.into(), None, PRIORITY_OF_REMOVALS))
    }

    fn push(&self, rule: TagRule) -> &Self {
        self.construct
            .tree_mut()
            .node_mut(self.construct.node())
            .tags
            .push(rule);
        self
    }
}

/// The tags of one resource while rules are applied.
#[derive(Default)]
struct TagSet {
    tags: IndexMap<String, (Expr, bool)>,
    priorities: IndexMap<String, u32>,
}

impl TagSet {
    fn apply(&mut self, rule: &TagRule, type_name: &str) {
        let names = |types: &[String]| types.iter().any(|name| name == type_name);
        if names(&rule.exclude) || !rule.include.is_empty() && !names(&rule.include) {
            return;
        }
        self.set(&rule.key, rule.value.as_ref(), rule.priority, rule.launched_instances);
    }

    fn set(&mut self, key: &str, value: Option<&Expr>, priority: u32, launched_instances: bool) {
        if priority < self.priorities.get(key).copied().unwrap_or(0) {
            return;
        }
        self.priorities.insert(key.to_owned(), priority);
        match value {
            Some(value) => self.tags.insert(key.to_owned(), (value.clone(), launched_instances)),
            None => self.tags.shift_remove(key),
        };
    }

    fn apply_rules(&mut self, tree: &Tree, node: NodeId, type_name: &str) {
        let stage = tree.stage_of(node);
        let below_stage = tree.scopes(node).into_iter().skip_while(|scope| *scope != stage);
        for rule in below_stage.flat_map(|scope| &tree.node(scope).tags) {
            self.apply(rule, type_name);
        }
    }

    fn sorted(mut self) -> IndexMap<String, (Expr, bool)> {
        self.tags.sort_by(|a, _, b, _| collation::compare(a, b));
        self.tags
    }
}

/// Puts the tags of a resource into its properties.
pub(crate) fn apply(tree: &Tree, node: NodeId, type_name: &str, style: TagStyle, properties: &mut Map) {
    let mut set = TagSet::default();
    // Tags whose key or value is not plain stay behind the others, in their order.
    let mut dynamic = Vec::new();
    match properties.get(style.property) {
        None => {}
        Some(Expr::List(items)) => {
            for item in items {
                let field = |name: &str| item.as_map().and_then(|map| map.get(name));
                match (field("Key").and_then(Expr::as_text), field("Value")) {
                    (Some(key), Some(value)) => {
                        let launched = !matches!(field("PropagateAtLaunch"), Some(Expr::Bool(false)));
                        set.set(key, Some(value), PRIORITY_OF_PROPERTIES, launched);
                    }
                    _ => dynamic.push(item.clone()),
                }
            }
        }
        Some(Expr::Map(map)) => {
            for (key, value) in map.iter() {
                set.set(key, Some(value), PRIORITY_OF_PROPERTIES, true);
            }
        }
        // An intrinsic as a whole cannot be combined with anything.
        Some(_) => return,
    }
    set.apply_rules(tree, node, type_name);
    let tags = set.sorted();
    properties.remove(style.property);
    if tags.is_empty() && dynamic.is_empty() {
        return;
    }
    let value = match style.shape {
        TagShape::Map => Expr::map(tags.into_iter().map(|(key, (value, _))| (key, value))),
        TagShape::List => Expr::List(
            tags.into_iter()
                .map(|(key, (value, _))| pair(key, value).into())
                .chain(dynamic)
                .collect(),
        ),
        TagShape::AutoScalingList => Expr::List(
            tags.into_iter()
                .map(|(key, (value, launched))| {
                    let mut map = pair(key, value);
                    map.insert("PropagateAtLaunch", launched);
                    map.into()
                })
                .chain(dynamic)
                .collect(),
        ),
    };
    properties.insert(style.property, value);
}

fn pair(key: String, value: Expr) -> Map {
    let mut map = Map::new();
    map.insert("Key", key);
    map.insert("Value", value);
    map
}

/// The tags of a stack itself, which CloudFormation puts on what it can. Only plain texts count.
pub(crate) fn of_stack(tree: &Tree, stack: NodeId, own: &IndexMap<String, String>) -> IndexMap<String, String> {
    let mut set = TagSet::default();
    for (key, value) in own {
        set.set(key, Some(&Expr::text(value.clone())), PRIORITY_OF_PROPERTIES, true);
    }
    set.apply_rules(tree, stack, STACK_TYPE);
    set.sorted()
        .into_iter()
        .filter_map(|(key, (value, _))| Some((key, value.as_text()?.to_owned())))
        .collect()
}
