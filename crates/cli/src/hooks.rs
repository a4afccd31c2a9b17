//! Commands that an environment's settings run before and after backups, migrations and restores.
//!
//! What stands before a step stops it when it fails or takes too long; what stands after it is told and makes the command
//! end with status 1, but undoes nothing. A command runs in the project's folder, in a process group of its own that is
//! ended whole when its time is over. It is given `LLAMA_HOOK`, `LLAMA_ENVIRONMENT`, and for a backup `LLAMA_BACKUP`; no
//! secret is handed to it. Its output is kept to the last 4 KiB, and passwords in it are masked. A rollout that is carried
//! on after a crash may run a hook again. Rollouts, `migrate` and `db` call this; nobody else decides when a hook runs.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use migrate::Database;
use orchestrator::ports::HookRun;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::runtime::Runtime;

use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::session::Session;
use crate::settings::{Hook, HookTime};

/// How much of the output is kept, from its end.
const KEPT: usize = 4096;
/// What is read back of the output before secrets are masked: enough that none is cut in two within what is kept.
const READ_BACK: usize = 3 * KEPT;
/// How long somebody whom the command left behind may hold its output open.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// The hooks of one environment.
#[derive(Clone)]
pub struct Hooks {
    folder: PathBuf,
    environment: String,
    hooks: Vec<Hook>,
    masked: Option<Database>,
    /// The backup that is made or restored.
    backup: Option<String>,
    console: Console,
}

/// What ran around something that was done, for the `--json` of its command: there is no journal of what is done by hand.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct HookRuns(pub Vec<HookRun>);

impl HookRuns {
    /// The status that the command ends with for their sake: 1 where one failed.
    pub fn status(&self) -> u8 {
        u8::from(self.0.iter().any(|run| !run.succeeded))
    }
}

/// A hook that stands before something failed, so that was not begun.
#[derive(Debug)]
pub struct HookFailed {
    pub run: HookRun,
}

impl fmt::Display for HookFailed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HookRun {
            when,
            command,
            ended,
            output,
            ..
        } = &self.run;
        write!(formatter, "the {when} hook `{command}` failed ({ended})")?;
        if output.is_empty() {
            Ok(())
        } else {
            write!(formatter, "; it said: {output}")
        }
    }
}

impl std::error::Error for HookFailed {}

impl From<HookFailed> for Failure {
    fn from(failed: HookFailed) -> Self {
        Failure::new(
            Code::HookFailed,
            format!("the {} hook failed, so nothing was begun", failed.run.when),
        )
        .because(failed)
    }
}

impl Hooks {
    pub fn of(session: &Session<'_>, console: Console) -> Self {
        Self {
            folder: session.settings.root.clone(),
            environment: session.environment.name.clone(),
            hooks: session.environment.hooks.clone(),
            masked: None,
            backup: None,
            console,
        }
    }

    /// Masks this database's password in whatever the commands write.
    #[must_use]
    pub fn masking(&self, database: &Database) -> Self {
        Self {
            masked: Some(database.clone()),
            ..self.clone()
        }
    }

    /// Tells the commands which backup it is about.
    #[must_use]
    pub fn about_backup(mut self, backup: &str) -> Self {
        self.backup = Some(backup.to_owned());
        self
    }

    /// Runs what stands before something, in order, up to the first that fails.
    ///
    /// # Errors
    /// The hook that failed; what it stands before must not begin.
    pub async fn before(&self, time: HookTime) -> Result<Vec<HookRun>, HookFailed> {
        let mut runs = Vec::new();
        for hook in self.at(time) {
            let run = self.run(hook).await;
            if !run.succeeded {
                return Err(HookFailed { run });
            }
            runs.push(run);
        }
        Ok(runs)
    }

    /// Runs all that stands after something that was done; whether one failed stands in what is returned.
    pub async fn after(&self, time: HookTime) -> Vec<HookRun> {
        let mut runs = Vec::new();
        for hook in self.at(time) {
            runs.push(self.run(hook).await);
        }
        runs
    }

    /// Does what a person asked for between its two hooks, and gives its result and theirs. What fails itself has no hook
    /// after it.
    ///
    /// # Errors
    /// The hook before it that failed, or what `work` gives.
    pub fn around<T>(
        &self,
        runtime: &Runtime,
        [before, after]: [HookTime; 2],
        work: impl FnOnce() -> Outcome<T>,
    ) -> Outcome<(T, HookRuns)> {
        let mut runs = runtime.block_on(self.before(before))?;
        let done = work()?;
        runs.extend(runtime.block_on(self.after(after)));
        Ok((done, HookRuns(runs)))
    }

    fn at(&self, time: HookTime) -> impl Iterator<Item = &Hook> {
        self.hooks.iter().filter(move |hook| hook.when == time)
    }

    async fn run(&self, hook: &Hook) -> HookRun {
        let command = self.mask(&hook.command.join(" "));
        self.console.waiting(&format!("{}: {command}", hook.when));
        let mut output = Vec::new();
        let (succeeded, ended) = match self.carry_out(hook, &mut output).await {
            Ok(Some(status)) => (status.success(), status.to_string()),
            Ok(None) => (false, format!("ended after {} s, its time", hook.timeout.as_secs_f64())),
            Err(error) => (false, format!("it cannot run: {error}")),
        };
        let run = HookRun {
            when: hook.when.to_string(),
            command,
            succeeded,
            ended,
            output: kept(&self.mask(&String::from_utf8_lossy(&output)), output.len() >= READ_BACK),
        };
        self.console.clear();
        tell(&self.console, &run);
        run
    }

    /// `None` where it was ended because its time was over. `output` keeps the end of what it wrote in any case.
    async fn carry_out(&self, hook: &Hook, output: &mut Vec<u8>) -> io::Result<Option<ExitStatus>> {
        let (mut child, mut pipe) = self.spawn(hook)?;
        // A wait that is dropped leaves nobody behind, neither.
        let mut group = Group(child.id());
        let mut buffer = [0; KEPT];
        let mut is_open = true;
        let whole = async {
            loop {
                tokio::select! {
                    status = child.wait() => return status,
                    read = pipe.read(&mut buffer), if is_open => match read {
                        Ok(count) if count > 0 => keep(output, &buffer[..count]),
                        _ => is_open = false,
                    }
                }
            }
        };
        let status = match tokio::time::timeout(hook.timeout, whole).await {
            Ok(status) => {
                group.0 = None;
                Some(status?)
            }
            Err(_) => {
                drop(group);
                child.wait().await?;
                None
            }
        };
        let rest = async {
            while let Ok(count) = pipe.read(&mut buffer).await {
                if count == 0 {
                    break;
                }
                keep(output, &buffer[..count]);
            }
        };
        // Somebody in the background may hold it open for ever.
        let _ = tokio::time::timeout(LEFT_BEHIND, rest).await;
        Ok(status)
    }

    fn spawn(&self, hook: &Hook) -> io::Result<(Child, Receiver)> {
        let (reader, writer) = io::pipe()?;
        let (program, arguments) = hook
            .command
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it has no words"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("LLAMA_HOOK", hook.when.to_string())
            .env("LLAMA_ENVIRONMENT", &self.environment)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0);
        if let Some(backup) = &self.backup {
            command.env("LLAMA_BACKUP", backup);
        }
        let child = command.spawn()?;
        Ok((child, Receiver::from_owned_fd(OwnedFd::from(reader))?))
    }

    fn mask(&self, text: &str) -> String {
        let text = match &self.masked {
            Some(database) => database.mask(text),
            None => text.to_owned(),
        };
        without_url_passwords(&text)
    }
}

/// The hooks among them that failed, as warnings.
pub fn failures<'a>(runs: impl IntoIterator<Item = &'a HookRun>) -> Vec<String> {
    let failed = runs.into_iter().filter(|run| !run.succeeded);
    failed
        .map(|run| format!("the {} hook `{}` failed ({})", run.when, run.command, run.ended))
        .collect()
}

fn tell(console: &Console, run: &HookRun) {
    let sign = if run.succeeded { "✓" } else { "✗" };
    console.say(&format!("  {sign} {}: {} ({})", run.when, run.command, run.ended));
    for line in run.output.lines() {
        console.say(&format!("    {line}"));
    }
}

/// The process group of a command; ended with everybody in it.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

fn keep(output: &mut Vec<u8>, more: &[u8]) {
    output.extend_from_slice(more);
    let surplus = output.len().saturating_sub(READ_BACK);
    output.drain(..surplus);
}

/// The end of a masked output, without what a terminal would obey. `is_cut`: its beginning is missing, and the first line
/// may begin within a secret.
fn kept(text: &str, is_cut: bool) -> String {
    let text = match text.split_once('\n') {
        Some((_, rest)) if is_cut => rest,
        None if is_cut => "",
        _ => text,
    };
    let plain: String = text
        .chars()
        .filter(|letter| matches!(letter, '\n' | '\t') || !letter.is_control())
        .collect();
    let mut from = plain.len().saturating_sub(KEPT);
    while !plain.is_char_boundary(from) {
        from += 1;
    }
    plain[from..].trim().to_owned()
}

/// `postgres://me:secret@host` becomes `postgres://me:***@host`.
fn without_url_passwords(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        masked.push_str(before);
        masked.push_str("://");
        let end = after
            .find(|letter: char| letter.is_whitespace() || matches!(letter, '/' | '"' | '\''))
            .unwrap_or(after.len());
        let login = after[..end]
            .rfind('@')
            .and_then(|at| Some((after[..at].find(':')?, at)));
        rest = match login {
            Some((colon, at)) => {
                masked.push_str(&after[..=colon]);
                masked.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use migrate::Password;

    fn hooks(commands: &[(HookTime, &[&str], Duration)]) -> (Hooks, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let hook = |(when, command, timeout): &(HookTime, &[&str], Duration)| Hook {
            when: *when,
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            timeout: *timeout,
        };
        let hooks = Hooks {
            folder: folder.path().to_owned(),
            environment: "local".to_owned(),
            hooks: commands.iter().map(hook).collect(),
            masked: Some(Database::new(
                "127.0.0.1",
                5432,
                "app",
                "me",
                Password::new("p@ss word"),
            )),
            backup: None,
            console: Console::new(false),
        };
        (hooks, folder)
    }

    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn hooks_run_in_order_in_the_projects_folder_and_are_told_what_for() {
        let script =
            r#"echo "$LLAMA_HOOK of $LLAMA_BACKUP in $LLAMA_ENVIRONMENT"; echo and on stderr >&2; pwd > where"#;
        let (hooks, folder) = hooks(&[
            (HookTime::BeforeBackup, &["sh", "-c", script], LONG),
            (HookTime::AfterBackup, &["false"], LONG),
        ]);
        let runs = hooks
            .about_backup("release-7")
            .before(HookTime::BeforeBackup)
            .await
            .unwrap();
        assert_eq!(runs.len(), 1, "the other is for another time");
        assert!(runs[0].succeeded);
        assert_eq!(runs[0].output, "before-backup of release-7 in local\nand on stderr");
        let there = std::fs::read_to_string(folder.path().join("where")).unwrap();
        assert_eq!(
            std::fs::canonicalize(there.trim()).unwrap(),
            folder.path().canonicalize().unwrap()
        );
    }

    #[tokio::test]
    async fn the_first_that_fails_before_something_is_the_last_that_runs() {
        let (hooks, folder) = hooks(&[
            (HookTime::BeforeMigrate, &["sh", "-c", "echo no; exit 3"], LONG),
            (HookTime::BeforeMigrate, &["touch", "second"], LONG),
        ]);
        let failed = hooks.before(HookTime::BeforeMigrate).await.unwrap_err();
        assert_eq!(
            failed.to_string(),
            "the before-migrate hook `sh -c echo no; exit 3` failed (exit status: 3); it said: no"
        );
        assert!(!folder.path().join("second").exists());
    }

    #[tokio::test]
    async fn all_that_stand_after_something_run() {
        let (hooks, folder) = hooks(&[
            (HookTime::AfterMigrate, &["no-such-program-anywhere"], LONG),
            (HookTime::AfterMigrate, &["touch", "second"], LONG),
        ]);
        let runs = hooks.after(HookTime::AfterMigrate).await;
        assert_eq!(runs.iter().map(|run| run.succeeded).collect::<Vec<_>>(), [false, true]);
        assert!(runs[0].ended.starts_with("it cannot run: "), "{}", runs[0].ended);
        assert!(folder.path().join("second").exists());
        assert_eq!(failures(&runs).len(), 1);
    }

    /// Its child holds the output open and would hold it for ever: that it ends shows that the whole group was ended.
    #[tokio::test]
    async fn one_that_takes_too_long_is_ended_with_everybody_it_started() {
        let (hooks, folder) = hooks(&[(
            HookTime::BeforeMigrate,
            &["sh", "-c", "echo begun; touch begun; sleep 1000000 & sleep 1000000"],
            LONG,
        )]);
        let begun = folder.path().join("begun");
        let its_time_is_over = async {
            while !begun.exists() {
                tokio::task::yield_now().await;
            }
            // From here on time passes as soon as nobody has anything to do.
            tokio::time::pause();
        };
        let (failed, ()) = tokio::join!(hooks.before(HookTime::BeforeMigrate), its_time_is_over);
        let failed = failed.unwrap_err();
        assert_eq!(failed.run.ended, "ended after 600 s, its time");
        assert_eq!(failed.run.output, "begun");
    }

    #[tokio::test]
    async fn passwords_are_masked_in_the_output_and_in_the_command() {
        let (hooks, _folder) = hooks(&[(
            HookTime::AfterBackup,
            &["echo", "p@ss word", "p%40ss%20word", "postgres://me:other@db:5432/app"],
            LONG,
        )]);
        let runs = hooks.after(HookTime::AfterBackup).await;
        assert_eq!(runs[0].output, "*** *** postgres://me:***@db:5432/app");
        assert_eq!(runs[0].command, "echo *** *** postgres://me:***@db:5432/app");
    }

    #[tokio::test]
    async fn of_a_long_output_the_end_is_kept_and_no_secret_is_cut_in_two() {
        let script = "for n in $(seq 20000); do echo \"line $n p@ss word\"; done; printf 'end\\033[2J'";
        let (hooks, _folder) = hooks(&[(HookTime::AfterBackup, &["sh", "-c", script], LONG)]);
        let output = hooks.after(HookTime::AfterBackup).await.remove(0).output;
        assert!(output.len() <= KEPT && output.len() > KEPT / 2, "{}", output.len());
        assert!(output.ends_with("line 20000 ***\nend[2J"), "{output}");
        assert!(!output.contains("word"), "{output}");
    }

    #[test]
    fn only_the_password_of_an_address_is_masked() {
        for (text, expected) in [
            ("postgres://me:a@b@host/db", "postgres://me:***@host/db"),
            ("see https://example.com:8080/a@b", "see https://example.com:8080/a@b"),
            ("'redis://:x@h' http://u@h", "'redis://:***@h' http://u@h"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_url_passwords(text), expected);
        }
    }
}
