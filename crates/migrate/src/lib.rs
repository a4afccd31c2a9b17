//! Database migrations, backup and restore for Postgres.
