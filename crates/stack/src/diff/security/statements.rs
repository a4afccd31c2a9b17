//! The statements of all policies in a template, wherever they stand, and what two templates' statements differ in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::coverage;
use super::{Direction, Effect, Resource, StatementChange, differences, members, resources, texts};
use crate::diff::expression::{compact, is_intrinsic, shown};

/// A statement, or the part of one that it comes down to for one principal, action and resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    pub effect: Effect,
    pub condition: String,
    pub principals: BTreeSet<String>,
    pub actions: BTreeSet<String>,
    pub resources: BTreeSet<String>,
}

/// A statement of more combinations is not taken apart: that would show more lines than anybody reads.
const MOST_PARTS: usize = 512;

/// Beyond this many comparisons everything that came counts as broader.
const MOST_COMPARISONS: usize = 1_000_000;

pub fn changes(old: &Value, new: &Value) -> Vec<StatementChange> {
    let alive: BTreeSet<&str> = ["Resources", "Parameters"]
        .iter()
        .filter_map(|section| new.get(*section)?.as_object())
        .flat_map(|section| section.keys().map(String::as_str))
        .collect();
    let (old, new) = (of_template(old), of_template(new));
    let parts_of = |these: &BTreeSet<Statement>, others: &BTreeSet<Statement>| -> BTreeSet<Statement> {
        these.difference(others).flat_map(parts).collect()
    };
    let parts = differences(&parts_of(&old, &new), &parts_of(&new, &old));
    let affordable = parts.len().saturating_mul(old.len().max(new.len())) <= MOST_COMPARISONS;
    let mut rows: BTreeMap<(Direction, bool), BTreeSet<Statement>> = BTreeMap::new();
    for (change, part) in parts {
        let broadens = match (change, part.effect) {
            (Direction::Added, Effect::Allow) => !affordable || !coverage::covers(&old, &part),
            (Direction::Removed, Effect::Deny) => {
                coverage::lives(&part, &alive) && (!affordable || !coverage::covers(&new, &part))
            }
            _ => false,
        };
        rows.entry((change, broadens)).or_default().insert(part);
    }
    let mut changes: Vec<StatementChange> = rows
        .into_iter()
        .flat_map(|((change, broadens), parts)| {
            together(parts).into_iter().map(move |statement| StatementChange {
                change,
                effect: statement.effect,
                principals: statement.principals.into_iter().collect(),
                actions: statement.actions.into_iter().collect(),
                resources: statement.resources.into_iter().collect(),
                condition: statement.condition,
                broadens,
            })
        })
        .collect();
    changes.sort_by(|left, right| {
        let key = |row: &StatementChange| (row.principals.clone(), row.change, row.resources.clone());
        key(left).cmp(&key(right)).then_with(|| left.cmp(right))
    });
    changes
}

fn parts(statement: &Statement) -> Vec<Statement> {
    let combinations = [&statement.principals, &statement.actions, &statement.resources]
        .iter()
        .fold(1usize, |product, list| product.saturating_mul(list.len()));
    if combinations > MOST_PARTS {
        return vec![statement.clone()];
    }
    let one = |text: &String| BTreeSet::from([text.clone()]);
    let mut parts = Vec::with_capacity(combinations);
    for principal in &statement.principals {
        for action in &statement.actions {
            for resource in &statement.resources {
                parts.push(Statement {
                    effect: statement.effect,
                    condition: statement.condition.clone(),
                    principals: one(principal),
                    actions: one(action),
                    resources: one(resource),
                });
            }
        }
    }
    parts
}

/// Joins parts that differ in one list only: in actions first, as one reads them.
fn together(parts: BTreeSet<Statement>) -> BTreeSet<Statement> {
    let lists: [fn(&mut Statement) -> &mut BTreeSet<String>; 3] = [
        |statement| &mut statement.actions,
        |statement| &mut statement.resources,
        |statement| &mut statement.principals,
    ];
    lists.into_iter().fold(parts, |parts, list| {
        let mut joined: BTreeMap<Statement, BTreeSet<String>> = BTreeMap::new();
        for mut part in parts {
            let items = std::mem::take(list(&mut part));
            joined.entry(part).or_default().extend(items);
        }
        let restored = joined.into_iter().map(|(mut statement, items)| {
            *list(&mut statement) = items;
            statement
        });
        restored.collect()
    })
}

fn of_template(template: &Value) -> BTreeSet<Statement> {
    let mut found = BTreeSet::new();
    for resource in resources(template) {
        match resource.kind {
            "AWS::Lambda::Permission" => found.insert(permission(resource, "FunctionName", "SourceArn")),
            "AWS::Lambda::LayerVersionPermission" => found.insert(permission(resource, "LayerVersionArn", "")),
            _ => {
                documents(resource.properties, resource, &mut found);
                true
            }
        };
    }
    found
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html>: Lambda writes this statement.
fn permission(resource: Resource<'_>, target: &str, source: &str) -> Statement {
    let principal = match shown(resource.get("Principal")) {
        service if service.contains(".amazonaws.com") => format!("Service:{service}"),
        everyone if everyone == "*" => everyone,
        account => format!("AWS:{account}"),
    };
    let condition = [
        (source, "ArnLike aws:SourceArn"),
        ("SourceAccount", "StringEquals aws:SourceAccount"),
        ("PrincipalOrgID", "StringEquals aws:PrincipalOrgID"),
        ("OrganizationId", "StringEquals aws:PrincipalOrgID"),
        ("EventSourceToken", "StringEquals lambda:EventSourceToken"),
        ("FunctionUrlAuthType", "StringEquals lambda:FunctionUrlAuthType"),
        ("InvokedViaFunctionUrl", "Bool lambda:InvokedViaFunctionUrl"),
    ]
    .iter()
    .filter_map(|(property, test)| Some(format!("{test} {}", shown(resource.properties.get(*property)?))))
    .collect::<Vec<_>>()
    .join("; ");
    Statement {
        effect: Effect::Allow,
        condition,
        principals: BTreeSet::from([principal]),
        actions: BTreeSet::from([shown(resource.get("Action"))]),
        resources: BTreeSet::from([shown(resource.get(target))]),
    }
}

/// Finds every policy document in a resource's properties, also one that is written as a text.
fn documents(value: &Value, resource: Resource<'_>, found: &mut BTreeSet<Statement>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| documents(item, resource, found)),
        Value::Object(map) if is_document(map) => {
            for statement in members(&map["Statement"]) {
                if let Value::Object(statement) = statement {
                    found.insert(self::statement(statement, resource));
                }
            }
        }
        Value::Object(map) if is_intrinsic(map) => match compact(value) {
            Value::String(text) => in_text(&text, resource, found),
            _ => map.values().for_each(|inner| documents(inner, resource, found)),
        },
        Value::Object(map) => map.values().for_each(|inner| documents(inner, resource, found)),
        Value::String(text) => in_text(text, resource, found),
        _ => {}
    }
}

fn is_document(map: &Map<String, Value>) -> bool {
    let states = |statement: &Value| {
        members(statement)
            .iter()
            .any(|statement| statement.get("Effect").is_some())
    };
    map.get("Statement").is_some_and(states)
}

/// Some types take their policy as a text, `AWS::Logs::ResourcePolicy` for one.
fn in_text(text: &str, resource: Resource<'_>, found: &mut BTreeSet<Statement>) {
    if text.trim_start().starts_with('{') && text.contains("\"Statement\"") {
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(map)) if is_document(&map) => documents(&Value::Object(map), resource, found),
            _ => {}
        }
    }
}

fn statement(statement: &Map<String, Value>, resource: Resource<'_>) -> Statement {
    let field = |name: &str| statement.get(name).unwrap_or(&Value::Null);
    let listed = |name: &str| {
        let items: BTreeSet<String> = texts(field(name)).into_iter().collect();
        let but: BTreeSet<String> = texts(field(&format!("Not{name}"))).into_iter().collect();
        if but.is_empty() {
            items
        } else {
            BTreeSet::from([not(&but)])
        }
    };
    let principals = match (field("Principal"), field("NotPrincipal")) {
        (Value::Null, Value::Null) => holders(resource),
        (principal, Value::Null) => principals(principal),
        (_, but) => BTreeSet::from([not(&principals(but))]),
    };
    let mut targets = listed("Resource");
    if resource.kind == "AWS::KMS::Key" && targets.remove("*") {
        targets.insert(resource.attribute("Arn"));
    }
    if targets.is_empty() {
        let trusts = resource.kind == "AWS::IAM::Role";
        targets.insert(if trusts {
            resource.attribute("Arn")
        } else {
            resource.reference()
        });
    }
    Statement {
        effect: if field("Effect").as_str() == Some("Deny") {
            Effect::Deny
        } else {
            Effect::Allow
        },
        condition: condition(field("Condition")),
        principals,
        actions: listed("Action"),
        resources: targets,
    }
}

fn not(items: &BTreeSet<String>) -> String {
    format!(
        "not {}",
        items.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    )
}

/// Whom a policy of an identity is for.
fn holders(resource: Resource<'_>) -> BTreeSet<String> {
    let attached = || {
        let lists = ["Roles", "Users", "Groups", "RoleName", "UserName", "GroupName"];
        lists.into_iter().flat_map(|list| texts(resource.get(list)))
    };
    let names: Vec<String> = match resource.kind {
        "AWS::IAM::Role" | "AWS::IAM::User" | "AWS::IAM::Group" | "AWS::SSO::PermissionSet" => {
            vec![resource.reference()]
        }
        "AWS::IAM::Policy" | "AWS::IAM::RolePolicy" | "AWS::IAM::UserPolicy" | "AWS::IAM::GroupPolicy" => {
            attached().collect()
        }
        "AWS::IAM::ManagedPolicy" => {
            let attached: Vec<String> = attached().collect();
            if attached.is_empty() {
                vec![resource.reference()]
            } else {
                attached
            }
        }
        _ => return BTreeSet::from(["*".to_owned()]),
    };
    names.into_iter().map(|name| format!("AWS:{name}")).collect()
}

/// `*`, `{"AWS": …}`, `{"Service": […]}`; a text is an AWS principal.
fn principals(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for principal in members(value) {
        match principal {
            Value::Object(map) if !is_intrinsic(map) => {
                for (kind, names) in map {
                    found.extend(texts(names).into_iter().map(|name| named(kind, &name)));
                }
            }
            other => {
                found.insert(named("AWS", &shown(other)));
            }
        }
    }
    found
}

fn named(kind: &str, name: &str) -> String {
    if kind == "AWS" && name == "*" {
        "*".to_owned()
    } else {
        format!("{kind}:{name}")
    }
}

/// `StringEquals aws:SourceAccount 1; ArnLike aws:SourceArn [a, b]`, in the order of the alphabet.
fn condition(value: &Value) -> String {
    let Value::Object(tests) = value else {
        return if value.is_null() { String::new() } else { shown(value) };
    };
    let mut lines = BTreeSet::new();
    for (operator, keys) in tests {
        match keys {
            Value::Object(keys) if !is_intrinsic(keys) => {
                lines.extend(keys.iter().map(|(key, value)| {
                    let mut values = texts(value);
                    values.sort();
                    let values = match values.as_slice() {
                        [one] => one.clone(),
                        more => format!("[{}]", more.join(", ")),
                    };
                    format!("{operator} {key} {values}")
                }));
            }
            other => {
                lines.insert(format!("{operator} {}", shown(other)));
            }
        }
    }
    lines.into_iter().collect::<Vec<_>>().join("; ")
}
