//! `llama-deploy cache health-check ENV`: whether the caches of the environment's stacks are well. Status 1 where one is not.

mod health;

use aws::{CacheEndpoint, CacheResource};
use futures::future::join_all;
use serde_json::{Value, json};

use self::health::{Health, Login, Trust};
use super::Session;
use super::db::size;
use crate::arguments::{Cache, CacheHealthCheck};
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::rollout::{self, Stacks};
use crate::settings::Settings;

pub fn run(command: &Cache, settings: &Settings, console: &Console) -> Outcome<u8> {
    match command {
        Cache::HealthCheck(options) => health_check(options, settings, console),
    }
}

fn health_check(options: &CacheHealthCheck, settings: &Settings, console: &Console) -> Outcome<u8> {
    let environment = settings.environment(options.environment.name())?;
    let session = Session::open(settings, environment, console)?;
    console.clear();
    let ledger = rollout::ledger(&session)?;
    let trust = trust(settings)?;
    let looked = session.runtime.block_on(async {
        let stacks = Stacks::read(&ledger, &environment.name).await?;
        let endpoints = endpoints(&session, &stacks).await?;
        let login = login(&session, &stacks, &endpoints, settings).await;
        let looks = endpoints.into_iter().map(async |endpoint| {
            let health = look(&endpoint, &login, &trust).await;
            (endpoint, health)
        });
        Ok::<_, Failure>(join_all(looks).await)
    })?;
    if looked.is_empty() {
        return Err(Failure::new(
            Code::SettingMissing,
            format!("the stacks of {} have no cache", environment.name),
        )
        .hint("a cache is an AWS::ElastiCache::CacheCluster or ReplicationGroup of a stack that is deployed"));
    }
    let mut problems = Vec::new();
    let mut caches = Vec::new();
    for (endpoint, health) in &looked {
        let found = match health {
            Ok(health) => {
                show(endpoint, health, console);
                caches.push(described(endpoint, health));
                health.problems(options.least_hit_rate)
            }
            Err(problem) => {
                caches.push(json!({
                    "cache": endpoint.cache, "shard": endpoint.shard, "engine": endpoint.engine, "answers": false,
                }));
                vec![problem.clone()]
            }
        };
        problems.extend(
            found
                .into_iter()
                .map(|problem| format!("{}: {problem}", name(endpoint))),
        );
    }
    for problem in &problems {
        console.print(&format!("PROBLEM      {problem}"));
    }
    if problems.is_empty() {
        console.print("all is well");
    }
    console.print_json(&json!({ "environment": environment.name, "caches": caches, "problems": problems }));
    Ok(u8::from(!problems.is_empty()))
}

/// Of every cache that the stacks hold.
async fn endpoints(session: &Session<'_>, stacks: &Stacks) -> Outcome<Vec<CacheEndpoint>> {
    let mut endpoints = Vec::new();
    for stack in &stacks.0 {
        let resources = session.aws.stack_resources(stack).await.map_err(refusal::calling)?;
        for cache in resources.iter().filter_map(CacheResource::of) {
            endpoints.extend(session.aws.cache_endpoints(&cache).await.map_err(refusal::calling)?);
        }
    }
    Ok(endpoints)
}

/// What is wrong with one cache is a problem among others, and no reason to leave the next unasked.
async fn look(
    endpoint: &CacheEndpoint,
    login: &Result<Option<Login>, String>,
    trust: &Trust,
) -> Result<Health, String> {
    if endpoint.engine == "memcached" {
        return Err("it is a Memcached, which is not asked".to_owned());
    }
    let login = match login {
        _ if !endpoint.wants_password => None,
        Ok(login) => login.as_ref(),
        Err(problem) => return Err(problem.clone()),
    };
    health::ask(endpoint, login, trust).await
}

/// Who vouches for the caches' certificates, besides the public roots.
fn trust(settings: &Settings) -> Outcome<Trust> {
    let Some(file) = &settings.cache.trusted_roots else {
        return Ok(Trust::default());
    };
    let invalid = |why: String| {
        Failure::new(
            Code::ConfigInvalid,
            format!("[cache] trusted-roots: {}: {why}", file.display()),
        )
        .hint("the certificates of your own authority, in PEM")
    };
    let pem = std::fs::read(file).map_err(|error| invalid(error.to_string()))?;
    Trust::of(&pem).map_err(invalid)
}

/// What the secret of the settings says: its member `password` or `auth_token`, or all of it, and its `username`, where
/// there is one. Read once, and only where a cache wants it.
async fn login(
    session: &Session<'_>,
    stacks: &Stacks,
    endpoints: &[CacheEndpoint],
    settings: &Settings,
) -> Result<Option<Login>, String> {
    let is_wanted = endpoints.iter().any(|endpoint| endpoint.wants_password);
    let Some(output) = settings.cache.secret_output.as_ref().filter(|_| is_wanted) else {
        return Ok(None);
    };
    let outputs = stacks.outputs(&session.aws).await.map_err(|error| error.to_string())?;
    let arn = outputs
        .get(output)
        .ok_or_else(|| format!("no stack has the output `{output}` with the secret of its password"))?;
    let secret = session.aws.secret(arn).await.map_err(|error| error.to_string())?;
    Ok(Some(Login {
        username: secret.field("username"),
        password: secret
            .field("password")
            .or_else(|| secret.field("auth_token"))
            .unwrap_or(secret),
    }))
}

/// The cache's, and its shard's.
fn name(endpoint: &CacheEndpoint) -> String {
    match &endpoint.shard {
        Some(shard) => format!(
            "{}, shard {shard} at {}:{}",
            endpoint.cache, endpoint.host, endpoint.port
        ),
        None => endpoint.cache.clone(),
    }
}

fn show(endpoint: &CacheEndpoint, health: &Health, console: &Console) {
    let tls = if endpoint.is_encrypted { ", by TLS" } else { "" };
    let shard = endpoint
        .shard
        .as_ref()
        .map(|shard| format!(", shard {shard}"))
        .unwrap_or_default();
    console.print(&format!(
        "cache        {}{shard} at {}:{}{tls}",
        endpoint.cache, endpoint.host, endpoint.port
    ));
    console.print(&format!(
        "server       {} {}, {} with {} replicas",
        endpoint.engine, health.version, health.role, health.replicas
    ));
    let most = match health.memory_at_most {
        0 => "without a limit".to_owned(),
        most => format!("of {}", size(most)),
    };
    console.print(&format!("memory       {} {most}", size(health.memory_bytes)));
    console.print(&format!("evictions    {} keys", health.evicted_keys));
    console.print(&format!(
        "hit rate     {}",
        health.hit_rate_percent().map_or_else(
            || "nothing was looked up yet".to_owned(),
            |rate| format!("{rate:.1} % of {} lookups", health.lookups())
        )
    ));
}

fn described(endpoint: &CacheEndpoint, health: &Health) -> Value {
    json!({
        "cache": endpoint.cache, "shard": endpoint.shard, "engine": endpoint.engine, "answers": true, "version": health.version,
        "role": health.role, "replicas": health.replicas, "memory_bytes": health.memory_bytes,
        "memory_at_most": health.memory_at_most, "evicted_keys": health.evicted_keys,
        "lookups": health.lookups(), "hit_rate_percent": health.hit_rate_percent(),
    })
}
