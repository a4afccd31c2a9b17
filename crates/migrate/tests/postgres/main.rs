//! Migrations and backups on a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod again;
mod backfills;
mod backups;
mod contention;
mod contracts;
mod crashes;
mod disagreements;
mod disks;
mod downs;
mod health;
mod killed_restores;
mod lints;
mod load;
mod pooler;
mod rehearsals;
mod repairs;
mod restores;
mod runs;
mod shipped;
mod tls;
mod world;
