//! ElastiCache: each cache cluster or replication group is one real, private Redis, where `redis-server` is installed.
//!
//! Where it is not, the resource is made all the same, says that `redis-server is not installed`, and its endpoint is
//! a port on which nothing listens, so that callers meet a cache that is down. Not served: Memcached, shards, replicas
//! of their own (reader and primary are the same server), encryption in transit.

mod operations;
mod provider;
mod redis;
mod snapshot;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::context::{ACCOUNT, Context};
use crate::members::{Members, tags_of};
use crate::process;
use crate::resource::Provider;
use crate::saved::Saved;
use crate::service::ApiError;
use redis::Redis;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    CacheCluster,
    ReplicationGroup,
}

#[derive(Clone, Serialize, Deserialize)]
struct Cache {
    id: String,
    kind: Kind,
    engine: String,
    engine_version: String,
    port: u16,
    /// Why there is no server behind the port; else it is available.
    problem: Option<String>,
    created: Timestamp,
    auth_token: Option<String>,
    /// What else the creation asked for; kept and described, nothing more.
    wishes: Map<String, Value>,
    tags: Vec<(String, String)>,
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    caches: BTreeMap<String, Cache>,
    subnet_groups: BTreeMap<String, Value>,
    #[serde(default)]
    snapshots: BTreeMap<String, snapshot::Snapshot>,
}

pub struct ElastiCache {
    context: Context,
    state: Saved<State>,
    /// The server's program, looked for once.
    program: Option<PathBuf>,
    /// Servers are worked on one after the other.
    work: Mutex<()>,
}

impl ElastiCache {
    /// Nothing runs before [`ElastiCache::start`].
    pub fn open(context: &Context) -> io::Result<Arc<Self>> {
        Self::with_program(context, redis::program())
    }

    fn with_program(context: &Context, program: Option<PathBuf>) -> io::Result<Arc<Self>> {
        let state = Saved::open(&context.store, "elasticache")?;
        Ok(Arc::new(Self {
            context: context.clone(),
            state,
            program,
            work: Mutex::new(()),
        }))
    }

    /// Brings up the caches that there are.
    pub async fn start(&self) {
        let _work = self.work.lock().await;
        let caches: Vec<Cache> = self.state.read().caches.values().cloned().collect();
        for mut cache in caches {
            self.bring_up(&mut cache).await;
            let saved = self.state.change(|state| {
                state.caches.insert(cache.id.clone(), cache);
                Ok(())
            });
            if let Err(error) = saved {
                tracing::warn!(%error, "the state of caches could not be saved");
            }
        }
    }

    pub fn providers(self: &Arc<Self>) -> Vec<Arc<dyn Provider>> {
        vec![Arc::new(provider::CacheProvider { caches: self.clone() })]
    }

    fn server(&self, cache: &Cache) -> Redis {
        Redis {
            folder: self.context.folder.join("elasticache").join(&cache.id),
            port: cache.port,
            password: cache.auth_token.clone(),
        }
    }

    async fn bring_up(&self, cache: &mut Cache) {
        cache.problem = match &self.program {
            None => Some("redis-server is not installed".to_owned()),
            Some(program) => match self.server(cache).start(program).await {
                Ok(()) => {
                    cache.engine_version = redis::version(program).await.unwrap_or_else(|_| "unknown".to_owned());
                    None
                }
                Err(error) => Some(error.to_string()),
            },
        };
        if let Some(problem) = &cache.problem {
            tracing::warn!(cache = cache.id, problem, "a cache is not available");
        }
    }

    /// `input` has the members of `CreateCacheCluster` or `CreateReplicationGroup`.
    async fn create(&self, kind: Kind, id: &str, input: &Value) -> Result<Cache, ApiError> {
        let _work = self.work.lock().await;
        let id = id.to_lowercase();
        let well_formed = id.len() <= 50
            && id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !id.ends_with('-')
            && !id.contains("--");
        if !well_formed {
            return Err(invalid(format!(
                "The parameter {id} is not a valid identifier: up to 50 letters, digits and single hyphens, a letter first"
            )));
        }
        let engine = input.text("Engine").unwrap_or("redis").to_owned();
        if !["redis", "valkey"].contains(&engine.as_str()) {
            return Err(invalid(format!(
                "The embedded cloud runs the engines redis and valkey only, not {engine}"
            )));
        }
        if kind == Kind::CacheCluster && input.integer("NumCacheNodes").unwrap_or(1) > 1 {
            return Err(ApiError::new(
                400,
                "InvalidParameterCombination",
                "Cannot create a Redis cluster with a NumCacheNodes parameter greater than 1.",
            ));
        }
        if self.state.read().caches.contains_key(&id) {
            let code = match kind {
                Kind::CacheCluster => "CacheClusterAlreadyExists",
                Kind::ReplicationGroup => "ReplicationGroupAlreadyExists",
            };
            return Err(ApiError::new(400, code, format!("{id} already exists")));
        }
        let seed = self.seed(input)?;
        let mut wishes = input.as_object().cloned().unwrap_or_default();
        wishes.retain(|name, value| !["AuthToken", "Tags"].contains(&name.as_str()) && !value.is_null());
        let mut cache = Cache {
            id: id.clone(),
            kind,
            engine,
            engine_version: input.text("EngineVersion").unwrap_or("unknown").to_owned(),
            port: process::free_port().map_err(failed)?,
            problem: None,
            created: self.context.clock.now(),
            auth_token: input.text("AuthToken").map(str::to_owned),
            wishes,
            tags: tags_of(input, "Tags"),
        };
        if let (Some(seed), Some(_)) = (seed, &self.program) {
            self.server(&cache).begin_with(&seed).map_err(failed)?;
        }
        self.bring_up(&mut cache).await;
        self.state.change(|state| {
            state.caches.insert(id, cache.clone());
            Ok(cache)
        })
    }

    async fn delete(&self, kind: Kind, id: &str) -> Result<Cache, ApiError> {
        let _work = self.work.lock().await;
        let cache = self.cache(kind, id)?;
        if self.program.is_some() {
            self.server(&cache).remove().await.map_err(failed)?;
        }
        self.state.change(|state| {
            state.caches.remove(&cache.id);
            Ok(cache)
        })
    }

    fn modify(&self, kind: Kind, id: &str, input: &Value) -> Result<Cache, ApiError> {
        let id = self.cache(kind, id)?.id;
        self.state.change(|state| {
            let cache = state.caches.get_mut(&id).ok_or_else(|| missing(kind, &id))?;
            let wishes = input.as_object().into_iter().flatten().filter(|(name, value)| {
                !["AuthToken", "Tags", "ApplyImmediately"].contains(&name.as_str()) && !value.is_null()
            });
            cache
                .wishes
                .extend(wishes.map(|(name, value)| (name.clone(), value.clone())));
            Ok(cache.clone())
        })
    }

    fn cache(&self, kind: Kind, id: &str) -> Result<Cache, ApiError> {
        let found = self
            .state
            .read()
            .caches
            .get(&id.to_lowercase())
            .filter(|cache| cache.kind == kind)
            .cloned();
        found.ok_or_else(|| missing(kind, id))
    }

    /// Stops the servers.
    async fn end(&self) {
        let _work = self.work.lock().await;
        let caches: Vec<Cache> = self.state.read().caches.values().cloned().collect();
        for cache in caches.iter().filter(|cache| cache.problem.is_none()) {
            if let Err(error) = self.server(cache).stop().await {
                tracing::warn!(cache = cache.id, %error, "a cache did not stop");
            }
        }
    }

    fn arn(&self, cache: &Cache) -> String {
        let kind = match cache.kind {
            Kind::CacheCluster => "cluster",
            Kind::ReplicationGroup => "replicationgroup",
        };
        format!(
            "arn:aws:elasticache:{}:{ACCOUNT}:{kind}:{}",
            self.context.region, cache.id
        )
    }
}

impl Cache {
    /// What descriptions say: `available`, or why not.
    fn status(&self) -> &str {
        self.problem.as_deref().unwrap_or("available")
    }
}

fn missing(kind: Kind, id: &str) -> ApiError {
    match kind {
        Kind::CacheCluster => ApiError::new(404, "CacheClusterNotFound", format!("CacheCluster not found: {id}")),
        Kind::ReplicationGroup => ApiError::new(
            404,
            "ReplicationGroupNotFoundFault",
            format!("ReplicationGroup {id} not found."),
        ),
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterValue", message)
}

fn failed(error: io::Error) -> ApiError {
    ApiError::new(500, "InternalFailure", error.to_string())
}

#[cfg(test)]
mod tests;
