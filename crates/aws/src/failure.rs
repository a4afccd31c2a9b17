//! What a call to AWS can end in, and how every error of the SDK is sorted into it.
//!
//! One question decides the sorting: may the request have been executed? Only where the service itself has said no, or
//! where the request certainly never left, is the answer no; everything else is [`PortErrorKind::Ambiguous`], and the
//! caller must look before it acts again. Used by every adapter of this crate.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use orchestrator::ports::{PortError, PortErrorKind};

/// A failed call: which, on what, and the service's own words.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} on {resource}: {message}")]
pub struct Failure {
    pub kind: PortErrorKind,
    /// The operation's name in the service's model, for example `UpdateStage`.
    pub operation: &'static str,
    /// What it was called on, as the user knows it.
    pub resource: String,
    /// The service's code, empty if no service answered.
    pub code: String,
    pub message: String,
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind, failure.operation, failure.resource, failure.message)
    }
}

impl Failure {
    /// A refusal of ours, before anything was sent.
    pub(crate) fn invalid(operation: &'static str, resource: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: PortErrorKind::Invalid,
            operation,
            resource: resource.into(),
            code: String::new(),
            message: message.into(),
        }
    }

    pub(crate) fn conflict(operation: &'static str, resource: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: PortErrorKind::Conflict,
            ..Self::invalid(operation, resource, message)
        }
    }

    pub(crate) fn not_found(operation: &'static str, resource: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: PortErrorKind::NotFound,
            ..Self::invalid(operation, resource, message)
        }
    }

    /// The service did not do what it said, so nobody knows what it did.
    pub(crate) fn ambiguous(operation: &'static str, resource: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: PortErrorKind::Ambiguous,
            ..Self::invalid(operation, resource, message)
        }
    }

    /// An answer without a member that the service's model promises.
    pub(crate) fn incomplete(operation: &'static str, resource: impl Into<String>, member: &str) -> Self {
        Self::ambiguous(operation, resource, format!("the answer lacks {member}"))
    }
}

/// Names the call that failed. `resource` is what the user would look for in the console.
pub(crate) fn failed<E>(
    operation: &'static str,
    resource: impl Into<String>,
) -> impl FnOnce(SdkError<E, HttpResponse>) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let resource = resource.into();
    move |error| sort(operation, resource, &error)
}

fn sort<E>(operation: &'static str, resource: String, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let (kind, code, message) = match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or_default();
            let status = service.raw().status().as_u16();
            let said = service.err().message().unwrap_or_default();
            let message = match (code, said) {
                ("", "") => format!("the service answered with HTTP status {status} and no words"),
                ("", said) => said.to_owned(),
                (code, "") => code.to_owned(),
                (code, said) => format!("{said} ({code})"),
            };
            (kind_of(code, said, status), code.to_owned(), message)
        }
        SdkError::ConstructionFailure(_) if lacks_credentials(error) => denied_before_sending(error),
        SdkError::ConstructionFailure(_) => (PortErrorKind::Invalid, String::new(), chain(error)),
        SdkError::DispatchFailure(_) if lacks_credentials(error) => denied_before_sending(error),
        SdkError::DispatchFailure(dispatch) if dispatch.is_user() => {
            (PortErrorKind::Invalid, String::new(), chain(error))
        }
        SdkError::DispatchFailure(_) if never_connected(error) => (
            PortErrorKind::Unavailable,
            String::new(),
            format!("no connection could be made: {}", chain(error)),
        ),
        SdkError::TimeoutError(_) => (
            PortErrorKind::Ambiguous,
            String::new(),
            format!("no answer in time: {}", chain(error)),
        ),
        SdkError::ResponseError(response) => {
            // A proxy or a load balancer in front of the service answers in its own words, with a status nonetheless.
            match response.raw().status().as_u16() {
                429 => (PortErrorKind::Throttled, String::new(), "HTTP status 429".to_owned()),
                status => (
                    PortErrorKind::Ambiguous,
                    String::new(),
                    format!("an answer that cannot be read (HTTP status {status}): {}", chain(error)),
                ),
            }
        }
        _ => (
            PortErrorKind::Ambiguous,
            String::new(),
            format!("the connection broke: {}", chain(error)),
        ),
    };
    Failure {
        kind,
        operation,
        resource,
        code,
        message,
    }
}

fn denied_before_sending(error: &(dyn Error + 'static)) -> (PortErrorKind, String, String) {
    (
        PortErrorKind::Denied,
        String::new(),
        format!("no usable credentials: {}", chain(error)),
    )
}

/// Codes win over statuses: API Gateway says `TooManyRequestsException` with 429, CloudFormation `Throttling` with 400.
pub(crate) fn kind_of(code: &str, message: &str, status: u16) -> PortErrorKind {
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "TooManyRequestsException"
        | "TooManyRequests"
        | "PriorRequestNotComplete"
        | "SlowDown" => PortErrorKind::Throttled,
        "PreconditionFailed"
        | "PreconditionFailedException"
        | "ConditionalRequestConflict"
        | "ConflictException"
        | "ResourceConflictException"
        | "ResourceInUseException"
        | "OperationAborted"
        | "OperationInProgressException"
        | "AlreadyExists"
        | "AlreadyExistsException"
        | "TokenAlreadyExistsException"
        | "InvalidChangeSetStatus"
        | "DBInstanceAlreadyExists"
        | "DBSnapshotAlreadyExists"
        | "InvalidDBInstanceState" => PortErrorKind::Conflict,
        "NotFound"
        | "NotFoundException"
        | "ResourceNotFound"
        | "ResourceNotFoundException"
        | "ChangeSetNotFound"
        | "ChangeSetNotFoundException"
        | "NoSuchBucket"
        | "NoSuchKey"
        | "DBInstanceNotFound"
        | "DBInstanceNotFoundFault"
        | "DBSnapshotNotFound"
        | "DBSnapshotNotFoundFault"
        | "ReplicationGroupNotFoundFault"
        | "SnapshotNotFoundFault"
        | "TableNotFoundException"
        | "BackupNotFoundException" => PortErrorKind::NotFound,
        // CloudFormation has no code of its own for a stack that is not there.
        "ValidationError" if message.contains("does not exist") => PortErrorKind::NotFound,
        // Nor for one that somebody else began to change since we looked.
        "ValidationError" if message.contains("_IN_PROGRESS state") => PortErrorKind::Conflict,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedException"
        | "UnauthorizedOperation"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired" => PortErrorKind::Denied,
        // PublishVersion of code that was replaced since we looked.
        "InvalidParameterValueException" if message.contains("CodeSHA256") => PortErrorKind::Conflict,
        // Lambda says 502 where a key, a network or a file system is closed to the function's role.
        code if code.ends_with("AccessDeniedException") => PortErrorKind::Denied,
        _ => match status {
            429 => PortErrorKind::Throttled,
            409 | 412 => PortErrorKind::Conflict,
            404 => PortErrorKind::NotFound,
            401 | 403 => PortErrorKind::Denied,
            400..=499 => PortErrorKind::Invalid,
            _ => PortErrorKind::Ambiguous,
        },
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<CredentialsError>())
}

pub(crate) fn never_connected(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        cause
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(|error| error.is_connect())
    })
}

/// The SDK's top-level errors say little ("dispatch failure"); what happened stands at the end of the chain.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Stub, connected};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// What each service says, and what it means for the caller.
    #[test]
    fn every_refusal_is_sorted_by_what_may_have_happened() {
        use PortErrorKind::*;
        let cases = [
            // API Gateway
            ("TooManyRequestsException", "", 429, Throttled),
            ("NotFoundException", "Invalid stage identifier specified", 404, NotFound),
            ("ConflictException", "", 409, Conflict),
            ("BadRequestException", "Invalid patch path", 400, Invalid),
            ("LimitExceededException", "", 400, Invalid),
            ("UnauthorizedException", "", 401, Denied),
            ("ServiceUnavailableException", "", 503, Ambiguous),
            // Lambda
            (
                "PreconditionFailedException",
                "The Revision Id provided does not match",
                412,
                Conflict,
            ),
            ("ResourceConflictException", "An update is in progress", 409, Conflict),
            ("ResourceNotFoundException", "", 404, NotFound),
            ("InvalidParameterValueException", "", 400, Invalid),
            (
                "InvalidParameterValueException",
                "CodeSHA256 (a) is different from current CodeSHA256 in request (b)",
                400,
                Conflict,
            ),
            ("CodeStorageExceededException", "", 400, Invalid),
            ("KMSAccessDeniedException", "", 502, Denied),
            ("ServiceException", "", 500, Ambiguous),
            // CloudFormation says most things with 400
            ("Throttling", "Rate exceeded", 400, Throttled),
            ("ValidationError", "Stack with id S does not exist", 400, NotFound),
            (
                "ValidationError",
                "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated",
                400,
                Conflict,
            ),
            ("ValidationError", "Template format error", 400, Invalid),
            ("AlreadyExistsException", "", 400, Conflict),
            ("InvalidChangeSetStatus", "", 400, Conflict),
            ("InsufficientCapabilitiesException", "", 400, Invalid),
            ("AccessDenied", "", 403, Denied),
            ("InternalFailure", "", 500, Ambiguous),
            // CloudWatch, RDS, Secrets Manager, S3, STS
            ("InvalidParameterValue", "", 400, Invalid),
            ("DBSnapshotAlreadyExists", "", 400, Conflict),
            ("DBInstanceNotFound", "", 404, NotFound),
            ("InvalidDBInstanceState", "", 400, Conflict),
            ("DecryptionFailure", "", 400, Invalid),
            ("PreconditionFailed", "", 412, Conflict),
            ("ConditionalRequestConflict", "", 409, Conflict),
            ("SlowDown", "", 503, Throttled),
            ("NoSuchBucket", "", 404, NotFound),
            ("ExpiredToken", "", 400, Denied),
            ("InvalidClientTokenId", "", 403, Denied),
            // No code at all, as from HeadObject or a proxy
            ("", "", 404, NotFound),
            ("", "", 403, Denied),
            ("", "", 412, Conflict),
            ("", "", 429, Throttled),
            ("", "", 400, Invalid),
            ("", "", 502, Ambiguous),
        ];
        for (code, message, status, expected) in cases {
            assert_eq!(kind_of(code, message, status), expected, "{code} {message} {status}");
        }
    }

    /// Runs one change and one read against a server that always answers the same, and counts what reached it.
    async fn outcome(answer: Vec<u8>) -> (Failure, usize) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let stub = Stub::start_connected(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            answer.clone()
        })
        .await;
        let aws = connected(&stub).await;
        let failure = aws.patch_stage("api", "prod", Vec::new()).await.unwrap_err();
        (failure, calls.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn the_services_own_words_are_kept() {
        let answer = Stub::answer_with(
            400,
            &[("x-amzn-errortype", "BadRequestException")],
            r#"{"message":"Invalid patch path /colour"}"#,
        );
        let (failure, calls) = outcome(answer).await;
        assert_eq!(failure.kind, PortErrorKind::Invalid);
        assert_eq!(
            failure.to_string(),
            "UpdateStage on api/prod: Invalid patch path /colour (BadRequestException)"
        );
        assert_eq!(calls, 1);
    }

    #[tokio::test]
    async fn a_change_whose_outcome_is_unknown_is_not_sent_again() {
        for answer in [
            Vec::new(),
            b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"dep".to_vec(),
            Stub::answer(200, "<html>"),
            Stub::answer(500, r#"{"message":"oh"}"#),
            Stub::answer_with(503, &[("x-amzn-errortype", "ServiceUnavailableException")], "{}"),
        ] {
            let (failure, calls) = outcome(answer).await;
            assert_eq!(failure.kind, PortErrorKind::Ambiguous, "{failure}");
            assert_eq!(calls, 1, "{failure}");
        }
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_was_never_asked() {
        let stub = Stub::start_connected(|_| Vec::new()).await;
        let aws = connected(&stub).await;
        stub.stop().await;
        let failure = aws.patch_stage("api", "prod", Vec::new()).await.unwrap_err();
        assert_eq!(failure.kind, PortErrorKind::Unavailable, "{failure}");
    }

    #[tokio::test]
    async fn a_throttled_read_is_tried_again() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let stub = Stub::start_connected(move |_| match counter.fetch_add(1, Ordering::SeqCst) {
            0 => Stub::answer_with(429, &[("x-amzn-errortype", "TooManyRequestsException")], "{}"),
            _ => Stub::answer(
                200,
                r#"{"deploymentId":"d1","stageName":"prod","variables":{"color":"blue"},
                   "canarySettings":{"percentTraffic":10.0,"deploymentId":"d2","stageVariableOverrides":{"color":"green"}}}"#,
            ),
        })
        .await;
        let aws = connected(&stub).await;
        let traffic = aws.read_stage("api", "prod").await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        let canary = traffic.canary.unwrap();
        assert_eq!(
            (canary.deployment_id.as_str(), canary.weight.as_percent()),
            ("d2", 10.0)
        );
        assert_eq!(canary.slot, Some(orchestrator::domain::Slot::Green));
    }
}
