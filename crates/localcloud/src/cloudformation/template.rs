//! A template, read and checked as far as CloudFormation checks it before it touches anything.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::record::Policy;

#[derive(Clone, Debug)]
pub struct Template {
    pub description: Option<String>,
    pub metadata: Option<Value>,
    pub transforms: Vec<String>,
    pub parameters: IndexMap<String, Map<String, Value>>,
    pub mappings: Map<String, Value>,
    pub conditions: Map<String, Value>,
    pub rules: Map<String, Value>,
    pub resources: IndexMap<String, Definition>,
    pub outputs: IndexMap<String, Map<String, Value>>,
}

#[derive(Clone, Debug)]
pub struct Definition {
    pub resource_type: String,
    pub properties: Map<String, Value>,
    pub depends_on: Vec<String>,
    pub condition: Option<String>,
    pub deletion_policy: Policy,
    pub update_replace_policy: Policy,
    pub metadata: Option<Value>,
}

const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Transform",
    "Parameters",
    "Mappings",
    "Conditions",
    "Rules",
    "Resources",
    "Outputs",
    "Hooks",
];

const RESOURCE_ATTRIBUTES: &[&str] = &[
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "UpdatePolicy",
    "CreationPolicy",
    "Metadata",
    "Description",
];

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const MOST_RESOURCES: usize = 500;

const TRANSFORMS: &[&str] = &["AWS::LanguageExtensions"];

impl Template {
    /// The error is the message of the `ValidationError` that AWS answers.
    pub fn parse(body: &str) -> Result<Self, String> {
        let value = super::yaml::parse(body).map_err(|error| format!("Template format error: {error}"))?;
        let Value::Object(mut sections) = value else {
            return Err("Template format error: unsupported structure.".to_owned());
        };
        if let Some(unknown) = sections.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
            return Err(format!("Invalid template property or properties [{unknown}]"));
        }
        if let Some(path) = sections.iter().find_map(|(key, value)| null_within(value, key)) {
            return Err(format!("[{path}] 'null' values are not allowed in templates"));
        }
        let transforms = match sections.remove("Transform") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names
                .into_iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        if let Some(unknown) = transforms.iter().find(|name| !TRANSFORMS.contains(&name.as_str())) {
            return Err(format!(
                "No transform named {unknown} found: the embedded cloud runs no macros."
            ));
        }
        let template = Self {
            description: sections
                .remove("Description")
                .and_then(|text| text.as_str().map(str::to_owned)),
            metadata: sections.remove("Metadata"),
            transforms,
            parameters: entries(&mut sections, "Parameters")?,
            mappings: section(&mut sections, "Mappings")?,
            conditions: section(&mut sections, "Conditions")?,
            rules: section(&mut sections, "Rules")?,
            resources: section(&mut sections, "Resources")?
                .into_iter()
                .map(|(id, value)| Ok((id.clone(), definition(&id, value)?)))
                .collect::<Result<_, String>>()?,
            outputs: entries(&mut sections, "Outputs")?,
        };
        template.check()?;
        Ok(template)
    }

    fn check(&self) -> Result<(), String> {
        if self.resources.is_empty() {
            return Err("Template format error: At least one Resources member must be defined.".to_owned());
        }
        if self.resources.len() > MOST_RESOURCES {
            return Err(format!(
                "Template format error: Number of resources, {}, is greater than maximum allowed, {MOST_RESOURCES}",
                self.resources.len()
            ));
        }
        for (id, definition) in &self.resources {
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(format!(
                    "Template format error: Resource name {id} is non alphanumeric."
                ));
            }
            if let Some(condition) = definition
                .condition
                .as_ref()
                .filter(|name| !self.conditions.contains_key(*name))
            {
                return Err(format!(
                    "Template format error: Unresolved dependencies [{condition}]. Cannot reference resources in the Conditions block of the template"
                ));
            }
            for target in &definition.depends_on {
                if !self.resources.contains_key(target) {
                    return Err(format!(
                        "Template format error: Unresolved resource dependencies [{target}] in the Resources block of the template"
                    ));
                }
            }
        }
        let mut uses = Uses::default();
        for definition in self.resources.values() {
            definition.properties.values().for_each(|value| uses.collect(value));
        }
        self.resolve(&uses, "Resources")?;
        let mut uses = Uses::default();
        for output in self.outputs.values() {
            if !output.contains_key("Value") {
                return Err("Template format error: Every Outputs member must contain a Value object".to_owned());
            }
            output.values().for_each(|value| uses.collect(value));
        }
        self.resolve(&uses, "Outputs")?;
        let mut uses = Uses::default();
        self.conditions.values().for_each(|value| uses.collect(value));
        self.resolve(&uses, "Conditions")?;
        let conditions = self.conditions.iter().map(|(name, condition)| {
            let uses = Uses::of(condition).conditions;
            (name.clone(), uses.into_iter().collect())
        });
        if let Some(names) = circle(&conditions.collect()) {
            return Err(format!(
                "Template validation error: Circular dependency between conditions: [{}]",
                names.join(", ")
            ));
        }
        match circle(&self.dependencies()) {
            Some(ids) => Err(format!("Circular dependency between resources: [{}]", ids.join(", "))),
            None => Ok(()),
        }
    }

    fn resolve(&self, uses: &Uses, block: &str) -> Result<(), String> {
        let is_known = |name: &str| {
            self.parameters.contains_key(name)
                || name.starts_with("AWS::")
                || (block != "Conditions" && self.resources.contains_key(name))
        };
        let unresolved: Vec<&str> = uses
            .references
            .iter()
            .map(String::as_str)
            .filter(|name| !is_known(name))
            .collect();
        if !unresolved.is_empty() {
            return Err(format!(
                "Template format error: Unresolved resource dependencies [{}] in the {block} block of the template",
                unresolved.join(", ")
            ));
        }
        if let Some((id, _)) = uses.attributes.iter().find(|(id, _)| !self.resources.contains_key(id)) {
            return Err(format!(
                "Template error: instance of Fn::GetAtt references undefined resource {id}"
            ));
        }
        if let Some(name) = uses.conditions.iter().find(|name| !self.conditions.contains_key(*name)) {
            return Err(format!(
                "Template format error: Unresolved condition dependency {name} in the {block} block of the template"
            ));
        }
        Ok(())
    }

    /// What each resource waits for.
    pub fn dependencies(&self) -> BTreeMap<String, Vec<String>> {
        self.resources
            .iter()
            .map(|(id, definition)| {
                let mut uses = Uses::default();
                definition.properties.values().for_each(|value| uses.collect(value));
                let named = uses
                    .references
                    .into_iter()
                    .chain(uses.attributes.into_iter().map(|(id, _)| id));
                let mut targets: BTreeSet<String> = named.filter(|name| self.resources.contains_key(name)).collect();
                targets.extend(definition.depends_on.iter().cloned());
                (id.clone(), targets.into_iter().collect())
            })
            .collect()
    }

    /// The capabilities that the template needs acknowledged.
    pub fn capabilities(&self) -> BTreeSet<&'static str> {
        let mut needed = BTreeSet::new();
        for definition in self.resources.values() {
            let name = match definition.resource_type.as_str() {
                "AWS::IAM::Role" => "RoleName",
                "AWS::IAM::User" => "UserName",
                "AWS::IAM::Group" => "GroupName",
                "AWS::IAM::ManagedPolicy" => "ManagedPolicyName",
                "AWS::IAM::InstanceProfile" => "InstanceProfileName",
                "AWS::IAM::Policy" | "AWS::IAM::AccessKey" | "AWS::IAM::UserToGroupAddition" => "",
                _ => continue,
            };
            let named = definition.properties.contains_key(name);
            needed.insert(if named {
                "CAPABILITY_NAMED_IAM"
            } else {
                "CAPABILITY_IAM"
            });
        }
        if self.transforms.iter().any(|name| name != "AWS::LanguageExtensions") {
            needed.insert("CAPABILITY_AUTO_EXPAND");
        }
        if needed.contains("CAPABILITY_NAMED_IAM") {
            needed.remove("CAPABILITY_IAM");
        }
        needed
    }
}

fn null_within(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Null => Some(format!("/{path}")),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| null_within(item, &format!("{path}/{index}"))),
        // Metadata is the user's own.
        Value::Object(entries) => {
            let mut entries = entries.iter().filter(|(key, _)| *key != "Metadata");
            entries.find_map(|(key, item)| null_within(item, &format!("{path}/{key}")))
        }
        _ => None,
    }
}

fn section(sections: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, String> {
    match sections.remove(name) {
        None => Ok(Map::new()),
        Some(Value::Object(entries)) => Ok(entries),
        Some(_) => Err(format!("Template format error: [/{name}] 'expected' type is object")),
    }
}

fn entries(sections: &mut Map<String, Value>, name: &str) -> Result<IndexMap<String, Map<String, Value>>, String> {
    let read = |(key, value): (String, Value)| match value {
        Value::Object(entry) => Ok((key, entry)),
        _ => Err(format!(
            "Template format error: Every {name} member must be an object: {key}"
        )),
    };
    section(sections, name)?.into_iter().map(read).collect()
}

fn definition(id: &str, value: Value) -> Result<Definition, String> {
    let Value::Object(mut attributes) = value else {
        return Err(format!("Template format error: Resource {id} must be an object"));
    };
    if let Some(unknown) = attributes
        .keys()
        .find(|key| !RESOURCE_ATTRIBUTES.contains(&key.as_str()))
    {
        return Err(format!("Invalid template resource property '{unknown}'"));
    }
    let Some(Value::String(resource_type)) = attributes.remove("Type") else {
        return Err(format!(
            "Template format error: [/Resources/{id}] Every Resources object must contain a Type member."
        ));
    };
    let properties = match attributes.remove("Properties") {
        None => Map::new(),
        Some(Value::Object(properties)) => properties,
        Some(_) => {
            return Err(format!(
                "Template format error: [/Resources/{id}/Properties] 'expected' type is object"
            ));
        }
    };
    let depends_on = match attributes.remove("DependsOn") {
        None => Vec::new(),
        Some(Value::String(target)) => vec![target],
        Some(Value::Array(targets)) => targets
            .iter()
            .filter_map(|target| target.as_str().map(str::to_owned))
            .collect(),
        Some(_) => return Err("Template format error: DependsOn must be a string or list of strings.".to_owned()),
    };
    let mut policy = |name: &str| match attributes.remove(name) {
        None => Ok(Policy::Delete),
        Some(value) => serde_json::from_value(value.clone())
            .map_err(|_| format!("Template format error: Unrecognized {name} {value} for resource {id}")),
    };
    Ok(Definition {
        deletion_policy: policy("DeletionPolicy")?,
        update_replace_policy: policy("UpdateReplacePolicy")?,
        condition: attributes.get("Condition").and_then(Value::as_str).map(str::to_owned),
        metadata: attributes.remove("Metadata"),
        resource_type,
        properties,
        depends_on,
    })
}

/// What a value refers to.
#[derive(Debug, Default)]
pub struct Uses {
    pub references: BTreeSet<String>,
    pub attributes: BTreeSet<(String, String)>,
    pub conditions: BTreeSet<String>,
    pub imports: Vec<Value>,
}

impl Uses {
    pub fn of(value: &Value) -> Self {
        let mut uses = Self::default();
        uses.collect(value);
        uses
    }

    pub fn collect(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(entries) => {
                match single(entries) {
                    Some(("Ref", Value::String(name))) => {
                        self.references.insert(name.clone());
                        return;
                    }
                    Some(("Fn::GetAtt", target)) => {
                        if let Some((id, attribute)) = attribute_target(target) {
                            self.attributes.insert((id, attribute));
                        }
                    }
                    Some(("Condition", Value::String(name))) => {
                        self.conditions.insert(name.clone());
                    }
                    Some(("Fn::If", Value::Array(parts))) => {
                        if let Some(Value::String(name)) = parts.first() {
                            self.conditions.insert(name.clone());
                        }
                    }
                    Some(("Fn::ImportValue", name)) => self.imports.push(name.clone()),
                    Some(("Fn::Sub", argument)) => self.collect_sub(argument),
                    _ => {}
                }
                entries.values().for_each(|item| self.collect(item));
            }
            _ => {}
        }
    }

    fn collect_sub(&mut self, argument: &Value) {
        let (text, own) = match argument {
            Value::String(text) => (text.as_str(), None),
            Value::Array(parts) => match parts.first().and_then(Value::as_str) {
                Some(text) => (text, parts.get(1).and_then(Value::as_object)),
                None => return,
            },
            _ => return,
        };
        for name in sub_names(text) {
            if own.is_some_and(|own| own.contains_key(name)) {
                continue;
            }
            match name.split_once('.') {
                Some((id, attribute)) => {
                    self.attributes.insert((id.to_owned(), attribute.to_owned()));
                }
                None => {
                    self.references.insert(name.to_owned());
                }
            }
        }
    }
}

/// The names in `${…}` of a `Fn::Sub`, without literals `${!…}`.
fn sub_names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}') else { break };
        let name = &rest[start + 2..start + end];
        if !name.starts_with('!') {
            names.push(name.trim());
        }
        rest = &rest[start + end + 1..];
    }
    names
}

/// The only entry of an object that could be an intrinsic.
pub fn single(entries: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut all = entries.iter();
    let (key, value) = all.next()?;
    let is_intrinsic = key == "Ref" || key == "Condition" || key.starts_with("Fn::");
    (is_intrinsic && all.next().is_none()).then_some((key.as_str(), value))
}

/// `["Id", "A.B"]` or `"Id.A.B"`; an attribute name that is itself an intrinsic is read when it is evaluated.
pub fn attribute_target(target: &Value) -> Option<(String, String)> {
    match target {
        Value::String(text) => text
            .split_once('.')
            .map(|(id, attribute)| (id.to_owned(), attribute.to_owned())),
        Value::Array(parts) => {
            let id = parts.first()?.as_str()?.to_owned();
            let rest: Vec<&str> = parts[1..].iter().filter_map(Value::as_str).collect();
            Some((id, rest.join(".")))
        }
        _ => None,
    }
}

/// The ids of a circle, if there is one.
fn circle(dependencies: &BTreeMap<String, Vec<String>>) -> Option<Vec<String>> {
    let mut left: BTreeMap<&str, BTreeSet<&str>> = dependencies
        .iter()
        .map(|(id, targets)| (id.as_str(), targets.iter().map(String::as_str).collect()))
        .collect();
    loop {
        let free: Vec<&str> = left
            .iter()
            .filter(|(_, targets)| targets.is_empty())
            .map(|(id, _)| *id)
            .collect();
        if free.is_empty() {
            break;
        }
        for id in free {
            left.remove(id);
            left.values_mut().for_each(|targets| {
                targets.remove(id);
            });
        }
    }
    (!left.is_empty()).then(|| left.keys().map(|id| (*id).to_owned()).collect())
}
