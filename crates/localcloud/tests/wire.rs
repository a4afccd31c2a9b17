//! The wire protocols against boto3 and byte by byte, and what the server answers of itself.

mod witness;

use std::io::Write as _;

use localcloud::cloud::{LocalCloud, Options, StartError, endpoint};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use witness::{REGION, Witness};

#[tokio::test(flavor = "multi_thread")]
async fn plain_calls_of_each_protocol_and_what_is_not_served() {
    Witness::start().await.run("identity.py").await;
}

#[tokio::test]
async fn a_folder_has_one_cloud_and_tells_where_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let options = |folder: &std::path::Path, port| Options {
        folder: folder.to_owned(),
        port,
        region: REGION.to_owned(),
        database_url: None,
    };
    let running = LocalCloud::start(options(folder.path(), 0)).await.unwrap();
    let told = endpoint(folder.path()).unwrap();
    assert_eq!(told.endpoint, running.endpoint);
    match LocalCloud::start(options(folder.path(), 0)).await {
        Err(StartError::Locked {
            running: Some(holder), ..
        }) => assert_eq!(holder, told),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("two clouds share a folder"),
    }
    let port = told.endpoint.rsplit(':').next().unwrap().parse().unwrap();
    let other = tempfile::tempdir().unwrap();
    let taken = LocalCloud::start(options(other.path(), port)).await;
    assert!(matches!(taken, Err(StartError::PortTaken { .. })));
    running.stop().await;
    assert_eq!(endpoint(folder.path()), None);
    LocalCloud::start(options(folder.path(), port))
        .await
        .unwrap()
        .stop()
        .await;
}

/// One request as bytes; gives the head and the body of the answer.
async fn send(witness: &Witness, head: &str, body: &[u8]) -> std::io::Result<(String, Vec<u8>)> {
    let address = witness.endpoint().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await?;
    let host = if head.contains("\nhost:") {
        String::new()
    } else {
        format!("host: {address}\r\n")
    };
    let head = head.trim().replace('\n', "\r\n");
    let head = format!(
        "{head}\r\n{host}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let split = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap_or(answer.len());
    let body = answer.get(split + 4..).unwrap_or_default().to_vec();
    Ok((String::from_utf8_lossy(&answer[..split]).into_owned(), body))
}

fn signed(service: &str) -> String {
    format!(
        "authorization: AWS4-HMAC-SHA256 Credential=A/20261122/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudwatch_speaks_what_its_older_clients_speak() {
    let witness = Witness::start().await;
    let head = format!(
        "POST / HTTP/1.1\ncontent-type: application/x-www-form-urlencoded\n{}",
        signed("monitoring")
    );
    let put = b"Action=PutMetricData&Version=2010-08-01&Namespace=N&MetricData.member.1.MetricName=M&MetricData.member.1.Value=2.5";
    let (head_back, _) = send(&witness, &head, put).await.unwrap();
    assert!(head_back.starts_with("HTTP/1.1 200"), "{head_back}");
    let (_, listed) = send(&witness, &head, b"Action=ListMetrics&Version=2010-08-01")
        .await
        .unwrap();
    let listed = String::from_utf8(listed).unwrap();
    assert!(
        listed.starts_with(
            "<ListMetricsResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"><ListMetricsResult>"
        ),
        "{listed}"
    );
    assert!(
        listed.contains("<member><Namespace>N</Namespace><MetricName>M</MetricName>"),
        "{listed}"
    );

    let json =
        "POST / HTTP/1.1\ncontent-type: application/x-amz-json-1.0\nx-amz-target: GraniteServiceVersion20100801.";
    let (_, listed) = send(&witness, &format!("{json}ListMetrics"), b"{}").await.unwrap();
    assert!(
        String::from_utf8(listed)
            .unwrap()
            .contains("{\"Namespace\":\"N\",\"MetricName\":\"M\"")
    );
    let (head_back, body) = send(
        &witness,
        &format!("{json}GetDashboard"),
        b"{\"DashboardName\":\"none\"}",
    )
    .await
    .unwrap();
    assert!(
        head_back.contains("HTTP/1.1 404") || head_back.contains("HTTP/1.1 400"),
        "{head_back}"
    );
    assert!(
        head_back.contains("x-amzn-query-error: ResourceNotFound;Sender"),
        "{head_back}"
    );
    assert!(String::from_utf8(body).unwrap().contains("\"__type\":"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_cbor_body_is_unpacked() {
    let witness = Witness::start().await;
    // {"Namespace": "N", "MetricData": [{"MetricName": "M", "Value": 1.0}]}
    let mut body = b"\xa2\x69Namespace\x61N\x6aMetricData\x81\xa2\x6aMetricName\x61M\x65Value\xf9\x3c\x00".to_vec();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(&body).unwrap();
    body = packer.finish().unwrap();
    let operation = "POST /service/GraniteServiceVersion20100801/operation/PutMetricData HTTP/1.1";
    let head =
        format!("{operation}\nsmithy-protocol: rpc-v2-cbor\ncontent-type: application/cbor\ncontent-encoding: gzip");
    let (head_back, _) = send(&witness, &head, &body).await.unwrap();
    assert!(
        head_back.starts_with("HTTP/1.1 200") && head_back.contains("smithy-protocol: rpc-v2-cbor"),
        "{head_back}"
    );
    let (head_back, body) = send(
        &witness,
        &head.replace("content-encoding: gzip", "accept: application/cbor"),
        b"\xa0",
    )
    .await
    .unwrap();
    assert!(head_back.starts_with("HTTP/1.1 400"), "{head_back}");
    assert!(body.windows(6).any(|bytes| bytes == b"__type"), "{body:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_takes_both_styles_and_refuses_what_does_not_match_its_checksum() {
    let witness = Witness::start().await;
    let s3 = signed("s3");
    let (head, _) = send(&witness, &format!("PUT /bucket HTTP/1.1\n{s3}"), b"")
        .await
        .unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let chunked = format!(
        "PUT /a%20b/c%2Fd HTTP/1.1\nhost: bucket.s3.us-east-1.localhost:1\n{s3}\ncontent-encoding: aws-chunked\nx-amz-trailer: x-amz-checksum-crc32"
    );
    let body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
    let (head, _) = send(&witness, &chunked, body).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (head, body_back) = send(&witness, "GET /bucket/a%20b/c/d HTTP/1.1", b"").await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body_back, b"hello world");
    let wrong = String::from_utf8(body.to_vec()).unwrap().replace("world", "there");
    let (head, body_back) = send(&witness, &chunked, wrong.as_bytes()).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert!(String::from_utf8(body_back).unwrap().contains("<Code>BadDigest</Code>"));
    let (head, body_back) = send(
        &witness,
        &format!("GET /bucket?acl-of-nothing&website HTTP/1.1\n{s3}"),
        b"",
    )
    .await
    .unwrap();
    assert!(head.starts_with("HTTP/1.1 501"), "{head}");
    assert!(
        String::from_utf8(body_back)
            .unwrap()
            .contains("does not serve GetBucketWebsite")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_absent_apis_are_plain_json() {
    let witness = Witness::start().await;
    let (_, body) = send(&witness, "GET /_aws/local/health HTTP/1.1", b"").await.unwrap();
    let health: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (health["status"].as_str(), health["pid"].as_u64()),
        (Some("running"), Some(u64::from(std::process::id())))
    );
    assert_eq!(
        health["folder"].as_str().unwrap(),
        witness.folder().join("cloud").to_str().unwrap()
    );
    for request in [
        "GET /_aws/execute-api/none/prod/x HTTP/1.1",
        "GET /prod/x HTTP/1.1\nhost: none.execute-api.us-east-1.amazonaws.com",
    ] {
        let (head, body) = send(&witness, request, b"").await.unwrap();
        assert!(head.starts_with("HTTP/1.1 403"), "{head}");
        assert_eq!(body, b"{\"message\":\"Forbidden\"}");
    }
}
