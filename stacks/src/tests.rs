//! The stacks synthesize in every environment, and hold what the rest of the platform expects of them.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use stack::{App, Errors};

use crate::environment::Environment;
use crate::{monitoring, phase2};

const FUNCTIONS: [&str; 3] = ["protocol-analytics", "health", "api-key-authorizer"];

fn synthesize(environment: &str) -> Result<Json, Errors> {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = folder.path().join("functions");
    for function in FUNCTIONS {
        fs::create_dir_all(artifacts.join(function)).unwrap();
        fs::write(artifacts.join(function).join("bootstrap"), function).unwrap();
    }
    let app = App::new(folder.path().join("out"));
    app.set_context("environment", environment);
    build(&app, &artifacts);
    let assembly = app.synth()?;
    assert_eq!(assembly.stacks.len(), 2);
    Ok(assembly.stack("Phase2Stack").unwrap().template.to_json().unwrap())
}

fn build(app: &App, artifacts: &Path) {
    let phase2 = phase2::build(app, Environment::of(app), artifacts);
    monitoring::build(app, &phase2);
}

fn of_type<'a>(template: &'a Json, name: &str) -> Vec<&'a Json> {
    template["Resources"]
        .as_object()
        .unwrap()
        .values()
        .filter(|resource| resource["Type"] == name)
        .collect()
}

#[test]
fn every_environment_synthesizes_with_the_same_interface() {
    for environment in ["dev", "staging", "prod", "production", "local"] {
        let template = synthesize(environment).unwrap();
        for output in [
            "APIEndpoint",
            "DatabaseEndpoint",
            "DatabaseSecretArn",
            "ApiKeysSecretArn",
        ] {
            assert!(
                template["Outputs"][output]["Value"].is_object(),
                "{environment} has no output {output}"
            );
        }
        assert_eq!(of_type(&template, "AWS::Lambda::Function").len(), 3, "{environment}");
        assert_eq!(
            template["Metadata"]["LlamaDeploy::BlueGreen"]["Functions"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }
}

#[test]
fn production_is_as_the_guide_says() {
    let template = synthesize("prod").unwrap();
    let database = &of_type(&template, "AWS::RDS::DBInstance")[0]["Properties"];
    let expected = json!({
        "DBInstanceClass": "db.r6g.2xlarge", "AllocatedStorage": "500", "MultiAZ": true, "StorageType": "gp3",
        "BackupRetentionPeriod": 7, "DeletionProtection": true, "DBName": "defillama", "StorageEncrypted": true,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(database[key], *value, "{key}");
    }
    assert_eq!(of_type(&template, "AWS::EC2::NatGateway").len(), 2);
    assert_eq!(
        of_type(&template, "AWS::ElastiCache::CacheCluster")[0]["Properties"]["NumCacheNodes"],
        1
    );
}

#[test]
fn smaller_environments_leave_nothing_behind() {
    let template = synthesize("dev").unwrap();
    let database = of_type(&template, "AWS::RDS::DBInstance")[0];
    assert_eq!(database["DeletionPolicy"], "Delete");
    assert_eq!(database["Properties"]["DeletionProtection"], false);
    assert_eq!(of_type(&template, "AWS::EC2::NatGateway").len(), 1);
}

#[test]
fn functions_get_the_arns_of_secrets_and_never_their_values() {
    let template = synthesize("prod").unwrap();
    for function in of_type(&template, "AWS::Lambda::Function") {
        let text = function.to_string();
        assert!(!text.contains("resolve:secretsmanager"), "{text}");
    }
    let variables = |name: &str| {
        let functions = of_type(&template, "AWS::Lambda::Function");
        functions
            .iter()
            .filter(|function| !function["Properties"]["Environment"]["Variables"][name].is_null())
            .count()
    };
    for (name, count) in [
        ("DB_SECRET_ARN", 2),
        ("REDIS_HOST", 2),
        ("REDIS_PORT", 2),
        ("CACHE_TTL", 2),
        ("API_KEYS_SECRET_ARN", 1),
    ] {
        assert_eq!(variables(name), count, "{name}");
    }
}

#[test]
fn only_the_health_check_is_open() {
    let template = synthesize("prod").unwrap();
    let open: Vec<_> = of_type(&template, "AWS::ApiGateway::Method")
        .into_iter()
        .filter(|method| method["Properties"]["AuthorizationType"] == "NONE")
        .map(|method| method["Properties"]["ResourceId"]["Ref"].as_str().unwrap())
        .collect();
    let [open] = open.as_slice() else { panic!("{open:?}") };
    assert_eq!(template["Resources"][*open]["Properties"]["PathPart"], "health");
}

#[test]
fn an_unknown_environment_is_refused() {
    let errors = synthesize("prodution").unwrap_err();
    assert!(
        errors.to_string().contains("the environment `prodution` is unknown"),
        "{errors}"
    );
}
