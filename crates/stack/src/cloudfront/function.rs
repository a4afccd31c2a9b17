//! Functions in JavaScript that run at the edge, before the cache is asked and before the viewer is answered.

use std::path::Path;

use cfn::cloudfront::{function, key_value_store};
use cfn::{Builder, Expr, IntoValue, Value, id};

use crate::element::CfnResource;
use crate::logical_id::Style;
use crate::s3::Bucket;
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};

/// What of a path fits beside a region, from when on it is shortened.
const MAX_PATH_IN_NAME: usize = 41;
const SHORTENED_PATH: usize = 40;
const MAX_STORE_NAME: usize = 64;

/// When a function runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionEvent {
    ViewerRequest,
    ViewerResponse,
}

impl FunctionEvent {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ViewerRequest => "viewer-request",
            Self::ViewerResponse => "viewer-response",
        }
    }
}

/// Which JavaScript there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionRuntime {
    Js1,
    Js2,
}

/// A function of this app, or one that exists already.
#[derive(Clone, Debug)]
pub struct Function {
    arn: Expr,
    name: Expr,
}

#[must_use = "nothing is made until `build`"]
pub struct FunctionBuilder {
    site: Site,
    code: Result<String, String>,
    name: Option<Expr>,
    comment: Option<Expr>,
    runtime: Option<FunctionRuntime>,
    store: Option<KeyValueStore>,
    auto_publish: bool,
}

impl FunctionBuilder {
    /// Region and path if nothing is said.
    pub fn function_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    /// The name if nothing is said.
    pub fn comment(mut self, comment: impl IntoValue<String>) -> Self {
        self.comment = Some(comment.into_value().into_expr());
        self
    }

    /// 1.0 if nothing is said, 2.0 with a key value store.
    pub fn runtime(mut self, runtime: FunctionRuntime) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// What the function can look up.
    pub fn key_value_store(mut self, store: &KeyValueStore) -> Self {
        self.store = Some(store.clone());
        self
    }

    /// Whether a new version goes live at once; it does if nothing is said.
    pub fn auto_publish(mut self, on: bool) -> Self {
        self.auto_publish = on;
        self
    }

    pub fn build(self) -> Function {
        let construct = self.site.make("cloudfront.Function");
        let code = self.code.unwrap_or_else(|problem| {
            construct.report(problem);
            String::new()
        });
        let default = if self.store.is_some() {
            FunctionRuntime::Js2
        } else {
            FunctionRuntime::Js1
        };
        let runtime = match self.runtime.unwrap_or(default) {
            FunctionRuntime::Js1 => {
                if self.store.is_some() {
                    construct.report("key value stores need the runtime 2.0");
                }
                "cloudfront-js-1.0"
            }
            FunctionRuntime::Js2 => "cloudfront-js-2.0",
        };
        let name = self.name.unwrap_or_else(|| made_name(&construct));
        let comment = self.comment.unwrap_or_else(|| name.clone());
        let config = function::FunctionConfig::new()
            .comment(comment.cast::<String>())
            .runtime(runtime)
            .when_some(self.store, |config, store| {
                let association =
                    function::KeyValueStoreAssociation::new().key_value_store_arn(store.key_value_store_arn());
                config.key_value_store_associations([association])
            });
        let properties = cfn::cloudfront::Function::new()
            .auto_publish(self.auto_publish)
            .function_code(code)
            .function_config(config)
            .name(name.clone().cast::<String>());
        let resource = CfnResource::new(&construct, "Resource", properties);
        Function {
            arn: resource.function_arn().into_expr(),
            name,
        }
    }
}

fn made_name(construct: &Construct) -> Expr {
    let id = construct.unique_id();
    let path = if id.len() <= MAX_PATH_IN_NAME {
        id
    } else {
        let style = Style {
            special: "-_",
            ..Style::default()
        };
        construct.unique_resource_name_with(style, SHORTENED_PATH)
    };
    Expr::concat([Stack::of(construct).region().into_expr(), path.into()])
}

impl Function {
    /// A function with its source.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, code: impl Into<String>) -> FunctionBuilder {
        Self::of(Site::new(scope, id), Ok(code.into()))
    }

    /// A function whose source is a file.
    #[track_caller]
    pub fn of_file(scope: &impl Scope, id: impl Into<String>, path: impl AsRef<Path>) -> FunctionBuilder {
        let path = path.as_ref();
        let code = std::fs::read_to_string(path).map_err(|error| {
            format!(
                "the code of the function cannot be read from {}: {error}",
                path.display()
            )
        });
        Self::of(Site::new(scope, id), code)
    }

    fn of(site: Site, code: Result<String, String>) -> FunctionBuilder {
        FunctionBuilder {
            site,
            code,
            name: None,
            comment: None,
            runtime: None,
            store: None,
            auto_publish: true,
        }
    }

    /// A function that exists already.
    pub fn from_attributes(name: impl IntoValue<String>, arn: impl IntoValue<id::cloudfront::FunctionARN>) -> Self {
        Self {
            arn: arn.into_value().into_expr(),
            name: name.into_value().into_expr(),
        }
    }

    pub fn function_arn(&self) -> Value<id::cloudfront::FunctionARN> {
        Value::from_expr(self.arn.clone())
    }

    pub fn function_name(&self) -> Value<String> {
        Value::from_expr(self.name.clone())
    }
}

/// Keys and values that functions at the edge read and that change without a deployment.
#[derive(Clone, Debug)]
pub struct KeyValueStore {
    arn: Expr,
}

impl KeyValueStore {
    /// Empty at first, or filled from a file in a bucket.
    #[track_caller]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        name: Option<&str>,
        comment: Option<&str>,
        source: Option<(&Bucket, &str)>,
    ) -> Self {
        let construct = Site::new(scope, id).make("cloudfront.KeyValueStore");
        let name = name.map_or_else(|| construct.unique_resource_name(MAX_STORE_NAME), str::to_owned);
        let properties = cfn::cloudfront::KeyValueStore::new()
            .name(name)
            .when_some(comment, |properties, comment| properties.comment(comment))
            .when_some(source, |properties, (bucket, key)| {
                let source = key_value_store::ImportSource::new()
                    .source_type("S3")
                    .source_arn(bucket.arn_for_objects(key));
                properties.import_source(source)
            });
        let resource = CfnResource::new(&construct, "Resource", properties);
        Self {
            arn: resource.arn().into_expr(),
        }
    }

    /// A store that exists already.
    pub fn from_arn(arn: impl IntoValue<String>) -> Self {
        Self {
            arn: arn.into_value().into_expr(),
        }
    }

    pub fn key_value_store_arn(&self) -> Value<String> {
        Value::from_expr(self.arn.clone())
    }
}
