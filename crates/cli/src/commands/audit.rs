//! `llama-deploy audit verify | show`: whether the history is as it was written, and why each decision was made. Reads
//! the ledger only.

mod record;

use orchestrator::domain::EnvironmentName;
use orchestrator::ledger::{AuditReport, Journal, read_journal, rollout_numbers, verify};
use orchestrator::rollout::RolloutNumber;
use serde_json::json;

use super::{Session, environment_and_number};
use crate::arguments::{Audit, EnvironmentAndNumber};
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::moment::at;
use crate::rollout;
use crate::settings::{LOCAL, Settings};

/// Of the problems, so that the first ones are still on the screen; `--json` has all.
const SHOWN: usize = 20;

pub fn run(command: &Audit, settings: &Settings, console: &Console) -> Outcome<u8> {
    match command {
        Audit::Verify { environment, head } => verified(environment.name(), head.as_deref(), settings, console),
        Audit::Show { rollout } => show(rollout, settings, console),
    }
}

fn verified(name: &str, head: Option<&str>, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(name)?;
    let session = Session::open(settings, environment, console)?;
    let ledger = rollout::ledger(&session)?;
    console.clear();
    let report = session
        .runtime
        .block_on(verify(&*ledger, &EnvironmentName::new(name)))
        .map_err(|error| rollout::failed(error.into()))?;
    let found = head.map(|head| report.find(head).cloned());
    let sound = report.is_sound() && found != Some(None);
    console.print_json(&json!({ "sound": sound, "given_head": head, "given_head_is": found, "report": report }));
    console.print(&counted(&report));
    if let Some(Some(link)) = &found {
        let after = report.records_after(link);
        console.print(&format!("the given hash is {link}; {after} records came after it"));
    }
    if sound {
        console.print("the history is as it was written");
        return Ok(0);
    }
    for problem in report.problems.iter().take(SHOWN) {
        console.print(&format!("  ✗ {problem}"));
    }
    if report.problems.len() > SHOWN {
        console.print(&format!(
            "  … and {} more: --json lists them",
            report.problems.len() - SHOWN
        ));
    }
    let message = match (report.problems.len(), &found) {
        (0, _) => format!(
            "the history of {name} lacks the record of the given hash: its end was cut off, or all of it rewritten"
        ),
        (count, Some(None)) => {
            format!("the history of {name} has {count} flaws, and lacks the record of the given hash")
        }
        (count, _) => format!("the history of {name} has {count} flaws"),
    };
    Err(Failure::new(Code::HistoryChanged, message).hint(format!(
        "nothing was changed; llama-deploy status {name} shows whether the live traffic is as it should be"
    )))
}

fn counted(report: &AuditReport) -> String {
    let mut text = format!(
        "{}: {} rollouts, {} records, {} standings",
        report.environment, report.rollouts, report.records, report.standings
    );
    if let (Some(from), Some(to)) = (report.from, report.to) {
        text.push_str(&format!(", from {} to {}", at(from), at(to)));
    }
    if let Some(head) = &report.head {
        text.push_str(&format!("\nthe journal ends with {head}: {}", head.hash));
    }
    if let (Some(first), Some(last)) = (report.unlinked.first(), report.unlinked.last()) {
        text.push_str(&format!(
            "\nrollouts {first} to {last} were begun by an earlier llama-deploy, which did not link them: each is a chain of \
             its own"
        ));
    }
    text
}

fn show(options: &EnvironmentAndNumber, settings: &Settings, console: &Console) -> Outcome<u8> {
    let (named, number) = environment_and_number(options, "rollout")?;
    let environment = settings.environment(named.unwrap_or(LOCAL))?;
    let session = Session::open(settings, environment, console)?;
    let ledger = rollout::ledger(&session)?;
    console.clear();
    let name = EnvironmentName::new(environment.name.as_str());
    let journal = session.runtime.block_on(async {
        let numbers = rollout_numbers(&*ledger, &name)
            .await
            .map_err(|error| rollout::failed(error.into()))?;
        let rollout = match number.map(RolloutNumber) {
            Some(number) if numbers.contains(&number) => number,
            Some(number) => return Err(unknown(&environment.name, number, &numbers)),
            None => match numbers.last() {
                Some(newest) => *newest,
                None => return Ok(None),
            },
        };
        let journal = read_journal(&*ledger, &name, rollout).await;
        journal.map(Some).map_err(|error| rollout::failed(error.into()))
    })?;
    let Some(journal) = journal else {
        console.print(&format!("nothing was rolled out in {} yet", environment.name));
        console.print_json(&json!({ "environment": environment.name, "rollout": null, "records": [] }));
        return Ok(0);
    };
    print(&journal, console);
    console.print_json(&json!({
        "environment": environment.name, "rollout": journal.rollout, "records": journal.records, "head": journal.head()
    }));
    Ok(0)
}

fn print(journal: &Journal, console: &Console) {
    let mut before = None;
    for record in &journal.records {
        // Said again only where it changes.
        let writer = (&record.actor, record.epoch);
        if before != Some(writer) {
            console.print(&format!(
                "rollout {}, epoch {}: {}, llama-deploy {}",
                journal.rollout, record.epoch, record.actor, record.tool_version
            ));
            before = Some(writer);
        }
        console.print(&record::lines(record).join("\n"));
    }
    console.print(&format!(
        "the journal of rollout {} ends with {}",
        journal.rollout,
        journal.head()
    ));
}

fn unknown(environment: &str, number: RolloutNumber, known: &[RolloutNumber]) -> Failure {
    let known = match (known.first(), known.last()) {
        (Some(first), Some(last)) => format!("it has {first} to {last}"),
        _ => "it has none yet".to_owned(),
    };
    Failure::new(
        Code::ReleaseUnknown,
        format!("{environment} has no rollout {number}: {known}"),
    )
    .hint(format!("llama-deploy history {environment} lists them"))
}
