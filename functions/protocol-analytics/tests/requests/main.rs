//! Requests as API Gateway sends them, against a real PostgreSQL with the real migration.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cache;
mod database;
mod world;
