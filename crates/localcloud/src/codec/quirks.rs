//! What the models do not say about the wire, service by service.

use super::model::Model;
use crate::service::ApiError;

/// The root element of an S3 answer: botocore does not read it, the Rust SDK insists on it (Smithy's `xmlName`).
pub fn s3_root(operation: &str) -> &'static str {
    match operation {
        "ListBuckets" => "ListAllMyBucketsResult",
        "ListObjects" | "ListObjectsV2" => "ListBucketResult",
        "ListObjectVersions" => "ListVersionsResult",
        "CreateMultipartUpload" => "InitiateMultipartUploadResult",
        "CompleteMultipartUpload" => "CompleteMultipartUploadResult",
        "ListMultipartUploads" => "ListMultipartUploadsResult",
        "ListParts" => "ListPartsResult",
        "DeleteObjects" => "DeleteResult",
        "GetBucketVersioning" => "VersioningConfiguration",
        "GetBucketTagging" | "GetObjectTagging" => "Tagging",
        "GetBucketLifecycleConfiguration" => "LifecycleConfiguration",
        "GetBucketAcl" => "AccessControlPolicy",
        "GetBucketLocation" => "LocationConstraint",
        "GetObjectAttributes" => "GetObjectAttributesResponse",
        _ => "Result",
    }
}

pub const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// The code that a service gives to input that its model refuses.
pub fn validation_code(model: &Model, is_missing: bool) -> &'static str {
    match (model.name, is_missing) {
        ("cloudformation" | "sts", _) => "ValidationError",
        ("cloudwatch" | "rds" | "elasticache" | "sqs", true) => "MissingParameter",
        ("cloudwatch" | "rds" | "elasticache" | "sqs", false) => "InvalidParameterValue",
        ("apigateway" | "apigatewayv2" | "apigatewaymanagementapi", _) => "BadRequestException",
        ("logs", _) => "InvalidParameterException",
        ("s3", true) => "InvalidRequest",
        ("s3", false) => "InvalidArgument",
        _ => "ValidationException",
    }
}

/// The code of an error in the time of the query protocol, which clients still show: the model leaves SQS's out
/// (Smithy's `awsQueryError`).
pub fn query_code<'a>(model: &Model, code: &'a str) -> &'a str {
    match (model.name, code) {
        ("sqs", "QueueDoesNotExist") => "AWS.SimpleQueueService.NonExistentQueue",
        ("sqs", "QueueNameExists") => "QueueAlreadyExists",
        ("sqs", "EmptyBatchRequest") => "AWS.SimpleQueueService.EmptyBatchRequest",
        ("sqs", "TooManyEntriesInBatchRequest") => "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        ("sqs", "BatchEntryIdsNotDistinct") => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        ("sqs", "MessageNotInflight") => "AWS.SimpleQueueService.MessageNotInflight",
        ("sqs", "UnsupportedOperation") => "AWS.SimpleQueueService.UnsupportedOperation",
        (_, code) => code,
    }
}

/// The code that a service gives to an operation that it does not know.
pub fn unknown_operation(model: &Model, what: &str) -> ApiError {
    let message = format!(
        "The embedded cloud does not serve {what} of {}.",
        model.metadata.service_id
    );
    match model.metadata.protocol.as_str() {
        "query" => ApiError::new(400, "InvalidAction", message),
        "rest-xml" => ApiError::new(501, "NotImplemented", message),
        "rest-json" => ApiError::new(404, "UnknownOperationException", message),
        _ => ApiError::new(400, "UnknownOperationException", message),
    }
}
