//! `NewDBInstanceIdentifier`: another name, and with it the endpoint of that name; the server restarts for it.
//!
//! The call is answered at once; the instance is `modifying`, then `renaming` under its old name, then `available` under
//! the new one. A cloud that ends in between finishes it at its next start.

use serde_json::Value;

use super::instance::{Instance, Status};
use super::{Rds, check_identifier, not_ours};
use crate::members::Members;
use crate::service::ApiError;

impl Instance {
    fn is_being_renamed(&self) -> bool {
        self.renaming_to.is_some() && matches!(self.status, Status::Modifying | Status::Renaming)
    }
}

impl Rds {
    /// Notes in the instance the name that the call asks for. Without `ApplyImmediately` it waits for a maintenance
    /// window, and there is none here.
    pub(super) fn begin_rename(&self, instance: &mut Instance, input: &Value) -> Result<(), ApiError> {
        let Some(name) = input.text("NewDBInstanceIdentifier").map(str::to_lowercase) else {
            return Ok(());
        };
        check_identifier(&name)?;
        if instance.is_external {
            return Err(not_ours(&instance.id));
        }
        self.refuse_shared(instance)?;
        if instance.status != Status::Available {
            return Err(ApiError::new(
                400,
                "InvalidDBInstanceState",
                format!(
                    "Database instance is not in available state: {} is {}",
                    instance.id,
                    instance.status.name()
                ),
            ));
        }
        let state = self.state.read();
        let promised = |other: &Instance| other.is_being_renamed() && other.renaming_to.as_ref() == Some(&name);
        if state.instances.contains_key(&name) || state.instances.values().any(promised) {
            return Err(ApiError::new(
                400,
                "DBInstanceAlreadyExists",
                "DB instance already exists",
            ));
        }
        if input.flag("ApplyImmediately") == Some(true) {
            instance.status = Status::Modifying;
        }
        instance.renaming_to = Some(name);
        Ok(())
    }

    /// Restarts the server under its new name, if one was asked for.
    pub(super) async fn finish_rename(&self, id: &str) -> Result<(), ApiError> {
        let ended = self.work.lock().await;
        if *ended {
            return Ok(());
        }
        let Some(instance) = self.instance(id).ok().filter(Instance::is_being_renamed) else {
            return Ok(());
        };
        self.state.change(|state| {
            if let Some(instance) = state.instances.get_mut(&instance.id) {
                instance.status = Status::Renaming;
            }
            Ok(())
        })?;
        let stopped = match self.cluster(&instance).await {
            Ok(cluster) => cluster.stop().await,
            Err(error) => Err(error),
        };
        if stopped.is_err() {
            self.note(&instance.id, stopped);
            return Ok(());
        }
        let Some(name) = instance.renaming_to.clone() else {
            return Ok(());
        };
        let port = self.port_of(&name).await?;
        self.leave_port(&instance)?;
        let renamed = self.rename(&instance.id, &name, port)?;
        let started = match self.cluster(&renamed).await {
            Ok(cluster) => cluster.start().await,
            Err(error) => Err(error),
        };
        self.note(&renamed.id, started);
        Ok(())
    }

    fn rename(&self, old: &str, name: &str, port: u16) -> Result<Instance, ApiError> {
        self.state.change(|state| {
            let mut instance = state.instances.remove(old).ok_or_else(|| super::no_instance(old))?;
            for other in state.instances.values_mut() {
                if other.shares.as_deref() == Some(old) {
                    other.shares = Some(name.to_owned());
                    other.port = port;
                }
            }
            instance.storage = Some(instance.storage().to_owned());
            instance.id = name.to_owned();
            instance.port = port;
            instance.renaming_to = None;
            state.instances.insert(name.to_owned(), instance.clone());
            Ok(instance)
        })
    }

    /// The renames that a cloud before this one began; their servers are started with all others.
    pub(super) fn complete_renames(&self) {
        let begun: Vec<Instance> = {
            let state = self.state.read();
            let instances = state.instances.values();
            instances
                .filter(|instance| instance.is_being_renamed())
                .cloned()
                .collect()
        };
        for instance in begun {
            let Some(name) = instance.renaming_to.clone() else {
                continue;
            };
            let known = self.state.read().ports.get(&name).copied();
            let port = match known {
                Some(port) => Ok(port),
                None => crate::process::free_port().map_err(super::failed),
            };
            let renamed = port.and_then(|port| {
                self.leave_port(&instance)?;
                self.rename(&instance.id, &name, port)
            });
            if let Err(error) = renamed {
                tracing::warn!(instance = instance.id, %error, "a database was not renamed");
            }
        }
    }
}
