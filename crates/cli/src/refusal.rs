//! How the libraries' errors end a command: each kind to its code and its advice. Nothing else decides that.

use aws::assets::{AssetError, ManifestError};
use aws::stacks::{StackError, advice};
use aws::{ConnectError, Failure as CallFailure};
use migrate::{BackupError, MigrateError};
use orchestrator::ports::PortErrorKind;

use crate::failure::{Code, Failure};

pub fn connecting(error: ConnectError) -> Failure {
    let code = match error {
        ConnectError::NoRegion => Code::SettingMissing,
        ConnectError::Identity { .. } | ConnectError::WrongAccount { .. } => Code::CloudDenied,
    };
    Failure::new(code, "cannot connect to the environment").because(error)
}

/// One call of a service.
pub fn calling(failure: CallFailure) -> Failure {
    Failure::new(code_of(failure.kind), "the cloud refused a call").because(failure)
}

pub fn reading_assets(error: ManifestError) -> Failure {
    Failure::new(Code::AssemblyInvalid, "the assembly's assets cannot be published").because(error)
}

pub fn publishing(error: AssetError) -> Failure {
    let code = match &error {
        AssetError::Missing { .. } | AssetError::Unreadable { .. } => Code::ArtifactMissing,
        AssetError::NoBucket { .. } => Code::SettingMissing,
        AssetError::Failed { failure, .. } => code_of(failure.kind),
    };
    Failure::new(code, "an asset cannot be published")
        .because(error)
        .hint("no stack was changed")
}

pub fn deploying(error: StackError) -> Failure {
    let (code, message) = match &error {
        StackError::InProgress { .. }
        | StackError::MustBeDeleted { .. }
        | StackError::MustContinueRollback { .. }
        | StackError::Stuck { .. } => (Code::StackBusy, "a stack cannot be changed now"),
        StackError::Refused { .. } | StackError::TemplateTooLarge { .. } => (
            Code::TemplateInvalid,
            "a template was refused, and nothing of it was deployed",
        ),
        StackError::Failed { .. } => (
            Code::StackFailed,
            "a stack could not be deployed, and CloudFormation undid its change",
        ),
        StackError::TimedOut { .. } => (Code::StackFailed, "a stack takes longer than we wait"),
        StackError::Interrupted { .. } => (Code::Interrupted, "interrupted"),
        StackError::Moved { .. } => (Code::PlanMoved, "the plan does not fit any more, and nothing was begun"),
        StackError::NotApproved { .. } => (Code::ApprovalNeeded, "a change was not approved"),
        StackError::UnknownDependency { .. } | StackError::Circle { .. } => {
            (Code::AssemblyInvalid, "the stacks cannot be put in order")
        }
        StackError::Aws { failure, .. } => (code_of(failure.kind), "the cloud refused a call"),
    };
    let what_next = match &error {
        StackError::Refused { reason, .. } if reason.contains("must have values") => {
            Some("give them with --parameters [STACK:]KEY=VALUE, or a default in the template")
        }
        StackError::Moved { .. } => Some("plan again with `llama-deploy deploy --no-execute`"),
        _ => None,
    };
    let failure = Failure::new(code, message).because(error);
    match what_next {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

pub fn destroying(error: StackError) -> Failure {
    let (code, message, hint) = match &error {
        StackError::Failed { failures, .. } => {
            let first = failures.first.as_ref().map(|cause| &cause.event);
            let id = first.map_or("LOGICAL_ID", |event| event.logical_id.as_str());
            let advice = first.and_then(advice);
            let hint = format!(
                "{}, and run the same command; or leave it where it is with --retain {id}",
                advice.as_deref().unwrap_or("remove what blocks it")
            );
            (Code::DeletionFailed, "a stack could not be deleted", hint)
        }
        StackError::TimedOut { .. } => (
            Code::DeletionFailed,
            "a stack takes longer than we wait",
            "the same command follows it further".to_owned(),
        ),
        StackError::Interrupted { .. } => (
            Code::Interrupted,
            "interrupted",
            "the same command deletes the rest".to_owned(),
        ),
        _ => return deploying(error),
    };
    Failure::new(code, message).because(error).hint(hint)
}

pub fn migrating(error: MigrateError) -> Failure {
    let (code, message, hint) = match &error {
        MigrateError::Load(_) => return loading(error),
        MigrateError::Connect { .. } | MigrateError::Unreachable { .. } => {
            (Code::DatabaseUnavailable, "no connection to the database", None)
        }
        MigrateError::Untrusted { .. } => (
            Code::DatabaseUnavailable,
            "the database cannot be trusted, and got no password",
            Some("the certificates of your own authority are named by [database] trusted-roots, a file in PEM"),
        ),
        MigrateError::LockHeld { .. } => (Code::LockHeld, "another run migrates this database", None),
        MigrateError::UnknownVersion { .. } => (
            Code::ArgumentsInvalid,
            "there is no such version",
            Some("llama-deploy migrate status lists the versions"),
        ),
        MigrateError::ContractTooEarly { .. } => (Code::PhaseTooEarly, "the database was not migrated", None),
        MigrateError::NoDown { .. } => (
            Code::DataWouldBeLost,
            "nothing was taken back",
            Some("the way forward is a new migration: llama-deploy migrate make NAME"),
        ),
        MigrateError::WouldLose { .. } => (
            Code::DataWouldBeLost,
            "this is not taken back",
            Some(
                "the way forward: a new migration that makes the schema what it should be (llama-deploy migrate make NAME), or \
                 llama-deploy rollback ENV, which turns the traffic back and leaves the schema",
            ),
        ),
        MigrateError::History { .. } => (
            Code::MigrationFailed,
            "the database was not migrated",
            Some("llama-deploy migrate repair says what can be done about each"),
        ),
        _ => (Code::MigrationFailed, "the database was not migrated", None),
    };
    let failure = Failure::new(code, message).because(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The folder of migrations.
pub fn loading(error: impl Into<anyhow::Error>) -> Failure {
    Failure::new(Code::MigrationsInvalid, "the migrations cannot be used").because(error)
}

/// Whatever is done with a backup; `otherwise` where the error does not say itself what is wrong with it.
pub fn with_backup(error: BackupError, otherwise: Code, message: &str) -> Failure {
    let code = match error {
        BackupError::Database(error) => return migrating(error),
        BackupError::Label { .. } => Code::ArgumentsInvalid,
        BackupError::Unknown { .. } => Code::BackupUnknown,
        BackupError::Damaged { .. }
        | BackupError::Restore { .. }
        | BackupError::RowsDiffer { .. }
        | BackupError::CheckFailed { .. } => Code::BackupUnproven,
        _ => otherwise,
    };
    Failure::new(code, message).because(error)
}

pub fn code_of(kind: PortErrorKind) -> Code {
    match kind {
        PortErrorKind::Denied => Code::CloudDenied,
        PortErrorKind::Conflict => Code::StackBusy,
        PortErrorKind::Invalid => Code::TemplateInvalid,
        PortErrorKind::NotFound => Code::SettingMissing,
        PortErrorKind::Throttled | PortErrorKind::Unavailable | PortErrorKind::Ambiguous => Code::CloudUnavailable,
    }
}
