//! The adapter of live aliases over the wire: weights, `UpdateAlias` with a `RevisionId`, and who may call the alias.

use orchestrator::domain::{AliasRouting, LiveAlias, ServedEntry, VersionShare, Weight};
use orchestrator::ports::{PortErrorKind, Slots, Traffic as _};

use crate::scenario::{FUNCTION, STACK, deploy};
use crate::{Cloud, function, percent};

#[tokio::test(flavor = "multi_thread")]
async fn a_live_alias_is_divided_by_compare_and_swap() {
    let (cloud, mut assembly, _) = Cloud::with_application("one").await;
    let aws = &cloud.aws;
    let target = aws.rollout_target(&[STACK.to_owned()]).await.unwrap();
    let [alias] = <[LiveAlias; 1]>::try_from(target.aliases).unwrap();
    assert_eq!(alias.resource(), format!("{FUNCTION}:live"));
    let serves = ["HTTP API Shop", "WebSocket API Events", "queue Jobs"].map(ServedEntry::from);
    assert_eq!(alias.serves, serves);

    assembly.write_code("two");
    aws.publish_assets(&assembly.manifest(), &|_| {}).await.unwrap();
    deploy(aws, &assembly.input()).await.0.unwrap();
    let released = Slots::publish(aws, &function(), "release 1").await.unwrap();
    let first = aws.observe_live_alias(&alias).await.unwrap();
    assert!(first.weights.is_empty() && first.version != released.version);

    let to = |weight| AliasRouting {
        version: first.version.clone(),
        share: Some(VersionShare {
            version: released.version.clone(),
            weight,
        }),
    };
    let mut seen = first.clone();
    for weight in [percent(10.0), percent(33.33), Weight::FULL, Weight::ZERO] {
        let divided = aws.route_live_alias(&alias, &to(weight), &seen.revision).await.unwrap();
        assert_eq!(divided.routing(), Some(to(weight)));
        assert_ne!(divided.revision, seen.revision);
        assert_eq!(aws.observe_live_alias(&alias).await.unwrap(), divided);
        seen = divided;
    }

    // Whoever saw an older revision changes nothing.
    let stale = aws
        .route_live_alias(&alias, &to(Weight::FULL), &first.revision)
        .await
        .unwrap_err();
    assert_eq!(stale.kind, PortErrorKind::Conflict, "{stale}");
    assert_eq!(aws.observe_live_alias(&alias).await.unwrap(), seen);

    // What a rollout set is not undone by a stack update.
    assembly.write_code("three");
    aws.publish_assets(&assembly.manifest(), &|_| {}).await.unwrap();
    deploy(aws, &assembly.input()).await.0.unwrap();
    assert_eq!(aws.observe_live_alias(&alias).await.unwrap(), seen);

    let promoted = AliasRouting {
        version: released.version.clone(),
        share: None,
    };
    let seen = aws.route_live_alias(&alias, &promoted, &seen.revision).await.unwrap();
    assert!(seen.weights.is_empty(), "no weight is left behind");
    assert_eq!(aws.observe_live_alias(&alias).await.unwrap().routing(), Some(promoted));

    let settings = aws.version_settings(&function(), &first.version).await.unwrap();
    assert!(settings.role.starts_with("arn:"), "{settings:?}");
    assert_eq!(
        aws.version_settings(&function(), &released.version).await.unwrap(),
        settings
    );
    // The slots' aliases have permissions, and those do not hold for this one. A queue needs none.
    assert_eq!(aws.not_permitted(&alias).await.unwrap(), serves[..2]);
    let permitted = LiveAlias {
        alias: "green".into(),
        ..alias.clone()
    };
    assert_eq!(aws.not_permitted(&permitted).await.unwrap(), []);

    let nobody = LiveAlias {
        alias: "nobody".into(),
        ..alias
    };
    let missing = aws.observe_live_alias(&nobody).await.unwrap_err();
    assert_eq!(missing.kind, PortErrorKind::NotFound, "{missing}");
    cloud.stop().await;
}
