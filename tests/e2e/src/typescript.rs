//! Projects whose app is TypeScript: the oracle's cases through aws-cdk-lib itself, and the `cdk` CLI.
//!
//! What npm has to install stands in `tests/parity/oracle/package-lock.json`; `cargo xtask test` does it and names the
//! folder in `LLAMA_TEST_NODE`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Ended, Project};

const VARIABLE: &str = "LLAMA_TEST_NODE";

impl Project {
    /// The oracle's case of this name, or one of `tests/e2e/cases`, as its authors have it: sources, assets, `node_modules`, and settings that run it.
    pub fn typescript(case: &str) -> Self {
        let project = Self::empty();
        let oracle = repository().join("tests/parity/oracle");
        for name in ["app.ts", "package.json", "cases", "assets"] {
            copy(&oracle.join(name), &project.path().join(name));
        }
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("cases"),
            &project.path().join("cases"),
        );
        project.link_node_modules();
        project.write(
            "llama-deploy.toml",
            &format!(
                "[app]\ncommand = ['node_modules/.bin/tsx', 'app.ts', '{case}']\n[environments.local]\nport = 0\n\
                 [environments.local.rollout]\nbackup = 'none'\n"
            ),
        );
        project
    }

    /// Makes what npm installed reachable from the project's folder.
    pub fn link_node_modules(&self) {
        let modules = node().join("node_modules");
        std::os::unix::fs::symlink(&modules, self.path().join("node_modules"))
            .unwrap_or_else(|error| panic!("{}: {error}", modules.display()));
    }

    /// Runs the `cdk` CLI in the project's folder, without notices, telemetry or credentials of the machine.
    pub fn cdk(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        Command::new(node().join("node_modules/.bin/cdk"))
            .args(arguments)
            .args(["--no-notices", "--no-color"])
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env("CI", "1")
            .env("HOME", self.path())
            .env("CDK_DISABLE_CLI_TELEMETRY", "true")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(variables.iter().copied())
            .output()
            .expect("the cdk CLI starts")
            .into()
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("tests/e2e stands in the repository")
        .to_owned()
}

/// The folder in which the oracle's lock file was installed.
fn node() -> PathBuf {
    let folder = std::env::var_os(VARIABLE).map_or_else(|| repository().join("target/test-tools/node"), PathBuf::from);
    assert!(
        folder.join("node_modules/aws-cdk-lib").is_dir(),
        "{} holds no aws-cdk-lib: `cargo xtask test` installs it, or name a folder in {VARIABLE}",
        folder.display()
    );
    folder
}

fn copy(from: &Path, to: &Path) {
    let copied = if from.is_dir() {
        std::fs::create_dir_all(to).and_then(|()| {
            for entry in std::fs::read_dir(from)? {
                let name = entry?.file_name();
                copy(&from.join(&name), &to.join(&name));
            }
            Ok(())
        })
    } else {
        std::fs::copy(from, to).map(|_| ())
    };
    copied.unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}
