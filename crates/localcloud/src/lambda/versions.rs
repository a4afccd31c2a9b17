//! Published versions: immutable copies of `$LATEST`, numbered once.

use std::sync::Arc;

use serde_json::Value;

use super::configuration::invalid;
use super::functions::function_name;
use super::record::{Function, Version};
use super::service::{Lambda, check_revision, page};
use crate::members::Members;
use crate::service::ApiError;

impl Lambda {
    pub(super) fn publish_version(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let revision = self.revision();
        let now = self.now().as_millisecond();
        let version = self.change_function(&name, |function| {
            check_revision(input.text("RevisionId"), &function.latest.revision_id)?;
            if let Some(sha256) = input.text("CodeSha256")
                && sha256 != function.latest.code.sha256
            {
                return Err(invalid(format!(
                    "CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST ({}). Please try again with the CodeSHA256 in $LATEST.",
                    function.latest.code.sha256
                )));
            }
            Ok(publish(function, input.text("Description"), revision, now))
        })?;
        Ok(version.describe(self.region(), Some(&version.version)))
    }

    pub(super) fn list_versions(&self, input: &Value) -> Result<Value, ApiError> {
        let entries = self.with_function(&function_name(input)?, |function| {
            let versions = [&function.latest].into_iter().chain(function.versions.values());
            Ok(versions
                .map(|version| version.describe(self.region(), Some(&version.version)))
                .collect())
        })?;
        page(input, "Versions", entries)
    }
}

/// A new version, or the last one when code and configuration are what it was made of.
pub(super) fn publish(
    function: &mut Function,
    description: Option<&str>,
    revision_id: String,
    now: i64,
) -> Arc<Version> {
    if let Some(last) = unchanged(function) {
        return Arc::clone(last);
    }
    function.last_version += 1;
    let version = Arc::new(Version {
        version: function.last_version.to_string(),
        description: description.filter(|text| !text.is_empty()).map(str::to_owned),
        revision_id,
        last_modified: now,
        ..Version::clone(&function.latest)
    });
    function.versions.insert(function.last_version, Arc::clone(&version));
    version
}

/// The last published version, if publishing now would repeat it.
pub(super) fn unchanged(function: &Function) -> Option<&Arc<Version>> {
    let last = function.versions.get(&function.last_version)?;
    let same = last.code == function.latest.code && last.configuration == function.latest.configuration;
    same.then_some(last)
}
