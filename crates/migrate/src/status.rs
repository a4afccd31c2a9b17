//! What is applied, what is pending, and what does not fit.

use crate::database::Database;
use crate::down::Reach;
use crate::error::MigrateError;
use crate::files::{MigrationFile, Migrator};
use crate::history::{self, Applied, Problem};
use crate::plan::{Options, Plan};
use crate::session;

/// The state of a database's schema against a folder of migrations.
#[derive(Clone, Debug)]
pub struct Status {
    pub applied: Vec<Applied>,
    pub pending: Vec<MigrationFile>,
    /// Whatever stands here makes `up` refuse.
    pub problems: Vec<Problem>,
}

impl Status {
    /// The newest applied version, whatever its phase; `None` before the first.
    pub fn schema_version(&self) -> Option<i64> {
        self.applied.last().map(|applied| applied.version)
    }

    /// What a run with these options would do; refused for the reasons that would refuse the run.
    pub fn plan(&self, options: &Options) -> Result<Plan, MigrateError> {
        if !self.problems.is_empty() {
            return Err(MigrateError::History {
                problems: self.problems.clone(),
            });
        }
        if let Some(version) = options.to.filter(|version| !self.knows(*version)) {
            return Err(MigrateError::UnknownVersion { version });
        }
        Plan::of(&self.pending.iter().collect::<Vec<_>>(), options)
    }

    /// The applied migrations that this reach takes back, newest first.
    ///
    /// # Errors
    /// Where the version that stays is neither 0 nor applied.
    pub fn within(&self, reach: Reach) -> Result<Vec<&Applied>, MigrateError> {
        let newest_first = self.applied.iter().rev();
        match reach {
            Reach::Steps(steps) => Ok(newest_first.take(steps).collect()),
            Reach::To(version) => {
                if version != 0 && !self.applied.iter().any(|applied| applied.version == version) {
                    return Err(MigrateError::UnknownVersion { version });
                }
                Ok(newest_first.filter(|applied| applied.version > version).collect())
            }
        }
    }

    fn knows(&self, version: i64) -> bool {
        self.applied.iter().any(|applied| applied.version == version)
            || self.pending.iter().any(|file| file.version == version)
    }

    pub(crate) fn of(migrator: &Migrator, applied: Vec<Applied>) -> Self {
        let pending = history::pending(migrator, &applied).into_iter().cloned().collect();
        let problems = history::problems(migrator, &applied);
        Self {
            applied,
            pending,
            problems,
        }
    }
}

impl Migrator {
    /// Reads the database's records; changes nothing and takes no lock.
    pub async fn status(&self, database: &Database) -> Result<Status, MigrateError> {
        let mut connection = session::connect(database).await?;
        let applied = history::read(&mut connection).await;
        let applied = session::finish(connection, applied).await?;
        Ok(Status::of(self, applied))
    }
}
