//! The rollout as a pure state machine: a plan, events that happened, effects to carry out next.
//!
//! [`step`] takes a state and an event and gives the next state and the effect that is due; it performs nothing and
//! reads no clock. The driver calls it for every event before it writes the event to the journal; replay calls it for
//! every record read. Both go through the one table of [`is_legal`], so that a journal holds nothing a live rollout could
//! not have done.
//!
//! What an operator may change about the plan, each time recorded with who asked: a pause and an approval hold the next
//! step; `promote` shortens the bake that is in force and skips the steps in between, but not the pass that every step
//! needs; `abort` turns back and outranks the rest. While anybody is waited for, what is in force goes on being judged.

mod effect;
mod event;
mod live_checks;
mod phase;
mod plan;
mod request;
mod requested;
mod state;
mod table;
mod transition;

pub use effect::Effect;
pub use event::{Event, Reason};
pub use live_checks::{LiveCheck, LiveChecks, broken, tally};
pub use phase::{Bake, Phase, PhaseName};
pub use plan::{DeployWishes, Goal, Plan, PlannedStep, RolloutNumber};
pub use request::Request;
pub use state::{BakeTimes, Facts, LiveRelease, NotedAlarm, Pause, State};
pub use table::{EventName, IllegalTransition, is_legal};
pub use transition::{open, replay, step};
