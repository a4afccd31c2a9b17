//! Writing an assembly: manifests, templates, lists of assets, and the assets themselves.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map as JsonMap, Value as Json, json};
use sha2::{Digest, Sha256};

use super::manifest::{Artifact, Metadata, StackArtifact, TreeFile};
use super::{RenderedStack, RenderedStage, SynthesizedStack};
use crate::asset::walk;
use crate::error::Error;
use crate::stack::{FileAsset, Packaging, StackNode};
use crate::synthesis::bootstrap_parameter;
use crate::tree::{NodeId, Tree};
use crate::warnings::Noted;

/// The lowest version of the schema that holds what is written here; readers take all that are not newer than they are.
const SCHEMA_VERSION: &str = "41.0.0";
const BOOTSTRAP_VERSION: u32 = 6;
const LOOKUP_BOOTSTRAP_VERSION: u32 = 8;
const BUFFER: usize = 1 << 16;

/// `manifest.json`.
#[derive(Serialize)]
struct Manifest<'a> {
    version: &'static str,
    artifacts: IndexMap<String, Artifact<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<Json>,
}

/// Writes the rendered stages of a tree.
pub(super) struct Writer<'a> {
    pub(super) tree: &'a Tree,
    /// Assets of all stages are staged here.
    pub(super) root: &'a Path,
    pub(super) warnings: &'a [Noted],
}

impl<'a> Writer<'a> {
    pub(super) fn stage(
        &self,
        rendered: RenderedStage,
        directory: &Path,
        stacks: &mut Vec<SynthesizedStack>,
    ) -> Result<(), Error> {
        create_directory(directory)?;
        let mut artifacts: IndexMap<String, Artifact<'a>> = IndexMap::new();
        let mut missing = Vec::new();
        for nested in rendered.nested {
            let path = self.tree.path(nested.stage);
            let id = format!("assembly-{}", path.replace('/', "-"));
            let properties = json!({ "directoryName": id, "displayName": path });
            artifacts.insert(
                id.clone(),
                Artifact::Plain(json!({ "type": "cdk:cloud-assembly", "properties": properties })),
            );
            self.stage(nested, &directory.join(&id), stacks)?;
        }
        for done in rendered.stacks {
            let Some(stack) = self.tree.stack(done.stack.stack) else {
                continue;
            };
            missing.extend(
                stack
                    .missing_context
                    .iter()
                    .map(|(key, provider, props)| json!({ "key": key, "provider": provider, "props": props })),
            );
            stacks.push(self.stack(stack, done, directory, &mut artifacts)?);
        }
        if rendered.stage == NodeId::ROOT {
            artifacts.insert(
                "Tree".into(),
                Artifact::Plain(json!({ "type": "cdk:tree", "properties": { "file": "tree.json" } })),
            );
            write_json(&directory.join("tree.json"), &TreeFile::new(self.tree), None)?;
        }
        let manifest = Manifest {
            version: SCHEMA_VERSION,
            artifacts,
            missing,
        };
        write_json(&directory.join("manifest.json"), &manifest, Some("  "))?;
        write_json(&directory.join("cdk.out"), &json!({ "version": SCHEMA_VERSION }), None)
    }

    fn stack(
        &self,
        stack: &StackNode,
        rendered: RenderedStack,
        directory: &Path,
        artifacts: &mut IndexMap<String, Artifact<'a>>,
    ) -> Result<SynthesizedStack, Error> {
        let RenderedStack {
            stack: done,
            text,
            tags,
        } = rendered;
        let id = &stack.artifact_id;
        let template_file = format!("{id}.template.json");
        let template_path = directory.join(&template_file);
        write(&template_path, text.as_bytes())?;

        let template_hash = hex::encode(Sha256::digest(text.as_bytes()));
        let mut files = JsonMap::new();
        for (hash, asset) in &stack.assets {
            let path = self.stage_asset(hash, asset, directory)?;
            let packaging = if asset.packaging == Packaging::Zip {
                "zip"
            } else {
                "file"
            };
            let extension = if asset.packaging == Packaging::Zip {
                ".zip"
            } else {
                &asset.extension
            };
            let mut entry = asset_entry(stack, &path, packaging, &format!("{hash}{extension}"));
            entry["displayName"] = json!(asset.display_name);
            files.insert(hash.clone(), entry);
        }
        let template_key = format!("{template_hash}.json");
        files.insert(template_hash, asset_entry(stack, &template_file, "file", &template_key));
        let assets_id = format!("{id}.assets");
        let assets_file = format!("{assets_id}.json");
        let assets = json!({ "version": SCHEMA_VERSION, "files": files, "dockerImages": {} });
        write_json(&directory.join(&assets_file), &assets, Some("  "))?;
        let bootstrap = bootstrap_parameter(stack);
        artifacts.insert(
            assets_id.clone(),
            Artifact::Plain(json!({
                "type": "cdk:asset-manifest",
                "properties": {
                    "file": assets_file,
                    "requiresBootstrapStackVersion": BOOTSTRAP_VERSION,
                    "bootstrapStackVersionSsmParameter": bootstrap,
                },
            })),
        );

        let role = |name: &str| {
            stack.specialize(&format!(
                "arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/cdk-${{Qualifier}}-{name}-role-${{AWS::AccountId}}-${{AWS::Region}}"
            ))
        };
        let mut properties = json!({
            "templateFile": template_file,
            "terminationProtection": stack.termination_protection,
            "validateOnSynth": false,
            "assumeRoleArn": role("deploy"),
            "cloudFormationExecutionRoleArn": role("cfn-exec"),
            "stackTemplateAssetObjectUrl": format!("s3://{}/{template_key}", stack.asset_bucket()),
            "requiresBootstrapStackVersion": BOOTSTRAP_VERSION,
            "bootstrapStackVersionSsmParameter": bootstrap,
            "additionalDependencies": [assets_id],
            "lookupRole": {
                "arn": role("lookup"),
                "requiresBootstrapStackVersion": LOOKUP_BOOTSTRAP_VERSION,
                "bootstrapStackVersionSsmParameter": bootstrap,
            },
        });
        if !tags.is_empty() {
            properties["tags"] = json!(tags);
        }
        if stack.name != *id {
            properties["stackName"] = json!(stack.name);
        }
        let waits_for = done
            .dependencies
            .iter()
            .filter_map(|on| self.tree.stack(*on))
            .map(|on| on.artifact_id.clone());
        let dependencies: Vec<String> = waits_for.chain([assets_id]).collect();
        artifacts.insert(
            id.clone(),
            Artifact::Stack(Box::new(StackArtifact {
                kind: "aws:cloudformation:stack",
                environment: stack.environment(),
                properties,
                dependencies,
                metadata: Metadata {
                    tree: self.tree,
                    stack: done.stack,
                    elements: done.elements,
                    tags,
                    warnings: self.warnings,
                },
                display_name: self.tree.path(done.stack),
            })),
        );
        Ok(SynthesizedStack {
            name: stack.name.clone(),
            artifact_id: id.clone(),
            template: done.template,
            template_path,
        })
    }

    /// Copies an asset beside the templates, so that what is deployed is what was fingerprinted. Returns its path as
    /// seen from `directory`.
    fn stage_asset(&self, hash: &str, asset: &FileAsset, directory: &Path) -> Result<String, Error> {
        let name = format!("asset.{hash}{}", asset.extension);
        let target = self.root.join(&name);
        if !target.exists() {
            // A copy that was cut short must not pass for the whole.
            let partial = self.root.join(format!("{name}.partial"));
            walk::copy(&asset.source, &partial, &asset.options)
                .and_then(|()| fs::rename(&partial, &target))
                .map_err(|source| Error::Write {
                    path: target.clone(),
                    source,
                })?;
        }
        let depth = directory
            .strip_prefix(self.root)
            .map_or(0, |below| below.components().count());
        Ok("../".repeat(depth) + &name)
    }
}

fn asset_entry(stack: &StackNode, path: &str, packaging: &str, key: &str) -> Json {
    let mut destination = JsonMap::new();
    destination.insert("bucketName".into(), stack.asset_bucket().into());
    destination.insert("objectKey".into(), key.into());
    if let Some(region) = &stack.region {
        destination.insert("region".into(), region.clone().into());
    }
    let role = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/cdk-${Qualifier}-file-publishing-role-${AWS::AccountId}-${AWS::Region}";
    destination.insert("assumeRoleArn".into(), stack.specialize(role).into());
    let destination = Json::Object(destination);
    // Destinations of one asset in several environments must have different keys; the CDK tells them by this hash.
    let hash = hex::encode(Sha256::digest(destination.to_string()));
    let or = |value: &Option<String>, current: &str| value.clone().unwrap_or_else(|| current.to_owned());
    let environment = format!(
        "{}-{}",
        or(&stack.account, "current_account"),
        or(&stack.region, "current_region")
    );
    let mut destinations = JsonMap::new();
    destinations.insert(format!("{environment}-{}", &hash[..8]), destination);
    json!({ "source": { "path": path, "packaging": packaging }, "destinations": destinations })
}

fn create_directory(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    fs::write(path, content).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// As text in the layout of JavaScript's `JSON.stringify`, straight into the file.
fn write_json(path: &Path, value: &impl Serialize, indent: Option<&str>) -> Result<(), Error> {
    let write = || -> io::Result<()> {
        let mut file = io::BufWriter::with_capacity(BUFFER, fs::File::create(path)?);
        match indent {
            Some(indent) => {
                let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
                value.serialize(&mut serde_json::Serializer::with_formatter(&mut file, formatter))?;
            }
            None => serde_json::to_writer(&mut file, value)?,
        }
        file.flush()
    };
    write().map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// JSON as JavaScript's `JSON.stringify` prints it, so that templates compare equal as text and hash alike.
pub(super) fn to_text(value: &impl Serialize, indent: Option<&str>) -> serde_json::Result<String> {
    let Some(indent) = indent else {
        return serde_json::to_string(value);
    };
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter))?;
    // serde_json writes UTF-8 only.
    Ok(String::from_utf8_lossy(&text).into_owned())
}
