//! The wire protocols against boto3, and what the server answers of itself.

mod witness;

use localcloud::cloud::{LocalCloud, Options, StartError, endpoint};
use witness::{REGION, Witness};

#[tokio::test(flavor = "multi_thread")]
async fn plain_calls_of_each_protocol_and_what_is_not_served() {
    Witness::start().await.run("identity.py").await;
}

#[tokio::test]
async fn a_folder_has_one_cloud_and_tells_where_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let options = |port| Options {
        folder: folder.path().to_owned(),
        port,
        region: REGION.to_owned(),
        database_url: None,
    };
    let running = LocalCloud::start(options(0)).await.unwrap();
    let told = endpoint(folder.path()).unwrap();
    assert_eq!(told.endpoint, running.endpoint);
    match LocalCloud::start(options(0)).await {
        Err(StartError::Locked {
            running: Some(holder), ..
        }) => assert_eq!(holder, told),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("two clouds share a folder"),
    }
    let port = told.endpoint.rsplit(':').next().unwrap().parse().unwrap();
    let other = tempfile::tempdir().unwrap();
    let taken = LocalCloud::start(Options {
        folder: other.path().to_owned(),
        port,
        region: REGION.to_owned(),
        database_url: None,
    })
    .await;
    assert!(matches!(taken, Err(StartError::PortTaken { .. })));
    running.stop().await;
    assert_eq!(endpoint(folder.path()), None);
    LocalCloud::start(options(port)).await.unwrap().stop().await;
}
