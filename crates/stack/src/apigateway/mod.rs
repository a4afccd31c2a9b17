//! REST APIs: resources, methods, integrations, authorizers, deployments and stages.

mod authorizer;
mod cors;
mod deployment;
mod domain_name;
mod integration;
mod method;
mod model;
mod resource;
mod rest_api;
mod stage;
mod usage_plan;

pub use authorizer::{Authorizer, AuthorizerBuilder, IdentitySource, RequestAuthorizer, TokenAuthorizer};
pub use cors::CorsOptions;
pub use deployment::{Deployment, DeploymentBuilder};
pub use domain_name::{
    BasePathMapping, BasePathMappingOptions, DomainName, DomainNameBuilder, DomainNameOptions, EndpointAccessMode,
    SecurityPolicy,
};
pub use integration::{HttpIntegration, Integration, LambdaIntegration, MockIntegration};
pub use method::{AuthorizationType, Method, MethodOptions};
pub use model::{GatewayResponse, Model, RequestValidator};
pub use resource::Resource;
pub use rest_api::{EndpointType, RestApi, RestApiBuilder};
pub use stage::{MethodLoggingLevel, MethodSettings, Stage, StageBuilder, StageOptions};
pub use usage_plan::{ApiKey, Period, UsagePlan};
