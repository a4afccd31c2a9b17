//! `llama-deploy db restore ENV --backup-id ID | --to-time TIME | --latest`: puts a backup in the database's place. What would be lost is said first,
//! and the environment's name has to be typed.

use std::fmt;

use aws::RestorePoint;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::entry::{self, Entry, Kind};
use super::{OpenDatabase, dump, snapshot};
use crate::arguments::DbRestore;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::hooks::Hooks;
use crate::moment;
use crate::rollout::{self, now};
use crate::settings::{Environment, HookTime, Settings};

pub fn run(options: &DbRestore, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.environment.name())?;
    check_confirmation(options.confirm.as_deref(), environment)?;
    let open = OpenDatabase::find(&environment.name, settings, console)?;
    let source = source(options, &open)?;
    if source.is_of_rds() {
        snapshot::restorable(&open, Code::RestoreFailed, snapshot::UNTOUCHED)?;
    }
    let ledger = rollout::ledger(&open.session)?;
    open.session
        .runtime
        .block_on(rollout::refuse_at_work(&*ledger, environment, "it needs the database"))?;
    match &source {
        Source::Backup(entry) => say_what_is_lost(entry, environment, now(), console),
        Source::Time(time) => say_what_a_time_loses(&open, *time, console)?,
    }
    consent(options.confirm.as_deref(), environment, console)?;
    let runtime = &open.session.runtime;
    let hooks = Hooks::of(&open.session, console.clone()).masking(&open.server);
    let around = HookTime::AROUND_RESTORE;
    let entry = match source {
        Source::Time(time) => {
            let point = RestorePoint::Time(time);
            let hooks = hooks.about_backup(&point.to_string());
            let (replaced, hooks) = hooks.around(runtime, around, || snapshot::restore(&open, point, console))?;
            snapshot::tell_replaced(&open, &replaced, &hooks, console);
            return Ok(hooks.status());
        }
        Source::Backup(entry) => entry,
    };
    console.waiting(&format!("restoring {} beside the database", entry.id));
    let hooks = hooks.about_backup(&entry.id);
    match entry.kind {
        Kind::Dump => {
            let ((restored, lost), hooks) = hooks.around(runtime, around, || {
                let restored = dump::restore(&open, &entry.id)?;
                let lost = entry.made_at.map(|made_at| Lost::between(made_at, now()));
                Ok((restored, lost))
            })?;
            console.clear();
            console.print(&format!(
                "{} serves what backup {} holds: {} tables with {} rows",
                open.server, entry.id, restored.tables, restored.rows
            ));
            if let Some(lost) = &lost {
                console.say(&format!("{lost}; the database {} has it", restored.kept_as));
            }
            console.say(&format!(
                "what served before is kept as the database {} on the same server; drop it when nothing of it is needed",
                restored.kept_as
            ));
            console.print_json(&json!({
                "environment": environment.name, "backup": entry.id, "kept_as": restored.kept_as,
                "tables": restored.tables, "rows": restored.rows, "lost": lost, "hooks": hooks,
            }));
            Ok(hooks.status())
        }
        Kind::Snapshot => {
            let point = RestorePoint::Snapshot(entry.id);
            let (replaced, hooks) = hooks.around(runtime, around, || snapshot::restore(&open, point, console))?;
            snapshot::tell_replaced(&open, &replaced, &hooks, console);
            Ok(hooks.status())
        }
    }
}

/// What a restore took away, once it is done.
#[derive(Serialize)]
pub struct Lost {
    since: Timestamp,
    /// When the old database was told to make place.
    until: Timestamp,
    seconds: i64,
}

impl Lost {
    pub fn between(since: Timestamp, until: Timestamp) -> Self {
        Self {
            since,
            until,
            seconds: until.duration_since(since).as_secs().max(0),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "what was written from {} until {} ({}) is not in it",
            moment::at(self.since),
            moment::at(self.until),
            moment::lasting(self.until.duration_since(self.since))
        )
    }
}

/// What is put in the database's place.
enum Source {
    Backup(Entry),
    /// The RDS instance as it was then.
    Time(Timestamp),
}

impl Source {
    fn is_of_rds(&self) -> bool {
        match self {
            Self::Backup(entry) => entry.kind == Kind::Snapshot,
            Self::Time(_) => true,
        }
    }
}

fn source(options: &DbRestore, open: &OpenDatabase<'_>) -> Outcome<Source> {
    if let Some(time) = options.to_time {
        return Ok(Source::Time(time));
    }
    match &options.backup_id {
        Some(id) => Ok(Source::Backup(entry::find(open, Some(id))?)),
        None => snapshot::latest_time(open).map(Source::Time),
    }
}

fn say_what_a_time_loses(open: &OpenDatabase<'_>, time: Timestamp, console: &Console) -> Outcome {
    let window = snapshot::loss_window(open, &RestorePoint::Time(time))?;
    console.say(&format!(
        "the database of {} becomes what it was {}, {} ago. Whatever was written since will be missing.",
        open.environment().name,
        moment::at(window.since),
        moment::lasting(window.until.duration_since(window.since))
    ));
    Ok(())
}

fn say_what_is_lost(entry: &Entry, environment: &Environment, now: Timestamp, console: &Console) {
    let window = entry.made_at.map_or_else(
        || "at a time that is not known".to_owned(),
        |made| {
            format!(
                "{}, {} ago",
                moment::at(made),
                moment::lasting(now.duration_since(made))
            )
        },
    );
    console.say(&format!(
        "backup {} ({}) holds the database of {} as it was {window}. Whatever was written since will be missing.",
        entry.id, entry.kind, environment.name
    ));
    match entry.verified_at {
        Some(at) => console.say(&format!("it was restored and compared {}", moment::at(at))),
        None => console.say("it is UNVERIFIED: nobody has restored it yet"),
    }
}

/// Looked at before anything else is done.
pub fn check_confirmation(confirm: Option<&str>, environment: &Environment) -> Outcome {
    match confirm {
        Some(name) if name != environment.name => Err(Failure::new(
            Code::ApprovalNeeded,
            format!("--confirm {name} is not the environment's name, {}", environment.name),
        )
        .hint("nothing was restored; is it the environment that you mean?")),
        _ => Ok(()),
    }
}

/// The environment's name, typed or given.
pub fn consent(confirm: Option<&str>, environment: &Environment, console: &Console) -> Outcome {
    let name = &environment.name;
    if confirm.is_some() {
        return Ok(());
    }
    let refused = |message: &str| {
        Failure::new(Code::ApprovalNeeded, message)
            .hint(format!("after a look at what is said above: --confirm {name}"))
    };
    if !console.can_ask() {
        return Err(refused("nobody can be asked, and nothing was restored"));
    }
    let answer = console.ask(&format!("type the environment's name, {name}, to go on:"));
    if answer.is_ok_and(|answer| answer == *name) {
        Ok(())
    } else {
        Err(refused("that is not the environment's name, and nothing was restored"))
    }
}
