//! The cloud assembly: the folder that an app writes and that our CLI, or the `cdk` of npm, reads.
//!
//! `manifest.json`, per stack `<Stack>.template.json` and `<Stack>.assets.json`, `tree.json`, `cdk.out`, and the staged
//! assets. The schema is `@aws-cdk/cloud-assembly-schema` of npm.

mod manifest;
mod write;

use std::path::{Path, PathBuf};

use cfn::Template;
use indexmap::IndexMap;
use serde_json::Value as Json;

use self::write::{Writer, to_text};
use crate::aspects;
use crate::error::{Error, Errors};
use crate::limits::{self, Measured, Verdict};
use crate::moves;
use crate::policy::{self, Inspected, Origin};
use crate::stage;
use crate::synthesis::{Rendered, Synthesis, duplicate_artifacts};
use crate::tags;
use crate::tree::{Construct, Kind, NodeId, Tree};
use crate::warnings::{Noted, Warning};

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
    if root.tree().is_broken {
        errors.push(Error::Invalid {
            construct: root.path(),
            message: "the app was wrong when it was synthesized before; make a new one".to_owned(),
            location: root.location(),
        });
    }
    if errors.is_empty() {
        return Ok(());
    }
    root.tree_mut().is_broken = true;
    Err(Errors(errors))
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
