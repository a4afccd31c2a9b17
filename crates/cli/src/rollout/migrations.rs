//! The database's part of a rollout: a backup where the environment asks for one, then the expand migrations.

use async_trait::async_trait;
use orchestrator::ports::{Backup, Expanded, Migrations, PortError};

use super::stacks::Stacks;
use crate::session::Session;

pub struct DatabaseMigrations {}

impl DatabaseMigrations {
    pub fn of(_session: &Session<'_>, _stacks: Stacks) -> Self {
        Self {}
    }
}

#[async_trait]
impl Migrations for DatabaseMigrations {
    async fn backup(&self, _label: &str) -> Result<Option<Backup>, PortError> {
        Ok(None)
    }

    async fn expand(&self) -> Result<Expanded, PortError> {
        Ok(Expanded::Applied {
            count: 0,
            schema_version: None,
        })
    }
}
