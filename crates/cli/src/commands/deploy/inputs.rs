//! What the command line says about the stacks to deploy: which of them, their parameters, tags and role.

use std::collections::{BTreeMap, BTreeSet};

use aws::stacks::{StackInput, declared_parameters};

use crate::arguments::{Changes, Parameter};
use crate::assembly::Stack;
use crate::failure::{Code, Failure, Outcome};

/// The stacks without those that nobody named. What came between two of them still decides their order.
pub fn exclusively(stacks: Vec<Stack>, named: &[String]) -> Vec<Stack> {
    // Dependencies come first, so each stack's own are complete when it is looked at.
    let mut reach: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for stack in &stacks {
        let mut all: BTreeSet<String> = stack.dependencies.iter().cloned().collect();
        for dependency in &stack.dependencies {
            all.extend(reach.get(dependency).into_iter().flatten().cloned());
        }
        reach.insert(stack.name.clone(), all);
    }
    let is_named = |stack: &Stack| named.contains(&stack.path) || named.contains(&stack.name);
    stacks
        .into_iter()
        .filter(is_named)
        .map(|stack| Stack {
            dependencies: reach.remove(&stack.name).unwrap_or_default().into_iter().collect(),
            ..stack
        })
        .collect()
}

/// That the app meant every stack for this account and region. What it left open is meant for any.
pub fn check_environment(stacks: &[Stack], account: &str, region: &str) -> Outcome {
    for stack in stacks {
        let Some((its_account, its_region)) = stack
            .environment
            .strip_prefix("aws://")
            .and_then(|rest| rest.split_once('/'))
        else {
            continue;
        };
        let fits = |its: &str, actual: &str| its == actual || its.starts_with("unknown-");
        if !fits(its_account, account) || !fits(its_region, region) {
            return Err(Failure::new(
                Code::StackElsewhere,
                format!(
                    "{} is meant for account {its_account}, region {its_region}, and the environment is account \
                     {account}, region {region}",
                    stack.path
                ),
            )
            .hint("make an environment for it in the settings, and name the stacks that belong to each"));
        }
    }
    Ok(())
}

/// Puts parameters, tags and role into the inputs, which stand in the order of `stacks`.
pub fn apply(changes: &Changes, stacks: &[Stack], inputs: &mut [StackInput]) -> Outcome {
    let declared: Vec<BTreeSet<String>> = inputs
        .iter()
        .map(|input| declared_parameters(&input.template))
        .collect();
    for Parameter { stack, key, value } in &changes.parameters {
        let is_meant = |index: &usize| {
            stack
                .as_ref()
                .is_none_or(|name| stacks[*index].path == *name || stacks[*index].name == *name)
        };
        let meant: Vec<usize> = (0..stacks.len()).filter(is_meant).collect();
        if let (Some(stack), true) = (stack, meant.is_empty()) {
            let known: Vec<&str> = stacks.iter().map(|stack| stack.path.as_str()).collect();
            return Err(Failure::new(
                Code::StackUnknown,
                format!("--parameters names '{stack}', which is not deployed"),
            )
            .hint(format!("to be deployed: {}", known.join(", "))));
        }
        let takers: Vec<usize> = meant
            .iter()
            .copied()
            .filter(|index| declared[*index].contains(key))
            .collect();
        if takers.is_empty() {
            let known: BTreeSet<&str> = meant
                .iter()
                .flat_map(|index| &declared[*index])
                .map(String::as_str)
                .collect();
            let known: Vec<&str> = known.into_iter().collect();
            let message = match stack {
                Some(stack) => format!("{stack} has no parameter '{key}'"),
                None => format!("no stack has a parameter '{key}'"),
            };
            return Err(
                Failure::new(Code::ParameterUnknown, message).hint(match known.is_empty() {
                    true => "its template declares no parameters".to_owned(),
                    false => format!("declared are: {}", known.join(", ")),
                }),
            );
        }
        for index in takers {
            inputs[index].parameters.insert(key.clone(), value.clone());
        }
    }
    for input in inputs {
        input.tags.extend(changes.tags.iter().cloned());
        if changes.role_arn.is_some() {
            input.role_arn.clone_from(&changes.role_arn);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::stacks::Deployment;

    fn stack(path: &str, dependencies: &[&str]) -> Stack {
        Stack {
            path: path.to_owned(),
            name: path.replace('/', "-"),
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
            ..Stack::default()
        }
    }

    fn changes(parameters: &[(Option<&str>, &str, &str)]) -> Changes {
        Changes {
            exclusively: false,
            concurrency: Deployment::CONCURRENCY,
            require_approval: None,
            allow_replace: Vec::new(),
            parameters: parameters
                .iter()
                .map(|(stack, key, value)| Parameter {
                    stack: stack.map(str::to_owned),
                    key: (*key).to_owned(),
                    value: (*value).to_owned(),
                })
                .collect(),
            tags: vec![("team".to_owned(), "platform".to_owned())],
            outputs_file: None,
            role_arn: None,
            force: false,
        }
    }

    fn inputs() -> (Vec<Stack>, Vec<StackInput>) {
        let stacks = vec![stack("Prod/Data", &[]), stack("Service", &["Prod-Data"])];
        let template = |keys: &[&str]| {
            let declared: Vec<String> = keys
                .iter()
                .map(|key| format!(r#""{key}":{{"Type":"String"}}"#))
                .collect();
            format!(r#"{{"Parameters":{{{}}}}}"#, declared.join(","))
        };
        let inputs = [template(&["Size", "Stage"]), template(&["Stage"])]
            .into_iter()
            .zip(&stacks)
            .map(|(template, stack)| StackInput {
                name: stack.name.clone(),
                template,
                ..StackInput::default()
            })
            .collect();
        (stacks, inputs)
    }

    #[test]
    fn a_parameter_goes_to_the_stacks_that_declare_it() {
        let (stacks, mut both) = inputs();
        let given = changes(&[
            (None, "Stage", "prod"),
            (Some("Prod/Data"), "Size", "2"),
            (Some("Service"), "Stage", "other"),
        ]);
        apply(&given, &stacks, &mut both).unwrap();
        assert_eq!(both[0].parameters["Stage"], "prod");
        assert_eq!(both[0].parameters["Size"], "2");
        assert_eq!(both[1].parameters["Stage"], "other");
        assert_eq!(both[1].parameters.len(), 1);
        assert_eq!(both[1].tags["team"], "platform");
    }

    #[test]
    fn what_nobody_declares_is_refused() {
        let (stacks, mut both) = inputs();
        let mut refused = |stack, key| apply(&changes(&[(stack, key, "secret")]), &stacks, &mut both).unwrap_err();
        let unknown = refused(None, "Sice");
        assert_eq!(unknown.code, Code::ParameterUnknown);
        assert!(unknown.to_string().contains("Size, Stage"), "{unknown}");
        assert!(!unknown.to_string().contains("secret"), "{unknown}");
        assert_eq!(refused(Some("Service"), "Size").code, Code::ParameterUnknown);
        assert_eq!(refused(Some("Servce"), "Size").code, Code::StackUnknown);
    }

    #[test]
    fn a_stack_of_another_region_is_not_deployed_into_this_one() {
        let of = |environment: &str| {
            let stacks = [Stack {
                environment: environment.to_owned(),
                ..stack("Edge", &[])
            }];
            check_environment(&stacks, "123456789012", "eu-west-1").map_err(|failure| failure.code)
        };
        assert_eq!(of("aws://unknown-account/unknown-region"), Ok(()));
        assert_eq!(of("aws://123456789012/eu-west-1"), Ok(()));
        assert_eq!(of("aws://unknown-account/us-east-1"), Err(Code::StackElsewhere));
        assert_eq!(of("aws://210987654321/eu-west-1"), Err(Code::StackElsewhere));
    }

    #[test]
    fn stacks_alone_keep_their_order() {
        let stacks = vec![stack("A", &[]), stack("B", &["A"]), stack("C", &["B"])];
        let alone = exclusively(stacks, &["C".to_owned(), "A".to_owned()]);
        let dependencies: Vec<&String> = alone[1].dependencies.iter().collect();
        assert_eq!((alone.len(), alone[1].name.as_str()), (2, "C"));
        assert_eq!(dependencies, ["A", "B"]);
    }
}
