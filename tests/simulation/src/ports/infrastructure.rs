//! The stacks and the schema.

use async_trait::async_trait;
use orchestrator::ports::{
    Backup, Deployed, Expanded, Infrastructure, InfrastructureProgress, Migrations, PortError, PortErrorKind,
    ProgressSink,
};

use crate::met::Met;
use crate::process::{Kind, Process};
use crate::world::{What, seconds};

#[async_trait]
impl Infrastructure for Process {
    async fn check_ready(&self) -> Result<(), PortError> {
        self.call("check the stacks", Kind::Read, |_, _| Ok(())).await
    }

    async fn deploy(&self, progress: ProgressSink<'_>) -> Result<Deployed, PortError> {
        progress(InfrastructureProgress::Note {
            message: "deploying".to_owned(),
        });
        let deployed = self
            .call("deploy the stacks", Kind::Change, |world, call| {
                if world.deploy_fails {
                    world.met.insert(Met::StacksFailed);
                    return Err(call.error(PortErrorKind::Invalid, "a resource failed"));
                }
                let code = world.checkout(call.process).code;
                if !world.is_deployed {
                    world.create(&code);
                }
                for function in world.functions.values_mut() {
                    function.latest.clone_from(&code);
                }
                world.mutations.push("deploy".to_owned());
                world.happened(call, What::StacksDeployed);
                Ok(Deployed {
                    target: world.target(),
                    template_digest: code,
                    changed: true,
                })
            })
            .await;
        // Stacks take their time after they began to change.
        self.world.time.sleep(seconds(2)).await;
        deployed
    }

    async fn observe(&self) -> Result<Option<Deployed>, PortError> {
        self.call("observe the stacks", Kind::Read, |world, _| {
            Ok(world.is_deployed.then(|| Deployed {
                target: world.target(),
                template_digest: world.deployed_code(),
                changed: false,
            }))
        })
        .await
    }
}

#[async_trait]
impl Migrations for Process {
    async fn backup(&self, label: &str) -> Result<Option<Backup>, PortError> {
        self.call(format!("back up {label}"), Kind::Change, |world, call| {
            let exists = world.is_deployed && world.migrations.is_some();
            if exists {
                world.happened(call, What::BackedUp);
            }
            Ok(exists.then(|| Backup {
                location: label.to_owned(),
                hooks: Vec::new(),
            }))
        })
        .await
    }

    async fn expand_is_pending(&self) -> Result<bool, PortError> {
        self.call("look for pending expands", Kind::Read, |world, _| {
            Ok(world.is_deployed && world.migrations > world.schema)
        })
        .await
    }

    async fn expand(&self) -> Result<Expanded, PortError> {
        self.call("expand the schema", Kind::Change, |world, call| {
            if !world.is_deployed {
                return Ok(Expanded::NoDatabaseYet);
            }
            let before = world.schema.unwrap_or(0);
            let newest = world.checkout(call.process).migrations.unwrap_or(0).max(before);
            if world.migrations.is_some() {
                world.schema = Some(newest);
                world.happened(call, What::Migrated);
            }
            Ok(Expanded::Applied {
                count: newest - before,
                schema_version: world.schema.map(|version| version.to_string()),
                contracts: None,
                hooks: Vec::new(),
            })
        })
        .await
    }
}
