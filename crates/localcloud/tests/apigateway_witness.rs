//! API Gateway against boto3: every operation that the embedded cloud serves.

mod witness;

use witness::Witness;

#[tokio::test(flavor = "multi_thread")]
async fn boto3_does_every_operation() {
    Witness::start().await.run("rest_apis.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_with_slots_is_shifted() {
    Witness::start().await.run("slots.py").await;
}
