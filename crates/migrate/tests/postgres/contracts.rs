//! When a contract may run: nobody of another version is connected, and a backup of this schema is proven.

use std::collections::{BTreeMap, BTreeSet};

use migrate::{ContractPermit, ContractRefused, Database, Password, ProvenBackup, Versions};
use sqlx::{Connection, PgConnection};
use test_postgres::PASSWORD;

use crate::world::{World, hasty};

const CONTRACT: &str = "20_drop.contract.sql";

async fn world() -> World {
    let world = World::new(&[
        ("10_a.expand.sql", "CREATE TABLE a (b int, c int)"),
        (CONTRACT, "ALTER TABLE a DROP COLUMN b"),
    ])
    .await;
    world.up(&hasty()).await.unwrap();
    world
}

fn live(alone_since: Option<&str>) -> Versions {
    Versions {
        live: BTreeMap::from([("orders".to_owned(), "2".to_owned())]),
        alone_since: alone_since.map(str::to_owned),
        contracts: None,
    }
}

async fn pid(connection: &mut PgConnection) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(connection)
        .await
        .unwrap()
}

/// Who is in the way, as `APPLICATION`, in the order of their beginnings.
async fn in_the_way(world: &World, versions: &Versions) -> Vec<String> {
    let backups = [world.proven().await];
    match ContractPermit::ask(&world.database(), versions, &backups).await {
        Ok(_) => Vec::new(),
        Err(ContractRefused::OldSessions { sessions }) => {
            sessions.into_iter().map(|session| session.application).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_session_of_another_version_is_in_the_way_and_is_named() {
    let world = world().await;
    let _live = world.connect_as("orders:2").await;
    let versions = live(None);
    assert_eq!(in_the_way(&world, &versions).await, Vec::<String>::new());

    let mut old = world.connect_as("orders:1").await;
    let old_pid = pid(&mut old).await;
    let backups = [world.proven().await];
    let refused = ContractPermit::ask(&world.database(), &versions, &backups)
        .await
        .unwrap_err();
    let ContractRefused::OldSessions { sessions } = &refused else {
        panic!("{refused}")
    };
    assert_eq!((sessions.len(), sessions[0].pid), (1, old_pid));
    let said = refused.to_string();
    assert!(
        said.contains(&format!("session {old_pid} (\"orders:1\", since 2")),
        "{said}"
    );

    old.close().await.unwrap();
    world
        .until("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'orders:1')")
        .await;
    let permit = ContractPermit::ask(&world.database(), &versions, &backups)
        .await
        .unwrap();
    assert_eq!(permit.backup(), "before");
    assert_eq!(world.applies(&hasty().contracting(permit)).await, [CONTRACT]);
}

#[tokio::test]
async fn a_session_that_names_no_version_is_trusted_when_it_began_after_the_old_one_was_gone() {
    let world = world().await;
    let mut unnamed = world.connect_as("psql").await;
    let _unpublished = world.connect_as("orders:$LATEST").await;
    let began: String =
        sqlx::query_scalar("SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()")
            .fetch_one(&mut unnamed)
            .await
            .unwrap();
    assert_eq!(in_the_way(&world, &live(None)).await, ["psql", "orders:$LATEST"]);
    assert_eq!(
        in_the_way(&world, &live(Some("2999-01-01T00:00:00Z"))).await,
        ["psql", "orders:$LATEST"]
    );
    assert_eq!(
        in_the_way(&world, &live(Some(&began))).await,
        ["orders:$LATEST"],
        "a version that is not live is never trusted"
    );
}

#[tokio::test]
async fn who_may_not_see_when_others_began_trusts_nobody_without_a_name() {
    let world = world().await;
    world
        .sql("CREATE ROLE reader LOGIN PASSWORD 'hunter2'; GRANT SELECT ON _sqlx_migrations TO reader")
        .await;
    let reader = Database::new(
        "127.0.0.1",
        world.postgres.port(),
        "postgres",
        "reader",
        Password::new("hunter2"),
    );
    let _unnamed = world.connect_as("psql").await;
    let refused = ContractPermit::ask(&reader, &live(Some("2001-01-01T00:00:00Z")), &[])
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("since an unknown time"), "{refused}");
}

#[tokio::test]
async fn only_a_proven_backup_of_this_very_schema_counts() {
    let world = world().await;
    let older = ProvenBackup {
        name: "older".to_owned(),
        schema_version: None,
    };
    for backups in [Vec::new(), vec![older.clone()]] {
        let refused = ContractPermit::ask(&world.database(), &live(None), &backups)
            .await
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "no backup of the schema as it is now (10) has been restored for a proof"
        );
    }
    let options = migrate::BackupOptions {
        programs: Some(world.postgres.binaries().to_owned()),
        ..migrate::BackupOptions::new(world.path().join("backups"), "before-contract")
    };
    let backup = migrate::back_up(&world.database(), &options).await.unwrap();
    assert_eq!(ProvenBackup::of(&backup), None, "whole, but never restored");
    let verifying = migrate::backup::VerifyOptions {
        programs: options.programs.clone(),
        ..migrate::backup::VerifyOptions::default()
    };
    migrate::backup::verify(&backup, &world.database(), &verifying)
        .await
        .unwrap();
    let found = migrate::backup::find(&options.folder, "before-contract").unwrap();
    let backups: Vec<_> = ProvenBackup::of(&found).into_iter().chain([older]).collect();
    let permit = ContractPermit::ask(&world.database(), &live(None), &backups)
        .await
        .unwrap();
    assert_eq!(permit.backup(), "before-contract");
}

#[tokio::test]
async fn a_contract_that_the_live_version_was_deployed_without_waits_and_so_do_those_after_it() {
    let world = world().await;
    world.write("30_newer.contract.sql", "ALTER TABLE a DROP COLUMN c");
    world.write("40_known.contract.sql", "DROP TABLE a");
    let backups = [world.proven().await];
    let versions = Versions {
        contracts: Some(BTreeSet::from([20, 40])),
        ..Versions::default()
    };
    let permit = ContractPermit::ask(&world.database(), &versions, &backups)
        .await
        .unwrap();
    let report = world.up(&hasty().contracting(permit)).await.unwrap();
    let applied: Vec<&str> = report.applied.iter().map(|applied| applied.file.as_str()).collect();
    assert_eq!(applied, [CONTRACT]);
    let held: Vec<(&str, &str)> = report
        .held
        .iter()
        .map(|held| (held.file.as_str(), held.reason.as_str()))
        .collect();
    assert_eq!(
        held,
        [
            (
                "30_newer.contract.sql",
                "the live release was deployed without it and may need what it takes away"
            ),
            (
                "40_known.contract.sql",
                "it comes after 30_newer.contract.sql, which waits"
            ),
        ]
    );
}

#[tokio::test]
async fn a_permit_is_for_one_database() {
    let world = world().await;
    world.postgres.database("other").await;
    let other = Database::new(
        "127.0.0.1",
        world.postgres.port(),
        "other",
        "postgres",
        Password::new(PASSWORD),
    );
    let options = hasty().contracting(world.permit().await);
    let refused = world
        .migrator()
        .up(&other, &options, &migrate::Silent)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), "permit_elsewhere");
}
