//! Blue-green rollouts: plan, state machine, journal, lock and gates.
//!
//! The crate decides and records; it acts only through the traits in [`ports`], so it knows no cloud, no terminal, no
//! environment variables and no wall clock. `crates/aws` implements the ports, `crates/cli` wires them and renders the
//! events that come out.

pub mod config;
pub mod domain;
pub mod driver;
pub mod gates;
pub mod ledger;
pub mod ports;
pub mod rollout;
