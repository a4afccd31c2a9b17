//! REST APIs: resources, methods, integrations, authorizers, deployments and stages.

mod authorizer;
mod deployment;
mod integration;
mod method;
mod resource;
mod rest_api;
mod stage;

pub use authorizer::{Authorizer, TokenAuthorizer, TokenAuthorizerBuilder};
pub use deployment::{Deployment, DeploymentBuilder};
pub use integration::{HttpIntegration, Integration, LambdaIntegration, MockIntegration};
pub use method::{AuthorizationType, Method, MethodOptions};
pub use resource::Resource;
pub use rest_api::{EndpointType, RestApi, RestApiBuilder};
pub use stage::{MethodLoggingLevel, MethodSettings, Stage, StageBuilder, StageOptions};
