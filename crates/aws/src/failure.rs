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
        | "DBSnapshotNotFoundFault" => PortErrorKind::NotFound,
        // CloudFormation has no code of its own for a stack that is not there.
        "ValidationError" if message.contains("does not exist") => PortErrorKind::NotFound,
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
