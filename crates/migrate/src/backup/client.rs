//! Finds and runs `pg_dump`.
//!
//! It must be of the server's major version: an older one refuses, and a newer one writes what the server's own
//! `pg_restore` cannot read.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::BackupError;
use crate::database::{Database, Tls};

/// How much of what pg_dump said goes into an error.
const LONGEST_REPORT: usize = 2000;

/// A `pg_dump` of the right version.
pub(super) struct Client {
    program: PathBuf,
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
    for program in folders
        .map(|folder| folder.join("pg_dump"))
        .filter(|program| program.is_file())
    {
        let Some(version) = version(&program).await else {
            continue;
        };
        match version
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|major| major.parse().ok())
        {
            Some(found) if found == major => return Ok(Client { program, version }),
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
    /// Dumps into `folder/dump`.
    pub(super) async fn dump(
        &self,
        database: &Database,
        folder: &Path,
        jobs: u32,
        timeout: Duration,
    ) -> Result<(), BackupError> {
        let mut command = Command::new(&self.program);
        command
            .args([
                "--format=directory",
                "--compress=1",
                "--no-password",
                "--lock-wait-timeout=30000",
            ])
            .arg(format!("--jobs={}", jobs.max(1)))
            .arg("--file")
            .arg(folder.join("dump"))
            .arg("--")
            .arg(&database.name)
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
        let roots = self.trust(&mut command, database, folder)?;
        let output = tokio::time::timeout(timeout, command.output()).await;
        if let Some(roots) = roots {
            let _ = std::fs::remove_file(roots);
        }
        let database = database.to_string();
        match output {
            Err(_) => Err(BackupError::TooSlow {
                database,
                after: timeout,
            }),
            Ok(Err(error)) => Err(BackupError::Dump {
                database,
                said: error.to_string(),
            }),
            Ok(Ok(output)) if !output.status.success() => {
                let said = String::from_utf8_lossy(&output.stderr);
                let said: String = said.trim().chars().take(LONGEST_REPORT).collect();
                Err(BackupError::Dump { database, said })
            }
            Ok(Ok(_)) => Ok(()),
        }
    }

    /// Makes libpq verify what [`Tls`] asks for; returns the file that holds the roots meanwhile.
    fn trust(&self, command: &mut Command, database: &Database, folder: &Path) -> Result<Option<PathBuf>, BackupError> {
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
                let path = folder.join("roots.pem");
                std::fs::write(&path, roots).map_err(|source| BackupError::Write {
                    path: path.clone(),
                    source,
                })?;
                command.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", &path);
                Ok(Some(path))
            }
        }
    }
}
