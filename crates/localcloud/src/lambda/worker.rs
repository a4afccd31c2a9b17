//! One process that runs one version of a function: started, given one event after another, ended.
//!
//! It knows nothing of aliases, concurrency or metrics. As in AWS a process lives on between events, what it prints
//! in between shows up with the next event, and one that times out or exits is never used again.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::host::{Host, Program};
use super::runtime_api::{Event, Report, RuntimeApi};

/// AWS Lambda Developer Guide, "Lambda runtime environment lifecycle": the init phase has 10 seconds of its own.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// Lambda quotas: 6 MB for a synchronous answer.
const ANSWER_LIMIT: usize = 6 * 1024 * 1024 + 100;
/// Longer lines are cut, so that output without a line end has a bound too. CloudWatch Logs takes 256 KB an event.
const LINE_LIMIT: usize = 256 * 1024;
/// What one event may print; the rest is left out, and a line says so.
const LINES_LIMIT: usize = 100_000;
/// A pipe holds 64 KB: what comes after this many reads was written after the answer.
const DRAIN_READS: usize = 16;

/// All that has to be known to start a process.
pub(crate) struct Launch {
    pub program: Program,
    pub code: PathBuf,
    pub environment: Vec<(String, String)>,
}

pub(crate) struct Worker {
    child: Child,
    api: RuntimeApi,
    outputs: [Output; 2],
    started: Instant,
    /// It asked for an event at least once.
    initialized: bool,
    /// It asked for an event since it answered the last one.
    waits: bool,
    mark: Option<ProcessMark>,
    pub log_stream: String,
}

pub(crate) struct Outcome {
    pub payload: Bytes,
    /// The function failed: the payload is its error.
    pub failed: bool,
    /// What the process printed.
    pub lines: Vec<String>,
    pub duration: Duration,
    /// Of the process's first event only.
    pub init_duration: Option<Duration>,
    /// Where the machine tells it.
    pub peak_memory_megabytes: Option<u64>,
    pub timed_out: bool,
    /// The warm process ended before it asked for this event; another one can have it.
    pub never_taken: bool,
    /// The process can take another event.
    pub reusable: bool,
}

enum Ending {
    Answered(Bytes),
    Failed(Bytes),
    InitFailed(Bytes),
    Exited(Option<ExitStatus>),
    TimedOut,
}

impl Worker {
    /// Starts the process. `marks` is the folder that remembers it in case we are killed.
    pub async fn start(launch: Launch, host: &Host, marks: &Path, log_stream: String) -> std::io::Result<Self> {
        let api = RuntimeApi::listen().await?;
        let mut command = Command::new(&launch.program.path);
        command
            .args(&launch.program.arguments)
            .current_dir(&launch.code)
            .env_clear()
            .envs(host.necessities().iter().map(|(name, value)| (*name, value)))
            .envs(launch.environment)
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that what the function starts ends with it.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let mark = child.id().map(|id| ProcessMark::set(marks, id)).transpose()?;
        let lost = || std::io::Error::other("the process was started without its output");
        let stdout = Output::new(child.stdout.take().ok_or_else(lost)?.into_owned_fd()?)?;
        let stderr = Output::new(child.stderr.take().ok_or_else(lost)?.into_owned_fd()?)?;
        Ok(Self {
            child,
            api,
            outputs: [stdout, stderr],
            started: Instant::now(),
            initialized: false,
            waits: false,
            mark,
            log_stream,
        })
    }

    /// Whether the process still runs; one that died while idle is not worth an event.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Gives the process one event and waits for its end.
    pub async fn run(&mut self, event: Event, timeout: Duration) -> Outcome {
        let request_id = event.request_id.clone();
        let cold = !self.initialized;
        let mut lines = Vec::new();
        let mut begun = Instant::now();
        let mut init_duration = None;
        // The time limit counts from when the process is ready; before, the init phase's own limit comes on top.
        let limit = tokio::time::sleep(if cold { INIT_LIMIT + timeout } else { timeout });
        tokio::pin!(limit);
        // Fails only when the server part is gone, and then the process exits, which is seen below.
        let _ = self.api.events.send(event);
        let [stdout, stderr] = &mut self.outputs;
        let ending = loop {
            tokio::select! {
                biased;
                report = self.api.reports.recv() => match report {
                    Some(Report::Ready) => {
                        self.waits = true;
                        if !self.initialized {
                            self.initialized = true;
                            begun = Instant::now();
                            init_duration = Some(begun - self.started);
                            limit.as_mut().reset(begun + timeout);
                        }
                    }
                    Some(Report::Answer { request_id: answered, payload }) if answered == request_id => break Ending::Answered(payload),
                    Some(Report::Error { request_id: answered, payload }) if answered == request_id => break Ending::Failed(payload),
                    Some(Report::InitError { payload }) => break Ending::InitFailed(payload),
                    // An answer to an event that is over.
                    Some(Report::Answer { .. } | Report::Error { .. }) => {}
                    None => break Ending::Exited(None),
                },
                () = &mut limit => break Ending::TimedOut,
                () = stdout.wait() => stdout.read(&mut lines),
                () = stderr.wait() => stderr.read(&mut lines),
                status = self.child.wait() => break match self.api.reports.try_recv() {
                    // The process reported before it went.
                    Ok(Report::InitError { payload }) => Ending::InitFailed(payload),
                    Ok(Report::Answer { payload, .. }) => Ending::Answered(payload),
                    Ok(Report::Error { payload, .. }) => Ending::Failed(payload),
                    _ => Ending::Exited(status.ok()),
                },
            }
        };
        let duration = begun.elapsed();
        for output in &mut self.outputs {
            output.drain(&mut lines, !matches!(ending, Ending::Answered(_) | Ending::Failed(_)));
        }
        let never_taken = !cold && !self.waits && matches!(ending, Ending::Exited(_));
        self.waits = false;
        let timed_out = matches!(ending, Ending::TimedOut);
        let reusable = matches!(ending, Ending::Answered(_) | Ending::Failed(_));
        let (payload, failed) = match ending {
            Ending::Answered(payload) if payload.len() > ANSWER_LIMIT => {
                let message =
                    format!("Response payload size exceeded maximum allowed payload size ({ANSWER_LIMIT} bytes).");
                (error("Function.ResponseSizeTooLarge", &message), true)
            }
            Ending::Answered(payload) => (payload, false),
            Ending::Failed(payload) | Ending::InitFailed(payload) => (payload, true),
            Ending::TimedOut => {
                let message = format!(
                    "RequestId: {request_id} Error: Task timed out after {:.2} seconds",
                    timeout.as_secs_f64()
                );
                (error("Sandbox.Timedout", &message), true)
            }
            Ending::Exited(status) => {
                let message = match status.map(exit_text) {
                    Some(Some(text)) => format!("RequestId: {request_id} Error: Runtime exited with error: {text}"),
                    _ => format!("RequestId: {request_id} Error: Runtime exited without providing a reason"),
                };
                (error("Runtime.ExitError", &message), true)
            }
        };
        Outcome {
            payload,
            failed,
            lines,
            duration,
            init_duration: init_duration.filter(|_| cold),
            peak_memory_megabytes: self.child.id().and_then(peak_memory_megabytes),
            timed_out,
            never_taken,
            reusable,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let (Some(mark), Ok(None)) = (&self.mark, self.child.try_wait()) {
            mark.kill_group();
        }
    }
}

pub(crate) fn error(kind: &str, message: &str) -> Bytes {
    Bytes::from(json!({"errorType": kind, "errorMessage": message}).to_string())
}

/// Nothing for a process that ended well.
fn exit_text(status: ExitStatus) -> Option<String> {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("exit status {code}")),
        (None, Some(9)) => Some("signal: killed".to_owned()),
        (None, signal) => Some(format!("signal: {}", signal.unwrap_or_default())),
    }
}

/// One of the process's output pipes, read by lines.
struct Output {
    receiver: Receiver,
    /// The same pipe without the readiness that tokio remembers: what the process wrote before it answered is in the
    /// pipe when the answer is here, whether or not the event loop has heard of it.
    direct: std::fs::File,
    partial: Vec<u8>,
    ended: bool,
}

impl Output {
    fn new(pipe: OwnedFd) -> std::io::Result<Self> {
        let direct = std::fs::File::from(pipe.try_clone()?);
        Ok(Self {
            receiver: Receiver::from_owned_fd(pipe)?,
            direct,
            partial: Vec::new(),
            ended: false,
        })
    }

    async fn wait(&self) {
        if self.ended || self.receiver.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn read(&mut self, lines: &mut Vec<String>) {
        let mut buffer = [0; 8192];
        match self.receiver.try_read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(length) => self.take(&buffer[..length], lines),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => self.ended = true,
        }
    }

    /// Reads what is there now; `all` takes a line without its end too.
    fn drain(&mut self, lines: &mut Vec<String>, all: bool) {
        let mut buffer = [0; 8192];
        for _ in 0..DRAIN_READS {
            match self.direct.read(&mut buffer) {
                Ok(length @ 1..) => self.take(&buffer[..length], lines),
                _ => break,
            }
        }
        if all && !self.partial.is_empty() {
            lines.push(String::from_utf8_lossy(&self.partial).into_owned());
            self.partial.clear();
        }
    }

    fn take(&mut self, bytes: &[u8], lines: &mut Vec<String>) {
        for byte in bytes {
            if *byte != b'\n' {
                self.partial.push(*byte);
            }
            if *byte == b'\n' || self.partial.len() >= LINE_LIMIT {
                if lines.len() < LINES_LIMIT {
                    lines.push(String::from_utf8_lossy(&self.partial).into_owned());
                } else if lines.len() == LINES_LIMIT {
                    lines.push("The embedded cloud leaves out further output of this invocation.".to_owned());
                }
                self.partial.clear();
            }
        }
    }
}

/// A file that says which process we started, so that the next start can end it if we are killed before.
///
/// A process usually ends by itself then: its connection to the runtime API closes. One that hangs in its handler
/// does not look. The start time tells a process from a later one with the same id.
struct ProcessMark {
    path: PathBuf,
    id: u32,
}

impl ProcessMark {
    fn set(folder: &Path, id: u32) -> std::io::Result<Self> {
        let path = folder.join(id.to_string());
        std::fs::write(&path, started_at(id).unwrap_or_default())?;
        Ok(Self { path, id })
    }

    fn kill_group(&self) {
        kill_group(self.id);
    }
}

impl Drop for ProcessMark {
    fn drop(&mut self) {
        // A mark that stays is harmless: its process is gone when it is read.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Ends the processes that an earlier, killed server left.
pub(crate) fn end_leftovers(marks: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(marks)?;
    for entry in std::fs::read_dir(marks)? {
        let path = entry?.path();
        let id = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.parse::<u32>().ok());
        let started = std::fs::read_to_string(&path)?;
        if let Some(id) = id
            && !started.is_empty()
            && started_at(id).as_deref() == Some(started.as_str())
        {
            kill_group(id);
        }
        std::fs::remove_file(&path)?;
    }
    Ok(())
}

fn kill_group(id: u32) {
    if let Some(group) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended in the meantime.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

/// Field 22 of `/proc/ID/stat`, counted behind the name, which may hold spaces. Where there is no `/proc`, nothing is
/// known and nothing is killed.
fn started_at(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

/// The most memory that the process ever held.
fn peak_memory_megabytes(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(
        kilobytes
            .trim()
            .strip_suffix("kB")?
            .trim()
            .parse::<u64>()
            .ok()?
            .div_ceil(1024),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leftover_is_ended_and_a_stranger_is_not() {
        use std::os::unix::process::CommandExt;
        let marks = tempfile::tempdir().unwrap();
        let start = || {
            std::process::Command::new("sleep")
                .arg("600")
                .process_group(0)
                .spawn()
                .unwrap()
        };
        let (mut leftover, mut stranger) = (start(), start());
        // Marks are dropped when we end well; these stay as after a kill.
        std::mem::forget(ProcessMark::set(marks.path(), leftover.id()).unwrap());
        std::fs::write(marks.path().join(stranger.id().to_string()), "1").unwrap();
        end_leftovers(marks.path()).unwrap();
        assert!(!leftover.wait().unwrap().success());
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        assert_eq!(std::fs::read_dir(marks.path()).unwrap().count(), 0);
    }
}
