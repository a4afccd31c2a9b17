//! What a bucket tells of its objects: functions, queues, topics and EventBridge.
//!
//! CloudFormation cannot say it without a circle between the bucket and who may be told, so a custom resource does. Its
//! function is that of aws-cdk-lib 2.276 (`custom-resource-handlers/dist/aws-s3/notifications-resource-handler`,
//! Apache-2.0), without its comments, so that a stack which moves here keeps it.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::lambda::function;
use cfn::{Expr, Map, Resource, Value};

use super::Bucket;
use crate::element::CfnResource;
use crate::iam::{ManagedPolicy, Policy, PolicyStatement, Principal, Role};
use crate::lambda::{Invocable, Permission};
use crate::site::Site;
use crate::sns::Topic;
use crate::sqs::Queue;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};

const HANDLER: &str = include_str!("notifications_handler.py");
/// One function for all buckets of a stack.
const HANDLER_ID: &str = "BucketNotificationsHandler050a0587b7544547bf325f094a3db834";

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// In any way.
    ObjectCreated,
    ObjectCreatedPut,
    ObjectCreatedPost,
    ObjectCreatedCopy,
    ObjectCreatedCompleteMultipartUpload,
    /// In any way.
    ObjectRemoved,
    ObjectRemovedDelete,
    ObjectRemovedDeleteMarkerCreated,
    ObjectRestorePost,
    ObjectRestoreCompleted,
    ObjectRestoreDelete,
    ReducedRedundancyLostObject,
    ReplicationOperationFailedReplication,
    ReplicationOperationMissedThreshold,
    ReplicationOperationReplicatedAfterThreshold,
    ReplicationOperationNotTracked,
    /// By a lifecycle rule, in any way.
    LifecycleExpiration,
    LifecycleExpirationDelete,
    LifecycleExpirationDeleteMarkerCreated,
    LifecycleTransition,
    IntelligentTiering,
    /// In any way.
    ObjectTagging,
    ObjectTaggingPut,
    ObjectTaggingDelete,
    ObjectAclPut,
}

impl EventType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ObjectCreated => "s3:ObjectCreated:*",
            Self::ObjectCreatedPut => "s3:ObjectCreated:Put",
            Self::ObjectCreatedPost => "s3:ObjectCreated:Post",
            Self::ObjectCreatedCopy => "s3:ObjectCreated:Copy",
            Self::ObjectCreatedCompleteMultipartUpload => "s3:ObjectCreated:CompleteMultipartUpload",
            Self::ObjectRemoved => "s3:ObjectRemoved:*",
            Self::ObjectRemovedDelete => "s3:ObjectRemoved:Delete",
            Self::ObjectRemovedDeleteMarkerCreated => "s3:ObjectRemoved:DeleteMarkerCreated",
            Self::ObjectRestorePost => "s3:ObjectRestore:Post",
            Self::ObjectRestoreCompleted => "s3:ObjectRestore:Completed",
            Self::ObjectRestoreDelete => "s3:ObjectRestore:Delete",
            Self::ReducedRedundancyLostObject => "s3:ReducedRedundancyLostObject",
            Self::ReplicationOperationFailedReplication => "s3:Replication:OperationFailedReplication",
            Self::ReplicationOperationMissedThreshold => "s3:Replication:OperationMissedThreshold",
            Self::ReplicationOperationReplicatedAfterThreshold => "s3:Replication:OperationReplicatedAfterThreshold",
            Self::ReplicationOperationNotTracked => "s3:Replication:OperationNotTracked",
            Self::LifecycleExpiration => "s3:LifecycleExpiration:*",
            Self::LifecycleExpirationDelete => "s3:LifecycleExpiration:Delete",
            Self::LifecycleExpirationDeleteMarkerCreated => "s3:LifecycleExpiration:DeleteMarkerCreated",
            Self::LifecycleTransition => "s3:LifecycleTransition",
            Self::IntelligentTiering => "s3:IntelligentTiering",
            Self::ObjectTagging => "s3:ObjectTagging:*",
            Self::ObjectTaggingPut => "s3:ObjectTagging:Put",
            Self::ObjectTaggingDelete => "s3:ObjectTagging:Delete",
            Self::ObjectAclPut => "s3:ObjectAcl:Put",
        }
    }
}

/// Which objects are meant, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFilter {
    prefix: Option<String>,
    suffix: Option<String>,
}

impl KeyFilter {
    /// All objects.
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    #[must_use]
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = Some(suffix.into());
        self
    }

    fn render(&self) -> Option<Expr> {
        let rule = |name: &'static str, value: &String| {
            Expr::map([("Name", name.into()), ("Value", Expr::text(value.clone()))])
        };
        let rules: Vec<Expr> = self
            .suffix
            .iter()
            .map(|suffix| rule("suffix", suffix))
            .chain(self.prefix.iter().map(|prefix| rule("prefix", prefix)))
            .collect();
        if rules.is_empty() {
            return None;
        }
        Some(Expr::map([("Key", Expr::map([("FilterRules", Expr::List(rules))]))]))
    }
}

/// What a bucket was told so far.
#[derive(Clone, Default)]
pub(super) struct Notifications(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    resource: Option<CfnResource>,
    event_bridge: bool,
    functions: Vec<Expr>,
    queues: Vec<Expr>,
    topics: Vec<Expr>,
}

impl State {
    fn render(&self) -> Expr {
        let mut configuration = Map::new();
        if self.event_bridge {
            configuration.insert("EventBridgeConfiguration", Map::new());
        }
        let lists = [
            ("LambdaFunctionConfigurations", &self.functions),
            ("QueueConfigurations", &self.queues),
            ("TopicConfigurations", &self.topics),
        ];
        for (key, list) in lists {
            if !list.is_empty() {
                configuration.insert(key, Expr::List(list.clone()));
            }
        }
        configuration.into()
    }
}

fn s3_service() -> Principal {
    Principal::service("s3.amazonaws.com")
}

impl Bucket {
    /// Invokes a function, a version or an alias.
    #[track_caller]
    pub fn notify_function(&self, event: EventType, function: &impl Invocable, filter: &KeyFilter) {
        let id = format!("AllowBucketNotificationsTo{}", function.construct().unique_id());
        let permission = self.construct().find_child(&id).unwrap_or_else(|| {
            let permission = Permission::new(s3_service())
                .source_account(Stack::of(self).account())
                .source_arn(self.bucket_arn());
            let permission = function.add_permission_in(self.construct(), &id, &permission);
            permission.construct().clone()
        });
        let one = notification(event, filter, "LambdaFunctionArn", function.invocable_arn().into_expr());
        let resource = self.change_notifications(|state| state.functions.push(one));
        resource.construct().add_dependency(&permission);
    }

    /// Sends a message to a queue.
    #[track_caller]
    pub fn notify_queue(&self, event: EventType, queue: &Queue, filter: &KeyFilter) {
        queue.grant_send_messages(s3_service().condition("ArnLike", [("aws:SourceArn", self.bucket_arn())]));
        let one = notification(event, filter, "QueueArn", queue.queue_arn().into_expr());
        let resource = self.change_notifications(|state| state.queues.push(one));
        resource.construct().add_dependency(queue);
    }

    /// Publishes to a topic.
    #[track_caller]
    pub fn notify_topic(&self, event: EventType, topic: &Topic, filter: &KeyFilter) {
        let statement = PolicyStatement::allow(["sns:Publish"])
            .on(topic.topic_arn())
            .by(s3_service())
            .condition("ArnLike", [("aws:SourceArn", self.bucket_arn())]);
        topic.add_to_resource_policy(statement);
        let one = notification(event, filter, "TopicArn", topic.topic_arn().into_expr());
        let resource = self.change_notifications(|state| state.topics.push(one));
        resource.construct().add_dependency(topic);
    }

    /// Sends all that happens to the account's bus of events.
    #[track_caller]
    pub fn enable_event_bridge_notification(&self) {
        self.change_notifications(|state| state.event_bridge = true);
    }

    #[track_caller]
    fn change_notifications(&self, change: impl FnOnce(&mut State)) -> CfnResource {
        let resource = self.notifications.0.borrow().resource.clone();
        let resource = resource.unwrap_or_else(|| self.make_notifications());
        let mut state = self.notifications.0.borrow_mut();
        change(&mut state);
        resource.set("NotificationConfiguration", Some(state.render()));
        state.resource = Some(resource.clone());
        resource
    }

    #[track_caller]
    fn make_notifications(&self) -> CfnResource {
        let construct = Site::new(self, "Notifications").make("s3.BucketNotifications");
        let (arn, role) = handler(&Stack::of(self));
        let policy = Policy::new(&construct, "HandlerPolicy");
        policy.add(PolicyStatement::allow(["s3:PutBucketNotification"]).on(self.bucket_arn()));
        // Of a bucket that exists already, what others have set is kept.
        let managed = self.resource.is_some();
        if !managed {
            policy.add(PolicyStatement::allow(["s3:GetBucketNotification"]).on(self.bucket_arn()));
        }
        policy.resource().set("Roles", Some(Expr::List(vec![role])));
        let mut resource = Resource::new("Custom::S3BucketNotifications");
        resource.properties.insert("ServiceToken", arn);
        resource.properties.insert("BucketName", self.bucket_name());
        resource.properties.insert("Managed", managed);
        resource.properties.insert("SkipDestinationValidation", false);
        let resource = CfnResource::raw(&construct, "Resource", resource);
        resource.construct().add_dependency(&policy);
        // The policy of the bucket may be made later.
        let (bucket, at) = (self.construct().clone(), resource.construct().clone());
        self.construct().on_synth(move || {
            if let Some(policy) = bucket.find_child("Policy") {
                at.add_dependency(&policy);
            }
        });
        resource
    }
}

fn notification(event: EventType, filter: &KeyFilter, key: &'static str, arn: Expr) -> Expr {
    let mut map = Map::new();
    map.insert("Events", Expr::list([event.as_str()]));
    if let Some(filter) = filter.render() {
        map.insert("Filter", filter);
    }
    map.insert(key, arn);
    map.into()
}

/// The function that tells buckets what to notify, by ARN, and its role, by name.
fn handler(stack: &Stack) -> (Expr, Expr) {
    if let Some(handler) = stack.construct().find_child(HANDLER_ID)
        && let Some(role) = handler.find_child("Role")
    {
        let arn: Value<String> = handler.resource().attribute("Arn");
        return (arn.into_expr(), Expr::reference(role.resource().element()));
    }
    let construct = Construct::of_type(stack, HANDLER_ID, "s3.NotificationsResourceHandler");
    let role = Role::new(&construct, "Role", Principal::service("lambda.amazonaws.com"))
        .managed_policy(ManagedPolicy::aws("service-role/AWSLambdaBasicExecutionRole"))
        .build();
    let properties = cfn::lambda::Function::new()
        .description("AWS CloudFormation handler for \"Custom::S3BucketNotifications\" resources (@aws-cdk/aws-s3)")
        .code(function::Code::new().zip_file(HANDLER))
        .handler("index.handler")
        .role(role.role_arn())
        .runtime("python3.13")
        .timeout(300);
    let resource = CfnResource::new(&construct, "Resource", properties);
    resource.construct().add_dependency(&role);
    (resource.arn().into_expr(), role.role_name().into_expr())
}
