//! One project: settings, functions, embedded cloud; and the binary that is run in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::Background;

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The documents that `--json` wrote, one a line.
    pub fn json(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }

    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(
            self.status,
            Some(status),
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub struct Project {
    folder: TempDir,
}

impl Project {
    /// An empty folder.
    pub fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// A service with one function behind an API, in slots; see `src/bin/e2e-app.rs`.
    pub fn service() -> Self {
        let project = Self::empty();
        project.write("llama-deploy.toml", &settings("", ""));
        project.function("good");
        project
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("the folder can be made");
        std::fs::write(path, text).expect("the file can be written");
    }

    /// Makes `functions/NAME` of this crate the code that the next deploy finds.
    pub fn function(&self, name: &str) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("functions")
            .join(name)
            .join("bootstrap");
        let folder = self.path().join("function");
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        std::fs::copy(&source, folder.join("bootstrap"))
            .unwrap_or_else(|error| panic!("{}: {error}", source.display()));
    }

    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(binary("llama-deploy"));
        command
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env_remove("DATABASE_URL")
            .env("CI", "1");
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Ended {
        self.command(arguments).output().expect("the binary starts").into()
    }

    /// The same command for another environment of the same cloud: one that is not `local`, and so is protected.
    pub fn in_staging(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        self.to_staging(&mut command);
        command.output().expect("the binary starts").into()
    }

    /// The same without waiting for its end.
    pub fn start_in_staging(&self, arguments: &[&str]) -> Background {
        let mut command = self.command(arguments);
        self.to_staging(&mut command);
        Background::start(command)
    }

    /// Says where the environment `staging` is.
    pub fn to_staging(&self, command: &mut Command) {
        command
            .args(["--env", "staging"])
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local");
    }

    /// Starts it and goes on.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Background {
        Background::start(self.command(arguments))
    }

    /// Where the project's embedded cloud listens; started if it does not run.
    pub fn endpoint(&self) -> String {
        let up = self.run(&["local", "up", "--json"]).expect(0).json().remove(0);
        up["endpoint"].as_str().expect("an endpoint").to_owned()
    }

    /// The journal of one rollout, from the ledger's files.
    pub fn journal(&self, rollout: u32) -> Vec<Value> {
        let folder = self
            .path()
            .join(format!(".llama/local/ledger/local/rollouts/{rollout:06}"));
        let records = (0..).map(|number| std::fs::read_to_string(folder.join(format!("{number:06}.json"))));
        let records = records.map_while(Result::ok);
        records
            .map(|text| serde_json::from_str(&text).expect("a record is JSON"))
            .collect()
    }

    /// The base URL of the live stage.
    pub fn live_url(&self) -> String {
        let status = self.run(&["status", "--json"]).expect(0).json();
        status[0]["apis"][0]["live_url"]
            .as_str()
            .unwrap_or_else(|| panic!("no live URL in {}", status[0]))
            .to_owned()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if self.path().join("llama-deploy.toml").is_file() {
            // The project's own end must not hide the test's.
            let _ = self.command(&["local", "down"]).output();
        }
    }
}

/// Gates that ask how long something took: a busy machine fails them, whatever the release is.
pub(crate) const NO_GATES_ON_TIME: &str = "gates.lambda-p95 = false\ngates.against-live = { slow-calls = false }\n";

/// The settings of a service, with more lines for its rollout and for its environment `local`. However slow the machine
/// is, a bake goes on until it can be judged, and no release is judged by the machine's speed.
pub fn settings(rollout: &str, local: &str) -> String {
    let app = binary("e2e-app");
    format!(
        "[app]\ncommand = ['{}']\n\
         [[smoke]]\nname = 'hello'\npath = '/hello'\ncontains = 'hello'\n\
         [environments.local]\nport = 0\n{local}\n\
         [environments.local.rollout]\nbackup = 'none'\n\
         steps = [{{ weight = 10, bake = '3s' }}, {{ weight = 50, bake = '3s' }}, {{ weight = 100, bake = '3s' }}]\n\
         gates.longest-extension = '10m'\n{NO_GATES_ON_TIME}{rollout}\n\
         [environments.local.traffic]\nrequests-per-second = 60\n\
         [[environments.local.traffic.requests]]\nname = 'hello'\npath = '/hello'\n",
        app.display()
    )
}

/// A binary of the workspace, beside the tests' own.
pub(crate) fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a program knows where it is");
    // Tests stand in target/PROFILE/deps, binaries in target/PROFILE.
    let folder = own.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    let binary = folder.expect("a program stands in a folder").join(name);
    assert!(
        binary.is_file(),
        "{} is not built: `cargo xtask test` does it, or `cargo build --workspace --bins`",
        binary.display()
    );
    binary
}
