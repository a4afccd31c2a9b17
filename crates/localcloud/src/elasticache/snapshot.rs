//! Snapshots of caches: the data as Redis saves them (RDB), and a new cache that begins with them.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Cache, ElastiCache, Kind, failed, invalid};
use crate::context::ACCOUNT;
use crate::members::{Members, tags_of};
use crate::service::ApiError;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Snapshot {
    name: String,
    created: Timestamp,
    /// The cache as it was.
    cache: Cache,
    pub(super) tags: Vec<(String, String)>,
}

impl ElastiCache {
    fn snapshot_file(&self, name: &str) -> PathBuf {
        self.context
            .folder
            .join("elasticache-snapshots")
            .join(name)
            .join("dump.rdb")
    }

    /// The saved data that a new cache begins with, where `input` names a snapshot.
    pub(super) fn seed(&self, input: &Value) -> Result<Option<PathBuf>, ApiError> {
        let Some(name) = input.text("SnapshotName") else {
            return Ok(None);
        };
        let name = self.snapshot(name)?.name;
        Ok(Some(self.snapshot_file(&name)))
    }

    fn snapshot(&self, name: &str) -> Result<Snapshot, ApiError> {
        let found = self.state.read().snapshots.get(&name.to_lowercase()).cloned();
        found.ok_or_else(|| ApiError::new(404, "SnapshotNotFoundFault", format!("{name} does not exist")))
    }

    /// Saves the cache's data; there when the call is answered.
    pub(super) async fn create_snapshot(&self, input: &Value) -> Result<Value, ApiError> {
        let _work = self.work.lock().await;
        let name = input.required_text("SnapshotName")?.to_lowercase();
        let named = (input.text("ReplicationGroupId"), input.text("CacheClusterId"));
        let (cache, state_code) = match named {
            (Some(group), None) => (
                self.cache(Kind::ReplicationGroup, group)?,
                "InvalidReplicationGroupState",
            ),
            (None, Some(cluster)) => (self.cache(Kind::CacheCluster, cluster)?, "InvalidCacheClusterState"),
            _ => {
                return Err(ApiError::new(
                    400,
                    "InvalidParameterCombination",
                    "Name either a ReplicationGroupId or a CacheClusterId",
                ));
            }
        };
        let well_formed = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !well_formed {
            return Err(invalid(format!(
                "The snapshot name {name} has to be letters, digits and hyphens, a letter first"
            )));
        }
        if self.state.read().snapshots.contains_key(&name) {
            let message = format!("Snapshot with specified name {name} already exists");
            return Err(ApiError::new(400, "SnapshotAlreadyExistsFault", message));
        }
        if cache.problem.is_some() {
            let message = format!("{} is not available: {}", cache.id, cache.status());
            return Err(ApiError::new(400, state_code, message));
        }
        let file = self.snapshot_file(&name);
        self.server(&cache).save_to(&file).await.map_err(failed)?;
        let snapshot = Snapshot {
            name: name.clone(),
            created: self.context.clock.now(),
            cache,
            tags: tags_of(input, "Tags"),
        };
        self.state.change(|state| {
            state.snapshots.insert(name, snapshot.clone());
            Ok(json!({"Snapshot": self.described_snapshot(&snapshot, "creating")}))
        })
    }

    pub(super) fn describe_snapshots(&self, input: &Value) -> Result<Value, ApiError> {
        if let Some(name) = input.text("SnapshotName") {
            let snapshot = self.snapshot(name)?;
            return Ok(json!({"Snapshots": [self.described_snapshot(&snapshot, "available")]}));
        }
        let of = |member: &str, kind: Kind, cache: &Cache| {
            input
                .text(member)
                .is_none_or(|id| cache.kind == kind && cache.id == id.to_lowercase())
        };
        let state = self.state.read();
        let wanted = state.snapshots.values().filter(|snapshot| {
            of("ReplicationGroupId", Kind::ReplicationGroup, &snapshot.cache)
                && of("CacheClusterId", Kind::CacheCluster, &snapshot.cache)
                // Nobody takes automatic ones here.
                && input.text("SnapshotSource") != Some("system")
        });
        let described: Vec<Value> = wanted
            .map(|snapshot| self.described_snapshot(snapshot, "available"))
            .collect();
        Ok(json!({"Snapshots": described}))
    }

    pub(super) async fn delete_snapshot(&self, input: &Value) -> Result<Value, ApiError> {
        let _work = self.work.lock().await;
        let snapshot = self.snapshot(input.required_text("SnapshotName")?)?;
        if let Some(folder) = self.snapshot_file(&snapshot.name).parent() {
            std::fs::remove_dir_all(folder).map_err(failed)?;
        }
        self.state.change(|state| {
            state.snapshots.remove(&snapshot.name);
            Ok(json!({"Snapshot": self.described_snapshot(&snapshot, "deleting")}))
        })
    }

    fn described_snapshot(&self, snapshot: &Snapshot, status: &str) -> Value {
        let cache = &snapshot.cache;
        let group = (cache.kind == Kind::ReplicationGroup).then_some(&cache.id);
        let node = match cache.kind {
            Kind::CacheCluster => cache.id.clone(),
            Kind::ReplicationGroup => format!("{}-001", cache.id),
        };
        let size = std::fs::metadata(self.snapshot_file(&snapshot.name)).map_or(0, |file| file.len());
        json!({
            "SnapshotName": snapshot.name,
            "SnapshotStatus": status,
            "SnapshotSource": "manual",
            "ReplicationGroupId": group,
            "CacheClusterId": group.is_none().then_some(&cache.id),
            "CacheNodeType": cache.wishes.text("CacheNodeType").unwrap_or("cache.t4g.micro"),
            "Engine": cache.engine,
            "EngineVersion": cache.engine_version,
            "CacheClusterCreateTime": cache.created.as_second(),
            "NodeSnapshots": [{
                "CacheClusterId": node,
                "CacheNodeId": "0001",
                "CacheSize": format!("{} MB", size.div_ceil(1 << 20)),
                "SnapshotCreateTime": snapshot.created.as_second(),
            }],
            "ARN": format!("arn:aws:elasticache:{}:{ACCOUNT}:snapshot:{}", self.context.region, snapshot.name),
        })
    }
}
