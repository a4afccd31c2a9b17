//! RDS: each database instance is a real, private PostgreSQL; a snapshot is a real copy of its cluster.
//!
//! The endpoint is 127.0.0.1 and a port that belongs to the instance's name. Servers come up with the cloud and end with it.
//! With `DATABASE_URL` an "instance" is that server instead, and nothing is started. Not served: other engines,
//! parameter values, maintenance; sizes and classes are kept and described only.

mod cluster;
mod cluster_operations;
mod instance;
mod operations;
mod point_in_time;
mod ports;
mod postgres;
mod provider;
mod rename;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::chance;
use crate::context::Context;
use crate::members::{Members, merge_tags, tags_of};
use crate::process::Runner;
use crate::resource::Provider;
use crate::saved::Saved;
use crate::secretsmanager::{DatabaseDirectory, DatabaseTarget};
use crate::service::ApiError;
use instance::{External, Instance, Snapshot, State, Status, restored_wishes};
use ports::Parked;
use postgres::{Binaries, Cluster};

pub struct Rds {
    context: Context,
    state: Saved<State>,
    external: Option<External>,
    /// The ports of names that nobody has at the moment.
    parked: Parked,
    /// Clusters are worked on one after the other; true when the cloud ends, and none is to be started any more.
    work: Mutex<bool>,
}

impl Rds {
    /// `database_url` is the user's own server, which then stands for every instance. Nothing runs before
    /// [`Rds::start`].
    pub fn open(context: &Context, database_url: Option<&str>) -> io::Result<Arc<Self>> {
        let external = database_url.map(External::parse).transpose();
        let external = external.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let state = Saved::open(&context.store, "rds")?;
        Ok(Arc::new(Self {
            context: context.clone(),
            state,
            external,
            parked: Parked::default(),
            work: Mutex::new(false),
        }))
    }

    /// Brings up the databases that ran when the cloud ended. One that cannot come up says so in its description.
    pub async fn start(&self) {
        let _work = self.work.lock().await;
        self.complete_renames();
        self.park_free_names();
        let (instances, unfinished) = {
            let state = self.state.read();
            let ran = |instance: &&Instance| instance.has_server() && instance.status != Status::Stopped;
            let unfinished = state
                .snapshots
                .values()
                .filter(|snapshot| snapshot.status == Status::Creating);
            (
                state.instances.values().filter(ran).cloned().collect::<Vec<_>>(),
                unfinished.cloned().collect::<Vec<_>>(),
            )
        };
        for snapshot in unfinished {
            self.note_snapshot(&snapshot.id, Status::Failed);
        }
        for instance in instances {
            let started = match self.cluster(&instance).await {
                Ok(cluster) => cluster.start().await,
                Err(error) => Err(error),
            };
            if let Err(error) = &started {
                tracing::warn!(instance = instance.id, %error, "a database did not come up");
            }
            self.note(&instance.id, started);
        }
    }

    pub fn providers(self: &Arc<Self>) -> Vec<Arc<dyn Provider>> {
        vec![
            Arc::new(provider::InstanceProvider { rds: self.clone() }),
            Arc::new(cluster::ClusterProvider { rds: self.clone() }),
        ]
    }

    fn folder(&self, kind: &str, id: &str) -> PathBuf {
        self.context.folder.join("rds").join(kind).join(id)
    }

    /// The cluster of an instance, with programs of the version that made it.
    async fn cluster(&self, instance: &Instance) -> io::Result<Cluster> {
        let major = major(&instance.engine_version);
        let cluster = self.new_cluster(instance.storage(), instance.port, major).await?;
        if self::major(&cluster.binaries.version) != major {
            return Err(io::Error::other(format!(
                "the database was made by PostgreSQL {}, and only {} is installed: install the former",
                instance.engine_version, cluster.binaries.version
            )));
        }
        Ok(cluster)
    }

    async fn new_cluster(&self, storage: &str, port: u16, wanted_major: Option<u32>) -> io::Result<Cluster> {
        Ok(Cluster {
            binaries: Binaries::find(&self.context.folder.join("tools"), wanted_major).await?,
            runner: Runner::find()?,
            folder: self.folder("instances", storage),
            port,
        })
    }

    /// Keeps how a start ended.
    fn note(&self, id: &str, started: io::Result<()>) {
        let saved = self.state.change(|state| {
            if let Some(instance) = state.instances.get_mut(id) {
                instance.status = if started.is_ok() {
                    Status::Available
                } else {
                    Status::Failed
                };
                instance.problem = started.err().map(|error| error.to_string());
            }
            Ok(())
        });
        if let Err(error) = saved {
            tracing::warn!(%error, "the state of databases could not be saved");
        }
    }

    fn note_snapshot(&self, id: &str, status: Status) {
        let now = self.context.clock.now();
        let saved = self.state.change(|state| {
            if let Some(snapshot) = state.snapshots.get_mut(id) {
                snapshot.status = status;
                snapshot.finished = (status == Status::Available).then_some(now);
            }
            Ok(())
        });
        if let Err(error) = saved {
            tracing::warn!(%error, "the state of snapshots could not be saved");
        }
    }

    /// As an instance gets it that is to be made.
    fn new_identifier(&self, text: &str) -> Result<String, ApiError> {
        let id = text.to_lowercase();
        check_identifier(&id)?;
        if self.state.read().instances.contains_key(&id) {
            return Err(ApiError::new(
                400,
                "DBInstanceAlreadyExists",
                "DB instance already exists",
            ));
        }
        Ok(id)
    }

    /// Makes an instance and waits until it takes connections. `input` has the members of `CreateDBInstance`; with
    /// `snapshot` its data come from there.
    async fn create(&self, input: &Value, snapshot: Option<&str>) -> Result<Instance, ApiError> {
        let _work = self.work.lock().await;
        let id = self.new_identifier(input.required_text("DBInstanceIdentifier")?)?;
        let source = snapshot.map(|snapshot| self.available_snapshot(snapshot)).transpose()?;
        let instance = match (self.shared_server(input)?, &self.external, source) {
            (Some(server), _, _) => self.sharing(id, server, input)?,
            (None, Some(external), _) => self.external_instance(id, external, input)?,
            (None, None, Some(source)) => self.restored(id, source, input).await?,
            (None, None, None) => self.made(id, input).await?,
        };
        self.state.change(|state| {
            state.instances.insert(instance.id.clone(), instance.clone());
            Ok(instance)
        })
    }

    async fn made(&self, id: String, input: &Value) -> Result<Instance, ApiError> {
        let engine = input.text("Engine").unwrap_or("postgres");
        if engine != "postgres" && !cluster::is_cluster(&id) {
            return Err(invalid(format!(
                "The embedded cloud runs the engine postgres only, not {engine}"
            )));
        }
        if input.flag("ManageMasterUserPassword") == Some(true) {
            return Err(invalid(
                "ManageMasterUserPassword is not served: give MasterUserPassword",
            ));
        }
        let password = input.text("MasterUserPassword").unwrap_or_default().to_owned();
        if password.len() < 8 {
            return Err(invalid(
                "The parameter MasterUserPassword is not a valid password because it is shorter than 8 characters.",
            ));
        }
        let username = input.required_text("MasterUsername")?.to_owned();
        let reserved = ["postgres_admin", postgres::ADMIN, "rds_superuser", "admin"];
        if reserved.contains(&username.as_str()) || username.starts_with("pg_") {
            return Err(invalid(format!(
                "MasterUsername {username} cannot be used as it is a reserved word used by the engine"
            )));
        }
        let wanted = input.text("EngineVersion").and_then(major);
        let (port, blank) = (self.port_of(&id).await?, self.blank(id, input)?);
        let cluster = self.new_cluster(blank.storage(), port, wanted).await.map_err(failed)?;
        let instance = Instance {
            port: cluster.port,
            engine_version: cluster.binaries.version.clone(),
            master_username: username,
            master_password: password,
            admin_password: secret()?,
            database: input.text("DBName").map(str::to_owned),
            ..blank
        };
        cluster
            .create(&instance.admin_password, &instance.owner())
            .await
            .map_err(failed)?;
        self.started(&cluster, instance).await
    }

    async fn restored(&self, id: String, source: Snapshot, input: &Value) -> Result<Instance, ApiError> {
        let port = self.port_of(&id).await?;
        let blank = self.blank(id, input)?;
        let mut instance = Instance {
            port,
            wishes: restored_wishes(&source.instance.wishes, blank.wishes),
            engine_version: source.instance.engine_version,
            master_username: source.instance.master_username,
            master_password: source.instance.master_password,
            admin_password: source.instance.admin_password,
            database: source.instance.database,
            ..blank
        };
        let cluster = self.cluster(&instance).await.map_err(failed)?;
        let filled = async {
            cluster.restore(&self.folder("snapshots", &source.id)).await?;
            if let Some(password) = input.text("MasterUserPassword") {
                cluster.set_password(&instance.master_username, password).await?;
                instance.master_password = password.to_owned();
            }
            Ok(())
        };
        if let Err(error) = filled.await {
            cluster.remove().await.map_err(failed)?;
            return Err(failed(error));
        }
        self.started(&cluster, instance).await
    }

    /// Starts a new instance's server; one that does not start is not kept.
    async fn started(&self, cluster: &Cluster, instance: Instance) -> Result<Instance, ApiError> {
        match cluster.start().await {
            Ok(()) => Ok(instance),
            Err(error) => {
                cluster.remove().await.map_err(failed)?;
                Err(failed(error))
            }
        }
    }

    fn external_instance(&self, id: String, external: &External, input: &Value) -> Result<Instance, ApiError> {
        Ok(Instance {
            host: external.host.clone(),
            port: external.port,
            engine_version: input.text("EngineVersion").unwrap_or("unknown").to_owned(),
            master_username: external.user.clone(),
            master_password: external.password.clone(),
            database: external.database.clone(),
            is_external: true,
            ..self.blank(id, input)?
        })
    }

    fn blank(&self, id: String, input: &Value) -> Result<Instance, ApiError> {
        let mut wishes: Map<String, Value> = input.as_object().cloned().unwrap_or_default();
        wishes.retain(|name, value| name != "MasterUserPassword" && name != "Tags" && !value.is_null());
        let letters = chance::letters(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 26);
        let resource_id = format!("db-{}", letters.map_err(failed)?);
        Ok(Instance {
            id,
            host: "127.0.0.1".to_owned(),
            port: 0,
            engine_version: String::new(),
            status: Status::Available,
            problem: None,
            storage: Some(resource_id.clone()),
            renaming_to: None,
            resource_id,
            created: self.context.clock.now(),
            master_username: String::new(),
            master_password: String::new(),
            admin_password: String::new(),
            database: None,
            is_external: false,
            shares: None,
            wishes,
            tags: tags_of(input, "Tags"),
        })
    }

    /// Changes what can be changed: wishes, tags, the master user's password (which restarts the server). Of a new name
    /// only the wish is kept: [`Rds::finish_rename`] goes on with it.
    async fn modify(&self, id: &str, input: &Value) -> Result<Instance, ApiError> {
        let _work = self.work.lock().await;
        let mut instance = self.instance(id)?;
        self.begin_rename(&mut instance, input)?;
        let password = input
            .text("MasterUserPassword")
            .filter(|password| *password != instance.master_password);
        if let Some(password) = password {
            self.refuse_shared(&instance)?;
            if instance.is_external {
                return Err(not_ours(id));
            }
            let cluster = self.cluster(&instance).await.map_err(failed)?;
            cluster.stop().await.map_err(failed)?;
            let changed = cluster.set_password(&instance.master_username, password).await;
            cluster.start().await.map_err(failed)?;
            changed.map_err(failed)?;
            instance.master_password = password.to_owned();
        }
        let wishes = input.as_object().into_iter().flatten().filter(|(name, value)| {
            let kept = [
                "MasterUserPassword",
                "Tags",
                "DBInstanceIdentifier",
                "NewDBInstanceIdentifier",
                "ApplyImmediately",
            ];
            !kept.contains(&name.as_str()) && !value.is_null()
        });
        instance
            .wishes
            .extend(wishes.map(|(name, value)| (name.clone(), value.clone())));
        merge_tags(&mut instance.tags, tags_of(input, "Tags"));
        self.state.change(|state| {
            state.instances.insert(instance.id.clone(), instance.clone());
            Ok(instance)
        })
    }

    /// Removes an instance with its data, after a last snapshot when one is named.
    async fn delete(&self, id: &str, final_snapshot: Option<&str>) -> Result<Instance, ApiError> {
        let instance = self.instance(id)?;
        if instance.is_protected() {
            return Err(ApiError::new(
                400,
                "InvalidParameterCombination",
                "Cannot delete protected DB Instance, please disable deletion protection and try again.",
            ));
        }
        self.refuse_while_shared(&instance)?;
        if let Some(snapshot) = final_snapshot {
            self.begin_snapshot(id, snapshot, Vec::new())?;
            self.finish_snapshot(snapshot).await?;
        }
        let _work = self.work.lock().await;
        if instance.has_server() {
            self.cluster(&instance)
                .await
                .map_err(failed)?
                .remove()
                .await
                .map_err(failed)?;
        }
        self.state.change(|state| {
            state.instances.remove(&instance.id);
            state.ports.remove(&instance.id);
            Ok(instance)
        })
    }

    async fn run(&self, id: &str, up: bool, down: bool) -> Result<Instance, ApiError> {
        let _work = self.work.lock().await;
        let instance = self.instance(id)?;
        self.refuse_shared(&instance)?;
        if instance.is_external {
            return Err(not_ours(id));
        }
        let cluster = self.cluster(&instance).await.map_err(failed)?;
        if down {
            cluster.stop().await.map_err(failed)?;
        }
        if up {
            cluster.start().await.map_err(failed)?;
        }
        self.state.change(|state| {
            let instance = state.instances.get_mut(&instance.id).ok_or_else(|| no_instance(id))?;
            instance.status = if up { Status::Available } else { Status::Stopped };
            instance.problem = None;
            Ok(instance.clone())
        })
    }

    fn instance(&self, id: &str) -> Result<Instance, ApiError> {
        let wanted = id.rsplit(":db:").next().unwrap_or(id).to_lowercase();
        self.state
            .read()
            .instances
            .get(&wanted)
            .cloned()
            .ok_or_else(|| no_instance(id))
    }

    fn by_resource_id(&self, resource_id: &str) -> Option<Instance> {
        let state = self.state.read();
        let mut instances = state.instances.values();
        instances.find(|instance| instance.resource_id == resource_id).cloned()
    }

    fn snapshot(&self, id: &str) -> Result<Snapshot, ApiError> {
        let wanted = id.rsplit(":snapshot:").next().unwrap_or(id).to_lowercase();
        let found = self.state.read().snapshots.get(&wanted).cloned();
        found.ok_or_else(|| no_snapshot(&wanted))
    }

    fn available_snapshot(&self, id: &str) -> Result<Snapshot, ApiError> {
        let snapshot = self.snapshot(id)?;
        match snapshot.status {
            Status::Available => Ok(snapshot),
            status => Err(ApiError::new(
                400,
                "InvalidDBSnapshotState",
                format!("The snapshot {id} is {} and cannot be restored", status.name()),
            )),
        }
    }

    fn begin_snapshot(&self, instance: &str, id: &str, tags: Vec<(String, String)>) -> Result<Snapshot, ApiError> {
        let (id, instance) = (id.to_lowercase(), self.instance(instance)?);
        check_identifier(&id)?;
        let of_cluster = cluster::is_cluster(&instance.id);
        let (id, name) = if of_cluster {
            (cluster::key(&id), id)
        } else {
            (id.clone(), id)
        };
        self.refuse_shared(&instance)?;
        if instance.is_external {
            return Err(not_ours(&instance.id));
        }
        if instance.status != Status::Available {
            let code = match of_cluster {
                true => "InvalidDBClusterStateFault",
                false => "InvalidDBInstanceState",
            };
            return Err(ApiError::new(
                400,
                code,
                format!(
                    "{} is {}, a snapshot needs it available",
                    cluster::name(&instance.id),
                    instance.status.name()
                ),
            ));
        }
        let now = self.context.clock.now();
        self.state.change(|state| {
            if state.snapshots.contains_key(&id) {
                let code = match of_cluster {
                    true => "DBClusterSnapshotAlreadyExistsFault",
                    false => "DBSnapshotAlreadyExists",
                };
                return Err(ApiError::new(
                    400,
                    code,
                    format!("Cannot create the snapshot because a snapshot with the identifier {name} already exists."),
                ));
            }
            let snapshot = Snapshot {
                id: id.clone(),
                status: Status::Creating,
                created: now,
                finished: None,
                instance,
                tags,
            };
            state.snapshots.insert(id, snapshot.clone());
            Ok(snapshot)
        })
    }

    /// Copies the cluster; the snapshot's status tells how it ended.
    async fn finish_snapshot(&self, id: &str) -> Result<(), ApiError> {
        let _work = self.work.lock().await;
        let snapshot = self.snapshot(id)?;
        let folder = self.folder("snapshots", &snapshot.id);
        // It may have another name, and with it another port, since the snapshot was begun.
        let named_now = self.by_resource_id(&snapshot.instance.resource_id);
        let copied = match self.cluster(&named_now.unwrap_or(snapshot.instance.clone())).await {
            Ok(cluster) => cluster.copy(&snapshot.instance.admin_password, &folder).await,
            Err(error) => Err(error),
        };
        self.note_snapshot(
            &snapshot.id,
            if copied.is_ok() {
                Status::Available
            } else {
                Status::Failed
            },
        );
        copied.map_err(failed)
    }

    fn remove_snapshot(&self, id: &str) -> Result<Snapshot, ApiError> {
        let snapshot = self.snapshot(id)?;
        if snapshot.status == Status::Creating {
            let code = match cluster::is_cluster(&snapshot.id) {
                true => "InvalidDBClusterSnapshotStateFault",
                false => "InvalidDBSnapshotState",
            };
            let message = format!("The snapshot {} is still being made", cluster::name(&snapshot.id));
            return Err(ApiError::new(400, code, message));
        }
        match std::fs::remove_dir_all(self.folder("snapshots", &snapshot.id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        self.state.change(|state| {
            state.snapshots.remove(&snapshot.id);
            Ok(snapshot)
        })
    }

    /// Stops the servers; their instances stay "available" on paper, so that the next start brings them up.
    async fn end(&self) {
        let mut work = self.work.lock().await;
        *work = true;
        let instances: Vec<Instance> = self.state.read().instances.values().cloned().collect();
        for instance in instances
            .iter()
            .filter(|instance| instance.has_server() && instance.status != Status::Stopped)
        {
            let stopped = match self.cluster(instance).await {
                Ok(cluster) => cluster.stop().await,
                Err(error) => Err(error),
            };
            if let Err(error) = stopped {
                tracing::warn!(instance = instance.id, %error, "a database did not stop");
            }
        }
    }
}

impl DatabaseDirectory for Rds {
    fn database(&self, identifier: &str) -> Option<DatabaseTarget> {
        self.instance(identifier).ok().map(target)
    }

    fn cluster(&self, identifier: &str) -> Option<DatabaseTarget> {
        self.cluster_of(identifier).map(target)
    }
}

fn target(instance: Instance) -> DatabaseTarget {
    let credentials = instance
        .is_external
        .then(|| (instance.master_username.clone(), instance.master_password.clone()));
    DatabaseTarget {
        engine: "postgres".to_owned(),
        host: instance.host,
        port: instance.port,
        database: instance.database,
        credentials,
    }
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

fn check_identifier(id: &str) -> Result<(), ApiError> {
    let well_formed = id.len() <= 255
        && id.starts_with(|first: char| first.is_ascii_lowercase())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !id.ends_with('-')
        && !id.contains("--");
    match well_formed {
        true => Ok(()),
        false => Err(invalid(format!(
            "The parameter {id} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII \
             letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        ))),
    }
}

fn secret() -> Result<String, ApiError> {
    chance::letters(chance::LETTERS_AND_DIGITS, 32).map_err(failed)
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterValue", message)
}

fn no_instance(id: &str) -> ApiError {
    ApiError::new(404, "DBInstanceNotFound", format!("DBInstance {id} not found."))
}

/// `key` is a snapshot's; one of a cluster begins as the cluster's own does.
fn no_snapshot(key: &str) -> ApiError {
    let name = cluster::name(key);
    match cluster::is_cluster(key) {
        true => {
            let message = format!("DBClusterSnapshot not found: {name}");
            ApiError::new(404, "DBClusterSnapshotNotFoundFault", message)
        }
        false => ApiError::new(404, "DBSnapshotNotFound", format!("DBSnapshot not found: {name}")),
    }
}

fn not_ours(id: &str) -> ApiError {
    let message =
        format!("{id} is the database of DATABASE_URL: the embedded cloud does not start, stop, copy or change it");
    ApiError::new(400, "InvalidDBInstanceState", message)
}

/// What PostgreSQL or the disk said.
fn failed(error: io::Error) -> ApiError {
    ApiError::new(500, "InternalFailure", error.to_string())
}

#[cfg(test)]
mod tests;
