//! The calls about templates themselves.

use serde_json::{Value, json};

use super::record::Goal;
use super::template::Template;
use super::{CloudFormation, parameters, refusal};
use crate::members::{Members, scalar};
use crate::service::ApiError;

/// CloudFormation's quota for a template in the request; from S3 it is 1 MB.
const BODY_LIMIT: usize = 51_200;
const OBJECT_LIMIT: usize = 1024 * 1024;

impl CloudFormation {
    /// The template that a call brings, or the previous one where it says so.
    pub(super) async fn template_of(&self, input: &Value, previous: Option<&Goal>) -> Result<String, ApiError> {
        match (
            input.text("TemplateBody"),
            input.text("TemplateURL"),
            input.flag("UsePreviousTemplate"),
        ) {
            (Some(body), None, None | Some(false)) if body.len() > BODY_LIMIT => Err(refusal(format!(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to {BODY_LIMIT}"
            ))),
            (Some(body), None, None | Some(false)) => Ok(body.to_owned()),
            (None, Some(url), None | Some(false)) => {
                let body = self.engine.world.object(url).await?;
                if body.len() > OBJECT_LIMIT {
                    return Err(refusal(format!(
                        "Template may not exceed {OBJECT_LIMIT} bytes in size."
                    )));
                }
                Ok(body)
            }
            (None, None, Some(true)) => match previous {
                Some(goal) => Ok(goal.template.clone()),
                None => Err(refusal(
                    "UsePreviousTemplate cannot be used for a stack that does not exist",
                )),
            },
            _ => Err(refusal("Either Template URL or Template Body must be specified.")),
        }
    }

    pub(super) fn get_template(&self, input: &Value) -> Result<Value, ApiError> {
        let stages = json!(["Original", "Processed"]);
        if let (Some(name), Ok(cell)) = (input.text("ChangeSetName"), self.stack(input)) {
            let stack = cell.read();
            let set = stack.change_set(name);
            let set = set
                .ok_or_else(|| ApiError::new(404, "ChangeSetNotFound", format!("ChangeSet [{name}] does not exist")))?;
            return Ok(json!({"TemplateBody": set.goal.template, "StagesAvailable": stages}));
        }
        let cell = self.stack(input)?;
        let stack = cell.read();
        Ok(json!({"TemplateBody": stack.goal.template, "StagesAvailable": stages}))
    }

    pub(super) async fn summarize_template(&self, input: &Value) -> Result<Value, ApiError> {
        let body = match input.text("StackName") {
            Some(_) => self.stack(input)?.read().goal.template.clone(),
            None => self.template_of(input, None).await?,
        };
        let template = Template::parse(&body).map_err(refusal)?;
        let mut summary = describe(&template);
        let mut types: Vec<&str> = template
            .resources
            .values()
            .map(|definition| definition.resource_type.as_str())
            .collect();
        types.sort_unstable();
        types.dedup();
        summary["ResourceTypes"] = json!(types);
        summary["Version"] = json!("2010-09-09");
        summary["Metadata"] = template
            .metadata
            .as_ref()
            .map_or(Value::Null, |metadata| json!(metadata.to_string()));
        Ok(summary)
    }

    pub(super) async fn validate_template(&self, input: &Value) -> Result<Value, ApiError> {
        let body = self.template_of(input, None).await?;
        let template = Template::parse(&body).map_err(refusal)?;
        Ok(describe(&template))
    }
}

fn describe(template: &Template) -> Value {
    let parameters: Vec<Value> = template
        .parameters
        .iter()
        .map(|(key, definition)| {
            let constraints = definition
                .get("AllowedValues")
                .map(|allowed| json!({"AllowedValues": allowed}));
            json!({
                "ParameterKey": key, "ParameterType": parameters::type_of(definition),
                "DefaultValue": definition.get("Default").and_then(scalar),
                "NoEcho": definition.get("NoEcho").and_then(scalar).as_deref() == Some("true"),
                "Description": definition.get("Description"), "ParameterConstraints": constraints,
            })
        })
        .collect();
    let capabilities = template.capabilities();
    let reason = (!capabilities.is_empty()).then(|| {
        let types = template
            .resources
            .values()
            .map(|definition| definition.resource_type.as_str());
        let mut types: Vec<&str> = types.filter(|kind| kind.starts_with("AWS::IAM::")).collect();
        types.sort_unstable();
        types.dedup();
        format!("The following resource(s) require capabilities: [{}]", types.join(", "))
    });
    json!({
        "Parameters": parameters, "Description": template.description, "Capabilities": capabilities,
        "CapabilitiesReason": reason, "DeclaredTransforms": template.transforms,
    })
}
