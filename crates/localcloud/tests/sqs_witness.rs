//! SQS and event source mappings against boto3: every operation that the embedded cloud serves.

mod witness;

use witness::Witness;

#[tokio::test(flavor = "multi_thread")]
async fn boto3_does_every_operation_and_functions_work_on_queues() {
    Witness::start().await.run("queues.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_mappings_survive_a_restart() {
    let mut witness = Witness::start().await;
    witness.run("queues_before.py").await;
    witness.restart().await;
    witness.run("queues_after.py").await;
}
