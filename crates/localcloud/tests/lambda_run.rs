//! Functions as processes: what they get, what comes back, what they leave in the log and in the metrics.

#![allow(clippy::unwrap_used, reason = "tests and what they call")]

mod lambda_world;

use bytes::Bytes;
use lambda_world::World;
use localcloud::lambda::Settings;
use serde_json::{Value, json};

/// Answers with its event; `$REPLY` is put in front when set.
const BOOTSTRAP: &str = r#"#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while :; do
  event=$(curl --silent --fail --dump-header headers.$$ "$api/invocation/next") || exit 0
  id=$(tr -d '\r' < headers.$$ | sed -n 's/^lambda-runtime-aws-request-id: //pI')
  echo "serving $AWS_LAMBDA_FUNCTION_NAME"
  curl --silent --output /dev/null --data-binary "{\"event\": $event, \"version\": \"$AWS_LAMBDA_FUNCTION_VERSION\"}" "$api/invocation/$id/response"
done
"#;

const PYTHON: &str = r#"
import os, sys, time
calls = 0
def handler(event, context):
    global calls
    calls += 1
    print("call", calls)
    print("to stderr", file=sys.stderr)
    if event.get("fail"):
        raise ValueError("as asked")
    if event.get("exit") is not None:
        sys.stdout.flush()
        os._exit(event["exit"])
    time.sleep(event.get("sleep", 0))
    return {"calls": calls, "pid": os.getpid(), "environment": dict(os.environ), "id": context.aws_request_id,
            "arn": context.invoked_function_arn}
"#;

#[tokio::test]
async fn a_bootstrap_serves_through_an_alias() {
    let world = World::new();
    let created = world
        .create(
            "echo",
            "provided.al2023",
            &[("bootstrap", BOOTSTRAP)],
            json!({"Publish": true}),
        )
        .await;
    assert_eq!(created["Version"], "1");
    let alias = json!({"FunctionName": "echo", "Name": "blue", "FunctionVersion": "1"});
    world.call("CreateAlias", alias).await.unwrap();

    let (answer, error, version) = world.invoke("echo:blue", json!({"a": 1})).await;
    assert_eq!(
        (answer, error, version.as_str()),
        (json!({"event": {"a": 1}, "version": "1"}), None, "1")
    );

    let log = world.recorder.log("/aws/lambda/echo");
    assert!(
        log[0].starts_with("START RequestId: ") && log[0].ends_with("Version: 1"),
        "{log:?}"
    );
    assert_eq!(log[1], "serving echo");
    assert!(log[2].starts_with("END RequestId: "));
    assert!(
        log[3].starts_with("REPORT RequestId: ") && log[3].contains("Init Duration"),
        "{log:?}"
    );
    for dimensions in [
        "FunctionName=echo",
        "FunctionName=echo,Resource=echo:blue",
        "FunctionName=echo,Resource=echo:blue,ExecutedVersion=1",
    ] {
        assert_eq!(world.recorder.values("Invocations", dimensions), [1.0], "{dimensions}");
        assert_eq!(world.recorder.values("Errors", dimensions), [0.0]);
        assert_eq!(world.recorder.values("Duration", dimensions).len(), 1);
    }
}

#[tokio::test]
async fn a_process_is_reused_and_sees_nothing_of_the_host() {
    let world = World::new();
    let more = json!({"Environment": {"Variables": {"STAGE": "prod"}}, "Timeout": 30});
    world.create("py", "python3.12", &[("index.py", PYTHON)], more).await;
    let (first, ..) = world.invoke("py", json!({})).await;
    let (second, ..) = world.invoke("py", json!({})).await;
    assert_eq!((&first["calls"], &second["calls"]), (&json!(1), &json!(2)));
    assert_eq!(first["pid"], second["pid"]);
    assert_eq!(first["arn"], "arn:aws:lambda:eu-west-1:000000000000:function:py");
    let environment = &first["environment"];
    assert_eq!(environment["STAGE"], "prod");
    assert_eq!(environment["AWS_ENDPOINT_URL"], "http://127.0.0.1:4566");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_VERSION"], "$LATEST");
    assert_eq!(environment["HOME"], Value::Null);
    assert_eq!(
        environment["CARGO_MANIFEST_DIR"],
        Value::Null,
        "cargo sets it for this test"
    );

    // A new configuration takes effect, although a process of the old one is warm.
    let change = json!({"FunctionName": "py", "Environment": {"Variables": {"STAGE": "test"}}});
    world.call("UpdateFunctionConfiguration", change).await.unwrap();
    let (third, ..) = world.invoke("py", json!({})).await;
    assert_eq!(
        (&third["calls"], &third["environment"]["STAGE"]),
        (&json!(1), &json!("test"))
    );
}

#[tokio::test]
async fn failures_come_back_as_lambda_words_them() {
    let world = World::new();
    world
        .create("py", "python3.12", &[("index.py", PYTHON)], json!({"Timeout": 300}))
        .await;
    let hasty = json!({"Timeout": 1});
    world
        .create("hasty", "python3.12", &[("index.py", PYTHON)], hasty)
        .await;

    let (answer, error, _) = world.invoke("py", json!({"fail": true})).await;
    assert_eq!(
        (error.as_deref(), &answer["errorType"]),
        (Some("Unhandled"), &json!("ValueError"))
    );
    assert_eq!(answer["errorMessage"], "as asked");

    let (answer, error, _) = world.invoke("hasty", json!({"sleep": 600})).await;
    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert!(
        answer["errorMessage"]
            .as_str()
            .unwrap()
            .ends_with("Task timed out after 1.00 seconds"),
        "{answer}"
    );
    assert!(
        world
            .recorder
            .log("/aws/lambda/hasty")
            .iter()
            .any(|line| line.ends_with("Task timed out after 1.00 seconds"))
    );

    let (answer, ..) = world.invoke("py", json!({"exit": 3})).await;
    assert_eq!(answer["errorType"], "Runtime.ExitError");
    assert!(
        answer["errorMessage"]
            .as_str()
            .unwrap()
            .ends_with("Runtime exited with error: exit status 3"),
        "{answer}"
    );

    let (answer, error, _) = world.invoke("py", json!({})).await;
    assert_eq!(
        (error, &answer["calls"]),
        (None, &json!(1)),
        "a process that ended is not used again"
    );
    for (name, invocations, errors) in [("py", 3.0, 2.0), ("hasty", 1.0, 1.0)] {
        let of = format!("FunctionName={name}");
        assert_eq!(world.recorder.sum("Invocations", &of), invocations);
        assert_eq!(world.recorder.sum("Errors", &format!("{of},Resource={name}")), errors);
    }
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let world = World::new();
    world
        .create("empty", "provided.al2023", &[("readme", "nothing to run")], json!({}))
        .await;
    let (answer, error, _) = world.invoke("empty", json!({})).await;
    assert_eq!(
        (error.as_deref(), &answer["errorType"]),
        (Some("Unhandled"), &json!("Runtime.InvalidEntrypoint"))
    );
    assert!(
        answer["errorMessage"]
            .as_str()
            .unwrap()
            .contains("Couldn't find valid bootstrap(s)")
    );

    world
        .create(
            "broken",
            "python3.12",
            &[("index.py", "import nothing_of_this_name")],
            json!({}),
        )
        .await;
    let (answer, error, _) = world.invoke("broken", json!({})).await;
    assert_eq!(
        (error.as_deref(), &answer["errorType"]),
        (Some("Unhandled"), &json!("ModuleNotFoundError"))
    );

    world.create("java", "java21", &[("Main.class", "")], json!({})).await;
    let refused = world.call("Invoke", json!({"FunctionName": "java"})).await.unwrap_err();
    assert_eq!(refused.code, "InvalidRuntimeException");
    assert!(refused.message.contains("java21"), "{refused}");
}

#[tokio::test]
async fn node_handlers_run_in_both_module_systems() {
    let world = World::new();
    let common =
        "exports.handler = (event, context, callback) => callback(null, { got: event.n, fn: context.functionName });";
    world
        .create("common", "nodejs20.x", &[("index.js", common)], json!({}))
        .await;
    assert_eq!(
        world.invoke("common", json!({"n": 1})).await.0,
        json!({"got": 1, "fn": "common"})
    );

    let module =
        "export const handler = async (event) => { if (event.bad) throw new TypeError('bad'); return event; };";
    world
        .create("module", "nodejs20.x", &[("index.mjs", module)], json!({}))
        .await;
    assert_eq!(world.invoke("module", json!({"n": 2})).await.0, json!({"n": 2}));
    let (answer, error, _) = world.invoke("module", json!({"bad": true})).await;
    assert_eq!(
        (error.as_deref(), &answer["errorType"]),
        (Some("Unhandled"), &json!("TypeError"))
    );
}

#[tokio::test]
async fn reserved_concurrency_throttles_and_a_throttle_is_no_invocation() {
    let world = World::new();
    world
        .create("py", "python3.12", &[("index.py", PYTHON)], json!({"Timeout": 30}))
        .await;
    let reserve = |count: u32| json!({"FunctionName": "py", "ReservedConcurrentExecutions": count});
    world.call("PutFunctionConcurrency", reserve(1)).await.unwrap();
    let invoke = || {
        world.call_with(
            "Invoke",
            json!({"FunctionName": "py"}),
            Bytes::from_static(br#"{"sleep": 0.2}"#),
        )
    };
    let (first, second) = tokio::join!(invoke(), invoke());
    assert!(first.is_ok());
    let throttled = second.unwrap_err();
    assert_eq!(
        (throttled.status, throttled.code.as_str()),
        (429, "TooManyRequestsException")
    );
    assert_eq!(
        throttled.details["Reason"],
        "ReservedFunctionConcurrentInvocationLimitExceeded"
    );
    assert_eq!(world.recorder.sum("Throttles", "FunctionName=py"), 1.0);
    assert_eq!(world.recorder.sum("Invocations", "FunctionName=py"), 1.0);

    world.call("PutFunctionConcurrency", reserve(0)).await.unwrap();
    assert_eq!(invoke().await.unwrap_err().status, 429);
    world
        .call("DeleteFunctionConcurrency", json!({"FunctionName": "py"}))
        .await
        .unwrap();
    assert!(invoke().await.is_ok());
    let refused = world.call("PutFunctionConcurrency", reserve(901)).await.unwrap_err();
    assert_eq!(refused.code, "InvalidParameterValueException");
}

#[tokio::test]
async fn concurrent_invocations_share_the_processes_a_version_may_have() {
    let world = World::with(Settings {
        processes_per_version: 2,
        seed: Some(1),
        ..Settings::default()
    });
    world
        .create("py", "python3.12", &[("index.py", PYTHON)], json!({"Timeout": 30}))
        .await;
    let invocations = (0..8).map(|_| world.invoke("py", json!({"sleep": 0.02})));
    let mut processes = std::collections::BTreeSet::new();
    for (answer, error, _) in join_all(invocations).await {
        assert_eq!(error, None);
        processes.insert(answer["pid"].as_u64().unwrap());
    }
    assert!((1..=2).contains(&processes.len()), "{processes:?}");
    let most = world
        .recorder
        .values("ConcurrentExecutions", "FunctionName=py")
        .into_iter()
        .fold(0.0, f64::max);
    assert_eq!(most, 8.0);
}

async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    use std::task::Poll;
    let mut running: Vec<_> = futures.map(Box::pin).collect();
    let mut results: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, result) in running.iter_mut().zip(&mut results) {
            if result.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        if results.iter().all(Option::is_some) {
            Poll::Ready(results.drain(..).flatten().collect())
        } else {
            Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn the_other_ways_to_invoke() {
    let world = World::new();
    world
        .create("py", "python3.12", &[("index.py", PYTHON)], json!({}))
        .await;
    let dry = world
        .call("Invoke", json!({"FunctionName": "py", "InvocationType": "DryRun"}))
        .await
        .unwrap();
    assert_eq!(dry["StatusCode"], 204);
    assert_eq!(world.recorder.sum("Invocations", "FunctionName=py"), 0.0);

    let tail = world
        .call("Invoke", json!({"FunctionName": "py", "LogType": "Tail"}))
        .await
        .unwrap();
    use base64::Engine;
    let log = base64::engine::general_purpose::STANDARD
        .decode(tail["LogResult"].as_str().unwrap())
        .unwrap();
    let log = String::from_utf8(log).unwrap();
    assert!(log.contains("\ncall 1\n") && log.contains("\nto stderr\n"), "{log}");

    let event = world
        .call("Invoke", json!({"FunctionName": "py", "InvocationType": "Event"}))
        .await
        .unwrap();
    assert_eq!(event["StatusCode"], 202);
    tokio::time::timeout(std::time::Duration::from_mins(10), async {
        while world.recorder.sum("Invocations", "FunctionName=py") < 2.0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the event is served after its acknowledgement");

    let none = json!({"FunctionName": "py", "ReservedConcurrentExecutions": 0});
    world.call("PutFunctionConcurrency", none).await.unwrap();
    let event = world
        .call("Invoke", json!({"FunctionName": "py", "InvocationType": "Event"}))
        .await
        .unwrap();
    assert_eq!(event["StatusCode"], 202, "an event is taken although nothing may run");
    while world.recorder.sum("Throttles", "FunctionName=py") < 1.0 {
        tokio::task::yield_now().await;
    }
    world
        .call("DeleteFunctionConcurrency", json!({"FunctionName": "py"}))
        .await
        .unwrap();

    let bad = world
        .call_with("Invoke", json!({"FunctionName": "py"}), Bytes::from_static(b"{no json"))
        .await
        .unwrap_err();
    assert_eq!((bad.status, bad.code.as_str()), (400, "InvalidRequestContentException"));
    let missing = world
        .call("Invoke", json!({"FunctionName": "nobody"}))
        .await
        .unwrap_err();
    assert_eq!(
        (missing.status, missing.code.as_str()),
        (404, "ResourceNotFoundException")
    );
}

#[tokio::test]
async fn a_weighted_alias_shares_its_traffic() {
    let world = World::new();
    world
        .create(
            "py",
            "python3.12",
            &[("index.py", "def handler(event, context): return 1")],
            json!({"Publish": true}),
        )
        .await;
    let code = json!({"FunctionName": "py", "ZipFile": lambda_world::archive(&[("index.py", "def handler(event, context): return 2")]), "Publish": true});
    world.call("UpdateFunctionCode", code).await.unwrap();
    let alias = json!({"FunctionName": "py", "Name": "live", "FunctionVersion": "1",
        "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.3}}});
    world.call("CreateAlias", alias).await.unwrap();
    let mut second = 0;
    for _ in 0..200 {
        let (answer, _, version) = world.invoke("py:live", json!({})).await;
        assert_eq!(answer.to_string(), version);
        second += u32::from(version == "2");
    }
    // 99.9 % of binomial(200, 0.3).
    assert!((39..=82).contains(&second), "{second} of 200 at a weight of 0.3");
    let by_version = world
        .recorder
        .sum("Invocations", "FunctionName=py,Resource=py:live,ExecutedVersion=2");
    assert_eq!(by_version, f64::from(second));

    // The whole of the traffic, as at the last step before a promotion; a throttle counts for the version, too.
    let whole =
        json!({"FunctionName": "py", "Name": "live", "RoutingConfig": {"AdditionalVersionWeights": {"2": 1.0}}});
    world.call("UpdateAlias", whole).await.unwrap();
    for _ in 0..20 {
        assert_eq!(world.invoke("py:live", json!({})).await.2, "2");
    }
    let none = json!({"FunctionName": "py", "ReservedConcurrentExecutions": 0});
    world.call("PutFunctionConcurrency", none).await.unwrap();
    let throttled = world
        .call("Invoke", json!({"FunctionName": "py", "Qualifier": "live"}))
        .await;
    assert_eq!(throttled.unwrap_err().status, 429);
    let dimensions = "FunctionName=py,Resource=py:live,ExecutedVersion=2";
    assert_eq!(world.recorder.sum("Throttles", dimensions), 1.0);
}

#[tokio::test]
async fn a_process_that_ends_between_events_costs_no_event() {
    let world = World::new();
    let source = "
import os, http.client
def handler(event, context):
    # Ends once the answer is out, before it asks for another event.
    send = http.client.HTTPConnection.request
    def last(self, method, url, *rest, **more):
        if url.endswith('/next'):
            os._exit(0)
        return send(self, method, url, *rest, **more)
    http.client.HTTPConnection.request = last
    return os.getpid()
";
    world
        .create("py", "python3.12", &[("index.py", source)], json!({}))
        .await;
    let mut processes = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let (answer, error, _) = world.invoke("py", json!({})).await;
        assert_eq!(error, None, "{answer}");
        processes.insert(answer.as_u64().unwrap());
    }
    assert_eq!(processes.len(), 5, "each answered one event");
}
