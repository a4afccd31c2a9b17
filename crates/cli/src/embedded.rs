//! The embedded cloud as a process: one a project, found through its folder, started in the background and stopped
//! by a signal.

use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use localcloud::cloud::{Endpoint, LocalCloud, Options, StartError};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::failure::{Code, Failure, Outcome};
use crate::settings::{Environment, LOCAL, Settings};

/// How long the cloud may take to answer after its start; it opens its state and starts a database if there is one.
const START: Duration = Duration::from_secs(60);
/// How long it may take to stop; it ends functions, database and cache in order.
const STOP: Duration = Duration::from_secs(30);
/// How long a cloud that is busy may take to say that it is well; one that is gone refuses at once.
const ANSWER: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(25);

pub struct Embedded {
    config: PathBuf,
    root: PathBuf,
    folder: PathBuf,
    options: Options,
}

impl Embedded {
    pub fn of(settings: &Settings) -> Outcome<Self> {
        let environment: &Environment = settings.environment(LOCAL)?;
        let folder = settings.environment_folder(LOCAL).join("cloud");
        let options = Options {
            folder: folder.clone(),
            port: environment.port,
            region: environment.region.clone(),
            database_url: environment.database_url.clone(),
        };
        Ok(Self {
            config: settings.file.clone(),
            root: settings.root.clone(),
            folder,
            options,
        })
    }

    pub fn log_file(&self) -> PathBuf {
        self.folder.with_file_name("cloud.log")
    }

    /// Everything that the environment `local` keeps.
    pub fn environment_folder(&self) -> PathBuf {
        self.root.join(".llama").join(LOCAL)
    }

    /// Where it answers now, if it does.
    pub fn running(&self) -> Option<Endpoint> {
        localcloud::cloud::endpoint(&self.folder).filter(|endpoint| health(endpoint).is_some())
    }

    /// Where it answers; started in the background when it does not run. `starting` is called before that. Where the
    /// settings leave the port open, it comes back on the port that it had, if that is still free: addresses that were
    /// told go on to hold.
    pub fn ensure(&self, port: Option<u16>, starting: impl FnOnce()) -> Outcome<Endpoint> {
        let begun = Instant::now();
        loop {
            if let Some(endpoint) = self.running() {
                return Ok(endpoint);
            }
            // One that comes up or ends is waited for: there is only one of a folder.
            if !localcloud::cloud::is_held(&self.folder) || begun.elapsed() > START {
                break;
            }
            std::thread::sleep(LOOK);
        }
        starting();
        let last = self.last_port().filter(|_| port.is_none() && self.options.port == 0);
        let endpoint = match last.map(|last| self.start(Some(last))) {
            Some(Err(failure)) if failure.code == Code::LocalPortTaken => self.start(None)?,
            Some(started) => started?,
            None => self.start(port)?,
        };
        self.remember_port(&endpoint);
        Ok(endpoint)
    }

    fn last_port(&self) -> Option<u16> {
        std::fs::read_to_string(self.port_file()).ok()?.trim().parse().ok()
    }

    fn remember_port(&self, endpoint: &Endpoint) {
        if let Some((_, port)) = endpoint.endpoint.rsplit_once(':') {
            // Without it the next start takes any port.
            let _ = std::fs::write(self.port_file(), port);
        }
    }

    fn port_file(&self) -> PathBuf {
        self.folder.with_file_name("port")
    }

    fn start(&self, port: Option<u16>) -> Outcome<Endpoint> {
        let cannot = |what: String| Failure::new(Code::LocalUnavailable, what);
        std::fs::create_dir_all(&self.folder)
            .map_err(|error| cannot(format!("cannot make {}", self.folder.display())).because(error))?;
        let log = self.log_file();
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .read(true)
            .open(&log)
            .map_err(|error| cannot(format!("cannot write {}", log.display())).because(error))?;
        let before = file.metadata().map(|metadata| metadata.len()).unwrap_or_default();
        let mut child = self
            .spawn(&file, port)
            .map_err(|error| cannot("cannot start the embedded cloud".into()).because(error))?;
        let begun = Instant::now();
        loop {
            if let Some(endpoint) = self.running().filter(|endpoint| endpoint.pid == child.id()) {
                return Ok(endpoint);
            }
            if let Ok(Some(status)) = child.try_wait() {
                let mut said = String::new();
                // An unreadable log costs the reason, not the failure.
                let _ = file
                    .seek(SeekFrom::Start(before))
                    .and_then(|_| file.read_to_string(&mut said));
                return Err(start_failure(&said, &status.to_string(), &log));
            }
            if begun.elapsed() > START {
                // It is ours and of no use.
                let _ = child.kill();
                return Err(cannot(format!(
                    "the embedded cloud did not answer within {} s",
                    START.as_secs()
                ))
                .hint(format!("its log stands in {}", log.display())));
            }
            std::thread::sleep(LOOK);
        }
    }

    fn spawn(&self, log: &std::fs::File, port: Option<u16>) -> std::io::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--config").arg(&self.config).args(["local", "serve"]);
        if let Some(port) = port {
            command.args(["--port", &port.to_string()]);
        }
        command
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?);
        // Its own group: an interrupt of the command that started it does not reach it.
        command.process_group(0).spawn()
    }

    /// Runs it in this process until a signal ends it.
    pub fn serve(&self, port: Option<u16>) -> Outcome {
        let options = Options {
            port: port.unwrap_or(self.options.port),
            ..self.options.clone()
        };
        let runtime = tokio::runtime::Runtime::new()
            .map_err(|error| Failure::new(Code::Internal, "cannot start the runtime").because(error))?;
        runtime.block_on(async {
            let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .map_err(|error| Failure::new(Code::Internal, "cannot listen for signals").because(error))?;
            let running = LocalCloud::start(options).await.map_err(refused)?;
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            running.stop().await;
            Ok(())
        })
    }

    /// Stops it; whether it ran.
    pub fn stop(&self) -> Outcome<bool> {
        let Some(endpoint) = self.running() else {
            // One that was killed could not end its database and its cache.
            localcloud::process::end_left_servers(&self.folder);
            return Ok(false);
        };
        let pid = i32::try_from(endpoint.pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| Failure::new(Code::LocalUnavailable, format!("{} is no process id", endpoint.pid)))?;
        let cannot = |what: &str| Failure::new(Code::LocalUnavailable, format!("process {} {what}", endpoint.pid));
        kill_process(pid, Signal::TERM).map_err(|error| cannot("cannot be stopped").because(error))?;
        let begun = Instant::now();
        while test_kill_process(pid).is_ok() && health(&endpoint).is_some()
            || localcloud::cloud::endpoint(&self.folder).is_some()
        {
            if begun.elapsed() > STOP {
                return Err(cannot("did not stop").hint(format!("its log stands in {}", self.log_file().display())));
            }
            std::thread::sleep(LOOK);
        }
        Ok(true)
    }
}

/// What it says about itself, when it is the process that the endpoint file names.
pub fn health(endpoint: &Endpoint) -> Option<serde_json::Value> {
    let address = endpoint.endpoint.strip_prefix("http://")?;
    let mut stream = TcpStream::connect_timeout(&address.parse().ok()?, ANSWER).ok()?;
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    write!(
        stream,
        "GET /_aws/local/health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let health: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
    (health.get("pid")?.as_u64()? == u64::from(endpoint.pid)).then_some(health)
}

fn refused(error: StartError) -> Failure {
    let code = match error {
        StartError::PortTaken { .. } => Code::LocalPortTaken,
        _ => Code::LocalUnavailable,
    };
    Failure::new(code, "the embedded cloud cannot start").because(error)
}

/// The background process has printed its failure into the log; tell it as our own.
fn start_failure(said: &str, status: &str, log: &std::path::Path) -> Failure {
    let code = if said.contains(Code::LocalPortTaken.id()) {
        Code::LocalPortTaken
    } else {
        Code::LocalUnavailable
    };
    let reason = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("because: "))
        .next_back();
    let failure = Failure::new(code, "the embedded cloud did not start");
    let failure = match reason {
        Some(reason) => failure.because(anyhow::anyhow!("{reason}")),
        None => failure.because(anyhow::anyhow!("it ended with {status}")),
    };
    failure.hint(format!("its log stands in {}", log.display()))
}
