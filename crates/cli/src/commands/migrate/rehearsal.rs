//! How a dry run is shown: what would run, the locks it took, for how long, whom they kept waiting, and what would be lost.

use migrate::{LockTaken, Outcome as Ended, Rehearsed};
use serde_json::{Value, json};

use crate::console::Console;

pub fn show(rehearsed: &[Rehearsed], verb: &str, console: &Console) {
    for one in rehearsed {
        match &one.outcome {
            Ended::Ran { took } => {
                console.print(&format!("would {verb} {} ({} ms)", one.file, took.as_millis()));
                for lock in &one.locks {
                    console.print(&format!(
                        "    {} on {}, for at most {} ms: blocks {}",
                        lock.mode,
                        lock.relation,
                        took.as_millis(),
                        lock.blocks
                    ));
                }
            }
            Ended::NotRun { why } => console.print(&format!("would {verb} {}; not tried: {why}", one.file)),
        }
        for session in &one.waiting {
            console.print(&format!("    kept waiting: {session}"));
        }
        for loss in &one.losses {
            console.print(&format!("    WOULD LOSE: {loss}"));
        }
    }
}

pub fn described(one: &Rehearsed) -> Value {
    let (took, not_run) = match &one.outcome {
        Ended::Ran { took } => (Some(took.as_millis()), None),
        Ended::NotRun { why } => (None, Some(why)),
    };
    let locks: Vec<Value> = one.locks.iter().map(lock).collect();
    let waiting: Vec<String> = one.waiting.iter().map(ToString::to_string).collect();
    let losses: Vec<Value> = one
        .losses
        .iter()
        .map(|loss| json!({ "file": loss.file, "line": loss.line, "what": loss.what }))
        .collect();
    json!({
        "file": one.file, "took_ms": took, "not_run": not_run, "locks": locks, "waiting": waiting, "losses": losses,
    })
}

fn lock(lock: &LockTaken) -> Value {
    json!({ "relation": lock.relation, "mode": lock.mode, "blocks": lock.blocks.to_string() })
}
