//! CloudFormation against boto3.

mod witness;

use witness::Witness;

#[tokio::test(flavor = "multi_thread")]
async fn stacks_live_and_die_as_their_clients_expect() {
    Witness::start().await.run("stacks.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_resources_are_asked_and_answer() {
    Witness::start().await.run("custom_resources.py").await;
}
