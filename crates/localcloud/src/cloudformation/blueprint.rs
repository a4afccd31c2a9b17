//! A goal made ready: the template with its parameters and conditions, and which resources it wants.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::evaluate::{Fault, Lookup, NoResources, Scope};
use super::parameters;
use super::record::{Goal, Output, ResourceRecord};
use super::template::{Definition, Template};

pub struct Blueprint {
    pub template: Template,
    pub parameters: BTreeMap<String, Value>,
    pub conditions: BTreeMap<String, bool>,
    /// Dependencies among the wanted resources.
    pub dependencies: BTreeMap<String, Vec<String>>,
    pub identity: Identity,
    pub exports: BTreeMap<String, String>,
}

/// What pseudo parameters stand for.
#[derive(Clone, Debug)]
pub struct Identity {
    pub region: String,
    pub stack_name: String,
    pub stack_id: String,
    pub notification_arns: Vec<String>,
}

impl Blueprint {
    /// `exports` are those of other stacks.
    pub fn new(goal: &Goal, identity: Identity, exports: BTreeMap<String, String>) -> Result<Self, String> {
        let template = Template::parse(&goal.template)?;
        let parameters = parameters::values(&template, &goal.parameters);
        let mut blueprint = Self {
            template,
            parameters,
            conditions: BTreeMap::new(),
            dependencies: BTreeMap::new(),
            identity,
            exports,
        };
        blueprint.conditions = blueprint.evaluate_conditions()?;
        let mut dependencies = blueprint.template.dependencies();
        dependencies.retain(|id, _| blueprint.is_wanted(id));
        let wanted: Vec<String> = dependencies.keys().cloned().collect();
        dependencies
            .values_mut()
            .for_each(|targets| targets.retain(|target| wanted.contains(target)));
        blueprint.dependencies = dependencies;
        blueprint.check_rules()?;
        Ok(blueprint)
    }

    pub fn scope<'a>(&'a self, lookup: &'a dyn Lookup) -> Scope<'a> {
        Scope {
            template: &self.template,
            parameters: &self.parameters,
            conditions: &self.conditions,
            region: &self.identity.region,
            stack_name: &self.identity.stack_name,
            stack_id: &self.identity.stack_id,
            notification_arns: &self.identity.notification_arns,
            exports: &self.exports,
            lookup,
            imported: Default::default(),
        }
    }

    fn evaluate_conditions(&self) -> Result<BTreeMap<String, bool>, String> {
        let scope = self.scope(&NoResources);
        let conditions = self.template.conditions.iter();
        conditions
            .map(|(name, condition)| Ok((name.clone(), scope.holds(condition).map_err(text)?)))
            .collect()
    }

    /// Rules whose condition holds must assert what holds, too.
    fn check_rules(&self) -> Result<(), String> {
        let scope = self.scope(&NoResources);
        for (name, rule) in &self.template.rules {
            let applies = rule
                .get("RuleCondition")
                .map_or(Ok(true), |condition| scope.holds(condition))
                .map_err(text)?;
            for assertion in rule
                .get("Assertions")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter(|_| applies)
            {
                let Some(condition) = assertion.get("Assert") else {
                    continue;
                };
                // Functions over parameters of special types exist only here; they are not checked.
                if scope.holds(condition) == Ok(false) {
                    let described = assertion
                        .get("AssertDescription")
                        .and_then(Value::as_str)
                        .unwrap_or(name);
                    return Err(format!(
                        "Template validation error: rule {name} is not fulfilled: {described}"
                    ));
                }
            }
        }
        Ok(())
    }

    pub fn is_wanted(&self, id: &str) -> bool {
        let definition = self.template.resources.get(id);
        definition.is_some_and(|definition| self.holds(definition.condition.as_deref()))
    }

    fn holds(&self, condition: Option<&str>) -> bool {
        condition.is_none_or(|name| self.conditions.get(name).copied().unwrap_or(false))
    }

    pub fn wanted(&self) -> impl Iterator<Item = (&String, &Definition)> {
        self.template.resources.iter().filter(|(id, _)| self.is_wanted(id))
    }

    /// Wanted resources so that each comes after what it depends on.
    pub fn in_order(&self) -> Vec<String> {
        order(&self.dependencies)
    }

    /// The outputs, and the exports that the whole template imports.
    pub fn outputs(&self, lookup: &dyn Lookup) -> Result<Vec<Output>, String> {
        let scope = self.scope(lookup);
        let mut outputs = Vec::new();
        for (key, output) in &self.template.outputs {
            if !self.holds(output.get("Condition").and_then(Value::as_str)) {
                continue;
            }
            let value = scope
                .text(&output["Value"], &format!("the value of the output {key}"))
                .map_err(text)?;
            let name = output.get("Export").and_then(|export| export.get("Name"));
            let export_name = name
                .map(|name| scope.text(name, &format!("the export name of the output {key}")))
                .transpose()
                .map_err(text)?;
            let description = output.get("Description").and_then(Value::as_str).map(str::to_owned);
            outputs.push(Output {
                key: key.clone(),
                value,
                description,
                export_name,
            });
        }
        Ok(outputs)
    }
}

pub fn text(fault: Fault) -> String {
    match fault {
        Fault::Wrong(message) => message,
        Fault::Unknown => "a value is not known yet".to_owned(),
    }
}

/// Ids so that each comes after its dependencies; ids in a circle come last.
pub fn order(dependencies: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    let mut left: Vec<&String> = dependencies.keys().collect();
    loop {
        let (free, waiting): (Vec<&String>, Vec<&String>) = left.iter().partition(|id| {
            dependencies[**id]
                .iter()
                .all(|target| done.contains(target) || !dependencies.contains_key(target))
        });
        if free.is_empty() {
            done.extend(waiting.into_iter().cloned());
            return done;
        }
        done.extend(free.into_iter().cloned());
        left = waiting;
    }
}

/// References to the resources that there are.
pub struct Records<'a>(pub &'a IndexMap<String, ResourceRecord>);

impl Lookup for Records<'_> {
    fn reference(&self, id: &str) -> Result<Value, Fault> {
        let record = self.record(id)?;
        let physical = record.physical_id.clone();
        physical
            .map(Value::String)
            .ok_or_else(|| Fault::Wrong(format!("Resource {id} has no physical id yet")))
    }

    fn attribute(&self, id: &str, attribute: &str) -> Result<Value, Fault> {
        let record = self.record(id)?;
        record.attribute(attribute).ok_or_else(|| {
            Fault::Wrong(format!(
                "Requested attribute {attribute} does not exist in schema for {}",
                record.resource_type
            ))
        })
    }
}

impl Records<'_> {
    fn record(&self, id: &str) -> Result<&ResourceRecord, Fault> {
        self.0.get(id).ok_or_else(|| {
            Fault::Wrong(format!(
                "Unresolved resource dependencies [{id}] in the Resources block of the template"
            ))
        })
    }
}

impl ResourceRecord {
    /// An attribute that the provider answered, by dotted name or as a member of a structured one.
    pub fn attribute(&self, name: &str) -> Option<Value> {
        let nested = || {
            let (first, rest) = name.split_once('.')?;
            rest.split('.')
                .try_fold(self.attributes.get(first)?, |value, key| value.get(key))
                .cloned()
        };
        self.attributes
            .get(name)
            .cloned()
            .or_else(nested)
            .filter(|value| !value.is_null())
    }
}
