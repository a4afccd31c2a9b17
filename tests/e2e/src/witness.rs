//! What a client that none of us wrote sees of the traffic: boto3 asks Lambda and API Gateway, past the product.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::Project;

/// All aliases of all functions, and all stages of all REST APIs.
const SCRIPT: &str = r#"
import boto3, json
functions, gateway = boto3.client("lambda"), boto3.client("apigateway")
aliases, latest = {}, {}
for function in functions.get_paginator("list_functions").paginate().build_full_result()["Functions"]:
    name = function["FunctionName"]
    latest[name] = {"memory": function["MemorySize"], "sha256": function["CodeSha256"]}
    for alias in functions.list_aliases(FunctionName=name)["Aliases"]:
        weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        aliases[f"{name}:{alias['Name']}"] = {"version": alias["FunctionVersion"], "weights": weights}
stages, apis = {}, {}
for api in gateway.get_rest_apis()["items"]:
    apis[api["name"]] = api.get("description")
    for stage in gateway.get_stages(restApiId=api["id"])["item"]:
        settings = stage.get("methodSettings", {}).get("*/*", {})
        stages[f"{api['name']}/{stage['stageName']}"] = {
            "deployment": stage["deploymentId"], "color": stage["variables"]["color"],
            "canary": stage.get("canarySettings"), "burst": settings.get("throttlingBurstLimit")}
print(json.dumps({"aliases": aliases, "stages": stages, "latest": latest, "apis": apis}))
"#;

/// Where the traffic goes, as the services tell boto3.
#[derive(Debug, Deserialize, PartialEq)]
pub struct Traffic {
    /// By `FUNCTION:ALIAS`.
    pub aliases: BTreeMap<String, Routed>,
    /// By `API/STAGE`.
    pub stages: BTreeMap<String, StageSeen>,
    /// What a plain deploy changes, by function.
    pub latest: BTreeMap<String, Latest>,
    /// Descriptions by name.
    pub apis: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub struct Routed {
    pub version: String,
    pub weights: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub struct StageSeen {
    pub deployment: String,
    pub color: String,
    pub canary: Option<Value>,
    pub burst: Option<u32>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub struct Latest {
    pub memory: u32,
    pub sha256: String,
}

impl Traffic {
    #[track_caller]
    pub fn of(project: &Project) -> Self {
        let seen = boto3(project, SCRIPT);
        serde_json::from_str(&seen).unwrap_or_else(|error| panic!("{error}: {seen}"))
    }

    /// Fails where anything is left of a rollout: canary settings of a stage, or weights of an alias.
    #[track_caller]
    pub fn assert_whole(&self) {
        assert!(!self.aliases.is_empty(), "{self:#?}");
        for (name, alias) in &self.aliases {
            assert!(alias.weights.is_empty(), "{name}: {alias:?}");
        }
        for (name, stage) in &self.stages {
            assert_eq!(stage.canary, None, "{name}: {stage:?}");
        }
    }
}

/// Runs a script of boto3 against the project's embedded cloud; what it printed.
#[track_caller]
pub fn boto3(project: &Project, script: &str) -> String {
    let python = PathBuf::from(std::env::var_os("LLAMA_TEST_PYTHON").unwrap_or_else(|| "python3".into()));
    let ended = Command::new(&python)
        .args(["-c", script])
        .env("AWS_ENDPOINT_URL", project.endpoint())
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    assert!(
        ended.status.success(),
        "boto3 is not there (`cargo xtask test` installs it, or name an interpreter in LLAMA_TEST_PYTHON), or it was \
         refused:\n{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    String::from_utf8(ended.stdout).expect("JSON is UTF-8")
}
