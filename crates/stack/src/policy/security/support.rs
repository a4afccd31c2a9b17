//! Versions that AWS no longer supports as a matter of course.
//!
//! Tables instead of a clock: what stands here is out of support, and a template is judged alike on every day. The source is
//! AWS: for runtimes "Lambda runtimes", table of deprecated ones
//! (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html#runtimes-deprecated>); for engines the end of
//! standard support in the release calendars of RDS for PostgreSQL, MySQL and MariaDB and of Aurora
//! (<https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html>,
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/MySQL.Concepts.VersionMgmt.html>,
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.VersionPolicy.html>), and of ElastiCache
//! (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/extended-support-versions.html>).

use crate::policy::{Resource, Rule};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::resources("LDP601", "functions run on supported runtimes", runtime)
            .reason("it gets no security fixes, and Lambda will refuse to change the function")
            .fix("move to the current version of the language"),
        Rule::resources("LDP602", "databases run supported versions", database)
            .reason("it gets no security fixes, or extended support is charged for every hour")
            .fix("upgrade to a newer major version, with a snapshot before"),
        Rule::resources("LDP603", "caches run supported versions", cache)
            .reason("it gets no security fixes, or extended support is charged for every hour")
            .fix("upgrade to a newer major version, or to Valkey"),
    ]
}

const RUNTIMES: [(&str, &str); 29] = [
    ("nodejs", "2016-10-31"),
    ("nodejs4.3", "2020-03-05"),
    ("nodejs4.3-edge", "2020-03-05"),
    ("nodejs6.10", "2019-08-12"),
    ("nodejs8.10", "2020-03-06"),
    ("nodejs10.x", "2021-07-30"),
    ("nodejs12.x", "2023-03-31"),
    ("nodejs14.x", "2023-12-04"),
    ("nodejs16.x", "2024-06-12"),
    ("nodejs18.x", "2025-09-01"),
    ("nodejs20.x", "2026-04-30"),
    ("python2.7", "2021-07-15"),
    ("python3.6", "2022-07-18"),
    ("python3.7", "2023-12-04"),
    ("python3.8", "2024-10-14"),
    ("python3.9", "2025-12-15"),
    ("java8", "2024-01-08"),
    ("dotnetcore1.0", "2019-06-27"),
    ("dotnetcore2.0", "2019-05-30"),
    ("dotnetcore2.1", "2022-01-05"),
    ("dotnetcore3.1", "2023-04-03"),
    ("dotnet5.0", "2022-05-10"),
    ("dotnet6", "2024-12-20"),
    ("dotnet7", "2024-05-14"),
    ("go1.x", "2024-01-08"),
    ("ruby2.5", "2021-07-30"),
    ("ruby2.7", "2023-12-07"),
    ("ruby3.2", "2026-03-31"),
    ("provided", "2024-01-08"),
];

fn runtime(resource: &Resource<'_>) -> Option<String> {
    if !resource.is("AWS::Lambda::Function") && !resource.is("AWS::Serverless::Function") {
        return None;
    }
    let runtime = resource.setting("Runtime").text()?;
    let (_, since) = RUNTIMES.iter().find(|(name, _)| *name == runtime)?;
    Some(format!("its runtime `{runtime}` is deprecated since {since}"))
}

/// Engine and beginning of the version.
const ENGINES: [(&str, &str); 22] = [
    ("postgres", "9"),
    ("postgres", "10"),
    ("postgres", "11"),
    ("postgres", "12"),
    ("postgres", "13"),
    ("mysql", "5.5"),
    ("mysql", "5.6"),
    ("mysql", "5.7"),
    ("mysql", "8.0"),
    ("mariadb", "10.0"),
    ("mariadb", "10.1"),
    ("mariadb", "10.2"),
    ("mariadb", "10.3"),
    ("mariadb", "10.4"),
    ("mariadb", "10.5"),
    ("aurora-postgresql", "9"),
    ("aurora-postgresql", "10"),
    ("aurora-postgresql", "11"),
    ("aurora-postgresql", "12"),
    ("aurora-postgresql", "13"),
    ("aurora-mysql", "5.6"),
    ("aurora-mysql", "5.7"),
];

/// `13` begins `13` and `13.4`, but not `130`.
fn begins(version: &str, beginning: &str) -> bool {
    version
        .strip_prefix(beginning)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn database(resource: &Resource<'_>) -> Option<String> {
    if !matches!(
        resource.type_name(),
        "AWS::RDS::DBInstance" | "AWS::RDS::DBCluster" | "AWS::RDS::GlobalCluster"
    ) {
        return None;
    }
    let engine = resource.setting("Engine").text()?;
    if engine == "aurora" {
        return Some("Aurora MySQL 1 is out of support".to_owned());
    }
    let version = resource.setting("EngineVersion").text()?;
    let is_past = |(name, beginning): &(&str, &str)| *name == engine && begins(version, beginning);
    ENGINES
        .iter()
        .any(is_past)
        .then(|| format!("standard support of {engine} {version} has ended"))
}

/// Major versions; of the newest standard support ended on 2026-01-31.
const REDIS: [&str; 4] = ["2", "3", "4", "5"];

fn cache(resource: &Resource<'_>) -> Option<String> {
    if !matches!(
        resource.type_name(),
        "AWS::ElastiCache::ReplicationGroup" | "AWS::ElastiCache::CacheCluster"
    ) {
        return None;
    }
    // The engine of a replication group is Redis if nothing is said.
    let engine = resource.setting("Engine");
    let is_redis = engine
        .text()
        .map_or(engine.is_absent(), |engine| engine.eq_ignore_ascii_case("redis"));
    let version = resource.setting("EngineVersion").text().filter(|_| is_redis)?;
    REDIS
        .iter()
        .any(|major| begins(version, major))
        .then(|| format!("standard support of Redis {version} has ended"))
}
