//! Under which name, and with which settings, a WebSocket API is reached.

use cfn::{Expr, Value};

use super::domain_name::{ApiMapping, ApiMappingBuilder, DomainMapping};
use super::stage::{StageSettings, stage_settings};
use super::websocket_api::WebSocketApi;
use crate::cloudwatch::Metric;
use crate::element::CfnResource;
use crate::iam::Grantee;
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};

const LOG_FORMAT: &str = "$context.identity.sourceIp $context.identity.caller $context.identity.user \
                          [$context.requestTime] \"$context.eventType $context.routeKey $context.connectionId\" \
                          $context.status $context.requestId";

#[derive(Clone)]
pub struct WebSocketStage {
    construct: Construct,
    resource: CfnResource<cfn::apigatewayv2::Stage>,
    api: WebSocketApi,
    name: String,
    mapping: Option<ApiMapping>,
}

impl Scope for WebSocketStage {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct WebSocketStageBuilder {
    site: Site,
    api: WebSocketApi,
    name: String,
    settings: StageSettings,
}

impl WebSocketStageBuilder {
    stage_settings!();

    pub fn build(self) -> WebSocketStage {
        let construct = self.site.make("apigatewayv2.WebSocketStage");
        let api = self.api.api_id().into_expr();
        let properties = self.settings.render(&construct, &api, &self.name, LOG_FORMAT);
        let resource = CfnResource::new(&construct, "Resource", properties);
        let mapping = self.settings.map_domain(&construct, &api, &self.name);
        WebSocketStage {
            construct,
            resource,
            api: self.api,
            name: self.name,
            mapping,
        }
    }
}

impl WebSocketStage {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        api: &WebSocketApi,
        stage_name: impl Into<String>,
    ) -> WebSocketStageBuilder {
        WebSocketStageBuilder {
            site: Site::new(scope, id),
            api: api.clone(),
            name: stage_name.into(),
            settings: StageSettings::default(),
        }
    }

    pub fn stage_name(&self) -> &str {
        &self.name
    }

    pub fn api(&self) -> &WebSocketApi {
        &self.api
    }

    /// What clients connect to: `wss://…/prod`.
    pub fn url(&self) -> Value<String> {
        self.url_with("wss://")
    }

    /// Where messages to clients are posted: `https://…/prod`.
    pub fn callback_url(&self) -> Value<String> {
        self.url_with("https://")
    }

    fn url_with(&self, scheme: &'static str) -> Value<String> {
        let parts = [
            scheme.into(),
            self.api.api_id().into_expr(),
            ".execute-api.".into(),
            Stack::of(self).region().into_expr(),
            ".".into(),
            cfn::pseudo::url_suffix().into_expr(),
            format!("/{}", self.name).into(),
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

    /// To send to clients of this stage, and to cut them off.
    pub fn grant_management_api_access(&self, grantee: impl Into<Grantee>) {
        self.api.grant_connections(self.name.clone().into(), &grantee.into());
    }

    /// A metric of `AWS/ApiGateway` about this stage.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        self.api.metric(name).dimension("Stage", self.name.as_str())
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigatewayv2::Stage> {
        &self.resource
    }
}
