//! The one table of legal transitions, for live recording and for replay.

use std::fmt;

use super::{Event, PhaseName, Request};

/// An [`Event`] without what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventName {
    Opened,
    LockTaken,
    Intended,
    Prepared,
    BackedUp,
    Expanded,
    LiveChecked,
    Deployed,
    Established,
    Released,
    Smoked,
    InForce,
    Judged,
    Promoted,
    Retained,
    Withdrawn,
    Failed,
    /// By the run's own process or by an operator.
    AbortRequested,
    PauseRequested,
    ResumeRequested,
    ApproveRequested,
    PromoteRequested,
    RequestRefused,
    ApprovalAsked,
    TimedOut,
    /// Taken over to be turned back.
    Recovered,
    /// Taken over to be carried on.
    Resumed,
    ForeignChange,
}

impl Event {
    pub fn name(&self) -> EventName {
        match self {
            Event::Opened { .. } => EventName::Opened,
            Event::LockTaken { .. } => EventName::LockTaken,
            Event::Intended { .. } => EventName::Intended,
            Event::Prepared { .. } => EventName::Prepared,
            Event::BackedUp { .. } => EventName::BackedUp,
            Event::Expanded { .. } => EventName::Expanded,
            Event::LiveChecked { .. } => EventName::LiveChecked,
            Event::Deployed { .. } => EventName::Deployed,
            Event::Established { .. } => EventName::Established,
            Event::Released { .. } => EventName::Released,
            Event::Smoked { .. } => EventName::Smoked,
            Event::InForce { .. } => EventName::InForce,
            Event::Judged { .. } => EventName::Judged,
            Event::Promoted { .. } => EventName::Promoted,
            Event::Retained => EventName::Retained,
            Event::Withdrawn => EventName::Withdrawn,
            Event::Failed { .. } => EventName::Failed,
            Event::AbortRequested { .. } => EventName::AbortRequested,
            Event::Requested { request, .. } => match request {
                Request::Abort { .. } => EventName::AbortRequested,
                Request::Pause => EventName::PauseRequested,
                Request::Resume => EventName::ResumeRequested,
                Request::Approve => EventName::ApproveRequested,
                Request::Promote { .. } => EventName::PromoteRequested,
            },
            Event::RequestRefused { .. } => EventName::RequestRefused,
            Event::ApprovalAsked { .. } => EventName::ApprovalAsked,
            Event::TimedOut { .. } => EventName::TimedOut,
            Event::Recovered { resume: false, .. } => EventName::Recovered,
            Event::Recovered { resume: true, .. } => EventName::Resumed,
            Event::ForeignChange { .. } => EventName::ForeignChange,
        }
    }
}

/// Whether `event` may lead from one phase to the other. Whether it fits the state beyond that (the effect that is
/// due, the release that was tested) is checked where the transition is made.
pub fn is_legal(from: PhaseName, event: EventName, to: PhaseName) -> bool {
    use EventName as E;
    use PhaseName as P;
    match (from, event) {
        (P::Planned, E::LockTaken) => to == P::Locked,

        // An intent changes the phase only where a phase is named for what is being done.
        (P::Smoked, E::Intended) => matches!(to, P::Shifting | P::Promoting),
        (P::Baking, E::Intended) => matches!(to, P::Shifting | P::Promoting),
        (P::Locked, E::Intended) => matches!(to, P::Locked | P::Promoting),
        (
            P::BackedUp
            | P::Expanded
            | P::Deployed
            | P::Released
            | P::Shifting
            | P::Promoting
            | P::Promoted
            | P::RollingBack,
            E::Intended,
        ) => to == from,

        (P::Locked, E::Prepared) => to == P::Locked,
        (P::Locked, E::BackedUp) => to == P::BackedUp,
        (P::BackedUp, E::Expanded) => to == P::Expanded,
        (P::BackedUp | P::Expanded, E::LiveChecked) => to == from,
        (P::Expanded, E::Deployed) => to == P::Deployed,
        (P::Deployed, E::Expanded | E::Established) => to == P::Deployed,
        (P::Deployed | P::Locked, E::Released) => to == P::Released,
        (P::Released, E::Smoked) => to == P::Smoked,
        (P::Shifting, E::InForce) => to == P::Baking,
        (P::Baking, E::Judged) => matches!(to, P::Baking | P::Inconclusive | P::RollingBack),
        (P::Inconclusive, E::Judged) => matches!(to, P::Baking | P::Inconclusive | P::RollingBack),
        (P::AwaitingApproval, E::Judged) => matches!(to, P::AwaitingApproval | P::RollingBack),
        (P::Smoked | P::Baking, E::ApprovalAsked) => to == P::AwaitingApproval,
        (P::AwaitingApproval | P::Inconclusive, E::TimedOut) => to == P::RollingBack,
        (P::Promoting, E::Promoted) => to == P::Promoted,
        (P::Promoted, E::Retained) => to == P::Retained,
        (P::RollingBack, E::Withdrawn) => to == P::RolledBack,

        // What an operator asks for changes the phase only where somebody was waited for.
        (P::Retained | P::RolledBack | P::NeedsHuman, _) => false,
        (_, E::RequestRefused) => to == from,
        (
            P::Planned | P::Promoting | P::Promoted | P::RollingBack,
            E::PauseRequested | E::ResumeRequested | E::ApproveRequested | E::PromoteRequested,
        ) => false,
        (_, E::PauseRequested) => to == from,
        (P::Inconclusive, E::ResumeRequested | E::PromoteRequested) => to == P::Baking,
        (P::AwaitingApproval, E::ApproveRequested | E::PromoteRequested) => matches!(to, P::Smoked | P::Baking),
        (_, E::ResumeRequested | E::ApproveRequested | E::PromoteRequested) => to == from,

        // Carried on: the step that was in force is shifted to again, what was due before is due again; and
        // before a deploy the expand.
        (P::Planned, E::Resumed) => to == P::Locked,
        (P::Expanded, E::Resumed) => matches!(to, P::BackedUp | P::Expanded),
        (P::AwaitingApproval, E::Resumed) => matches!(to, P::Smoked | P::Shifting),
        (P::Shifting | P::Baking | P::Inconclusive, E::Resumed) => to == P::Shifting,
        (P::Promoting, E::Resumed) => matches!(to, P::Promoting | P::Promoted),
        (_, E::Resumed) => to == from,

        // From every state that is no end there is a way back; a switch that is itself the way back stays.
        (P::RollingBack, E::Failed | E::Recovered) => to == P::RollingBack,
        (P::Promoting, E::Failed) => matches!(to, P::RollingBack | P::Promoting),
        (P::Promoting, E::Recovered) => matches!(to, P::RollingBack | P::Promoting | P::Promoted),
        (P::Promoted, E::Failed | E::Recovered) => to == P::Promoted,
        (_, E::Failed | E::Recovered) => to == P::RollingBack,
        (P::RollingBack, E::AbortRequested) => false,
        (_, E::AbortRequested) => to == P::RollingBack,
        (_, E::ForeignChange) => to == from || to == P::NeedsHuman,
        _ => false,
    }
}

/// A record that no rollout can have made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot follow in state {from}: {detail}")]
pub struct IllegalTransition {
    pub from: PhaseName,
    pub event: EventName,
    pub detail: String,
}

impl fmt::Display for EventName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }
}
