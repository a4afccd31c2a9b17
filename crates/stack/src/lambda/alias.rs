//! Published versions of a function, and names for them.

use std::rc::Rc;

use cfn::lambda::{alias, version};
use cfn::{Expr, IntoValue, Value, id};

use super::function::Function;
use super::permission::{GivenName, Invocable};
use super::version_hash;
use crate::cloudwatch::Metric;
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::{Identity, Role};
use crate::site::Site;
use crate::tree::{Construct, LogicalId, Scope};

/// A frozen state of a function.
#[derive(Clone)]
pub struct Version {
    construct: Construct,
    resource: CfnResource<cfn::lambda::Version>,
    function: Function,
}

impl Scope for Version {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct VersionBuilder {
    site: Site,
    function: Function,
    properties: cfn::lambda::Version,
    removal_policy: Option<RemovalPolicy>,
}

impl VersionBuilder {
    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    /// Publishes only if the code has this hash.
    pub fn code_sha256(mut self, hash: impl IntoValue<String>) -> Self {
        self.properties = self.properties.code_sha256(hash);
        self
    }

    pub fn provisioned_concurrent_executions(mut self, count: u32) -> Self {
        let config =
            version::ProvisionedConcurrencyConfiguration::new().provisioned_concurrent_executions(i64::from(count));
        self.properties = self.properties.provisioned_concurrency_config(config);
        self
    }

    /// Retained versions stay invocable after a new one is published.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = Some(policy);
        self
    }

    pub fn build(self) -> Version {
        let construct = self.site.make("lambda.Version");
        let resource = CfnResource::new(
            &construct,
            "Resource",
            self.properties.function_name(self.function.function_name()),
        );
        // The logical id says which content is meant, so no tool may rename it.
        resource.add_metadata("aws:cdk:do-not-refactor", true);
        if let Some(policy) = self.removal_policy {
            resource.apply_removal_policy(policy);
        }
        Version {
            construct,
            resource,
            function: self.function,
        }
    }
}

impl Version {
    /// A version that stays as it is first published: its logical id does not follow the content.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, function: &Function) -> VersionBuilder {
        VersionBuilder {
            site: Site::new(scope, id),
            function: function.clone(),
            properties: cfn::lambda::Version::new(),
            removal_policy: None,
        }
    }

    /// The version that follows the content of the function.
    pub(super) fn current(function: &Function) -> Self {
        let version = Self::new(function, "CurrentVersion", function).build();
        let (of, at) = (
            function.resource().construct().node(),
            version.resource.construct().node(),
        );
        let compute = move |synthesis: &crate::synthesis::Synthesis<'_>| version_hash::logical_id(synthesis, of, at);
        version.construct.tree_mut().node_mut(at).logical_id = LogicalId::Computed(Rc::new(compute));
        version
    }

    /// The number.
    pub fn version(&self) -> Value<String> {
        self.resource.version()
    }

    pub fn function(&self) -> &Function {
        &self.function
    }

    pub fn resource(&self) -> &CfnResource<cfn::lambda::Version> {
        &self.resource
    }
}

impl Invocable for Version {
    fn invocable_arn(&self) -> Value<String> {
        self.resource.reference().cast()
    }

    fn given_name(&self) -> GivenName {
        GivenName::Unknown
    }
}

/// A name for a version, that can be moved to another.
#[derive(Clone)]
pub struct Alias {
    construct: Construct,
    resource: CfnResource<cfn::lambda::Alias>,
    function: Function,
    name: String,
}

impl Scope for Alias {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct AliasBuilder {
    site: Site,
    name: String,
    version: Version,
    properties: cfn::lambda::Alias,
    additional: Vec<(Version, f64)>,
}

impl AliasBuilder {
    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    pub fn provisioned_concurrent_executions(mut self, count: u32) -> Self {
        let config =
            alias::ProvisionedConcurrencyConfiguration::new().provisioned_concurrent_executions(i64::from(count));
        self.properties = self.properties.provisioned_concurrency_config(config);
        self
    }

    /// Sends a share of the invocations, between 0 and 1, to another version.
    pub fn additional_version(mut self, version: &Version, weight: f64) -> Self {
        self.additional.push((version.clone(), weight));
        self
    }

    pub fn build(self) -> Alias {
        let construct = self.site.make("lambda.Alias");
        let total: f64 = self.additional.iter().map(|(_, weight)| *weight).sum();
        if total > 1.0 || self.additional.iter().any(|(_, weight)| *weight < 0.0) {
            construct.report("the weights of additional versions lie between 0 and 1, also together");
        }
        let mut properties = self
            .properties
            .name(self.name.as_str())
            .function_name(self.version.function.function_name())
            .function_version(self.version.version());
        if !self.additional.is_empty() {
            let weights = self.additional.iter().map(|(version, weight)| {
                alias::VersionWeight::new()
                    .function_version(version.version())
                    .function_weight(*weight)
            });
            let routing =
                alias::AliasRoutingConfiguration::new().additional_version_weights(weights.collect::<Vec<_>>());
            properties = properties.routing_config(routing);
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        Alias {
            construct,
            resource,
            function: self.version.function,
            name: self.name,
        }
    }
}

impl Alias {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, name: impl Into<String>, version: &Version) -> AliasBuilder {
        AliasBuilder {
            site: Site::new(scope, id),
            name: name.into(),
            version: version.clone(),
            properties: cfn::lambda::Alias::new(),
            additional: Vec::new(),
        }
    }

    pub fn alias_name(&self) -> &str {
        &self.name
    }

    pub fn alias_arn(&self) -> Value<id::lambda::AliasArn> {
        self.resource.reference()
    }

    /// `function:alias`, cut out of the alias's ARN so that it is known only when the alias exists.
    pub(super) fn qualified_name(&self) -> Value<String> {
        let name = cfn::intrinsics::select(6, cfn::intrinsics::split(":", self.alias_arn().cast::<String>()));
        let qualifier = Expr::text(format!(":{}", self.name));
        Value::from_expr(Expr::concat([Value::<String>::into_expr(name), qualifier]))
    }

    pub fn function(&self) -> &Function {
        &self.function
    }

    pub fn role(&self) -> &Role {
        self.function.role()
    }

    /// A metric of `AWS/Lambda` about what was called through this alias, whichever version it was.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        let function = self.function.function_name();
        let resource = cfn::text![function.clone(), format!(":{}", self.name)];
        Metric::new("AWS/Lambda", name)
            .dimension("FunctionName", function)
            .dimension("Resource", resource)
            .attached_to(&self.construct)
    }

    /// The average, in milliseconds.
    pub fn metric_duration(&self) -> Metric {
        self.metric("Duration").average()
    }

    pub fn metric_errors(&self) -> Metric {
        self.metric("Errors").sum()
    }

    pub fn metric_invocations(&self) -> Metric {
        self.metric("Invocations").sum()
    }

    pub fn metric_throttles(&self) -> Metric {
        self.metric("Throttles").sum()
    }

    pub fn resource(&self) -> &CfnResource<cfn::lambda::Alias> {
        &self.resource
    }
}

impl Invocable for Alias {
    fn invocable_arn(&self) -> Value<String> {
        self.alias_arn().cast()
    }

    fn given_name(&self) -> GivenName {
        GivenName::Unknown
    }
}

/// Its role.
impl From<&Alias> for Identity {
    fn from(alias: &Alias) -> Self {
        alias.role().into()
    }
}
