//! A backup of a large database beside plain `pg_dump -j`, and the memory that our process takes for it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use migrate::{BackupOptions, Database};
use sqlx::{AssertSqlSafe, ConnectOptions};
use test_postgres::{PASSWORD, TestPostgres};

use crate::{ROUNDS, keep_shortest, ourselves, ratio, timed};

const LIMIT: f64 = 1.1;
/// How much more memory ten times the data may take, in bytes: what an allocator may or may not give back.
const MEMORY_LIMIT: u64 = 4 << 20;
const TABLES: u32 = 4;
/// Both dump so many tables at once, and compress alike.
const JOBS: &str = "--jobs=2";
const COMPRESSION: &str = "--compress=1";

pub async fn measure(megabytes: u32) -> Result<bool> {
    let postgres = TestPostgres::start_with(&["max_wal_size=4GB", "autovacuum=off"]).await;
    let small = fill(&postgres, "small", megabytes / 10).await?;
    let large = fill(&postgres, "large", megabytes).await?;
    let folder = tempfile::tempdir().context("a folder for the backups")?;
    let (mut ours, mut theirs, mut peak) = (None, None, 0);
    for _ in 0..ROUNDS {
        let (took, said) = timed(&mut ours_of(&postgres, "large", folder.path())?)?;
        keep_shortest(&mut ours, took);
        peak = peak.max(said.trim().parse()?);
        let plain = folder.path().join("plain");
        let (took, _) = timed(&mut pg_dump(&postgres, "large", &plain))?;
        keep_shortest(&mut theirs, took);
        empty(folder.path())?;
    }
    let (_, said) = timed(&mut ours_of(&postgres, "small", folder.path())?)?;
    let small_peak: u64 = said.trim().parse()?;

    let ratio = ratio(ours, theirs);
    let shown = |time: Option<std::time::Duration>| format!("{:.1} s", time.unwrap_or_default().as_secs_f64());
    println!("| backup of {large} MB, whole processes | | limit |\n|---|---|---|");
    println!("| `pg_dump -Fd -j2 -Z1` | {} | |", shown(theirs));
    println!(
        "| ours: the same, with counted rows and checksums | {}, {ratio:.2} times as long | {LIMIT} times |",
        shown(ours)
    );
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / f64::from(1 << 20));
    println!(
        "| peak memory of our process | {}; {} for {small} MB | {} more |\n",
        megabytes(peak),
        megabytes(small_peak),
        megabytes(MEMORY_LIMIT)
    );
    Ok(ratio <= LIMIT && peak <= small_peak + MEMORY_LIMIT)
}

/// A database of about this size, and how many megabytes it has.
async fn fill(postgres: &TestPostgres, name: &str, megabytes: u32) -> Result<i64> {
    let mut connection = postgres.database(name).await.connect().await?;
    // A row takes about 200 bytes, some of which compress as text of people does.
    let rows = u64::from(megabytes) * (1 << 20) / 200 / u64::from(TABLES);
    for table in 0..TABLES {
        let sql = format!(
            "CREATE TABLE table_{table} AS SELECT n AS id, now() + n * interval '1 second' AS at, md5(n::text) AS token,
                 'customer number ' || n || ' of the table of that name' AS name, repeat(md5((n % 1000)::text), 2) AS kind
             FROM generate_series(1, {rows}) AS n"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    }
    sqlx::raw_sql("CHECKPOINT").execute(&mut connection).await?;
    let bytes: i64 = sqlx::query_scalar("SELECT pg_database_size(current_database())")
        .fetch_one(&mut connection)
        .await?;
    Ok(bytes >> 20)
}

fn ours_of(postgres: &TestPostgres, database: &str, folder: &Path) -> Result<Command> {
    let mut ours = ourselves("back-up", postgres, database, folder)?;
    ours.arg(postgres.binaries());
    Ok(ours)
}

fn pg_dump(postgres: &TestPostgres, database: &str, target: &Path) -> Command {
    let mut command = Command::new(postgres.binaries().join("pg_dump"));
    command
        .args([
            "--format=directory",
            JOBS,
            COMPRESSION,
            "--host=127.0.0.1",
            "--username=postgres",
        ])
        .arg(format!("--port={}", postgres.port()))
        .arg("--file")
        .arg(target)
        .arg(database)
        .env("PGPASSWORD", PASSWORD);
    command
}

fn empty(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        std::fs::remove_dir_all(entry?.path())?;
    }
    Ok(())
}

/// Makes the backup and tells the most memory that this process ever had, in bytes.
pub async fn back_up(database: &Database, folder: &str, programs: &str) -> Result<bool> {
    let mut options = BackupOptions::new(folder, "measured");
    options.programs = Some(programs.into());
    let backup = migrate::back_up(database, &options).await?;
    println!("{}", peak_memory()?);
    Ok(!backup.files.is_empty())
}

/// Only Linux tells it.
fn peak_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("the kernel does not tell the memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: u64 = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .context("the kernel does not tell the memory")?
        .trim()
        .parse()?;
    Ok(kilobytes << 10)
}
