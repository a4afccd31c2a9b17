//! What the tests stand on: a server with the migrated table, secrets that a test can change, and requests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lambda_http::http::Request as HttpRequest;
use lambda_http::{Body, Request, RequestExt};
use platform::{Secret, SecretError, SecretSource, Variables};
use protocol_analytics::Service;
use serde_json::{Value, json};
use sqlx::raw_sql;
use test_postgres::{PASSWORD, TestPostgres};

const MIGRATION: &str =
    include_str!("../../../../migrations/20251014000010_protocol_performance_metrics.expand.up.sql");

const POINTS: &str = r#"
INSERT INTO protocol_performance_metrics
    (protocol_id, "timestamp", apy_7d, apy_30d, dau, wau, daily_revenue)
VALUES
    ('uniswap-v3', '2025-10-14T00:00:00Z', 4.12, 3.9, 1200, 5400, 123456789012345678.10),
    ('uniswap-v3', '2025-10-15T00:00:00Z', 4.25, 3.9, 1300, 5500, 10250.5),
    ('uniswap-v3', '2025-10-16T00:00:00Z', 4.5, 4, 1400, 5600, 10300),
    ('aave', '2025-10-15T12:00:00Z', NULL, NULL, NULL, NULL, NULL)"#;

/// A secret that a test can change.
pub struct Vault {
    text: Mutex<String>,
    pub reads: AtomicUsize,
}

impl Vault {
    pub fn hold(&self, secret: Value) {
        *self.text.lock().unwrap() = secret.to_string();
    }
}

#[async_trait]
impl SecretSource for Vault {
    async fn read(&self, _id: &str) -> Result<Secret, SecretError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(Secret::new(self.text.lock().unwrap().clone()))
    }
}

pub fn vault(secret: Value) -> Arc<Vault> {
    Arc::new(Vault {
        text: Mutex::new(secret.to_string()),
        reads: AtomicUsize::new(0),
    })
}

pub fn credentials(port: u16, password: &str) -> Value {
    json!({ "username": "postgres", "password": password, "engine": "postgres", "host": "127.0.0.1", "port": port, "dbname": "postgres" })
}

pub struct World {
    pub postgres: TestPostgres,
    pub vault: Arc<Vault>,
}

impl World {
    pub async fn new() -> Self {
        let postgres = TestPostgres::start().await;
        let mut connection = postgres.connect().await;
        for sql in [MIGRATION, POINTS] {
            raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        let vault = vault(credentials(postgres.port(), PASSWORD));
        Self { postgres, vault }
    }

    pub fn service<const N: usize>(&self, more: [(&str, &str); N]) -> Service {
        service(self.vault.clone(), more)
    }

    pub async fn sql(&self, sql: &'static str) {
        raw_sql(sql).execute(&mut self.postgres.connect().await).await.unwrap();
    }
}

pub fn service<const N: usize>(vault: Arc<Vault>, more: [(&str, &str); N]) -> Service {
    let mut variables = vec![
        ("DB_SECRET_ARN", "database"),
        ("AWS_LAMBDA_FUNCTION_NAME", "protocol-analytics"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "3"),
    ];
    variables.extend(more);
    Service::new(&variables.into_iter().collect::<Variables>(), vault).unwrap()
}

pub fn request(protocol: &str, query: &[(&str, &str)]) -> Request {
    let query: HashMap<String, Vec<String>> = query
        .iter()
        .map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]))
        .collect();
    let path = HashMap::from([("protocolId".to_owned(), vec![protocol.to_owned()])]);
    HttpRequest::new(Body::Empty)
        .with_path_parameters(path)
        .with_query_string_parameters(query)
}

pub struct Answer {
    pub status: u16,
    pub cache: String,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The times of its points, in order.
    pub fn times(&self) -> Vec<String> {
        let body = self.json();
        body["performance"]
            .as_array()
            .unwrap()
            .iter()
            .map(|point| point["timestamp"].as_str().unwrap().to_owned())
            .collect()
    }
}

pub async fn ask(service: &Service, protocol: &str, query: &[(&str, &str)]) -> Answer {
    let response = service.handle(request(protocol, query)).await.unwrap();
    let cache = response
        .headers()
        .get("x-cache")
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let Body::Text(text) = response.body() else {
        panic!("a text body")
    };
    Answer {
        status: response.status().as_u16(),
        cache,
        text: text.clone(),
    }
}
