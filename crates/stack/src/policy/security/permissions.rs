//! Permissions that are wider than anything needs.

use serde_json::Value as Json;

use crate::policy::{Document, Resource, Rule, Setting, Statement};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::resources("LDP301", "no policy allows every action", every_action)
            .reason("whoever takes over the identity takes over the account")
            .fix("name the actions that are needed; `grant_…` of the constructs does"),
        Rule::resources("LDP302", "no policy allows a whole service everywhere", whole_service)
            .reason("it includes deleting everything and changing its permissions")
            .fix("name the actions, or the resources"),
        Rule::resources("LDP303", "changes are allowed on named resources", everywhere)
            .reason("one function that is taken over changes what belongs to all others")
            .fix("name the resources, or add a condition")
            .warning(),
        Rule::resources("LDP304", "nothing is an administrator", administrator)
            .reason("whoever takes over the identity takes over the account")
            .fix("attach a policy with what is needed"),
        Rule::resources("LDP305", "roles say who may assume them", trust)
            .reason("anybody with an AWS account may become this role")
            .fix("name the principals, or add a condition such as `sts:ExternalId`"),
    ]
}

/// The documents that say what an identity may do.
fn documents<'a>(resource: &Resource<'a>) -> Vec<Document<'a>> {
    match resource.type_name() {
        "AWS::IAM::Policy"
        | "AWS::IAM::ManagedPolicy"
        | "AWS::IAM::RolePolicy"
        | "AWS::IAM::UserPolicy"
        | "AWS::IAM::GroupPolicy" => vec![Document::new(resource.setting("PolicyDocument"))],
        "AWS::IAM::Role" | "AWS::IAM::User" | "AWS::IAM::Group" => {
            let policies = resource.setting("Policies").items();
            policies
                .map(|policy| Document::new(policy.at("PolicyDocument")))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn statements<'a>(resource: &Resource<'a>) -> impl Iterator<Item = Statement<'a>> {
    documents(resource).into_iter().flat_map(Document::allowing)
}

fn every_action(resource: &Resource<'_>) -> Option<String> {
    statements(resource).find_map(|statement| {
        if statement.actions().iter().any(|action| ["*", "*:*"].contains(action)) {
            return Some("it allows every action".to_owned());
        }
        (statement.excludes_actions() && statement.is_on_everything())
            .then(|| "it allows every action but a few (`NotAction`)".to_owned())
    })
}

fn whole_service(resource: &Resource<'_>) -> Option<String> {
    let statements =
        statements(resource).filter(|statement| statement.is_on_everything() && !statement.is_conditional());
    statements
        .flat_map(Statement::actions)
        .find(|action| {
            action
                .strip_suffix(":*")
                .is_some_and(|service| service != "*" && !HARMLESS.contains(&service))
        })
        .map(|action| format!("it allows `{action}` on every resource"))
}

/// Services and actions that know no resources, or whose misuse changes nothing of others
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/>).
const HARMLESS: [&str; 3] = ["xray", "ec2messages", "ssmmessages"];
const WITHOUT_RESOURCES: [&str; 6] = [
    "cloudwatch:PutMetricData",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
    "ssm:UpdateInstanceInformation",
];
const READING: [&str; 7] = ["Describe", "List", "Get", "BatchGet", "Search", "Query", "Scan"];

fn everywhere(resource: &Resource<'_>) -> Option<String> {
    let changes = |action: &&str| {
        let Some((service, name)) = action.split_once(':') else {
            return false;
        };
        name != "*"
            && !HARMLESS.contains(&service)
            && !WITHOUT_RESOURCES.contains(action)
            && !READING.iter().any(|reading| name.starts_with(reading))
            // The delivery of logs knows no resources: `logs:CreateLogDelivery` and its kin.
            && !name.ends_with("LogDelivery")
    };
    let actions: Vec<&str> = statements(resource)
        .filter(|statement| statement.is_on_everything() && !statement.is_conditional())
        .flat_map(Statement::actions)
        .filter(changes)
        .collect();
    (!actions.is_empty()).then(|| format!("it allows {} on every resource", actions.join(", ")))
}

fn administrator(resource: &Resource<'_>) -> Option<String> {
    if !matches!(
        resource.type_name(),
        "AWS::IAM::Role" | "AWS::IAM::User" | "AWS::IAM::Group"
    ) {
        return None;
    }
    let Setting::Known(Json::Array(policies)) = resource.setting("ManagedPolicyArns") else {
        return None;
    };
    policies
        .iter()
        .any(|policy| ends_with(policy, "/AdministratorAccess"))
        .then(|| "it has `AdministratorAccess`".to_owned())
}

/// Also of an ARN that is joined, because its partition is not known.
fn ends_with(value: &Json, end: &str) -> bool {
    match value {
        Json::String(text) => text.ends_with(end),
        Json::Object(map) => {
            let joined = map.get("Fn::Join").and_then(|join| join.get(1)?.as_array()?.last());
            let template = map.get("Fn::Sub").map(|sub| sub.get(0).unwrap_or(sub));
            joined
                .or(template)
                .is_some_and(|last| last.as_str().is_some_and(|text| text.ends_with(end)))
        }
        _ => false,
    }
}

fn trust(resource: &Resource<'_>) -> Option<String> {
    if !resource.is("AWS::IAM::Role") {
        return None;
    }
    Document::new(resource.setting("AssumeRolePolicyDocument"))
        .allowing()
        .any(|statement| statement.is_for_anyone() && !statement.is_conditional())
        .then(|| "everybody may assume it".to_owned())
}
