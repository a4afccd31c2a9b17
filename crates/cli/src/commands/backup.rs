//! `llama-deploy backup ENV --rds | --all`: backups of what holds data in the environment's stacks, each waited for.
//!
//! Restoring is `db restore` for the environment's database; a cache's or a table's backup makes a new one, by hand.

use aws::{Holdings, TakenBackup, backup_label};
use serde::Serialize;
use serde_json::json;

use super::Session;
use super::db::snapshot::retain;
use crate::arguments::Backup;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::rollout::{self, Stacks, now};
use crate::settings::Settings;

/// What is backed up, and how it is called.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    RdsSnapshot,
    ElasticacheSnapshot,
    DynamodbBackup,
}

#[derive(Serialize)]
struct Taken {
    kind: Kind,
    of: String,
    id: String,
}

/// One that was not made; the others are made all the same.
#[derive(Serialize)]
struct Failed {
    kind: Kind,
    of: String,
    error: String,
}

pub fn run(options: &Backup, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.environment.name())?;
    let session = Session::open(settings, environment, console)?;
    console.clear();
    let label = options.label.clone().unwrap_or_else(|| backup_label(now()));
    session.runtime.block_on(async {
        let stacks = Stacks::read(&rollout::ledger(&session)?, &environment.name).await?;
        let holdings = session.aws.holdings(&stacks.0).await.map_err(refusal::calling)?;
        let wanted = wanted(&holdings, options.all);
        if wanted.is_empty() && holdings.clusters.is_empty() {
            return Err(Failure::new(
                Code::BackupFailed,
                format!("nothing in the stacks of {} holds data of that kind", environment.name),
            ));
        }
        let (mut taken, mut failed) = (Vec::new(), Vec::new());
        for (kind, of) in wanted {
            match take(&session, kind, &of, &label, console).await {
                Ok(backup) => {
                    console.print(&format!("{of}: {} is complete", backup.id));
                    taken.push(Taken {
                        kind,
                        of,
                        id: backup.id,
                    });
                }
                Err(failure) => {
                    console.say(&format!("{of}: {failure}"));
                    let error = failure.to_string();
                    failed.push(Failed { kind, of, error });
                }
            }
        }
        for cluster in &holdings.clusters {
            console.say(&format!(
                "the cluster {cluster} is NOT backed up here: RDS does that for clusters itself"
            ));
        }
        let deleted = retain(&session, console).await?;
        console.clear();
        console.print_json(&json!({
            "environment": environment.name, "backups": taken, "failed": failed, "not_backed_up": holdings.clusters,
            "deleted": deleted,
        }));
        match failed.as_slice() {
            [] => Ok(u8::from(!holdings.clusters.is_empty())),
            some => {
                let names: Vec<&str> = some.iter().map(|failed| failed.of.as_str()).collect();
                Err(
                    Failure::new(Code::BackupFailed, format!("{} is not backed up", names.join(", ")))
                        .because(anyhow::anyhow!("{}", some[0].error)),
                )
            }
        }
    })
}

fn wanted(holdings: &Holdings, all: bool) -> Vec<(Kind, String)> {
    let of = |kind: Kind, ids: &[String]| ids.iter().map(|id| (kind, id.clone())).collect::<Vec<_>>();
    let mut wanted = of(Kind::RdsSnapshot, &holdings.databases);
    if all {
        wanted.extend(of(Kind::ElasticacheSnapshot, &holdings.replication_groups));
        wanted.extend(of(Kind::DynamodbBackup, &holdings.tables));
    }
    wanted
}

async fn take(
    session: &Session<'_>,
    kind: Kind,
    of: &str,
    label: &str,
    console: &Console,
) -> Result<TakenBackup, aws::Failure> {
    let environment = &session.environment.name;
    let progress = |status: String| console.ticking(&format!("{of}: {status}"));
    match kind {
        Kind::RdsSnapshot => {
            let percent = |percent: i32| progress(format!("{percent} %"));
            let taken = session.aws.snapshot_database(of, environment, label, &percent).await?;
            Ok(TakenBackup {
                id: taken.id,
                of: of.to_owned(),
            })
        }
        Kind::ElasticacheSnapshot => session.aws.snapshot_cache(of, environment, label, &progress).await,
        Kind::DynamodbBackup => session.aws.back_up_table(of, label, &progress).await,
    }
}
