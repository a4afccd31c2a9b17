//! The cloud assembly: the folder that an app writes and that our CLI, or the `cdk` of npm, reads.
//!
//! `manifest.json`, per stack `<Stack>.template.json` and `<Stack>.assets.json`, `tree.json`, `cdk.out`, and the staged
//! assets. The schema is `@aws-cdk/cloud-assembly-schema` of npm.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cfn::Template;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map as JsonMap, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::aspects;
use crate::error::{Error, Errors};
use crate::limits::{self, Measured, Verdict};
use crate::moves;
use crate::policy::{self, Inspected, Origin};
use crate::stack::{FileAsset, Packaging, StackNode};
use crate::stage;
use crate::synthesis::{Rendered, Synthesis, bootstrap_parameter, duplicate_artifacts};
use crate::tags;
use crate::tree::{Construct, Kind, NodeId, Tree};
use crate::warnings::{Noted, Warning};

/// The lowest version of the schema that holds what is written here; readers take all that are not newer than they are.
const SCHEMA_VERSION: &str = "41.0.0";
const BOOTSTRAP_VERSION: u32 = 6;
const LOOKUP_BOOTSTRAP_VERSION: u32 = 8;

/// An assembly that was written.
#[derive(Debug)]
pub struct Assembly {
    pub directory: PathBuf,
    /// All stacks, also those of stages.
    pub stacks: Vec<SynthesizedStack>,
    /// What deserves a look.
    pub warnings: Vec<Warning>,
}

#[derive(Debug)]
pub struct SynthesizedStack {
    /// The name in CloudFormation.
    pub name: String,
    pub artifact_id: String,
    pub template: Template,
    pub template_path: PathBuf,
}

impl Assembly {
    pub fn stack(&self, name: &str) -> Option<&SynthesizedStack> {
        self.stacks.iter().find(|stack| stack.name == name)
    }
}

pub(crate) fn synthesize(root: &Construct, directory: &Path) -> Result<Assembly, Errors> {
    complete(root)?;
    let tree = root.tree();
    // Everything is rendered before anything is written, so that an app that is wrong leaves no half assembly.
    let mut warnings = tree.warnings.clone();
    let rendered = render(&tree, NodeId::ROOT, &mut warnings).map_err(Errors)?;
    let mut stacks = Vec::new();
    let writer = Writer {
        tree: &tree,
        root: directory,
        warnings: &warnings,
    };
    writer.stage(rendered, directory, &mut stacks)?;
    Ok(Assembly {
        directory: directory.to_owned(),
        stacks,
        warnings: warnings.iter().map(|noted| noted.told(&tree)).collect(),
    })
}

/// The template of the stack that a construct stands in, with nothing written: for tests.
pub(crate) fn template_of(root: &Construct, node: NodeId) -> Result<Json, Errors> {
    complete(root)?;
    let tree = root.tree();
    let outside = || {
        Errors::from(Error::OutsideOfStack {
            construct: tree.path(node),
            location: tree.node(node).location,
        })
    };
    let wanted = tree.stack_of(node).ok_or_else(outside)?;
    let rendered = render(&tree, NodeId::ROOT, &mut Vec::new()).map_err(Errors)?;
    let template = find(&rendered, wanted).ok_or_else(outside)?;
    template.to_json().map_err(|source| {
        Errors::from(Error::Render {
            stack: tree.path(wanted),
            location: tree.node(wanted).location,
            source,
        })
    })
}

fn find(stage: &RenderedStage, wanted: NodeId) -> Option<&Template> {
    let here = stage.stacks.iter().find(|done| done.stack.stack == wanted);
    here.map(|done| &done.stack.template)
        .or_else(|| stage.nested.iter().find_map(|nested| find(nested, wanted)))
}

/// Everything that happens to the tree before it is rendered.
fn complete(root: &Construct) -> Result<(), Errors> {
    prepare(root);
    aspects::visit(root);
    prepare(root);
    policy::write(root);
    let mut errors = stage::recorded_errors(root);
    errors.extend(moves::check(&root.tree()));
    if errors.is_empty() { Ok(()) } else { Err(Errors(errors)) }
}

fn prepare(root: &Construct) {
    // Preparing may register more to prepare.
    loop {
        let prepare = std::mem::take(&mut root.tree_mut().prepare);
        if prepare.is_empty() {
            break;
        }
        prepare.into_iter().for_each(|prepare| prepare());
    }
    drop(std::mem::take(&mut root.tree_mut().shared));
}

/// A stage with the stages in it, rendered.
struct RenderedStage {
    stage: NodeId,
    stacks: Vec<RenderedStack>,
    nested: Vec<RenderedStage>,
}

struct RenderedStack {
    stack: Rendered,
    /// The template as it is written.
    text: String,
    tags: IndexMap<String, String>,
}

fn render(tree: &Tree, stage: NodeId, warnings: &mut Vec<Noted>) -> Result<RenderedStage, Vec<Error>> {
    let mut errors = Vec::new();
    let mut stacks = Vec::new();
    match Synthesis::stage(tree, stage) {
        Ok(rendered) => {
            for stack in rendered {
                match render_stack(tree, stack) {
                    Ok((stack, verdict)) => {
                        stacks.push(stack);
                        errors.extend(verdict.errors);
                        warnings.extend(verdict.warnings);
                    }
                    Err(error) => errors.push(error),
                }
            }
        }
        Err(more) => errors.extend(more),
    }
    errors.extend(duplicate_artifacts(
        tree,
        &stacks.iter().map(|done| done.stack.stack).collect::<Vec<_>>(),
    ));
    let mut nested = Vec::new();
    for child in stages_in(tree, stage) {
        match render(tree, child, warnings) {
            Ok(rendered) => nested.push(rendered),
            Err(more) => errors.extend(more),
        }
    }
    if errors.is_empty() {
        Ok(RenderedStage { stage, stacks, nested })
    } else {
        Err(errors)
    }
}

fn render_stack(tree: &Tree, stack: Rendered) -> Result<(RenderedStack, Verdict), Error> {
    let to_text = |indent| {
        to_text(&stack.template, indent).map_err(|source| Error::Render {
            stack: tree.path(stack.stack),
            location: tree.node(stack.stack).location,
            source,
        })
    };
    let mut text = to_text(Some(" "))?;
    if text.len() > limits::TEMPLATE_BYTES {
        // Only for people; CloudFormation counts it.
        text = to_text(None)?;
    }
    let own_tags = tree.stack(stack.stack).map(|stack| &stack.tags);
    let tags = own_tags.map_or_else(IndexMap::new, |own| tags::of_stack(tree, stack.stack, own));
    let mut verdict = Measured {
        tree,
        stack: stack.stack,
        template: &stack.template,
        text: &text,
        tags: &tags,
    }
    .check();
    judge(tree, &stack, &mut verdict)?;
    Ok((RenderedStack { stack, text, tags }, verdict))
}

/// What the app's own policies say about a template.
fn judge(tree: &Tree, stack: &Rendered, verdict: &mut Verdict) -> Result<(), Error> {
    if tree.policies.is_empty() {
        return Ok(());
    }
    let own = tree.node(stack.stack);
    let template = stack.template.to_json().map_err(|source| Error::Render {
        stack: tree.path(stack.stack),
        location: own.location,
        source,
    })?;
    let origin = |node: NodeId| Origin {
        path: Some(tree.path(node)),
        source: Some(tree.node(node).location.to_string()),
    };
    let origins = stack.elements.iter();
    let inspected = Inspected {
        stack: tree.stack(stack.stack).map_or("", |stack| &stack.name),
        template: &template,
        origins: origins.map(|(node, name)| (name.to_string(), origin(*node))).collect(),
    };
    for finding in policy::check(&tree.policies, &inspected) {
        let element = stack.elements.iter().find(|(_, name)| *name == finding.logical_id);
        let node = element.map_or(stack.stack, |(node, _)| *node);
        if finding.is_violation() {
            verdict.errors.push(Error::Policy {
                finding: Box::new(finding),
                location: tree.node(node).location,
            });
        } else if finding.suppressed.is_none() {
            let message = format!("{} ({}); {}", finding.message, finding.rule, finding.fix);
            verdict.warnings.push(Noted { node, message });
        }
    }
    Ok(())
}

/// The stages directly in this one.
fn stages_in(tree: &Tree, stage: NodeId) -> Vec<NodeId> {
    let here = tree.descendants(stage, true);
    let children = here.iter().flat_map(|node| &tree.node(*node).children);
    children
        .copied()
        .filter(|child| matches!(tree.node(*child).kind, Kind::Stage(_)))
        .collect()
}

struct Writer<'a> {
    tree: &'a Tree,
    /// Assets of all stages are staged here.
    root: &'a Path,
    warnings: &'a [Noted],
}

impl Writer<'_> {
    fn stage(
        &self,
        rendered: RenderedStage,
        directory: &Path,
        stacks: &mut Vec<SynthesizedStack>,
    ) -> Result<(), Error> {
        create_directory(directory)?;
        let mut artifacts = JsonMap::new();
        let mut missing = Vec::new();
        for nested in rendered.nested {
            let path = self.tree.path(nested.stage);
            let id = format!("assembly-{}", path.replace('/', "-"));
            let properties = json!({ "directoryName": id, "displayName": path });
            artifacts.insert(
                id.clone(),
                json!({ "type": "cdk:cloud-assembly", "properties": properties }),
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
                json!({ "type": "cdk:tree", "properties": { "file": "tree.json" } }),
            );
            let tree = json!({ "version": "tree-0.1", "tree": self.tree_node(NodeId::ROOT) });
            write_json(&directory.join("tree.json"), &tree, None)?;
        }
        let mut manifest = JsonMap::new();
        manifest.insert("version".into(), SCHEMA_VERSION.into());
        manifest.insert("artifacts".into(), artifacts.into());
        if !missing.is_empty() {
            manifest.insert("missing".into(), missing.into());
        }
        write_json(&directory.join("manifest.json"), &manifest, Some("  "))?;
        write_json(&directory.join("cdk.out"), &json!({ "version": SCHEMA_VERSION }), None)
    }

    fn stack(
        &self,
        stack: &StackNode,
        rendered: RenderedStack,
        directory: &Path,
        artifacts: &mut JsonMap<String, Json>,
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
            json!({
                "type": "cdk:asset-manifest",
                "properties": {
                    "file": assets_file,
                    "requiresBootstrapStackVersion": BOOTSTRAP_VERSION,
                    "bootstrapStackVersionSsmParameter": bootstrap,
                },
            }),
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
            json!({
                "type": "aws:cloudformation:stack",
                "environment": stack.environment(),
                "properties": properties,
                "dependencies": dependencies,
                "metadata": self.metadata(&done, &tags),
                "displayName": self.tree.path(done.stack),
            }),
        );
        Ok(SynthesizedStack {
            name: stack.name.clone(),
            artifact_id: id.clone(),
            template: done.template,
            template_path,
        })
    }

    /// For each element its logical id and the line of the app that made it; what there is to warn of.
    fn metadata(&self, done: &Rendered, tags: &IndexMap<String, String>) -> Json {
        let mut metadata: JsonMap<String, Json> = JsonMap::new();
        let mut add = |node: NodeId, entry: Json| {
            let entries = metadata
                .entry(format!("/{}", self.tree.path(node)))
                .or_insert_with(|| json!([]));
            if let Json::Array(entries) = entries {
                entries.push(entry);
            }
        };
        let trace = |node: NodeId| [self.tree.node(node).location.to_string()];
        if !tags.is_empty() {
            let tags: Vec<Json> = tags
                .iter()
                .map(|(key, value)| json!({ "Key": key, "Value": value }))
                .collect();
            add(done.stack, json!({ "type": "aws:cdk:stack-tags", "data": tags }));
        }
        for (node, logical_id) in &done.elements {
            add(
                *node,
                json!({ "type": "aws:cdk:logicalId", "data": logical_id, "trace": trace(*node) }),
            );
        }
        for Noted { node, message } in self.warnings {
            if self.tree.stack_of(*node) == Some(done.stack) {
                add(
                    *node,
                    json!({ "type": "aws:cdk:warning", "data": message, "trace": trace(*node) }),
                );
            }
        }
        metadata.into()
    }

    /// Copies an asset beside the templates, so that what is deployed is what was fingerprinted. Returns its path as
    /// seen from `directory`.
    fn stage_asset(&self, hash: &str, asset: &FileAsset, directory: &Path) -> Result<String, Error> {
        let name = format!("asset.{hash}{}", asset.extension);
        let target = self.root.join(&name);
        if !target.exists() {
            // A copy that was cut short must not pass for the whole.
            let partial = self.root.join(format!("{name}.partial"));
            copy(&asset.source, &partial)
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

    fn tree_node(&self, node: NodeId) -> Json {
        let own = self.tree.node(node);
        let id = if node == NodeId::ROOT { "App" } else { &own.id };
        let fqn = format!("stack.{}", own.type_name);
        let mut json = json!({
            "id": id,
            "path": self.tree.path(node),
            "constructInfo": { "fqn": fqn, "version": env!("CARGO_PKG_VERSION") },
        });
        if let Some(resource) = self.tree.resource(node) {
            json["attributes"] = json!({ "aws:cdk:cloudformation:type": resource.resource.type_name });
        }
        if !own.children.is_empty() {
            let children: JsonMap<String, Json> = own
                .children
                .iter()
                .map(|child| (self.tree.node(*child).id.clone(), self.tree_node(*child)))
                .collect();
            json["children"] = children.into();
        }
        json
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

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(|_| ());
    }
    match fs::remove_dir_all(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(to)?,
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
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

fn write_json(path: &Path, value: &impl Serialize, indent: Option<&str>) -> Result<(), Error> {
    let failed = |source: serde_json::Error| Error::Write {
        path: path.to_owned(),
        source: source.into(),
    };
    write(path, to_text(value, indent).map_err(failed)?.as_bytes())
}

/// JSON as JavaScript's `JSON.stringify` prints it, so that templates compare equal as text and hash alike.
fn to_text(value: &impl Serialize, indent: Option<&str>) -> serde_json::Result<String> {
    let Some(indent) = indent else {
        return serde_json::to_string(value);
    };
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter))?;
    // serde_json writes UTF-8 only.
    Ok(String::from_utf8_lossy(&text).into_owned())
}
