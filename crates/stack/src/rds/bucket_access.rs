//! Reading from and writing to buckets by a database itself.

use cfn::Value;

use crate::iam::{Principal, Role};
use crate::s3::Bucket;
use crate::tree::Construct;

/// From where a database may load, and to where it may unload.
#[derive(Clone, Default)]
pub(super) struct BucketAccess {
    imports: Vec<Bucket>,
    exports: Vec<Bucket>,
}

/// The roles with which it does.
#[derive(Clone, Default)]
pub(super) struct BucketRoles {
    pub(super) import: Option<Role>,
    pub(super) export: Option<Role>,
}

impl BucketAccess {
    pub(super) fn import(&mut self, bucket: &Bucket) {
        self.imports.push(bucket.clone());
    }

    pub(super) fn export(&mut self, bucket: &Bucket) {
        self.exports.push(bucket.clone());
    }

    /// `combine`: one role for both, for engines that take only one.
    pub(super) fn roles(&self, construct: &Construct, combine: bool) -> BucketRoles {
        let make = |id: &str| Role::new(construct, id, Principal::service("rds.amazonaws.com")).build();
        let mut roles = BucketRoles::default();
        if !self.imports.is_empty() {
            let role = make("S3ImportRole");
            for bucket in &self.imports {
                bucket.grant_read(&role);
            }
            roles.import = Some(role);
        }
        if !self.exports.is_empty() {
            let combined = roles.import.clone().filter(|_| combine);
            let role = combined.unwrap_or_else(|| make("S3ExportRole"));
            for bucket in &self.exports {
                bucket.grant_read_write(&role);
            }
            roles.export = Some(role);
        }
        roles
    }
}

impl BucketRoles {
    pub(super) fn is_empty(&self) -> bool {
        self.import.is_none() && self.export.is_none()
    }

    /// The roles with the feature that each is for; a role that serves both under one name occurs once.
    pub(super) fn associations(
        &self,
        import: Option<&'static str>,
        export: Option<&'static str>,
        one_name_is_enough: bool,
    ) -> Vec<(Value<cfn::id::iam::RoleArn>, Option<&'static str>)> {
        let mut roles = Vec::new();
        if let Some(role) = &self.import {
            roles.push((role.role_arn(), import));
        }
        if let Some(role) = &self.export {
            let is_same_role = self
                .import
                .as_ref()
                .is_some_and(|import| import.role_arn() == role.role_arn());
            if import != export || !(is_same_role || one_name_is_enough) {
                roles.push((role.role_arn(), export));
            }
        }
        roles
    }
}
