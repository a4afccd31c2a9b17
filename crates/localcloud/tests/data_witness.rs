//! S3, Secrets Manager, SSM, STS, CloudWatch, Logs, RDS and ElastiCache against boto3: every operation that the
//! embedded cloud serves.

mod witness;

use witness::Witness;

#[tokio::test(flavor = "multi_thread")]
async fn boto3_does_every_operation_on_buckets_and_objects() {
    let mut witness = Witness::start().await;
    witness.run("objects.py").await;
    witness.restart().await;
    witness.run("objects_later.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_does_every_operation_on_secrets_and_parameters() {
    Witness::start().await.run("secrets_and_parameters.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_does_every_operation_on_metrics_and_alarms() {
    Witness::start().await.run("metrics_and_alarms.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_does_every_operation_on_logs() {
    Witness::start().await.run("logs.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_does_every_operation_on_databases_and_caches() {
    Witness::start().await.run("databases.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_does_every_operation_on_clusters_of_databases() {
    Witness::start().await.run("clusters.py").await;
}
