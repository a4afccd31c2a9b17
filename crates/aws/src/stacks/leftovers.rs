//! Change sets of ours that a run left behind when it died between making one and executing it.
//!
//! Those that were made to be kept (`deploy --no-execute`) stay, and so does everybody else's. One of a run that is
//! still at work may go too: it would lose it anyway, because CloudFormation throws away all change sets of a stack
//! when one is executed.

use super::StackDescription;
use super::change_set::Purpose;
use super::error::StackError;
use crate::connection::Aws;
use crate::failure::{Failure, failed};

/// A stack holds at most a few hundred change sets.
const PAGE_LIMIT: usize = 20;

impl Aws {
    /// Deletes what was left of other deploys of the stack; `own` is the name that is about to be used.
    pub(super) async fn clean_leftovers(&self, stack: &StackDescription, own: &str) -> Result<(), StackError> {
        for (name, id) in self
            .change_sets(&stack.id)
            .await
            .map_err(StackError::aws(&stack.name))?
        {
            if name != own && Purpose::Deploy.made(&name) {
                tracing::info!(stack = stack.name, name, "deletes a change set that was left behind");
                self.cloudformation()
                    .delete_change_set()
                    .change_set_name(id)
                    .send()
                    .await
                    .map_err(failed("DeleteChangeSet", &stack.name))
                    .map_err(StackError::aws(&stack.name))?;
            }
        }
        Ok(())
    }

    /// Name and ARN of each change set of the stack.
    async fn change_sets(&self, stack_id: &str) -> Result<Vec<(String, String)>, Failure> {
        let mut found = Vec::new();
        let mut token = None;
        for _ in 0..PAGE_LIMIT {
            let page = self
                .cloudformation()
                .list_change_sets()
                .stack_name(stack_id)
                .set_next_token(token)
                .send()
                .await
                .map_err(failed("ListChangeSets", stack_id))?;
            for summary in page.summaries.unwrap_or_default() {
                if let (Some(name), Some(id)) = (summary.change_set_name, summary.change_set_id) {
                    found.push((name, id));
                }
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(found)
    }
}
