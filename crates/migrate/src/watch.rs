//! Looks over the shoulder of the session that works, from a second one: who is in its way, and whether it waited enough.
//!
//! The server ends a wait for one lock after `lock_timeout`. A file with several statements, or one that needs several tables,
//! waits several times and holds meanwhile what it got before, so whoever reads the first table would be held up by the sum.
//! The waits of a try are added up here, and it is ended when together they reach what one may take. It does not judge how
//! long the work itself takes: that is what a dry run tells.

use std::time::{Duration, Instant};

use sqlx::PgConnection;

use crate::database::Database;
use crate::error::MigrateError;
use crate::session::{self, Blocker};

/// The longest pause between two looks.
const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// SQLSTATE of a statement that somebody asked the server to end.
const CANCELLED: &str = "57014";

/// How long work may wait for locks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    /// For each lock; the server sees to it.
    Each(Duration),
    /// For all of them together.
    Together(Duration),
}

impl Budget {
    fn looks_every(self) -> Duration {
        match self {
            Self::Each(time) => (time / 4).min(LONGEST_LOOK),
            Self::Together(time) => (time / 20).min(LONGEST_LOOK),
        }
    }

    fn is_spent(self, waited: Duration) -> bool {
        matches!(self, Self::Together(time) if waited >= time)
    }
}

/// The second session. It connects at the first look, because most work is done before, or when it is told to be ready.
pub(crate) struct Watch<'a> {
    database: &'a Database,
    /// Of the session that works.
    pid: i32,
    connection: Option<PgConnection>,
}

/// What was seen while work was done.
pub(crate) struct Seen<T> {
    pub result: T,
    /// Who was in its way last.
    pub blockers: Vec<Blocker>,
    /// Whether the server was asked to end it.
    was_ended: bool,
}

impl<'a> Watch<'a> {
    pub(crate) async fn of(connection: &mut PgConnection, database: &'a Database) -> Result<Self, MigrateError> {
        Ok(Self {
            database,
            pid: session::own_pid(connection).await?,
            connection: None,
        })
    }

    /// Connects now: whoever waits is about to, and connecting may take longer than the wait.
    pub(crate) async fn be_ready(&mut self) -> Result<(), MigrateError> {
        if self.connection.is_none() {
            self.connection = Some(session::connect(self.database).await?);
        }
        Ok(())
    }

    /// Does `work`, which the session does, and ends its statement when the budget is spent.
    pub(crate) async fn over<T>(&mut self, work: impl Future<Output = T>, budget: Budget) -> Seen<T> {
        let mut work = std::pin::pin!(work);
        let mut waited = Duration::ZERO;
        let mut looked = Instant::now();
        let (mut blockers, mut was_ended) = (Vec::new(), false);
        loop {
            let look = async {
                tokio::time::sleep(budget.looks_every()).await;
                self.look().await
            };
            let in_its_way = tokio::select! {
                result = &mut work => return Seen { result, blockers, was_ended },
                in_its_way = look => in_its_way,
            };
            let since = looked.elapsed();
            looked = Instant::now();
            let Some(in_its_way) = in_its_way else { continue };
            waited += since;
            if !in_its_way.is_empty() {
                blockers = in_its_way;
            }
            if budget.is_spent(waited) {
                // Not raced with the work: what is asked for must have arrived before the next statement begins.
                was_ended |= self.end_its_statement().await;
            }
        }
    }

    /// Who is in its way; `None` while it waits for no lock. Not to know it must not end the work.
    async fn look(&mut self) -> Option<Vec<Blocker>> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(session::connect(self.database).await.ok()?),
        };
        match session::in_the_way(connection, self.pid).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!("who is in the way cannot be seen: {error}");
                self.connection = None;
                None
            }
        }
    }

    async fn end_its_statement(&mut self) -> bool {
        let Some(connection) = &mut self.connection else {
            return false;
        };
        let asked = sqlx::query_scalar("SELECT pg_cancel_backend($1)")
            .bind(self.pid)
            .fetch_one(connection)
            .await;
        asked.unwrap_or_else(|error| {
            tracing::debug!("a wait for locks cannot be ended: {error}");
            false
        })
    }

    pub(crate) async fn close(self) {
        if let Some(connection) = self.connection {
            session::close(connection).await;
        }
    }
}

impl<T> Seen<T> {
    /// Whether this error means that locks were waited for too long.
    pub(crate) fn is_lock_timeout(&self, error: &sqlx::Error) -> bool {
        let code = error.as_database_error().and_then(|error| error.code());
        session::is_lock_timeout(error) || self.was_ended && code.is_some_and(|code| code == CANCELLED)
    }
}

impl<T> Seen<Result<T, MigrateError>> {
    /// The result of work that is not tried again; waiting for too long is said to be that, with who was in its way.
    pub(crate) fn result_within(mut self, lock_timeout: Duration) -> Result<T, MigrateError> {
        let blockers = std::mem::take(&mut self.blockers);
        match &self.result {
            Err(MigrateError::Failed { file, source, .. }) if self.is_lock_timeout(source) => {
                Err(MigrateError::LockTimeout {
                    file: file.clone(),
                    attempts: 1,
                    lock_timeout,
                    blockers,
                })
            }
            _ => self.result,
        }
    }
}
