//! The backups that RDS makes: snapshots of the environment's instance or cluster. A restore makes a new instance, proves
//! it, and lets it take the endpoint; so does one to a time. Clusters are not restored here.

use async_trait::async_trait;
use aws::{
    DatabaseAddress, LossWindow, Proof, Proven, RdsDatabase, Replaced, RestoreEvent, RestorePoint, RestoreRequest,
    SchemaVersion,
};
use jiff::Timestamp;
use migrate::backup::{self, Check};
use serde_json::json;

use super::OpenDatabase;
use super::entry::{Entry, Kind, Made};
use super::restore::Lost;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::hooks::HookRuns;
use crate::refusal;
use crate::retention::{self, Retained};
use crate::rollout::now;

/// What every refusal of a restore begins with.
pub const UNTOUCHED: &str = "nothing was restored, and the database serves as before";

pub fn back_up(open: &OpenDatabase<'_>, id: &str, console: &Console) -> Outcome<Made> {
    let database = database(open)?;
    let begun = now();
    let progress = |how_far: String| console.ticking(&format!("snapshot of the database: {how_far}"));
    let session = &open.session;
    let call = session.aws.snapshot(database, &open.environment().name, id, &progress);
    let taken = session.runtime.block_on(call).map_err(refusal::calling)?;
    Ok(Made {
        entry: Entry {
            id: taken.id,
            kind: Kind::Snapshot,
            made_at: taken.made.or(Some(begun)),
            bytes: None,
            schema_version: None,
            verified_at: None,
            problem: None,
        },
        was_there: taken.was_there,
    })
}

/// Deletes the snapshots that the settings let go.
pub fn retain(open: &OpenDatabase<'_>, just_made: &str, console: &Console) -> Retained {
    let session = &open.session;
    let limits = (open.retention(), now());
    let just_made = [just_made.to_owned()];
    let environment = &open.environment().name;
    let databases = open.rds.as_slice();
    session.runtime.block_on(retention::of_snapshots(
        &session.aws,
        environment,
        databases,
        &just_made,
        limits,
        console,
    ))
}

/// None where RDS does not know the environment's database.
pub fn list(open: &OpenDatabase<'_>) -> Outcome<Vec<Entry>> {
    let Some(database) = &open.rds else {
        return Ok(Vec::new());
    };
    let session = &open.session;
    let environment = &open.environment().name;
    let found = session
        .runtime
        .block_on(session.aws.snapshots_of(database, environment));
    let found = found.map_err(refusal::calling)?;
    Ok(found
        .into_iter()
        .map(|snapshot| {
            let problem = match snapshot.status.as_str() {
                "available" => None,
                status => Some(format!("it is {status}, {} %", snapshot.percent)),
            };
            Entry {
                id: snapshot.id,
                kind: Kind::Snapshot,
                made_at: snapshot.created,
                bytes: None,
                schema_version: snapshot.schema.and_then(|schema| schema.0),
                verified_at: snapshot.verified,
                problem,
            }
        })
        .collect())
}

/// Restores it into an instance of its own, and reads all of that.
pub fn verify(open: &OpenDatabase<'_>, entry: &Entry, console: &Console) -> Outcome<u8> {
    restorable(open, Code::BackupUnproven, "the backup stays unverified")?;
    let session = &open.session;
    let proof = Examination::of(open);
    let progress = |event| tell(console, event);
    let at = now();
    let call = session
        .aws
        .verify_snapshot(&entry.id, Some(&open.login), &proof, at, &progress);
    let Proven { seen, schema } = session
        .runtime
        .block_on(call)
        .map_err(|failure| Failure::new(Code::BackupUnproven, "the backup stays unverified").because(failure))?;
    console.clear();
    console.print(&format!("backup {} restores: {seen}", entry.id));
    if let Some(version) = schema.0 {
        console.say(&format!("it holds the schema {version}"));
    }
    console.print_json(&json!({
        "environment": open.environment().name, "backup": entry.id,
        "verification": { "verified_at": at, "seen": seen, "schema_version": schema.0 },
    }));
    Ok(0)
}

/// The last moment that RDS can restore.
pub fn latest_time(open: &OpenDatabase<'_>) -> Outcome<Timestamp> {
    let call = open.session.aws.latest_restorable_time(instance(open)?);
    open.session.runtime.block_on(call).map_err(unrestorable)
}

/// What would be lost by a restore to this point.
pub fn loss_window(open: &OpenDatabase<'_>, point: &RestorePoint) -> Outcome<LossWindow> {
    let call = open.session.aws.loss_window(instance(open)?, point, now());
    open.session.runtime.block_on(call).map_err(unrestorable)
}

fn unrestorable(failure: aws::Failure) -> Failure {
    Failure::new(Code::RestoreFailed, UNTOUCHED).because(failure)
}

/// Restores into a new instance, and lets that take the endpoint.
pub fn restore(open: &OpenDatabase<'_>, point: RestorePoint, console: &Console) -> Outcome<Replaced> {
    let session = &open.session;
    let request = RestoreRequest {
        instance: instance(open)?.to_owned(),
        point,
        environment: open.environment().name.clone(),
        login: Some(open.login.clone()),
        now: now(),
    };
    let proof = Examination::of(open);
    let progress = |event| tell(console, event);
    let call = session.aws.restore_database(&request, &proof, &progress);
    session.runtime.block_on(call).map_err(|failure| {
        Failure::new(Code::RestoreFailed, "the restore did not come to its end")
            .because(failure)
            .hint("the same command goes on where it stopped; until the first rename the old instance serves")
    })
}

/// What a restore came to, and the hooks around it.
pub fn tell_replaced(open: &OpenDatabase<'_>, replaced: &Replaced, hooks: &HookRuns, console: &Console) {
    let Replaced {
        address,
        kept,
        source,
        proof,
        lost,
    } = replaced;
    console.clear();
    console.print(&format!(
        "{} serves what {source} holds, at {}:{} as before",
        address.instance, address.host, address.port
    ));
    if let Some(seen) = proof {
        console.say(&format!("  {seen}"));
    }
    let lost = lost.as_ref().map(|window| Lost::between(window.since, window.until));
    if let Some(lost) = &lost {
        console.say(&format!("{lost}; the old instance, {kept}, has it"));
    }
    console.say(&format!(
        "the old instance is kept as {kept} and costs; delete it when nothing of it is needed"
    ));
    console.print_json(&json!({
        "environment": open.environment().name, "backup": source, "kept_as": kept, "instance": address.instance,
        "host": address.host, "port": address.port, "seen": proof, "lost": lost, "hooks": hooks,
    }));
}

fn database<'o>(open: &'o OpenDatabase<'_>) -> Outcome<&'o RdsDatabase> {
    open.rds.as_ref().ok_or_else(|| {
        Failure::new(
            Code::SettingMissing,
            "the database's secret names no RDS instance or cluster",
        )
        .hint("--pg-dump makes a backup of any PostgreSQL")
    })
}

/// The instance, which alone can be restored here; otherwise a failure with `code` and `message`.
pub fn restorable<'o>(open: &'o OpenDatabase<'_>, code: Code, message: &str) -> Outcome<&'o str> {
    match database(open)? {
        RdsDatabase::Instance(instance) => Ok(instance),
        RdsDatabase::Cluster(cluster) => Err(Failure::new(code, message)
            .because(anyhow::anyhow!(
                "{cluster} is a cluster, and snapshots of clusters are not restored here"
            ))
            .hint("restore it beside with RDS, look at the data, and tag the snapshot: docs/snapshots.md, \"Clusters\"")
            .hint(format!(
                "a dump can be verified and restored: llama-deploy db backup {} --pg-dump",
                open.environment().name
            ))),
    }
}

fn instance<'o>(open: &'o OpenDatabase<'_>) -> Outcome<&'o str> {
    restorable(open, Code::RestoreFailed, UNTOUCHED)
}

/// Counts every row, and asks the checks of the settings.
struct Examination {
    database: migrate::Database,
    checks: Vec<Check>,
}

impl Examination {
    fn of(open: &OpenDatabase<'_>) -> Self {
        Self {
            database: open.server.clone(),
            checks: open.checks(),
        }
    }
}

#[async_trait]
impl Proof for Examination {
    async fn prove(&self, address: &DatabaseAddress) -> Result<Proven, String> {
        let restored = self.database.at(&address.host, address.port);
        let examined = backup::examine(&restored, &self.checks).await.map_err(|error| {
            let causes = std::iter::successors(std::error::Error::source(&error), |error| error.source());
            causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
        })?;
        let checks = match examined.checks.len() {
            0 => String::new(),
            count => format!(", {count} checks passed"),
        };
        Ok(Proven {
            seen: format!("{} tables with {} rows{checks}", examined.tables, examined.rows),
            schema: SchemaVersion(examined.schema_version),
        })
    }
}

fn tell(console: &Console, event: RestoreEvent) {
    match event {
        RestoreEvent::Creating { instance } => console.say(&format!("  {instance} is made of it")),
        RestoreEvent::Waiting { instance, status } => console.ticking(&format!("{instance} is {status}")),
        RestoreEvent::Proving { instance } => console.waiting(&format!("reading all of {instance}")),
        RestoreEvent::Proved { instance, seen } => console.say(&format!("  ✓ {instance} serves: {seen}")),
        RestoreEvent::Renaming { from, to } => console.say(&format!("  {from} becomes {to}")),
        RestoreEvent::Deleting { instance } => console.say(&format!("  {instance} is deleted again")),
    }
}
