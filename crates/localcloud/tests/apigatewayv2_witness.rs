//! HTTP and WebSocket APIs against boto3 and the Python package `websockets`.

mod witness;

use witness::Witness;

#[tokio::test(flavor = "multi_thread")]
async fn boto3_does_every_operation() {
    Witness::start().await.run("http_apis.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_points_follow_a_weighted_alias() {
    Witness::start().await.run("live_aliases.py").await;
}
