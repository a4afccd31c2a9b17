//! What API Gateway needs of Lambda.

use crate::lambda::Lambda;
use crate::sink::FunctionInvoker;

/// Runs functions, and knows who may.
pub trait Functions: FunctionInvoker {
    /// Whether the function's resource policy lets `service` invoke it on behalf of `source_arn`.
    fn permits(&self, function: &str, qualifier: Option<&str>, service: &str, source_arn: &str) -> bool;
}

impl Functions for Lambda {
    fn permits(&self, function: &str, qualifier: Option<&str>, service: &str, source_arn: &str) -> bool {
        Lambda::permits(self, function, qualifier, service, source_arn)
    }
}
