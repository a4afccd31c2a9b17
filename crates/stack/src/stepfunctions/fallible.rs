//! States that can fail: parallel branches and maps, and what is done about failures. Tasks can fail too.

use std::time::Duration;

use cfn::{Expr, IntoValue, Json};

use super::chain::Chainable;
use super::condition::number;
use super::state::{Common, Kind, State, StateData, input_and_output, parameters, result_path, result_selector, step};
use crate::site::Site;
use crate::tree::{Construct, NodeId, Scope};
use crate::units::whole_seconds;

const ALL_ERRORS: &str = "States.ALL";

/// Whether waiting times are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    Full,
    None,
}

/// What is tried again, and how often.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    errors: Vec<String>,
    interval: Option<Duration>,
    max_attempts: Option<u32>,
    backoff_rate: Option<f64>,
    max_delay: Option<Duration>,
    jitter: Option<Jitter>,
}

impl Retry {
    /// After these errors: `States.Timeout`, or what a task calls its own.
    pub fn on(errors: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            errors: errors.into_iter().map(Into::into).collect(),
            interval: None,
            max_attempts: None,
            backoff_rate: None,
            max_delay: None,
            jitter: None,
        }
    }

    /// After any error.
    pub fn on_all() -> Self {
        Self::on([ALL_ERRORS])
    }

    /// Before the first attempt; a second if nothing is said.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Three if nothing is said; 0 tries never again.
    #[must_use]
    pub fn max_attempts(mut self, count: u32) -> Self {
        self.max_attempts = Some(count);
        self
    }

    /// By how much each wait is longer than the one before; 2 if nothing is said.
    #[must_use]
    pub fn backoff_rate(mut self, rate: f64) -> Self {
        self.backoff_rate = Some(rate);
        self
    }

    /// No wait is longer.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = Some(delay);
        self
    }

    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = Some(jitter);
        self
    }

    pub(super) fn render(&self) -> cfn::Map {
        let mut map = cfn::Map::new();
        map.insert("ErrorEquals", Expr::list(self.errors.clone()));
        let mut set = |key: &'static str, value: Option<Expr>| {
            if let Some(value) = value {
                map.insert(key, value);
            }
        };
        let seconds = |duration: Duration| Expr::from(whole_seconds(duration));
        set("IntervalSeconds", self.interval.map(seconds));
        set("MaxAttempts", self.max_attempts.map(Expr::from));
        set("BackoffRate", self.backoff_rate.map(number));
        set("MaxDelaySeconds", self.max_delay.map(seconds));
        set(
            "JitterStrategy",
            self.jitter.map(|jitter| match jitter {
                Jitter::Full => "FULL".into(),
                Jitter::None => "NONE".into(),
            }),
        );
        map
    }
}

/// Which failures lead to another state.
#[derive(Clone, Debug, PartialEq)]
pub struct Catch {
    errors: Vec<String>,
    pub(super) result_path: Option<Expr>,
}

impl Catch {
    /// These errors.
    pub fn on(errors: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            errors: errors.into_iter().map(Into::into).collect(),
            result_path: None,
        }
    }

    pub fn all() -> Self {
        Self::on([ALL_ERRORS])
    }

    /// Where the error goes in the input; it takes its place if nothing is said.
    #[must_use]
    pub fn result_path(mut self, path: impl Into<String>) -> Self {
        self.result_path = Some(path.into().into());
        self
    }

    /// Throws the error away: the handler gets the input.
    #[must_use]
    pub fn discard_result(mut self) -> Self {
        self.result_path = Some(Expr::Null);
        self
    }

    pub(super) fn errors(&self) -> Expr {
        Expr::list(self.errors.clone())
    }
}

fn is_all(errors: &[String]) -> bool {
    errors.iter().any(|error| error == ALL_ERRORS)
}

fn check_errors(construct: &Construct, errors: &[String]) {
    if is_all(errors) && errors.len() > 1 {
        construct.report(format!("{ALL_ERRORS} says all, and stands alone"));
    }
}

/// Those for all errors last, since the first that fits is taken.
pub(super) fn last_for_all<T>(items: &[T], errors: impl Fn(&T) -> &[String]) -> Vec<&T> {
    let (all, some): (Vec<&T>, Vec<&T>) = items.iter().partition(|item| is_all(errors(item)));
    some.into_iter().chain(all).collect()
}

impl Retry {
    pub(super) fn in_order(retries: &[Self]) -> Vec<&Self> {
        last_for_all(retries, |retry| &retry.errors)
    }
}

impl Catch {
    pub(super) fn in_order(catches: &[(Self, NodeId)]) -> Vec<&(Self, NodeId)> {
        last_for_all(catches, |(catch, _)| &catch.errors)
    }
}

impl State {
    pub(super) fn add_retry(&self, retry: Retry) {
        check_errors(&self.0, &retry.errors);
        self.with(|data| data.retries.push(retry));
    }

    pub(super) fn add_catch(&self, handler: &impl Chainable, catch: Catch) {
        check_errors(&self.0, &catch.errors);
        let handler = handler.chain().start;
        self.with(|data| data.catches.push((catch, handler.node())));
        handler.with(|data| data.incoming.push(self.node()));
    }
}

macro_rules! fallible {
    ($name:ident) => {
        impl $name {
            /// What is tried again; what fits all errors comes last.
            pub fn add_retry(&self, retry: $crate::stepfunctions::Retry) -> &Self {
                self.0.add_retry(retry);
                self
            }

            /// Failures lead to `handler`; what fits all errors comes last.
            pub fn add_catch(
                &self,
                handler: &impl $crate::stepfunctions::Chainable,
                catch: $crate::stepfunctions::Catch,
            ) -> &Self {
                self.0.add_catch(handler, catch);
                self
            }
        }
    };
}
pub(super) use fallible;

step! {
    /// Branches that run at the same time. The result is a list of theirs.
    Parallel
}
fallible!(Parallel);

#[must_use = "nothing is made until `build`"]
pub struct ParallelBuilder {
    site: Site,
    common: Common,
    branches: Vec<State>,
}

impl ParallelBuilder {
    input_and_output!();
    parameters!();
    result_path!();
    result_selector!();

    pub fn branch(mut self, branch: &impl Chainable) -> Self {
        self.branches.push(branch.chain().start);
        self
    }

    pub fn build(self) -> Parallel {
        let construct = self.site.make("stepfunctions.Parallel");
        if self.branches.is_empty() {
            construct.report("a parallel state needs a branch at least");
        }
        let mut data = StateData::new(Kind::Parallel, self.common);
        data.branches = self.branches.iter().map(State::node).collect();
        Parallel(State::make(construct, data))
    }
}

impl Parallel {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> ParallelBuilder {
        ParallelBuilder {
            site: Site::new(scope, id),
            common: Common::default(),
            branches: Vec::new(),
        }
    }
}

step! {
    /// The same work for each item of a list. The result is a list.
    Map
}
fallible!(Map);

#[must_use = "nothing is made until `build`"]
pub struct MapBuilder {
    site: Site,
    common: Common,
    processor: State,
    items: cfn::Map,
    concurrency: cfn::Map,
}

impl MapBuilder {
    input_and_output!();
    parameters!();
    result_path!();
    result_selector!();

    /// Where the list is in the input; the input itself if nothing is said.
    pub fn items_path(mut self, path: impl Into<String>) -> Self {
        self.items.insert("ItemsPath", path.into());
        self
    }

    /// What the work gets for an item: `{"item.$": "$$.Map.Item.Value"}`.
    pub fn item_selector(mut self, selector: impl IntoValue<Json>) -> Self {
        self.items.insert("ItemSelector", selector.into_value());
        self
    }

    /// How many at a time; as many as Step Functions likes if nothing is said.
    pub fn max_concurrency(mut self, count: u32) -> Self {
        self.concurrency = cfn::Map::new();
        if count > 0 {
            self.concurrency.insert("MaxConcurrency", count);
        }
        self
    }

    /// As [`MapBuilder::max_concurrency`], found in the input.
    pub fn max_concurrency_path(mut self, path: impl Into<String>) -> Self {
        self.concurrency = cfn::Map::new();
        self.concurrency.insert("MaxConcurrencyPath", path.into());
        self
    }

    pub fn build(self) -> Map {
        let construct = self.site.make("stepfunctions.Map");
        let mut items = cfn::Map::new();
        for key in ["ItemsPath", "ItemSelector"] {
            if let Some(value) = self.items.get(key) {
                items.insert(key, value.clone());
            }
        }
        let kind = Kind::Map {
            items,
            concurrency: self.concurrency,
        };
        let mut data = StateData::new(kind, self.common);
        data.branches = vec![self.processor.node()];
        Map(State::make(construct, data))
    }
}

impl Map {
    /// `processor` is the work for one item.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, processor: &impl Chainable) -> MapBuilder {
        MapBuilder {
            site: Site::new(scope, id),
            common: Common::default(),
            processor: processor.chain().start,
            items: cfn::Map::new(),
            concurrency: cfn::Map::new(),
        }
    }
}

step! {
    /// A state that was written in Amazon States Language.
    CustomState
}
fallible!(CustomState);

impl CustomState {
    /// `state` is the state without what follows it: `{"Type": "Task", "Resource": "…"}`. What it calls must be allowed
    /// to the role of the state machine.
    #[track_caller]
    pub fn new(scope: &impl Scope, id: impl Into<String>, state: impl IntoValue<Json>) -> Self {
        let construct = Site::new(scope, id).make("stepfunctions.CustomState");
        let written = match state.into_value().into_expr() {
            Expr::Map(map) => map,
            _ => {
                construct.report("a state is an object, such as {\"Type\": \"Pass\"}");
                cfn::Map::new()
            }
        };
        let data = StateData::new(Kind::Custom(written), Common::default());
        Self(State::make(construct, data))
    }
}
