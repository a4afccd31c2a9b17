//! Finds and runs `pg_dump` and `pg_restore`.
//!
//! They must be of the server's major version: an older one refuses, and a newer one writes what the server's own
//! `pg_restore` cannot read.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{BackupError, BackupOptions};
use crate::database::{Database, Tls};

/// How much of what pg_dump said goes into an error.
const LONGEST_REPORT: usize = 2000;

/// A `pg_dump` of the right version, and the `pg_restore` beside it.
pub(super) struct Client {
    dump: PathBuf,
    restore: PathBuf,
    pub version: String,
}

/// Looks in `programs`, on `PATH`, and in Debian's folder of this version.
pub(super) async fn find(programs: Option<&Path>, major: u32) -> Result<Client, BackupError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"));
    let folders = programs
        .map(Path::to_owned)
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain([debian]);
    let mut versions = Vec::new();
    for folder in folders {
        let (dump, restore) = (folder.join("pg_dump"), folder.join("pg_restore"));
        if !dump.is_file() {
            continue;
        }
        let Some(version) = version(&dump).await else {
            continue;
        };
        match version
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|major| major.parse().ok())
        {
            Some(found) if found == major => return Ok(Client { dump, restore, version }),
            Some(found) if !versions.contains(&found) => versions.push(found),
            _ => {}
        }
    }
    Err(BackupError::NoClient {
        needed: major,
        versions,
    })
}

/// `15.18` of `pg_dump (PostgreSQL) 15.18 (Debian …)`.
async fn version(program: &Path) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .await
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .map(str::to_owned)
}

impl Client {
    /// Dumps into `folder/dump`, what a transaction with this snapshot sees.
    pub(super) async fn dump(
        &self,
        database: &Database,
        folder: &Path,
        snapshot: &str,
        options: &BackupOptions,
    ) -> Result<(), BackupError> {
        let mut command = Command::new(&self.dump);
        command
            .args(["--format=directory", "--compress=1"])
            .arg(format!("--lock-wait-timeout={}", options.lock_timeout.as_millis()))
            .arg(format!("--jobs={}", options.jobs.max(1)))
            .arg(format!("--snapshot={snapshot}"))
            .arg("--file")
            .arg(folder.join("dump"))
            .arg("--no-password")
            .arg("--")
            .arg(&database.name);
        match self.run(command, database, options.timeout).await? {
            Ended::Well => Ok(()),
            Ended::Badly { said } => Err(BackupError::Dump {
                database: database.to_string(),
                said,
            }),
        }
    }

    /// Restores `folder/dump` into an empty database. The first error ends it.
    pub(super) async fn restore(
        &self,
        database: &Database,
        folder: &Path,
        owners: Owners,
        jobs: u32,
        timeout: Duration,
    ) -> Result<(), BackupError> {
        let mut command = Command::new(&self.restore);
        command
            .args(["--format=directory", "--exit-on-error", "--no-password"])
            .arg(format!("--jobs={}", jobs.max(1)))
            .arg(format!("--dbname={}", database.name));
        if owners == Owners::Left {
            command.args(["--no-owner", "--no-privileges"]);
        }
        command.arg("--").arg(folder.join("dump"));
        match self.run(command, database, timeout).await? {
            Ended::Well => Ok(()),
            Ended::Badly { said } => Err(BackupError::Restore {
                database: database.to_string(),
                said,
            }),
        }
    }

    async fn run(&self, mut command: Command, database: &Database, timeout: Duration) -> Result<Ended, BackupError> {
        command
            // In the environment and not among the arguments, which every user of the machine can list.
            .env("PGHOST", &database.host)
            .env("PGPORT", database.port.to_string())
            .env("PGUSER", &database.username)
            .env("PGPASSWORD", database.password.reveal())
            .env("PGAPPNAME", "llama-deploy backup")
            .env_remove("PGSERVICE")
            .env_remove("PGOPTIONS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let roots = trust(&mut command, database)?;
        let output = tokio::time::timeout(timeout, command.output()).await;
        drop(roots);
        match output {
            Err(_) => Err(BackupError::TooSlow {
                database: database.to_string(),
                after: timeout,
            }),
            Ok(Err(error)) => Ok(Ended::Badly {
                said: format!(
                    "{} cannot be started: {error}",
                    command.as_std().get_program().display()
                ),
            }),
            Ok(Ok(output)) if !output.status.success() => {
                let said = String::from_utf8_lossy(&output.stderr);
                let said = said.trim().chars().take(LONGEST_REPORT).collect();
                Ok(Ended::Badly { said })
            }
            Ok(Ok(_)) => Ok(Ended::Well),
        }
    }
}

/// Whether what is restored belongs to who owned it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owners {
    Kept,
    /// To whoever restores: the owners need not exist here.
    Left,
}

enum Ended {
    Well,
    Badly { said: String },
}

/// Makes libpq verify what [`Tls`] asks for; returns the file that holds the roots meanwhile.
fn trust(command: &mut Command, database: &Database) -> Result<Option<tempfile::NamedTempFile>, BackupError> {
    match &database.tls {
        Tls::Loopback => {
            command.env("PGSSLMODE", "prefer");
            Ok(None)
        }
        // libpq 16 and newer read `system`; the older ones look for a file of that name and refuse, which is safe.
        Tls::Verified { roots } if roots.is_empty() => {
            command.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", "system");
            Ok(None)
        }
        Tls::Verified { roots } => {
            let written = tempfile::NamedTempFile::new().and_then(|mut file| {
                file.write_all(roots.as_bytes())?;
                file.flush()?;
                Ok(file)
            });
            let file = written.map_err(|source| BackupError::Write {
                path: std::env::temp_dir(),
                source,
            })?;
            command
                .env("PGSSLMODE", "verify-full")
                .env("PGSSLROOTCERT", file.path());
            Ok(Some(file))
        }
    }
}
