//! Exports that outlive their last reference: CloudFormation refuses to remove an export while a deployed stack imports
//! it, although the app that is deployed refers to it no more.
//!
//! The CDK leaves that to the user (`exportValue`); here the tool that deploys asks what is imported and keeps those
//! exports for one deploy more. Nothing is remembered in between: what the deployed template has, the new one has not,
//! and nobody imports any more, goes by itself.
//!
//! Pure functions over templates as JSON; who imports what is an argument. The CLI calls them before it updates a stack.
//! An export that stays but changes its value is none of this: CloudFormation refuses that by itself.

use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::diff::references;

/// An export of the deployed template that the new one has not.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropped {
    /// The logical id of the output; `DescribeStacks` calls it `OutputKey` and has the export's final name beside it.
    pub output: String,
    /// The name as the template has it: a text, or an intrinsic.
    pub name: Json,
}

impl Dropped {
    /// The export's name, where it is plain.
    pub fn export_name(&self) -> Option<&str> {
        self.name.as_str()
    }
}

/// An export that deployed stacks import, but whose value cannot be had from the new template.
#[derive(Debug, Error)]
#[error(
    "stack `{producer}` cannot drop `{missing}`: its export `{export}` is still imported by {importers}; deploy what \
     imports it first, then `{producer}` again",
    importers = quoted(importers)
)]
pub struct StillImported {
    pub producer: String,
    pub export: String,
    /// What the value refers to and the new template lacks: the logical id of a resource, a parameter or a condition.
    pub missing: String,
    /// The names of the stacks that import it.
    pub importers: Vec<String>,
}

impl StillImported {
    pub const fn code(&self) -> &'static str {
        "LD1014"
    }
}

/// ``stack `One`, stack `Two` ``
fn quoted(stacks: &[String]) -> String {
    let quoted: Vec<String> = stacks.iter().map(|stack| format!("stack `{stack}`")).collect();
    quoted.join(", ")
}

/// The exports of `deployed` whose names `new` does not export, in the order of the deployed template. Ask CloudFormation
/// for the importers of these (`ListImports`), then call [`keep_imported`].
pub fn dropped(deployed: &Json, new: &Json) -> Vec<Dropped> {
    let stays = |name: &Json| exports(new).any(|(_, export)| export == name);
    exports(deployed)
        .filter(|(_, name)| !stays(name))
        .map(|(output, name)| Dropped {
            output: output.clone(),
            name: name.clone(),
        })
        .collect()
}

/// Puts every dropped export that is still imported back into `new`, as the deployed template has it. Returns the logical
/// ids of the outputs that were kept; nothing is changed when it fails. `importers` answers the names of the stacks that
/// import an export now; none, if it may go.
///
/// # Errors
/// When the value of an export that must stay refers to what the new template has no more.
pub fn keep_imported(
    producer: &str,
    deployed: &Json,
    new: &mut Json,
    importers: impl Fn(&Dropped) -> Vec<String>,
) -> Result<Vec<String>, StillImported> {
    let mut kept: Vec<(String, Json)> = Vec::new();
    for export in dropped(deployed, new) {
        let importers = importers(&export);
        if importers.is_empty() {
            continue;
        }
        let output = deployed["Outputs"][&export.output].clone();
        if let Some(missing) = missing(deployed, new, &output) {
            return Err(StillImported {
                producer: producer.to_owned(),
                export: export
                    .export_name()
                    .map_or_else(|| export.output.clone(), str::to_owned),
                missing,
                importers,
            });
        }
        // The new template may use the id for something else.
        let is_free = |id: &str| new["Outputs"].get(id).is_none() && kept.iter().all(|(other, _)| other != id);
        let mut id = export.output;
        while !is_free(&id) {
            id.push_str("Kept");
        }
        kept.push((id, output));
    }
    let ids = kept.iter().map(|(id, _)| id.clone()).collect();
    if !kept.is_empty()
        && let Some(template) = new.as_object_mut()
        && let Json::Object(outputs) = template.entry("Outputs").or_insert_with(|| Map::new().into())
    {
        outputs.extend(kept);
    }
    Ok(ids)
}

/// The outputs that are exported, with the names of their exports.
fn exports(template: &Json) -> impl Iterator<Item = (&String, &Json)> {
    let outputs = template.get("Outputs").and_then(Json::as_object);
    outputs
        .into_iter()
        .flatten()
        .filter_map(|(output, body)| Some((output, body.get("Export")?.get("Name")?)))
}

/// What an output of the deployed template refers to and the new one lacks.
fn missing(deployed: &Json, new: &Json, output: &Json) -> Option<String> {
    let names = |section: &str| {
        let section = deployed.get(section).and_then(Json::as_object);
        section.into_iter().flat_map(Map::keys)
    };
    let gone = |section: &str, name: &str| new.get(section).is_none_or(|section| section.get(name).is_none());
    let referred = ["Resources", "Parameters"]
        .into_iter()
        .flat_map(|section| names(section).map(move |name| (section, name)))
        .find(|(section, name)| gone(section, name) && references::any(output, name));
    let conditional = names("Conditions")
        .map(|name| ("Conditions", name))
        .find(|(section, name)| gone(section, name) && holds_on(output, name));
    let mapped = names("Mappings")
        .map(|name| ("Mappings", name))
        .find(|(section, name)| gone(section, name) && maps_in(output, name));
    referred.or(conditional).or(mapped).map(|(_, name)| name.clone())
}

/// Whether a condition decides about an output or a part of its value.
fn holds_on(value: &Json, condition: &str) -> bool {
    first_argument_of(value, "Fn::If", condition) || value.get("Condition").is_some_and(|name| name == condition)
}

fn maps_in(value: &Json, mapping: &str) -> bool {
    first_argument_of(value, "Fn::FindInMap", mapping)
}

fn first_argument_of(value: &Json, function: &str, argument: &str) -> bool {
    match value {
        Json::Object(map) => map.iter().any(|(key, inner)| {
            key == function && inner.get(0).is_some_and(|first| first == argument)
                || first_argument_of(inner, function, argument)
        }),
        Json::Array(items) => items.iter().any(|item| first_argument_of(item, function, argument)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployed() -> Json {
        json!({
            "Parameters": { "Stage": { "Type": "String" } },
            "Conditions": { "IsProd": { "Fn::Equals": [{ "Ref": "Stage" }, "prod"] } },
            "Resources": { "Topic": { "Type": "AWS::SNS::Topic" }, "Queue": { "Type": "AWS::SQS::Queue" } },
            "Outputs": {
                "TopicArn": { "Value": { "Ref": "Topic" }, "Export": { "Name": "P:Topic" } },
                "QueueArn": { "Value": { "Fn::GetAtt": ["Queue", "Arn"] }, "Export": { "Name": "P:Queue" } },
                "Either": {
                    "Value": { "Fn::If": ["IsProd", "a", "b"] },
                    "Export": { "Name": { "Fn::Sub": "${AWS::StackName}-either" } }
                },
                "Plain": { "Value": "x" }
            }
        })
    }

    fn without(template: &Json, section: &str, name: &str) -> Json {
        let mut template = template.clone();
        template[section]
            .as_object_mut()
            .and_then(|section| section.remove(name));
        template
    }

    #[test]
    fn what_is_imported_stays_until_nobody_imports_it() {
        let deployed = deployed();
        let mut new = without(&without(&deployed, "Outputs", "TopicArn"), "Outputs", "Plain");
        let imported = |export: &Dropped| match export.export_name() {
            Some("P:Topic") => vec!["Consumer".to_owned()],
            _ => Vec::new(),
        };
        assert_eq!(
            keep_imported("P", &deployed, &mut new, imported).ok(),
            Some(vec!["TopicArn".to_owned()])
        );
        assert_eq!(new["Outputs"]["TopicArn"], deployed["Outputs"]["TopicArn"]);

        let mut next = without(&new, "Outputs", "TopicArn");
        let before = next.clone();
        assert_eq!(
            keep_imported("P", &new, &mut next, |_| Vec::new()).ok(),
            Some(Vec::new())
        );
        assert_eq!(next, before, "it goes by itself");
    }

    #[test]
    fn a_template_that_lost_all_its_outputs_gets_the_section_back() {
        let deployed = deployed();
        let mut new = deployed.clone();
        new.as_object_mut().and_then(|template| template.remove("Outputs"));
        assert_eq!(dropped(&deployed, &new).len(), 3);
        let kept = keep_imported("P", &deployed, &mut new, |_| vec!["C".into()]).ok();
        assert_eq!(kept, Some(vec!["TopicArn".into(), "QueueArn".into(), "Either".into()]));
        assert_eq!(new["Outputs"]["Either"], deployed["Outputs"]["Either"]);
    }

    #[test]
    fn an_export_that_moved_to_another_output_is_not_dropped() {
        let deployed = deployed();
        let mut new = without(&deployed, "Outputs", "TopicArn");
        new["Outputs"]["Other"] = deployed["Outputs"]["TopicArn"].clone();
        assert_eq!(dropped(&deployed, &new), []);
    }

    #[test]
    fn an_id_that_the_new_template_uses_otherwise_is_left_alone() {
        let deployed = deployed();
        let mut new = deployed.clone();
        new["Outputs"]["TopicArn"] = json!({ "Value": "else" });
        let kept = keep_imported("P", &deployed, &mut new, |_| vec!["C".into()]).ok();
        assert_eq!(kept, Some(vec!["TopicArnKept".into()]));
        assert_eq!(new["Outputs"]["TopicArn"], json!({ "Value": "else" }));
    }

    #[test]
    fn what_cannot_be_kept_names_both_stacks_and_what_to_do() {
        let deployed = deployed();
        for (section, name, output) in [("Resources", "Queue", "QueueArn"), ("Conditions", "IsProd", "Either")] {
            let mut new = without(&without(&deployed, "Outputs", output), section, name);
            let before = new.clone();
            let error = keep_imported("P", &deployed, &mut new, |_| vec!["C1".into(), "C2".into()]);
            let text = error.map_err(|error| error.to_string());
            let expected = format!("stack `P` cannot drop `{name}`: its export `");
            let text = text.err().unwrap_or_default();
            assert!(text.starts_with(&expected), "{text}");
            assert!(
                text.contains("imported by stack `C1`, stack `C2`; deploy what imports it first"),
                "{text}"
            );
            assert_eq!(new, before);
        }
    }
}
