//! The checks of the settings as requests: `${secret:OUTPUT:KEY}` in a header stands for a member of a secret whose ARN
//! is a stack's output. They are resolved when they are needed, because a first deploy makes the secret.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws::{Aws, HttpSmoke, Secret, SmokeCheck};
use jiff::SignedDuration;
use orchestrator::ports::{PortError, PortErrorKind, Smoke, SmokeCheckResult, SmokeTarget};
use tokio::sync::OnceCell;

use super::stacks::Stacks;
use crate::settings::Check;

/// Long enough for a cold start in a VPC.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(30);

/// The smoke checks of an environment.
pub struct ConfiguredSmoke {
    pub aws: Aws,
    pub stacks: Stacks,
    pub checks: Vec<Check>,
    pub resolved: OnceCell<HttpSmoke>,
}

#[async_trait]
impl Smoke for ConfiguredSmoke {
    async fn run(&self, target: &SmokeTarget) -> Result<Vec<SmokeCheckResult>, PortError> {
        let resolve = async { resolve(&self.aws, &self.stacks, &self.checks).await.map(HttpSmoke::new) };
        self.resolved.get_or_try_init(|| resolve).await?.run(target).await
    }
}

/// The same checks with the secrets in place.
pub async fn resolve(aws: &Aws, stacks: &Stacks, checks: &[Check]) -> Result<Vec<SmokeCheck>, PortError> {
    let needs_outputs = checks
        .iter()
        .flat_map(|check| check.headers.values())
        .any(|value| value.contains("${secret:"));
    let outputs = if needs_outputs {
        stacks.outputs(aws).await?
    } else {
        BTreeMap::new()
    };
    let mut secrets = BTreeMap::new();
    let mut resolved = Vec::with_capacity(checks.len());
    for check in checks {
        let mut headers = BTreeMap::new();
        for (name, value) in &check.headers {
            headers.insert(
                name.clone(),
                fill(aws, &outputs, &mut secrets, &check.name, value).await?,
            );
        }
        let timeout = check.timeout.map_or(TIMEOUT, |timeout| timeout.0);
        resolved.push(SmokeCheck {
            name: check.name.clone(),
            method: check.method.clone(),
            path: check.path.clone(),
            headers,
            body: None,
            expected_status: check.status,
            body_contains: check.contains.clone(),
            timeout: Duration::try_from(timeout).unwrap_or_default(),
        });
    }
    Ok(resolved)
}

async fn fill(
    aws: &Aws,
    outputs: &BTreeMap<String, String>,
    secrets: &mut BTreeMap<String, Secret>,
    check: &str,
    value: &str,
) -> Result<Secret, PortError> {
    let refuse = |message: String| PortError::new(PortErrorKind::Invalid, "resolve the headers", check, message);
    let mut filled = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${secret:") {
        filled.push_str(before);
        let (reference, tail) = after
            .split_once('}')
            .ok_or_else(|| refuse("`${secret:` without its `}`".to_owned()))?;
        let (output, key) = reference
            .split_once(':')
            .ok_or_else(|| refuse(format!("`${{secret:{reference}}}`: write ${{secret:OUTPUT:KEY}}")))?;
        let arn = outputs
            .get(output)
            .ok_or_else(|| refuse(format!("no deployed stack has an output `{output}`")))?;
        if !secrets.contains_key(arn) {
            secrets.insert(arn.clone(), aws.secret(arn).await?);
        }
        let member = secrets.get(arn).and_then(|secret| secret.field(key));
        filled.push_str(
            member
                .ok_or_else(|| refuse(format!("the secret of output `{output}` has no member `{key}`")))?
                .expose(),
        );
        rest = tail;
    }
    filled.push_str(rest);
    Ok(Secret::new(filled))
}
