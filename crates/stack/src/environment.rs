//! The app protocol of the CDK: what the tool that runs an app tells it through the environment.
//!
//! This is the only module of the crate that reads the environment: the protocol has no other channel, and an app must
//! run under the `cdk` of npm as under our own binary. Everything else gets what it needs as arguments.

use std::path::PathBuf;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::error::Error;

const OUTDIR: &str = "CDK_OUTDIR";
const CONTEXT: &str = "CDK_CONTEXT_JSON";
/// A file with more context, for contexts too long for an environment variable.
const CONTEXT_OVERFLOW: &str = "CONTEXT_OVERFLOW_LOCATION_ENV";
const DEFAULT_ACCOUNT: &str = "CDK_DEFAULT_ACCOUNT";
const DEFAULT_REGION: &str = "CDK_DEFAULT_REGION";

/// What the tool said.
#[derive(Debug, Default)]
pub(crate) struct Protocol {
    pub(crate) outdir: Option<PathBuf>,
    pub(crate) context: IndexMap<String, Json>,
    pub(crate) default_account: Option<String>,
    pub(crate) default_region: Option<String>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the app protocol speaks through the environment, and only here"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Protocol {
    /// # Errors
    /// When the context is not a JSON object, or its overflow file cannot be read.
    pub(crate) fn read() -> Result<Self, Error> {
        let mut context = parse(CONTEXT, variable(CONTEXT))?;
        if let Some(path) = variable(CONTEXT_OVERFLOW) {
            let text = std::fs::read_to_string(&path).map_err(|source| Error::ContextFile {
                path: path.into(),
                source,
            })?;
            context.extend(parse(CONTEXT_OVERFLOW, Some(text))?);
        }
        Ok(Self {
            outdir: variable(OUTDIR).map(PathBuf::from),
            context,
            default_account: variable(DEFAULT_ACCOUNT),
            default_region: variable(DEFAULT_REGION),
        })
    }
}

fn parse(variable: &'static str, text: Option<String>) -> Result<IndexMap<String, Json>, Error> {
    match text {
        None => Ok(IndexMap::new()),
        Some(text) => serde_json::from_str(&text).map_err(|source| Error::Context { variable, source }),
    }
}
