//! What the app's templates are compared with.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::Session;
use crate::assembly::{self, Stack};
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::settings::{Environment, Settings};

pub enum Source<'a> {
    /// Boxed: it holds a runtime and clients.
    Deployed(Box<Session<'a>>),
    Assembly {
        folder: PathBuf,
        stacks: Vec<(Stack, Value)>,
    },
    File {
        file: PathBuf,
        template: Value,
    },
}

/// A stack with both templates; one of them is null where the stack is not there.
pub struct Compared {
    pub stack: Stack,
    /// The stack in the other assembly, where it is compared with one.
    pub before: Option<Stack>,
    pub old: Value,
    pub new: Value,
}

impl<'a> Source<'a> {
    pub fn deployed(settings: &'a Settings, environment: &'a Environment, console: &Console) -> Outcome<Self> {
        Ok(Self::Deployed(Box::new(Session::open(settings, environment, console)?)))
    }

    /// The folder of an assembly, or a template as JSON or YAML.
    pub fn read(path: &Path) -> Outcome<Self> {
        if path.is_dir() {
            let stacks = assembly::read(path)?;
            // Templates too, before the app may write over them.
            return Ok(Self::Assembly {
                folder: path.to_owned(),
                stacks: loaded(stacks)?,
            });
        }
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::new(
                Code::ComparisonMissing,
                format!("there is nothing to compare with at {}", path.display()),
            )
            .because(error)
            .hint("--against takes the folder of an assembly or a template file")
        })?;
        let not_a_template = |why: String| {
            Failure::new(
                Code::TemplateInvalid,
                format!("{} is no CloudFormation template", path.display()),
            )
            .because(anyhow::anyhow!("{why}"))
        };
        let template = localcloud::parse_template(&text).map_err(not_a_template)?;
        if !template.get("Resources").is_some_and(Value::is_object) {
            return Err(not_a_template("it has no Resources".to_owned()));
        }
        Ok(Self::File {
            file: path.to_owned(),
            template,
        })
    }

    /// The app's stacks that were named, all without a name, each with its counterpart.
    pub fn pairs(self, stacks: Vec<Stack>, named: &[String]) -> Outcome<Vec<Compared>> {
        match self {
            Self::Deployed(session) => assembly::select(stacks, named)?
                .into_iter()
                .map(|stack| {
                    let old = session.deployed_template(&stack.name)?.unwrap_or_default();
                    compared(stack, None, old)
                })
                .collect(),
            Self::Assembly { folder, stacks: others } => with_assembly(stacks, named, &folder, others),
            Self::File { file, template } => Ok(vec![compared(the_one(stacks, named, &file)?, None, template)?]),
        }
    }
}

fn compared(stack: Stack, before: Option<Stack>, old: Value) -> Outcome<Compared> {
    let new = stack.template()?;
    Ok(Compared {
        stack,
        before,
        old,
        new,
    })
}

fn with_assembly(
    stacks: Vec<Stack>,
    named: &[String],
    folder: &Path,
    others: Vec<(Stack, Value)>,
) -> Outcome<Vec<Compared>> {
    let mut others = others;
    let mut pairs = Vec::new();
    let is_named = |stack: &Stack| named.iter().any(|name| *name == stack.path || *name == stack.name);
    for stack in assembly::select(stacks, named)? {
        let counterpart = others.iter().position(|(other, _)| other.path == stack.path);
        let counterpart = counterpart.or_else(|| others.iter().position(|(other, _)| other.name == stack.name));
        if counterpart.is_none() && is_named(&stack) {
            let known: Vec<&str> = others.iter().map(|(other, _)| other.path.as_str()).collect();
            return Err(Failure::new(
                Code::StackUnknown,
                format!("the assembly in {} has no stack '{}'", folder.display(), stack.path),
            )
            .hint(format!("it has: {}", known.join(", "))));
        }
        let (before, old) = counterpart.map(|at| others.remove(at)).unzip();
        pairs.push(compared(stack, before, old.unwrap_or_default())?);
    }
    if named.is_empty() {
        // The app has them no more.
        pairs.extend(others.into_iter().map(|(stack, old)| Compared {
            stack,
            before: None,
            old,
            new: Value::Null,
        }));
    }
    Ok(pairs)
}

fn the_one(stacks: Vec<Stack>, named: &[String], file: &Path) -> Outcome<Stack> {
    let wanted: Vec<Stack> = match named {
        [name] => {
            let known = assembly::select(stacks, named)?;
            known
                .into_iter()
                .filter(|stack| stack.path == *name || stack.name == *name)
                .collect()
        }
        _ => stacks,
    };
    let names: Vec<String> = wanted.iter().map(|stack| stack.path.clone()).collect();
    match <[Stack; 1]>::try_from(wanted) {
        Ok([stack]) if named.len() <= 1 => Ok(stack),
        _ => Err(Failure::new(
            Code::StackUnknown,
            format!(
                "{} is one template: name the one stack to compare with it",
                file.display()
            ),
        )
        .hint(format!("the app has: {}", names.join(", ")))),
    }
}

fn loaded(stacks: Vec<Stack>) -> Outcome<Vec<(Stack, Value)>> {
    stacks
        .into_iter()
        .map(|stack| {
            let template = stack.template()?;
            Ok((stack, template))
        })
        .collect()
}
