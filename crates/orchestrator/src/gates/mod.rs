//! Gates: the questions asked during a bake, and how their answers become one verdict.
//!
//! [`judge`] is pure: samples in, judgement out, with every number it rests on, so that the journal can show why a
//! rollout went on or turned back. [`queries`] says what has to be asked of the metrics; the driver asks. [`preflight`]
//! says before a rollout whether its traffic can decide.
//!
//! The rule for one step, over the samples from when its weight was in force:
//! - **fail** when a rate is above its limit with 99 % confidence (one-sided exact binomial bound, [`binomial`]), a
//!   function fails more often in the candidate's slot than in the live one (an anytime-valid test, [`comparison`]), a
//!   count is above its limit, an alarm went into ALARM that was not there when the rollout began, or a check says so;
//! - **pass** when nothing fails, the candidate's functions were called at least `minimum_requests` times all together
//!   and often enough to show that their errors are below the limit (95 %), every rate is at most its
//!   `pass_at_most_percent` or may be and is shown to be below the limit, and no data is missing;
//! - **inconclusive** otherwise. The bake is then extended, and ends as `low_traffic` says.
//!
//! A candidate's calls are told from the live ones by the metrics of its aliases. What both slots share (answers 5xx of an
//! API, connections, caches, tables) has no such dimension: it is counted for all, and not held against a candidate where
//! the hour before was about as bad.
//!
//! `docs/gates.md` has the rules with examples and the operating characteristics, which
//! `examples/characteristics` simulates.

pub mod binomial;
pub mod comparison;
mod judgement;
mod preflight;
mod queries;
mod samples;
mod verdict;

pub use judgement::{Circumstances, judge};
pub use preflight::{Shortage, preflight};
pub use queries::{Batch, QueryPlan, Side, Watch, before, named_sources, queries, queries_before, samples};
pub use samples::{
    ApiSample, Before, Column, FunctionBefore, FunctionSample, Samples, SharedGate, SharedSample, Strata,
};
pub use verdict::{Finding, Judgement, Numbers, Verdict};
