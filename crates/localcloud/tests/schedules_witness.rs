//! EventBridge rules and Scheduler against boto3: every operation that the embedded cloud serves.

mod witness;

use witness::Witness;

#[tokio::test(flavor = "multi_thread")]
async fn boto3_does_every_operation_and_schedules_call_an_alias() {
    Witness::start().await.run("schedules.py").await;
}
