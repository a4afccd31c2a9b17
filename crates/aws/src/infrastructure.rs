//! The stacks of an application as the orchestrator sees them: can they be deployed, deploy them, what stands.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::try_join_all;
use orchestrator::ports::{Deployed, Infrastructure, InfrastructureProgress, PortError, PortErrorKind, ProgressSink};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::assets::{AssetError, AssetEvent, AssetManifest};
use crate::connection::Aws;
use crate::stacks::{
    Approval, Deployment, DropExports, KeepExports, StackInput, StackProgress, Stop, into_outcomes, readiness,
};

/// Stacks with their assets, ready to be deployed.
pub struct StackInfrastructure {
    aws: Aws,
    stacks: Vec<StackInput>,
    assets: Vec<AssetManifest>,
    approval: Arc<dyn Approval>,
    exports: Arc<dyn KeepExports>,
    concurrency: NonZeroUsize,
}

impl StackInfrastructure {
    /// `approval` is asked for each stack that would change; use [`Approved`](crate::stacks::Approved) where the user
    /// has seen and approved the changes before.
    pub fn new(aws: Aws, stacks: Vec<StackInput>, assets: Vec<AssetManifest>, approval: Arc<dyn Approval>) -> Self {
        Self {
            aws,
            stacks,
            assets,
            approval,
            exports: Arc::new(DropExports),
            concurrency: Deployment::CONCURRENCY,
        }
    }

    /// Lets exports stay that others still import.
    pub fn keeping_exports(self, exports: Arc<dyn KeepExports>) -> Self {
        Self { exports, ..self }
    }

    /// How many stacks change at the same time.
    pub fn at_once(self, concurrency: NonZeroUsize) -> Self {
        Self { concurrency, ..self }
    }

    fn names(&self) -> Vec<String> {
        self.stacks.iter().map(|stack| stack.name.clone()).collect()
    }

    /// Without what was never made, and what failed while it was.
    async fn standing(&self) -> Result<Vec<String>, PortError> {
        let found = try_join_all(self.stacks.iter().map(|stack| self.aws.describe_stack(&stack.name))).await?;
        let stands = |status: &str| !matches!(status, "REVIEW_IN_PROGRESS" | "ROLLBACK_COMPLETE" | "DELETE_COMPLETE");
        Ok(found
            .into_iter()
            .flatten()
            .filter(|stack| stands(&stack.status))
            .map(|stack| stack.name)
            .collect())
    }

    async fn what_stands(&self, changed: bool) -> Result<Option<Deployed>, PortError> {
        let standing = self.standing().await?;
        let mut names = standing.clone();
        names.sort();
        let templates = try_join_all(names.iter().map(|name| self.aws.stack_template(name))).await?;
        if templates.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut hash = Sha256::new();
        for (name, template) in names.iter().zip(&templates) {
            let Some(template) = template else { continue };
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(normalized(template).as_bytes());
            hash.update([0]);
        }
        Ok(Some(Deployed {
            target: self.aws.rollout_target(&standing).await?,
            template_digest: hex::encode(hash.finalize()),
            changed,
        }))
    }
}

/// CloudFormation gives a template back as it was sent, white space included; that is no difference.
fn normalized(template: &str) -> String {
    serde_json::from_str::<Value>(template).map_or_else(|_| template.to_owned(), |value| value.to_string())
}

#[async_trait]
impl Infrastructure for StackInfrastructure {
    fn knows_what_to_deploy(&self) -> bool {
        !self.stacks.is_empty()
    }

    async fn check_ready(&self) -> Result<(), PortError> {
        // What somebody else began is waited for here, before anything of the release is done.
        let found = try_join_all(self.stacks.iter().map(|stack| self.aws.at_rest(&stack.name))).await?;
        for (stack, found) in self.stacks.iter().zip(found) {
            readiness(&stack.name, found.as_ref().map(|found| found.status.as_str()))?;
        }
        Ok(())
    }

    async fn deploy(&self, progress: ProgressSink<'_>) -> Result<Deployed, PortError> {
        for manifest in &self.assets {
            self.aws
                .publish_assets(manifest, &|event| progress(asset_progress(event)))
                .await?;
        }
        let report = |event| {
            if let Some(event) = stack_progress(event) {
                progress(event);
            }
        };
        let deployment = Deployment {
            approval: self.approval.as_ref(),
            exports: self.exports.as_ref(),
            report: &report,
            stop: Stop::default(),
            concurrency: self.concurrency,
            always: false,
        };
        let outcomes = into_outcomes(self.aws.deploy_stacks(&self.stacks, &deployment).await?)?;
        let changed = outcomes.values().any(|outcome| outcome.changed);
        let standing = self.what_stands(changed).await?;
        standing.ok_or_else(|| {
            let stacks = self.names().join(", ");
            PortError::new(
                PortErrorKind::NotFound,
                "deploy",
                stacks,
                "no stack stands although all were deployed",
            )
        })
    }

    async fn observe(&self) -> Result<Option<Deployed>, PortError> {
        self.what_stands(false).await
    }
}

fn asset_progress(event: AssetEvent) -> InfrastructureProgress {
    match event {
        AssetEvent::AlreadyThere { asset } | AssetEvent::Uploaded { asset } => InfrastructureProgress::Asset {
            name: asset,
            done: true,
        },
        AssetEvent::Uploading { asset, .. } | AssetEvent::StillUploading { asset, .. } => {
            InfrastructureProgress::Asset {
                name: asset,
                done: false,
            }
        }
    }
}

/// `TopicArn (Service, Jobs)`
pub fn who_imports(importers: &BTreeMap<String, Vec<String>>) -> String {
    let each = importers
        .iter()
        .map(|(output, stacks)| format!("{output} ({})", stacks.join(", ")));
    each.collect::<Vec<_>>().join(", ")
}

/// The stack's own last event has told that it is done.
fn stack_progress(event: StackProgress) -> Option<InfrastructureProgress> {
    let progress = match event {
        StackProgress::Waiting { stack, status } => InfrastructureProgress::Note {
            message: format!("{stack}: {status}, follows it to its end first"),
        },
        StackProgress::KeepsExports { stack, importers } => InfrastructureProgress::Note {
            message: format!("{stack}: keeps what others import: {}", who_imports(&importers)),
        },
        StackProgress::Skipped { stack, because_of } => InfrastructureProgress::Note {
            message: format!("{stack}: skipped because of {}", because_of.join(", ")),
        },
        StackProgress::Planning { stack } => InfrastructureProgress::Note {
            message: format!("{stack}: asking what would change"),
        },
        StackProgress::Unchanged { stack } => InfrastructureProgress::Stack {
            stack,
            status: "unchanged".to_owned(),
        },
        StackProgress::Executing { stack, changes } => {
            let plural = if changes == 1 {
                "resource changes"
            } else {
                "resources change"
            };
            InfrastructureProgress::Note {
                message: format!("{stack}: {changes} {plural}"),
            }
        }
        StackProgress::Event(event) if event.of_the_stack_itself => InfrastructureProgress::Stack {
            stack: event.stack,
            status: event.status,
        },
        StackProgress::Event(event) => InfrastructureProgress::Resource {
            stack: event.stack,
            logical_id: event.logical_id,
            resource_type: event.resource_type,
            status: event.status,
            reason: event.reason,
        },
        StackProgress::Done { .. } => return None,
    };
    Some(progress)
}

impl From<AssetError> for PortError {
    fn from(error: AssetError) -> Self {
        let (kind, asset) = match &error {
            AssetError::Missing { asset, .. }
            | AssetError::Unreadable { asset, .. }
            | AssetError::NoBucket { asset, .. } => (PortErrorKind::Invalid, asset.clone()),
            AssetError::Failed { asset, failure } => (failure.kind, asset.clone()),
        };
        Self::new(kind, "publish", asset, error.to_string())
    }
}
