//! How a command ends when it does not succeed: a stable code, what happened, what to do next, and an exit status.
//!
//! The one place that maps kinds of errors to codes and exit statuses. Libraries return their own typed errors; the
//! commands turn them into a [`Failure`].

use std::fmt;

/// Every code has a page in `codes.md`, which `llama-deploy explain CODE` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    ConfigMissing,
    ConfigInvalid,
    EnvironmentUnknown,
    SettingMissing,
    FolderUnsuitable,
    CratesUnknown,
    ArgumentsInvalid,
    AppDoesNotCompile,
    AppFailed,
    AssemblyInvalid,
    StackUnknown,
    ArtifactMissing,
    FunctionDoesNotCompile,
    ComparisonMissing,
    AssetUnknown,
    TargetMissing,
    RulesUnavailable,
    LocalPortTaken,
    LocalUnavailable,
    StackFailed,
    StackBusy,
    TemplateInvalid,
    ApprovalNeeded,
    DeletionRefused,
    DeletionFailed,
    DataAtRisk,
    PlanInvalid,
    PlanMoved,
    ParameterUnknown,
    StackElsewhere,
    BootstrapForeign,
    LockHeld,
    JournalDamaged,
    SmokeFailed,
    SchemaUnfit,
    RolledBack,
    NeedsHuman,
    ReleaseUnknown,
    NothingToRelease,
    ChecksFailed,
    GateFailed,
    GateUndecided,
    HistoryChanged,
    RequestRefused,
    NothingOpen,
    NoAnswer,
    SlotUnsuitable,
    MigrationFailed,
    DatabaseUnavailable,
    ContractRefused,
    MigrationsInvalid,
    PhaseTooEarly,
    DataWouldBeLost,
    BackupUnknown,
    BackupFailed,
    BackupUnproven,
    RestoreFailed,
    HookFailed,
    CloudDenied,
    CloudUnavailable,
    Interrupted,
    Internal,
}

impl Code {
    #[cfg(test)]
    pub const ALL: [Code; 62] = [
        Code::ConfigMissing,
        Code::ConfigInvalid,
        Code::EnvironmentUnknown,
        Code::SettingMissing,
        Code::FolderUnsuitable,
        Code::CratesUnknown,
        Code::ArgumentsInvalid,
        Code::AppDoesNotCompile,
        Code::AppFailed,
        Code::AssemblyInvalid,
        Code::StackUnknown,
        Code::ArtifactMissing,
        Code::FunctionDoesNotCompile,
        Code::ComparisonMissing,
        Code::AssetUnknown,
        Code::TargetMissing,
        Code::RulesUnavailable,
        Code::LocalPortTaken,
        Code::LocalUnavailable,
        Code::StackFailed,
        Code::StackBusy,
        Code::TemplateInvalid,
        Code::ApprovalNeeded,
        Code::DeletionRefused,
        Code::DeletionFailed,
        Code::DataAtRisk,
        Code::PlanInvalid,
        Code::PlanMoved,
        Code::ParameterUnknown,
        Code::StackElsewhere,
        Code::BootstrapForeign,
        Code::LockHeld,
        Code::JournalDamaged,
        Code::SmokeFailed,
        Code::SchemaUnfit,
        Code::RolledBack,
        Code::NeedsHuman,
        Code::ReleaseUnknown,
        Code::NothingToRelease,
        Code::ChecksFailed,
        Code::GateFailed,
        Code::GateUndecided,
        Code::HistoryChanged,
        Code::RequestRefused,
        Code::NothingOpen,
        Code::NoAnswer,
        Code::SlotUnsuitable,
        Code::MigrationFailed,
        Code::DatabaseUnavailable,
        Code::ContractRefused,
        Code::MigrationsInvalid,
        Code::PhaseTooEarly,
        Code::DataWouldBeLost,
        Code::BackupUnknown,
        Code::BackupFailed,
        Code::BackupUnproven,
        Code::RestoreFailed,
        Code::HookFailed,
        Code::CloudDenied,
        Code::CloudUnavailable,
        Code::Interrupted,
        Code::Internal,
    ];

    /// The code as it is printed, and as scripts may match it.
    pub fn id(self) -> &'static str {
        match self {
            Code::ConfigMissing => "LD0101",
            Code::ConfigInvalid => "LD0102",
            Code::EnvironmentUnknown => "LD0103",
            Code::SettingMissing => "LD0104",
            Code::FolderUnsuitable => "LD0105",
            Code::CratesUnknown => "LD0106",
            Code::ArgumentsInvalid => "LD0107",
            Code::AppDoesNotCompile => "LD0201",
            Code::AppFailed => "LD0202",
            Code::AssemblyInvalid => "LD0203",
            Code::StackUnknown => "LD0204",
            Code::ArtifactMissing => "LD0205",
            Code::FunctionDoesNotCompile => "LD0206",
            Code::ComparisonMissing => "LD0207",
            Code::AssetUnknown => "LD0208",
            Code::TargetMissing => "LD0209",
            Code::RulesUnavailable => "LD0221",
            Code::LocalPortTaken => "LD0301",
            Code::LocalUnavailable => "LD0302",
            Code::StackFailed => "LD0401",
            Code::StackBusy => "LD0402",
            Code::TemplateInvalid => "LD0403",
            Code::ApprovalNeeded => "LD0404",
            Code::DeletionRefused => "LD0421",
            Code::DeletionFailed => "LD0422",
            Code::DataAtRisk => "LD0405",
            Code::PlanInvalid => "LD0406",
            Code::PlanMoved => "LD0407",
            Code::ParameterUnknown => "LD0408",
            Code::StackElsewhere => "LD0409",
            Code::BootstrapForeign => "LD0423",
            Code::LockHeld => "LD0501",
            Code::JournalDamaged => "LD0502",
            Code::SmokeFailed => "LD0503",
            Code::RolledBack => "LD0504",
            Code::NeedsHuman => "LD0505",
            Code::ReleaseUnknown => "LD0506",
            Code::NothingToRelease => "LD0507",
            Code::ChecksFailed => "LD0508",
            Code::GateFailed => "LD0509",
            Code::GateUndecided => "LD0510",
            Code::HistoryChanged => "LD0511",
            Code::RequestRefused => "LD0512",
            Code::NothingOpen => "LD0513",
            Code::NoAnswer => "LD0514",
            Code::SlotUnsuitable => "LD0515",
            Code::SchemaUnfit => "LD0516",
            Code::MigrationFailed => "LD0601",
            Code::DatabaseUnavailable => "LD0602",
            Code::ContractRefused => "LD0603",
            Code::MigrationsInvalid => "LD0610",
            Code::PhaseTooEarly => "LD0611",
            Code::DataWouldBeLost => "LD0612",
            Code::BackupUnknown => "LD0613",
            Code::BackupFailed => "LD0614",
            Code::BackupUnproven => "LD0615",
            Code::RestoreFailed => "LD0616",
            Code::HookFailed => "LD0604",
            Code::CloudDenied => "LD0701",
            Code::CloudUnavailable => "LD0702",
            Code::Interrupted => "LD0801",
            Code::Internal => "LD0901",
        }
    }

    /// 2: the input is wrong and nothing was done. 3: the release was turned back and the old one serves. 4: somebody
    /// else is at work. 5: a person must decide. 130: interrupted. 1: everything else.
    pub fn exit_status(self) -> u8 {
        match self {
            Code::ConfigMissing
            | Code::ConfigInvalid
            | Code::EnvironmentUnknown
            | Code::SettingMissing
            | Code::FolderUnsuitable
            | Code::CratesUnknown
            | Code::ArgumentsInvalid
            | Code::AppDoesNotCompile
            | Code::AppFailed
            | Code::AssemblyInvalid
            | Code::StackUnknown
            | Code::ArtifactMissing
            | Code::FunctionDoesNotCompile
            | Code::ComparisonMissing
            | Code::AssetUnknown
            | Code::TargetMissing
            | Code::TemplateInvalid
            | Code::ApprovalNeeded
            | Code::DeletionRefused
            | Code::DataAtRisk
            | Code::PlanInvalid
            | Code::PlanMoved
            | Code::ParameterUnknown
            | Code::BootstrapForeign
            | Code::StackElsewhere
            | Code::ReleaseUnknown
            | Code::NothingToRelease
            | Code::RequestRefused
            | Code::ContractRefused
            | Code::NothingOpen
            | Code::SlotUnsuitable
            | Code::MigrationsInvalid
            | Code::PhaseTooEarly
            | Code::DataWouldBeLost
            | Code::BackupUnknown => 2,
            Code::SmokeFailed | Code::SchemaUnfit | Code::RolledBack => 3,
            Code::LockHeld | Code::StackBusy | Code::NoAnswer => 4,
            Code::NeedsHuman | Code::JournalDamaged | Code::HistoryChanged => 5,
            Code::Interrupted => 130,
            Code::LocalPortTaken
            | Code::LocalUnavailable
            | Code::StackFailed
            | Code::RulesUnavailable
            | Code::DeletionFailed
            | Code::ChecksFailed
            | Code::GateFailed
            | Code::GateUndecided
            | Code::MigrationFailed
            | Code::DatabaseUnavailable
            | Code::BackupFailed
            | Code::BackupUnproven
            | Code::RestoreFailed
            | Code::HookFailed
            | Code::CloudDenied
            | Code::CloudUnavailable
            | Code::Internal => 1,
        }
    }
}

#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    /// What happened, to which resource.
    pub message: String,
    /// What to do next.
    pub hints: Vec<String>,
    /// Why, from the outside in.
    pub cause: Option<anyhow::Error>,
    /// Instead of the code's own.
    status: Option<u8>,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hints: Vec::new(),
            cause: None,
            status: None,
        }
    }

    /// For a command whose status 1 means something else: an end with 1 becomes one with `status`.
    pub fn ending_with(mut self, status: u8) -> Self {
        if self.code.exit_status() == 1 {
            self.status = Some(status);
        }
        self
    }

    pub fn exit_status(&self) -> u8 {
        self.status.unwrap_or_else(|| self.code.exit_status())
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// One JSON document for machines, with the members `code`, `message`, `causes` and `hints`.
    pub fn to_json(&self) -> serde_json::Value {
        let causes: Vec<String> = self
            .cause
            .iter()
            .flat_map(|cause| cause.chain())
            .map(ToString::to_string)
            .collect();
        serde_json::json!({
            "error": { "code": self.code.id(), "message": self.message, "causes": causes, "hints": self.hints }
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "error[{}]: {}", self.code.id(), self.message)?;
        for cause in self.cause.iter().flat_map(|cause| cause.chain()) {
            write!(formatter, "\n  because: {}", indented(&cause.to_string()))?;
        }
        for hint in &self.hints {
            write!(formatter, "\n  hint: {}", indented(hint))?;
        }
        write!(formatter, "\n  more: llama-deploy explain {}", self.code.id())
    }
}

/// Keeps a message of several lines under its label.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

pub type Outcome<T = ()> = Result<T, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        let mut ids: Vec<&str> = Code::ALL.iter().map(|code| code.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Code::ALL.len());
    }

    #[test]
    fn where_status_1_means_something_else_a_failure_ends_otherwise() {
        let ended = |code: Code| Failure::new(code, "").ending_with(2).exit_status();
        assert_eq!(ended(Code::CloudUnavailable), 2);
        assert_eq!(ended(Code::StackBusy), 4);
        assert_eq!(Failure::new(Code::CloudUnavailable, "").exit_status(), 1);
    }

    #[test]
    fn a_failure_reads_from_what_to_why_to_what_next() {
        let failure = Failure::new(Code::ConfigInvalid, "llama-deploy.toml cannot be read")
            .because(anyhow::anyhow!("line 3\nunexpected `x`").context("not TOML"))
            .hint("compare it with the README");
        assert_eq!(
            failure.to_string(),
            "error[LD0102]: llama-deploy.toml cannot be read\n  because: not TOML\n  because: line 3\n    unexpected `x`\n  \
             hint: compare it with the README\n  more: llama-deploy explain LD0102"
        );
    }
}
