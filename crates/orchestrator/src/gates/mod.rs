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
//! What the rule is worth, from simulated bakes with independent errors and the default limits (fail above 5 %, pass at
//! most 1 %):
//! - A release that fails 1 % of its calls is turned back by a false *fail* in 5 of 10,000 bakes when it is looked at
//!   after every single one of 300 calls; one that fails 0.5 % in less than 1. Repeated looks are what makes the first
//!   figure; a single look is wrong at most 3 times in 10,000, at three calls.
//! - Of 12,000 releases that fail 10 % of their calls none was promoted by the steps 10/50/100 % with bakes of 6, 6 and 8
//!   seconds and an extension of 20, at 5 to 40 requests a second. About half end at the 10 % step as inconclusive.
//! - A release without errors was promoted by every one of those from 10 requests a second on; at 5 the first step does
//!   not reach the 20 calls that it needs, and ends inconclusive.

pub mod binomial;
pub mod comparison;
mod judgement;
mod queries;

pub use judgement::{ApiSample, Finding, FunctionSample, Judgement, Samples, Verdict, judge, unavailable};
pub use queries::{QueryPlan, queries, samples};
