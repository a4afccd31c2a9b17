//! Removing a stack.

use super::error::StackError;
use super::{StackEvent, readiness};
use crate::connection::Aws;
use crate::failure::failed;

impl Aws {
    /// Deletes a stack and everything it holds that is not to be retained, and reports each event until it is gone.
    /// No such stack is a success.
    pub async fn destroy_stack(
        &self,
        name: &str,
        on_event: &(dyn Fn(&StackEvent) + Send + Sync),
    ) -> Result<(), StackError> {
        let Some(stack) = self.describe_stack(name).await.map_err(StackError::aws(name))? else {
            return Ok(());
        };
        let busy = stack.status.ends_with("_IN_PROGRESS")
            && !matches!(stack.status.as_str(), "REVIEW_IN_PROGRESS" | "DELETE_IN_PROGRESS");
        if busy {
            return Err(StackError::InProgress {
                stack: name.to_owned(),
                status: stack.status,
            });
        }
        let log = self.event_log(&stack.id).await.map_err(StackError::aws(name))?;
        self.cloudformation()
            .delete_stack()
            .stack_name(&stack.id)
            .send()
            .await
            .map_err(failed("DeleteStack", name))
            .map_err(StackError::aws(name))?;
        if stack.status == "REVIEW_IN_PROGRESS" {
            return Ok(());
        }
        let ended = self.follow(name, &stack.id, log, on_event).await?;
        debug_assert!(readiness::is_terminal(&ended.status));
        if ended.status == "DELETE_COMPLETE" {
            return Ok(());
        }
        let cause = ended.first_failure.map(Box::new);
        Err(StackError::Failed {
            stack: name.to_owned(),
            status: ended.status,
            cause,
        })
    }
}
