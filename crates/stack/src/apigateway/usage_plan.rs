//! Keys for callers, and how much they may ask.

use cfn::apigateway::{api_key, usage_plan};
use cfn::{Builder, Expr, Value};

use super::rest_api::RestApi;
use super::stage::Stage;
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};

/// A key that a caller shows in `x-api-key`. It counts requests; it is no proof of who calls.
#[derive(Clone)]
pub struct ApiKey {
    construct: Construct,
    resource: CfnResource<cfn::apigateway::ApiKey>,
}

impl Scope for ApiKey {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl ApiKey {
    #[track_caller]
    pub(super) fn new(api: &RestApi, id: impl Into<String>, name: Option<&str>) -> Self {
        let construct = Site::new(api, id).make("apigateway.ApiKey");
        let mut properties = cfn::apigateway::ApiKey::new()
            .enabled(true)
            .when_some(name, cfn::apigateway::ApiKey::name);
        if let Some(stage) = api.deployment_stage() {
            let key = api_key::StageKey::new()
                .rest_api_id(api.rest_api_id())
                .stage_name(stage.stage_name());
            properties = properties.stage_keys([key]);
        }
        Self {
            resource: CfnResource::new(&construct, "Resource", properties),
            construct,
        }
    }

    pub fn key_id(&self) -> Value<String> {
        self.resource.reference().cast()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Day,
    Week,
    Month,
}

/// Limits for callers with keys.
#[derive(Clone)]
pub struct UsagePlan {
    construct: Construct,
    resource: CfnResource<cfn::apigateway::UsagePlan>,
}

impl Scope for UsagePlan {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl UsagePlan {
    #[track_caller]
    pub(super) fn new(api: &RestApi, id: impl Into<String>) -> Self {
        let construct = Site::new(api, id).make("apigateway.UsagePlan");
        let resource = CfnResource::new(&construct, "Resource", cfn::apigateway::UsagePlan::new());
        Self { construct, resource }
    }

    pub fn name(&self, name: impl Into<String>) -> &Self {
        self.resource.set("UsagePlanName", Some(Expr::text(name.into())));
        self
    }

    /// Requests a second on the average, and at once.
    pub fn throttle(&self, rate_limit: f64, burst_limit: u32) -> &Self {
        let throttle = usage_plan::ThrottleSettings::new()
            .rate_limit(rate_limit)
            .burst_limit(burst_limit);
        self.resource.set(
            "Throttle",
            Some(cfn::IntoValue::<usage_plan::ThrottleSettings>::into_value(throttle).into_expr()),
        );
        self
    }

    /// Requests in each period.
    pub fn quota(&self, limit: u32, period: Period) -> &Self {
        let period = match period {
            Period::Day => "DAY",
            Period::Week => "WEEK",
            Period::Month => "MONTH",
        };
        let quota = usage_plan::QuotaSettings::new().limit(limit).period(period);
        self.resource.set(
            "Quota",
            Some(cfn::IntoValue::<usage_plan::QuotaSettings>::into_value(quota).into_expr()),
        );
        self
    }

    /// The limits hold for this stage.
    pub fn add_api_stage(&self, stage: &Stage) -> &Self {
        let mut stages = match self.resource.property("ApiStages") {
            Some(Expr::List(stages)) => stages,
            _ => Vec::new(),
        };
        let entry = [
            ("ApiId", stage.api().rest_api_id().into_expr()),
            ("Stage", stage.stage_name().into_expr()),
        ];
        stages.push(Expr::map(entry));
        self.resource.set("ApiStages", Some(Expr::List(stages)));
        self
    }

    /// The limits hold for callers with this key.
    #[track_caller]
    pub fn add_api_key(&self, key: &ApiKey) -> &Self {
        let id = format!("UsagePlanKeyResource:{}", key.construct.unique_id());
        let properties = cfn::apigateway::UsagePlanKey::new()
            .key_id(key.resource.handle())
            .key_type("API_KEY")
            .usage_plan_id(self.resource.handle());
        CfnResource::new(&self.construct, id, properties);
        self
    }
}
