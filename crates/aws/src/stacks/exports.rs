//! Exports that the new template drops although deployed stacks import them: CloudFormation would refuse that, so they
//! are kept until nobody imports them.
//!
//! Which exports a template drops and how one is put back is known outside of this crate, which asks who imports them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aws_sdk_s3::primitives::ByteStream;

use super::change_set::Current;
use super::deploy::Report;
use super::error::StackError;
use super::template::json_digest;
use super::{StackDescription, StackInput, StackProgress, TEMPLATE_BODY_LIMIT};
use crate::assets::ObjectLocation;
use crate::connection::Aws;
use crate::failure::{Failure, failed};

/// Knows templates.
pub trait KeepExports: Send + Sync {
    /// Outputs of `deployed` whose exports `template` lacks.
    fn dropped(&self, deployed: &str, template: &str) -> Vec<String>;

    /// `template` with those outputs of `deployed` that `importers` has stacks for.
    ///
    /// # Errors
    /// Where the value of one cannot be had from the new template, in words for the user.
    fn keep(
        &self,
        stack: &str,
        deployed: &str,
        template: &str,
        importers: &BTreeMap<String, Vec<String>>,
    ) -> Result<String, String>;
}

/// Leaves templates as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct DropExports;

impl KeepExports for DropExports {
    fn dropped(&self, _: &str, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn keep(&self, _: &str, _: &str, template: &str, _: &BTreeMap<String, Vec<String>>) -> Result<String, String> {
        Ok(template.to_owned())
    }
}

impl Aws {
    /// The input with the exports that must stay.
    pub(super) async fn with_kept_exports<'a>(
        &self,
        input: &'a StackInput,
        current: &Current,
        exports: &dyn KeepExports,
        report: Report<'_>,
    ) -> Result<Cow<'a, StackInput>, StackError> {
        let stack = input.name.as_str();
        let (Some(standing), Some(deployed)) = (&current.description, &current.template) else {
            return Ok(Cow::Borrowed(input));
        };
        let importers = self
            .importers_by_output(standing, &exports.dropped(deployed, &input.template))
            .await
            .map_err(StackError::aws(stack))?;
        if importers.is_empty() {
            return Ok(Cow::Borrowed(input));
        }
        let template = exports
            .keep(stack, deployed, &input.template, &importers)
            .map_err(|reason| StackError::Refused {
                stack: stack.to_owned(),
                reason,
            })?;
        report(StackProgress::KeepsExports {
            stack: stack.to_owned(),
            importers,
        });
        let template_location = match &input.template_location {
            Some(location) if template.len() > TEMPLATE_BODY_LIMIT => {
                Some(self.publish_adapted(stack, &template, location).await?)
            }
            location => location.clone(),
        };
        Ok(Cow::Owned(StackInput {
            template,
            template_location,
            ..input.clone()
        }))
    }

    /// Of those outputs that somebody imports: who.
    async fn importers_by_output(
        &self,
        stack: &StackDescription,
        outputs: &[String],
    ) -> Result<BTreeMap<String, Vec<String>>, Failure> {
        let mut found = BTreeMap::new();
        for output in outputs {
            let Some(export) = stack.exported_outputs.get(output) else {
                continue;
            };
            let importers = self.importers(export).await?;
            if !importers.is_empty() {
                found.insert(output.clone(), importers);
            }
        }
        Ok(found)
    }

    /// Puts a template that is too large for a call beside the one that it stands for.
    async fn publish_adapted(
        &self,
        stack: &str,
        template: &str,
        beside: &ObjectLocation,
    ) -> Result<ObjectLocation, StackError> {
        let folder = beside.key.rsplit_once('/').map(|(folder, _)| format!("{folder}/"));
        let key = format!("{}{}.json", folder.unwrap_or_default(), json_digest(template));
        self.s3()
            .put_object()
            .bucket(&beside.bucket)
            .key(&key)
            .content_type("application/json")
            .body(ByteStream::from(template.as_bytes().to_vec()))
            .send()
            .await
            .map_err(failed("PutObject", format!("s3://{}/{key}", beside.bucket)))
            .map_err(StackError::aws(stack))?;
        Ok(ObjectLocation { key, ..beside.clone() })
    }
}
