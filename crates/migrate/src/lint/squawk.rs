//! squawk's rules, sorted by what they mean while two versions share the database.

use squawk_linter::{Linter, Rule, Version};

use super::{Report, Severity};
use crate::phase::Phase;

/// What a rule of squawk's is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concern {
    /// The running version does not survive it: an error before it is gone, the very purpose of a contract.
    RunningVersion,
    /// Both: not survived before a contract, and a lock that is felt in one.
    RunningVersionAndLock,
    /// It holds others up while it runs, on a table that is large and in use.
    Lock,
    /// Wrong in any phase.
    Always,
    /// A matter of taste with a reason.
    Advice,
    /// Does not apply here: the runner sees to it, or it contradicts how files are recorded.
    Nothing,
}

fn concern(rule: Rule) -> Concern {
    match rule {
        Rule::BanDropColumn
        | Rule::BanDropTable
        | Rule::BanDropView
        | Rule::BanDropFunction
        | Rule::BanDropType
        | Rule::BanDropDefault
        | Rule::BanDropTrigger
        | Rule::BanDropSchema
        | Rule::BanDropSequence
        | Rule::BanDropDomain
        | Rule::BanDropGeneratedExpression
        | Rule::BanDropExtension
        | Rule::BanDropNotNull
        | Rule::RenamingColumn
        | Rule::RenamingTable
        | Rule::RenamingObject
        | Rule::BanSetSchema
        | Rule::BanAlterIdentity
        | Rule::BanAlterGeneratedExpression
        | Rule::BanDisableTrigger
        | Rule::BanDropPolicy
        | Rule::BanRevoke
        | Rule::BanReplaceViewFunction
        | Rule::BanAlterPolicyCondition
        | Rule::BanAlterPolicyRoles
        | Rule::BanCreatePolicy
        | Rule::BanAlterRowLevelSecurity
        | Rule::BanNewWriteRestriction
        | Rule::BanAlterDomainWithAddConstraint
        | Rule::BanDetachInheritance
        | Rule::AddingRequiredField => Concern::RunningVersion,
        Rule::ChangingColumnType | Rule::AddingNotNullableField | Rule::DisallowedUniqueConstraint => {
            Concern::RunningVersionAndLock
        }
        Rule::RequireConcurrentIndexCreation
        | Rule::RequireConcurrentIndexDeletion
        | Rule::RequireConcurrentPartitionDetach
        | Rule::RequireConcurrentReindex
        | Rule::ConstraintMissingNotValid
        | Rule::AddingFieldWithDefault
        | Rule::AddingForeignKeyConstraint
        | Rule::AddingSerialPrimaryKeyField => Concern::Lock,
        Rule::BanDropDatabase
        | Rule::BanTruncateCascade
        | Rule::BanDuplicateColumnAssignments
        | Rule::IdentifierTooLong => Concern::Always,
        Rule::PreferBigintOverInt
        | Rule::PreferBigintOverSmallint
        | Rule::PreferIdentity
        | Rule::PreferRepack
        | Rule::PreferTextField
        | Rule::PreferTimestampTz
        | Rule::BanCharField
        | Rule::BanCreateDomainWithConstraint
        | Rule::RequireEnumValueOrdering
        | Rule::BanAddColumn => Concern::Advice,
        // The runner sets timeouts and opens the transaction, and the loader refuses files that do either. `IF NOT EXISTS`
        // takes an index that was left invalid for a finished one. Dropping a constraint or an index takes nothing away
        // that a version can see, and who may alter the system is no matter of phases.
        Rule::RequireTimeoutSettings
        | Rule::RequireLockTimeout
        | Rule::RequireStatementTimeout
        | Rule::TransactionNesting
        | Rule::BanUncommittedTransaction
        | Rule::BanConcurrentIndexCreationInTransaction
        | Rule::PreferRobustStmts
        | Rule::UnusedIgnore
        | Rule::RequireTableSchema
        | Rule::BanDropConstraint
        | Rule::BanDropIndex
        | Rule::BanSetDefault
        | Rule::BanReplicaIdentity
        | Rule::BanAlterFunctionOptions
        | Rule::BanAlterViewOptions
        | Rule::BanAlterRoleOptions
        | Rule::BanAlterDatabaseOptions
        | Rule::BanAddEnumValue
        | Rule::BanAddCompositeAttribute
        | Rule::BanAlterSequenceValues
        | Rule::BanAlterSystemOptions
        | Rule::BanAlterExtension => Concern::Nothing,
    }
}

pub(super) fn check(report: &mut Report<'_>) {
    let rules: Vec<Rule> = enum_iterator::all::<Rule>().collect();
    let (wanted, unwanted): (Vec<Rule>, Vec<Rule>) =
        rules.into_iter().partition(|rule| concern(*rule) != Concern::Nothing);
    let mut linter = Linter::with_rules(&wanted, &unwanted);
    linter.settings.assume_in_transaction = !report.parsed.no_transaction;
    if let Some(version) = report
        .surroundings
        .server_major
        .and_then(|major| major.to_string().parse::<Version>().ok())
    {
        linter.settings.pg_version = version;
    }
    let parsed = report.parsed;
    for violation in linter.lint(&parsed.tree, &parsed.sql) {
        let offset = usize::from(violation.text_range.start());
        let table = parsed.table_at(offset);
        let is_new = table.as_ref().is_some_and(|table| parsed.new_tables.contains(table));
        let is_contract = report.phase() == Phase::Contract;
        let severity = match concern(violation.code) {
            // Nobody uses the table yet.
            Concern::RunningVersion | Concern::RunningVersionAndLock if is_new => continue,
            Concern::RunningVersion if is_contract => continue,
            Concern::RunningVersionAndLock if !is_contract => Severity::Error,
            Concern::RunningVersion | Concern::Always => Severity::Error,
            Concern::Lock | Concern::RunningVersionAndLock
                if table.as_deref().is_some_and(|table| report.is_harmless_to_lock(table)) =>
            {
                continue;
            }
            Concern::Lock | Concern::RunningVersionAndLock => Severity::Error,
            Concern::Advice if violation.code == Rule::BanAddColumn && (is_new || is_contract) => continue,
            Concern::Advice => Severity::Advice,
            Concern::Nothing => continue,
        };
        let line = parsed.line(offset);
        if violation.code == Rule::BanAddColumn {
            let why = "a version that runs and has prepared `SELECT *` on this table fails with \"cached plan must not \
                       change result type\" until it reconnects";
            let safe = "let the running version name its columns before this is applied".to_owned();
            report.add(line, "adding-column-under-select-star", severity, why, Some(safe));
            continue;
        }
        let mut why = violation.message.clone();
        if !is_contract
            && matches!(
                concern(violation.code),
                Concern::RunningVersion | Concern::RunningVersionAndLock
            )
        {
            why = format!(
                "{} The version that runs now has to survive a migration of the phase {}.",
                sentence(&why),
                report.phase()
            );
        } else if let Some(table) = &table {
            why = format!("{}{}", sentence(&why), report.size(table));
        }
        report.add(line, &violation.code.to_string(), severity, why, violation.help);
    }
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}
