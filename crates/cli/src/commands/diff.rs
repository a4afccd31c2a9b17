//! `llama-deploy diff`: the app's templates beside the deployed ones.

use cfn::schema::Replaces;
use serde_json::{Value, json};
use stack::diff::{self, Change, PropertyDiff, TemplateDiff, UpdateBehavior, UpdateBehaviors};

use super::{Session, assemble_selected};
use crate::arguments::Diff;
use crate::console::Console;
use crate::failure::Outcome;
use crate::settings::Settings;

/// 1 when something differs and `--fail` was given.
pub fn run(options: &Diff, settings: &Settings, console: &Console) -> Outcome<u8> {
    let (environment, stacks) = assemble_selected(settings, &options.app, &options.stacks, console)?;
    let session = Session::open(settings, environment, console)?;
    let mut differing = 0;
    let mut documents = Vec::new();
    for stack in &stacks {
        let deployed = session.deployed_template(&stack.name)?;
        let difference = diff::diff(&deployed.unwrap_or_default(), &stack.template()?, &Schemas);
        differing += usize::from(!difference.is_empty());
        console.print(&render(&stack.path, &difference));
        documents.push(json!({ "path": stack.path, "name": stack.name, "diff": difference }));
    }
    console.print(&format!("{differing} of {} stacks differ", stacks.len()));
    console.print_json(&json!({ "stacks": documents }));
    Ok(u8::from(options.fail && differing > 0))
}

/// What the schema of CloudFormation says of a property.
pub struct Schemas;

impl UpdateBehaviors for Schemas {
    fn of(&self, resource_type: &str, property: &str) -> UpdateBehavior {
        let schema = cfn::schema::resource(resource_type);
        match schema
            .and_then(|schema| schema.properties.get(property))
            .map(|property| property.replaces)
        {
            Some(Replaces::Always) => UpdateBehavior::Replaces,
            Some(Replaces::Conditionally) => UpdateBehavior::MayReplace,
            Some(Replaces::Never) | None => UpdateBehavior::InPlace,
        }
    }
}

/// The lines of one stack.
pub fn render(path: &str, difference: &TemplateDiff) -> String {
    if difference.is_empty() {
        return format!("{path}: no difference");
    }
    let mut lines = vec![path.to_owned()];
    for section in &difference.sections {
        let values = transition(section.old.as_ref(), section.new.as_ref());
        lines.push(format!(
            "  {} {} {}: {values}",
            sign(section.old.is_some(), section.new.is_some()),
            section.section,
            section.name
        ));
    }
    for resource in &difference.resources {
        let (sign, note) = match resource.change {
            Change::Add => ("+", ""),
            Change::Update => ("~", ""),
            Change::MayReplace => ("±", "  may be replaced"),
            Change::Replace => ("±", "  will be REPLACED"),
            Change::Release => ("-", "  leaves the stack, is retained"),
            Change::Remove => ("-", "  will be DELETED"),
        };
        lines.push(format!(
            "  {sign} {} {}{note}",
            resource.resource_type, resource.logical_id
        ));
        lines.extend(resource.properties.iter().map(property));
    }
    lines.join("\n")
}

fn property(property: &PropertyDiff) -> String {
    let path = property.path.strip_prefix("Properties/").unwrap_or(&property.path);
    let effect = match property.update {
        UpdateBehavior::InPlace => "",
        UpdateBehavior::MayReplace => "  (may replace)",
        UpdateBehavior::Replaces => "  (replaces)",
    };
    match &property.because_of {
        Some(cause) => format!("      ~ {path}: changes with {cause}{effect}"),
        None => {
            let values = transition(property.old.as_ref(), property.new.as_ref());
            format!(
                "      {} {path}: {values}{effect}",
                sign(property.old.is_some(), property.new.is_some())
            )
        }
    }
}

fn sign(old: bool, new: bool) -> &'static str {
    match (old, new) {
        (false, _) => "+",
        (_, false) => "-",
        _ => "~",
    }
}

fn transition(old: Option<&Value>, new: Option<&Value>) -> String {
    match (old, new) {
        (Some(old), Some(new)) => format!("{} → {}", short(old), short(new)),
        (Some(only), None) | (None, Some(only)) => short(only),
        (None, None) => String::new(),
    }
}

/// A value on one line; the rest of a long one is in `--json`.
fn short(value: &Value) -> String {
    const LONGEST: usize = 100;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_reads_line_by_line() {
        struct Replaces;
        impl UpdateBehaviors for Replaces {
            fn of(&self, _: &str, property: &str) -> UpdateBehavior {
                if property == "Name" {
                    UpdateBehavior::Replaces
                } else {
                    UpdateBehavior::InPlace
                }
            }
        }
        let old = json!({ "Resources": {
            "Queue": { "Type": "AWS::SQS::Queue", "Properties": { "Name": "a", "Delay": 1 } },
            "User": { "Type": "AWS::SQS::Policy", "Properties": { "Queue": { "Ref": "Queue" } } },
            "Gone": { "Type": "AWS::SNS::Topic" }
        } });
        let new = json!({
            "Resources": {
                "Queue": { "Type": "AWS::SQS::Queue", "Properties": { "Name": "b", "Delay": 1, "Size": 2 } },
                "User": { "Type": "AWS::SQS::Policy", "Properties": { "Queue": { "Ref": "Queue" } } },
            },
            "Outputs": { "Url": { "Value": "x" } }
        });
        insta::assert_snapshot!(render("App/Stack", &diff::diff(&old, &new, &Replaces)), @r#"
        App/Stack
          + Outputs Url: {"Value":"x"}
          - AWS::SNS::Topic Gone  will be DELETED
          ± AWS::SQS::Queue Queue  will be REPLACED
              ~ Name: "a" → "b"  (replaces)
              + Size: 2
          ~ AWS::SQS::Policy User
              ~ Queue: changes with Queue
        "#);
        assert_eq!(render("S", &TemplateDiff::default()), "S: no difference");
    }
}
