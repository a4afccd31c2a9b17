//! An application with slots as a cloud assembly, small enough to read: one function, one API with a live stage and two
//! preview stages. The tests of each cloud deploy it.

// Each test file is a crate of its own and uses its part.
#![allow(dead_code, reason = "not every cloud can do everything")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use aws::Aws;
use aws::assets::AssetManifest;
use aws::stacks::{Approved, Deployment, StackError, StackInput, StackOutcome, StackProgress};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub const STACK: &str = "Shop";
pub const FUNCTION: &str = "shop-prices";

/// The function's code: a runtime that answers every request with its version's text.
pub fn handler(text: &str) -> String {
    format!(
        "def handler(event, context):\n    \
         if event.get('path') == '/fail':\n        raise RuntimeError('asked to fail')\n    \
         return {{'statusCode': 200, 'headers': {{'content-type': 'text/plain'}}, 'body': '{text}'}}\n"
    )
}

/// A folder that an app would have written.
pub struct Assembly {
    folder: tempfile::TempDir,
    pub template: Value,
    pub tags: BTreeMap<String, String>,
}

impl Assembly {
    pub fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut assembly = Self {
            folder,
            template: Value::Null,
            tags: BTreeMap::new(),
        };
        assembly.write_code(text);
        assembly
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces the function's code, and with it the asset's key and the template.
    pub fn write_code(&mut self, text: &str) {
        let code = handler(text);
        let hash = hex::encode(Sha256::digest(&code));
        let asset = self.path().join(format!("asset.{hash}"));
        std::fs::create_dir_all(&asset).unwrap();
        std::fs::write(asset.join("index.py"), &code).unwrap();
        self.template = template(&hash);
        let manifest = json!({
            "version": "48.0.0",
            "files": { hash.as_str(): {
                "displayName": "Prices/Code",
                "source": { "path": format!("asset.{hash}"), "packaging": "zip" },
                "destinations": { "current_account-current_region": {
                    "bucketName": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}",
                    "objectKey": format!("{hash}.zip"),
                    "assumeRoleArn": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/publisher",
                } },
            } },
            "dockerImages": {},
        });
        std::fs::write(self.manifest_path(), manifest.to_string()).unwrap();
    }

    /// Writes the template beside the manifest and lists it there, as an app does.
    pub fn write_template_as_asset(&self) {
        let text = self.template.to_string();
        let hash = hex::encode(Sha256::digest(&text));
        let file = format!("{STACK}.template.json");
        std::fs::write(self.path().join(&file), &text).unwrap();
        let mut manifest: Value = serde_json::from_slice(&std::fs::read(self.manifest_path()).unwrap()).unwrap();
        manifest["files"][hash.as_str()] = json!({
            "source": { "path": file, "packaging": "file" },
            "destinations": { "current_account-current_region": {
                "bucketName": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}",
                "objectKey": format!("{hash}.json"),
            } },
        });
        std::fs::write(self.manifest_path(), manifest.to_string()).unwrap();
    }

    fn manifest_path(&self) -> PathBuf {
        self.path().join(format!("{STACK}.assets.json"))
    }

    pub fn manifest(&self) -> AssetManifest {
        AssetManifest::read(&self.manifest_path()).unwrap()
    }

    pub fn input(&self) -> StackInput {
        StackInput {
            name: STACK.to_owned(),
            template: self.template.to_string(),
            tags: self.tags.clone(),
            ..StackInput::default()
        }
    }
}

/// What happened, in the order in which it was told.
#[derive(Default)]
pub struct Story(Mutex<Vec<StackProgress>>);

impl Story {
    pub fn tell(&self, progress: StackProgress) {
        self.0.lock().unwrap().push(progress);
    }

    /// `LogicalId STATUS` of each event.
    pub fn events(&self) -> Vec<String> {
        let story = self.0.lock().unwrap();
        story
            .iter()
            .filter_map(|progress| match progress {
                StackProgress::Event(event) => Some(format!("{} {}", event.logical_id, event.status)),
                _ => None,
            })
            .collect()
    }
}

pub async fn deploy(aws: &Aws, input: &StackInput) -> (Result<StackOutcome, StackError>, Story) {
    let story = Story::default();
    let outcome = aws
        .deploy_stack(input, &Deployment::new(&Approved, &|progress| story.tell(progress)))
        .await;
    (outcome, story)
}

fn template(code_hash: &str) -> Value {
    let stage = |name: &str, color: &str| {
        json!({
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                "RestApiId": { "Ref": "Api" },
                "DeploymentId": { "Ref": "Deployment" },
                "StageName": name,
                "Variables": { "color": color },
            },
        })
    };
    let alias = |name: &str| {
        json!({
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "FunctionName": { "Ref": "Prices" },
                "FunctionVersion": { "Fn::GetAtt": ["FirstVersion", "Version"] },
                "Name": name,
            },
        })
    };
    let permission = |alias: &str| {
        json!({
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": { "Ref": alias },
                "Principal": "apigateway.amazonaws.com",
            },
        })
    };
    json!({
        "Metadata": { "LlamaDeploy::BlueGreen": {
            "Functions": ["Prices"],
            "LiveAliases": [{
                "Function": "Prices", "Alias": "LiveAlias",
                "Serves": ["HTTP API Shop", "WebSocket API Events", "queue Jobs"],
            }],
            "Apis": [{
                "RestApi": "Api", "LiveStage": "Live",
                "PreviewStages": { "blue": "PreviewBlue", "green": "PreviewGreen" },
            }],
        } },
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [{
                            "Effect": "Allow", "Action": "sts:AssumeRole",
                            "Principal": { "Service": "lambda.amazonaws.com" },
                        }],
                    },
                },
            },
            "Prices": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": FUNCTION,
                    "Runtime": "python3.12",
                    "Handler": "index.handler",
                    "Role": { "Fn::GetAtt": ["Role", "Arn"] },
                    "Code": {
                        "S3Bucket": { "Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}" },
                        "S3Key": format!("{code_hash}.zip"),
                    },
                },
            },
            "FirstVersion": {
                "Type": "AWS::Lambda::Version",
                "Properties": { "FunctionName": { "Ref": "Prices" } },
            },
            "Blue": alias("blue"),
            "Green": alias("green"),
            "LiveAlias": alias("live"),
            "PermissionBlue": permission("Blue"),
            "PermissionGreen": permission("Green"),
            "Api": { "Type": "AWS::ApiGateway::RestApi", "Properties": { "Name": "Shop" } },
            "Proxy": {
                "Type": "AWS::ApiGateway::Resource",
                "Properties": {
                    "RestApiId": { "Ref": "Api" },
                    "ParentId": { "Fn::GetAtt": ["Api", "RootResourceId"] },
                    "PathPart": "{proxy+}",
                },
            },
            "Any": {
                "Type": "AWS::ApiGateway::Method",
                "Properties": {
                    "RestApiId": { "Ref": "Api" },
                    "ResourceId": { "Ref": "Proxy" },
                    "HttpMethod": "ANY",
                    "AuthorizationType": "NONE",
                    "Integration": {
                        "Type": "AWS_PROXY",
                        "IntegrationHttpMethod": "POST",
                        "Uri": { "Fn::Join": ["", [
                            "arn:", { "Ref": "AWS::Partition" }, ":apigateway:", { "Ref": "AWS::Region" },
                            ":lambda:path/2015-03-31/functions/", { "Fn::GetAtt": ["Prices", "Arn"] },
                            ":${stageVariables.color}/invocations",
                        ]] },
                    },
                },
            },
            "Deployment": {
                "Type": "AWS::ApiGateway::Deployment",
                "DependsOn": ["Any"],
                "Properties": { "RestApiId": { "Ref": "Api" } },
            },
            "Live": stage("prod", "blue"),
            "PreviewBlue": stage("blue", "blue"),
            "PreviewGreen": stage("green", "green"),
        },
        "Outputs": {
            "Function": { "Value": { "Ref": "Prices" }, "Export": { "Name": "Shop:Function" } },
        },
    })
}
