//! The pseudo parameters: values that CloudFormation knows without being told.

use crate::element::Target;
use crate::expr::Expr;
use crate::value::{List, Value};

fn pseudo<T>(name: &'static str) -> Value<T> {
    Value::from_expr(Expr::Ref(Target::Pseudo(name)))
}

/// `AWS::AccountId`, twelve digits.
#[must_use]
pub fn account_id() -> Value<String> {
    pseudo("AWS::AccountId")
}

/// `AWS::NotificationARNs`.
#[must_use]
pub fn notification_arns() -> Value<List<String>> {
    pseudo("AWS::NotificationARNs")
}

/// `AWS::NoValue`: as a branch of [`crate::intrinsics::if_else`] it removes the property.
#[must_use]
pub fn no_value<T>() -> Value<T> {
    pseudo("AWS::NoValue")
}

/// `AWS::Partition`: `aws`, `aws-cn` or `aws-us-gov`.
#[must_use]
pub fn partition() -> Value<String> {
    pseudo("AWS::Partition")
}

/// `AWS::Region`.
#[must_use]
pub fn region() -> Value<String> {
    pseudo("AWS::Region")
}

/// `AWS::StackId`, an ARN.
#[must_use]
pub fn stack_id() -> Value<String> {
    pseudo("AWS::StackId")
}

/// `AWS::StackName`.
#[must_use]
pub fn stack_name() -> Value<String> {
    pseudo("AWS::StackName")
}

/// `AWS::URLSuffix`: `amazonaws.com`, other in China.
#[must_use]
pub fn url_suffix() -> Value<String> {
    pseudo("AWS::URLSuffix")
}
