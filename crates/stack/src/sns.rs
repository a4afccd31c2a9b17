//! Topics, and who receives what is published to them.

mod logging;
mod subscription;

use std::cell::RefCell;
use std::rc::Rc;

use cfn::{Expr, IntoValue, Value, id};

use crate::cloudwatch::Metric;
use crate::element::CfnResource;
use crate::iam::{Grant, Grantee, PolicyStatement, Principal, ResourcePolicy};
use crate::site::Site;
use crate::stack::arn_part;
use crate::tree::{Construct, Scope};

pub use logging::{DeliveryLogging, DeliveryProtocol};
pub use subscription::SubscriptionOptions;

/// A topic: made here, or taken over by its ARN.
#[derive(Clone)]
pub struct Topic {
    construct: Construct,
    origin: Origin,
}

#[derive(Clone)]
enum Origin {
    Made {
        resource: CfnResource<cfn::sns::Topic>,
        policy: ResourcePolicy,
        logging: Rc<RefCell<Vec<Expr>>>,
    },
    Imported {
        arn: Expr,
    },
}

impl Scope for Topic {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct TopicBuilder {
    site: Site,
    properties: cfn::sns::Topic,
    name: Option<Expr>,
    fifo: bool,
    enforce_ssl: bool,
    retention_days: Option<u16>,
    logging: Vec<DeliveryLogging>,
}

impl TopicBuilder {
    pub fn topic_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn display_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.display_name(name);
        self
    }

    pub fn encryption_key(mut self, key: impl IntoValue<id::kms::AnyKey>) -> Self {
        self.properties = self.properties.kms_master_key_id(key);
        self
    }

    /// Ordered, each message once. The name ends with `.fifo`, which is added where it is missing.
    pub fn fifo(mut self) -> Self {
        self.fifo = true;
        self
    }

    pub fn content_based_deduplication(mut self, on: bool) -> Self {
        self.properties = self.properties.content_based_deduplication(on);
        self
    }

    /// `1` signs messages with SHA-1, as if nothing is said, `2` with SHA-256.
    pub fn signature_version(mut self, version: impl IntoValue<String>) -> Self {
        self.properties = self.properties.signature_version(version);
        self
    }

    /// Whether SNS traces messages itself (`Active`), or only those that the publisher traces (`PassThrough`).
    pub fn tracing(mut self, mode: impl IntoValue<String>) -> Self {
        self.properties = self.properties.tracing_config(mode);
        self
    }

    /// Of a FIFO topic: keeps messages for so many days, 1 to 365, so that they can be delivered again.
    pub fn message_retention_days(mut self, days: u16) -> Self {
        self.retention_days = Some(days);
        self
    }

    /// Of a FIFO topic: `Topic` or `MessageGroup`.
    pub fn fifo_throughput_scope(mut self, scope: impl IntoValue<String>) -> Self {
        self.properties = self.properties.fifo_throughput_scope(scope);
        self
    }

    /// Logs what becomes of messages to subscribers of one kind.
    pub fn delivery_logging(mut self, logging: DeliveryLogging) -> Self {
        self.logging.push(logging);
        self
    }

    /// Refuses to publish without TLS.
    pub fn enforce_ssl(mut self) -> Self {
        self.enforce_ssl = true;
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::sns::Topic) -> cfn::sns::Topic) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> Topic {
        let construct = self.site.make("sns.Topic");
        let mut properties = self.properties;
        let mut name = self.name;
        if self.fifo {
            properties = properties.fifo_topic(true);
            match name.as_ref().map(Expr::as_text) {
                Some(Some(text)) if !text.ends_with(".fifo") => name = Some(Expr::text(format!("{text}.fifo"))),
                Some(_) => {}
                None => construct.report("a FIFO topic needs a name"),
            }
        }
        if let Some(days) = self.retention_days {
            if !self.fifo {
                construct.report("only FIFO topics keep messages");
            }
            if !(1..=365).contains(&days) {
                construct.report(format!("messages are kept for 1 to 365 days, not {days}"));
            }
            properties = properties.archive_policy(Expr::map([("MessageRetentionPeriod", i64::from(days))]));
        }
        if let Some(name) = name {
            properties = properties.topic_name(name.cast::<String>());
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        let policy = ResourcePolicy::new("PolicyDocument").with_ids();
        let topic = Topic {
            construct,
            origin: Origin::Made {
                resource,
                policy,
                logging: Rc::default(),
            },
        };
        for logging in &self.logging {
            topic.add_delivery_logging(logging);
        }
        if self.enforce_ssl {
            let statement = PolicyStatement::deny_without_tls("sns:Publish")
                .on(topic.topic_arn())
                .by(Principal::star())
                .sid("AllowPublishThroughSSLOnly");
            topic.add_to_resource_policy(statement);
        }
        topic
    }
}

impl Topic {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> TopicBuilder {
        TopicBuilder {
            site: Site::new(scope, id),
            properties: cfn::sns::Topic::new(),
            name: None,
            fifo: false,
            enforce_ssl: false,
            retention_days: None,
            logging: Vec::new(),
        }
    }

    /// A topic that exists already. Its own policy stays as it is.
    #[track_caller]
    pub fn from_arn(scope: &impl Scope, id: impl Into<String>, arn: impl IntoValue<String>) -> Self {
        let arn = arn.into_value().into_expr();
        Self {
            construct: Site::new(scope, id).make("sns.Topic"),
            origin: Origin::Imported { arn },
        }
    }

    pub fn topic_arn(&self) -> Value<id::sns::TopicArn> {
        match &self.origin {
            Origin::Made { resource, .. } => resource.reference(),
            Origin::Imported { arn } => arn.clone().cast(),
        }
    }

    pub fn topic_name(&self) -> Value<id::sns::TopicName> {
        match &self.origin {
            Origin::Made { resource, .. } => resource.topic_name(),
            Origin::Imported { arn } => arn_part(arn, 5).cast(),
        }
    }

    /// Of a topic that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::sns::Topic> {
        match &self.origin {
            Origin::Made { resource, .. } => resource.clone(),
            Origin::Imported { .. } => CfnResource::elsewhere(&self.construct),
        }
    }

    /// The region of a topic that exists already.
    fn imported_region(&self) -> Option<Expr> {
        match &self.origin {
            Origin::Made { .. } => None,
            Origin::Imported { arn } => Some(arn_part(arn, 3)),
        }
    }

    /// A metric of `AWS/SNS` about this topic.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/SNS", name)
            .dimension("TopicName", self.topic_name())
            .attached_to(&self.construct)
    }

    pub fn metric_number_of_messages_published(&self) -> Metric {
        self.metric("NumberOfMessagesPublished").sum()
    }

    pub fn metric_number_of_notifications_delivered(&self) -> Metric {
        self.metric("NumberOfNotificationsDelivered").sum()
    }

    pub fn metric_number_of_notifications_failed(&self) -> Metric {
        self.metric("NumberOfNotificationsFailed").sum()
    }

    pub fn metric_number_of_notifications_filtered_out(&self) -> Metric {
        self.metric("NumberOfNotificationsFilteredOut").sum()
    }

    /// The average, in bytes.
    pub fn metric_publish_size(&self) -> Metric {
        self.metric("PublishSize").average()
    }

    /// Logs what becomes of messages to subscribers of one kind.
    pub fn add_delivery_logging(&self, logging: &DeliveryLogging) {
        let Origin::Made {
            resource, logging: all, ..
        } = &self.origin
        else {
            self.construct
                .report("the topic exists already; its deliveries are logged where it was made");
            return;
        };
        let mut all = all.borrow_mut();
        all.push(logging.render(&self.construct));
        resource.set("DeliveryStatusLogging", Some(Expr::List(all.clone())));
    }

    pub fn grant_publish(&self, grantee: impl Into<Grantee>) {
        let grant = Grant::new(["sns:Publish"], [self.topic_arn()]);
        grant.to(&grantee.into(), |statement| self.add_to_resource_policy(statement));
    }

    pub fn grant_subscribe(&self, grantee: impl Into<Grantee>) {
        let grant = Grant::new(["sns:Subscribe"], [self.topic_arn()]);
        grant.to(&grantee.into(), |statement| self.add_to_resource_policy(statement));
    }

    /// Adds to the policy of the topic itself, which is made with the first statement; statements get numbers as ids. Of a
    /// topic that exists already the policy is left to whoever made it.
    pub fn add_to_resource_policy(&self, statement: PolicyStatement) {
        let Origin::Made { policy, .. } = &self.origin else {
            return;
        };
        policy.add(statement, |document| {
            let construct = Site::new(self, "Policy").make("sns.TopicPolicy");
            let properties = cfn::sns::TopicPolicy::new()
                .policy_document(document)
                .topics([self.topic_arn()]);
            CfnResource::new(&construct, "Resource", properties).untyped()
        });
    }
}
