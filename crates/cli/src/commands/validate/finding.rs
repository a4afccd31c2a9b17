//! One thing that a rule found in a template.

use serde::{Deserialize, Serialize};

use crate::assembly::Stack;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Error,
    Warning,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's id: `E3002` of AWS's, or a policy's.
    pub id: String,
    pub severity: Severity,
    pub message: String,
    /// The stack's path, or the file.
    pub template: String,
    /// The logical id; nothing where the template as a whole is meant.
    pub resource: Option<String>,
    /// Below the resource, for example `Properties.Runtime`.
    pub property: Option<String>,
    /// The construct's path.
    pub construct: Option<String>,
    /// `FILE:LINE`: of the app where it told it, else of the template.
    pub source: Option<String>,
    /// Why the rule is there.
    pub reason: Option<String>,
    pub fix: Option<String>,
    /// Why it does not count, where somebody said so.
    pub suppressed: Option<String>,
}

impl Finding {
    /// Points to the construct and to the line that made it.
    pub fn set_origin(&mut self, stack: &Stack) {
        if let Some(origin) = self.resource.as_deref().and_then(|id| stack.origin(id)) {
            self.construct = Some(origin.path.clone());
            if origin.source.is_some() {
                self.source.clone_from(&origin.source);
            }
        }
    }
}
