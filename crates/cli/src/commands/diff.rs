//! `llama-deploy diff`: the app's templates beside the deployed ones, beside another assembly, or beside a file.

mod report;
pub(super) mod security;
mod source;
mod values;

use cfn::schema::{PropertyType, Replaces, ResourceSchema};
use serde_json::{Value, json};
use stack::diff::{self, SecurityChanges, TemplateDiff, UpdateBehavior, UpdateBehaviors};

use self::report::{Presence, Report};
use self::source::{Compared, Source};
use super::assemble;
use crate::arguments::Diff;
use crate::assembly::Origin;
use crate::console::Console;
use crate::failure::Outcome;
use crate::settings::{LOCAL, Settings};

/// With `--fail` 1 when something differs, and 2 for whatever else goes wrong, so that a pipeline tells them apart.
pub fn run(options: &Diff, settings: &Settings, console: &Console) -> Outcome<u8> {
    compare(options, settings, console).map_err(|failure| if options.fail { failure.ending_with(2) } else { failure })
}

fn compare(options: &Diff, settings: &Settings, console: &Console) -> Outcome<u8> {
    let folder = settings.environment_folder(options.app.environment.as_deref().unwrap_or(LOCAL));
    // What is compared with is read first: the app may write its assembly into the same folder.
    let source = options.against.as_deref().map(Source::read).transpose()?;
    let (environment, stacks) = assemble(settings, &options.app, folder.join("assembly"), console)?;
    let source = match source {
        Some(source) => source,
        None => Source::deployed(settings, environment, console)?,
    };
    let pairs = source.pairs(stacks, &options.stacks)?;
    let mut shown: Vec<(&Compared, TemplateDiff, SecurityChanges)> = Vec::with_capacity(pairs.len());
    for pair in &pairs {
        let difference = if options.strict {
            diff::strict(&pair.old, &pair.new, &Schemas)
        } else {
            diff::diff(&pair.old, &pair.new, &Schemas)
        };
        shown.push((pair, difference, diff::security(&pair.old, &pair.new)));
    }
    let root = settings.root.to_string_lossy();
    for (pair, difference, security) in &shown {
        let origin = |logical_id: &str| pair.stack.origin(logical_id).map(|origin| below(&root, origin));
        let old_origin = |logical_id: &str| Some(below(&root, pair.before.as_ref()?.origin(logical_id)?));
        let report = Report {
            path: &pair.stack.path,
            presence: Presence::of(&pair.old, &pair.new),
            difference,
            security,
            origin: &origin,
            old_origin: &old_origin,
            paint: console.paint(),
        };
        console.print(&report.text());
    }
    let all = shown.iter().map(|(_, difference, security)| (difference, security));
    console.print(&report::summary(shown.len(), all));
    let documents: Vec<Value> = shown
        .iter()
        .map(|(pair, difference, security)| document(pair, difference, security))
        .collect();
    console.print_json(&json!({ "stacks": documents }));
    let differs = shown.iter().any(|(_, difference, _)| !difference.is_empty());
    Ok(u8::from(options.fail && differs))
}

/// A source line as one sees it from the project's folder.
fn below(root: &str, origin: &Origin) -> Origin {
    let source = origin.source.as_deref().map(|source| {
        let relative = source.strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
        relative.unwrap_or(source).to_owned()
    });
    Origin {
        path: origin.path.clone(),
        source,
    }
}

fn document(pair: &Compared, difference: &TemplateDiff, security: &SecurityChanges) -> Value {
    let mut document = json!({
        "path": pair.stack.path, "name": pair.stack.name, "diff": difference, "security": security,
        "broadens": security.broadens(), "destructive": difference.is_destructive(),
    });
    let resources = document.pointer_mut("/diff/resources").and_then(Value::as_array_mut);
    for (resource, found) in resources.into_iter().flatten().zip(&difference.resources) {
        if let Some(origin) = pair.stack.origin(&found.logical_id) {
            resource["path"] = json!(origin.path);
            resource["source"] = json!(origin.source);
        }
    }
    document
}

/// What the schema of CloudFormation says of a property and of what is below it.
pub struct Schemas;

impl UpdateBehaviors for Schemas {
    fn of(&self, resource_type: &str, path: &[&str]) -> UpdateBehavior {
        match cfn::schema::resource(resource_type).map(|schema| replaces(schema, path)) {
            Some(Replaces::Always) => UpdateBehavior::Replaces,
            Some(Replaces::Conditionally) => UpdateBehavior::MayReplace,
            Some(Replaces::Never) | None => UpdateBehavior::InPlace,
        }
    }
}

/// The strongest that stands on the way down the path.
fn replaces(schema: &ResourceSchema, path: &[&str]) -> Replaces {
    let Some((name, below)) = path.split_first() else {
        return Replaces::Never;
    };
    let by_path = schema.replacement_paths.iter().any(|known| {
        let known: Vec<&str> = known.split('/').collect();
        known.len() <= path.len()
            && known
                .iter()
                .zip(path)
                .all(|(known, segment)| *known == "*" || known == segment)
    });
    if by_path {
        return Replaces::Always;
    }
    match schema.properties.get(*name) {
        Some(property) => property.replaces.max(within(schema, &property.kind, below)),
        None => Replaces::Never,
    }
}

fn within(schema: &ResourceSchema, kind: &PropertyType, path: &[&str]) -> Replaces {
    let Some((segment, below)) = path.split_first() else {
        return Replaces::Never;
    };
    match kind {
        PropertyType::List(item) | PropertyType::Map(item) => within(schema, item, below),
        PropertyType::Definition(name) => match schema.types.get(name).and_then(|kind| kind.properties.get(*segment)) {
            Some(property) => property.replaces.max(within(schema, &property.kind, below)),
            None => Replaces::Never,
        },
        PropertyType::Union(kinds) => kinds
            .iter()
            .map(|kind| within(schema, kind, path))
            .max()
            .unwrap_or_default(),
        _ => Replaces::Never,
    }
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
