//! `llama-deploy bootstrap`: what an environment needs before the first deploy: a bucket, a repository and roles, by the
//! CDK's names, so that the apps and the CLI of either find them.
//!
//! CloudFormation gets permissions for what the app's templates use. An administrator it becomes only with
//! `--administrator`, and what an earlier bootstrap gave it is not taken away unless that is asked for.

mod permissions;
mod template;

use std::collections::BTreeMap;

use aws::stacks::{Approved, Deployment, StackDescription, StackInput, StackProgress};
use serde_json::{Value, json};

use self::permissions::Permissions;
use self::template::{Execution, POLICY, VARIANT};
use super::{Session, assemble};
use crate::arguments::Bootstrap;
use crate::console::Console;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::settings::{LOCAL, Settings};

const DEFAULT_QUALIFIER: &str = "hnb659fds";
const STACK: &str = "CDKToolkit";

pub fn run(options: &Bootstrap, settings: &Settings, console: &Console) -> Outcome<u8> {
    let name = options.app.environment.as_deref().unwrap_or(LOCAL);
    let environment = settings.environment(name)?;
    let wished = match execution(options) {
        Some(execution) => execution,
        None => Execution::Scoped(of_the_app(options, settings, console)?),
    };
    if options.show_template {
        console.clear();
        let template = template::template(&wished)?;
        console.print(&format!("{template:#}"));
        console.print_json(&template);
        return Ok(0);
    }
    let session = Session::open(settings, environment, console)?;
    console.clear();
    let stack = stack_name(options);
    let found = session
        .runtime
        .block_on(session.aws.describe_stack(&stack))
        .map_err(refusal::calling)?;
    let found = found.filter(|found| !matches!(found.status.as_str(), "DELETE_COMPLETE" | "REVIEW_IN_PROGRESS"));
    if found.is_none() && environment.is_local() && options.qualifier == DEFAULT_QUALIFIER {
        console.print("the embedded cloud has what a bootstrap makes; there is nothing to do");
        console.print_json(&json!({ "stack": stack, "changed": false }));
        return Ok(0);
    }
    let deployed = match &found {
        Some(_) => session.deployed_template(&stack)?,
        None => None,
    };
    if let Some(reason) = left_alone(options, found.as_ref(), deployed.as_ref())? {
        console.print(&format!("{stack} in {name} is left alone: {reason}"));
        console.print_json(&json!({ "stack": stack, "changed": false, "reason": reason }));
        return Ok(0);
    }
    let existing = Existing::of(found.as_ref(), deployed.as_ref());
    let execution = merged(wished, &existing, options, console);
    let input = StackInput {
        name: stack.clone(),
        template: template::template(&execution)?.to_string(),
        template_location: None,
        parameters: parameters(options, &execution, found.as_ref(), &existing),
        tags: found.map(|found| found.tags).unwrap_or_default(),
        depends_on: Vec::new(),
        termination_protection: None,
        notification_arns: Vec::new(),
        role_arn: None,
    };
    tell(&execution, console);
    let report = |event: StackProgress| progress(&event, console);
    let outcome = session
        .runtime
        .block_on(session.aws.deploy_stack(&input, &Deployment::new(&Approved, &report)))
        .map_err(refusal::deploying)?;
    console.clear();
    let version = outcome.description.outputs.get("BootstrapVersion");
    console.print(&format!(
        "{stack} in {name}: {}, version {}",
        if outcome.changed { "deployed" } else { "no change" },
        version.map_or("unknown", String::as_str)
    ));
    console.print_json(&json!({
        "stack": stack, "changed": outcome.changed, "version": version, "outputs": outcome.description.outputs
    }));
    Ok(0)
}

fn progress(event: &StackProgress, console: &Console) {
    match event {
        StackProgress::Planning { stack } => console.waiting(&format!("{stack}: asking what would change")),
        StackProgress::Executing { stack, changes } => console.waiting(&format!("{stack}: {changes} changes")),
        StackProgress::Event(event) => {
            let line = format!("{} {} {}", event.status, event.resource_type, event.logical_id);
            match &event.reason {
                Some(reason) if event.status.ends_with("FAILED") => console.say(&format!("{line}: {reason}")),
                _ => console.ticking(&line),
            }
        }
        _ => {}
    }
}

/// What was asked for by an argument.
fn execution(options: &Bootstrap) -> Option<Execution> {
    if options.administrator {
        Some(Execution::Administrator)
    } else if !options.execution_policies.is_empty() {
        Some(Execution::Policies(options.execution_policies.clone()))
    } else {
        None
    }
}

/// Two qualifiers are two bootstraps of one environment, so each has a stack of its own.
fn stack_name(options: &Bootstrap) -> String {
    match &options.stack {
        Some(name) => name.clone(),
        None if options.qualifier == DEFAULT_QUALIFIER => STACK.to_owned(),
        None => format!("{STACK}-{}", options.qualifier.replace('_', "-")),
    }
}

fn of_the_app(options: &Bootstrap, settings: &Settings, console: &Console) -> Outcome<Permissions> {
    let name = options.app.environment.as_deref().unwrap_or(LOCAL);
    let output = settings.environment_folder(name).join("assembly");
    let assembled = assemble(settings, &options.app, output, console);
    let (_, stacks) = assembled.map_err(|failure| {
        failure.hint("the app's templates say what CloudFormation may do; --administrator needs no app")
    })?;
    let mut permissions = Permissions::default();
    let mut unknown = std::collections::BTreeSet::new();
    for stack in &stacks {
        let template = stack.template()?;
        permissions.add(&stack.name, &template);
        unknown.extend(permissions::unknown(&template));
    }
    console.clear();
    if !unknown.is_empty() {
        let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
        console.say(&format!(
            "warning: it is not known what {} need; add them with --execution-policy",
            unknown.join(", ")
        ));
    }
    Ok(permissions)
}

/// What an earlier bootstrap let CloudFormation do.
#[derive(Debug, Default)]
struct Existing {
    /// Our policy of the execution role.
    scoped: Option<Permissions>,
    /// ARNs, the administrator's where the CDK took it by itself.
    policies: Vec<String>,
}

impl Existing {
    fn of(found: Option<&StackDescription>, deployed: Option<&Value>) -> Self {
        let Some((found, deployed)) = found.zip(deployed) else {
            return Self::default();
        };
        let text = |key: &str| found.parameters.get(key).map_or("", String::as_str);
        let list = |key: &str| {
            text(key)
                .split(',')
                .filter(|one| !one.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let mut policies: Vec<String> = list("CloudFormationExecutionPolicies");
        let role = &deployed["Resources"]["CloudFormationExecutionRole"]["Properties"]["ManagedPolicyArns"];
        // The CDK's template takes the administrator where it is given nothing and nobody else is trusted.
        let implicit = role.to_string().contains("AdministratorAccess");
        if policies.is_empty() && implicit && text("TrustedAccounts").is_empty() {
            let partition = found.id.split(':').nth(1).unwrap_or("aws");
            policies.push(administrator(partition));
        }
        let policy = &deployed["Resources"][POLICY]["Properties"]["PolicyDocument"];
        let scoped = policy.is_object().then(|| {
            let mut permissions = Permissions::default();
            permissions.add_deployed(policy);
            permissions
        });
        Self { scoped, policies }
    }
}

fn administrator(partition: &str) -> String {
    format!("arn:{partition}:iam::aws:policy/AdministratorAccess")
}

/// Why nothing is to be done, if so.
fn left_alone(
    options: &Bootstrap,
    found: Option<&StackDescription>,
    deployed: Option<&Value>,
) -> Outcome<Option<String>> {
    let Some(found) = found else { return Ok(None) };
    if let Some(other) = found
        .parameters
        .get("Qualifier")
        .filter(|other| **other != options.qualifier)
    {
        return Err(Failure::new(
            Code::BootstrapForeign,
            format!(
                "stack {} has the qualifier {other}, not {}",
                found.name, options.qualifier
            ),
        )
        .hint("an update would replace its bucket and its roles: say --qualifier, or another --stack"));
    }
    let theirs: Option<u64> = found
        .outputs
        .get("BootstrapVersion")
        .and_then(|version| version.parse().ok());
    let ours = template::version(&template::cdk()?);
    let Some(theirs) = theirs else {
        return Err(Failure::new(
            Code::BootstrapForeign,
            format!(
                "stack {} is no bootstrap stack: it has no output BootstrapVersion",
                found.name
            ),
        )
        .hint("say another --stack"));
    };
    if theirs > ours {
        return Ok(Some(format!("it has version {theirs}, and this program brings {ours}")));
    }
    let is_ours = deployed.is_some_and(|deployed| deployed["Parameters"]["BootstrapVariant"]["Default"] == VARIANT);
    let asks = options.administrator
        || options.least_privilege
        || !options.execution_policies.is_empty()
        || !options.trust.is_empty()
        || options.permissions_boundary.is_some();
    if theirs == ours && !is_ours && !asks {
        return Ok(Some(format!("it has version {theirs} already, made by the CDK")));
    }
    Ok(None)
}

/// Nothing is taken away from apps that stand, unless `--least-privilege` asks for it.
fn merged(wished: Execution, existing: &Existing, options: &Bootstrap, console: &Console) -> Execution {
    let Execution::Scoped(mut permissions) = wished else {
        return wished;
    };
    if options.least_privilege {
        return Execution::Scoped(permissions);
    }
    if !existing.policies.is_empty() {
        console.say(&format!(
            "its execution role keeps {}, which other apps may need; --least-privilege takes it away",
            existing.policies.join(", ")
        ));
        return Execution::Policies(existing.policies.clone());
    }
    if let Some(before) = &existing.scoped {
        permissions.actions.extend(before.actions.iter().cloned());
        permissions.identities.extend(before.identities.iter().cloned());
    }
    Execution::Scoped(permissions)
}

fn parameters(
    options: &Bootstrap,
    execution: &Execution,
    found: Option<&StackDescription>,
    existing: &Existing,
) -> BTreeMap<String, String> {
    let partition = found.and_then(|found| found.id.split(':').nth(1)).unwrap_or("aws");
    let policies = match execution {
        Execution::Administrator => administrator(partition),
        Execution::Policies(arns) => arns.join(","),
        Execution::Scoped(_) => String::new(),
    };
    let mut parameters = BTreeMap::from([
        ("Qualifier".to_owned(), options.qualifier.clone()),
        ("BootstrapVariant".to_owned(), VARIANT.to_owned()),
        ("CloudFormationExecutionPolicies".to_owned(), policies),
    ]);
    if found.is_none() && existing.policies.is_empty() {
        // As the CDK's CLI does: a key of one's own costs, and the bucket is encrypted without one.
        parameters.insert("FileAssetsBucketKmsKeyId".to_owned(), "AWS_MANAGED_KEY".to_owned());
    }
    if !options.trust.is_empty() {
        parameters.insert("TrustedAccounts".to_owned(), options.trust.join(","));
    }
    if let Some(boundary) = &options.permissions_boundary {
        parameters.insert("InputPermissionsBoundary".to_owned(), boundary.clone());
    }
    parameters
}

fn tell(execution: &Execution, console: &Console) {
    match execution {
        Execution::Administrator => console.say("CloudFormation becomes an administrator of this account"),
        Execution::Policies(arns) => console.say(&format!("CloudFormation may do what {} allow", arns.join(", "))),
        Execution::Scoped(permissions) => {
            let actions: Vec<&str> = permissions.actions.iter().map(String::as_str).collect();
            let identities: Vec<&str> = permissions.identities.iter().map(String::as_str).collect();
            console.say(&format!("CloudFormation may use {}", actions.join(", ")));
            console.say(&format!("  and make the roles and policies {}", identities.join(", ")));
        }
    }
}
