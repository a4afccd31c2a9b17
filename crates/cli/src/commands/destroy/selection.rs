//! Which stacks are meant, and which use which. Pure.

use std::collections::BTreeSet;

use crate::assembly::Stack;
use crate::failure::{Code, Failure, Outcome};

/// Names in CloudFormation of the stacks that may go: those that were named and all that use them, or, where none was
/// named, every stack of the app and every other that a deploy noted. `stacks` has dependencies first; what comes back
/// has them last.
pub fn candidates(stacks: &[Stack], noted: &[String], named: &[String]) -> Outcome<Vec<String>> {
    let orphans: Vec<&String> = noted
        .iter()
        .filter(|name| !stacks.iter().any(|stack| stack.name == **name))
        .collect();
    let mut chosen: BTreeSet<String> = BTreeSet::new();
    for name in named {
        let stack = stacks.iter().find(|stack| stack.path == *name || stack.name == *name);
        let known = stack.map(|stack| stack.name.clone());
        let Some(known) = known.or_else(|| {
            orphans
                .iter()
                .find(|orphan| *orphan == &name)
                .map(|name| (*name).clone())
        }) else {
            let known = stacks.iter().map(|stack| stack.path.as_str());
            let known: Vec<&str> = known.chain(orphans.iter().map(|name| name.as_str())).collect();
            return Err(Failure::new(
                Code::StackUnknown,
                format!("neither the app nor the last deploy has a stack '{name}'"),
            )
            .hint(format!("there are: {}", known.join(", "))));
        };
        chosen.insert(known);
    }
    let everything = named.is_empty();
    for stack in stacks {
        if everything || stack.dependencies.iter().any(|dependency| chosen.contains(dependency)) {
            chosen.insert(stack.name.clone());
        }
    }
    let orphans = orphans.into_iter().filter(|name| everything || chosen.contains(*name));
    let ours = stacks
        .iter()
        .map(|stack| &stack.name)
        .filter(|name| chosen.contains(*name));
    let mut ordered: Vec<String> = ours.chain(orphans).cloned().collect();
    ordered.reverse();
    Ok(ordered)
}

/// Names of the stacks that depend on this one.
pub fn users<'a>(stacks: &'a [Stack], name: &'a str) -> impl Iterator<Item = String> + 'a {
    stacks
        .iter()
        .filter(move |stack| stack.dependencies.iter().any(|dependency| dependency == name))
        .map(|stack| stack.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As an app writes them, each with the names of those it depends on.
    fn app(stacks: &[(&str, &[&str])]) -> Vec<Stack> {
        let artifact = |(name, dependencies): &(&str, &[&str])| {
            let artifact = serde_json::json!({
                "type": "aws:cloudformation:stack", "dependencies": dependencies,
                "properties": { "stackName": format!("{name}-prod"), "templateFile": format!("{name}.template.json") }
            });
            ((*name).to_owned(), artifact)
        };
        let artifacts: serde_json::Map<_, _> = stacks.iter().map(artifact).collect();
        let manifest = serde_json::json!({ "version": "48.0.0", "artifacts": artifacts });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("manifest.json"), manifest.to_string()).unwrap();
        crate::assembly::read(folder.path()).unwrap()
    }

    #[test]
    fn whoever_uses_what_goes_goes_before() {
        let stacks = app(&[
            ("Base", &[]),
            ("Service", &["Base"]),
            ("Alarms", &["Service"]),
            ("Other", &[]),
        ]);
        let noted = ["Base-prod".to_owned(), "Old".to_owned()];
        let chosen = |named: &[&str]| {
            let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
            candidates(&stacks, &noted, &named)
        };
        assert_eq!(chosen(&["Base"]).unwrap(), ["Alarms-prod", "Service-prod", "Base-prod"]);
        assert_eq!(chosen(&["Alarms"]).unwrap(), ["Alarms-prod"]);
        assert_eq!(chosen(&["Old"]).unwrap(), ["Old"]);
        assert_eq!(
            chosen(&[]).unwrap(),
            ["Old", "Alarms-prod", "Service-prod", "Other-prod", "Base-prod"]
        );
        assert_eq!(chosen(&["Bsae"]).unwrap_err().code, Code::StackUnknown);
        assert_eq!(users(&stacks, "Base-prod").collect::<Vec<_>>(), ["Service-prod"]);
    }
}
