//! The health of a slot against a real PostgreSQL, and without one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use async_trait::async_trait;
use health::Service;
use lambda_http::http::Request;
use lambda_http::{Body, RequestExt};
use platform::{Secret, SecretError, SecretSource, Variables};
use serde_json::{Value, json};
use test_postgres::{PASSWORD, TestPostgres, free_port};

struct Fixed(String);

#[async_trait]
impl SecretSource for Fixed {
    async fn read(&self, _id: &str) -> Result<Secret, SecretError> {
        Ok(Secret::new(self.0.clone()))
    }
}

async fn check(port: u16, password: &str, redis: &[(&str, &str)]) -> (u16, Value) {
    let secret = json!({ "username": "postgres", "password": password, "host": "127.0.0.1", "port": port.to_string(), "dbname": "postgres" });
    let mut variables = vec![
        ("DB_SECRET_ARN", "database"),
        ("AWS_LAMBDA_FUNCTION_NAME", "health"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
    ];
    variables.extend(redis);
    let service = Service::new(
        &variables.into_iter().collect::<Variables>(),
        Arc::new(Fixed(secret.to_string())),
    )
    .unwrap();
    let response = service
        .handle(Request::new(Body::Empty).with_raw_http_path("/health"))
        .await
        .unwrap();
    let Body::Text(text) = response.body() else {
        panic!("a text body")
    };
    (response.status().as_u16(), serde_json::from_str(text).unwrap())
}

#[tokio::test]
async fn a_slot_with_its_database_is_well() {
    let postgres = TestPostgres::start().await;
    let expected = json!({ "status": "ok", "function": "health:7",
        "checks": { "database": { "status": "ok" }, "cache": { "status": "not_configured" } } });
    assert_eq!(check(postgres.port(), PASSWORD, &[]).await, (200, expected));

    let port = free_port().to_string();
    let (status, body) = check(
        postgres.port(),
        PASSWORD,
        &[("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", &port)],
    )
    .await;
    assert_eq!(
        (status, &body["status"], &body["checks"]["cache"]["status"]),
        (200, &json!("degraded"), &json!("failed"))
    );

    let (status, body) = check(postgres.port(), "hunter2", &[]).await;
    assert_eq!((status, &body["status"]), (503, &json!("failing")));
    assert!(!body.to_string().contains("hunter2"));
}

#[tokio::test]
async fn a_slot_without_its_database_fails() {
    let (status, body) = check(free_port(), PASSWORD, &[]).await;
    let expected = json!({ "status": "failing", "function": "health:7",
        "checks": { "database": { "status": "failed" }, "cache": { "status": "not_configured" } } });
    assert_eq!((status, body), (503, expected));
}
