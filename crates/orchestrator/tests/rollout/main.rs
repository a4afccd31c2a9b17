//! Whole rollouts against ports in memory, over virtual time: nothing sleeps, nothing depends on the clock or on order.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod audit;
mod checks;
mod cleanup;
mod crashes;
mod entry_points;
mod faults;
mod foreign;
mod gates;
mod hand_over;
mod happy;
mod journal;
mod leases;
mod live_checks;
mod lock;
mod meddling;
mod other_tools;
mod resume;
mod rollback;
mod script;
mod store;
mod verbs;
mod world;
mod world_metrics;
mod world_ports;
