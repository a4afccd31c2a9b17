//! What the documentation says of the speed of migrations and backups, measured: `cargo xtask bench migrate|backup` runs it.
//!
//! Each figure is held against its limit, and one past it ends the program with status 1. Ours and what it is compared
//! with run by turns, each in a process of its own, so that other work on the machine hits both alike; the shortest run of
//! each is the least disturbed one.
#![expect(clippy::print_stdout, reason = "a measuring tool talks to the terminal")]

mod backup;
mod migrate;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use ::migrate::{Database, Password};
use anyhow::{Context, Result, bail};
use test_postgres::{PASSWORD, TestPostgres};

/// By turns, so often each.
const ROUNDS: u32 = 3;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let within_limits = match arguments[..] {
        ["migrate"] => migrate::measure().await?,
        ["backup"] => backup::measure(1024).await?,
        ["backup", megabytes] => backup::measure(megabytes.parse().context("how many megabytes")?).await?,
        // The measured processes.
        ["up", port, database, folder] => migrate::up(&place(port, database)?, folder).await?,
        ["status", port, database, folder] => migrate::status(&place(port, database)?, folder).await?,
        ["back-up", port, database, folder, programs] => {
            backup::back_up(&place(port, database)?, folder, programs).await?
        }
        _ => bail!("usage: measure migrate | backup [MEGABYTES]"),
    };
    Ok(if within_limits {
        ExitCode::SUCCESS
    } else {
        println!("past its limit");
        ExitCode::FAILURE
    })
}

fn place(port: &str, database: &str) -> Result<Database> {
    let port = port.parse().context("a port")?;
    Ok(Database::new(
        "127.0.0.1",
        port,
        database,
        "postgres",
        Password::new(PASSWORD),
    ))
}

/// This program again, as one of the measured processes.
fn ourselves(command: &str, postgres: &TestPostgres, database: &str, folder: &Path) -> Result<Command> {
    let mut ourselves = Command::new(std::env::current_exe().context("where this program is")?);
    ourselves
        .arg(command)
        .arg(postgres.port().to_string())
        .arg(database)
        .arg(folder);
    Ok(ourselves)
}

/// How long the process took, and what it said.
fn timed(command: &mut Command) -> Result<(Duration, String)> {
    let program = Path::new(command.get_program()).display().to_string();
    let begun = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    let took = begun.elapsed();
    if !output.status.success() {
        let (said, error) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        bail!("{program} ended with {}: {said}{error}", output.status);
    }
    Ok((took, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The shortest of those so far.
fn keep_shortest(shortest: &mut Option<Duration>, took: Duration) {
    *shortest = Some(shortest.map_or(took, |before| before.min(took)));
}

fn ratio(ours: Option<Duration>, theirs: Option<Duration>) -> f64 {
    ours.unwrap_or_default().as_secs_f64() / theirs.unwrap_or_default().as_secs_f64()
}
