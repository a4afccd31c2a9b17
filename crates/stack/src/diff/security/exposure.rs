//! Settings that open a resource to the public: few, each with the value that opens.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ExposureChange, Resource, resources};
use crate::diff::expression::shown;

/// One setting; where it is read, and when it is open.
struct Setting {
    kind: &'static str,
    /// A JSON pointer below the properties.
    pointer: &'static str,
    open: Open,
}

enum Open {
    /// Open unless it is true, where the object that holds it is there. Without that object S3 blocks a new bucket's
    /// public access, but leaving it out of an existing one takes the block away:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>
    UnlessTrue,
    When(&'static [&'static str]),
    /// The same, but only as a change of a resource that exists: a new one that is open by design is no news.
    Becoming(&'static [&'static str]),
}

const SETTINGS: [Setting; 22] = [
    block("AWS::S3::Bucket", "/PublicAccessBlockConfiguration/BlockPublicAcls"),
    block("AWS::S3::Bucket", "/PublicAccessBlockConfiguration/BlockPublicPolicy"),
    block("AWS::S3::Bucket", "/PublicAccessBlockConfiguration/IgnorePublicAcls"),
    block(
        "AWS::S3::Bucket",
        "/PublicAccessBlockConfiguration/RestrictPublicBuckets",
    ),
    block(
        "AWS::S3::AccessPoint",
        "/PublicAccessBlockConfiguration/BlockPublicAcls",
    ),
    block(
        "AWS::S3::AccessPoint",
        "/PublicAccessBlockConfiguration/BlockPublicPolicy",
    ),
    block(
        "AWS::S3::AccessPoint",
        "/PublicAccessBlockConfiguration/IgnorePublicAcls",
    ),
    block(
        "AWS::S3::AccessPoint",
        "/PublicAccessBlockConfiguration/RestrictPublicBuckets",
    ),
    when(
        "AWS::S3::Bucket",
        "/AccessControl",
        &["PublicRead", "PublicReadWrite", "AuthenticatedRead"],
    ),
    when("AWS::RDS::DBInstance", "/PubliclyAccessible", &["true"]),
    when("AWS::RDS::DBCluster", "/PubliclyAccessible", &["true"]),
    when("AWS::Redshift::Cluster", "/PubliclyAccessible", &["true"]),
    when("AWS::RedshiftServerless::Workgroup", "/PubliclyAccessible", &["true"]),
    when("AWS::DMS::ReplicationInstance", "/PubliclyAccessible", &["true"]),
    when("AWS::AmazonMQ::Broker", "/PubliclyAccessible", &["true"]),
    when("AWS::DocDBElastic::Cluster", "/PubliclyAccessible", &["true"]),
    when("AWS::Neptune::DBInstance", "/PubliclyAccessible", &["true"]),
    when("AWS::NeptuneGraph::Graph", "/PublicConnectivity", &["true"]),
    when(
        "AWS::MSK::Cluster",
        "/BrokerNodeGroupInfo/ConnectivityInfo/PublicAccess/Type",
        &["SERVICE_PROVIDED_EIPS"],
    ),
    when("AWS::Lambda::Url", "/AuthType", &["NONE"]),
    becoming("AWS::ApiGateway::Method", "/AuthorizationType", &["NONE"]),
    becoming("AWS::ApiGatewayV2::Route", "/AuthorizationType", &["NONE", ""]),
];

const fn block(kind: &'static str, pointer: &'static str) -> Setting {
    Setting {
        kind,
        pointer,
        open: Open::UnlessTrue,
    }
}

const fn when(kind: &'static str, pointer: &'static str, values: &'static [&'static str]) -> Setting {
    Setting {
        kind,
        pointer,
        open: Open::When(values),
    }
}

const fn becoming(kind: &'static str, pointer: &'static str, values: &'static [&'static str]) -> Setting {
    Setting {
        kind,
        pointer,
        open: Open::Becoming(values),
    }
}

pub fn changes(old: &Value, new: &Value) -> Vec<ExposureChange> {
    let by_id = |template| -> BTreeMap<&str, Resource<'_>> {
        resources(template)
            .map(|resource| (resource.logical_id, resource))
            .collect()
    };
    let known = by_id(old);
    let mut changes = Vec::new();
    for resource in by_id(new).into_values() {
        let before = known
            .get(resource.logical_id)
            .filter(|before| before.kind == resource.kind);
        for setting in SETTINGS.iter().filter(|setting| setting.kind == resource.kind) {
            let value = |resource: &Resource<'_>| resource.properties.pointer(setting.pointer).map(shown);
            let (old, new) = (before.and_then(value), value(&resource));
            let was_open = before.map(|before| setting.is_open(before, false));
            let is_open = setting.is_open(&resource, before.is_some_and(|before| setting.holder(before).is_some()));
            // Opened, closed, or new and open.
            let tells = match (was_open, &setting.open) {
                (Some(was_open), _) => was_open != is_open,
                (None, Open::Becoming(_)) => false,
                (None, _) => is_open,
            };
            if tells {
                changes.push(ExposureChange {
                    resource_type: resource.kind.to_owned(),
                    logical_id: resource.logical_id.to_owned(),
                    setting: setting.pointer.trim_start_matches('/').to_owned(),
                    old,
                    new,
                    broadens: is_open,
                });
            }
        }
    }
    changes
}

impl Setting {
    /// The object that the setting stands in.
    fn holder<'a>(&self, resource: &Resource<'a>) -> Option<&'a Value> {
        let (holder, _) = self.pointer.rsplit_once('/')?;
        resource.properties.pointer(holder)
    }

    fn is_open(&self, resource: &Resource<'_>, was_set: bool) -> bool {
        let value = resource.properties.pointer(self.pointer).map(shown);
        match self.open {
            Open::UnlessTrue => (was_set || self.holder(resource).is_some()) && value.as_deref() != Some("true"),
            Open::When(values) | Open::Becoming(values) => values.contains(&value.unwrap_or_default().as_str()),
        }
    }
}
