//! Reads a cloud assembly, ours or one that a TypeScript CDK app wrote: its stacks in the order of their dependencies.

#[cfg(test)]
mod fuzz;
mod origin;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::failure::{Code, Failure, Outcome};

pub use origin::Origin;

/// The newest major version of the assembly's schema that we know.
const KNOWN_SCHEMA: u64 = 55;

/// Stages in stages; an assembly that holds itself must come to an end.
const DEEPEST: u32 = 32;

#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// The stack's path in the app, for example `Prod/Service`; what the CDK calls its display name.
    pub path: String,
    /// The name in CloudFormation.
    pub name: String,
    pub template_file: PathBuf,
    /// `<Stack>.assets.json`, when the stack has assets.
    pub assets_file: Option<PathBuf>,
    /// `aws://ACCOUNT/REGION`, with `unknown-account` and `unknown-region` where the app left them open.
    pub environment: String,
    pub tags: BTreeMap<String, String>,
    pub parameters: BTreeMap<String, String>,
    /// Names in CloudFormation of the stacks that must be deployed before.
    pub dependencies: Vec<String>,
    /// Whether CloudFormation shall refuse to delete the stack.
    pub termination_protection: bool,
    /// SNS topics that are told of the stack's events.
    pub notification_arns: Vec<String>,
    pub origins: BTreeMap<String, Origin>,
}

impl Stack {
    /// The construct behind a logical id of the template; nothing where the app wrote no metadata.
    pub fn origin(&self, logical_id: &str) -> Option<&Origin> {
        self.origins.get(logical_id)
    }

    pub fn template(&self) -> Outcome<Value> {
        read_json(&self.template_file)
    }
}

#[derive(Debug, Deserialize)]
struct Manifest {
    version: String,
    #[serde(default)]
    artifacts: BTreeMap<String, Artifact>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    #[serde(rename = "type")]
    kind: String,
    environment: Option<String>,
    #[serde(default)]
    properties: Value,
    #[serde(default)]
    dependencies: Vec<String>,
    display_name: Option<String>,
    #[serde(default)]
    metadata: Value,
    /// Where newer versions of aws-cdk-lib put the metadata.
    additional_metadata_file: Option<String>,
}

/// The stacks of the assembly in `folder` and of the assemblies nested in it, dependencies first.
pub fn read(folder: &Path) -> Outcome<Vec<Stack>> {
    let mut stacks = Vec::new();
    collect(folder, 0, &mut stacks)?;
    in_order(stacks)
}

fn collect(folder: &Path, depth: u32, stacks: &mut Vec<Stack>) -> Outcome {
    let file = folder.join("manifest.json");
    if depth > DEEPEST {
        return Err(Failure::new(
            Code::AssemblyInvalid,
            format!("{} is nested more than {DEEPEST} assemblies deep", file.display()),
        ));
    }
    let manifest: Manifest = serde_json::from_value(read_json(&file)?).map_err(|error| {
        Failure::new(
            Code::AssemblyInvalid,
            format!("{} is no manifest of a cloud assembly", file.display()),
        )
        .because(error)
    })?;
    let major = manifest
        .version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u64>().ok());
    if major.is_none_or(|major| major > KNOWN_SCHEMA) {
        return Err(Failure::new(
            Code::AssemblyInvalid,
            format!(
                "{} has schema version {}; this program knows up to {KNOWN_SCHEMA}",
                file.display(),
                manifest.version
            ),
        )
        .hint("use a newer llama-deploy, or an older aws-cdk-lib"));
    }
    for (id, artifact) in &manifest.artifacts {
        match artifact.kind.as_str() {
            "aws:cloudformation:stack" => stacks.push(stack(folder, id, artifact, &manifest)?),
            "cdk:cloud-assembly" => {
                let nested = artifact
                    .properties
                    .get("directoryName")
                    .and_then(Value::as_str)
                    .unwrap_or(id);
                collect(&inside(folder, nested)?, depth + 1, stacks)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn stack(folder: &Path, id: &str, artifact: &Artifact, manifest: &Manifest) -> Outcome<Stack> {
    let text = |key: &str| artifact.properties.get(key).and_then(Value::as_str);
    let map = |key: &str| {
        let entries = artifact.properties.get(key).and_then(Value::as_object);
        let entries = entries.into_iter().flatten();
        entries
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect()
    };
    let template = text("templateFile").ok_or_else(|| {
        Failure::new(
            Code::AssemblyInvalid,
            format!("stack {id} in {} names no template file", folder.display()),
        )
    })?;
    let of_kind = |kind: &'static str| {
        let dependencies = artifact
            .dependencies
            .iter()
            .filter_map(|name| Some((name, manifest.artifacts.get(name)?)));
        dependencies.filter(move |(_, dependency)| dependency.kind == kind)
    };
    let assets = of_kind("cdk:asset-manifest").find_map(|(_, dependency)| dependency.properties.get("file")?.as_str());
    let dependencies = of_kind("aws:cloudformation:stack").map(|(name, dependency)| {
        dependency
            .properties
            .get("stackName")
            .and_then(Value::as_str)
            .unwrap_or(name)
            .to_owned()
    });
    let additional = artifact.additional_metadata_file.as_deref();
    let additional = additional.map(|file| read_json(&folder.join(file))).transpose()?;
    let mut origins = origin::read(&artifact.metadata);
    origins.extend(additional.as_ref().map(origin::read).unwrap_or_default());
    let arns = artifact.properties.get("notificationArns").and_then(Value::as_array);
    let arns = arns
        .into_iter()
        .flatten()
        .filter_map(|arn| Some(arn.as_str()?.to_owned()));
    Ok(Stack {
        path: artifact.display_name.clone().unwrap_or_else(|| id.to_owned()),
        name: text("stackName").unwrap_or(id).to_owned(),
        template_file: folder.join(template),
        assets_file: assets.map(|file| folder.join(file)),
        environment: artifact
            .environment
            .clone()
            .unwrap_or_else(|| "aws://unknown-account/unknown-region".to_owned()),
        tags: map("tags"),
        parameters: map("parameters"),
        dependencies: dependencies.collect(),
        termination_protection: artifact.properties.get("terminationProtection") == Some(&Value::Bool(true)),
        notification_arns: arns.collect(),
        origins,
    })
}

/// A folder below; one that leads elsewhere could hold itself.
fn inside(folder: &Path, name: &str) -> Outcome<PathBuf> {
    if !name.is_empty()
        && Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
    {
        return Ok(folder.join(name));
    }
    Err(Failure::new(
        Code::AssemblyInvalid,
        format!(
            "the assembly in {} names the folder '{name}', which is not below it",
            folder.display()
        ),
    ))
}

/// Dependencies first; stacks that do not depend on each other by path.
fn in_order(mut waiting: Vec<Stack>) -> Outcome<Vec<Stack>> {
    waiting.sort_by(|left, right| left.path.cmp(&right.path));
    let mut ordered: Vec<Stack> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let blocked = |stack: &Stack| {
            let depends_on = |other: &Stack| other.name != stack.name && stack.dependencies.contains(&other.name);
            waiting.iter().any(depends_on)
        };
        let Some(next) = waiting.iter().position(|stack| !blocked(stack)) else {
            let names: Vec<&str> = waiting.iter().map(|stack| stack.path.as_str()).collect();
            return Err(Failure::new(
                Code::AssemblyInvalid,
                format!("these stacks depend on each other in a circle: {}", names.join(", ")),
            ));
        };
        ordered.push(waiting.remove(next));
    }
    Ok(ordered)
}

/// The stacks that were named, by path or by name, with what they depend on; all when none was named.
pub fn select(stacks: Vec<Stack>, named: &[String]) -> Outcome<Vec<Stack>> {
    if named.is_empty() {
        return Ok(stacks);
    }
    let mut wanted: Vec<String> = Vec::new();
    for name in named {
        let Some(stack) = stacks.iter().find(|stack| stack.path == *name || stack.name == *name) else {
            let known: Vec<&str> = stacks.iter().map(|stack| stack.path.as_str()).collect();
            return Err(
                Failure::new(Code::StackUnknown, format!("the app has no stack '{name}'"))
                    .hint(format!("it has: {}", known.join(", "))),
            );
        };
        wanted.push(stack.name.clone());
    }
    // Dependencies stand before their dependents, so one walk from the end finds them all.
    for stack in stacks.iter().rev() {
        if wanted.contains(&stack.name) {
            wanted.extend(stack.dependencies.iter().cloned());
        }
    }
    Ok(stacks
        .into_iter()
        .filter(|stack| wanted.contains(&stack.name))
        .collect())
}

fn read_json(file: &Path) -> Outcome<Value> {
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::new(Code::AssemblyInvalid, format!("cannot read {}", file.display()))
            .because(error)
            .hint("the app must write a cloud assembly into the folder that CDK_OUTDIR names")
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::new(Code::AssemblyInvalid, format!("{} is not JSON", file.display())).because(error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stack(name: &str, dependencies: &[&str]) -> Stack {
        Stack {
            path: name.into(),
            name: name.into(),
            dependencies: dependencies.iter().map(ToString::to_string).collect(),
            ..Stack::default()
        }
    }

    fn names(stacks: &[Stack]) -> Vec<&str> {
        stacks.iter().map(|stack| stack.name.as_str()).collect()
    }

    #[test]
    fn dependencies_come_first_and_are_selected_with_their_dependents() {
        let stacks = in_order(vec![
            stack("a", &["c"]),
            stack("b", &[]),
            stack("c", &["b"]),
            stack("d", &[]),
        ])
        .unwrap();
        assert_eq!(names(&stacks), ["b", "c", "a", "d"]);
        assert_eq!(names(&select(stacks.clone(), &["a".into()]).unwrap()), ["b", "c", "a"]);
        assert_eq!(select(stacks, &["e".into()]).unwrap_err().code, Code::StackUnknown);
    }

    #[test]
    fn a_circle_is_named() {
        let failure = in_order(vec![stack("a", &["b"]), stack("b", &["a"])]).unwrap_err();
        assert!(failure.message.contains("a, b"), "{}", failure.message);
    }

    #[test]
    fn what_an_app_says_of_its_stack_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, value: Value| std::fs::write(folder.path().join(name), value.to_string()).unwrap();
        write(
            "manifest.json",
            json!({ "version": "55.0.0", "artifacts": { "S": {
                "type": "aws:cloudformation:stack",
                "properties": {
                    "templateFile": "S.json", "terminationProtection": true, "tags": { "a": "b" },
                    "parameters": { "P": "1" }, "notificationArns": ["arn:aws:sns:eu-west-1:111111111111:t"]
                },
                "metadata": { "/S/A": [{ "type": "aws:cdk:logicalId", "data": "A" }] },
                "additionalMetadataFile": "S.metadata.json"
            } } }),
        );
        write(
            "S.metadata.json",
            json!({ "/S/B": [{ "type": "aws:cdk:logicalId", "data": "B" }] }),
        );
        let stacks = read(folder.path()).unwrap();
        let stack = &stacks[0];
        assert!(stack.termination_protection);
        assert_eq!(stack.notification_arns, ["arn:aws:sns:eu-west-1:111111111111:t"]);
        assert_eq!(stack.tags["a"], "b");
        assert_eq!(stack.parameters["P"], "1");
        assert_eq!(stack.origin("A").unwrap().path, "S/A");
        assert_eq!(stack.origin("B").unwrap().path, "S/B");
        assert_eq!(stack.origin("C"), None);
    }

    #[test]
    fn an_assembly_that_holds_itself_comes_to_an_end() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".", "..", "/", ""] {
            let nested = json!({ "type": "cdk:cloud-assembly", "properties": { "directoryName": name } });
            let manifest = json!({ "version": "55.0.0", "artifacts": { "N": nested } });
            std::fs::write(folder.path().join("manifest.json"), manifest.to_string()).unwrap();
            assert_eq!(read(folder.path()).unwrap_err().code, Code::AssemblyInvalid, "{name}");
        }
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("manifest.json"), r#"{"version":"99.0.0"}"#).unwrap();
        assert_eq!(read(folder.path()).unwrap_err().code, Code::AssemblyInvalid);
    }
}
