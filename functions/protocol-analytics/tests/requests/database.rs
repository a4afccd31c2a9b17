use std::sync::atomic::Ordering;

use serde_json::json;
use sqlx::raw_sql;
use test_postgres::{PASSWORD, free_port};

use crate::world::{World, ask, credentials, request, service, vault};

#[tokio::test]
async fn the_newest_points_come_first_with_their_exact_digits() {
    let world = World::new().await;
    let service = world.service([]);
    let answer = ask(&service, "uniswap-v3", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.times(),
        ["2025-10-16T00:00:00Z", "2025-10-15T00:00:00Z", "2025-10-14T00:00:00Z"]
    );
    assert!(
        answer.text.contains(r#""daily":123456789012345678.10"#),
        "{}",
        answer.text
    );
    assert!(
        answer
            .text
            .contains(r#""apy":{"7d":4.5000,"30d":4.0000,"90d":null,"1y":null}"#),
        "{}",
        answer.text
    );
    let body = answer.json();
    assert_eq!(body["protocolId"], "uniswap-v3");
    assert_eq!(body["count"], 3);
    assert_eq!(
        body["performance"][0]["users"],
        json!({ "dau": 1400, "wau": 5600, "mau": null })
    );

    let limited = ask(&service, "uniswap-v3", &[("limit", "2")]).await;
    assert_eq!(limited.times(), ["2025-10-16T00:00:00Z", "2025-10-15T00:00:00Z"]);
    let ranged = ask(
        &service,
        "uniswap-v3",
        &[("from", "2025-10-15T02:00:00+02:00"), ("to", "2025-10-16T00:00:00Z")],
    )
    .await;
    assert_eq!(ranged.times(), ["2025-10-15T00:00:00Z"]);
}

#[tokio::test]
async fn an_unknown_protocol_is_told_from_an_empty_range() {
    let world = World::new().await;
    let service = world.service([]);
    let unknown = ask(&service, "no-such-protocol", &[]).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"]["code"], "not_found");
    let empty = ask(&service, "aave", &[("from", "2030-01-01T00:00:00Z")]).await;
    assert_eq!((empty.status, empty.json()["count"].as_u64()), (200, Some(0)));
    let injection = ask(&service, "'; DROP TABLE protocol_performance_metrics; --", &[]).await;
    assert_eq!(injection.status, 404);
    assert_eq!(ask(&service, "aave", &[]).await.status, 200);
}

#[tokio::test]
async fn a_bad_request_reaches_no_database() {
    let nobody = vault(credentials(1, PASSWORD));
    let answer = ask(&service(nobody.clone(), []), "aave", &[("limit", "-1")]).await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json()["error"]["message"],
        "limit must be a number from 1 to 1000"
    );
    assert_eq!(nobody.reads.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_database_that_is_down_is_an_opaque_503() {
    let answer = ask(&service(vault(credentials(free_port(), "hunter2")), []), "aave", &[]).await;
    assert_eq!(answer.status, 503);
    let expected = json!({ "error": {
        "code": "unavailable", "message": "The service is temporarily unavailable. Try again.", "requestId": "",
    } });
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn a_missing_table_is_an_error_of_the_function() {
    let world = World::new().await;
    world.sql("DROP TABLE protocol_performance_metrics").await;
    let error = world.service([]).handle(request("aave", &[])).await.unwrap_err();
    assert!(
        platform::chain(&*error).contains("protocol_performance_metrics"),
        "{}",
        platform::chain(&*error)
    );
}

#[tokio::test]
async fn a_rotated_password_is_fetched_once_more() {
    let world = World::new().await;
    let service = world.service([]);
    assert_eq!(ask(&service, "aave", &[]).await.status, 200);
    assert_eq!(ask(&service, "aave", &[]).await.status, 200);
    assert_eq!(world.vault.reads.load(Ordering::Relaxed), 1);

    let mut admin = world.postgres.connect().await;
    raw_sql("ALTER ROLE postgres PASSWORD 'rotated'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'protocol-analytics:3'")
        .execute(&mut admin)
        .await
        .unwrap();
    world.vault.hold(credentials(world.postgres.port(), "rotated"));
    assert_eq!(ask(&service, "aave", &[]).await.status, 200);
    assert_eq!(world.vault.reads.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_wrong_password_is_an_outage_and_read_twice_only() {
    let world = World::new().await;
    world.vault.hold(credentials(world.postgres.port(), "wrong"));
    assert_eq!(ask(&world.service([]), "aave", &[]).await.status, 503);
    assert_eq!(world.vault.reads.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_column_that_the_next_version_adds_does_no_harm() {
    let world = World::new().await;
    let service = world.service([]);
    for _ in 0..3 {
        assert_eq!(ask(&service, "aave", &[]).await.status, 200);
    }
    world
        .sql("ALTER TABLE protocol_performance_metrics ADD COLUMN tvl numeric(20, 2)")
        .await;
    assert_eq!(ask(&service, "aave", &[]).await.status, 200);
}

#[tokio::test]
async fn a_statement_that_hangs_is_cut_off_as_an_outage() {
    let world = World::new().await;
    let service = world.service([]);
    let mut blocker = world.postgres.connect().await;
    raw_sql("BEGIN; LOCK TABLE protocol_performance_metrics IN ACCESS EXCLUSIVE MODE")
        .execute(&mut blocker)
        .await
        .unwrap();
    assert_eq!(ask(&service, "aave", &[]).await.status, 503);
    raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    assert_eq!(ask(&service, "aave", &[]).await.status, 200);
}

#[tokio::test]
async fn the_secret_leaves_out_what_the_stack_says() {
    let world = World::new().await;
    world
        .vault
        .hold(json!({ "username": "postgres", "password": PASSWORD }));
    let port = world.postgres.port().to_string();
    let service = world.service([("DB_HOST", "127.0.0.1"), ("DB_PORT", &port), ("DB_NAME", "postgres")]);
    assert_eq!(ask(&service, "aave", &[]).await.status, 200);
}

#[tokio::test]
async fn a_malformed_secret_is_an_error_of_the_function_and_not_shown() {
    let broken = vault(json!({ "user": "postgres", "pass": "hunter2" }));
    let error = service(broken, []).handle(request("aave", &[])).await.unwrap_err();
    let text = platform::chain(&*error);
    assert!(
        text.contains("is not a JSON object with username") && !text.contains("hunter2"),
        "{text}"
    );
}
