//! Names of keys.

use cfn::{Accepts, IntoValue, Value, id};

use super::key::Key;
use crate::element::{CfnResource, RemovalPolicy};
use crate::site::Site;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};

const PREFIX: &str = "alias/";
/// Names of AWS's own keys.
const RESERVED_PREFIX: &str = "alias/aws/";
const MAX_NAME: usize = 256;

#[derive(Clone)]
pub struct Alias {
    construct: Construct,
    name: String,
    resource: CfnResource<cfn::kms::Alias>,
}

impl Scope for Alias {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

/// As a key, an alias stands by its ARN.
impl<T: Accepts<id::kms::KeyArn>> IntoValue<T> for &Alias {
    fn into_value(self) -> Value<T> {
        self.alias_arn().cast()
    }
}

#[must_use = "nothing is made until `build`"]
pub struct AliasBuilder {
    site: Site,
    name: String,
    key: Key,
    removal_policy: Option<RemovalPolicy>,
}

impl AliasBuilder {
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = Some(policy);
        self
    }

    pub fn build(self) -> Alias {
        let construct = self.site.make("kms.Alias");
        let name = if self.name.starts_with(PREFIX) {
            self.name
        } else {
            format!("{PREFIX}{}", self.name)
        };
        let valid = |c: char| c.is_ascii_alphanumeric() || ":/_-".contains(c);
        if name == PREFIX || name.len() > MAX_NAME || !name.chars().all(valid) {
            construct.report(format!(
                "`{name}` is no alias: letters, digits and `:/_-`, at most 256, and something behind `alias/`"
            ));
        }
        if name.to_lowercase().starts_with(RESERVED_PREFIX) {
            construct.report("aliases that begin with `alias/aws/` are AWS's own");
        }
        let properties = cfn::kms::Alias::new()
            .alias_name(&name)
            .target_key_id(self.key.key_arn().cast::<id::kms::AnyKey>());
        let resource = CfnResource::new(&construct, "Resource", properties);
        if let Some(policy) = self.removal_policy {
            resource.apply_removal_policy(policy);
        }
        Alias {
            construct,
            name,
            resource,
        }
    }
}

impl Alias {
    /// A name for a key, with or without `alias/`.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, name: impl Into<String>, key: &Key) -> AliasBuilder {
        AliasBuilder {
            site: Site::new(scope, id),
            name: name.into(),
            key: key.clone(),
            removal_policy: None,
        }
    }

    /// With `alias/`.
    pub fn alias_name(&self) -> &str {
        &self.name
    }

    pub fn alias_arn(&self) -> Value<String> {
        let arn = Arn::new("kms", self.name.clone());
        Value::from_expr(Stack::of(self).format_arn(arn))
    }

    pub fn resource(&self) -> &CfnResource<cfn::kms::Alias> {
        &self.resource
    }
}
