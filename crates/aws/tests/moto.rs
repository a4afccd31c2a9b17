//! A second witness: the adapters against moto, which none of us wrote. It is asked about what it does well: assets,
//! stacks of simple resources, conditional writes, and how services say that something does not exist.
//!
//! Behind a feature, because moto's server brings some sixty packages:
//! `pip install 'moto[server]' && cargo test -p aws --features moto --test moto`, with the interpreter in
//! `LLAMA_TEST_PYTHON` if it is not `python3`.

#![allow(clippy::unwrap_used, reason = "what a test prepares fails by panicking")]

mod scenario;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use aws::stacks::{Planned, StackInput};
use aws::{Aws, RdsDatabase, Settings, connect};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};
use orchestrator::domain::{FunctionName, Slot};
use orchestrator::ports::{PortErrorKind, Slots};
use scenario::{Assembly, deploy};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

struct Moto {
    /// Ends with it.
    _server: Child,
    endpoint: String,
    aws: Aws,
}

impl Moto {
    async fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let python = std::env::var_os("LLAMA_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        let server = Command::new(python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &free.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("python3 starts");
        let endpoint = format!("http://127.0.0.1:{free}");
        for _ in 0..100 {
            let settings = Settings {
                endpoint_url: Some(endpoint.clone()),
                ..Settings::default()
            };
            if tokio::net::TcpStream::connect(("127.0.0.1", free)).await.is_ok()
                && let Ok(aws) = connect(settings).await
            {
                return Self {
                    _server: server,
                    endpoint,
                    aws,
                };
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("moto does not answer: is `moto[server]` installed?");
    }
}

/// What moto's CloudFormation can make by a change set.
fn queues(names: &[&str]) -> StackInput {
    let resources: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| {
            (
                (*name).to_owned(),
                json!({ "Type": "AWS::SQS::Queue", "Properties": { "QueueName": name } }),
            )
        })
        .collect();
    StackInput {
        name: "Queues".to_owned(),
        template: json!({
            "Resources": resources,
        })
        .to_string(),
        parameters: BTreeMap::new(),
        tags: BTreeMap::from([("team".to_owned(), "platform".to_owned())]),
        ..StackInput::default()
    }
}

#[tokio::test]
async fn a_stack_is_created_left_alone_changed_and_removed() {
    let moto = Moto::start().await;
    let aws = &moto.aws;
    let (outcome, story) = deploy(aws, &queues(&["A"])).await;
    let outcome = outcome.unwrap();
    assert!(outcome.changed);
    assert_eq!(outcome.description.status, "CREATE_COMPLETE");
    assert_eq!(outcome.description.tags["team"], "platform");
    assert_eq!(story.events().last().unwrap(), "Queues CREATE_COMPLETE");

    assert!(matches!(
        aws.plan_stack(&queues(&["A"])).await.unwrap(),
        Planned::Unchanged(_)
    ));
    let (unchanged, _) = deploy(aws, &queues(&["A"])).await;
    assert!(!unchanged.unwrap().changed);

    let (outcome, story) = deploy(aws, &queues(&["A", "B"])).await;
    assert_eq!(outcome.unwrap().description.status, "UPDATE_COMPLETE");
    assert_eq!(story.events(), ["Queues UPDATE_IN_PROGRESS", "Queues UPDATE_COMPLETE"]);
    let resources = aws.stack_resources("Queues").await.unwrap();
    let ids: Vec<_> = resources.iter().map(|one| one.logical_id.as_str()).collect();
    assert_eq!(ids, ["A", "B"]);

    aws.destroy_stack("Queues", &|_| {}).await.unwrap();
    assert_eq!(aws.describe_stack("Queues").await.unwrap(), None);
    aws.destroy_stack("Queues", &|_| {}).await.unwrap();
}

#[tokio::test]
async fn assets_are_uploaded_once() {
    let moto = Moto::start().await;
    let assembly = Assembly::new("one");
    let published = moto.aws.publish_assets(&assembly.manifest(), &|_| {}).await.unwrap();
    assert_eq!((published.uploaded, published.already_there), (1, 0));
    let again = moto.aws.publish_assets(&assembly.manifest(), &|_| {}).await.unwrap();
    assert_eq!((again.uploaded, again.already_there), (0, 1));
}

#[tokio::test]
async fn what_does_not_exist_is_told_so() {
    let moto = Moto::start().await;
    let aws = &moto.aws;
    let gone = FunctionName::new("nobody");
    let alias = aws.observe_alias(&gone, Slot::Blue).await.unwrap_err();
    assert_eq!(alias.kind, PortErrorKind::NotFound, "{alias}");
    let published = Slots::publish(aws, &gone, "release 1").await.unwrap_err();
    assert_eq!(published.kind, PortErrorKind::NotFound, "{published}");
    let secret = aws.secret("nobody").await.unwrap_err();
    assert_eq!(secret.kind, PortErrorKind::NotFound, "{secret}");
    let snapshot = aws
        .snapshot(
            &RdsDatabase::Instance("nobody".to_owned()),
            "prod",
            "release 1",
            &|_| {},
        )
        .await
        .unwrap_err();
    assert_eq!(snapshot.kind, PortErrorKind::NotFound, "{snapshot}");
    assert_eq!(aws.stack_template("nobody").await.unwrap(), None);
}

#[tokio::test]
async fn the_ledger_creates_once_and_swaps_only_what_it_saw() {
    let moto = Moto::start().await;
    let bucket = make_bucket(&moto.endpoint, "/ledger-bucket").await;
    assert_eq!(bucket, 200);
    let store: Arc<dyn ObjectStore> = moto.aws.ledger("s3://ledger-bucket/prod/").unwrap();
    let path = Path::from("lock.json");
    let create = || PutOptions {
        mode: PutMode::Create,
        ..PutOptions::default()
    };

    let first = store.put_opts(&path, "one".into(), create()).await.unwrap();
    let second = store.put_opts(&path, "two".into(), create()).await.unwrap_err();
    assert!(matches!(second, object_store::Error::AlreadyExists { .. }), "{second}");

    let swap = |tag: Option<String>| PutOptions {
        mode: PutMode::Update(UpdateVersion {
            e_tag: tag,
            version: None,
        }),
        ..PutOptions::default()
    };
    store
        .put_opts(&path, "three".into(), swap(first.e_tag.clone()))
        .await
        .unwrap();
    let stale = store
        .put_opts(&path, "four".into(), swap(first.e_tag))
        .await
        .unwrap_err();
    assert!(matches!(stale, object_store::Error::Precondition { .. }), "{stale}");

    let read = store.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(&read[..], b"three");
    let listed = store.list_with_delimiter(None).await.unwrap();
    assert_eq!(listed.objects.len(), 1);
}

/// Makes a bucket without a client of ours.
async fn make_bucket(endpoint: &str, path: &str) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = endpoint.strip_prefix("http://").unwrap();
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "PUT {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
