//! Who receives what is published to a topic.

use cfn::{Expr, IntoValue, Json, Map};

use super::Topic;
use crate::element::CfnResource;
use crate::iam::{PolicyStatement, Principal};
use crate::lambda::{Invocable, Permission};
use crate::site::Site;
use crate::sqs::Queue;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};

/// What a subscriber receives, and how.
#[derive(Clone, Default)]
pub struct SubscriptionOptions {
    filter: Option<(Expr, FilterScope)>,
    raw: bool,
    dead_letter_queue: Option<Queue>,
}

/// What a filter is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FilterScope {
    Attributes,
    Body,
}

impl SubscriptionOptions {
    pub fn new() -> Self {
        Self::default()
    }

    /// Only messages whose attributes match: `{"kind": ["a", "b"]}`.
    #[must_use]
    pub fn filter_attributes(mut self, policy: impl IntoValue<Json>) -> Self {
        self.filter = Some((policy.into_value().into_expr(), FilterScope::Attributes));
        self
    }

    /// Only messages whose text, which is JSON, matches.
    #[must_use]
    pub fn filter_body(mut self, policy: impl IntoValue<Json>) -> Self {
        self.filter = Some((policy.into_value().into_expr(), FilterScope::Body));
        self
    }

    /// The message alone, without what SNS writes around it; of queues and URLs only.
    #[must_use]
    pub fn raw_message_delivery(mut self) -> Self {
        self.raw = true;
        self
    }

    /// Takes what could not be delivered.
    #[must_use]
    pub fn dead_letter_queue(mut self, queue: &Queue) -> Self {
        self.dead_letter_queue = Some(queue.clone());
        self
    }
}

struct Subscriber {
    protocol: &'static str,
    endpoint: Expr,
}

impl Topic {
    /// Messages invoke the function, the version or what the alias points at.
    #[track_caller]
    pub fn subscribe_function(
        &self,
        function: &impl Invocable,
        options: &SubscriptionOptions,
    ) -> CfnResource<cfn::sns::Subscription> {
        let permission = Permission::new(Principal::service("sns.amazonaws.com")).source_arn(self.topic_arn());
        let id = format!("AllowInvoke:{}", self.construct().unique_id());
        function.add_permission(&id, &permission);
        let subscriber = Subscriber {
            protocol: "lambda",
            endpoint: function.invocable_arn().into_expr(),
        };
        let id = self.construct().id();
        self.subscribe_in(function.construct(), &id, subscriber, options)
    }

    /// Messages are sent to the queue.
    #[track_caller]
    pub fn subscribe_queue(&self, queue: &Queue, options: &SubscriptionOptions) -> CfnResource<cfn::sns::Subscription> {
        queue.add_to_resource_policy(self.may_send(queue));
        let subscriber = Subscriber {
            protocol: "sqs",
            endpoint: queue.queue_arn().into_expr(),
        };
        let id = self.construct().unique_id();
        let subscription = self.subscribe_in(queue.construct(), &id, subscriber, options);
        if let Some(policy) = queue.construct().find_child("Policy") {
            subscription.construct().add_dependency(&policy);
        }
        subscription
    }

    /// Messages are mailed, once the receiver has confirmed.
    #[track_caller]
    pub fn subscribe_email(&self, address: &str, options: &SubscriptionOptions) -> CfnResource<cfn::sns::Subscription> {
        let subscriber = Subscriber {
            protocol: "email",
            endpoint: address.to_owned().into(),
        };
        self.subscribe_in(self.construct(), address, subscriber, options)
    }

    /// As [`Topic::subscribe_email`], with the message and what SNS knows of it as JSON.
    #[track_caller]
    pub fn subscribe_email_json(
        &self,
        address: &str,
        options: &SubscriptionOptions,
    ) -> CfnResource<cfn::sns::Subscription> {
        let subscriber = Subscriber {
            protocol: "email-json",
            endpoint: address.to_owned().into(),
        };
        self.subscribe_in(self.construct(), address, subscriber, options)
    }

    /// Messages are sent to a telephone: `+15551234567`.
    #[track_caller]
    pub fn subscribe_sms(&self, number: &str, options: &SubscriptionOptions) -> CfnResource<cfn::sns::Subscription> {
        let subscriber = Subscriber {
            protocol: "sms",
            endpoint: number.to_owned().into(),
        };
        self.subscribe_in(self.construct(), number, subscriber, options)
    }

    /// Messages are posted to an `http:` or `https:` URL, once it has confirmed.
    #[track_caller]
    pub fn subscribe_url(&self, url: &str, options: &SubscriptionOptions) -> CfnResource<cfn::sns::Subscription> {
        let protocol = if url.starts_with("https://") {
            "https"
        } else {
            if !url.starts_with("http://") {
                self.construct()
                    .report(format!("`{url}` begins with neither `https://` nor `http://`"));
            }
            "http"
        };
        let subscriber = Subscriber {
            protocol,
            endpoint: url.to_owned().into(),
        };
        self.subscribe_in(self.construct(), url, subscriber, options)
    }

    fn may_send(&self, queue: &Queue) -> PolicyStatement {
        PolicyStatement::allow(["sqs:SendMessage"])
            .on(queue.queue_arn())
            .by(Principal::service("sns.amazonaws.com"))
            .condition("ArnEquals", [("aws:SourceArn", self.topic_arn())])
    }

    #[track_caller]
    fn subscribe_in(
        &self,
        scope: &Construct,
        id: &str,
        subscriber: Subscriber,
        options: &SubscriptionOptions,
    ) -> CfnResource<cfn::sns::Subscription> {
        let construct = Site::new(scope, id).make("sns.Subscription");
        if options.raw && !["http", "https", "sqs"].contains(&subscriber.protocol) {
            construct.report("raw messages are delivered to queues and URLs only");
        }
        let here = Stack::of(scope);
        let there = Stack::of(self);
        let mut properties = cfn::sns::Subscription::new()
            .protocol(subscriber.protocol)
            .topic_arn(self.topic_arn())
            .endpoint(subscriber.endpoint.cast::<String>());
        if let Some(region) = self.imported_region() {
            properties = properties.region(region.cast::<String>());
        } else if !here.construct().is(there.construct()) {
            here.construct().add_dependency(&there);
            let (ours, theirs) = (here.region().into_expr(), there.region().into_expr());
            if theirs.is_literal() && theirs != ours {
                properties = properties.region(theirs.cast::<String>());
            }
        }
        if let Some((policy, filter_scope)) = &options.filter {
            properties = properties.filter_policy(policy.clone());
            if *filter_scope == FilterScope::Body {
                properties = properties.filter_policy_scope("MessageBody");
            }
        }
        if options.raw {
            properties = properties.raw_message_delivery(true);
        }
        if let Some(queue) = &options.dead_letter_queue {
            queue.add_to_resource_policy(self.may_send(queue));
            let mut redrive = Map::new();
            redrive.insert("deadLetterTargetArn", queue.queue_arn());
            properties = properties.redrive_policy(redrive);
        }
        CfnResource::new(&construct, "Resource", properties)
    }
}
