//! What invokes functions with slots: which live alias it is wired to, and whether it goes past the slots.
//!
//! Read off the resources of the whole stage when the app is complete, so that resources are seen that no construct of
//! ours made. A deliberate way past the slots stays open: a version, or an alias of the app's own.

use cfn::{Expr, Intrinsic, Map, Target};

use super::{LIVE_ALIAS, Slotted};
use crate::lambda::Alias;
use crate::tree::{Construct, NodeId, Scope as _, Tree};

/// What the orchestrator treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    RestApi,
    HttpApi,
    WebSocketApi,
    Queue,
    Stream,
    Schedule,
    /// Anything else, by the word for it.
    Other(&'static str),
}

impl Kind {
    /// The words before the name in the metadata: the orchestrator reads the kind off the first five.
    const fn as_str(self) -> &'static str {
        match self {
            Self::HttpApi => "HTTP API",
            Self::WebSocketApi => "WebSocket API",
            Self::Queue => "queue",
            Self::Stream => "stream",
            Self::Schedule => "schedule",
            Self::RestApi => "REST API",
            Self::Other(word) => word,
        }
    }

    /// It takes work away from others that do the same.
    const fn consumes(self) -> bool {
        matches!(self, Self::Queue | Self::Stream | Self::Schedule)
    }
}

/// What invokes functions by itself.
struct EntryPoint {
    at: NodeId,
    kind: Kind,
    /// What people know it by.
    name: String,
    calls: Vec<Call>,
}

/// A function, version or alias that is named to be invoked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    element: NodeId,
    /// What is written behind the function's name or ARN.
    qualifier: Option<String>,
}

/// The entries `LiveAliases` of the metadata. Reports what goes past the slots.
pub(super) fn settle(construct: &Construct, functions: &[Slotted]) -> Vec<Expr> {
    let entry_points = {
        let tree = construct.tree();
        find(&tree, tree.stage_of(construct.node()))
    };
    for slotted in functions {
        for entry_point in &entry_points {
            if let Some(mistake) = mistake(entry_point, slotted) {
                owner(&construct.at(entry_point.at)).report(mistake);
            }
        }
    }
    let live = functions.iter().filter_map(|slotted| {
        let alias = slotted.live.get()?;
        let entry = [
            ("Function", slotted.function.resource().logical_id()),
            ("Alias", alias.resource().logical_id()),
            ("Serves", Expr::List(serves(&entry_points, slotted, alias))),
        ];
        Some(Expr::map(entry))
    });
    live.collect()
}

/// The level-2 construct that the user made, where there is one.
fn owner(resource: &Construct) -> Construct {
    match resource.parent() {
        Some(parent) if ["Resource", "Default"].contains(&resource.id().as_str()) => parent,
        _ => resource.clone(),
    }
}

fn mistake(entry_point: &EntryPoint, slotted: &Slotted) -> Option<String> {
    let function = slotted.function.resource().construct().node();
    let path = slotted.function.construct().path();
    let is_past = |call: &&Call| call.element == function && call.qualifier.is_none();
    if entry_point.calls.iter().any(|call| is_past(&call)) {
        let remedy = match entry_point.kind {
            Kind::RestApi => "integrate it with `slots.integration(…)`",
            _ => "give it `slots.live(…)` in the place of the function",
        };
        let rivals = if entry_point.kind.consumes() {
            format!(
                "; what was last deployed and what is live would share `{}`",
                entry_point.name
            )
        } else {
            String::new()
        };
        return Some(format!(
            "it invokes `{path}` past its slots, as it was last deployed: no rollout shifts it and none turns it \
             back{rivals}. Instead {remedy}, or name a version or an alias of your own if this is meant"
        ));
    }
    let colors = slotted.aliases.iter().map(|alias| alias.resource().construct().node());
    let colors: Vec<NodeId> = colors.collect();
    let to_color = entry_point.calls.iter().any(|call| colors.contains(&call.element));
    (to_color && entry_point.kind.consumes()).then(|| {
        format!(
            "it invokes a slot of `{path}`, also while that slot is idle or holds a candidate, beside whatever is live; \
             give it `slots.live(…)`"
        )
    })
}

fn serves(entry_points: &[EntryPoint], slotted: &Slotted, alias: &Alias) -> Vec<Expr> {
    let function = slotted.function.resource().construct().node();
    let alias = alias.resource().construct().node();
    let is_live = |call: &Call| {
        call.element == alias || (call.element == function && call.qualifier.as_deref() == Some(LIVE_ALIAS))
    };
    let mut served: Vec<Expr> = Vec::new();
    for entry_point in entry_points.iter().filter(|found| found.calls.iter().any(is_live)) {
        let entry = Expr::text(format!("{} {}", entry_point.kind.as_str(), entry_point.name));
        if !served.contains(&entry) {
            served.push(entry);
        }
    }
    served
}

/// Everything in a stage that may invoke functions.
fn find(tree: &Tree, stage: NodeId) -> Vec<EntryPoint> {
    let mut found = Vec::new();
    for at in tree.descendants(stage, true) {
        let Some(node) = tree.resource(at) else { continue };
        let properties = &node.resource.properties;
        let Some(paths) = places(&node.resource.type_name) else {
            continue;
        };
        let mut calls = Vec::new();
        for path in paths {
            let mut steps = path.split('.');
            let value = steps.next().and_then(|first| properties.get(first));
            if let Some(value) = value {
                each_at(value, &steps.collect::<Vec<_>>(), &mut |value| {
                    calls_in(value, None, &mut calls);
                });
            }
        }
        if let Some(Expr::Text(qualifier)) = properties.get("Qualifier") {
            for call in &mut calls {
                call.qualifier.get_or_insert_with(|| qualifier.to_string());
            }
        }
        if calls.is_empty() {
            continue;
        }
        let (kind, name) = identity(tree, at, &node.resource.type_name, properties);
        found.push(EntryPoint { at, kind, name, calls });
    }
    found
}

/// Where a resource of this type names what it invokes.
fn places(type_name: &str) -> Option<&'static [&'static str]> {
    Some(match type_name {
        "AWS::Lambda::EventSourceMapping" => &["FunctionName"],
        "AWS::Lambda::Url" => &["TargetFunctionArn"],
        "AWS::ApiGateway::Method" => &["Integration.Uri"],
        "AWS::ApiGatewayV2::Integration" => &["IntegrationUri"],
        "AWS::ApiGatewayV2::Authorizer" => &["AuthorizerUri"],
        "AWS::Scheduler::Schedule" => &["Target.Arn"],
        "AWS::Events::Rule" => &["Targets.Arn"],
        "AWS::SNS::Subscription" => &["Endpoint"],
        "AWS::Logs::SubscriptionFilter" => &["DestinationArn"],
        "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" => {
            &["AlarmActions", "OKActions", "InsufficientDataActions"]
        }
        "AWS::StepFunctions::StateMachine" => &["DefinitionString"],
        "AWS::S3::Bucket" => &["NotificationConfiguration.LambdaConfigurations.Function"],
        "Custom::S3BucketNotifications" => {
            &["NotificationConfiguration.LambdaFunctionConfigurations.LambdaFunctionArn"]
        }
        _ => return None,
    })
}

/// Every value at a path; lists on the way are gone through.
fn each_at(value: &Expr, path: &[&str], visit: &mut impl FnMut(&Expr)) {
    match (value, path) {
        (Expr::List(items), _) => items.iter().for_each(|item| each_at(item, path, visit)),
        (_, []) => visit(value),
        (Expr::Map(map), [key, rest @ ..]) => {
            if let Some(value) = map.get(key) {
                each_at(value, rest, visit);
            }
        }
        _ => {}
    }
}

/// The elements that an expression refers to, each with the text that follows it.
fn calls_in(value: &Expr, following: Option<&str>, calls: &mut Vec<Call>) {
    let mut add = |target: &Target| {
        if let Target::Element(element) = target {
            calls.push(Call {
                element: NodeId::from(*element),
                qualifier: following.and_then(qualifier_in),
            });
        }
    };
    match value {
        Expr::Ref(target) => add(target),
        Expr::Intrinsic(intrinsic) => match &**intrinsic {
            Intrinsic::GetAtt { target, .. } => add(target),
            Intrinsic::Join {
                delimiter,
                values: Expr::List(parts),
            } => {
                for (index, part) in parts.iter().enumerate() {
                    let next = parts.get(index + 1).map(|next| next.as_text().unwrap_or_default());
                    let following = next.map(|next| format!("{delimiter}{next}"));
                    calls_in(part, following.as_deref(), calls);
                }
            }
            other => Expr::from(other.clone()).for_each_reference(&mut |reference| add(reference.target)),
        },
        Expr::List(items) => items.iter().for_each(|item| calls_in(item, None, calls)),
        Expr::Map(map) => map.iter().for_each(|(_, value)| calls_in(value, None, calls)),
        _ => {}
    }
}

/// `live` of `:live/invocations`.
fn qualifier_in(following: &str) -> Option<String> {
    let qualifier = following.strip_prefix(':')?.split('/').next()?;
    (!qualifier.is_empty()).then(|| qualifier.to_owned())
}

fn identity(tree: &Tree, at: NodeId, type_name: &str, properties: &Map) -> (Kind, String) {
    let source = |property: &str| referred(properties.get(property));
    let (kind, named) = match type_name {
        "AWS::Lambda::EventSourceMapping" => {
            let is_stream = properties.get("StartingPosition").is_some();
            let kind = if is_stream { Kind::Stream } else { Kind::Queue };
            (kind, source("EventSourceArn"))
        }
        "AWS::ApiGatewayV2::Integration" | "AWS::ApiGatewayV2::Authorizer" => {
            let api = source("ApiId");
            let protocol = api
                .and_then(|api| tree.resource(api))
                .and_then(|api| api.resource.properties.get("ProtocolType"));
            let is_websocket = protocol.is_some_and(|protocol| protocol.as_text() == Some("WEBSOCKET"));
            let kind = if is_websocket {
                Kind::WebSocketApi
            } else {
                Kind::HttpApi
            };
            (kind, api)
        }
        "AWS::ApiGateway::Method" => (Kind::RestApi, source("RestApiId")),
        "AWS::Scheduler::Schedule" => (Kind::Schedule, None),
        "AWS::Events::Rule" if properties.get("ScheduleExpression").is_some() => (Kind::Schedule, None),
        "AWS::Events::Rule" => (Kind::Other("rule"), None),
        "AWS::Lambda::Url" => (Kind::Other("function URL"), None),
        "AWS::SNS::Subscription" => (Kind::Other("topic"), source("TopicArn")),
        "AWS::Logs::SubscriptionFilter" => (Kind::Other("log group"), source("LogGroupName")),
        "AWS::StepFunctions::StateMachine" => (Kind::Other("state machine"), None),
        "AWS::S3::Bucket" => (Kind::Other("bucket"), None),
        "Custom::S3BucketNotifications" => (Kind::Other("bucket"), source("BucketName")),
        _ => (Kind::Other("alarm"), None),
    };
    (kind, name_of(tree, named.unwrap_or(at)))
}

fn referred(value: Option<&Expr>) -> Option<NodeId> {
    let mut calls = Vec::new();
    calls_in(value?, None, &mut calls);
    calls.first().map(|call| call.element)
}

/// The name that a resource was given, or its place in the stack.
fn name_of(tree: &Tree, node: NodeId) -> String {
    const NAMES: [&str; 6] = ["Name", "QueueName", "TableName", "TopicName", "BucketName", "AlarmName"];
    let properties = tree.resource(node).map(|node| &node.resource.properties);
    let given = properties.and_then(|properties| {
        let mut names = NAMES.iter().filter_map(|key| properties.get(key)?.as_text());
        names.next().map(str::to_owned)
    });
    given.unwrap_or_else(|| {
        let ids = tree.ids_below(tree.stack_of(node).unwrap_or(NodeId::ROOT), node);
        match ids.split_last() {
            Some((last, above)) if !above.is_empty() && ["Resource", "Default"].contains(last) => above.join("/"),
            _ => ids.join("/"),
        }
    })
}
