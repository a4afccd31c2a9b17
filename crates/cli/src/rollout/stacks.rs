//! Which stacks an environment has. A deploy knows them from the assembly and notes them in the ledger, so that a
//! rollback on another machine, without the app, finds their outputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::{Aws, Failure as CallFailure};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};

use crate::failure::{Code, Failure, Outcome};

/// Names in CloudFormation, dependencies first.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Stacks(pub Vec<String>);

#[derive(Deserialize, Serialize)]
struct Record {
    version: u32,
    stacks: Stacks,
}

const VERSION: u32 = 1;

impl Stacks {
    pub async fn outputs(&self, aws: &Aws) -> Result<BTreeMap<String, String>, CallFailure> {
        let mut outputs = BTreeMap::new();
        for stack in &self.0 {
            outputs.extend(
                aws.describe_stack(stack)
                    .await?
                    .into_iter()
                    .flat_map(|stack| stack.outputs),
            );
        }
        Ok(outputs)
    }

    /// As the last deploy noted them; none before the first.
    pub async fn read(ledger: &Arc<dyn ObjectStore>, environment: &str) -> Outcome<Self> {
        let unreadable = |error: anyhow::Error| {
            Failure::new(
                Code::JournalDamaged,
                format!("the ledger's {} cannot be read", location(environment)),
            )
            .because(error)
        };
        let bytes = match ledger.get(&location(environment)).await {
            Ok(found) => found.bytes().await.map_err(|error| unreadable(error.into()))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(Self::default()),
            Err(error) => return Err(unreadable(error.into())),
        };
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.into()))?;
        if record.version != VERSION {
            return Err(unreadable(anyhow::anyhow!(
                "version {} is not {VERSION}: use a newer llama-deploy",
                record.version
            )));
        }
        Ok(record.stacks)
    }

    /// Adds these to those that are noted. A deploy of some stacks leaves the others known.
    pub async fn note(&self, ledger: &Arc<dyn ObjectStore>, environment: &str) -> Outcome {
        let mut known = Self::read(ledger, environment).await?;
        for stack in &self.0 {
            if !known.0.contains(stack) {
                known.0.push(stack.clone());
            }
        }
        known.write(ledger, environment).await
    }

    /// These stacks are gone.
    pub async fn forget(ledger: &Arc<dyn ObjectStore>, environment: &str, gone: &[String]) -> Outcome {
        let mut known = Self::read(ledger, environment).await?;
        let before = known.0.len();
        known.0.retain(|stack| !gone.contains(stack));
        if known.0.len() == before {
            return Ok(());
        }
        known.write(ledger, environment).await
    }

    async fn write(&self, ledger: &Arc<dyn ObjectStore>, environment: &str) -> Outcome {
        let unwritable = |error: anyhow::Error| {
            Failure::new(
                Code::CloudUnavailable,
                format!("the ledger's {} cannot be written", location(environment)),
            )
            .because(error)
        };
        let record = Record {
            version: VERSION,
            stacks: self.clone(),
        };
        let bytes = serde_json::to_vec(&record).map_err(|error| unwritable(error.into()))?;
        ledger
            .put(&location(environment), bytes.into())
            .await
            .map(drop)
            .map_err(|error| unwritable(error.into()))
    }
}

fn location(environment: &str) -> Path {
    Path::from(format!("{environment}/stacks.json"))
}
