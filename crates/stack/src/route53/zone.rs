//! Hosted zones: the part of DNS that the account answers for.

use std::ops::Deref;
use std::time::Duration;

use cfn::route53::hosted_zone;
use cfn::{Expr, IntoValue, List, Value, id};

use super::records::{CaaRecord, CaaTag, CaaValue, ZoneDelegationRecord};
use crate::ec2::Vpc;
use crate::element::CfnResource;
use crate::site::Site;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};

const MAX_NAME: usize = 255;
const MAX_LABEL: usize = 63;
const SPECIAL_CHARACTERS: &str = "!\"#$%&'()*+,/:;<=>?@[\\]^_`{|}~.-";

/// A zone of this app, or one that exists already.
#[derive(Clone)]
pub struct HostedZone {
    construct: Construct,
    id: Expr,
    /// Without the dot at its end; nothing for a zone that is known by id only.
    name: Option<Expr>,
    resource: Option<CfnResource<cfn::route53::HostedZone>>,
}

impl Scope for HostedZone {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

/// A zone that is answered for to the whole internet.
#[derive(Clone)]
pub struct PublicHostedZone {
    zone: HostedZone,
    name_servers: Value<List<String>>,
}

impl Scope for PublicHostedZone {
    fn construct(&self) -> &Construct {
        &self.zone.construct
    }
}

impl Deref for PublicHostedZone {
    type Target = HostedZone;

    fn deref(&self) -> &HostedZone {
        &self.zone
    }
}

/// A zone that VPCs see and nobody else.
pub enum PrivateHostedZone {}

struct Parts {
    site: Site,
    name: Expr,
    vpcs: Vec<Vpc>,
    trailing_dot: bool,
    properties: cfn::route53::HostedZone,
}

impl Parts {
    #[track_caller]
    fn new(scope: &impl Scope, id: impl Into<String>, name: impl IntoValue<String>) -> Self {
        Self {
            site: Site::new(scope, id),
            name: name.into_value().into_expr(),
            vpcs: Vec::new(),
            trailing_dot: true,
            properties: cfn::route53::HostedZone::new(),
        }
    }

    fn comment(&mut self, comment: impl IntoValue<String>) {
        let config = hosted_zone::HostedZoneConfig::new().comment(comment);
        self.change(|properties| properties.hosted_zone_config(config));
    }

    fn query_logs(&mut self, log_group_arn: impl IntoValue<id::logs::LogGroupArn>) {
        let config = hosted_zone::QueryLoggingConfig::new().cloud_watch_logs_log_group_arn(log_group_arn);
        self.change(|properties| properties.query_logging_config(config));
    }

    fn change(&mut self, change: impl FnOnce(cfn::route53::HostedZone) -> cfn::route53::HostedZone) {
        let properties = std::mem::replace(&mut self.properties, cfn::route53::HostedZone::new());
        self.properties = change(properties);
    }

    fn build(self, type_name: &'static str) -> (HostedZone, CfnResource<cfn::route53::HostedZone>) {
        let construct = self.site.make(type_name);
        if let Some(problem) = self.name.as_text().and_then(problem_with_name) {
            construct.report(problem);
        }
        let ends_with_dot = self.name.as_text().is_some_and(|name| name.ends_with('.'));
        let full = if self.trailing_dot && !ends_with_dot {
            Expr::concat([self.name.clone(), ".".into()])
        } else {
            self.name.clone()
        };
        let properties = self.properties.name(full.cast::<String>());
        let resource = CfnResource::new(&construct, "Resource", properties);
        let zone = HostedZone {
            construct,
            id: resource.reference().into_expr(),
            name: Some(self.name),
            resource: Some(resource.clone()),
        };
        for vpc in &self.vpcs {
            zone.add_vpc(vpc);
        }
        (zone, resource)
    }
}

/// What Route 53 does not take as the name of a zone.
pub(super) fn problem_with_name(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Some("the name of a zone has between 1 and 255 characters");
    }
    if name.split('.').any(|label| label.len() > MAX_LABEL) {
        return Some("a part of the name of a zone has at most 63 characters");
    }
    let valid = |c: char| c.is_ascii_alphanumeric() || SPECIAL_CHARACTERS.contains(c);
    (!name.chars().all(valid)).then_some("the name of a zone holds ASCII letters, digits and punctuation only")
}

/// The text, or the expression, without the dot at its end.
pub(super) fn without_dot(name: &Expr) -> Expr {
    match name.as_text().and_then(|text| text.strip_suffix('.')) {
        Some(text) => Expr::text(text.to_owned()),
        None => name.clone(),
    }
}

macro_rules! zone_setters {
    () => {
        pub fn comment(mut self, comment: impl IntoValue<String>) -> Self {
            self.parts.comment(comment);
            self
        }

        /// The log group, in us-east-1, that queries are written to.
        pub fn query_logs_log_group_arn(mut self, arn: impl IntoValue<id::logs::LogGroupArn>) -> Self {
            self.parts.query_logs(arn);
            self
        }

        /// Whether a dot is added to a name without one; it is if nothing is said.
        pub fn add_trailing_dot(mut self, on: bool) -> Self {
            self.parts.trailing_dot = on;
            self
        }

        /// Sets what is not offered here on the resource itself.
        pub fn with(mut self, change: impl FnOnce(cfn::route53::HostedZone) -> cfn::route53::HostedZone) -> Self {
            self.parts.change(change);
            self
        }
    };
}

#[must_use = "nothing is made until `build`"]
pub struct ZoneBuilder {
    parts: Parts,
    type_name: &'static str,
}

impl ZoneBuilder {
    zone_setters!();

    /// Who sees the zone. With one the zone is private.
    pub fn vpc(mut self, vpc: &Vpc) -> Self {
        self.parts.vpcs.push(vpc.clone());
        self
    }

    pub fn build(self) -> HostedZone {
        self.parts.build(self.type_name).0
    }
}

#[must_use = "nothing is made until `build`"]
pub struct PublicHostedZoneBuilder {
    parts: Parts,
    caa_amazon: bool,
    accelerated_recovery: Option<bool>,
}

impl PublicHostedZoneBuilder {
    zone_setters!();

    /// Only Amazon may issue certificates for names in the zone.
    pub fn caa_amazon(mut self) -> Self {
        self.caa_amazon = true;
        self
    }

    /// Changes go on within an hour when us-east-1 fails.
    pub fn accelerated_recovery(mut self, on: bool) -> Self {
        self.accelerated_recovery = Some(on);
        self
    }

    pub fn build(mut self) -> PublicHostedZone {
        if let Some(on) = self.accelerated_recovery {
            let features = hosted_zone::HostedZoneFeatures::new().enable_accelerated_recovery(on);
            self.parts
                .change(|properties| properties.hosted_zone_features(features));
        }
        let (zone, resource) = self.parts.build("route53.PublicHostedZone");
        if self.caa_amazon {
            CaaRecord::new(
                &zone,
                "CaaAmazon",
                &zone,
                [CaaValue::new(0, CaaTag::Issue, "amazon.com")],
            )
            .build();
        }
        PublicHostedZone {
            name_servers: resource.name_servers(),
            zone,
        }
    }
}

impl HostedZone {
    /// A zone that is public, or with [`ZoneBuilder::vpc`] private.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, name: impl IntoValue<String>) -> ZoneBuilder {
        ZoneBuilder {
            parts: Parts::new(scope, id, name),
            type_name: "route53.HostedZone",
        }
    }

    /// A zone that exists already.
    #[track_caller]
    pub fn from_attributes(
        scope: &impl Scope,
        id: impl Into<String>,
        zone_id: impl IntoValue<String>,
        name: impl IntoValue<String>,
    ) -> Self {
        Self {
            construct: Site::new(scope, id).make("route53.HostedZone"),
            id: zone_id.into_value().into_expr(),
            name: Some(name.into_value().into_expr()),
            resource: None,
        }
    }

    /// A zone that exists already. Without its name it serves certificates, but no records.
    #[track_caller]
    pub fn from_id(scope: &impl Scope, id: impl Into<String>, zone_id: impl IntoValue<String>) -> Self {
        Self {
            construct: Site::new(scope, id).make("route53.HostedZone"),
            id: zone_id.into_value().into_expr(),
            name: None,
            resource: None,
        }
    }

    pub fn hosted_zone_id(&self) -> Value<String> {
        Value::from_expr(self.id.clone())
    }

    pub fn hosted_zone_arn(&self) -> Value<String> {
        let arn = Arn::new("route53", "hostedzone")
            .name(self.id.clone())
            .region("")
            .account("");
        Value::from_expr(Stack::of(self).format_arn(arn))
    }

    /// As it was given: `example.com`.
    pub fn zone_name(&self) -> Value<String> {
        let name = self.name.clone().unwrap_or_else(|| {
            self.construct
                .report("a zone that is known by its id only has no name here; use `HostedZone::from_attributes`");
            Expr::text("")
        });
        Value::from_expr(name)
    }

    /// Of a zone that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::route53::HostedZone> {
        let known = self.resource.clone();
        known.unwrap_or_else(|| CfnResource::elsewhere(&self.construct))
    }

    /// Lets a VPC see the zone, which must be private.
    pub fn add_vpc(&self, vpc: &Vpc) {
        let Some(resource) = &self.resource else {
            self.construct
                .report("a zone that exists already is associated with VPCs where it is made");
            return;
        };
        let region = Stack::of(vpc).region().into_expr();
        let vpc = [("VPCId", vpc.vpc_id().into_expr()), ("VPCRegion", region)];
        resource.append("VPCs", Expr::map(vpc));
    }
}

impl PublicHostedZone {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, name: impl IntoValue<String>) -> PublicHostedZoneBuilder {
        PublicHostedZoneBuilder {
            parts: Parts::new(scope, id, name),
            caa_amazon: false,
            accelerated_recovery: None,
        }
    }

    /// The servers that the zone above must name.
    pub fn name_servers(&self) -> Value<List<String>> {
        self.name_servers.clone()
    }

    /// Names the servers of a zone below this one. `ttl` is two days if nothing is said.
    #[track_caller]
    pub fn add_delegation(&self, delegate: &Self, ttl: Option<Duration>) {
        let text = |name: Value<String>| name.expr().as_text().unwrap_or("zone").to_owned();
        let id = format!("{} -> {}", text(self.zone_name()), text(delegate.zone_name()));
        let mut record =
            ZoneDelegationRecord::new(self, id, self, delegate.name_servers()).record_name(delegate.zone_name());
        if let Some(ttl) = ttl {
            record = record.ttl(ttl);
        }
        record.build();
    }
}

impl PrivateHostedZone {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, name: impl IntoValue<String>, vpc: &Vpc) -> ZoneBuilder {
        let mut parts = Parts::new(scope, id, name);
        parts.vpcs.push(vpc.clone());
        ZoneBuilder {
            parts,
            type_name: "route53.PrivateHostedZone",
        }
    }
}
