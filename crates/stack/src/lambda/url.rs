//! URLs that invoke a function or an alias without an API.

use std::time::Duration;

use cfn::lambda::url;
use cfn::{Builder, Value};

use super::alias::Alias;
use super::function::Function;
use super::permission::{Invocable, Permission};
use crate::element::CfnResource;
use crate::iam::Principal;
use crate::site::Site;
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

/// Which pages of other origins may call a URL.
#[derive(Clone, Debug, Default)]
pub struct UrlCors {
    origins: Vec<String>,
    methods: Vec<String>,
    headers: Vec<String>,
    exposed_headers: Vec<String>,
    credentials: Option<bool>,
    max_age: Option<Duration>,
}

impl UrlCors {
    /// `https://example.com`, or `*`.
    pub fn origins(origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            origins: origins.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// All if nothing is said.
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.methods.extend(methods.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn headers(mut self, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.headers.extend(headers.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn exposed_headers(mut self, headers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.exposed_headers.extend(headers.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn allow_credentials(mut self, on: bool) -> Self {
        self.credentials = Some(on);
        self
    }

    /// For how long browsers keep the answer: a day at most.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    fn render(&self) -> url::Cors {
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        url::Cors::new()
            .allow_methods(some(&self.methods).unwrap_or_else(|| vec!["*".to_owned()]))
            .when_some(some(&self.origins), url::Cors::allow_origins)
            .when_some(some(&self.headers), url::Cors::allow_headers)
            .when_some(some(&self.exposed_headers), url::Cors::expose_headers)
            .when_some(self.credentials, url::Cors::allow_credentials)
            .when_some(self.max_age.map(whole_seconds), url::Cors::max_age)
    }
}

#[derive(Clone)]
pub struct FunctionUrl {
    construct: Construct,
    resource: CfnResource<cfn::lambda::Url>,
}

impl Scope for FunctionUrl {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

enum Target {
    Function(Function),
    Alias(Alias),
}

#[must_use = "nothing is made until `build`"]
pub struct FunctionUrlBuilder {
    site: Site,
    target: Target,
    public: bool,
    cors: Option<UrlCors>,
    streaming: bool,
}

impl FunctionUrlBuilder {
    /// Everybody may call it; if this is not said, those whom IAM lets.
    pub fn public(mut self) -> Self {
        self.public = true;
        self
    }

    pub fn cors(mut self, cors: UrlCors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Answers are sent as they come.
    pub fn response_stream(mut self) -> Self {
        self.streaming = true;
        self
    }

    pub fn build(self) -> FunctionUrl {
        let construct = self.site.make("lambda.FunctionUrl");
        let kind = if self.public { "NONE" } else { "AWS_IAM" };
        let function = match &self.target {
            Target::Function(function) => function,
            Target::Alias(alias) => alias.function(),
        };
        let mut properties = cfn::lambda::Url::new()
            .auth_type(kind)
            .target_function_arn(function.function_arn());
        if let Some(cors) = &self.cors {
            if cors.max_age.is_some_and(|age| whole_seconds(age) > 86_400) {
                construct.report("browsers keep the answer about other origins for a day at most");
            }
            properties = properties.cors(cors.render());
        }
        if self.streaming {
            properties = properties.invoke_mode("RESPONSE_STREAM");
        }
        if let Target::Alias(alias) = &self.target {
            properties = properties.qualifier(alias.alias_name());
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        if let Target::Alias(alias) = &self.target {
            resource.construct().add_dependency(alias.resource());
        }
        if self.public {
            let target: &dyn Invocable = match &self.target {
                Target::Function(function) => function,
                Target::Alias(alias) => alias,
            };
            let everybody = || Permission::new(Principal::any());
            target.add_permission(
                "invoke-function-url",
                &everybody().action("lambda:InvokeFunctionUrl").url_auth_type(kind),
            );
            target.add_permission("invoke-function", &everybody().through_url());
        }
        FunctionUrl { construct, resource }
    }
}

impl FunctionUrl {
    pub fn url(&self) -> Value<String> {
        self.resource.function_url()
    }

    /// Of what the URL invokes.
    pub fn function_arn(&self) -> Value<String> {
        self.resource.function_arn().cast()
    }

    /// Everybody may call it.
    pub(crate) fn is_public(&self) -> bool {
        let kind = self.resource.property("AuthType");
        kind.is_some_and(|kind| kind.as_text() == Some("NONE"))
    }

    pub fn resource(&self) -> &CfnResource<cfn::lambda::Url> {
        &self.resource
    }
}

impl Function {
    /// A URL that invokes the code as it was last deployed.
    #[track_caller]
    pub fn add_function_url(&self) -> FunctionUrlBuilder {
        builder(Site::new(self, "FunctionUrl"), Target::Function(self.clone()))
    }
}

impl Alias {
    /// A URL that invokes what the alias points at.
    #[track_caller]
    pub fn add_function_url(&self) -> FunctionUrlBuilder {
        builder(Site::new(self, "FunctionUrl"), Target::Alias(self.clone()))
    }
}

fn builder(site: Site, target: Target) -> FunctionUrlBuilder {
    FunctionUrlBuilder {
        site,
        target,
        public: false,
        cors: None,
        streaming: false,
    }
}
