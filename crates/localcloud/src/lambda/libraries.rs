//! What Lambda's own runtimes bring beside the interpreter: the AWS SDK of the language, and the answer module of custom
//! resources.
//!
//! The SDK is fetched once from npm or PyPI, when a function first asks for it and neither brings it nor finds it on the
//! machine. A failed fetch is no error of ours: the function then fails by itself, saying which module it misses, and
//! the log of the cloud says why.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::Mutex;

const NODE_RESPONSE: &str = include_str!("clients/cfn-response.js");
const PYTHON_RESPONSE: &str = include_str!("clients/cfnresponse.py");
/// The clients of the services that are served here: code that computes a client's name can use no other.
const SERVED: [&str; 11] = [
    "api-gateway",
    "cloudformation",
    "cloudwatch",
    "cloudwatch-logs",
    "elasticache",
    "lambda",
    "rds",
    "s3",
    "secrets-manager",
    "ssm",
    "sts",
];
/// Code past this many bytes brings what it needs: it is bundled.
const LOOKED_AT: u64 = 16 * 1024 * 1024;

pub(super) struct Libraries {
    /// The modules that are written by us.
    own: PathBuf,
    /// What was fetched.
    fetched: PathBuf,
    /// The code that was looked at since the start.
    seen: Mutex<BTreeSet<PathBuf>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Node,
    Python,
}

fn language(runtime: &str) -> Option<Language> {
    if runtime.starts_with("nodejs") {
        Some(Language::Node)
    } else if runtime.starts_with("python") {
        Some(Language::Python)
    } else {
        None
    }
}

impl Libraries {
    pub fn open(own: PathBuf, fetched: PathBuf) -> io::Result<Self> {
        let (node, python) = (own.join("node/cfn-response"), own.join("python"));
        std::fs::create_dir_all(&node)?;
        std::fs::create_dir_all(&python)?;
        std::fs::write(node.join("index.js"), NODE_RESPONSE)?;
        std::fs::write(python.join("cfnresponse.py"), PYTHON_RESPONSE)?;
        Ok(Self {
            own,
            fetched,
            seen: Mutex::default(),
        })
    }

    /// The environment variable by which an interpreter finds them.
    pub fn variable(&self, runtime: &str) -> Option<(String, String)> {
        let (name, own, fetched) = match language(runtime)? {
            Language::Node => ("NODE_PATH", "node", "node/node_modules"),
            Language::Python => ("PYTHONPATH", "python", "python"),
        };
        let folders = [self.own.join(own), self.fetched.join(fetched)];
        let joined = std::env::join_paths(folders).ok()?;
        Some((name.to_owned(), joined.into_string().ok()?))
    }

    /// Fetches what the code in `code` asks for and nobody has. `environment` is what programs get of the machine's.
    pub async fn provide(
        &self,
        runtime: &str,
        code: &Path,
        interpreter: &Path,
        environment: &[(&'static str, OsString)],
    ) {
        let Some(language) = language(runtime) else { return };
        let mut seen = self.seen.lock().await;
        if !seen.insert(code.to_owned()) {
            return;
        }
        let wanted = wanted(language, code);
        let mut missing = Vec::new();
        for package in wanted {
            if !self.is_there(language, &package, code, interpreter, environment).await {
                missing.push(package);
            }
        }
        if missing.is_empty() {
            return;
        }
        tracing::info!(packages = missing.join(" "), "fetches the SDK that a function asks for");
        let folder = self.fetched.join(match language {
            Language::Node => "node",
            Language::Python => "python",
        });
        if let Err(error) = std::fs::create_dir_all(&folder) {
            tracing::warn!(%error, "the SDK has no place");
            return;
        }
        let mut command = match language {
            Language::Node => Command::new("npm"),
            Language::Python => Command::new(interpreter),
        };
        match language {
            Language::Node => command
                .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"])
                .arg(&folder)
                .args(&missing),
            Language::Python => command
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--target",
                ])
                .arg(&folder)
                .args(&missing),
        };
        match command.output().await {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                tracing::warn!(
                    packages = missing.join(" "),
                    said = said.trim(),
                    "the SDK could not be fetched"
                );
            }
            Err(error) => tracing::warn!(packages = missing.join(" "), %error, "the SDK could not be fetched"),
        }
    }

    async fn is_there(
        &self,
        language: Language,
        package: &str,
        code: &Path,
        interpreter: &Path,
        environment: &[(&'static str, OsString)],
    ) -> bool {
        match language {
            Language::Node => [code.join("node_modules"), self.fetched.join("node/node_modules")]
                .iter()
                .any(|modules| modules.join(package).is_dir()),
            Language::Python => {
                if [code, &self.fetched.join("python")]
                    .iter()
                    .any(|folder| folder.join(package).is_dir())
                {
                    return true;
                }
                let probe = Command::new(interpreter)
                    .args(["-c", &format!("import {package}")])
                    .env_clear()
                    .envs(environment.iter().map(|(name, value)| (*name, value)))
                    .output();
                probe.await.is_ok_and(|output| output.status.success())
            }
        }
    }
}

/// The packages of the SDK that the code names.
fn wanted(language: Language, code: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![code.to_owned()];
    let mut budget = LOOKED_AT;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() && entry.file_name() != "node_modules" {
                folders.push(path);
                continue;
            }
            let extensions: &[&str] = match language {
                Language::Node => &["js", "mjs", "cjs"],
                Language::Python => &["py"],
            };
            let is_source = path
                .extension()
                .and_then(OsStr::to_str)
                .is_some_and(|extension| extensions.contains(&extension));
            if !is_source || metadata.len() > budget {
                continue;
            }
            budget -= metadata.len();
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            match language {
                Language::Node => found.extend(node_packages(&text)),
                Language::Python => found.extend(python_packages(&text)),
            }
        }
    }
    found
}

fn node_packages(text: &str) -> impl Iterator<Item = String> {
    let computes = ["${", "\"", "'"]
        .iter()
        .any(|end| text.contains(&format!("@aws-sdk/client-{end}")));
    let computed = SERVED.iter().filter(move |_| computes);
    let named = text.match_indices("@aws-sdk/").filter_map(|(at, scope)| {
        // Only what is asked for by a whole quoted name.
        let quote = text[..at]
            .chars()
            .next_back()
            .filter(|quote| matches!(quote, '"' | '\'' | '`'))?;
        let (name, _) = text[at + scope.len()..].split_once(quote)?;
        let name = name.split('/').next()?;
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !name.ends_with('-');
        is_name.then(|| format!("{scope}{name}"))
    });
    named.chain(computed.map(|service| format!("@aws-sdk/client-{service}")))
}

fn python_packages(text: &str) -> impl Iterator<Item = String> {
    let imports = text.lines().map(str::trim_start).any(|line| {
        let mut words = line.split([' ', ',', '.']);
        matches!(words.next(), Some("import" | "from")) && words.any(|word| matches!(word, "boto3" | "botocore"))
    });
    imports.then(|| "boto3".to_owned()).into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_code_asks_of_the_sdk_is_seen() {
        let node =
            "const{S3}=require('@aws-sdk/client-s3');import('@aws-sdk/lib-dynamodb/dist'); // @aws-sdk/client-ec2";
        assert_eq!(
            node_packages(node).collect::<Vec<_>>(),
            ["@aws-sdk/client-s3", "@aws-sdk/lib-dynamodb"]
        );
        assert_eq!(node_packages("`@aws-sdk/client-${name}`").count(), SERVED.len());
        assert_eq!(python_packages("import json, boto3\n").count(), 1);
        assert_eq!(
            python_packages("from botocore.exceptions import ClientError\n").count(),
            1
        );
        assert_eq!(python_packages("# boto3 is not needed\nimport json\n").count(), 0);
    }

    #[test]
    fn what_a_function_brings_is_not_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("node_modules/x")).unwrap();
        std::fs::write(
            folder.path().join("node_modules/x/a.js"),
            "require('@aws-sdk/client-s3')",
        )
        .unwrap();
        std::fs::write(folder.path().join("index.mjs"), "import x from \"@aws-sdk/client-sqs\"").unwrap();
        let found: Vec<String> = wanted(Language::Node, folder.path()).into_iter().collect();
        assert_eq!(found, ["@aws-sdk/client-sqs"]);
    }
}
