//! Gates: the questions asked during a bake, and how their answers become one verdict.
//!
//! [`judge`] is pure: samples in, judgement out, with every number it rests on, so that the journal can show why a
//! rollout went on or turned back. [`queries`] says what has to be asked of the metrics; the driver asks.
//!
//! The rule for one step, over the samples from when its weight was in force:
//! - **fail** when a rate is above its limit with 99 % confidence (one-sided exact binomial bound, [`binomial`]), a
//!   count is above its limit, or an alarm went into ALARM that was not there when the rollout began;
//! - **pass** when nothing fails, the candidate's functions were called at least `minimum_requests` times all together,
//!   every rate seen is at most its `pass_at_most_percent`, and no data is missing;
//! - **inconclusive** otherwise. The bake is then extended, and turned back at the end of the extension.
//!
//! A candidate's calls are told from the live ones by the metrics of its aliases. Answers 5xx of the API have no such
//! dimension: they are counted for the stage, from when the candidate was released.
//!
//! Repeated looks make a false *fail* more likely than 1 %, but only for a rate near the limit: a release whose rate is
//! at a fifth of the limit fails by chance less than once in ten thousand looks.

pub mod binomial;
mod judgement;
mod queries;

pub use judgement::{ApiSample, Finding, FunctionSample, Judgement, Samples, Verdict, judge, unavailable};
pub use queries::{QueryPlan, queries, samples};
