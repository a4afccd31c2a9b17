//! What is logged about the delivery of messages.

use cfn::sns::topic;
use cfn::{Builder, Expr, IntoValue};

use crate::iam::Role;
use crate::tree::Construct;

/// A kind of subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryProtocol {
    Http,
    Sqs,
    Lambda,
    Firehose,
    Application,
}

impl DeliveryProtocol {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http/s",
            Self::Sqs => "sqs",
            Self::Lambda => "lambda",
            Self::Firehose => "firehose",
            Self::Application => "application",
        }
    }
}

/// As which SNS writes logs about deliveries of one kind, and how many.
#[derive(Clone)]
pub struct DeliveryLogging {
    protocol: DeliveryProtocol,
    failure: Option<Role>,
    success: Option<Role>,
    sample_percent: Option<u8>,
}

impl DeliveryLogging {
    pub const fn of(protocol: DeliveryProtocol) -> Self {
        Self {
            protocol,
            failure: None,
            success: None,
            sample_percent: None,
        }
    }

    #[must_use]
    pub fn failure_feedback_role(mut self, role: &Role) -> Self {
        self.failure = Some(role.clone());
        self
    }

    #[must_use]
    pub fn success_feedback_role(mut self, role: &Role) -> Self {
        self.success = Some(role.clone());
        self
    }

    /// Of a hundred deliveries that succeed, so many are logged.
    #[must_use]
    pub fn success_feedback_sample_percent(mut self, percent: u8) -> Self {
        self.sample_percent = Some(percent);
        self
    }

    pub(super) fn render(&self, topic: &Construct) -> Expr {
        if self.sample_percent.is_some_and(|percent| percent > 100) {
            topic.report("of a hundred deliveries a hundred are logged at most");
        }
        let config = topic::LoggingConfig::new()
            .protocol(self.protocol.as_str())
            .when_some(
                self.failure.as_ref().map(Role::role_arn),
                topic::LoggingConfig::failure_feedback_role_arn,
            )
            .when_some(
                self.success.as_ref().map(Role::role_arn),
                topic::LoggingConfig::success_feedback_role_arn,
            )
            .when_some(
                self.sample_percent.map(|percent| percent.to_string()),
                topic::LoggingConfig::success_feedback_sample_rate,
            );
        IntoValue::<topic::LoggingConfig>::into_value(config).into_expr()
    }
}
