//! What a rollout moves, as the stacks themselves say it: logical ids in a template's metadata, resolved to the physical
//! names that the deployed stack holds.
//!
//! The contract is the section "Blue-green: who owns what" of the repository's `ARCHITECTURE.md`.

use std::collections::BTreeMap;

use orchestrator::domain::{
    AliasName, ApiTarget, FunctionName, LiveAlias, PerSlot, RestApiId, RolloutTarget, ServedEntry, StageName,
};
use serde::Deserialize;
use serde_json::Value;

use crate::connection::Aws;
use crate::failure::{Failure, failed};

/// The key in a template's `Metadata`.
pub const BLUE_GREEN_METADATA: &str = "LlamaDeploy::BlueGreen";

/// The logical ids of everything that has slots in one stack.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct SlottedResources {
    #[serde(default)]
    pub functions: Vec<String>,
    #[serde(default)]
    pub apis: Vec<SlottedApi>,
    #[serde(default)]
    pub live_aliases: Vec<SlottedAlias>,
}

/// An alias whose weights split the calls of everything that is no REST API.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct SlottedAlias {
    /// One of [`SlottedResources::functions`].
    pub function: String,
    pub alias: String,
    /// In words for people: `HTTP API Orders`, `queue Jobs`.
    #[serde(default)]
    pub serves: Vec<ServedEntry>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct SlottedApi {
    pub rest_api: String,
    pub live_stage: String,
    pub preview_stages: PreviewStages,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PreviewStages {
    pub blue: String,
    pub green: String,
}

impl SlottedResources {
    /// What a template says; `None` where it holds no slots.
    pub fn of_template(stack: &str, template: &str) -> Result<Option<Self>, Failure> {
        let malformed = |cause: serde_json::Error| {
            Failure::invalid(
                "read the template",
                stack,
                format!("its {BLUE_GREEN_METADATA} metadata is not valid: {cause}"),
            )
        };
        let template: Value = serde_json::from_str(template).map_err(malformed)?;
        match template
            .get("Metadata")
            .and_then(|metadata| metadata.get(BLUE_GREEN_METADATA))
        {
            Some(metadata) => {
                let slotted = Self::deserialize(metadata).map_err(malformed)?;
                match slotted
                    .live_aliases
                    .iter()
                    .find(|live| !slotted.functions.contains(&live.function))
                {
                    Some(live) => Err(Failure::invalid(
                        "read the template",
                        stack,
                        format!(
                            "its {BLUE_GREEN_METADATA} metadata gives {} a live alias and does not name it among Functions, so \
                             no release would hold a version for it",
                            live.function
                        ),
                    )),
                    None => Ok(Some(slotted)),
                }
            }
            None => Ok(None),
        }
    }
}

impl Aws {
    /// Everything with slots in the deployed `stacks`, in their order. A stack that does not exist or holds no slots
    /// adds nothing.
    pub async fn rollout_target(&self, stacks: &[String]) -> Result<RolloutTarget, Failure> {
        let mut target = RolloutTarget {
            functions: Vec::new(),
            apis: Vec::new(),
            aliases: Vec::new(),
        };
        for stack in stacks {
            let Some(template) = self.stack_template(stack).await? else {
                continue;
            };
            let Some(slotted) = SlottedResources::of_template(stack, &template)? else {
                continue;
            };
            let physical_ids: BTreeMap<String, String> = self
                .stack_resources(stack)
                .await?
                .into_iter()
                .filter_map(|resource| Some((resource.logical_id, resource.physical_id?)))
                .collect();
            let resolve = |logical_id: &String| {
                physical_ids.get(logical_id).cloned().ok_or_else(|| {
                    Failure::invalid(
                        "ListStackResources",
                        stack,
                        format!("its {BLUE_GREEN_METADATA} metadata names {logical_id}, which the stack does not hold"),
                    )
                })
            };
            for function in &slotted.functions {
                target.functions.push(FunctionName::new(resolve(function)?));
            }
            for live in &slotted.live_aliases {
                target.aliases.push(LiveAlias {
                    function: FunctionName::new(resolve(&live.function)?),
                    alias: alias_name(&resolve(&live.alias)?),
                    serves: live.serves.clone(),
                });
            }
            for api in &slotted.apis {
                let id = resolve(&api.rest_api)?;
                let live = resolve(&api.live_stage)?;
                let blue = resolve(&api.preview_stages.blue)?;
                let green = resolve(&api.preview_stages.green)?;
                target.apis.push(ApiTarget {
                    name: self.api_name(&id).await?,
                    live_url: self.stage_url(&id, &live),
                    preview_urls: PerSlot {
                        blue: self.stage_url(&id, &blue),
                        green: self.stage_url(&id, &green),
                    },
                    live_stage: StageName::new(live),
                    preview_stages: PerSlot {
                        blue: StageName::new(blue),
                        green: StageName::new(green),
                    },
                    rest_api_id: RestApiId::new(id),
                });
            }
        }
        Ok(target)
    }

    /// Where a stage answers, without a trailing slash.
    pub fn stage_url(&self, rest_api_id: &str, stage: &str) -> String {
        stage_url(self.endpoint_url(), self.partition(), self.region(), rest_api_id, stage)
    }

    async fn api_name(&self, rest_api_id: &str) -> Result<String, Failure> {
        let api = self
            .apigateway()
            .get_rest_api()
            .rest_api_id(rest_api_id)
            .send()
            .await
            .map_err(failed("GetRestApi", rest_api_id))?;
        api.name
            .ok_or_else(|| Failure::incomplete("GetRestApi", rest_api_id, "name"))
    }
}

/// An alias's physical id is its ARN, which ends with `function:NAME:ALIAS`.
fn alias_name(physical_id: &str) -> AliasName {
    AliasName::new(physical_id.rsplit(':').next().unwrap_or(physical_id))
}

fn stage_url(endpoint_url: Option<&str>, partition: &str, region: &str, rest_api_id: &str, stage: &str) -> String {
    match endpoint_url {
        Some(endpoint) => format!("{endpoint}/_aws/execute-api/{rest_api_id}/{stage}"),
        None => {
            let suffix = if partition == "aws-cn" {
                "amazonaws.com.cn"
            } else {
                "amazonaws.com"
            };
            format!("https://{rest_api_id}.execute-api.{region}.{suffix}/{stage}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_contract_of_the_architecture_page() {
        let template = r#"{"Metadata": {"LlamaDeploy::BlueGreen": {
            "Functions": ["ProtocolAnalytics1234", "Health5678"],
            "Apis": [{"RestApi": "Phase2API90AB", "LiveStage": "Prod", "PreviewStages": {"blue": "B", "green": "G"}}]
        }}}"#;
        let slotted = SlottedResources::of_template("S", template).unwrap().unwrap();
        assert_eq!(slotted.functions, ["ProtocolAnalytics1234", "Health5678"]);
        assert_eq!(
            slotted.apis[0].preview_stages,
            PreviewStages {
                blue: "B".to_owned(),
                green: "G".to_owned()
            }
        );
        assert_eq!(
            SlottedResources::of_template("S", r#"{"Metadata": {"Other": 1}}"#).unwrap(),
            None
        );
        assert_eq!(SlottedResources::of_template("S", "{}").unwrap(), None);
    }

    #[test]
    fn reads_live_aliases_and_whom_they_serve() {
        let template = r#"{"Metadata": {"LlamaDeploy::BlueGreen": {
            "Functions": ["Orders"],
            "LiveAliases": [{"Function": "Orders", "Alias": "OrdersLive", "Serves": ["HTTP API Shop", "queue Jobs"]}]
        }}}"#;
        let slotted = SlottedResources::of_template("S", template).unwrap().unwrap();
        let live = &slotted.live_aliases[0];
        assert_eq!((live.function.as_str(), live.alias.as_str()), ("Orders", "OrdersLive"));
        assert_eq!(
            live.serves,
            [ServedEntry::from("HTTP API Shop"), ServedEntry::from("queue Jobs")]
        );
        let unreleased = template.replace(r#"["Orders"]"#, "[]");
        let error = SlottedResources::of_template("S", &unreleased).unwrap_err();
        assert!(error.to_string().contains("Orders a live alias"), "{error}");
        assert_eq!(
            alias_name("arn:aws:lambda:eu-west-1:123456789012:function:shop-orders:live").as_str(),
            "live"
        );
    }

    #[test]
    fn a_contract_that_is_not_understood_is_refused() {
        for metadata in [r#"{"Function": []}"#, r#"{"Apis": [{"RestApi": "A"}]}"#, "3"] {
            let template = format!(r#"{{"Metadata": {{"LlamaDeploy::BlueGreen": {metadata}}}}}"#);
            let error = SlottedResources::of_template("Phase2", &template).unwrap_err();
            assert!(error.to_string().contains("Phase2"), "{error}");
        }
    }

    #[test]
    fn a_stage_answers_at_the_embedded_cloud_or_at_its_own_host() {
        assert_eq!(
            stage_url(Some("http://127.0.0.1:4566"), "aws", "eu-west-1", "abc", "prod"),
            "http://127.0.0.1:4566/_aws/execute-api/abc/prod"
        );
        assert_eq!(
            stage_url(None, "aws", "eu-west-1", "abc", "prod"),
            "https://abc.execute-api.eu-west-1.amazonaws.com/prod"
        );
        assert_eq!(
            stage_url(None, "aws-cn", "cn-north-1", "abc", "prod"),
            "https://abc.execute-api.cn-north-1.amazonaws.com.cn/prod"
        );
    }
}
