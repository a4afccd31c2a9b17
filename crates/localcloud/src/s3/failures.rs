//! S3's errors in S3's words (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).

use serde_json::json;

use crate::service::ApiError;

pub(super) fn no_such_bucket(bucket: &str) -> ApiError {
    let mut error = ApiError::new(404, "NoSuchBucket", "The specified bucket does not exist");
    error.details = json!({"BucketName": bucket});
    error
}

pub(super) fn no_such_key(key: &str) -> ApiError {
    let mut error = ApiError::new(404, "NoSuchKey", "The specified key does not exist.");
    error.details = json!({"Key": key});
    error
}

pub(super) fn no_such_upload() -> ApiError {
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
                   aborted or completed.";
    ApiError::new(404, "NoSuchUpload", message)
}

pub(super) fn precondition_failed(condition: &str) -> ApiError {
    let mut error = ApiError::new(
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
    );
    error.details = json!({"Condition": condition});
    error
}

/// Somebody else wrote while this conditional write was on its way: the caller may try again.
pub(super) fn conditional_conflict(key: &str) -> ApiError {
    let message = "The conditional request cannot succeed due to a conflicting operation against this resource.";
    let mut error = ApiError::new(409, "ConditionalRequestConflict", message);
    error.details = json!({"Key": key});
    error
}

pub(super) fn invalid_argument(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidArgument", message)
}

pub(super) fn invalid_request(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidRequest", message)
}
