//! A thousand migrations: `up` beside `sqlx migrate run`, and `status` of what is applied.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use migrate::{Database, Migrator, Options, Silent};
use test_postgres::{PASSWORD, TestPostgres};

use crate::{ROUNDS, keep_shortest, ourselves, ratio, timed};

const MIGRATIONS: usize = 1000;
const UP_LIMIT: f64 = 1.3;
const STATUS_LIMIT: Duration = Duration::from_millis(100);

pub async fn measure() -> Result<bool> {
    let postgres = TestPostgres::start().await;
    let folder = tempfile::tempdir().context("a folder for the migrations")?;
    for version in 1..=MIGRATIONS {
        let sql = format!(
            "CREATE TABLE table_{version} (id bigint PRIMARY KEY, name text NOT NULL, made_at timestamptz);\n\
             CREATE INDEX table_{version}_name ON table_{version} (name);\n"
        );
        std::fs::write(folder.path().join(format!("{version:04}_table.expand.sql")), sql)?;
    }
    let (mut ours, mut theirs, mut status) = (None, None, None);
    for round in 0..ROUNDS {
        let mine = format!("ours_{round}");
        postgres.database(&mine).await;
        let (took, _) = timed(&mut ourselves("up", &postgres, &mine, folder.path())?)?;
        keep_shortest(&mut ours, took);
        let (took, _) = timed(&mut ourselves("status", &postgres, &mine, folder.path())?)?;
        keep_shortest(&mut status, took);
        let sqlx = format!("sqlx_{round}");
        postgres.database(&sqlx).await;
        let (took, _) = timed(&mut sqlx_run(&postgres, &sqlx, folder.path())?)?;
        keep_shortest(&mut theirs, took);
    }
    let ratio = ratio(ours, theirs);
    let shown = |time: Option<Duration>| format!("{:.0} ms", time.unwrap_or_default().as_secs_f64() * 1e3);
    println!("| {MIGRATIONS} migrations, whole processes | | limit |\n|---|---|---|");
    println!("| `sqlx migrate run` (sqlx-cli 0.9) | {} | |", shown(theirs));
    println!(
        "| `up` | {}, {ratio:.2} times as long | {UP_LIMIT} times |",
        shown(ours)
    );
    println!("| `status` | {} | {} |\n", shown(status), shown(Some(STATUS_LIMIT)));
    Ok(ratio <= UP_LIMIT && status.is_some_and(|status| status <= STATUS_LIMIT))
}

/// sqlx-cli lies beside this program.
fn sqlx_run(postgres: &TestPostgres, database: &str, folder: &Path) -> Result<Command> {
    let mut sqlx = Command::new(std::env::current_exe()?.with_file_name("sqlx"));
    let password = PASSWORD.replace(' ', "%20");
    let url = format!(
        "postgres://postgres:{password}@127.0.0.1:{}/{database}",
        postgres.port()
    );
    sqlx.args(["--no-dotenv", "migrate", "run", "--source"])
        .arg(folder)
        .env("DATABASE_URL", url);
    Ok(sqlx)
}

pub async fn up(database: &Database, folder: &str) -> Result<bool> {
    let report = Migrator::load(folder)?
        .up(database, &Options::rollout(), &Silent)
        .await?;
    Ok(report.applied.len() == MIGRATIONS)
}

pub async fn status(database: &Database, folder: &str) -> Result<bool> {
    let status = Migrator::load(folder)?.status(database).await?;
    Ok(status.applied.len() == MIGRATIONS && status.problems.is_empty())
}
