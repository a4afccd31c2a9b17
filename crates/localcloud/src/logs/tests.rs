use serde_json::{Value, json};

use super::*;
use crate::members::Members;
use crate::testing::{SetClock, call, context_at, resource_request};

fn logs(folder: &std::path::Path, clock: &Arc<SetClock>) -> Arc<Logs> {
    Logs::open(&context_at(folder, clock.clone())).unwrap()
}

fn messages(answer: &Value) -> Vec<&str> {
    answer
        .list("events")
        .iter()
        .map(|event| event["message"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn what_functions_print_is_found_also_after_a_restart() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
    let service = logs(folder.path(), &clock);
    service.append(
        "/aws/lambda/f",
        "2025/[1]a",
        vec!["START".into(), String::new(), "ERROR one".into()],
    );
    clock.advance_seconds(1);
    service.append("/aws/lambda/f", "2025/[1]b", vec!["ERROR two".into()]);
    drop(service);

    // A torn last line is left out.
    let group = folder.path().join("logs").join(folder_name("/aws/lambda/f"));
    let file = std::fs::read_dir(group).unwrap().next().unwrap().unwrap().path();
    let mut file = std::fs::OpenOptions::new().append(true).open(file).unwrap();
    std::io::Write::write_all(&mut file, b"{\"t\":1").unwrap();

    let service = logs(folder.path(), &clock);
    let find = json!({"logGroupName": "/aws/lambda/f", "filterPattern": "ERROR"});
    let found = call(&*service, "FilterLogEvents", find).await.unwrap();
    assert_eq!(messages(&found), ["ERROR one", "ERROR two"]);
    for stream in ["2025/[1]a", "2025/[1]b"] {
        service.append("/aws/lambda/f", stream, vec!["ERROR three".into()]);
    }
    let service = logs(folder.path(), &clock);
    let find = json!({"logGroupName": "/aws/lambda/f", "filterPattern": "three"});
    assert_eq!(
        messages(&call(&*service, "FilterLogEvents", find).await.unwrap()).len(),
        2
    );
    let streams = json!({"logGroupName": "/aws/lambda/f", "logStreamNamePrefix": "2025", "orderBy": "LastEventTime", "descending": true});
    let streams = call(&*service, "DescribeLogStreams", streams).await.unwrap();
    let names: Vec<&Value> = streams
        .list("logStreams")
        .iter()
        .map(|stream| &stream["logStreamName"])
        .collect();
    assert_eq!(names, ["2025/[1]b", "2025/[1]a"]);
}

#[tokio::test]
async fn events_are_read_forwards_and_backwards() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
    let service = logs(folder.path(), &clock);
    let stream = json!({"logGroupName": "g", "logStreamName": "s"});
    let with = |more: Value| {
        let mut input = stream.clone();
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    assert_eq!(
        call(&*service, "CreateLogStream", stream.clone())
            .await
            .unwrap_err()
            .code,
        "ResourceNotFoundException"
    );
    call(&*service, "CreateLogGroup", json!({"logGroupName": "g"}))
        .await
        .unwrap();
    call(&*service, "CreateLogStream", stream.clone()).await.unwrap();
    assert_eq!(
        call(&*service, "CreateLogStream", stream.clone())
            .await
            .unwrap_err()
            .code,
        "ResourceAlreadyExistsException"
    );
    let now = clock_now(&service);
    let events: Vec<Value> = (0..5)
        .map(|place| json!({"timestamp": now + place, "message": place.to_string()}))
        .collect();
    call(&*service, "PutLogEvents", with(json!({"logEvents": events})))
        .await
        .unwrap();
    let first = call(
        &*service,
        "GetLogEvents",
        with(json!({"limit": 2, "startFromHead": true})),
    )
    .await
    .unwrap();
    assert_eq!(messages(&first), ["0", "1"]);
    let next = with(json!({"limit": 2, "nextToken": first["nextForwardToken"]}));
    let next = call(&*service, "GetLogEvents", next).await.unwrap();
    assert_eq!(messages(&next), ["2", "3"]);
    let back = with(json!({"limit": 9, "nextToken": next["nextBackwardToken"]}));
    assert_eq!(
        messages(&call(&*service, "GetLogEvents", back).await.unwrap()),
        ["0", "1"]
    );
    assert_eq!(
        messages(
            &call(&*service, "GetLogEvents", with(json!({"limit": 2})))
                .await
                .unwrap()
        ),
        ["3", "4"]
    );
    let until = call(
        &*service,
        "GetLogEvents",
        with(json!({"startTime": now + 1, "endTime": now + 3})),
    )
    .await
    .unwrap();
    assert_eq!(messages(&until), ["1", "2"]);

    let mixed = json!([{"timestamp": now - 15 * 24 * 3_600_000, "message": "old"}, {"timestamp": now, "message": "x"}]);
    let rejected = call(&*service, "PutLogEvents", with(json!({"logEvents": mixed})))
        .await
        .unwrap();
    assert_eq!(rejected["rejectedLogEventsInfo"], json!({"tooOldLogEventEndIndex": 1}));
    let backwards = json!([{"timestamp": now, "message": "b"}, {"timestamp": now - 1, "message": "a"}]);
    let refused = call(&*service, "PutLogEvents", with(json!({"logEvents": backwards})))
        .await
        .unwrap_err();
    assert_eq!(refused.code, "InvalidParameterException");
}

fn clock_now(logs: &Logs) -> i64 {
    logs.now()
}

#[tokio::test]
async fn retention_hides_what_is_older_and_streams_are_bounded() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
    let service = logs(folder.path(), &clock);
    service.append("g", "s", vec!["old".into()]);
    call(
        &*service,
        "PutRetentionPolicy",
        json!({"logGroupName": "g", "retentionInDays": 1}),
    )
    .await
    .unwrap();
    let odd = json!({"logGroupName": "g", "retentionInDays": 2});
    assert_eq!(
        call(&*service, "PutRetentionPolicy", odd).await.unwrap_err().code,
        "InvalidParameterException"
    );
    clock.advance_seconds(24 * 3600 + 1);
    service.append("g", "s", vec!["new".into()]);
    let found = call(&*service, "FilterLogEvents", json!({"logGroupName": "g"}))
        .await
        .unwrap();
    assert_eq!(messages(&found), ["new"]);
    for place in 0..STREAMS_PER_GROUP {
        clock.advance_seconds(1);
        service.append("g", &format!("s{place}"), vec!["x".into()]);
    }
    assert_eq!(service.streams()["g"].len(), STREAMS_PER_GROUP);
    assert!(!service.streams()["g"].contains_key("s"), "the oldest goes");
}

#[tokio::test]
async fn cloudformation_makes_and_removes_a_group() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
    let service = logs(folder.path(), &clock);
    let provider = service.providers().remove(0);
    let request = resource_request(
        "AWS::Logs::LogGroup",
        json!({"LogGroupName": "/g", "RetentionInDays": "7"}),
    );
    let made = provider.create(&request).await.unwrap();
    assert_eq!(
        made.attributes["Arn"],
        "arn:aws:logs:us-east-1:000000000000:log-group:/g:*"
    );
    assert_eq!(
        provider.create(&request).await.unwrap_err().message,
        "/g already exists"
    );
    let groups = call(&*service, "DescribeLogGroups", json!({"logGroupNamePrefix": "/"}))
        .await
        .unwrap();
    assert_eq!(groups["logGroups"][0]["retentionInDays"], 7);
    let broken = resource_request("AWS::Logs::LogGroup", json!({"RetentionInDays": 2}));
    assert!(provider.create(&broken).await.is_err());
    provider.delete(&made, &request).await.unwrap();
    provider.delete(&made, &request).await.unwrap();
    let groups = call(&*service, "DescribeLogGroups", json!({})).await.unwrap();
    assert_eq!(groups["logGroups"], json!([]));
}
