//! Differences that mean nothing for what runs. What the CDK leaves out of its own diff is folded here too: its metadata
//! resource, its bootstrap version, and texts that CloudFormation gives back with `?` for every character beyond ASCII
//! (<https://github.com/aws/aws-cdk-cli>, `packages/@aws-cdk/toolkit-lib/lib/api/diff/diff-formatter.ts`); and the
//! metadata that tells tools where a resource and its asset come from.

use serde_json::Value;

use super::{Change, PropertyDiff, TemplateDiff, change_of};

const ENTRIES: [(&str, &str); 3] = [
    ("Parameters", "BootstrapVersion"),
    ("Rules", "CheckBootstrapVersion"),
    ("Conditions", "CDKMetadataAvailable"),
];

pub fn fold(difference: &mut TemplateDiff) {
    let folded = &mut difference.folded;
    difference.sections.retain_mut(|section| {
        let bookkeeping = ENTRIES.contains(&(section.section.as_str(), section.name.as_str()));
        section.parts.retain(|part| !is_mangled(part));
        let mangled = section.old.is_some() && section.new.is_some() && section.parts.is_empty();
        if bookkeeping || mangled {
            folded.push(
                format!("{}/{}", section.section, section.name)
                    .trim_end_matches('/')
                    .to_owned(),
            );
        }
        !bookkeeping && !mangled
    });
    difference.resources.retain_mut(|resource| {
        if resource.resource_type == "AWS::CDK::Metadata" {
            folded.push(format!("Resources/{}", resource.logical_id));
            return false;
        }
        if resource.old_type.is_some()
            || !matches!(resource.change, Change::Update | Change::MayReplace | Change::Replace)
        {
            return true;
        }
        resource.properties.retain(|property| {
            let drop = is_origin(&property.path) || is_mangled(property);
            if drop {
                folded.push(format!("Resources/{}/{}", resource.logical_id, property.path));
            }
            !drop
        });
        resource.change = change_of(&resource.properties);
        !resource.properties.is_empty()
    });
}

/// `aws:cdk:path`, `aws:asset:path`, `aws:asset:property` and their kin.
fn is_origin(path: &str) -> bool {
    let key = path.strip_prefix("Metadata/").unwrap_or_default();
    key.starts_with("aws:cdk:") || key.starts_with("aws:asset:")
}

fn is_mangled(property: &PropertyDiff) -> bool {
    match (&property.old, &property.new) {
        (Some(Value::String(old)), Some(Value::String(new))) => {
            !new.is_ascii()
                && old.chars().eq(new
                    .chars()
                    .map(|character| if character.is_ascii() { character } else { '?' }))
        }
        _ => false,
    }
}
