//! What this machine offers to functions: interpreters, and the little of its environment that a process cannot do
//! without. The only place of Lambda that reads the environment.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::libraries::Libraries;
use crate::service::ApiError;

const NODE_CLIENT: &str = include_str!("clients/runtime.mjs");
const PYTHON_CLIENT: &str = include_str!("clients/runtime.py");

/// Passed on when it is there. Everything else of the machine's environment stays outside, so that a function cannot
/// come to depend on it.
const NECESSITIES: [&str; 6] = ["PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"];

pub(crate) struct Host {
    necessities: Vec<(&'static str, OsString)>,
    /// Where the bundled runtime clients lie.
    clients: PathBuf,
    libraries: Libraries,
    node: OnceLock<Option<PathBuf>>,
    python: OnceLock<Option<PathBuf>>,
}

/// What is started for a function.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub path: PathBuf,
    pub arguments: Vec<PathBuf>,
}

impl Host {
    /// Writes the bundled runtime clients into `clients`; what is fetched from elsewhere goes into `tools`.
    pub fn open(clients: PathBuf, tools: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&clients)?;
        std::fs::write(clients.join("runtime.mjs"), NODE_CLIENT)?;
        std::fs::write(clients.join("runtime.py"), PYTHON_CLIENT)?;
        let necessities = NECESSITIES
            .iter()
            .filter_map(|name| Some((*name, std::env::var_os(name)?)))
            .collect();
        let libraries = Libraries::open(clients.join("libraries"), tools)?;
        Ok(Self {
            necessities,
            clients,
            libraries,
            node: OnceLock::new(),
            python: OnceLock::new(),
        })
    }

    pub fn necessities(&self) -> &[(&'static str, OsString)] {
        &self.necessities
    }

    /// Brings what Lambda's runtime has beside the interpreter; the variable makes it found.
    pub async fn provide(&self, runtime: &str, code: &Path, program: &Program) -> Option<(String, String)> {
        self.libraries
            .provide(runtime, code, &program.path, &self.necessities)
            .await;
        self.libraries.variable(runtime)
    }

    /// The program that runs `runtime` with the code in `code`.
    pub fn program(&self, runtime: &str, code: &Path) -> Result<Program, ApiError> {
        if runtime.starts_with("provided") {
            return Ok(Program {
                path: code.join("bootstrap"),
                arguments: Vec::new(),
            });
        }
        let (interpreter, client) = if runtime.starts_with("nodejs") {
            (self.node.get_or_init(|| self.find("node")), "runtime.mjs")
        } else if runtime.starts_with("python") {
            (
                self.python
                    .get_or_init(|| self.find("python3").and_then(|found| self.real_python(&found))),
                "runtime.py",
            )
        } else {
            return Err(unable(format!(
                "The embedded cloud runs the runtimes provided.*, nodejs* and python*; {runtime} can be created but not invoked."
            )));
        };
        let Some(interpreter) = interpreter else {
            let program = if client == "runtime.mjs" {
                "Node.js (the program node)"
            } else {
                "Python (the program python3)"
            };
            return Err(unable(format!(
                "A function with the runtime {runtime} needs {program} in the PATH; install it and restart the embedded cloud."
            )));
        };
        Ok(Program {
            path: interpreter.clone(),
            arguments: vec![self.clients.join(client)],
        })
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        let (_, path) = self.necessities.iter().find(|(name, _)| *name == "PATH")?;
        std::env::split_paths(path)
            .map(|folder| folder.join(program))
            .find(|candidate| candidate.is_file())
    }

    /// Version managers put a script in front that needs more of the environment than functions get.
    fn real_python(&self, found: &Path) -> Option<PathBuf> {
        let output = std::process::Command::new(found)
            .args(["-c", "import sys; print(sys.executable)"])
            .output()
            .ok()?;
        let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
        path.is_file().then_some(path)
    }
}

fn unable(message: String) -> ApiError {
    ApiError::new(502, "InvalidRuntimeException", message)
}
