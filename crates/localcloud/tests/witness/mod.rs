//! A witness that none of us wrote: boto3 calls the embedded cloud, and the script's own asserts judge the answers.
//!
//! `Witness::start()` runs the cloud on a free port in a folder of its own; `run("name.py")` runs
//! `tests/witness/scripts/name.py` against it, with the endpoint and credentials that mean nothing in its environment.
//! `restart` ends the cloud and starts it again on the same folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use localcloud::cloud::{LocalCloud, Options, Running};
use tempfile::TempDir;
use tokio::process::Command;

pub const REGION: &str = "us-east-1";

/// A script that takes longer hangs.
const SCRIPT_LIMIT: Duration = Duration::from_mins(10);

pub struct Witness {
    folder: TempDir,
    running: Option<Running>,
}

impl Witness {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let running = Some(start(folder.path()).await);
        Self { folder, running }
    }

    pub fn endpoint(&self) -> &str {
        &self.running.as_ref().expect("the cloud runs").endpoint
    }

    #[allow(dead_code, reason = "not every test looks into the folder")]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends the cloud as a user does, and starts it again on its folder; the port changes.
    #[allow(dead_code, reason = "not every test restarts")]
    pub async fn restart(&mut self) {
        self.running.take().expect("the cloud runs").stop().await;
        self.running = Some(start(self.folder.path()).await);
    }

    /// Ends the cloud and what it started; tests that bring up databases call it at their end.
    #[allow(dead_code, reason = "not every test starts processes")]
    pub async fn stop(mut self) {
        self.running.take().expect("the cloud runs").stop().await;
    }

    /// Runs a script of `tests/witness/scripts`; panics with its output when it fails.
    pub async fn run(&self, script: &str) {
        self.run_with(script, &[]).await;
    }

    /// As [`Witness::run`], with further environment variables.
    pub async fn run_with(&self, script: &str, environment: &[(&str, &str)]) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/witness/scripts")
            .join(script);
        assert!(path.is_file(), "{} does not exist", path.display());
        let python = python().await;
        let mut command = Command::new(python);
        command
            .arg(&path)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(SCRIPT_LIMIT, command.output()).await;
        let output = output
            .unwrap_or_else(|_| panic!("{script} did not end within {SCRIPT_LIMIT:?}"))
            .expect("the interpreter starts");
        assert!(
            output.status.success(),
            "{script} failed\n--- stdout\n{}\n--- stderr\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
    }
}

async fn start(folder: &Path) -> Running {
    let options = Options {
        folder: folder.join("cloud"),
        port: 0,
        region: REGION.to_owned(),
        database_url: None,
    };
    LocalCloud::start(options).await.expect("the cloud starts")
}

/// The interpreter with boto3 and websockets: what `LLAMA_TEST_PYTHON` names, else `python3`.
async fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    if let Some(python) = PYTHON.get() {
        return python.clone();
    }
    let python = PathBuf::from(std::env::var_os("LLAMA_TEST_PYTHON").unwrap_or_else(|| "python3".into()));
    let probe = Command::new(&python)
        .args(["-c", "import boto3, websockets"])
        .output()
        .await;
    let missing = match probe {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(reason) = missing {
        panic!(
            "the witness tests need boto3 and websockets, and {} has not both: {}\nRun `cargo xtask test`, which brings \
             them, or `pip install boto3 websockets`, or name an interpreter in LLAMA_TEST_PYTHON.",
            python.display(),
            reason.trim(),
        );
    }
    PYTHON.get_or_init(|| python).clone()
}
