//! Input of the query protocol: `Parameters.member.1.ParameterKey=Name` and its kin, as a tree read by shape.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::leaf;
use super::model::{Kind, Model, Shape};

#[derive(Default)]
pub struct Node {
    text: Option<String>,
    children: BTreeMap<String, Node>,
}

impl Node {
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut root = Self::default();
        for (name, text) in pairs {
            let mut node = &mut root;
            for part in name.split('.') {
                node = node.children.entry(part.to_owned()).or_default();
            }
            node.text = Some(text.to_owned());
        }
        root
    }

    /// Children with numeric names, in their order.
    fn numbered(&self) -> Vec<&Node> {
        let mut items: Vec<(u32, &Node)> = self
            .children
            .iter()
            .filter_map(|(name, node)| Some((name.parse().ok()?, node)))
            .collect();
        items.sort_by_key(|(number, _)| *number);
        items.into_iter().map(|(_, node)| node).collect()
    }

    /// The items of a list or map, whether flattened or below one more name (`member`, `entry`, the item's own).
    fn items(&self) -> Vec<&Node> {
        let direct = self.numbered();
        if direct.is_empty() {
            self.children.values().flat_map(Node::numbered).collect()
        } else {
            direct
        }
    }
}

/// The value that `shape` reads from `node`; the error names the parameter that is no such value.
pub fn decode(model: &Model, shape: &Shape, node: &Node, path: &str) -> Result<Value, String> {
    match shape.kind {
        Kind::Structure => {
            let mut object = Map::new();
            for (name, member) in &shape.members {
                let wire = member.wire_name(name);
                let below = if path.is_empty() {
                    wire.to_owned()
                } else {
                    format!("{path}.{wire}")
                };
                if let Some(child) = node.children.get(wire) {
                    object.insert(name.clone(), decode(model, model.of(member), child, &below)?);
                }
            }
            Ok(Value::Object(object))
        }
        Kind::List => {
            let item = model.of(shape.member.as_ref().expect("a list has a member"));
            let items = node.items();
            items
                .into_iter()
                .map(|child| decode(model, item, child, path))
                .collect::<Result<_, _>>()
                .map(Value::Array)
        }
        Kind::Map => {
            let (key, value) = (shape.key.as_ref(), shape.value.as_ref().expect("a map has a value"));
            let key_name = key.and_then(|key| key.location_name.as_deref()).unwrap_or("key");
            let value_name = value.wire_name("value");
            let mut object = Map::new();
            for entry in node.items() {
                let key = entry.children.get(key_name).and_then(|node| node.text.clone());
                if let (Some(key), Some(child)) = (key, entry.children.get(value_name)) {
                    object.insert(key, decode(model, model.of(value), child, path)?);
                }
            }
            Ok(Value::Object(object))
        }
        _ => {
            let text = node.text.as_deref().unwrap_or_default();
            leaf::parse(shape, text).ok_or_else(|| format!("{path} has the invalid value '{text}'"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::model;
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_read_with_any_item_name_and_in_numeric_order() {
        let model = model("cloudformation").unwrap();
        let pairs: Vec<(String, String)> = (1..=11)
            .map(|number| (format!("Parameters.member.{number}.ParameterKey"), format!("P{number}")))
            .chain([("DisableRollback".to_owned(), "true".to_owned())])
            .collect();
        let node = Node::from_pairs(pairs.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        let value = decode(model, model.shape("CreateStackInput"), &node, "").unwrap();
        assert_eq!(value["Parameters"][10], json!({"ParameterKey": "P11"}));
        assert_eq!(value["DisableRollback"], json!(true));
    }
}
