//! The states of stacks and resources, by CloudFormation's names.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    ReviewInProgress,
    CreateInProgress,
    CreateFailed,
    CreateComplete,
    RollbackInProgress,
    RollbackFailed,
    RollbackComplete,
    UpdateInProgress,
    UpdateFailed,
    UpdateCompleteCleanupInProgress,
    UpdateComplete,
    UpdateRollbackInProgress,
    UpdateRollbackFailed,
    UpdateRollbackCompleteCleanupInProgress,
    UpdateRollbackComplete,
    DeleteInProgress,
    DeleteFailed,
    DeleteSkipped,
    DeleteComplete,
}

impl Status {
    /// Whether CloudFormation is at work on it; a stack in review waits for its user.
    pub fn is_running(self) -> bool {
        matches!(
            self,
            Self::CreateInProgress
                | Self::RollbackInProgress
                | Self::UpdateInProgress
                | Self::UpdateCompleteCleanupInProgress
                | Self::UpdateRollbackInProgress
                | Self::UpdateRollbackCompleteCleanupInProgress
                | Self::DeleteInProgress
        )
    }

    /// Whether a stack in this state takes an update.
    pub fn is_updatable(self) -> bool {
        matches!(
            self,
            // The failed ones are there only when rollback was turned off, and then an update is the way out.
            Self::CreateComplete
                | Self::UpdateComplete
                | Self::UpdateRollbackComplete
                | Self::CreateFailed
                | Self::UpdateFailed
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}
