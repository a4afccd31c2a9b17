//! Deployments: snapshots of an API.
//!
//! A deployment is never changed, so one that follows the content gets a new logical id with each change: the id is
//! followed by an md5 over what the API is made of, in the words of aws-cdk-lib 2.276.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::{Expr, IntoValue, Value, id};

use super::rest_api::RestApi;
use crate::element::{CfnResource, RemovalPolicy};
use crate::error::Error;
use crate::logical_id::md5_hex;
use crate::site::Site;
use crate::synthesis::Synthesis;
use crate::tree::{Construct, LogicalId, NodeId, Scope};

#[derive(Clone)]
pub struct Deployment {
    construct: Construct,
    resource: CfnResource<cfn::apigateway::Deployment>,
    api: RestApi,
    /// What the logical id follows, beside the API itself.
    content: Rc<RefCell<Vec<Expr>>>,
}

impl Scope for Deployment {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct DeploymentBuilder {
    site: Site,
    api: RestApi,
    properties: cfn::apigateway::Deployment,
    retain: bool,
    frozen: bool,
}

impl DeploymentBuilder {
    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    /// Stays when a newer one takes its place.
    pub fn retain(mut self) -> Self {
        self.retain = true;
        self
    }

    /// Keeps its logical id whatever the content is: CloudFormation makes it once, and later deployments are made by a
    /// rollout.
    pub fn frozen(mut self) -> Self {
        self.frozen = true;
        self
    }

    pub fn build(self) -> Deployment {
        let construct = self.site.make("apigateway.Deployment");
        let resource = CfnResource::new(
            &construct,
            "Resource",
            self.properties.rest_api_id(self.api.rest_api_id()),
        );
        // The logical id says which content is meant, so no tool may rename it.
        resource.add_metadata("aws:cdk:do-not-refactor", true);
        if self.retain {
            resource.apply_removal_policy(RemovalPolicy::Retain);
        }
        let deployment = Deployment {
            construct,
            resource,
            api: self.api,
            content: Rc::default(),
        };
        if !self.frozen {
            deployment.follow_content();
        }
        deployment.api.attach_deployment(&deployment);
        deployment
    }
}

impl Deployment {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, api: &RestApi) -> DeploymentBuilder {
        DeploymentBuilder {
            site: Site::new(scope, id),
            api: api.clone(),
            properties: cfn::apigateway::Deployment::new(),
            retain: false,
            frozen: false,
        }
    }

    pub fn deployment_id(&self) -> Value<id::apigateway::DeploymentId> {
        self.resource.reference()
    }

    pub fn api(&self) -> &RestApi {
        &self.api
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigateway::Deployment> {
        &self.resource
    }

    /// Something that changes the logical id when it changes.
    pub fn add_to_logical_id(&self, content: impl Into<Expr>) {
        self.content.borrow_mut().push(content.into());
    }

    fn follow_content(&self) {
        let node = self.resource.construct().node();
        let api = self.api.resource().construct().node();
        let content = Rc::clone(&self.content);
        let compute = move |synthesis: &Synthesis<'_>| content_id(synthesis, node, api, &content.borrow());
        self.construct.tree_mut().node_mut(node).logical_id = LogicalId::Computed(Rc::new(compute));
    }
}

fn content_id(synthesis: &Synthesis<'_>, node: NodeId, api: NodeId, content: &[Expr]) -> Result<String, Error> {
    let mut text = String::new();
    for part in content {
        text.push_str(&synthesis.text(node, part.clone())?);
    }
    let api_id = synthesis.logical_id(api)?;
    let api = synthesis.json(api)?;
    text.push_str(&serde_json::json!({ "Resources": { api_id.as_ref(): api } }).to_string());
    Ok(synthesis.id_from_path(node)? + &md5_hex(&text))
}
