//! Queues.

use std::time::Duration;

use cfn::{Builder, Expr, IntoValue, Value, id};

use crate::cloudwatch::{MathExpression, Metric};
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::{Grant, Grantee, PolicyStatement, Principal, ResourcePolicy};
use crate::site::Site;
use crate::stack::arn_part;
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

/// How messages are encrypted at rest.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueEncryption {
    Unencrypted,
    /// With a key of SQS.
    SqsManaged,
    /// With the account's default key for SQS.
    KmsManaged,
    Kms(Value<id::kms::AnyKey>),
}

/// SQS takes no more.
const MOST_SOURCE_QUEUES: usize = 10;

/// Whose messages may end in a queue.
#[derive(Clone)]
pub enum RedriveAllowPolicy {
    AllowAll,
    DenyAll,
    /// Those of ten queues at most.
    ByQueue(Vec<Queue>),
}

/// A queue: made here, or taken over by its ARN.
#[derive(Clone)]
pub struct Queue {
    construct: Construct,
    origin: Origin,
    fifo: bool,
}

#[derive(Clone)]
enum Origin {
    Made {
        resource: CfnResource<cfn::sqs::Queue>,
        policy: ResourcePolicy,
    },
    Imported {
        arn: Expr,
        name: Expr,
        url: Expr,
    },
}

impl Scope for Queue {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct QueueBuilder {
    site: Site,
    properties: cfn::sqs::Queue,
    name: Option<Expr>,
    fifo: Option<bool>,
    enforce_ssl: bool,
    removal_policy: RemovalPolicy,
    too_many_sources: bool,
}

impl QueueBuilder {
    /// Of a FIFO queue it ends with `.fifo`.
    pub fn queue_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    /// Ordered, each message once.
    pub fn fifo(mut self, on: bool) -> Self {
        self.fifo = Some(on);
        self
    }

    pub fn content_based_deduplication(mut self, on: bool) -> Self {
        self.properties = self.properties.content_based_deduplication(on);
        self
    }

    /// `messageGroup` or `queue`.
    pub fn deduplication_scope(mut self, scope: impl IntoValue<String>) -> Self {
        self.properties = self.properties.deduplication_scope(scope);
        self
    }

    /// Where messages go that were received `max_receive_count` times without success.
    pub fn dead_letter_queue(mut self, queue: &Queue, max_receive_count: u32) -> Self {
        let policy = [
            ("deadLetterTargetArn", queue.queue_arn().into_expr()),
            ("maxReceiveCount", max_receive_count.into()),
        ];
        self.properties = self.properties.redrive_policy(Expr::map(policy));
        self
    }

    /// Whose messages may end here; those of all queues of the account if nothing is said.
    pub fn redrive_allow_policy(mut self, policy: &RedriveAllowPolicy) -> Self {
        let expr = match policy {
            RedriveAllowPolicy::AllowAll => Expr::map([("redrivePermission", "allowAll")]),
            RedriveAllowPolicy::DenyAll => Expr::map([("redrivePermission", "denyAll")]),
            RedriveAllowPolicy::ByQueue(queues) => {
                self.too_many_sources = queues.is_empty() || queues.len() > MOST_SOURCE_QUEUES;
                let arns = queues.iter().map(|queue| queue.queue_arn().into_expr());
                let entries = [
                    ("redrivePermission", "byQueue".into()),
                    ("sourceQueueArns", Expr::List(arns.collect())),
                ];
                Expr::map(entries)
            }
        };
        self.properties = self.properties.redrive_allow_policy(expr);
        self
    }

    /// Of a FIFO queue: `perQueue` or `perMessageGroupId`.
    pub fn fifo_throughput_limit(mut self, limit: impl IntoValue<String>) -> Self {
        self.properties = self.properties.fifo_throughput_limit(limit);
        self
    }

    /// For how long a data key of KMS is used again: a minute to a day.
    pub fn data_key_reuse(mut self, period: Duration) -> Self {
        self.properties = self.properties.kms_data_key_reuse_period_seconds(whole_seconds(period));
        self
    }

    pub fn delivery_delay(mut self, delay: Duration) -> Self {
        self.properties = self.properties.delay_seconds(whole_seconds(delay));
        self
    }

    pub fn max_message_size_bytes(mut self, bytes: i64) -> Self {
        self.properties = self.properties.maximum_message_size(bytes);
        self
    }

    pub fn retention_period(mut self, period: Duration) -> Self {
        self.properties = self.properties.message_retention_period(whole_seconds(period));
        self
    }

    pub fn receive_message_wait_time(mut self, time: Duration) -> Self {
        self.properties = self.properties.receive_message_wait_time_seconds(whole_seconds(time));
        self
    }

    pub fn visibility_timeout(mut self, timeout: Duration) -> Self {
        self.properties = self.properties.visibility_timeout(whole_seconds(timeout));
        self
    }

    pub fn encryption(mut self, encryption: QueueEncryption) -> Self {
        self.properties = match encryption {
            QueueEncryption::Unencrypted => self.properties.sqs_managed_sse_enabled(false),
            QueueEncryption::SqsManaged => self.properties.sqs_managed_sse_enabled(true),
            QueueEncryption::KmsManaged => self.properties.kms_master_key_id("alias/aws/sqs"),
            QueueEncryption::Kms(key) => self.properties.kms_master_key_id(key),
        };
        self
    }

    /// Refuses connections without TLS.
    pub fn enforce_ssl(mut self) -> Self {
        self.enforce_ssl = true;
        self
    }

    /// Destroyed if nothing is said.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = policy;
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::sqs::Queue) -> cfn::sqs::Queue) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(mut self) -> Queue {
        let construct = self.site.make("sqs.Queue");
        if self.too_many_sources {
            construct.report(format!(
                "messages of 1 to {MOST_SOURCE_QUEUES} named queues may end here, or those of all"
            ));
        }
        let set = |key: &str, properties: &mut cfn::sqs::Queue| properties.properties_mut().get(key).cloned();
        let deduplicates = set("ContentBasedDeduplication", &mut self.properties) == Some(Expr::Bool(true))
            || set("DeduplicationScope", &mut self.properties).is_some();
        let named_fifo = self
            .name
            .as_ref()
            .and_then(Expr::as_text)
            .map(|name| name.ends_with(".fifo"));
        let fifo = self.fifo.unwrap_or(named_fifo == Some(true) || deduplicates);
        if named_fifo.is_some_and(|named| named != fifo) {
            construct.report("the name of a FIFO queue ends with `.fifo`, and of no other");
        }
        if deduplicates && !fifo {
            construct.report("only FIFO queues deduplicate messages");
        }
        let mut properties = self.properties;
        if fifo {
            properties = properties.fifo_queue(true);
        }
        if let Some(name) = self.name {
            properties = properties.queue_name(name.cast::<String>());
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(self.removal_policy);
        let policy = ResourcePolicy::new("PolicyDocument");
        let queue = Queue {
            construct,
            origin: Origin::Made { resource, policy },
            fifo,
        };
        if self.enforce_ssl {
            let statement = PolicyStatement::deny_without_tls("sqs:*")
                .on(queue.queue_arn())
                .by(Principal::any());
            queue.add_to_resource_policy(statement);
        }
        queue
    }
}

impl Queue {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> QueueBuilder {
        QueueBuilder {
            site: Site::new(scope, id),
            properties: cfn::sqs::Queue::new(),
            name: None,
            fifo: None,
            enforce_ssl: false,
            removal_policy: RemovalPolicy::Destroy,
            too_many_sources: false,
        }
    }

    /// A queue that exists already. Its own policy stays as it is; one whose name ends with `.fifo` keeps order.
    #[track_caller]
    pub fn from_arn(scope: &impl Scope, id: impl Into<String>, arn: impl IntoValue<String>) -> Self {
        let construct = Site::new(scope, id).make("sqs.Queue");
        let arn = arn.into_value().into_expr();
        let part = |index| arn_part(&arn, index);
        let url = [
            "https://sqs.".into(),
            part(3),
            ".".into(),
            cfn::pseudo::url_suffix().into_expr(),
            "/".into(),
            part(4),
            "/".into(),
            part(5),
        ];
        Self {
            construct,
            fifo: arn.as_text().is_some_and(|arn| arn.ends_with(".fifo")),
            origin: Origin::Imported {
                name: part(5),
                url: Expr::concat(url),
                arn,
            },
        }
    }

    pub fn queue_arn(&self) -> Value<id::sqs::QueueArn> {
        match &self.origin {
            Origin::Made { resource, .. } => resource.arn(),
            Origin::Imported { arn, .. } => arn.clone().cast(),
        }
    }

    pub fn queue_name(&self) -> Value<String> {
        match &self.origin {
            Origin::Made { resource, .. } => resource.queue_name(),
            Origin::Imported { name, .. } => name.clone().cast(),
        }
    }

    pub fn queue_url(&self) -> Value<id::sqs::QueueUrl> {
        match &self.origin {
            Origin::Made { resource, .. } => resource.reference(),
            Origin::Imported { url, .. } => url.clone().cast(),
        }
    }

    /// Whether it keeps messages in order.
    pub fn is_fifo(&self) -> bool {
        self.fifo
    }

    /// A metric of `AWS/SQS` about this queue.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/SQS", name)
            .dimension("QueueName", self.queue_name())
            .attached_to(&self.construct)
    }

    /// How long the oldest message has been waiting, in seconds: the greatest.
    pub fn metric_approximate_age_of_oldest_message(&self) -> Metric {
        self.metric("ApproximateAgeOfOldestMessage").maximum()
    }

    /// Messages that are not to be received yet: the most.
    pub fn metric_approximate_number_of_messages_delayed(&self) -> Metric {
        self.metric("ApproximateNumberOfMessagesDelayed").maximum()
    }

    /// Messages that were received and not deleted yet: the most.
    pub fn metric_approximate_number_of_messages_not_visible(&self) -> Metric {
        self.metric("ApproximateNumberOfMessagesNotVisible").maximum()
    }

    /// Messages that wait: the most.
    pub fn metric_approximate_number_of_messages_visible(&self) -> Metric {
        self.metric("ApproximateNumberOfMessagesVisible").maximum()
    }

    /// All that were sent and not deleted yet, whether they wait, are delayed, or are being processed.
    pub fn metric_approximate_number_of_messages_outstanding(&self) -> MathExpression {
        MathExpression::new("visible + notVisible")
            .label("Approximate number of messages outstanding")
            .using("visible", self.metric_approximate_number_of_messages_visible())
            .using("notVisible", self.metric_approximate_number_of_messages_not_visible())
    }

    pub fn metric_number_of_empty_receives(&self) -> Metric {
        self.metric("NumberOfEmptyReceives").sum()
    }

    pub fn metric_number_of_messages_deleted(&self) -> Metric {
        self.metric("NumberOfMessagesDeleted").sum()
    }

    pub fn metric_number_of_messages_received(&self) -> Metric {
        self.metric("NumberOfMessagesReceived").sum()
    }

    pub fn metric_number_of_messages_sent(&self) -> Metric {
        self.metric("NumberOfMessagesSent").sum()
    }

    /// The average, in bytes.
    pub fn metric_sent_message_size(&self) -> Metric {
        self.metric("SentMessageSize").average()
    }

    /// Of a queue that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::sqs::Queue> {
        match &self.origin {
            Origin::Made { resource, .. } => resource.clone(),
            Origin::Imported { .. } => CfnResource::elsewhere(&self.construct),
        }
    }

    pub fn grant_send_messages(&self, grantee: impl Into<Grantee>) {
        self.grant(
            grantee,
            ["sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"],
        );
    }

    pub fn grant_consume_messages(&self, grantee: impl Into<Grantee>) {
        let actions = [
            "sqs:ReceiveMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueUrl",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ];
        self.grant(grantee, actions);
    }

    pub fn grant(&self, grantee: impl Into<Grantee>, actions: impl IntoIterator<Item = impl Into<String>>) {
        let grant = Grant::new(actions, [self.queue_arn()]);
        grant.to(&grantee.into(), |statement| self.add_to_resource_policy(statement));
    }

    pub fn grant_purge(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ["sqs:PurgeQueue", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"]);
    }

    /// Adds to the policy of the queue itself, which is made with the first statement. Of a queue that exists already the
    /// policy is left to whoever made it.
    pub fn add_to_resource_policy(&self, statement: PolicyStatement) {
        let Origin::Made { policy, .. } = &self.origin else {
            return;
        };
        policy.add(statement, |document| {
            let construct = Site::new(self, "Policy").make("sqs.QueuePolicy");
            let properties = cfn::sqs::QueuePolicy::new()
                .policy_document(document)
                .queues([self.queue_url()]);
            CfnResource::new(&construct, "Resource", properties).untyped()
        });
    }
}
