//! `llama-deploy db health-check ENV`: whether the database is well. Status 1 where it is not.

use migrate::{Health, Role, Session};
use serde_json::json;

use super::OpenDatabase;
use super::list::size;
use crate::arguments::EnvironmentArgument;
use crate::console::Console;
use crate::failure::Outcome;
use crate::moment::lasting;
use crate::refusal;
use crate::settings::Settings;

/// Above this share of its connections the next burst is refused.
const CONNECTIONS_PERCENT: i64 = 80;
/// A transaction that is open longer holds up vacuum and whoever needs its locks.
const LONGEST_TRANSACTION_SECONDS: i64 = 300;

pub fn run(options: &EnvironmentArgument, settings: &Settings, console: &Console) -> Outcome<u8> {
    let open = OpenDatabase::find(options.name(), settings, console)?;
    let migrator = open.migrator()?;
    let (health, status) = open
        .session
        .runtime
        .block_on(async {
            let health = Health::read(&open.server).await?;
            Ok((health, migrator.status(&open.server).await?))
        })
        .map_err(refusal::migrating)?;
    console.clear();
    let mut problems = problems(&health);
    problems.extend(status.problems.iter().map(ToString::to_string));

    let version = status
        .schema_version()
        .map_or_else(|| "none".to_owned(), |version| version.to_string());
    console.print(&format!("database     {}", open.server));
    console.print(&format!(
        "server       PostgreSQL {}, {}",
        health.server_version,
        role(&health)
    ));
    console.print(&format!(
        "connections  {} of {}",
        health.connections, health.connections_at_most
    ));
    console.print(&format!("size         {}", size(health.database_bytes.unsigned_abs())));
    console.print(&format!(
        "transaction  {}",
        health.longest_transaction.as_ref().map_or_else(
            || "none is open".to_owned(),
            |one| format!("the longest is {}", said(one))
        )
    ));
    console.print(&format!("waiting      {} sessions", health.waiting.len()));
    console.print(&format!("schema       {version}, {} pending", status.pending.len()));
    for problem in &problems {
        console.print(&format!("PROBLEM      {problem}"));
    }
    if problems.is_empty() {
        console.print("all is well");
    }
    console.print_json(&json!({
        "environment": open.environment().name, "database": open.server.to_string(), "health": health,
        "schema_version": status.schema_version(), "pending": status.pending.len(), "problems": problems,
    }));
    Ok(u8::from(!problems.is_empty()))
}

fn role(health: &Health) -> &'static str {
    match (health.role, health.is_read_only) {
        (Role::Replica, _) => "a replica, read only",
        (Role::Primary, true) => "the primary, READ ONLY",
        (Role::Primary, false) => "the primary",
    }
}

fn said(session: &Session) -> String {
    format!(
        "session {} ({:?}, {}), open for {}: {}",
        session.pid,
        session.application,
        session.state,
        lasting(jiff::SignedDuration::from_secs(session.transaction_seconds)),
        session.query
    )
}

fn problems(health: &Health) -> Vec<String> {
    let mut problems = Vec::new();
    if health.role == Role::Replica {
        problems.push("it is a replica: nothing can be written, and no migration runs here".to_owned());
    } else if health.is_read_only {
        problems.push("it takes no writes: default_transaction_read_only is on".to_owned());
    }
    if health.connections * 100 > health.connections_at_most * CONNECTIONS_PERCENT {
        problems.push(format!(
            "{} of {} connections are in use, more than {CONNECTIONS_PERCENT} %",
            health.connections, health.connections_at_most
        ));
    }
    if let Some(longest) = &health.longest_transaction
        && longest.transaction_seconds > LONGEST_TRANSACTION_SECONDS
    {
        problems.push(format!("a transaction is open for long: {}", said(longest)));
    }
    for waiting in &health.waiting {
        let others: Vec<String> = waiting.waits_for.iter().map(ToString::to_string).collect();
        problems.push(format!(
            "it waits for {}: {}",
            others.join(", "),
            said(&waiting.session)
        ));
    }
    for index in &health.invalid_indexes {
        problems.push(format!(
            "the index {index} is invalid: writers keep it, and nobody reads it"
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health {
            server_version: "15.18".into(),
            role: Role::Primary,
            is_read_only: false,
            connections: 8,
            connections_at_most: 10,
            database_bytes: 1,
            longest_transaction: None,
            waiting: Vec::new(),
            invalid_indexes: Vec::new(),
        }
    }

    #[test]
    fn a_database_is_well_up_to_its_limits() {
        assert_eq!(problems(&health()), Vec::<String>::new());
        let crowded = Health {
            connections: 9,
            ..health()
        };
        assert!(problems(&crowded)[0].contains("9 of 10"));
        let read_only = Health {
            is_read_only: true,
            ..health()
        };
        assert!(problems(&read_only)[0].contains("takes no writes"));
    }
}
