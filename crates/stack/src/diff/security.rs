//! What a new template would allow that the old one did not, and the other way round: IAM statements, attached managed
//! policies, rules of security groups, and settings that open a resource to the public.
//!
//! It reads what stands in the two templates: no managed policy is looked up, no condition of the template is decided
//! (both branches of an `Fn::If` count), and two expressions are the same when they read the same. So a change may be
//! shown that has no effect; none is hidden. The CLI calls it for `diff` and before a deploy that must be approved.

mod coverage;
mod exposure;
mod rules;
mod statements;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::expression::shown;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Removed,
    Added,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Effect {
    Allow,
    Deny,
}

/// Part of one or more statements of policies. Values are as in the template, intrinsic functions as `${Queue.Arn}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StatementChange {
    pub change: Direction,
    pub effect: Effect,
    /// `AWS:${Role}`, `Service:lambda.amazonaws.com`, `*`; of a policy of an identity, that identity.
    pub principals: Vec<String>,
    /// `sqs:SendMessage`; `not sqs:*, sns:*` for `NotAction`.
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    /// `StringEquals aws:SourceAccount ${AWS::AccountId}`; empty without one.
    pub condition: String,
    /// Whether the change allows what no other statement has allowed before.
    pub broadens: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ManagedPolicyChange {
    pub change: Direction,
    /// `${Role}`.
    pub identity: String,
    /// The policy's ARN.
    pub policy: String,
    /// A permissions boundary takes away; the other policies give.
    pub is_boundary: bool,
    pub broadens: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    Ingress,
    Egress,
}

/// A rule of a security group, inside it or beside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RuleChange {
    pub change: Direction,
    pub traffic: Traffic,
    /// `${Group.GroupId}`.
    pub group: String,
    /// `TCP 443`, `UDP 0-1024`, `ICMP 8`, `everything`.
    pub protocol: String,
    /// `0.0.0.0/0`, `${Other.GroupId}`, `pl-63a5400a`.
    pub peer: String,
    pub broadens: bool,
}

/// A setting that opens a resource to the public, or closes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ExposureChange {
    pub resource_type: String,
    pub logical_id: String,
    /// `PublicAccessBlockConfiguration/BlockPublicAcls`.
    pub setting: String,
    /// Absent where the template left it out.
    pub old: Option<String>,
    pub new: Option<String>,
    pub broadens: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SecurityChanges {
    pub statements: Vec<StatementChange>,
    pub managed_policies: Vec<ManagedPolicyChange>,
    pub rules: Vec<RuleChange>,
    pub exposure: Vec<ExposureChange>,
}

impl SecurityChanges {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something is allowed afterwards that was not before: a statement, an attached policy, a rule or an opened
    /// setting came, or a `Deny` or a permissions boundary went. What only takes away does not broaden.
    pub fn broadens(&self) -> bool {
        self.statements.iter().any(|row| row.broadens)
            || self.managed_policies.iter().any(|row| row.broadens)
            || self.rules.iter().any(|row| row.broadens)
            || self.exposure.iter().any(|row| row.broadens)
    }
}

/// `old` may be null, for a stack that does not exist yet; `new` for one that goes.
pub fn security(old: &Value, new: &Value) -> SecurityChanges {
    SecurityChanges {
        statements: statements::changes(old, new),
        managed_policies: managed_policies(old, new),
        rules: rules::changes(old, new),
        exposure: exposure::changes(old, new),
    }
}

/// A resource as the parts of this module read it.
#[derive(Clone, Copy)]
struct Resource<'a> {
    logical_id: &'a str,
    kind: &'a str,
    properties: &'a Value,
}

impl<'a> Resource<'a> {
    fn get(&self, property: &str) -> &'a Value {
        self.properties.get(property).unwrap_or(&Value::Null)
    }

    /// `${LogicalId}`
    fn reference(&self) -> String {
        format!("${{{}}}", self.logical_id)
    }

    fn attribute(&self, attribute: &str) -> String {
        format!("${{{}.{attribute}}}", self.logical_id)
    }
}

fn resources(template: &Value) -> impl Iterator<Item = Resource<'_>> {
    let resources = template.get("Resources").and_then(Value::as_object);
    resources.into_iter().flatten().map(|(logical_id, resource)| Resource {
        logical_id,
        kind: resource.get("Type").and_then(Value::as_str).unwrap_or_default(),
        properties: resource.get("Properties").unwrap_or(&Value::Null),
    })
}

/// The members of a list, or the one value where a list may be left out; those of both branches of an `Fn::If`.
fn members(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().flat_map(members).collect(),
        Value::Object(map) => match (map.len(), map.get("Fn::If"), map.get("Ref")) {
            (1, Some(Value::Array(parts)), _) => parts.iter().skip(1).flat_map(members).collect(),
            (1, _, Some(Value::String(name))) if name == "AWS::NoValue" => Vec::new(),
            _ => vec![value],
        },
        _ => vec![value],
    }
}

fn texts(value: &Value) -> Vec<String> {
    members(value).into_iter().map(shown).collect()
}

/// What only one of the two sets holds.
fn differences<T: Ord + Clone>(old: &BTreeSet<T>, new: &BTreeSet<T>) -> Vec<(Direction, T)> {
    let removed = old.difference(new).map(|item| (Direction::Removed, item.clone()));
    let added = new.difference(old).map(|item| (Direction::Added, item.clone()));
    removed.chain(added).collect()
}

fn managed_policies(old: &Value, new: &Value) -> Vec<ManagedPolicyChange> {
    let alive: BTreeSet<String> = resources(new).map(|resource| resource.reference()).collect();
    let mut changes: Vec<ManagedPolicyChange> = differences(&attachments(old), &attachments(new))
        .into_iter()
        .map(|(change, (is_boundary, identity, policy))| ManagedPolicyChange {
            broadens: match change {
                Direction::Added => !is_boundary,
                Direction::Removed => is_boundary && alive.contains(&identity),
            },
            change,
            identity,
            policy,
            is_boundary,
        })
        .collect();
    changes.sort_by(|left, right| (&left.identity, left.change).cmp(&(&right.identity, right.change)));
    changes
}

/// Whether it is a boundary, the identity, the policy.
type Attachment = (bool, String, String);

fn attachments(template: &Value) -> BTreeSet<Attachment> {
    let mut found = BTreeSet::new();
    for resource in resources(template) {
        let identity = resource.reference();
        let (given, boundary) = match resource.kind {
            "AWS::IAM::Role" | "AWS::IAM::User" | "AWS::IAM::Group" => {
                (resource.get("ManagedPolicyArns"), resource.get("PermissionsBoundary"))
            }
            "AWS::SSO::PermissionSet" => (resource.get("ManagedPolicies"), resource.get("PermissionsBoundary")),
            _ => continue,
        };
        found.extend(texts(given).into_iter().map(|policy| (false, identity.clone(), policy)));
        found.extend(
            texts(boundary)
                .into_iter()
                .map(|policy| (true, identity.clone(), policy)),
        );
    }
    found
}

#[cfg(test)]
mod tests;
