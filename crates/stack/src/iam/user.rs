//! Users, groups and access keys.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::{Expr, IntoValue, Value, id};

use super::identity::Identity;
use super::managed_policy::ManagedPolicy;
use super::policy::PolicyStatement;
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};

/// A collection of users with the same permissions.
#[derive(Clone)]
pub struct Group {
    construct: Construct,
    resource: CfnResource<cfn::iam::Group>,
    identity: Identity,
}

impl Scope for Group {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct GroupBuilder {
    site: Site,
    properties: cfn::iam::Group,
    managed_policies: Vec<ManagedPolicy>,
}

impl GroupBuilder {
    pub fn group_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.group_name(name);
        self
    }

    pub fn path(mut self, path: impl IntoValue<String>) -> Self {
        self.properties = self.properties.path(path);
        self
    }

    pub fn managed_policy(mut self, policy: impl Into<ManagedPolicy>) -> Self {
        self.managed_policies.push(policy.into());
        self
    }

    pub fn build(self) -> Group {
        let construct = self.site.make("iam.Group");
        let resource = CfnResource::new(&construct, "Resource", self.properties);
        let identity = Identity::made(&construct, "Groups", &resource);
        for policy in self.managed_policies {
            identity.add_managed_policy(policy);
        }
        Group {
            construct,
            resource,
            identity,
        }
    }
}

impl Group {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> GroupBuilder {
        GroupBuilder {
            site: Site::new(scope, id),
            properties: cfn::iam::Group::new(),
            managed_policies: Vec::new(),
        }
    }

    pub fn group_name(&self) -> Value<id::iam::GroupName> {
        self.resource.reference()
    }

    pub fn group_arn(&self) -> Value<String> {
        self.resource.attribute("Arn")
    }

    pub fn resource(&self) -> &CfnResource<cfn::iam::Group> {
        &self.resource
    }

    pub fn add_managed_policy(&self, policy: impl Into<ManagedPolicy>) {
        self.identity.add_managed_policy(policy.into());
    }

    pub fn add_to_policy(&self, statement: PolicyStatement) {
        self.identity.add_to_policy(statement);
    }
}

impl From<&Group> for Identity {
    fn from(group: &Group) -> Self {
        group.identity.clone()
    }
}

/// A person or a program with long-lived credentials.
#[derive(Clone)]
pub struct User {
    construct: Construct,
    resource: CfnResource<cfn::iam::User>,
    identity: Identity,
    groups: Rc<RefCell<Vec<Expr>>>,
}

impl Scope for User {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct UserBuilder {
    site: Site,
    properties: cfn::iam::User,
    groups: Vec<Group>,
    managed_policies: Vec<ManagedPolicy>,
}

impl UserBuilder {
    pub fn user_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.user_name(name);
        self
    }

    pub fn path(mut self, path: impl IntoValue<String>) -> Self {
        self.properties = self.properties.path(path);
        self
    }

    pub fn group(mut self, group: &Group) -> Self {
        self.groups.push(group.clone());
        self
    }

    pub fn managed_policy(mut self, policy: impl Into<ManagedPolicy>) -> Self {
        self.managed_policies.push(policy.into());
        self
    }

    /// The most that the user may ever do.
    pub fn permissions_boundary(mut self, policy: impl Into<ManagedPolicy>) -> Self {
        let arn = policy.into().policy_arn().clone();
        self.properties = self
            .properties
            .permissions_boundary(arn.cast::<id::iam::ManagedPolicyPolicyArn>());
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::iam::User) -> cfn::iam::User) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> User {
        let construct = self.site.make("iam.User");
        let resource = CfnResource::new(&construct, "Resource", self.properties);
        let identity = Identity::made(&construct, "Users", &resource);
        for policy in self.managed_policies {
            identity.add_managed_policy(policy);
        }
        let user = User {
            construct,
            resource,
            identity,
            groups: Rc::default(),
        };
        for group in &self.groups {
            user.add_to_group(group);
        }
        user
    }
}

impl User {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> UserBuilder {
        UserBuilder {
            site: Site::new(scope, id),
            properties: cfn::iam::User::new(),
            groups: Vec::new(),
            managed_policies: Vec::new(),
        }
    }

    pub fn user_name(&self) -> Value<id::iam::UserName> {
        self.resource.reference()
    }

    pub fn user_arn(&self) -> Value<id::iam::UserArn> {
        self.resource.arn()
    }

    pub fn resource(&self) -> &CfnResource<cfn::iam::User> {
        &self.resource
    }

    pub fn add_to_group(&self, group: &Group) {
        let mut groups = self.groups.borrow_mut();
        groups.push(group.group_name().into_expr());
        self.resource.set("Groups", Some(Expr::List(groups.clone())));
    }

    pub fn add_managed_policy(&self, policy: impl Into<ManagedPolicy>) {
        self.identity.add_managed_policy(policy.into());
    }

    pub fn add_to_policy(&self, statement: PolicyStatement) {
        self.identity.add_to_policy(statement);
    }
}

impl From<&User> for Identity {
    fn from(user: &User) -> Self {
        user.identity.clone()
    }
}

/// A key by which a program is a user. Its secret is an attribute of the resource and never stands in the template; put
/// it into a secret, not into an output.
#[derive(Clone)]
pub struct AccessKey {
    construct: Construct,
    resource: CfnResource<cfn::iam::AccessKey>,
}

impl Scope for AccessKey {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct AccessKeyBuilder {
    site: Site,
    user: Value<id::iam::UserName>,
    properties: cfn::iam::AccessKey,
}

impl AccessKeyBuilder {
    /// A higher number than before makes a new key in the place of the old.
    pub fn serial(mut self, serial: i64) -> Self {
        self.properties = self.properties.serial(serial);
        self
    }

    pub fn active(mut self, on: bool) -> Self {
        self.properties = self.properties.status(if on { "Active" } else { "Inactive" });
        self
    }

    pub fn build(self) -> AccessKey {
        let construct = self.site.make("iam.AccessKey");
        let resource = CfnResource::new(&construct, "Resource", self.properties.user_name(self.user));
        AccessKey { construct, resource }
    }
}

impl AccessKey {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, user: &User) -> AccessKeyBuilder {
        AccessKeyBuilder {
            site: Site::new(scope, id),
            properties: cfn::iam::AccessKey::new(),
            user: user.user_name(),
        }
    }

    pub fn access_key_id(&self) -> Value<String> {
        self.resource.reference().cast()
    }

    pub fn secret_access_key(&self) -> Value<String> {
        self.resource.attribute("SecretAccessKey")
    }

    pub fn resource(&self) -> &CfnResource<cfn::iam::AccessKey> {
        &self.resource
    }
}
