//! What becomes of asynchronous events.

use std::time::Duration;

use cfn::Expr;
use cfn::lambda::event_invoke_config;

use super::alias::Alias;
use super::function::Function;
use super::permission::Invocable as _;
use crate::element::CfnResource;
use crate::site::Site;
use crate::sns::Topic;
use crate::sqs::Queue;
use crate::tree::Scope as _;
use crate::units::whole_seconds;

const EVENT_INVOKE_CONFIG: &str = "EventInvokeConfig";

/// Who learns how an asynchronous event went.
#[derive(Clone)]
pub enum Destination {
    Queue(Queue),
    Topic(Topic),
    Function(Function),
}

impl Destination {
    /// Its ARN, once the function may reach it.
    fn bind(&self, function: &Function) -> Expr {
        match self {
            Self::Queue(queue) => {
                queue.grant_send_messages(function);
                queue.queue_arn().into_expr()
            }
            Self::Topic(topic) => {
                topic.grant_publish(function);
                topic.topic_arn().into_expr()
            }
            Self::Function(other) => {
                other.grant_invoke(function);
                other.function_arn().into_expr()
            }
        }
    }
}

/// How asynchronous events are tried, and where they end.
#[derive(Default)]
pub(super) struct Asynchronous {
    pub(super) retry_attempts: Option<u32>,
    pub(super) max_event_age: Option<Duration>,
    pub(super) on_success: Option<Destination>,
    pub(super) on_failure: Option<Destination>,
}

impl Asynchronous {
    pub(super) fn configure(&self, function: &Function) {
        let has_destination = self.on_success.is_some() || self.on_failure.is_some();
        if self.retry_attempts.is_none() && self.max_event_age.is_none() && !has_destination {
            return;
        }
        let construct = Site::new(function, EVENT_INVOKE_CONFIG).make("lambda.EventInvokeConfig");
        let mut properties = cfn::lambda::EventInvokeConfig::new()
            .function_name(function.function_name())
            .qualifier("$LATEST");
        if has_destination {
            let mut config = event_invoke_config::DestinationConfig::new();
            if let Some(destination) = &self.on_failure {
                let arn = destination.bind(function).cast::<String>();
                config = config.on_failure(event_invoke_config::OnFailure::new().destination(arn));
            }
            if let Some(destination) = &self.on_success {
                let arn = destination.bind(function).cast::<String>();
                config = config.on_success(event_invoke_config::OnSuccess::new().destination(arn));
            }
            properties = properties.destination_config(config);
        }
        if let Some(count) = self.retry_attempts {
            if count > 2 {
                construct.report("an asynchronous event is tried again twice at most");
            }
            properties = properties.maximum_retry_attempts(count);
        }
        if let Some(age) = self.max_event_age {
            let seconds = whole_seconds(age);
            if !(60..=21_600).contains(&seconds) {
                construct.report("an asynchronous event is tried for between a minute and six hours");
            }
            properties = properties.maximum_event_age_in_seconds(seconds);
        }
        CfnResource::new(&construct, "Resource", properties);
    }
}

impl Alias {
    /// What was said of asynchronous events of the function holds for calls without a qualifier only; this says it of the
    /// alias, too.
    pub(crate) fn repeat_asynchronous_settings(&self) {
        let said = self
            .function()
            .construct()
            .find_child(EVENT_INVOKE_CONFIG)
            .and_then(|config| config.default_child());
        let Some(said) = said else { return };
        let Some(mut resource) = said.definition() else { return };
        // Cut out of the ARN, so that the alias exists when this is said.
        let name = cfn::intrinsics::select(7, cfn::intrinsics::split(":", self.alias_arn().cast::<String>()));
        resource.properties.insert("Qualifier", name.into_expr());
        let construct = Site::new(self, EVENT_INVOKE_CONFIG).make("lambda.EventInvokeConfig");
        CfnResource::raw(&construct, "Resource", resource);
    }
}
