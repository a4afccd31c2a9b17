//! States that do nothing outside: pass, wait, succeed, fail.

use std::time::Duration;

use cfn::{Expr, IntoValue, Json, Map};

use super::state::{Common, Kind, State, StateData, end, input_and_output, parameters, result_path, step};
use crate::site::Site;
use crate::tree::Scope;
use crate::units::whole_seconds;

/// The functions that may stand for a path in a failure.
const FUNCTIONS_IN_FAILURES: [&str; 7] = [
    "States.Format",
    "States.JsonToString",
    "States.ArrayGetItem",
    "States.Base64Encode",
    "States.Base64Decode",
    "States.Hash",
    "States.UUID",
];

step! {
    /// A state that passes its input on, or a constant.
    Pass
}

#[must_use = "nothing is made until `build`"]
pub struct PassBuilder {
    site: Site,
    common: Common,
    result: Option<Expr>,
}

impl PassBuilder {
    input_and_output!();
    parameters!();
    result_path!();

    /// A constant, as if a task had given it.
    pub fn result(mut self, result: impl IntoValue<Json>) -> Self {
        self.result = Some(result.into_value().into_expr());
        self
    }

    pub fn build(self) -> Pass {
        let construct = self.site.make("stepfunctions.Pass");
        let kind = Kind::Pass { result: self.result };
        Pass(State::make(construct, StateData::new(kind, self.common)))
    }
}

impl Pass {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> PassBuilder {
        PassBuilder {
            site: Site::new(scope, id),
            common: Common::default(),
            result: None,
        }
    }
}

step! {
    /// A state that waits.
    Wait
}

/// How long to wait, or until when.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitTime(&'static str, Expr);

impl WaitTime {
    /// Whole seconds.
    pub fn duration(duration: Duration) -> Self {
        Self("Seconds", whole_seconds(duration).into())
    }

    /// Until `2026-12-24T18:00:00Z`.
    pub fn timestamp(timestamp: impl Into<String>) -> Self {
        Self("Timestamp", timestamp.into().into())
    }

    /// A number of seconds in the input: `$.seconds`.
    pub fn seconds_path(path: impl Into<String>) -> Self {
        Self("SecondsPath", path.into().into())
    }

    /// A time in the input: `$.when`.
    pub fn timestamp_path(path: impl Into<String>) -> Self {
        Self("TimestampPath", path.into().into())
    }
}

#[must_use = "nothing is made until `build`"]
pub struct WaitBuilder {
    site: Site,
    common: Common,
    time: WaitTime,
}

impl WaitBuilder {
    input_and_output!();

    pub fn build(self) -> Wait {
        let construct = self.site.make("stepfunctions.Wait");
        let kind = Kind::Wait(self.time.0, self.time.1);
        Wait(State::make(construct, StateData::new(kind, self.common)))
    }
}

impl Wait {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, time: WaitTime) -> WaitBuilder {
        WaitBuilder {
            site: Site::new(scope, id),
            common: Common::default(),
            time,
        }
    }
}

end! {
    /// A state that ends the execution, or the branch, well.
    Succeed
}

#[must_use = "nothing is made until `build`"]
pub struct SucceedBuilder {
    site: Site,
    common: Common,
}

impl SucceedBuilder {
    input_and_output!();

    pub fn build(self) -> Succeed {
        let construct = self.site.make("stepfunctions.Succeed");
        Succeed(State::make(construct, StateData::new(Kind::Succeed, self.common)))
    }
}

impl Succeed {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> SucceedBuilder {
        SucceedBuilder {
            site: Site::new(scope, id),
            common: Common::default(),
        }
    }
}

end! {
    /// A state that ends the execution as failed.
    Fail
}

#[must_use = "nothing is made until `build`"]
pub struct FailBuilder {
    site: Site,
    common: Common,
    error: Option<(&'static str, String)>,
    cause: Option<(&'static str, String)>,
}

impl FailBuilder {
    /// The name in the definition, if not the id of the construct.
    pub fn state_name(mut self, name: impl Into<String>) -> Self {
        self.common.name = Some(name.into());
        self
    }

    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.common.comment = Some(comment.into());
        self
    }

    /// What went wrong, as a name.
    pub fn error(mut self, error: impl Into<String>) -> Self {
        self.error = Some(("Error", error.into()));
        self
    }

    /// As [`FailBuilder::error`], found in the input: `$.error`, or made of it: `States.Format('{}', $.error)`.
    pub fn error_path(mut self, path: impl Into<String>) -> Self {
        self.error = Some(("ErrorPath", path.into()));
        self
    }

    /// What went wrong, for people.
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(("Cause", cause.into()));
        self
    }

    /// As [`FailBuilder::cause`], found in the input or made of it.
    pub fn cause_path(mut self, path: impl Into<String>) -> Self {
        self.cause = Some(("CausePath", path.into()));
        self
    }

    pub fn build(self) -> Fail {
        let construct = self.site.make("stepfunctions.Fail");
        let mut said = Map::new();
        for (key, text) in self.error.into_iter().chain(self.cause) {
            let is_allowed = || FUNCTIONS_IN_FAILURES.iter().any(|function| text.starts_with(function));
            if key.ends_with("Path") && !text.starts_with('$') && !is_allowed() {
                construct.report(format!(
                    "`{text}` is neither a path nor one of {}",
                    FUNCTIONS_IN_FAILURES.join(", ")
                ));
            }
            said.insert(key, text);
        }
        Fail(State::make(construct, StateData::new(Kind::Fail(said), self.common)))
    }
}

impl Fail {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> FailBuilder {
        FailBuilder {
            site: Site::new(scope, id),
            common: Common::default(),
            error: None,
            cause: None,
        }
    }
}
