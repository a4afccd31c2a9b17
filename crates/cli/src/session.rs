//! One command's connection to one environment: AWS itself, or the embedded cloud for `local`, which is started when
//! it does not run.

use std::path::Path;

use aws::assets::AssetManifest;
use aws::stacks::StackInput;
use aws::{Aws, connect};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::assembly::Stack;
use crate::console::Console;
use crate::embedded::Embedded;
use crate::failure::{Code, Failure, Outcome};
use crate::refusal;
use crate::settings::{Environment, Settings};

pub struct Session<'a> {
    pub settings: &'a Settings,
    pub environment: &'a Environment,
    pub runtime: Runtime,
    pub aws: Aws,
}

impl<'a> Session<'a> {
    pub fn open(settings: &'a Settings, environment: &'a Environment, console: &Console) -> Outcome<Self> {
        let endpoint_url = if environment.is_local() {
            let cloud = Embedded::of(settings)?;
            Some(
                cloud
                    .ensure(None, || console.waiting("starting the embedded cloud"))?
                    .endpoint,
            )
        } else {
            None
        };
        let runtime =
            Runtime::new().map_err(|error| Failure::new(Code::Internal, "cannot start the runtime").because(error))?;
        let connection = aws::Settings {
            region: Some(environment.region.clone()),
            profile: environment.profile.clone(),
            endpoint_url,
            account: environment.account.clone(),
        };
        let aws = runtime.block_on(connect(connection)).map_err(refusal::connecting)?;
        Ok(Self {
            settings,
            environment,
            runtime,
            aws,
        })
    }

    /// The template as it was deployed; `None` where the stack does not exist.
    pub fn deployed_template(&self, stack: &str) -> Outcome<Option<Value>> {
        let text = self
            .runtime
            .block_on(self.aws.stack_template(stack))
            .map_err(refusal::calling)?;
        let Some(text) = text else { return Ok(None) };
        localcloud::parse_template(&text).map(Some).map_err(|error| {
            Failure::new(
                Code::TemplateInvalid,
                format!("the deployed template of {stack} cannot be read"),
            )
            .because(anyhow::anyhow!("{error}"))
        })
    }

    /// What CloudFormation needs to deploy the stacks, and the assets that must be published before.
    pub fn inputs(&self, stacks: &[Stack]) -> Outcome<(Vec<StackInput>, Vec<AssetManifest>)> {
        let chosen: Vec<&str> = stacks.iter().map(|stack| stack.name.as_str()).collect();
        let mut inputs = Vec::with_capacity(stacks.len());
        let mut manifests = Vec::new();
        for stack in stacks {
            let manifest = stack
                .assets_file
                .as_deref()
                .map(AssetManifest::read)
                .transpose()
                .map_err(refusal::reading_assets)?;
            let file = stack
                .template_file
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            inputs.push(StackInput {
                name: stack.name.clone(),
                template: read(&stack.template_file)?,
                template_location: manifest
                    .as_ref()
                    .and_then(|manifest| manifest.template_location(file, &self.aws)),
                parameters: stack.parameters.clone(),
                tags: stack.tags.clone(),
                depends_on: stack
                    .dependencies
                    .iter()
                    .filter(|name| chosen.contains(&name.as_str()))
                    .cloned()
                    .collect(),
                termination_protection: Some(stack.termination_protection),
                notification_arns: stack.notification_arns.clone(),
                role_arn: None,
            });
            manifests.extend(manifest);
        }
        Ok((inputs, manifests))
    }
}

fn read(file: &Path) -> Outcome<String> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::new(Code::AssemblyInvalid, format!("cannot read {}", file.display())).because(error))
}
