//! Where a new project gets the crate `stack` from. The crates are on no registry, so it is a checkout on this machine or
//! a git repository.

use std::path::{Path, PathBuf};

use crate::checkout;
use crate::failure::{Code, Failure, Outcome};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Crates {
    /// A checkout of llama-deploy's repository.
    Checkout(PathBuf),
    /// A git URL, at the tag of this program's version.
    Repository(String),
}

impl Crates {
    /// What was asked for; else the checkout that this program was built in, when that still stands; else the repository
    /// that the program's manifest names.
    pub fn find(asked: Option<&str>, folder: &Path) -> Outcome<Self> {
        if let Some(asked) = asked {
            return Self::named(asked, folder);
        }
        if let Some(checkout) = checkout::built_in() {
            return Ok(Self::Checkout(checkout));
        }
        match env!("CARGO_PKG_REPOSITORY") {
            "" => Err(Failure::new(
                Code::CratesUnknown,
                "it is not known where the project gets the crate `stack` from",
            )
            .hint("name a checkout of llama-deploy or the URL of its git repository with --crates")),
            url => Ok(Self::Repository(url.to_owned())),
        }
    }

    fn named(asked: &str, folder: &Path) -> Outcome<Self> {
        // What git takes for a URL: a scheme, or user@host:path.
        if asked.contains("://") || asked.contains('@') {
            return Ok(Self::Repository(asked.to_owned()));
        }
        let path = folder.join(asked);
        let path = path.canonicalize().unwrap_or(path);
        if checkout::is_checkout(&path) {
            return Ok(Self::Checkout(path));
        }
        Err(Failure::new(
            Code::CratesUnknown,
            format!("{} is no checkout of llama-deploy", path.display()),
        )
        .hint("name the folder that has crates/stack in it, or a git URL"))
    }

    /// The line below `[workspace.dependencies]`.
    pub fn dependency(&self) -> String {
        match self {
            Self::Checkout(folder) => {
                let path = toml::Value::String(folder.join("crates/stack").display().to_string());
                format!("stack = {{ path = {path} }}")
            }
            Self::Repository(url) => {
                let (url, tag) = (toml::Value::String(url.clone()), tag());
                format!("stack = {{ git = {url}, tag = \"{tag}\" }}")
            }
        }
    }

    /// How the project's people call this program.
    pub fn program(&self) -> &'static str {
        match self {
            Self::Checkout(_) => "cargo llama",
            Self::Repository(_) => "llama-deploy",
        }
    }

    /// The arguments of `cargo install` in a workflow.
    pub fn install_arguments(&self) -> String {
        match self {
            Self::Checkout(_) => "--git ${{ vars.LLAMA_DEPLOY_REPOSITORY }}".to_owned(),
            Self::Repository(url) => format!("--git {url} --tag {}", tag()),
        }
    }

    /// `.cargo/config.toml`, where the program is built from a checkout.
    pub fn cargo_alias(&self) -> Option<String> {
        let Self::Checkout(folder) = self else {
            return None;
        };
        let manifest = folder.join("Cargo.toml").display().to_string();
        let words = [
            "run",
            "--quiet",
            "--ignore-rust-version",
            "--manifest-path",
            &manifest,
            "-p",
            "llama-deploy",
            "--",
        ];
        let words = toml::Value::Array(words.map(|word| toml::Value::String(word.to_owned())).to_vec());
        Some(format!("[alias]\nllama = {words}\n"))
    }

    pub fn lock_file(&self) -> Option<PathBuf> {
        let Self::Checkout(folder) = self else {
            return None;
        };
        Some(folder.join("Cargo.lock")).filter(|lock| lock.is_file())
    }
}

fn tag() -> String {
    format!("v{}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_is_toml_wherever_it_comes_from() {
        for crates in [
            Crates::Checkout("/home/a \"b\"/llama".into()),
            Crates::Repository("https://git.example/llama.git".into()),
        ] {
            let parsed: toml::Table = toml::from_str(&crates.dependency()).unwrap();
            assert!(parsed["stack"].is_table());
            if let Some(alias) = crates.cargo_alias() {
                toml::from_str::<toml::Table>(&alias).unwrap();
            }
        }
    }

    #[test]
    fn what_is_named_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let url = "ssh://git@git.example/llama";
        assert_eq!(
            Crates::find(Some(url), folder.path()).unwrap(),
            Crates::Repository(url.into())
        );
        let failure = Crates::find(Some("nowhere"), folder.path()).unwrap_err();
        assert_eq!(failure.code, Code::CratesUnknown);
    }
}
