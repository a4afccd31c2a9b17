//! Under which name, and with which settings, an HTTP API is reached.

use cfn::{Expr, Value};

use super::domain_name::{ApiMapping, ApiMappingBuilder, DomainMapping};
use super::http_api::{HttpApi, http_metrics};
use super::stage::{StageSettings, stage_settings};
use crate::cloudwatch::Metric;
use crate::element::CfnResource;
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};

/// The stage that has no part in the path.
const DEFAULT_NAME: &str = "$default";
const LOG_FORMAT: &str = "$context.identity.sourceIp $context.identity.caller $context.identity.user \
                          [$context.requestTime] \"$context.httpMethod $context.resourcePath $context.protocol\" \
                          $context.status $context.responseLength $context.requestId";

#[derive(Clone)]
pub struct HttpStage {
    construct: Construct,
    resource: CfnResource<cfn::apigatewayv2::Stage>,
    api: HttpApi,
    name: String,
    mapping: Option<ApiMapping>,
}

impl Scope for HttpStage {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct HttpStageBuilder {
    site: Site,
    api: HttpApi,
    name: String,
    settings: StageSettings,
}

impl HttpStageBuilder {
    /// The first part of the path; if nothing is said, there is none.
    pub fn stage_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    stage_settings!();

    pub fn build(self) -> HttpStage {
        let construct = self.site.make("apigatewayv2.HttpStage");
        let api = self.api.api_id().into_expr();
        let properties = self.settings.render(&construct, &api, &self.name, LOG_FORMAT);
        let resource = CfnResource::new(&construct, "Resource", properties);
        let mapping = self.settings.map_domain(&construct, &api, &self.name);
        HttpStage {
            construct,
            resource,
            api: self.api,
            name: self.name,
            mapping,
        }
    }
}

impl HttpStage {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, api: &HttpApi) -> HttpStageBuilder {
        HttpStageBuilder {
            site: Site::new(scope, id),
            api: api.clone(),
            name: DEFAULT_NAME.to_owned(),
            settings: StageSettings::default(),
        }
    }

    pub fn stage_name(&self) -> &str {
        &self.name
    }

    /// `https://…/beta`.
    pub fn url(&self) -> Value<String> {
        let path = if self.name == DEFAULT_NAME { "" } else { &self.name };
        let parts = [
            "https://".into(),
            self.api.api_id().into_expr(),
            ".execute-api.".into(),
            Stack::of(self).region().into_expr(),
            ".".into(),
            cfn::pseudo::url_suffix().into_expr(),
            format!("/{path}").into(),
        ];
        Expr::concat(parts).cast()
    }

    /// Where the stage is in the domain that it was made with. Reported where there is none.
    pub fn domain_url(&self) -> Value<String> {
        self.mapping.as_ref().map_or_else(
            || {
                self.construct
                    .report("the stage is in no domain; give it one with `domain_mapping`");
                Expr::text("").cast()
            },
            ApiMapping::domain_url,
        )
    }

    /// Maps the stage into a further domain.
    #[track_caller]
    pub fn add_domain_mapping(
        &self,
        scope: &impl Scope,
        id: impl Into<String>,
        mapping: DomainMapping,
    ) -> ApiMappingBuilder {
        let api = self.api.api_id().into_expr();
        ApiMapping::builder(scope, id, mapping, &self.construct, api, &self.name)
    }

    /// A metric of `AWS/ApiGateway` about this stage.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        self.api.metric(name).dimension("Stage", self.name.as_str())
    }

    http_metrics!();

    pub fn resource(&self) -> &CfnResource<cfn::apigatewayv2::Stage> {
        &self.resource
    }
}
