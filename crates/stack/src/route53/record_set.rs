//! Records: what a name means, and to whom.

use std::time::Duration;

use cfn::route53::record_set;
use cfn::{Expr, IntoValue, Value};

use super::health_check::HealthCheck;
use super::location::GeoLocation;
use super::target::{AliasTarget, Answer, RecordTarget};
use super::zone::{HostedZone, without_dot};
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};
use crate::units::{minutes, whole_seconds};

const DEFAULT_TTL: Duration = minutes(30);
const MAX_IDENTIFIER: usize = 128;
/// The room that the CDK leaves for identifiers that it makes.
const MAX_MADE_IDENTIFIER: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    A,
    Aaaa,
    Caa,
    Cname,
    Ds,
    Https,
    Mx,
    Naptr,
    Ns,
    Ptr,
    Soa,
    Spf,
    Srv,
    Sshfp,
    Svcb,
    Tlsa,
    Txt,
}

impl RecordType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Caa => "CAA",
            Self::Cname => "CNAME",
            Self::Ds => "DS",
            Self::Https => "HTTPS",
            Self::Mx => "MX",
            Self::Naptr => "NAPTR",
            Self::Ns => "NS",
            Self::Ptr => "PTR",
            Self::Soa => "SOA",
            Self::Spf => "SPF",
            Self::Srv => "SRV",
            Self::Sshfp => "SSHFP",
            Self::Svcb => "SVCB",
            Self::Tlsa => "TLSA",
            Self::Txt => "TXT",
        }
    }
}

/// Which of two records answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    /// As long as it is healthy.
    Primary,
    /// When the primary is not.
    Secondary,
}

impl Failover {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Secondary => "SECONDARY",
        }
    }
}

/// How Route 53 chooses among records of the same name and type.
enum Routing {
    Weight(u8),
    Region(Expr),
    Geo(GeoLocation),
    MultiValue,
    Failover(Failover),
    Cidr { collection: Expr, location: String },
}

#[derive(Clone)]
pub struct RecordSet {
    construct: Construct,
    resource: CfnResource<cfn::route53::RecordSet>,
}

impl Scope for RecordSet {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct RecordSetBuilder {
    site: Site,
    zone: HostedZone,
    record_type: RecordType,
    target: RecordTarget,
    name: Option<Expr>,
    ttl: Option<Duration>,
    routing: Vec<Routing>,
    set_identifier: Option<String>,
    health_check: Option<HealthCheck>,
    properties: cfn::route53::RecordSet,
}

impl RecordSetBuilder {
    /// Below the zone (`www`), or the whole name with or without a dot at its end. The zone itself if nothing is said.
    pub fn record_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    /// How long answers are kept; half an hour if nothing is said. An alias has that of its target.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    pub fn comment(mut self, comment: impl IntoValue<String>) -> Self {
        self.properties = self.properties.comment(comment);
        self
    }

    /// Answers the more often the higher its weight among the records of this name and type; never with 0.
    pub fn weight(mut self, weight: u8) -> Self {
        self.routing.push(Routing::Weight(weight));
        self
    }

    /// Answers those who reach this region the fastest.
    pub fn region(mut self, region: impl IntoValue<String>) -> Self {
        self.routing.push(Routing::Region(region.into_value().into_expr()));
        self
    }

    /// Answers those who ask from there.
    pub fn geo_location(mut self, location: GeoLocation) -> Self {
        self.routing.push(Routing::Geo(location));
        self
    }

    /// Is one of up to eight healthy records that are answered together.
    pub fn multi_value_answer(mut self) -> Self {
        self.routing.push(Routing::MultiValue);
        self
    }

    pub fn failover(mut self, failover: Failover) -> Self {
        self.routing.push(Routing::Failover(failover));
        self
    }

    /// Answers those whose address lies in a location of a collection of networks; `*` for all others. Give it an
    /// identifier.
    pub fn cidr_routing(mut self, collection_id: impl IntoValue<String>, location: impl Into<String>) -> Self {
        self.routing.push(Routing::Cidr {
            collection: collection_id.into_value().into_expr(),
            location: location.into(),
        });
        self
    }

    /// Tells records of the same name and type apart; made up if nothing is said.
    pub fn set_identifier(mut self, identifier: impl Into<String>) -> Self {
        self.set_identifier = Some(identifier.into());
        self
    }

    /// Answers only while the check says that all is well.
    pub fn health_check(mut self, check: &HealthCheck) -> Self {
        self.health_check = Some(check.clone());
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::route53::RecordSet) -> cfn::route53::RecordSet) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> RecordSet {
        let construct = self.site.clone().make("route53.RecordSet");
        self.check(&construct);
        let name = full_name(self.name.as_ref(), &self.zone);
        let mut properties = self
            .properties
            .hosted_zone_id(self.zone.hosted_zone_id())
            .name(name.cast::<String>())
            .type_(self.record_type.as_str());
        properties = match self.target.0 {
            Answer::Values(values) => properties
                .resource_records(values.cast::<cfn::List<String>>())
                .ttl(whole_seconds(self.ttl.unwrap_or(DEFAULT_TTL)).to_string()),
            Answer::Alias(alias) => properties.alias_target(render(alias, &self.zone)),
        };
        let made = self.routing.first().and_then(|routing| routing.identifier(&construct));
        for routing in &self.routing {
            properties = routing.set(properties);
        }
        if let Some(identifier) = self.set_identifier.or(made) {
            properties = properties.set_identifier(identifier);
        }
        if let Some(check) = &self.health_check {
            properties = properties.health_check_id(check.health_check_id());
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        RecordSet { construct, resource }
    }

    fn check(&self, construct: &Construct) {
        if self.routing.len() > 1 {
            construct.report(
                "a record has one kind of routing: weight, region, location, failover, several values or networks",
            );
        }
        if self.ttl.is_some() && matches!(self.target.0, Answer::Alias(_)) {
            construct.warn("an alias is kept as long as its target says; its own time says nothing");
        }
        let has = |wanted: fn(&Routing) -> bool| self.routing.iter().any(wanted);
        if let Some(identifier) = &self.set_identifier {
            if identifier.is_empty() || identifier.len() > MAX_IDENTIFIER {
                construct.report("the identifier of a record has between 1 and 128 characters");
            }
            if self.routing.is_empty() {
                construct.report("only a record with a routing has an identifier");
            }
        }
        let alias = match &self.target.0 {
            Answer::Values(_) => None,
            Answer::Alias(alias) => Some(alias),
        };
        if has(|routing| matches!(routing, Routing::MultiValue)) && alias.is_some() {
            construct.report("an alias is not one of several values");
        }
        let primary = has(|routing| matches!(routing, Routing::Failover(Failover::Primary)));
        if primary && self.health_check.is_none() && alias.is_none() {
            construct.report("the primary of a failover needs a health check");
        }
        let fails_over = has(|routing| matches!(routing, Routing::Failover(_)));
        if fails_over && alias.is_some_and(|alias| alias.evaluate_target_health != Some(true)) {
            construct.report("an alias that fails over evaluates the health of its target");
        }
        for routing in &self.routing {
            if let Routing::Geo(location) = routing
                && let Some(problem) = location.problem()
            {
                construct.report(problem);
            }
        }
    }
}

fn render(alias: AliasTarget, zone: &HostedZone) -> record_set::AliasTarget<cfn::Set, cfn::Set> {
    let zone = alias
        .hosted_zone_id
        .unwrap_or_else(|| zone.hosted_zone_id().into_expr());
    let target = record_set::AliasTarget::new()
        .dns_name(alias.dns_name.cast::<String>())
        .hosted_zone_id(zone.cast::<String>());
    match alias.evaluate_target_health {
        Some(on) => target.evaluate_target_health(on),
        None => target,
    }
}

/// The name in the zone with a dot at its end.
fn full_name(name: Option<&Expr>, zone: &HostedZone) -> Expr {
    let zone_name = zone.zone_name().into_expr();
    let name = name.unwrap_or(&zone_name);
    if name.as_text().is_some_and(|name| name.ends_with('.')) {
        return name.clone();
    }
    let zone_name = without_dot(&zone_name);
    let is_below = match (name.as_text(), zone_name.as_text()) {
        (Some(name), Some(zone)) => name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.')),
        _ => false,
    };
    if is_below || *name == zone_name {
        return Expr::concat([name.clone(), ".".into()]);
    }
    Expr::concat([name.clone(), ".".into(), zone_name, ".".into()])
}

impl Routing {
    fn set(&self, properties: Complete) -> Complete {
        match self {
            Self::Weight(weight) => properties.weight(*weight),
            Self::Region(region) => properties.region(region.clone().cast::<String>()),
            Self::Geo(location) => properties.geo_location(location.render()),
            Self::MultiValue => properties.multi_value_answer(true),
            Self::Failover(failover) => properties.failover(failover.as_str()),
            Self::Cidr { collection, location } => properties.cidr_routing_config(
                record_set::CidrRoutingConfig::new()
                    .collection_id(collection.clone().cast::<String>())
                    .location_name(location),
            ),
        }
    }

    /// What tells the record from others; of networks it must be said.
    fn identifier(&self, construct: &Construct) -> Option<String> {
        let made = |prefix: String| {
            let room = MAX_MADE_IDENTIFIER.saturating_sub(prefix.len());
            Some(prefix + &construct.unique_resource_name(room))
        };
        match self {
            Self::Failover(failover) => made(format!("FAILOVER_{}_ID_", failover.as_str())),
            Self::Geo(location) => Some(location.identifier()),
            Self::Weight(weight) => made(format!("WEIGHT_{weight}_ID_")),
            Self::Region(region) => made(format!("REGION_{}_ID_", region.as_text().unwrap_or("TOKEN"))),
            Self::MultiValue => made("MVA_ID_".to_owned()),
            Self::Cidr { .. } => None,
        }
    }
}

/// The properties of a record with name and type.
type Complete = cfn::route53::RecordSet<cfn::Set, cfn::Set>;

impl RecordSet {
    /// A record of any type. [`super::ARecord`] and its like know how their values are written.
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        zone: &HostedZone,
        record_type: RecordType,
        target: RecordTarget,
    ) -> RecordSetBuilder {
        RecordSetBuilder {
            site: Site::new(scope, id),
            zone: zone.clone(),
            record_type,
            target,
            name: None,
            ttl: None,
            routing: Vec::new(),
            set_identifier: None,
            health_check: None,
            properties: cfn::route53::RecordSet::new(),
        }
    }

    /// The whole name.
    pub fn domain_name(&self) -> Value<String> {
        self.resource.reference()
    }

    pub fn resource(&self) -> &CfnResource<cfn::route53::RecordSet> {
        &self.resource
    }
}
