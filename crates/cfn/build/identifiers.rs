//! Marker types for what relations point to: `id::ec2::SubnetId`. Only those that an enabled service mentions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::Failure;
use crate::model::{ResourceSchema, ServiceSchema};
use crate::names;

/// What passes for another identifier although the schema's relations do not say so. Lambda takes the ARN of an alias
/// or a version wherever it takes that of a function, and an ARN wherever it takes a name
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>, `FunctionName`). An attachment of a VPC is one of
/// the attachments of a transit gateway.
const ALSO_ACCEPTED: &[(&str, &[&str])] = &[
    (
        "AWS::Lambda::Function.Arn",
        &["AWS::Lambda::Alias.AliasArn", "AWS::Lambda::Version.FunctionArn"],
    ),
    (
        "AWS::Lambda::Function.FunctionName",
        &[
            "AWS::Lambda::Function.Arn",
            "AWS::Lambda::Alias.AliasArn",
            "AWS::Lambda::Version.FunctionArn",
        ],
    ),
    (
        "AWS::EC2::TransitGatewayAttachment.Id",
        &["AWS::EC2::TransitGatewayVpcAttachment.Id"],
    ),
];

/// The marker that stands for several targets: a KMS key by id, ARN or alias.
pub const ANY_KEY: &str = "AWS::KMS::Any.Key";

/// The targets that the marker of a property stands for: one target, the KMS family, or nothing in particular.
pub fn marker(refers: &[String]) -> Option<&str> {
    match refers {
        [one] => Some(one),
        [] => None,
        several if several.iter().all(|target| target.starts_with("AWS::KMS::")) => Some(ANY_KEY),
        _ => None,
    }
}

/// The path of a marker inside the crate.
pub fn path(target: &str) -> String {
    let (module, name) = names::identifier(target);
    format!("rt::id::{module}::{name}")
}

pub fn generate(services: &BTreeMap<String, ServiceSchema>, code: &mut String) -> Result<(), Failure> {
    let mut targets = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for resource in services.values().flat_map(|service| service.resources.values()) {
        targets.extend(resource.ref_refers.as_deref());
        for refers in relations(resource) {
            targets.extend(marker(refers));
            if marker(refers) == Some(ANY_KEY) {
                keys.extend(refers.iter().map(String::as_str));
            }
        }
    }
    targets.extend(&keys);

    let mut modules: BTreeMap<String, BTreeMap<String, &str>> = BTreeMap::new();
    for target in &targets {
        let (module, name) = names::identifier(target);
        if let Some(other) = modules.entry(module).or_default().insert(name, target) {
            return Err(
                format!("{target} and {other} have the same marker: rename one in build/identifiers.rs").into(),
            );
        }
    }
    code.push_str("/// Identifiers of resources as types, so that wrong wiring does not compile.\n#[allow(unused_imports)]\npub mod id {\n");
    code.push_str("    use crate::runtime as rt;\n");
    for (module, names) in &modules {
        writeln!(
            code,
            "    /// Identifiers of `{module}`.\n    pub mod {module} {{\n        use super::rt;"
        )?;
        for (name, target) in names {
            let words = if *target == ANY_KEY {
                "A KMS key by id, ARN or alias"
            } else {
                target
            };
            writeln!(
                code,
                "        /// `{words}`.\n        #[derive(Debug)]\n        pub enum {name} {{}}"
            )?;
            writeln!(code, "        impl rt::Identifier for {name} {{}}")?;
            writeln!(code, "        impl rt::Accepts<{name}> for {name} {{}}")?;
            let also = ALSO_ACCEPTED
                .iter()
                .filter(|(accepting, _)| accepting == target)
                .flat_map(|(_, also)| *also);
            let keys = keys.iter().filter(|_| *target == ANY_KEY);
            for accepted in also.filter(|accepted| targets.contains(*accepted)).chain(keys) {
                writeln!(code, "        impl rt::Accepts<{}> for {name} {{}}", path(accepted))?;
            }
        }
        code.push_str("    }\n");
    }
    code.push_str("}\n");
    Ok(())
}

fn relations(resource: &ResourceSchema) -> impl Iterator<Item = &[String]> {
    let nested = resource.types.values().flat_map(|nested| nested.properties.values());
    let own = resource.properties.values().chain(resource.attributes.values());
    own.chain(nested).map(|property| property.refers.as_slice())
}
