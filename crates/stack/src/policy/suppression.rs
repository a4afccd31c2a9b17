//! Excuses: said about a construct with a reason, written into the template beside what they excuse.
//!
//! A resource holds `"Metadata": {"LlamaDeploy": {"Suppress": [{"Rule", "Reason", "Construct"}]}}`. Parameters cannot hold
//! metadata, so theirs stand in the template's own, with a `LogicalId`.

use cfn::Expr;
use serde_json::Value as Json;

use crate::tree::{Construct, Element, Kind, NodeId, Tree};

const METADATA_KEY: &str = "LlamaDeploy";
const LIST: &str = "Suppress";

/// What was said about a construct.
pub(crate) struct Suppression {
    construct: NodeId,
    rule: String,
    reason: String,
}

impl Construct {
    /// Excuses this construct and everything below it from a rule of a policy pack. The reason is written into the
    /// template for whoever asks later; an empty one is an error.
    ///
    /// ```
    /// use stack::{Scope, Stack, sns::Topic};
    /// # let app = stack::App::new("unused");
    /// # let stack = Stack::new(&app, "S").build();
    /// let topic = Topic::new(&stack, "Weather").build();
    /// topic.construct().suppress("LDP104", "the forecast is public anyway");
    /// ```
    pub fn suppress(&self, rule: impl Into<String>, reason: impl Into<String>) {
        let (rule, reason) = (rule.into(), reason.into());
        if reason.trim().is_empty() {
            self.report(format!("the suppression of `{rule}` does not say why"));
        }
        self.tree_mut().suppressions.push(Suppression {
            construct: self.node(),
            rule,
            reason,
        });
    }
}

/// Puts what was said into the metadata of resources and stacks. An excuse that covers nothing is reported.
pub(crate) fn write(root: &Construct) {
    let suppressions = std::mem::take(&mut root.tree_mut().suppressions);
    for said in suppressions {
        let covered: Vec<NodeId> = root
            .tree()
            .everything_below(said.construct)
            .into_iter()
            .filter(|node| root.tree().can_be_excused(*node))
            .collect();
        if covered.is_empty() {
            root.at(said.construct)
                .report(format!("the suppression of `{}` covers no resource", said.rule));
        }
        let construct = root.at(said.construct).path();
        for node in covered {
            let mut entry = cfn::Map::new();
            entry.insert("Rule", said.rule.clone());
            entry.insert("Reason", said.reason.clone());
            entry.insert("Construct", construct.clone());
            root.tree_mut().excuse(node, entry);
        }
    }
}

impl Tree {
    fn can_be_excused(&self, node: NodeId) -> bool {
        let kind = &self.node(node).kind;
        matches!(kind, Kind::Element(Element::Resource(_) | Element::Parameter(_))) && self.stack_of(node).is_some()
    }

    fn excuse(&mut self, node: NodeId, mut entry: cfn::Map) {
        let holder = match &self.node(node).kind {
            Kind::Element(Element::Parameter(_)) => {
                entry.insert("LogicalId", Expr::LogicalId(node.element()));
                self.stack_of(node)
            }
            _ => Some(node),
        };
        let Some(holder) = holder else { return };
        let metadata = match &mut self.node_mut(holder).kind {
            Kind::Element(Element::Resource(node)) => &mut node.resource.options_mut().metadata,
            Kind::Stack(stack) => &mut stack.metadata,
            _ => return,
        };
        let Expr::Map(ours) = metadata.entry(METADATA_KEY) else {
            return;
        };
        match ours.get_mut(LIST) {
            Some(Expr::List(list)) => list.push(entry.into()),
            _ => {
                ours.insert(LIST, Expr::List(vec![entry.into()]));
            }
        }
    }
}

/// An excuse as a template has it.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) logical_id: String,
    pub(super) rule: String,
    pub(super) reason: String,
    /// The construct about which it was said; nothing if it was written by hand.
    pub(super) construct: Option<String>,
}

/// All excuses of a template that say why. One without a reason is none.
pub(super) fn read(template: &Json) -> Vec<Entry> {
    let list = |metadata: Option<&Json>| -> Vec<Json> {
        let list = metadata.and_then(|metadata| metadata.get(METADATA_KEY)?.get(LIST)?.as_array());
        list.cloned().unwrap_or_default()
    };
    let entry = |logical_id: &str, excuse: &Json| {
        let text = |key: &str| excuse.get(key).and_then(Json::as_str).map(str::to_owned);
        Some(Entry {
            logical_id: logical_id.to_owned(),
            rule: text("Rule")?,
            reason: text("Reason").filter(|reason| !reason.trim().is_empty())?,
            construct: text("Construct"),
        })
    };
    let of_template = list(template.get("Metadata"));
    let of_template = of_template
        .iter()
        .filter_map(|excuse| entry(excuse.get("LogicalId")?.as_str()?, excuse));
    let resources = template.get("Resources").and_then(Json::as_object);
    let of_resources = resources.into_iter().flatten().flat_map(|(logical_id, body)| {
        let excuses = list(body.get("Metadata"));
        excuses
            .iter()
            .filter_map(|excuse| entry(logical_id, excuse))
            .collect::<Vec<_>>()
    });
    of_template.chain(of_resources).collect()
}
