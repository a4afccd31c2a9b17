//! Resources: the parts of the path.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::{Expr, Value, id};

use super::cors::CorsOptions;
use super::integration::{Integration, MockIntegration};
use super::method::{self, Method, MethodOptions};
use super::rest_api::RestApi;
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};

#[derive(Clone)]
pub struct Resource {
    construct: Construct,
    api: RestApi,
    id: Value<id::apigateway::ResourceId>,
    path: String,
    defaults: Rc<Defaults>,
    children: Rc<RefCell<Vec<(String, Resource)>>>,
}

/// What resources pass on to those below them.
#[derive(Clone, Default)]
pub(super) struct Defaults {
    pub(super) integration: Option<Integration>,
    pub(super) method: MethodOptions,
    pub(super) cors: Option<CorsOptions>,
}

impl Scope for Resource {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl Resource {
    pub(super) fn root(api: &RestApi, id: Value<id::apigateway::ResourceId>, defaults: Defaults) -> Self {
        let construct = Site::new(api, "Default").make("apigateway.Resource");
        let root = Self {
            construct,
            api: api.clone(),
            id,
            path: "/".into(),
            defaults: Rc::new(defaults),
            children: Rc::default(),
        };
        root.add_default_cors();
        root
    }

    fn add_default_cors(&self) {
        if let Some(cors) = &self.defaults.cors {
            self.add_cors_preflight(cors);
        }
    }

    /// A part of the path below this one: `health`, `{id}`, `{proxy+}`.
    #[track_caller]
    pub fn add_resource(&self, path_part: &str) -> Self {
        let construct = Site::new(self, path_part).make("apigateway.Resource");
        if !is_valid(path_part) {
            construct.report(format!(
                "`{path_part}` is no part of a path: letters, digits and `._-:$`, or a name in braces"
            ));
        }
        let properties = cfn::apigateway::Resource::new()
            .rest_api_id(self.api.rest_api_id())
            .parent_id(&self.id)
            .path_part(path_part);
        let resource = CfnResource::new(&construct, "Resource", properties);
        if let Some(deployment) = self.api.latest_deployment() {
            deployment.construct().add_dependency(&resource);
            let properties = Expr::map([
                ("restApiId", self.api.rest_api_id().into_expr()),
                ("parentId", self.id.clone().into_expr()),
                ("pathPart", Expr::text(path_part.to_owned())),
            ]);
            deployment.add_to_logical_id(Expr::map([("resource", properties)]));
        }
        let separator = if self.path.ends_with('/') { "" } else { "/" };
        let child = Self {
            construct,
            api: self.api.clone(),
            id: resource.reference(),
            path: format!("{}{separator}{path_part}", self.path),
            defaults: Rc::clone(&self.defaults),
            children: Rc::default(),
        };
        child.add_default_cors();
        self.children.borrow_mut().push((path_part.to_owned(), child.clone()));
        child
    }

    /// The resource at a path below this one, made as far as it is not there.
    #[track_caller]
    pub fn resource_for_path(&self, path: &str) -> Self {
        let mut at = self.clone();
        for part in path.trim_start_matches('/').split('/').filter(|part| !part.is_empty()) {
            let known = at
                .children
                .borrow()
                .iter()
                .find(|(name, _)| name == part)
                .map(|(_, child)| child.clone());
            at = known.unwrap_or_else(|| at.add_resource(part));
        }
        at
    }

    /// What answers requests with this HTTP method. What the options leave open is the API's default.
    #[track_caller]
    pub fn add_method(&self, http_method: &str, integration: impl Into<Integration>, options: MethodOptions) -> Method {
        let construct = Site::new(self, http_method).make("apigateway.Method");
        let options = options.or(&self.defaults.method);
        method::make(construct, self, http_method, integration.into(), options)
    }

    /// As [`Resource::add_method`], answered by the API's default integration.
    #[track_caller]
    pub fn add_default_method(&self, http_method: &str, options: MethodOptions) -> Method {
        let integration = self.defaults.integration.clone();
        self.add_method(
            http_method,
            integration.unwrap_or_else(|| MockIntegration::new().into()),
            options,
        )
    }

    /// Answers all paths below this one, and of the root also `/` itself, whatever the HTTP method.
    #[track_caller]
    pub fn add_proxy(&self, integration: impl Into<Integration>) -> Self {
        let integration = integration.into();
        let proxy = self.add_resource("{proxy+}");
        if self.path == "/" && self.construct.find_child("ANY").is_none() {
            self.add_method("ANY", integration.clone(), MethodOptions::new());
        }
        proxy.add_method("ANY", integration, MethodOptions::new());
        proxy
    }

    /// Answers the question of browsers whether another site may call.
    #[track_caller]
    pub fn add_cors_preflight(&self, cors: &CorsOptions) -> Method {
        let construct = Site::new(self, "OPTIONS").make("apigateway.Method");
        cors.check(&construct);
        method::make(
            construct,
            self,
            "OPTIONS",
            cors.integration().into(),
            cors.method_options(),
        )
    }

    pub fn api(&self) -> &RestApi {
        &self.api
    }

    pub fn resource_id(&self) -> Value<id::apigateway::ResourceId> {
        self.id.clone()
    }

    /// `/analytics/{id}`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

fn is_valid(part: &str) -> bool {
    let inner = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
    let inner = inner.map_or(part, |inner| inner.strip_suffix('+').unwrap_or(inner));
    !inner.is_empty() && inner.chars().all(|c| c.is_ascii_alphanumeric() || ":._-$".contains(c))
}
