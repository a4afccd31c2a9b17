//! The ledger of an environment: who holds the lock, what each rollout did, and which releases stand.
//!
//! Everything is an object that is created once and never changed, in an `object_store`: local files or a bucket. The
//! one primitive is create-if-absent, which both have; local files have no conditional overwrite, and a scheme that
//! needs none is the same on both. Four sequences use it:
//!
//! ```text
//! <environment>/lock/0000000042.json               who holds the lock: the newest counts (lock.rs)
//! <environment>/rollouts/000007/000003.json        the third record of the seventh rollout (journal.rs)
//! <environment>/standings/000012.json              the releases and what is live: the newest counts (standing.rs)
//! <environment>/requests/000003.json               what operators ask of the open rollout (requests.rs)
//! ```
//!
//! Whoever wants to write the next of a sequence creates it; of two, one succeeds and the other learns that it was
//! late. That makes a compare-and-swap of the lock, and it fences the journal: a run whose lease was taken over finds
//! its next record there already, before it does anything.
//!
//! Each record carries the hash of the one before, through all rollouts, so that the newest hash stands for the whole
//! history ([`verify`], [`head`]).

mod audit;
mod chain;
mod journal;
mod lock;
mod record;
mod requests;
mod sequence;
mod standing;

pub use audit::{AuditReport, Problem, verify};
pub use chain::Flaw;
pub use journal::{Journal, JournalError, OpenJournal, head, read_journal, rollout_numbers};
pub use lock::{Lease, LockChange, LockError, LockRecord, break_lock, current_lock};
pub use record::{Actor, Link, Record};
pub use requests::{OperatorRequest, newest_request, requests_after, write_request};
pub use sequence::LedgerError;
pub use standing::{Standing, prepare_standing, read_standing, write_standing};
