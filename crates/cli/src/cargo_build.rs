//! Builds cargo packages, and does nothing when nothing changed.
//!
//! Even a cargo that has nothing to do takes a tenth of a second and more, and `synth` runs it every time. So a build
//! that succeeded leaves a stamp, and the next one only compares the stamp's time with those of the files that rustc
//! listed as inputs (the `.d` file beside the executable). In doubt cargo decides.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// Where and how to build.
#[derive(Clone, Debug)]
pub struct CargoBuild {
    /// The folder of the workspace's `Cargo.toml`.
    pub workspace: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// A cargo profile, for example `dev` or `release`.
    pub profile: String,
    /// The target triple; the host's own without one.
    pub triple: Option<String>,
    /// Whether cargo-zigbuild does it, which links for every target.
    pub zigbuild: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("cannot start cargo: is the Rust toolchain installed and on the path?")]
    CannotStart { source: std::io::Error },
    #[error("cargo build of {packages} failed\n{output}")]
    Failed { packages: String, output: String },
    #[error("cargo built {package}, but {} does not exist: does the package have a binary of its own name?", path.display())]
    NoExecutable { package: String, path: PathBuf },
    #[error("cannot write {}", path.display())]
    CannotWrite { path: PathBuf, source: std::io::Error },
}

/// What a build tells while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// These packages are not current.
    Starting(&'a [String]),
    /// A line of cargo's.
    Line(&'a str),
}

/// Cargo's own lines, which are not part of an error.
fn is_progress(line: &str) -> bool {
    let verbs = [
        "Compiling",
        "Downloading",
        "Downloaded",
        "Updating",
        "Locking",
        "Blocking",
        "Finished",
        "Adding",
    ];
    line.split_whitespace()
        .next()
        .is_some_and(|first| verbs.contains(&first))
}

impl CargoBuild {
    /// The executables of `packages`, each with a binary of the package's name, built if they are not current.
    /// `progress` is called only when cargo is.
    pub fn ensure(&self, packages: &[String], progress: &dyn Fn(Progress<'_>)) -> Result<Vec<PathBuf>, BuildError> {
        let stale: Vec<String> = packages
            .iter()
            .filter(|package| !self.is_current(package))
            .cloned()
            .collect();
        if !stale.is_empty() {
            progress(Progress::Starting(&stale));
            self.build(packages, progress)?;
        }
        Ok(packages.iter().map(|package| self.executable(package)).collect())
    }

    fn build(&self, packages: &[String], progress: &dyn Fn(Progress<'_>)) -> Result<(), BuildError> {
        let stamps = self.target.join("llama-deploy");
        let write = |path: &Path| {
            std::fs::create_dir_all(&stamps)
                .and_then(|()| std::fs::write(path, b""))
                .map_err(|source| BuildError::CannotWrite {
                    path: path.to_owned(),
                    source,
                })
        };
        // The stamp carries the time before the build: what is edited meanwhile counts as changed.
        let started = stamps.join(format!("started-{}", std::process::id()));
        write(&started)?;
        let mut command = Command::new("cargo");
        command.arg(if self.zigbuild { "zigbuild" } else { "build" });
        command.args(["--ignore-rust-version", "--profile", &self.profile]);
        command.args(self.triple.iter().flat_map(|triple| ["--target", triple]));
        command
            .args(["--color", "never"])
            .current_dir(&self.workspace)
            .arg("--target-dir")
            .arg(&self.target);
        command.args(packages.iter().flat_map(|package| ["--package", package]));
        let mut cargo = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| BuildError::CannotStart { source })?;
        let mut said = Vec::new();
        for line in cargo
            .stderr
            .take()
            .into_iter()
            .flat_map(|stderr| BufReader::new(stderr).lines())
        {
            let line = line.map_err(|source| BuildError::CannotStart { source })?;
            progress(Progress::Line(line.trim()));
            said.push(line);
        }
        let status = cargo.wait().map_err(|source| BuildError::CannotStart { source })?;
        if !status.success() {
            said.retain(|line| !is_progress(line));
            return Err(BuildError::Failed {
                packages: packages.join(", "),
                output: said.join("\n").trim_end().to_owned(),
            });
        }
        for package in packages {
            let executable = self.executable(package);
            if !executable.is_file() {
                return Err(BuildError::NoExecutable {
                    package: package.clone(),
                    path: executable,
                });
            }
            let stamp = self.stamp(package);
            std::fs::copy(&started, &stamp)
                .and_then(|_| {
                    let time = std::fs::metadata(&started)?.modified()?;
                    std::fs::File::options().write(true).open(&stamp)?.set_modified(time)
                })
                .map_err(|source| BuildError::CannotWrite { path: stamp, source })?;
        }
        // A leftover is harmless: it is one empty file a process id.
        let _ = std::fs::remove_file(&started);
        Ok(())
    }

    fn executable(&self, package: &str) -> PathBuf {
        self.profile_folder().join(package)
    }

    fn profile_folder(&self) -> PathBuf {
        // Cargo's own exception: the profile `dev` builds into `debug`.
        let target = match &self.triple {
            Some(triple) => self.target.join(triple),
            None => self.target.clone(),
        };
        target.join(if self.profile == "dev" { "debug" } else { &self.profile })
    }

    fn stamp(&self, package: &str) -> PathBuf {
        self.target
            .join("llama-deploy")
            .join(format!("{package}-{}{}.built", self.profile, self.suffix()))
    }

    fn suffix(&self) -> String {
        self.triple
            .as_ref()
            .map(|triple| format!("-{triple}"))
            .unwrap_or_default()
    }

    fn is_current(&self, package: &str) -> bool {
        let executable = self.executable(package);
        let Some(built) = modified(&self.stamp(package)) else {
            return false;
        };
        let Ok(listing) = std::fs::read_to_string(executable.with_extension("d")) else {
            return false;
        };
        let fixed = ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"].map(|name| self.workspace.join(name));
        let inputs = inputs(&listing);
        let manifests = inputs.iter().filter_map(|input| manifest_above(input, &self.workspace));
        executable.is_file()
            && !inputs.is_empty()
            && inputs
                .iter()
                .cloned()
                .chain(manifests)
                .all(|path| modified(&path).is_some_and(|time| time < built))
            && fixed.iter().all(|path| modified(path).is_none_or(|time| time < built))
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

/// The right-hand side of a make rule, in which a space inside a name is escaped.
fn inputs(listing: &str) -> Vec<PathBuf> {
    let Some((_, names)) = listing.split_once(": ") else {
        return Vec::new();
    };
    let names = names.lines().next().unwrap_or_default();
    names
        .replace("\\ ", "\u{0}")
        .split_whitespace()
        .map(|name| PathBuf::from(name.replace('\u{0}', " ")))
        .collect()
}

fn manifest_above(input: &Path, workspace: &Path) -> Option<PathBuf> {
    input
        .ancestors()
        .skip(1)
        .take_while(|folder| folder.starts_with(workspace))
        .map(|folder| folder.join("Cargo.toml"))
        .find(|manifest| manifest.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_lists_its_inputs() {
        assert_eq!(
            inputs("/t/debug/app: /w/a.rs /w/with\\ space.rs\n\n/w/a.rs:\n"),
            [PathBuf::from("/w/a.rs"), PathBuf::from("/w/with space.rs")]
        );
        assert!(inputs("").is_empty());
    }

    #[test]
    fn a_package_is_current_until_an_input_is_newer_than_its_build() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().to_owned();
        let target = workspace.join("target");
        let build = CargoBuild {
            workspace: workspace.clone(),
            target: target.clone(),
            profile: "dev".into(),
            triple: None,
            zigbuild: false,
        };
        let at = |path: &Path, seconds: u64, text: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            std::fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        };
        let source = workspace.join("app/src/main.rs");
        at(&source, 100, "");
        at(&workspace.join("app/Cargo.toml"), 100, "");
        at(&target.join("debug/app"), 100, "");
        at(
            &target.join("debug/app.d"),
            100,
            &format!("{}: {}\n", target.join("debug/app").display(), source.display()),
        );
        assert!(!build.is_current("app"), "never built by us");
        at(&build.stamp("app"), 200, "");
        assert!(build.is_current("app"));
        at(&workspace.join("app/Cargo.toml"), 300, "");
        assert!(!build.is_current("app"), "its manifest is newer");
        at(&workspace.join("app/Cargo.toml"), 100, "");
        at(&source, 300, "");
        assert!(!build.is_current("app"), "its source is newer");
    }
}
