//! Zones whose answers are signed.

use cfn::{Expr, id};

use super::zone::HostedZone;
use crate::element::CfnResource;
use crate::iam::Principal;
use crate::kms::Key;
use crate::logical_id::Style;
use crate::site::Site;

const SERVICE: &str = "dnssec-route53.amazonaws.com";
const MAX_NAME: usize = 128;

impl HostedZone {
    /// Signs answers with a key of us-east-1 that signs with ECC NIST P-256. Afterwards the zone above is told of it, by
    /// a [`super::DsRecord`]. The name is made of the path if nothing is said.
    #[track_caller]
    pub fn enable_dnssec(&self, key: &Key, name: Option<&str>) -> CfnResource<cfn::route53::KeySigningKey> {
        let construct = Site::new(self, "KeySigningKey").make("route53.KeySigningKey");
        let of_zone = Principal::service(SERVICE).condition("ArnEquals", [("aws:SourceArn", self.hosted_zone_arn())]);
        key.grant(of_zone, ["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"]);
        let for_aws = Principal::service(SERVICE).condition("Bool", [("kms:GrantIsForAWSResource", Expr::Bool(true))]);
        key.grant(for_aws, ["kms:CreateGrant"]);
        let style = Style {
            special: "_",
            ..Style::default()
        };
        let name = name.map_or_else(|| construct.unique_resource_name_with(style, MAX_NAME), str::to_owned);
        let properties = cfn::route53::KeySigningKey::new()
            .hosted_zone_id(self.hosted_zone_id())
            .key_management_service_arn(key.key_arn().cast::<id::kms::AnyKey>())
            .name(name)
            .status("ACTIVE");
        let signing = CfnResource::new(&construct, "Resource", properties);
        let properties = cfn::route53::DNSSEC::new().hosted_zone_id(self.hosted_zone_id());
        CfnResource::new(self, "DNSSEC", properties).depend_on(&signing);
        signing
    }
}
