//! Where a resource comes from: the construct's path and the app's line, from the metadata that an app writes.
//!
//! Our apps write `"trace": ["FILE:LINE:COL"]` beside each `aws:cdk:logicalId`. Of the CDK's apps only those that ran
//! with `CDK_DEBUG=1` know lines: aws-cdk-lib from 2.2xx on writes an entry `aws:cdk:creationStack` at the same path,
//! older ones a `trace`, both a JavaScript stack. The shape is `MetadataEntry` of `@aws-cdk/cloud-assembly-schema`.

use std::collections::BTreeMap;

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The construct's path in the app, without a leading slash: `Prod/Service/Queue/Resource`.
    pub path: String,
    /// `FILE:LINE` in the app, where the app told it.
    pub source: Option<String>,
}

/// By logical id. Metadata of another shape tells nothing.
pub fn read(metadata: &Value) -> BTreeMap<String, Origin> {
    let mut origins = BTreeMap::new();
    for (path, entries) in metadata.as_object().into_iter().flatten() {
        let entries = || entries.as_array().into_iter().flatten();
        let of_kind =
            |kind: &'static str| entries().filter(move |entry| entry.get("type").and_then(Value::as_str) == Some(kind));
        let Some((logical_id, entry)) =
            of_kind("aws:cdk:logicalId").find_map(|entry| Some((entry.get("data")?.as_str()?, entry)))
        else {
            continue;
        };
        let created = of_kind("aws:cdk:creationStack").find_map(|entry| user_frame(entry.get("data")?));
        let origin = Origin {
            path: path.trim_start_matches('/').to_owned(),
            source: entry.get("trace").and_then(user_frame).or(created),
        };
        // A nested stack's metadata stands in its parent's and may repeat an id; the parent's own path is the shorter.
        match origins.get(logical_id) {
            Some(Origin { path, .. }) if path.len() <= origin.path.len() => {}
            _ => {
                origins.insert(logical_id.to_owned(), origin);
            }
        }
    }
    origins
}

/// The first frame of a stack that is the user's.
fn user_frame(stack: &Value) -> Option<String> {
    let frames = stack.as_array()?.iter().filter_map(Value::as_str);
    frames
        .filter(|frame| !frame.contains("node_modules") && !frame.contains("node:"))
        .find_map(position)
}

/// `FILE:LINE` of `FILE:LINE:COL`, `at FILE:LINE:COL` and `new Queue (FILE:LINE:COL)`.
fn position(frame: &str) -> Option<String> {
    let frame = frame.trim();
    let inner = match frame.rsplit_once('(') {
        Some((_, inner)) => inner.strip_suffix(')')?,
        None => frame.strip_prefix("at ").unwrap_or(frame),
    };
    let inner = inner.strip_prefix("file://").unwrap_or(inner);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, last) = inner.rsplit_once(':').filter(|(_, last)| is_number(last))?;
    match rest.rsplit_once(':').filter(|(_, line)| is_number(line)) {
        Some((file, line)) => Some(format!("{file}:{line}")),
        None => Some(format!("{rest}:{last}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn origin(path: &str, source: Option<&str>) -> Origin {
        Origin {
            path: path.into(),
            source: source.map(Into::into),
        }
    }

    #[test]
    fn our_own_trace_is_one_position() {
        let origins = read(&json!({
            "/S": [{ "type": "aws:cdk:stack-tags", "data": [] }],
            "/S/Q/Resource": [{ "type": "aws:cdk:logicalId", "data": "Q1", "trace": ["stacks/src/main.rs:41:9"] }]
        }));
        assert_eq!(
            origins,
            BTreeMap::from([("Q1".into(), origin("S/Q/Resource", Some("stacks/src/main.rs:41")))])
        );
    }

    #[test]
    fn a_stack_of_the_cdk_yields_the_users_line() {
        let id = json!({ "type": "aws:cdk:logicalId", "data": "Q1" });
        let newer = json!({ "type": "aws:cdk:creationStack", "data": [
            "...new Queue2 in aws-cdk-lib...", "<anonymous> (/home/me/app.ts:6:1)", "...node internals, tsx..."
        ] });
        let older = json!({ "type": "aws:cdk:logicalId", "data": "Q1", "trace": [
            "new Queue (/home/me/node_modules/aws-cdk-lib/aws-sqs/lib/queue.js:1:3)",
            "at Object.<anonymous> (/home/me/bin/app.js:12:3)"
        ] });
        let hidden =
            json!({ "type": "aws:cdk:creationStack", "data": ["...aws-cdk-lib...", "(no user code in 10 frames)"] });
        for (entries, source) in [
            (json!([id, newer]), Some("/home/me/app.ts:6")),
            (json!([older]), Some("/home/me/bin/app.js:12")),
            (json!([id, hidden]), None),
        ] {
            assert_eq!(read(&json!({ "/S/Q": entries }))["Q1"], origin("S/Q", source));
        }
    }

    #[test]
    fn the_parents_own_resource_wins_over_a_nested_stacks() {
        let entry = json!([{ "type": "aws:cdk:logicalId", "data": "Q1" }]);
        let origins = read(&json!({ "/S/Nested/Q": entry, "/S/Q": entry }));
        assert_eq!(origins["Q1"].path, "S/Q");
    }
}
