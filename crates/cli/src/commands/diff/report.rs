//! The difference of one stack as text. What may lose something stands first, what allows something last.

use serde_json::Value;
use stack::diff::{
    Change, PropertyDiff, Remains, ResourceDiff, SectionDiff, SecurityChanges, TemplateDiff, UpdateBehavior,
};

use super::security;
use super::values::{Shown, transition, visible};
use crate::assembly::Origin;
use crate::paint::Paint;

/// On which sides there is a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Both,
    New,
    Gone,
}

impl Presence {
    pub fn of(old: &Value, new: &Value) -> Self {
        match (old, new) {
            (Value::Null, _) => Presence::New,
            (_, Value::Null) => Presence::Gone,
            _ => Presence::Both,
        }
    }
}

pub struct Report<'a> {
    /// The stack's path in the app.
    pub path: &'a str,
    pub presence: Presence,
    pub difference: &'a TemplateDiff,
    pub security: &'a SecurityChanges,
    /// Of a resource of the new template.
    pub origin: &'a dyn Fn(&str) -> Option<Origin>,
    /// Of a resource of the old one, where that is an assembly too.
    pub old_origin: &'a dyn Fn(&str) -> Option<Origin>,
    pub paint: Paint,
}

impl Report<'_> {
    pub fn text(&self) -> String {
        let mut lines = vec![self.paint.bold(&visible(self.path))];
        match self.presence {
            Presence::Both if self.difference.is_empty() => lines[0].push_str(": no difference"),
            Presence::Both => {}
            Presence::New => lines[0].push_str(": a new stack"),
            Presence::Gone => lines[0].push_str(": the app has it no more"),
        }
        let (outputs, inputs): (Vec<&SectionDiff>, Vec<&SectionDiff>) = self
            .difference
            .sections
            .iter()
            .partition(|section| section.section == "Outputs");
        inputs.into_iter().for_each(|section| self.section(section, &mut lines));
        let mut resources: Vec<&ResourceDiff> = self.difference.resources.iter().collect();
        resources.sort_by_key(|resource| weight(resource.change));
        resources
            .into_iter()
            .for_each(|resource| self.resource(resource, &mut lines));
        outputs
            .into_iter()
            .for_each(|section| self.section(section, &mut lines));
        lines.extend(
            security::table(self.security, self.paint)
                .into_iter()
                .map(|line| format!("  {line}")),
        );
        if !self.difference.folded.is_empty() {
            let count = self.difference.folded.len();
            let what = if count == 1 { "difference" } else { "differences" };
            lines.push(self.paint.faint(&format!(
                "  {count} {what} of the CDK's bookkeeping left out; --strict shows all"
            )));
        }
        lines.join("\n")
    }

    fn section(&self, section: &SectionDiff, lines: &mut Vec<String>) {
        let title = visible(format!("{} {}", section.section, section.name).trim_end());
        if section.parts.iter().all(|part| part.path.is_empty()) {
            let value = |side: &'_ Option<Value>| match side {
                Some(Value::Object(entry)) if section.section == "Outputs" => entry.get("Value").cloned(),
                other => other.clone(),
            };
            let shown = transition(value(&section.old).as_ref(), value(&section.new).as_ref(), self.paint);
            self.valued(
                "  ",
                self.sign(section.old.is_some(), section.new.is_some()),
                &title,
                shown,
                "",
                lines,
            );
            return;
        }
        lines.push(format!("  {} {title}", self.paint.yellow("~")));
        section.parts.iter().for_each(|part| self.property(part, lines));
    }

    fn resource(&self, resource: &ResourceDiff, lines: &mut Vec<String>) {
        let paint = self.paint;
        let what = format!("{} {}", visible(&resource.resource_type), visible(&resource.logical_id));
        let remains = match resource.remains {
            Remains::Nothing => "",
            Remains::Snapshot => ", a snapshot remains",
            Remains::Everything => ", the old one remains outside the stack",
        };
        let reasons = resource.reasons();
        let by = if reasons.is_empty() {
            String::new()
        } else {
            format!(" by {}", visible(&reasons.join(", ")))
        };
        let (head, note) = match resource.change {
            Change::Add => (paint.green(&format!("+ {what}")), String::new()),
            Change::Update => (paint.yellow(&format!("~ {what}")), String::new()),
            Change::MayReplace => (
                paint.yellow(&format!("± {what}")),
                format!("may be replaced{by}{remains}"),
            ),
            Change::Replace => (
                paint.red(&format!("± {what}")),
                format!("will be REPLACED{by}{remains}"),
            ),
            Change::Release => (
                paint.yellow(&format!("- {what}")),
                "leaves the stack, is retained".to_owned(),
            ),
            Change::Remove => (paint.red(&format!("- {what}")), format!("will be DELETED{remains}")),
        };
        let mut line = format!("  {head}");
        if !note.is_empty() {
            line.push_str(&format!("  {}", paint.bold(&note)));
        }
        let place = self.place(resource);
        if !place.is_empty() {
            line.push_str(&format!("  {}", paint.faint(&place)));
        }
        lines.push(line);
        if let Some(old_type) = &resource.old_type {
            lines.push(format!(
                "      it is of type {} now: CloudFormation refuses to change a type, give it another logical id",
                visible(old_type)
            ));
        }
        if let (Some(new), Change::Remove | Change::Release) = (&resource.looks_like, resource.change) {
            lines.push(format!(
                "      looks like {}, which is added: see there how to keep it",
                visible(new)
            ));
        }
        if let (Some(old), Change::Add) = (&resource.looks_like, resource.change) {
            lines.push(format!(
                "      looks like {} under a new logical id: keep it with {}",
                visible(old),
                self.keeping(old, resource)
            ));
        }
        resource
            .properties
            .iter()
            .for_each(|property| self.property(property, lines));
    }

    /// The call that keeps the old logical id: ours, or the CDK's where the construct stands in another language.
    fn keeping(&self, old: &str, resource: &ResourceDiff) -> String {
        let source = (self.origin)(&resource.logical_id).and_then(|origin| origin.source);
        if source.is_some_and(|source| !source.contains(".rs:")) {
            return format!("overrideLogicalId(\"{}\")", visible(old));
        }
        match self.old_path(old, resource) {
            Some(path) => format!("construct().moved_from(\"{}\")", visible(&path)),
            None => "construct().moved_from(the path that it had)".to_owned(),
        }
    }

    /// What `moved_from` takes: ids below the stack, of the construct and not of the resource that it is made of.
    fn old_path(&self, old: &str, resource: &ResourceDiff) -> Option<String> {
        let known = (self.old_origin)(old).map(|origin| origin.path);
        let path = known.or_else(|| resource.old_path.clone())?;
        let path = path.strip_suffix("/Resource").unwrap_or(&path);
        let below = path.strip_prefix(self.path).and_then(|rest| rest.strip_prefix('/'));
        Some(below.unwrap_or(path).to_owned())
    }

    /// Where the app makes it, or made it: its source line, or the construct's path where no line is known.
    fn place(&self, resource: &ResourceDiff) -> String {
        let of_old = || {
            resource
                .old_path
                .clone()
                .filter(|_| resource.change != Change::Add)
                .map(|path| format!("({path})"))
        };
        let origin = (self.origin)(&resource.logical_id)
            .or_else(|| (self.old_origin)(&resource.logical_id))
            .map(|origin| origin.source.unwrap_or_else(|| format!("({})", origin.path)));
        visible(&origin.or_else(of_old).unwrap_or_default())
    }

    fn property(&self, property: &PropertyDiff, lines: &mut Vec<String>) {
        let path = visible(property.path.strip_prefix("Properties/").unwrap_or(&property.path)).replace("/[", "[");
        let effect = match property.update {
            UpdateBehavior::InPlace => "",
            UpdateBehavior::MayReplace => "may replace",
            UpdateBehavior::Replaces => "replaces",
        };
        let (sign, shown) = match &property.because_of {
            Some(cause) => {
                let how = if property.certain { "changes" } else { "may change" };
                let line = format!("{how} with {}", visible(cause));
                (
                    self.paint.yellow("~"),
                    Shown {
                        line,
                        below: Vec::new(),
                    },
                )
            }
            None => (
                self.sign(property.old.is_some(), property.new.is_some()),
                transition(property.old.as_ref(), property.new.as_ref(), self.paint),
            ),
        };
        self.valued("      ", sign, &path, shown, effect, lines);
    }

    fn valued(&self, indent: &str, sign: String, name: &str, shown: Shown, effect: &str, lines: &mut Vec<String>) {
        let mut line = format!("{indent}{sign} {name}");
        if !shown.line.is_empty() {
            line.push_str(&format!(": {}", shown.line));
        }
        if !effect.is_empty() {
            line.push_str(&format!("  ({})", self.paint.bold(effect)));
        }
        lines.push(line);
        lines.extend(
            shown
                .below
                .iter()
                .map(|below| format!("{indent}    {below}").trim_end().to_owned()),
        );
    }

    fn sign(&self, old: bool, new: bool) -> String {
        match (old, new) {
            (false, _) => self.paint.green("+"),
            (_, false) => self.paint.red("-"),
            _ => self.paint.yellow("~"),
        }
    }
}

fn weight(change: Change) -> u8 {
    match change {
        Change::Remove => 0,
        Change::Replace => 1,
        Change::MayReplace => 2,
        Change::Release => 3,
        Change::Update => 4,
        Change::Add => 5,
    }
}

/// `2 of 3 stacks differ: 1 added, 2 changed, 1 replaced; allows more than before`.
pub fn summary<'a>(stacks: usize, changed: impl Iterator<Item = (&'a TemplateDiff, &'a SecurityChanges)>) -> String {
    let (mut differing, mut broadens, mut sections) = (0, false, 0);
    let mut counts = [0usize; 6];
    for (difference, security) in changed {
        differing += usize::from(!difference.is_empty());
        broadens |= security.broadens();
        sections += difference.sections.len();
        for resource in &difference.resources {
            counts[usize::from(weight(resource.change))] += 1;
        }
    }
    let words = ["deleted", "replaced", "maybe replaced", "released", "changed", "added"];
    let mut parts: Vec<String> = words
        .iter()
        .zip(counts)
        .rev()
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    if parts.is_empty() && sections > 0 {
        parts.push("no resource".to_owned());
    }
    let mut line = format!("{differing} of {stacks} stacks differ");
    if !parts.is_empty() {
        line.push_str(&format!(": {}", parts.join(", ")));
    }
    if broadens {
        line.push_str("; allows more than before");
    }
    line
}
