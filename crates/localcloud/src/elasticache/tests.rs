use serde_json::json;

use super::*;
use crate::service::Service;
use crate::testing::{SetClock, call, context_at, resource_request};

fn request(properties: Value) -> crate::resource::ResourceRequest {
    resource_request("AWS::ElastiCache::CacheCluster", properties)
}

/// Needs `redis-server`, as the machine of the tests has it; without one the next test says all there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_cache_is_a_real_redis_that_survives_restarts() {
    if redis::program().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let context = context_at(folder.path(), SetClock::new());
    let service = ElastiCache::open(&context).unwrap();
    let provider = service.providers().remove(0);
    let properties = json!({"Engine": "redis", "CacheNodeType": "cache.r6g.xlarge", "NumCacheNodes": "1",
        "AuthToken": "a \"token\""});
    let made = provider.create(&request(properties.clone())).await.unwrap();
    assert_eq!(
        (made.physical_id.as_str(), &made.attributes["RedisEndpoint.Address"]),
        ("stack-thing-abc123", &json!("127.0.0.1"))
    );
    let cache = service.cache(Kind::CacheCluster, &made.physical_id).unwrap();
    assert_eq!(cache.status(), "available");
    let server = service.server(&cache);
    server.ask(&["SET", "k", "v"]).await.unwrap();
    let stranger = Redis {
        password: None,
        ..server.clone()
    };
    assert!(
        stranger
            .ask(&["GET", "k"])
            .await
            .unwrap_err()
            .to_string()
            .contains("NOAUTH")
    );

    Service::stop(&*service).await;
    assert!(!process::listens(cache.port).await);
    let service = ElastiCache::open(&context).unwrap();
    service.start().await;
    assert_eq!(server.ask(&["GET", "k"]).await.unwrap(), "$1\r\nv\r\n");
    // A cloud that was killed finds its server running.
    let service = ElastiCache::open(&context).unwrap();
    service.start().await;
    let described = call(&*service, "DescribeCacheClusters", json!({"ShowCacheNodeInfo": true}))
        .await
        .unwrap();
    let described = &described["CacheClusters"][0];
    assert_eq!(described["CacheClusterStatus"], "available");
    assert_eq!(described["CacheNodes"][0]["Endpoint"]["Port"], cache.port);

    let provider = service.providers().remove(0);
    provider.delete(&made, &request(properties.clone())).await.unwrap();
    provider.delete(&made, &request(properties)).await.unwrap();
    assert!(!process::listens(cache.port).await);
}

#[tokio::test]
async fn without_redis_the_cache_says_so_and_nothing_listens() {
    let folder = tempfile::tempdir().unwrap();
    let service = ElastiCache::with_program(&context_at(folder.path(), SetClock::new()), None).unwrap();
    let provider = service.providers().remove(0);
    let group = resource_request(
        "AWS::ElastiCache::ReplicationGroup",
        json!({"ReplicationGroupId": "Group"}),
    );
    let made = provider.create(&group).await.unwrap();
    let port: u16 = made.attributes["PrimaryEndPoint.Port"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(!process::listens(port).await);
    let clusters = call(&*service, "DescribeCacheClusters", json!({})).await.unwrap();
    assert_eq!(clusters["CacheClusters"][0]["CacheClusterId"], "group-001");
    assert_eq!(
        clusters["CacheClusters"][0]["CacheClusterStatus"],
        "redis-server is not installed"
    );
    let groups = call(
        &*service,
        "DescribeReplicationGroups",
        json!({"ReplicationGroupId": "group"}),
    )
    .await
    .unwrap();
    assert_eq!(
        groups["ReplicationGroups"][0]["Status"],
        "redis-server is not installed"
    );
    provider.delete(&made, &group).await.unwrap();
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let service = ElastiCache::with_program(&context_at(folder.path(), SetClock::new()), None).unwrap();
    let provider = service.providers().remove(0);
    for (properties, reason) in [
        (
            json!({"Engine": "redis", "NumCacheNodes": 2}),
            "NumCacheNodes parameter greater than 1",
        ),
        (
            json!({"Engine": "memcached", "NumCacheNodes": 1}),
            "redis and valkey only",
        ),
        (json!({"Engine": "redis", "ClusterName": "1x"}), "identifier"),
    ] {
        let error = provider.create(&request(properties)).await.unwrap_err();
        assert!(error.message.contains(reason), "{error}");
    }
    let missing = call(&*service, "DescribeCacheClusters", json!({"CacheClusterId": "x"}))
        .await
        .unwrap_err();
    assert_eq!(missing.code, "CacheClusterNotFound");
}
