use serde_json::json;

use super::*;
use crate::testing::{SetClock, call, call_with_body, context_at, resource_request};

fn s3(folder: &std::path::Path) -> Arc<S3> {
    S3::open(&context_at(folder, SetClock::new())).unwrap()
}

async fn with_bucket(folder: &std::path::Path) -> Arc<S3> {
    let s3 = s3(folder);
    call(&*s3, "CreateBucket", json!({"Bucket": "bucket"})).await.unwrap();
    s3
}

fn at(key: &str) -> Value {
    json!({"Bucket": "bucket", "Key": key})
}

fn with(mut input: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        input[name] = value.clone();
    }
    input
}

#[tokio::test]
async fn an_object_comes_back_as_it_went_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let service = with_bucket(folder.path()).await;
    let more = json!({"ContentType": "text/plain", "Metadata": {"colour": "blue"}, "Tagging": "a=1&b=x%20y"});
    let put = call_with_body(&*service, "PutObject", with(at("a/ü b"), more), "hello")
        .await
        .unwrap();
    assert_eq!(put.output["ETag"], "\"5d41402abc4b2a76b9719d911017c592\"");
    drop(service);

    let service = s3(folder.path());
    let got = call_with_body(&*service, "GetObject", at("a/ü b"), "").await.unwrap();
    assert_eq!(&got.body[..], b"hello");
    assert_eq!(got.output["ContentType"], "text/plain");
    assert_eq!(got.output["Metadata"], json!({"colour": "blue"}));
    let tags = call(&*service, "GetObjectTagging", at("a/ü b")).await.unwrap();
    assert_eq!(
        tags["TagSet"],
        json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "x y"}])
    );

    let part = call_with_body(
        &*service,
        "GetObject",
        with(at("a/ü b"), json!({"Range": "bytes=1-2"})),
        "",
    )
    .await
    .unwrap();
    assert_eq!(
        (&part.body[..], &part.output["ContentRange"]),
        (&b"el"[..], &json!("bytes 1-2/5"))
    );
    call(&*service, "DeleteObject", at("a/ü b")).await.unwrap();
    call(&*service, "DeleteObject", at("a/ü b")).await.unwrap();
    assert_eq!(
        call(&*service, "GetObject", at("a/ü b")).await.unwrap_err().code,
        "NoSuchKey"
    );
    let contents = folder.path().join("s3/bucket/contents");
    assert_eq!(
        std::fs::read_dir(contents).unwrap().count(),
        0,
        "no content is left behind"
    );
}

#[tokio::test]
async fn writes_under_conditions() {
    let folder = tempfile::tempdir().unwrap();
    let service = with_bucket(folder.path()).await;
    let put = async |condition: Value, body: &'static str| {
        let put = call_with_body(&*service, "PutObject", with(at("lock"), condition), body).await;
        put.map(|response| response.output["ETag"].clone())
            .map_err(|error| (error.status, error.code))
    };
    let missing = put(json!({"IfMatch": "\"x\""}), "a").await;
    assert_eq!(missing, Err((404, "NoSuchKey".into())));
    let first = put(json!({"IfNoneMatch": "*"}), "a").await.unwrap();
    assert_eq!(
        put(json!({"IfNoneMatch": "*"}), "b").await,
        Err((412, "PreconditionFailed".into()))
    );
    let second = put(json!({"IfMatch": first}), "b").await.unwrap();
    assert_eq!(
        put(json!({"IfMatch": first}), "c").await,
        Err((412, "PreconditionFailed".into()))
    );
    let not_modified = with(at("lock"), json!({"IfNoneMatch": second}));
    assert_eq!(
        call(&*service, "GetObject", not_modified).await.unwrap_err().status,
        304
    );
    let changed = with(at("lock"), json!({"IfMatch": first}));
    assert_eq!(
        call(&*service, "HeadObject", changed.clone()).await.unwrap_err().status,
        412
    );
    assert_eq!(call(&*service, "DeleteObject", changed).await.unwrap_err().status, 412);
    call(&*service, "DeleteObject", with(at("lock"), json!({"IfMatch": second})))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_conditional_writes_exactly_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let service = with_bucket(folder.path()).await;
    let mut etag: Option<String> = None;
    for round in 0..20 {
        let condition = match &etag {
            None => json!({"IfNoneMatch": "*"}),
            Some(etag) => json!({"IfMatch": etag}),
        };
        let racers: Vec<_> = (0..8)
            .map(|racer| {
                let (service, input) = (service.clone(), with(at("lock"), condition.clone()));
                tokio::spawn(async move {
                    let body = format!("{round} {racer} {}", "x".repeat(20_000));
                    call_with_body(&*service, "PutObject", input, body.clone())
                        .await
                        .map(|put| (put.output, body))
                })
            })
            .collect();
        let mut winner = None;
        for racer in racers {
            match racer.await.unwrap() {
                Ok(won) => assert!(winner.replace(won).is_none(), "two winners in round {round}"),
                Err(error) => assert!([409, 412].contains(&error.status), "{error}"),
            }
        }
        let (put, body) = winner.expect("somebody wins");
        let got = call_with_body(&*service, "GetObject", at("lock"), "").await.unwrap();
        assert_eq!((got.body, &got.output["ETag"]), (body.into(), &put["ETag"]));
        etag = put["ETag"].as_str().map(str::to_owned);
    }
}

#[tokio::test]
async fn keys_are_listed_in_order_by_prefix_delimiter_and_page() {
    let folder = tempfile::tempdir().unwrap();
    let service = with_bucket(folder.path()).await;
    for key in ["a", "b/1", "b/2/x", "b/2/y", "c/1", "d"] {
        call_with_body(&*service, "PutObject", at(key), key).await.unwrap();
    }
    let list = async |more: Value| {
        let listed = call(&*service, "ListObjectsV2", with(json!({"Bucket": "bucket"}), more))
            .await
            .unwrap();
        let keys = listed
            .list("Contents")
            .iter()
            .map(|object| object["Key"].as_str().unwrap().to_owned());
        let prefixes = listed
            .list("CommonPrefixes")
            .iter()
            .map(|prefix| prefix["Prefix"].as_str().unwrap().to_owned());
        (
            keys.collect::<Vec<_>>().join(" "),
            prefixes.collect::<Vec<_>>().join(" "),
            listed,
        )
    };
    let (keys, prefixes, _) = list(json!({"Delimiter": "/"})).await;
    assert_eq!((keys.as_str(), prefixes.as_str()), ("a d", "b/ c/"));
    let (keys, prefixes, _) = list(json!({"Delimiter": "/", "Prefix": "b/"})).await;
    assert_eq!((keys.as_str(), prefixes.as_str()), ("b/1", "b/2/"));
    let (keys, _, listed) = list(json!({"StartAfter": "b/2/x"})).await;
    assert_eq!((keys.as_str(), &listed["IsTruncated"]), ("b/2/y c/1 d", &json!(false)));

    // Page by page the same as at once, with and without a delimiter.
    for (delimiter, expected) in [(None, "a b/1 b/2/x b/2/y c/1 d"), (Some("/"), "a b/ c/ d")] {
        let (mut entries, mut token) = (Vec::new(), Value::Null);
        loop {
            let (keys, prefixes, listed) =
                list(json!({"MaxKeys": 1, "Delimiter": delimiter, "ContinuationToken": token})).await;
            entries.push(keys + &prefixes);
            token = listed["NextContinuationToken"].clone();
            if listed["IsTruncated"] == false {
                break;
            }
        }
        assert_eq!(entries.join(" "), expected);
    }
    call_with_body(&*service, "PutObject", at("x y+"), "").await.unwrap();
    let (keys, _, _) = list(json!({"Prefix": "x", "EncodingType": "url"})).await;
    assert_eq!(keys, "x%20y%2B");
}

#[tokio::test]
async fn a_multipart_upload_survives_a_restart_and_becomes_one_object() {
    let folder = tempfile::tempdir().unwrap();
    let service = with_bucket(folder.path()).await;
    let created = call(&*service, "CreateMultipartUpload", at("big")).await.unwrap();
    let id = created["UploadId"].clone();
    let part = |number: u32| with(at("big"), json!({"UploadId": id, "PartNumber": number}));
    let big = vec![7_u8; SMALLEST as usize];
    let first = call_with_body(&*service, "UploadPart", part(1), big.clone())
        .await
        .unwrap()
        .output["ETag"]
        .clone();
    drop(service);

    let service = s3(folder.path());
    let second = call_with_body(&*service, "UploadPart", part(2), "tail")
        .await
        .unwrap()
        .output["ETag"]
        .clone();
    let listed = call(&*service, "ListParts", part(1)).await.unwrap();
    assert_eq!(listed["Parts"].as_array().unwrap().len(), 2);
    let complete = async |parts: Value| {
        let input = with(at("big"), json!({"UploadId": id, "MultipartUpload": {"Parts": parts}}));
        call(&*service, "CompleteMultipartUpload", input)
            .await
            .map_err(|error| error.code)
    };
    let (one, two) = (
        json!({"PartNumber": 1, "ETag": first}),
        json!({"PartNumber": 2, "ETag": second}),
    );
    assert_eq!(complete(json!([two, one])).await.unwrap_err(), "EntityTooSmall");
    assert_eq!(complete(json!([one, one])).await.unwrap_err(), "InvalidPartOrder");
    assert_eq!(
        complete(json!([{"PartNumber": 3, "ETag": "x"}])).await.unwrap_err(),
        "InvalidPart"
    );
    let done = complete(json!([one, two])).await.unwrap();
    assert!(done["ETag"].as_str().unwrap().ends_with("-2\""), "{done}");
    assert_eq!(complete(json!([one, two])).await.unwrap_err(), "NoSuchUpload");
    let got = call_with_body(&*service, "GetObject", at("big"), "")
        .await
        .unwrap()
        .body;
    assert!(got.len() == big.len() + 4 && got.ends_with(b"tail"));
}

const SMALLEST: u64 = 5 * 1024 * 1024;

#[tokio::test]
async fn a_copy_keeps_or_replaces_what_describes_it() {
    let folder = tempfile::tempdir().unwrap();
    let service = with_bucket(folder.path()).await;
    call_with_body(
        &*service,
        "PutObject",
        with(at("a b"), json!({"Metadata": {"k": "v"}})),
        "x",
    )
    .await
    .unwrap();
    let copy = with(at("copy"), json!({"CopySource": "/bucket/a%20b"}));
    let copied = call(&*service, "CopyObject", copy).await.unwrap();
    assert_eq!(
        copied["CopyObjectResult"]["ETag"],
        "\"9dd4e461268c8034f5c8564e155c67a6\""
    );
    assert_eq!(
        call(&*service, "HeadObject", at("copy")).await.unwrap()["Metadata"],
        json!({"k": "v"})
    );
    let itself = with(at("copy"), json!({"CopySource": "bucket/copy"}));
    assert_eq!(
        call(&*service, "CopyObject", itself.clone()).await.unwrap_err().code,
        "InvalidRequest"
    );
    let replaced = with(itself, json!({"MetadataDirective": "REPLACE", "Metadata": {"k": "w"}}));
    call(&*service, "CopyObject", replaced).await.unwrap();
    assert_eq!(
        call(&*service, "HeadObject", at("copy")).await.unwrap()["Metadata"],
        json!({"k": "w"})
    );
    let deleted = json!({"Bucket": "bucket", "Delete": {"Objects": [{"Key": "copy"}, {"Key": "nothing"}]}});
    let deleted = call(&*service, "DeleteObjects", deleted).await.unwrap();
    assert_eq!(deleted["Deleted"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn buckets_and_their_settings() {
    let folder = tempfile::tempdir().unwrap();
    let service = with_bucket(folder.path()).await;
    let bucket = json!({"Bucket": "bucket"});
    let listed = call(&*service, "ListBuckets", json!({})).await.unwrap();
    assert_eq!(
        listed["Buckets"][1]["Name"],
        "cdk-hnb659fds-assets-000000000000-us-east-1"
    );
    assert_eq!(
        call(&*service, "CreateBucket", bucket.clone()).await.unwrap_err().code,
        "BucketAlreadyOwnedByYou"
    );
    assert_eq!(
        call(&*service, "CreateBucket", json!({"Bucket": "No"}))
            .await
            .unwrap_err()
            .code,
        "InvalidBucketName"
    );
    assert_eq!(
        call(&*service, "GetBucketVersioning", bucket.clone()).await.unwrap(),
        json!({})
    );
    let versioning = with(
        bucket.clone(),
        json!({"VersioningConfiguration": {"Status": "Enabled"}}),
    );
    call(&*service, "PutBucketVersioning", versioning).await.unwrap();
    assert_eq!(
        call(&*service, "GetBucketVersioning", bucket.clone()).await.unwrap()["Status"],
        "Enabled"
    );
    let block = call(&*service, "GetPublicAccessBlock", bucket.clone()).await.unwrap();
    assert_eq!(block["PublicAccessBlockConfiguration"]["BlockPublicPolicy"], true);
    call(&*service, "DeletePublicAccessBlock", bucket.clone())
        .await
        .unwrap();
    let gone = call(&*service, "GetPublicAccessBlock", bucket.clone())
        .await
        .unwrap_err();
    assert_eq!(gone.code, "NoSuchPublicAccessBlockConfiguration");
    assert_eq!(
        call(&*service, "GetBucketPolicy", bucket.clone())
            .await
            .unwrap_err()
            .code,
        "NoSuchBucketPolicy"
    );
    call_with_body(
        &*service,
        "PutBucketPolicy",
        bucket.clone(),
        "{\"Version\":\"2012-10-17\"}",
    )
    .await
    .unwrap();
    let policy = call_with_body(&*service, "GetBucketPolicy", bucket.clone(), "")
        .await
        .unwrap();
    assert_eq!(&policy.body[..], b"{\"Version\":\"2012-10-17\"}");
    call_with_body(&*service, "PutObject", at("x"), "").await.unwrap();
    assert_eq!(
        call(&*service, "DeleteBucket", bucket.clone()).await.unwrap_err().code,
        "BucketNotEmpty"
    );
    call(&*service, "DeleteObject", at("x")).await.unwrap();
    call(&*service, "DeleteBucket", bucket.clone()).await.unwrap();
    assert_eq!(
        call(&*service, "HeadBucket", bucket).await.unwrap_err().code,
        "NoSuchBucket"
    );
}

#[tokio::test]
async fn cloudformation_makes_configures_and_removes_a_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let service = s3(folder.path());
    let provider = service.providers().remove(0);
    let properties = json!({"VersioningConfiguration": {"Status": "Enabled"}, "BucketEncryption":
        {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]}});
    let request = resource_request("AWS::S3::Bucket", properties);
    let made = provider.create(&request).await.unwrap();
    assert_eq!(made.physical_id, "stack-thing-abc123");
    assert_eq!(made.attributes["Arn"], "arn:aws:s3:::stack-thing-abc123");
    let bucket = json!({"Bucket": made.physical_id});
    let encryption = call(&*service, "GetBucketEncryption", bucket.clone()).await.unwrap();
    let rule = &encryption["ServerSideEncryptionConfiguration"]["Rules"][0];
    assert_eq!(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "aws:kms");
    let tags = call(&*service, "GetBucketTagging", bucket.clone()).await.unwrap();
    assert_eq!(tags["TagSet"], json!([{"Key": "team", "Value": "data"}]));
    call_with_body(&*service, "PutObject", with(bucket.clone(), json!({"Key": "k"})), "x")
        .await
        .unwrap();
    let kept = provider.delete(&made, &request).await.unwrap_err();
    assert_eq!(kept.message, "The bucket you tried to delete is not empty");
    call(&*service, "DeleteObject", with(bucket, json!({"Key": "k"})))
        .await
        .unwrap();
    provider.delete(&made, &request).await.unwrap();
    provider.delete(&made, &request).await.unwrap();
}
