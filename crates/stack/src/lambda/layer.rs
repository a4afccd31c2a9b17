//! Layers: files that functions share.

use std::path::PathBuf;

use cfn::lambda::layer_version::Content;
use cfn::{IntoValue, Value, id};

use super::code::Runtime;
use super::function::Architecture;
use crate::element::{CfnResource, RemovalPolicy};
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};

#[derive(Clone)]
pub struct LayerVersion {
    construct: Construct,
    resource: CfnResource<cfn::lambda::LayerVersion>,
}

impl Scope for LayerVersion {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct LayerVersionBuilder {
    site: Site,
    path: PathBuf,
    properties: cfn::lambda::LayerVersion,
    removal_policy: Option<RemovalPolicy>,
}

impl LayerVersionBuilder {
    pub fn layer_version_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.layer_name(name);
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    /// An SPDX identifier, the licence itself, or where it stands.
    pub fn license(mut self, license: impl IntoValue<String>) -> Self {
        self.properties = self.properties.license_info(license);
        self
    }

    pub fn compatible_runtimes(mut self, runtimes: impl IntoIterator<Item = Runtime>) -> Self {
        let names: Vec<String> = runtimes.into_iter().map(|runtime| runtime.name().to_owned()).collect();
        self.properties = self.properties.compatible_runtimes(names);
        self
    }

    pub fn compatible_architectures(mut self, architectures: impl IntoIterator<Item = Architecture>) -> Self {
        let names: Vec<&str> = architectures.into_iter().map(Architecture::as_str).collect();
        self.properties = self.properties.compatible_architectures(names);
        self
    }

    /// Destroyed if nothing is said, also when a new version replaces it.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = Some(policy);
        self
    }

    pub fn build(self) -> LayerVersion {
        let construct = self.site.make("lambda.LayerVersion");
        let asset = Site::new(&construct, "Code").make("assets.Asset");
        let location = Stack::of(&construct).add_file_asset(&asset, &self.path);
        let content = Content::new()
            .s3_bucket(location.bucket.cast::<id::s3::BucketName>())
            .s3_key(location.key);
        let resource = CfnResource::new(&construct, "Resource", self.properties.content(content));
        if let Some(policy) = self.removal_policy {
            resource.apply_removal_policy(policy);
        }
        LayerVersion { construct, resource }
    }
}

impl LayerVersion {
    /// `path`: the directory or archive that is laid under `/opt`, relative to the folder that the app is run in.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, path: impl Into<PathBuf>) -> LayerVersionBuilder {
        LayerVersionBuilder {
            site: Site::new(scope, id),
            path: path.into(),
            properties: cfn::lambda::LayerVersion::new(),
            removal_policy: None,
        }
    }

    pub fn layer_version_arn(&self) -> Value<id::lambda::LayerVersionArn> {
        self.resource.reference().cast()
    }

    pub fn resource(&self) -> &CfnResource<cfn::lambda::LayerVersion> {
        &self.resource
    }
}
