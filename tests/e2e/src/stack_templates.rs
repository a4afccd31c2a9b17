//! A project whose app is a folder of templates: for tests of what happens to stacks, whoever wrote them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::Project;

/// One stack of such an app.
#[derive(Clone, Debug, Default)]
pub struct Template {
    name: String,
    template: Value,
    depends_on: Vec<String>,
    properties: Map<String, Value>,
    metadata: Map<String, Value>,
}

impl Template {
    /// `template` as CloudFormation reads it.
    pub fn new(name: &str, template: Value) -> Self {
        Self {
            name: name.to_owned(),
            template,
            ..Self::default()
        }
    }

    pub fn depends_on(mut self, stacks: &[&str]) -> Self {
        self.depends_on = stacks.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// A property of the stack in the manifest, for example `terminationProtection`.
    pub fn property(mut self, name: &str, value: Value) -> Self {
        self.properties.insert(name.to_owned(), value);
        self
    }

    /// The construct's path below the stack and the source line behind a logical id.
    pub fn made_at(mut self, logical_id: &str, path: &str, source: &str) -> Self {
        let entry = json!({ "type": "aws:cdk:logicalId", "data": logical_id, "trace": [source] });
        self.metadata.insert(format!("/{}/{path}", self.name), json!([entry]));
        self
    }
}

impl Project {
    /// A project whose app writes these stacks.
    pub fn of_stacks(stacks: &[Template]) -> Self {
        let project = Self::empty();
        project.write(
            "llama-deploy.toml",
            "[app]\ncommand = ['sh', '-c', 'cp -r assembly/. \"$CDK_OUTDIR\"']\n[environments.local]\nport = 0\n",
        );
        project.set_stacks(stacks);
        project
    }

    /// Other stacks from now on.
    pub fn set_stacks(&self, stacks: &[Template]) {
        let mut artifacts = BTreeMap::new();
        for stack in stacks {
            let file = format!("{}.template.json", stack.name);
            self.write(&format!("assembly/{file}"), &stack.template.to_string());
            let mut properties = stack.properties.clone();
            properties.insert("templateFile".to_owned(), json!(file));
            artifacts.insert(
                stack.name.clone(),
                json!({
                    "type": "aws:cloudformation:stack", "environment": "aws://unknown-account/unknown-region",
                    "properties": properties, "dependencies": stack.depends_on, "displayName": stack.name,
                    "metadata": stack.metadata,
                }),
            );
        }
        let manifest = json!({ "version": "36.0.0", "artifacts": artifacts });
        self.write("assembly/manifest.json", &manifest.to_string());
    }
}
