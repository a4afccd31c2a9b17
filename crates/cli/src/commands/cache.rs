//! `llama-deploy cache health-check ENV`: whether the caches of the environment's stacks are well. Status 1 where one is not.

mod health;

use aws::{CacheEndpoint, CacheResource};
use serde_json::{Value, json};

use self::health::Health;
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
    let looked = session.runtime.block_on(async {
        let stacks = Stacks::read(&ledger, &environment.name).await?;
        let mut looked = Vec::new();
        for endpoint in endpoints(&session, &stacks).await? {
            let health = look(&session, &endpoint, settings).await;
            looked.push((endpoint, health));
        }
        Ok::<_, Failure>(looked)
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
                caches.push(json!({ "cache": endpoint.cache, "engine": endpoint.engine, "answers": false }));
                vec![problem.clone()]
            }
        };
        problems.extend(
            found
                .into_iter()
                .map(|problem| format!("{}: {problem}", endpoint.cache)),
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
            endpoints.push(session.aws.cache_endpoint(&cache).await.map_err(refusal::calling)?);
        }
    }
    Ok(endpoints)
}

/// What is wrong with one cache is a problem among others, and no reason to leave the next unasked.
async fn look(session: &Session<'_>, endpoint: &CacheEndpoint, settings: &Settings) -> Result<Health, String> {
    if endpoint.engine == "memcached" {
        return Err("it is a Memcached, which is not asked".to_owned());
    }
    let password = match &settings.cache_secret_output {
        Some(output) if endpoint.wants_password => Some(password(session, output).await?),
        _ => None,
    };
    health::ask(endpoint, password.as_ref()).await
}

/// The secret's member `password` or `auth_token`, or all of it.
async fn password(session: &Session<'_>, output: &str) -> Result<aws::Secret, String> {
    let ledger = rollout::ledger(session).map_err(|failure| failure.message)?;
    let stacks = Stacks::read(&ledger, &session.environment.name)
        .await
        .map_err(|failure| failure.message)?;
    let outputs = stacks.outputs(&session.aws).await.map_err(|error| error.to_string())?;
    let arn = outputs
        .get(output)
        .ok_or_else(|| format!("no stack has the output `{output}` with the secret of its password"))?;
    let secret = session.aws.secret(arn).await.map_err(|error| error.to_string())?;
    let member = secret.field("password").or_else(|| secret.field("auth_token"));
    Ok(member.unwrap_or(secret))
}

fn show(endpoint: &CacheEndpoint, health: &Health, console: &Console) {
    let tls = if endpoint.is_encrypted { ", by TLS" } else { "" };
    console.print(&format!(
        "cache        {} at {}:{}{tls}",
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
        "cache": endpoint.cache, "engine": endpoint.engine, "answers": true, "version": health.version,
        "role": health.role, "replicas": health.replicas, "memory_bytes": health.memory_bytes,
        "memory_at_most": health.memory_at_most, "evicted_keys": health.evicted_keys,
        "lookups": health.lookups(), "hit_rate_percent": health.hit_rate_percent(),
    })
}
