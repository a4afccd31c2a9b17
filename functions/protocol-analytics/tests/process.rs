//! The built function as Lambda runs it: a process that asks the runtime API for events and Secrets Manager for the password.
//! Both are answered here on loopback, in the form that AWS documents
//! (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sqlx::raw_sql;
use test_postgres::{PASSWORD, TestPostgres};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

const MIGRATION: &str = include_str!("../../../migrations/20251014000010_protocol_performance_metrics.expand.up.sql");

/// A function that ended, or that hangs, answers nothing.
const PATIENCE: Duration = Duration::from_mins(10);

/// Lambda and Secrets Manager, as far as one function sees them.
struct Cloud {
    events: Mutex<mpsc::Receiver<Value>>,
    outcomes: mpsc::Sender<(String, Value)>,
    secret: Value,
}

impl Cloud {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let target = parts
            .headers
            .get("x-amz-target")
            .map(|target| target.to_str().unwrap().to_owned());
        let response = match (parts.uri.path(), target.as_deref()) {
            (_, Some("secretsmanager.GetSecretValue")) => {
                let asked: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(
                    asked["SecretId"],
                    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:database-AbCdEf"
                );
                let answer = json!({ "SecretString": self.secret.to_string(), "Name": "database", "VersionId": "1" });
                Response::builder()
                    .header("content-type", "application/x-amz-json-1.1")
                    .body(answer.to_string())
            }
            ("/2018-06-01/runtime/invocation/next", _) => {
                let event = self.events.lock().await.recv().await.unwrap();
                Response::builder()
                    .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
                    .header("lambda-runtime-deadline-ms", "4102444800000")
                    .header(
                        "lambda-runtime-invoked-function-arn",
                        "arn:aws:lambda:eu-west-1:111122223333:function:protocol-analytics:3",
                    )
                    .body(event.to_string())
            }
            (path, _) => {
                let outcome = path.rsplit('/').next().unwrap().to_owned();
                self.outcomes
                    .send((outcome, serde_json::from_slice(&body).unwrap()))
                    .await
                    .unwrap();
                Response::builder().status(202).body(r#"{"status":"OK"}"#.to_owned())
            }
        };
        Ok(response.unwrap().map(|text| Full::new(Bytes::from(text))))
    }
}

/// Ends the function's process with the test.
struct Function(Child);

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What API Gateway sends with Lambda proxy integration.
fn event(protocol: &str, query: Value) -> Value {
    json!({
        "resource": "/analytics/protocol/{protocolId}/performance",
        "path": format!("/analytics/protocol/{protocol}/performance"),
        "httpMethod": "GET",
        "headers": { "Host": "abc123.execute-api.eu-west-1.amazonaws.com" },
        "multiValueHeaders": { "Host": ["abc123.execute-api.eu-west-1.amazonaws.com"] },
        "queryStringParameters": query,
        "multiValueQueryStringParameters": query.as_object().map(|query| {
            query.iter().map(|(name, value)| (name.clone(), json!([value]))).collect::<serde_json::Map<_, _>>()
        }),
        "pathParameters": { "protocolId": protocol },
        "stageVariables": { "color": "blue" },
        "requestContext": {
            "accountId": "111122223333", "apiId": "abc123", "stage": "prod", "httpMethod": "GET", "protocol": "HTTP/1.1",
            "resourceId": "x", "resourcePath": "/analytics/protocol/{protocolId}/performance", "requestId": "r", "identity": { "sourceIp": "127.0.0.1" },
        },
        "body": null,
        "isBase64Encoded": false,
    })
}

#[tokio::test]
async fn the_built_function_serves_as_lambda_runs_it() {
    let postgres = TestPostgres::start().await;
    let mut connection = postgres.connect().await;
    raw_sql(MIGRATION).execute(&mut connection).await.unwrap();
    raw_sql("INSERT INTO protocol_performance_metrics (protocol_id, \"timestamp\", dau) VALUES ('uniswap-v3', '2025-10-14T00:00:00Z', 7)")
        .execute(&mut connection)
        .await
        .unwrap();

    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (events, received) = mpsc::channel(1);
    let (outcomes, mut outcome) = mpsc::channel(1);
    let secret = json!({ "username": "postgres", "password": PASSWORD, "host": "127.0.0.1", "port": postgres.port(), "dbname": "postgres" });
    let cloud = Arc::new(Cloud {
        events: Mutex::new(received),
        outcomes,
        secret,
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let cloud = cloud.clone();
            let service = service_fn(move |request| cloud.clone().answer(request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });

    let function = Command::new(env!("CARGO_BIN_EXE_protocol-analytics"))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", &address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "protocol-analytics")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "3")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/protocol-analytics")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "example")
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .env(
            "DB_SECRET_ARN",
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:database-AbCdEf",
        )
        .spawn()
        .unwrap();
    let _function = Function(function);

    let mut invoke = async |event: Value| {
        events.send(event).await.unwrap();
        tokio::select! {
            outcome = outcome.recv() => outcome.unwrap(),
            () = tokio::time::sleep(PATIENCE) => panic!("the function did not answer within {PATIENCE:?}"),
        }
    };

    let (kind, response) = invoke(event("uniswap-v3", json!({ "limit": "5" }))).await;
    assert_eq!((kind.as_str(), &response["statusCode"]), ("response", &json!(200)));
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["performance"][0]["users"]["dau"], 7);

    let (kind, response) = invoke(event("uniswap-v3", json!({ "limit": "none" }))).await;
    assert_eq!((kind.as_str(), &response["statusCode"]), ("response", &json!(400)));
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["error"]["requestId"], "8476a536-e9f4-11e8-9739-2dfe598c3fcd");

    raw_sql("DROP TABLE protocol_performance_metrics")
        .execute(&mut connection)
        .await
        .unwrap();
    let (kind, response) = invoke(event("uniswap-v3", json!(null))).await;
    assert_eq!(kind, "error", "{response}");
}
