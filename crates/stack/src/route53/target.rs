//! What a record leads to: values, or another name of AWS that stands for addresses.

use cfn::{Expr, IntoValue, List, Value};

use super::record_set::RecordSet;
use super::website;
use crate::apigateway::{DomainName, RestApi};
use crate::cloudfront::Distribution;
use crate::ec2::InterfaceEndpoint;
use crate::element::CfnMapping;
use crate::s3::Bucket;
use crate::stack::Stack;
use crate::tree::Scope;

/// The zone of all accelerators (aws-cdk-lib 2.276, `aws-route53-targets/lib/global-accelerator-target.js`).
const GLOBAL_ACCELERATOR_ZONE: &str = "Z2BJ6XQ5FK7U4H";

/// The mapping that the CDK puts the zones of CloudFront into.
const CLOUDFRONT_ZONES: &str = "AWSCloudFrontPartitionHostedZoneIdMap";

/// What is answered: values, or an alias, which is followed inside of AWS, at no cost and with the addresses of the
/// moment.
#[derive(Clone, Debug)]
pub struct RecordTarget(pub(super) Answer);

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Values(Value<List<String>>),
    Alias(AliasTarget),
}

#[derive(Clone, Debug)]
pub(super) struct AliasTarget {
    pub(super) dns_name: Expr,
    /// The record's own zone if nothing is said.
    pub(super) hosted_zone_id: Option<Expr>,
    pub(super) evaluate_target_health: Option<bool>,
}

impl RecordTarget {
    /// As the type of the record writes them.
    pub fn values(values: impl IntoIterator<Item = impl IntoValue<String>>) -> Self {
        Self::list(values.into_iter().collect::<Vec<_>>())
    }

    /// As [`RecordTarget::values`], of a list that may be known at deployment only.
    pub fn list(values: impl IntoValue<List<String>>) -> Self {
        Self(Answer::Values(values.into_value()))
    }

    /// IP addresses.
    pub fn addresses(addresses: impl IntoIterator<Item = impl IntoValue<String>>) -> Self {
        Self::values(addresses)
    }

    /// Anything with a name and a zone of its own.
    pub fn alias(dns_name: impl IntoValue<String>, hosted_zone_id: impl IntoValue<String>) -> Self {
        Self::alias_in(dns_name, Some(hosted_zone_id.into_value().into_expr()))
    }

    fn alias_in(dns_name: impl IntoValue<String>, hosted_zone_id: Option<Expr>) -> Self {
        Self(Answer::Alias(AliasTarget {
            dns_name: dns_name.into_value().into_expr(),
            hosted_zone_id,
            evaluate_target_health: None,
        }))
    }

    /// Another record of the same zone.
    pub fn record(record: &RecordSet) -> Self {
        Self::name_in_zone(record.domain_name())
    }

    /// A name in the same zone that is not of this app.
    pub fn name_in_zone(dns_name: impl IntoValue<String>) -> Self {
        Self::alias_in(dns_name, None)
    }

    /// A load balancer by its `DNSName` and `CanonicalHostedZoneID`, with IPv4 and IPv6.
    pub fn load_balancer(dns_name: impl IntoValue<String>, canonical_hosted_zone_id: impl IntoValue<String>) -> Self {
        let name = Expr::concat(["dualstack.".into(), dns_name.into_value().into_expr()]);
        Self::alias(name.cast::<String>(), canonical_hosted_zone_id)
    }

    /// A distribution under one of its own names.
    pub fn distribution(distribution: &Distribution) -> Self {
        let stack = Stack::of(distribution);
        let known = stack.construct().find_child(CLOUDFRONT_ZONES);
        let mapping = known.unwrap_or_else(|| {
            let zone = |id: &'static str| Expr::map([("zoneId", id)]);
            let zones = [("aws", zone("Z2FDTNDATAQYW2")), ("aws-cn", zone("Z3RFFRIM2A3IF5"))];
            let mapping = CfnMapping::new(&stack, CLOUDFRONT_ZONES, zones.into_iter().collect());
            mapping.construct().clone()
        });
        let zone = cfn::intrinsics::find_in_map::<String>(
            Expr::LogicalId(mapping.node().element()).cast::<String>(),
            cfn::pseudo::partition(),
            "zoneId",
        );
        Self::alias(distribution.distribution_domain_name(), zone)
    }

    /// A bucket that is a web site and has the name of the record, in a stack whose region is known.
    pub fn bucket_website(bucket: &Bucket) -> Self {
        let region = Stack::of(bucket).known_environment().1;
        match region.as_deref().and_then(website::of_region) {
            Some((host, zone)) => Self::alias(host, zone),
            None => {
                bucket.construct().report(
                    "a record of a bucket's web site needs a stack whose region is said, and one where S3 has web \
                     sites",
                );
                Self::alias("", "")
            }
        }
    }

    /// A custom domain name of a REST API.
    pub fn rest_api_domain(domain: &DomainName) -> Self {
        Self::alias(domain.alias_domain_name(), domain.alias_hosted_zone_id())
    }

    /// The first custom domain name of a REST API.
    pub fn rest_api(api: &RestApi) -> Self {
        match api.domain_name() {
            Some(domain) => Self::rest_api_domain(&domain),
            None => {
                api.construct()
                    .report("an API without a custom domain name is no target of a record");
                Self::alias("", "")
            }
        }
    }

    /// A custom domain of an HTTP or WebSocket API by its `RegionalDomainName` and `RegionalHostedZoneId`.
    pub fn http_api_domain(
        regional_domain_name: impl IntoValue<String>,
        regional_hosted_zone_id: impl IntoValue<String>,
    ) -> Self {
        Self::alias(regional_domain_name, regional_hosted_zone_id)
    }

    /// An accelerator by its `DnsName`.
    pub fn global_accelerator(dns_name: impl IntoValue<String>) -> Self {
        Self::alias(dns_name, GLOBAL_ACCELERATOR_ZONE)
    }

    pub fn interface_endpoint(endpoint: &InterfaceEndpoint) -> Self {
        // The first of `ZONE:NAME`.
        let entries: Value<List<String>> = endpoint.resource().dns_entries();
        let part = |index: i64| {
            let first = cfn::intrinsics::select(0, entries.clone());
            cfn::intrinsics::select(index, cfn::intrinsics::split(":", first))
        };
        Self::alias(part(1), part(0))
    }

    /// Whether an alias answers only while what it leads to is healthy.
    #[must_use]
    pub fn evaluate_target_health(mut self, on: bool) -> Self {
        if let Answer::Alias(alias) = &mut self.0 {
            alias.evaluate_target_health = Some(on);
        }
        self
    }
}
