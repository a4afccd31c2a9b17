//! Functions: made, changed, described, removed; their tags and their reserved concurrency.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::configuration::invalid;
use super::name::FunctionName;
use super::record::{Code, Configuration, Function, LATEST, Version};
use super::service::{Lambda, check_revision, conflict, not_found, page};
use super::versions::publish;
use crate::members::Members;
use crate::service::ApiError;

pub(super) fn function_name(input: &Value) -> Result<FunctionName, ApiError> {
    FunctionName::parse(input.required_text("FunctionName")?, input.text("Qualifier"))
}

impl Lambda {
    pub(super) async fn create_function(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        if name.name.len() > 64 {
            return Err(invalid("The function name has more than 64 characters."));
        }
        let configuration = Configuration::new(input)?;
        let code = self.code_of(input.member("Code").unwrap_or(&Value::Null)).await?;
        let tags = tags(input);
        let publishes = input.flag("Publish").unwrap_or(false);
        let version = self.create(&name.name, configuration, code, tags, publishes)?;
        Ok(version.describe(self.region(), None))
    }

    pub(super) fn create(
        &self,
        name: &str,
        configuration: Configuration,
        code: Code,
        tags: BTreeMap<String, String>,
        publishes: bool,
    ) -> Result<Arc<Version>, ApiError> {
        let latest = Arc::new(Version {
            function: name.to_owned(),
            version: LATEST.to_owned(),
            configuration,
            description: None,
            code,
            revision_id: self.revision(),
            last_modified: self.now().as_millisecond(),
        });
        let mut function = Function {
            latest: Arc::clone(&latest),
            versions: BTreeMap::new(),
            last_version: 0,
            aliases: BTreeMap::new(),
            policies: BTreeMap::new(),
            reserved_concurrency: None,
            tags,
            event_invoke_configs: BTreeMap::new(),
        };
        let version = if publishes {
            publish(&mut function, None, self.revision(), latest.last_modified)
        } else {
            latest
        };
        self.change(|state| {
            if state.functions.contains_key(name) {
                return Err(conflict(format!("Function already exist: {name}")));
            }
            state.functions.insert(name.to_owned(), function);
            Ok(())
        })?;
        Ok(version)
    }

    /// Code as `CreateFunction`, `UpdateFunctionCode` and `PublishLayerVersion` take it.
    pub(super) async fn code_of(&self, given: &Value) -> Result<Code, ApiError> {
        if let Some(image) = given.text("ImageUri") {
            return Ok(Code {
                sha256: String::new(),
                size: 0,
                folder: String::new(),
                image_uri: Some(image.to_owned()),
            });
        }
        let archive = if let Some(archive) = given.text("ZipFile") {
            Bytes::from(
                STANDARD
                    .decode(archive)
                    .map_err(|_| invalid("Could not unzip uploaded file: it is not base64."))?,
            )
        } else {
            let (Some(bucket), Some(key)) = (given.text("S3Bucket"), given.text("S3Key")) else {
                return Err(invalid("Please provide a source for function code."));
            };
            self.shared.ports.objects.object(bucket, key).await.map_err(|error| {
                invalid(format!(
                    "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
                    error.code, error.message
                ))
            })?
        };
        self.shared.code.unpack(archive).await
    }

    pub(super) fn get_function(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        self.with_function(&name, |function| {
            let version = self.version_of(function, &name)?;
            let code = match &version.code.image_uri {
                Some(image) => json!({"RepositoryType": "ECR", "ImageUri": image, "ResolvedImageUri": image}),
                None => {
                    let archive = self.shared.code.archive(&version.code);
                    json!({"RepositoryType": "S3", "Location": format!("file://{}", archive.display())})
                }
            };
            let mut described = json!({
                "Configuration": version.describe(self.region(), name.qualifier.as_deref()),
                "Code": code,
                "Tags": function.tags,
            });
            if let Some(reserved) = function.reserved_concurrency {
                described["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
            }
            Ok(described)
        })
    }

    pub(super) fn get_function_configuration(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        self.with_function(&name, |function| {
            Ok(self
                .version_of(function, &name)?
                .describe(self.region(), name.qualifier.as_deref()))
        })
    }

    /// The version that a name means; an alias means its first version.
    pub(super) fn version_of<'a>(
        &self,
        function: &'a Function,
        name: &FunctionName,
    ) -> Result<&'a Arc<Version>, ApiError> {
        let Some(qualifier) = name.qualifier.as_deref() else {
            return Ok(&function.latest);
        };
        let version = function
            .aliases
            .get(qualifier)
            .map_or(qualifier, |alias| alias.function_version.as_str());
        function.version(version).ok_or_else(|| self.not_found(name))
    }

    pub(super) async fn update_function_code(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let check = |function: &Function| check_revision(input.text("RevisionId"), &function.latest.revision_id);
        self.with_function(&name, check)?;
        let code = self.code_of(input).await?;
        if input.flag("DryRun").unwrap_or(false) {
            return self.with_function(&name, |function| {
                Ok(Version {
                    code,
                    ..Version::clone(&function.latest)
                }
                .describe(self.region(), None))
            });
        }
        let architectures = input.texts("Architectures");
        let publishes = input.flag("Publish").unwrap_or(false);
        let version = self.change_function(&name, |function| {
            check(function)?;
            let mut latest = self.next_latest(function);
            latest.code = code;
            if !architectures.is_empty() {
                latest.configuration.architectures = architectures;
            }
            function.latest = Arc::new(latest);
            let now = function.latest.last_modified;
            Ok(if publishes {
                publish(function, None, self.revision(), now)
            } else {
                Arc::clone(&function.latest)
            })
        })?;
        self.retire(&name);
        Ok(version.describe(self.region(), None))
    }

    pub(super) fn update_function_configuration(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let version = self.change_function(&name, |function| {
            check_revision(input.text("RevisionId"), &function.latest.revision_id)?;
            let mut latest = self.next_latest(function);
            latest.configuration.change(input)?;
            function.latest = Arc::new(latest);
            Ok(Arc::clone(&function.latest))
        })?;
        self.retire(&name);
        Ok(version.describe(self.region(), None))
    }

    /// Replaces the whole configuration, and the code when there is new one. What a template leaves out falls back to
    /// its default, which the API's own update would keep.
    pub(super) fn replace_latest(
        &self,
        name: &FunctionName,
        configuration: Configuration,
        code: Option<Code>,
    ) -> Result<(), ApiError> {
        self.change_function(name, |function| {
            let mut latest = self.next_latest(function);
            latest.configuration = configuration;
            if let Some(code) = code {
                latest.code = code;
            }
            function.latest = Arc::new(latest);
            Ok(())
        })?;
        self.retire(name);
        Ok(())
    }

    fn next_latest(&self, function: &Function) -> Version {
        Version {
            revision_id: self.revision(),
            last_modified: self.now().as_millisecond(),
            ..Version::clone(&function.latest)
        }
    }

    /// Ends the idle processes of revisions that nobody can invoke any more.
    fn retire(&self, name: &FunctionName) {
        let alive = match self.state().functions.get(&name.name) {
            Some(function) => {
                let versions = function.versions.values().chain([&function.latest]);
                versions.map(|version| version.revision_id.clone()).collect()
            }
            None => Vec::new(),
        };
        self.shared.pool.retire(&name.name, &alive);
    }

    pub(super) fn delete_function(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        match name.qualifier.as_deref() {
            None => self.change(|state| state.functions.remove(&name.name).map(drop).ok_or_else(|| self.not_found(&name)))?,
            Some(LATEST) => return Err(invalid("$LATEST version cannot be deleted without deleting the function.")),
            Some(qualifier) => self.change_function(&name, |function| {
                if function.aliases.contains_key(qualifier) {
                    return Err(invalid("Deletion of aliases is not currently supported."));
                }
                let number = qualifier.parse().map_err(|_| self.not_found(&name))?;
                if !function.versions.contains_key(&number) {
                    return Err(self.not_found(&name));
                }
                let users: Vec<&str> =
                    function.aliases.values().filter(|alias| alias.uses(qualifier)).map(|alias| alias.name.as_str()).collect();
                if !users.is_empty() {
                    return Err(conflict(format!(
                        "Version {} of function {} cannot be deleted: the aliases {} point to it. Point them elsewhere first.",
                        qualifier,
                        name.name,
                        users.join(", ")
                    )));
                }
                function.versions.remove(&number);
                function.policies.remove(qualifier);
                Ok(())
            })?,
        }
        self.retire(&name);
        Ok(json!({"StatusCode": 204}))
    }

    pub(super) fn list_functions(&self, input: &Value) -> Result<Value, ApiError> {
        let all = input.text("FunctionVersion") == Some("ALL");
        let state = self.state();
        let entries = state.functions.values().flat_map(|function| {
            let published = function.versions.values().filter(|_| all);
            [&function.latest]
                .into_iter()
                .chain(published)
                .map(|version| version.describe(self.region(), all.then_some(version.version.as_str())))
        });
        page(input, "Functions", entries.collect())
    }

    pub(super) fn put_concurrency(&self, input: &Value) -> Result<Value, ApiError> {
        let name = function_name(input)?;
        let reserved = input
            .integer("ReservedConcurrentExecutions")
            .and_then(|reserved| u32::try_from(reserved).ok());
        let Some(reserved) = reserved else {
            return Err(invalid("ReservedConcurrentExecutions must be 0 or more."));
        };
        self.reserve_concurrency(&name, Some(reserved))?;
        Ok(json!({"ReservedConcurrentExecutions": reserved}))
    }

    pub(super) fn reserve_concurrency(&self, name: &FunctionName, reserved: Option<u32>) -> Result<(), ApiError> {
        self.change(|state| {
            let others: u32 = state
                .functions
                .iter()
                .filter(|(other, _)| **other != name.name)
                .filter_map(|(_, function)| function.reserved_concurrency)
                .sum();
            let function = state.functions.get_mut(&name.name).ok_or_else(|| self.not_found(name))?;
            // Lambda keeps 100 executions that no function may reserve.
            if let Some(reserved) = reserved
                && others.saturating_add(reserved).saturating_add(100) > self.shared.settings.account_concurrency
            {
                return Err(invalid(
                    "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
                ));
            }
            function.reserved_concurrency = reserved;
            Ok(())
        })
    }

    pub(super) fn get_concurrency(&self, input: &Value) -> Result<Value, ApiError> {
        self.with_function(&function_name(input)?, |function| {
            Ok(match function.reserved_concurrency {
                Some(reserved) => json!({"ReservedConcurrentExecutions": reserved}),
                None => json!({}),
            })
        })
    }

    pub(super) fn delete_concurrency(&self, input: &Value) -> Result<Value, ApiError> {
        self.reserve_concurrency(&function_name(input)?, None)?;
        Ok(json!({}))
    }

    pub(super) fn tag_resource(&self, input: &Value) -> Result<Value, ApiError> {
        self.change_function(&tagged(input)?, |function| {
            function.tags.extend(tags(input));
            Ok(json!({}))
        })
    }

    pub(super) fn untag_resource(&self, input: &Value) -> Result<Value, ApiError> {
        let keys = input.texts("TagKeys");
        self.change_function(&tagged(input)?, |function| {
            function.tags.retain(|key, _| !keys.contains(key));
            Ok(json!({}))
        })
    }

    pub(super) fn list_tags(&self, input: &Value) -> Result<Value, ApiError> {
        self.with_function(&tagged(input)?, |function| Ok(json!({"Tags": function.tags})))
    }

    pub(super) fn account_settings(&self) -> Value {
        let state = self.state();
        let limit = self.shared.settings.account_concurrency;
        let reserved = state.reserved_concurrency();
        let versions = state
            .functions
            .values()
            .flat_map(|function| function.versions.values().chain([&function.latest]));
        json!({
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800_u64,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": limit,
                "UnreservedConcurrentExecutions": limit.saturating_sub(reserved),
            },
            "AccountUsage": {
                "TotalCodeSize": versions.map(|version| version.code.size).sum::<u64>(),
                "FunctionCount": state.functions.len(),
            },
        })
    }
}

impl Function {
    /// `$LATEST` or a number.
    pub fn version(&self, version: &str) -> Option<&Arc<Version>> {
        match version {
            LATEST => Some(&self.latest),
            number => self.versions.get(&number.parse().ok()?),
        }
    }
}

fn tagged(input: &Value) -> Result<FunctionName, ApiError> {
    let resource = input.required_text("Resource")?;
    FunctionName::parse(resource, None).map_err(|_| not_found(format!("The resource {resource} is no function.")))
}

fn tags(input: &Value) -> BTreeMap<String, String> {
    let given = input.get("Tags").and_then(Value::as_object).into_iter().flatten();
    given
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
