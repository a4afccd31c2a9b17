//! What may be done with a stack in which state. States: the CloudFormation guide, "Stack status codes".

use super::error::StackError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Create,
    Update,
    /// Its creation failed and was undone: nothing of it stands, it can only be deleted and made again.
    Recreate,
}

/// `status` is `None` where there is no stack.
pub(crate) fn readiness(stack: &str, status: Option<&str>) -> Result<Readiness, StackError> {
    let Some(status) = status else {
        return Ok(Readiness::Create);
    };
    let (stack, status) = (stack.to_owned(), status.to_owned());
    match status.as_str() {
        // A change set was made and never executed; nothing stands.
        "REVIEW_IN_PROGRESS" | "DELETE_COMPLETE" => Ok(Readiness::Create),
        "CREATE_COMPLETE"
        | "UPDATE_COMPLETE"
        | "UPDATE_ROLLBACK_COMPLETE"
        | "UPDATE_FAILED"
        | "IMPORT_COMPLETE"
        | "IMPORT_ROLLBACK_COMPLETE" => Ok(Readiness::Update),
        "ROLLBACK_COMPLETE" => Ok(Readiness::Recreate),
        "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_FAILED" => Err(StackError::MustBeDeleted { stack, status }),
        "UPDATE_ROLLBACK_FAILED" => Err(StackError::MustContinueRollback { stack, status }),
        busy if busy.ends_with("_IN_PROGRESS") => Err(StackError::InProgress { stack, status }),
        _ => Err(StackError::Stuck { stack, status }),
    }
}

/// Whether CloudFormation is at work on it; a stack in review waits for its user.
pub(crate) fn is_busy(status: &str) -> bool {
    status.ends_with("_IN_PROGRESS") && status != "REVIEW_IN_PROGRESS"
}

pub(crate) fn is_terminal(status: &str) -> bool {
    !status.ends_with("_IN_PROGRESS")
}

/// Whether a change ended as it was asked to.
pub(crate) fn is_success(status: &str) -> bool {
    matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_touched_only_where_that_can_work() {
        assert_eq!(readiness("S", None).unwrap(), Readiness::Create);
        assert_eq!(readiness("S", Some("REVIEW_IN_PROGRESS")).unwrap(), Readiness::Create);
        assert_eq!(
            readiness("S", Some("UPDATE_ROLLBACK_COMPLETE")).unwrap(),
            Readiness::Update
        );
        let refused = |status| readiness("S", Some(status)).unwrap_err().to_string();
        assert!(refused("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS").contains("wait"));
        assert_eq!(readiness("S", Some("ROLLBACK_COMPLETE")).unwrap(), Readiness::Recreate);
        assert!(refused("ROLLBACK_FAILED").contains("delete"));
        assert!(refused("UPDATE_ROLLBACK_FAILED").contains("continue-update-rollback"));
        assert!(refused("IMPORT_ROLLBACK_FAILED").contains("IMPORT_ROLLBACK_FAILED"));
    }
}
