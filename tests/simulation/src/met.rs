//! What a run came across. A simulator that draws everything from a seed can come to draw something no more, without any
//! test that fails; so it is noted what happened, and demanded of the fixed set of seeds that everything did.

use std::fmt;

use orchestrator::rollout::{Event, PhaseName, Request};

use crate::faults::{Fault, When};
use crate::process::Kind;

/// One circumstance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Met {
    CrashBeforeChange,
    CrashAfterChange,
    CrashInFlight,
    CrashAtLedger,
    CrashAtRead,
    Killed,
    LostResponse,
    LostRecord,
    StaleRead,
    Throttled,
    Late,
    FirstFigures,
    SkewedClocks,
    LeaseEndedInCall,
    StoppedAtFence,
    TwoAtWork,
    LockContended,
    ForeignChange,
    ForeignChangeProven,
    Abort,
    Interrupt,
    HandedOver,
    LockBroken,
    Paused,
    Approved,
    PromotedByHand,
    CarriedOn,
    TimedOut,
    StacksFailed,
    Breach,
    Retained,
    RolledBack,
}

impl Met {
    pub const ALL: &[Met] = &[
        Met::CrashBeforeChange,
        Met::CrashAfterChange,
        Met::CrashInFlight,
        Met::CrashAtLedger,
        Met::CrashAtRead,
        Met::Killed,
        Met::LostResponse,
        Met::LostRecord,
        Met::StaleRead,
        Met::Throttled,
        Met::Late,
        Met::FirstFigures,
        Met::SkewedClocks,
        Met::LeaseEndedInCall,
        Met::StoppedAtFence,
        Met::TwoAtWork,
        Met::LockContended,
        Met::ForeignChange,
        Met::ForeignChangeProven,
        Met::Abort,
        Met::Interrupt,
        Met::HandedOver,
        Met::LockBroken,
        Met::Paused,
        Met::Approved,
        Met::PromotedByHand,
        Met::CarriedOn,
        Met::TimedOut,
        Met::StacksFailed,
        Met::Breach,
        Met::Retained,
        Met::RolledBack,
    ];

    /// A fault that strikes a call; what decides only later whether anything was met is noted there.
    pub fn by_fault(fault: Fault, kind: Kind) -> Option<Met> {
        let is_ledger = matches!(kind, Kind::ReadLedger | Kind::WriteLedger);
        let is_change = matches!(kind, Kind::Change | Kind::Guarded);
        match fault {
            Fault::Crash(_) | Fault::CrashInFlight { .. } if is_ledger => Some(Met::CrashAtLedger),
            Fault::Crash(_) | Fault::CrashInFlight { .. } if !is_change => Some(Met::CrashAtRead),
            Fault::Crash(When::Before) => Some(Met::CrashBeforeChange),
            Fault::Crash(When::After) => Some(Met::CrashAfterChange),
            Fault::CrashInFlight { .. } => Some(Met::CrashInFlight),
            Fault::Throttled => Some(Met::Throttled),
            Fault::Late { .. } => Some(Met::Late),
            Fault::Unavailable | Fault::Lost | Fault::Stall { .. } | Fault::Stale => None,
        }
    }

    /// A record of a journal.
    pub fn by_record(event: &Event, state: PhaseName) -> Option<Met> {
        match (event, state) {
            (Event::ForeignChange { proven: false, .. }, _) => Some(Met::ForeignChange),
            (Event::ForeignChange { proven: true, .. }, _) => Some(Met::ForeignChangeProven),
            (Event::Requested { request, .. }, _) => match request {
                Request::Pause => Some(Met::Paused),
                Request::Approve => Some(Met::Approved),
                Request::Promote { .. } => Some(Met::PromotedByHand),
                Request::Abort { .. } => Some(Met::Abort),
                _ => None,
            },
            (Event::AbortRequested { .. }, _) => Some(Met::Interrupt),
            (Event::Recovered { resume: true, .. }, _) => Some(Met::CarriedOn),
            (Event::TimedOut { .. }, _) => Some(Met::TimedOut),
            (_, PhaseName::Retained) => Some(Met::Retained),
            (_, PhaseName::RolledBack) => Some(Met::RolledBack),
            _ => None,
        }
    }
}

impl fmt::Display for Met {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Met::CrashBeforeChange => "a crash before a change",
            Met::CrashAfterChange => "a crash after a change",
            Met::CrashInFlight => "a crash with a change under way, which takes place later",
            Met::CrashAtLedger => "a crash at a call of the ledger",
            Met::CrashAtRead => "a crash at a look",
            Met::Killed => "a run killed between two calls or in the middle of several",
            Met::LostResponse => "a change whose response is lost",
            Met::LostRecord => "an object of the ledger whose response is lost",
            Met::StaleRead => "a look that shows what was before",
            Met::Throttled => "a throttled call",
            Met::Late => "an answer that comes late",
            Met::FirstFigures => "figures that are revised later",
            Met::SkewedClocks => "a lock that goes to somebody with another clock",
            Met::LeaseEndedInCall => "a lease that ends in the middle of a change or a record",
            Met::StoppedAtFence => "somebody who was taken over and is stopped at his fence",
            Met::TwoAtWork => "two at work at once",
            Met::LockContended => "two that want the same place in the lock's sequence",
            Met::ForeignChange => "a change by somebody else that stops a rollout",
            Met::ForeignChangeProven => "a change by somebody else to a proven release, which ends for a human",
            Met::Abort => "an operator's abort that is obeyed",
            Met::Interrupt => "an interrupt that turns back",
            Met::HandedOver => "an interrupt that hands over",
            Met::LockBroken => "a lock that is broken",
            Met::Paused => "a pause",
            Met::Approved => "an approval",
            Met::PromotedByHand => "a promotion asked for by an operator",
            Met::CarriedOn => "a rollout that somebody else carries on",
            Met::TimedOut => "a wait for a human that ends unanswered",
            Met::StacksFailed => "stacks that do not deploy",
            Met::Breach => "a breach in what the metrics show",
            Met::Retained => "a rollout that ends promoted",
            Met::RolledBack => "a rollout that ends turned back",
        })
    }
}
