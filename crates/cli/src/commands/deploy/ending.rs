//! How a deploy of several stacks ended: what is printed and written, and the failure that it ends with.

use std::collections::BTreeMap;
use std::path::Path;

use aws::stacks::{Cause, Ending, Failures, StackEnd, StackError, advice};
use serde_json::json;

use super::approval::Ask;
use super::guard::place;
use super::progress::Progress;
use crate::assembly::Stack;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;

/// What an ending is told with.
pub struct Teller<'a> {
    pub console: &'a Console,
    pub stacks: &'a [Stack],
    pub ask: &'a Ask,
    pub progress: &'a Progress,
    /// Shows all failures and not only the first.
    pub verbose: bool,
    pub outputs_file: Option<&'a Path>,
}

impl Teller<'_> {
    /// Prints what came of each stack; the first failure is the command's.
    pub fn end(&self, ends: Vec<StackEnd>) -> Outcome<u8> {
        self.show(&ends);
        self.write_outputs(&ends)?;
        let not_begun = stacks_that(&ends, |ending| matches!(ending, Ending::NotBegun));
        let skipped = stacks_that(&ends, |ending| matches!(ending, Ending::Skipped { .. }));
        let mut failures: Vec<Failure> = Vec::new();
        for end in ends {
            if let Ending::Failed(error) = end.ending {
                failures.push(self.failed(error));
            }
        }
        let mut failures = failures.into_iter();
        if let Some(first) = failures.next() {
            for other in failures {
                self.console.say(&other.to_string());
            }
            return Err(match skipped.is_empty() {
                true => first,
                false => first.hint(format!("skipped because of it: {}", skipped.join(", "))),
            });
        }
        if !not_begun.is_empty() {
            return Err(interrupted(&format!("not deployed: {}", not_begun.join(", "))));
        }
        Ok(0)
    }

    fn show(&self, ends: &[StackEnd]) {
        let mut documents = Vec::new();
        for StackEnd { stack, ending } in ends {
            let result = match ending {
                Ending::Deployed(outcome) => {
                    let result = if outcome.changed { "deployed" } else { "no change" };
                    self.console.say(&format!("{stack}: {result}"));
                    for (name, value) in &outcome.description.outputs {
                        self.console.print(&format!("{stack}.{name} = {value}"));
                    }
                    documents.push(json!({
                        "stack": stack, "result": if outcome.changed { "deployed" } else { "unchanged" },
                        "changed": outcome.changed, "status": outcome.description.status,
                        "outputs": outcome.description.outputs
                    }));
                    continue;
                }
                Ending::Failed(_) => "failed",
                Ending::Skipped { .. } => "skipped",
                Ending::NotBegun => "not-begun",
            };
            self.console.say(&format!("{stack}: {}", result.replace('-', " ")));
            documents.push(json!({ "stack": stack, "result": result, "changed": false }));
        }
        self.console.print_json(&json!({ "stacks": documents }));
    }

    /// As `cdk deploy --outputs-file` writes it: the outputs of each stack that stands.
    fn write_outputs(&self, ends: &[StackEnd]) -> Outcome {
        let Some(file) = self.outputs_file else { return Ok(()) };
        let outputs: BTreeMap<&str, &BTreeMap<String, String>> = ends
            .iter()
            .filter_map(|end| match &end.ending {
                Ending::Deployed(outcome) if !outcome.description.outputs.is_empty() => {
                    Some((end.stack.as_str(), &outcome.description.outputs))
                }
                _ => None,
            })
            .collect();
        let cannot = |error: anyhow::Error| {
            Failure::new(
                Code::ConfigInvalid,
                format!(
                    "the stacks are deployed, but their outputs cannot be written to {}",
                    file.display()
                ),
            )
            .because(error)
        };
        let text = serde_json::to_string_pretty(&outputs).map_err(|error| cannot(error.into()))?;
        std::fs::write(file, text + "\n").map_err(|error| cannot(error.into()))
    }

    fn failed(&self, error: StackError) -> Failure {
        match error {
            StackError::NotApproved { ref stack } => self
                .ask
                .refusal(Some(stack))
                .unwrap_or_else(|| refusal::deploying(error)),
            StackError::Failed {
                stack,
                status,
                failures,
            } => self.stack_failed(&stack, &status, &failures),
            error => refusal::deploying(error),
        }
    }

    fn stack_failed(&self, stack: &str, status: &str, failures: &Failures) -> Failure {
        let mut failure = Failure::new(
            Code::StackFailed,
            format!("{stack} could not be deployed: it is {status}"),
        );
        let Some(first) = &failures.first else {
            return failure.hint(format!(
                "no event says why; all of them are in {}",
                self.progress.log.display()
            ));
        };
        failure = failure.because(anyhow::anyhow!("{}", self.cause(stack, first)));
        if let Some(advice) = advice(&first.event) {
            failure = failure.hint(advice);
        }
        if status == "UPDATE_ROLLBACK_FAILED" {
            failure = failure.hint(format!(
                "the rollback failed too: remove what blocks it, then `aws cloudformation continue-update-rollback \
                 --stack-name {stack}`, and deploy again"
            ));
        }
        match failures.further.len() {
            0 => failure,
            further if !self.verbose => failure.hint(format!(
                "{further} further failures: --verbose shows them, and every event is in {}",
                self.progress.log.display()
            )),
            _ => failures.further.iter().fold(failure, |failure, cause| {
                failure.hint(format!("also failed: {}", self.cause(stack, cause)))
            }),
        }
    }

    /// `Queue4A7E3555 (AWS::SQS::Queue), Service/Queue at src/main.rs:12, UPDATE_FAILED: the reason`
    fn cause(&self, stack: &str, cause: &Cause) -> String {
        let event = &cause.event;
        let nested: String = cause.within.iter().map(|id| format!("{id}/")).collect();
        let origin = self
            .stacks
            .iter()
            .find(|known| known.name == stack)
            .and_then(|known| known.origin(cause.within.first().unwrap_or(&event.logical_id)));
        let place = origin.map(|origin| format!(", {}", place(origin))).unwrap_or_default();
        format!(
            "{nested}{} ({}){place}, {}: {}",
            event.logical_id,
            event.resource_type,
            event.status,
            event.reason.as_deref().unwrap_or("no reason given")
        )
    }
}

pub fn interrupted(what: &str) -> Failure {
    Failure::new(Code::Interrupted, format!("interrupted; {what}")).hint("the same command does the rest")
}

fn stacks_that(ends: &[StackEnd], wanted: impl Fn(&Ending) -> bool) -> Vec<String> {
    let found = ends.iter().filter(|end| wanted(&end.ending));
    found.map(|end| end.stack.clone()).collect()
}
