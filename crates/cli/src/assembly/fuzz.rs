//! The reader of assemblies over arbitrary manifests and metadata: stacks or an error with a code, never a panic. A few
//! seeded cases run with every test; `cargo xtask fuzz` runs many more with other seeds.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Map, Value, json};

use super::{origin, read, select};

/// The same cases every time, unless the environment asks for others.
fn config() -> Config {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

const WORDS: [&str; 26] = [
    "type",
    "properties",
    "dependencies",
    "metadata",
    "displayName",
    "environment",
    "templateFile",
    "stackName",
    "file",
    "directoryName",
    "tags",
    "parameters",
    "trace",
    "data",
    "aws:cdk:logicalId",
    "aws:cdk:creationStack",
    "A",
    "B",
    "nested",
    "..",
    "/",
    "",
    "a.ts:1:2",
    "at x (/a/b.js:1:2)",
    "(:1",
    "node:internal",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![12 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned), 1 => ".{0,5}"]
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    vec((word(), value), 0..5).prop_map(|entries| Value::Object(entries.into_iter().collect()))
}

fn arbitrary() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i32>().prop_map(Value::from),
        6 => word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![vec(inner.clone(), 0..5).prop_map(Value::from), object(inner)]
    })
}

fn artifact() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(
        &[
            "aws:cloudformation:stack",
            "aws:cloudformation:stack",
            "cdk:cloud-assembly",
            "cdk:asset-manifest",
            "cdk:tree",
        ][..],
    );
    let dependencies = vec(prop::sample::select(&["A", "B", "C", "D"][..]), 0..3);
    (kind, object(arbitrary()), dependencies, arbitrary(), any::<bool>()).prop_map(
        |(kind, properties, dependencies, metadata, whole)| {
            let mut artifact =
                json!({ "type": kind, "properties": properties, "dependencies": dependencies, "metadata": metadata });
            if whole {
                artifact["properties"]["templateFile"] = json!("t.json");
            }
            artifact
        },
    )
}

fn manifest() -> impl Strategy<Value = Value> {
    let artifacts = vec((prop::sample::select(&["A", "B", "C", "D"][..]), artifact()), 0..5);
    let shaped = artifacts.prop_map(|artifacts| {
        let artifacts: Map<String, Value> = artifacts
            .into_iter()
            .map(|(id, value)| (id.to_owned(), value))
            .collect();
        json!({ "version": "55.0.0", "artifacts": artifacts })
    });
    prop_oneof![6 => shaped, 1 => arbitrary()]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn fuzz_any_manifest_is_read_or_refused(manifest in manifest(), named in word()) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("manifest.json"), manifest.to_string()).unwrap();
        match read(folder.path()) {
            Err(failure) => prop_assert!(!failure.message.is_empty()),
            Ok(stacks) => {
                // Dependencies stand first.
                for (at, stack) in stacks.iter().enumerate() {
                    let later = stacks[at + 1..].iter().find(|later| later.name != stack.name && stack.dependencies.contains(&later.name));
                    prop_assert!(later.is_none());
                    stack.origin("A");
                }
                let _ = select(stacks, &[named]);
            }
        }
    }

    #[test]
    fn fuzz_any_text_is_no_manifest(text in ".{0,100}") {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("manifest.json"), text).unwrap();
        let _ = read(folder.path());
    }

    #[test]
    fn fuzz_any_metadata_tells_origins(metadata in object(vec(object(arbitrary()), 0..3).prop_map(Value::from))) {
        for origin in origin::read(&metadata).values() {
            prop_assert!(origin.source.as_deref() != Some(""));
        }
    }
}
