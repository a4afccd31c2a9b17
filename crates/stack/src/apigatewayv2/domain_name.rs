//! Names of one's own for APIs.

use cfn::apigatewayv2::domain_name;
use cfn::{Builder, Expr, IntoValue, Value, id};

use super::stage::IpAddressType;
use crate::element::CfnResource;
use crate::s3::Bucket;
use crate::site::Site;
use crate::tree::{Construct, Scope};

/// The oldest TLS that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityPolicy {
    Tls1_0,
    Tls1_2,
}

impl SecurityPolicy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tls1_0 => "TLS_1_0",
            Self::Tls1_2 => "TLS_1_2",
        }
    }
}

/// A name that API Gateway answers to. Records that lead to it are made with Route 53.
#[derive(Clone)]
pub struct DomainName {
    construct: Construct,
    resource: CfnResource<cfn::apigatewayv2::DomainName>,
}

impl Scope for DomainName {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct DomainNameBuilder {
    site: Site,
    name: Expr,
    configuration: domain_name::DomainNameConfiguration,
    ownership_certificate: Option<Value<id::certificatemanager::CertificateArn>>,
    endpoint_type: &'static str,
    mutual_tls: Option<domain_name::MutualTlsAuthentication>,
}

impl DomainNameBuilder {
    pub fn certificate_name(mut self, name: impl IntoValue<String>) -> Self {
        self.configuration = self.configuration.certificate_name(name);
        self
    }

    /// Through CloudFront; in the region itself if this is not said.
    pub fn edge(mut self) -> Self {
        self.endpoint_type = "EDGE";
        self
    }

    pub fn security_policy(mut self, policy: SecurityPolicy) -> Self {
        self.configuration = self.configuration.security_policy(policy.as_str());
        self
    }

    pub fn ip_address_type(mut self, kind: IpAddressType) -> Self {
        self.configuration = self.configuration.ip_address_type(kind.as_str());
        self
    }

    /// Only clients with a certificate that the file `key` of this bucket vouches for.
    pub fn mutual_tls(self, bucket: &Bucket, key: &str) -> Self {
        self.mutual_tls_of(bucket, key, None)
    }

    /// As [`DomainNameBuilder::mutual_tls`], with the version of the file.
    pub fn mutual_tls_version(self, bucket: &Bucket, key: &str, version: &str) -> Self {
        self.mutual_tls_of(bucket, key, Some(version))
    }

    fn mutual_tls_of(mut self, bucket: &Bucket, key: &str, version: Option<&str>) -> Self {
        let uri = Expr::concat([
            "s3://".into(),
            bucket.bucket_name().into_expr(),
            format!("/{key}").into(),
        ]);
        let authentication = domain_name::MutualTlsAuthentication::new()
            .truststore_uri(uri.cast::<String>())
            .when_some(version, domain_name::MutualTlsAuthentication::truststore_version);
        self.mutual_tls = Some(authentication);
        self
    }

    /// A public certificate that shows whose the name is, where the other one is imported or private. With
    /// [`DomainNameBuilder::mutual_tls`] only.
    pub fn ownership_certificate(mut self, arn: impl IntoValue<id::certificatemanager::CertificateArn>) -> Self {
        self.ownership_certificate = Some(arn.into_value());
        self
    }

    pub fn build(self) -> DomainName {
        let construct = self.site.make("apigatewayv2.DomainName");
        if self.name.as_text() == Some("") {
            construct.report("a domain has a name that is not empty");
        }
        if self.ownership_certificate.is_some() && self.mutual_tls.is_none() {
            construct.report("a certificate of ownership is for domains with mutual TLS only");
        }
        let configuration = self.configuration.endpoint_type(self.endpoint_type).when_some(
            self.ownership_certificate,
            domain_name::DomainNameConfiguration::ownership_verification_certificate_arn,
        );
        let properties = cfn::apigatewayv2::DomainName::new()
            .domain_name(self.name.cast::<String>())
            .domain_name_configurations([configuration])
            .when_some(self.mutual_tls, |properties, authentication| {
                properties.mutual_tls_authentication(authentication)
            });
        let resource = CfnResource::new(&construct, "Resource", properties);
        DomainName { construct, resource }
    }
}

impl DomainName {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        name: impl IntoValue<String>,
        certificate: impl IntoValue<id::certificatemanager::CertificateArn>,
    ) -> DomainNameBuilder {
        DomainNameBuilder {
            site: Site::new(scope, id),
            name: name.into_value().into_expr(),
            configuration: domain_name::DomainNameConfiguration::new().certificate_arn(certificate),
            ownership_certificate: None,
            endpoint_type: "REGIONAL",
            mutual_tls: None,
        }
    }

    pub fn domain_name(&self) -> Value<id::apigatewayv2::DomainName> {
        self.resource.reference().cast()
    }

    /// What a record of the domain leads to.
    pub fn regional_domain_name(&self) -> Value<String> {
        self.resource.regional_domain_name()
    }

    /// The zone of [`DomainName::regional_domain_name`], for alias records.
    pub fn regional_hosted_zone_id(&self) -> Value<String> {
        self.resource.regional_hosted_zone_id()
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigatewayv2::DomainName> {
        &self.resource
    }
}

/// A domain, and the first part of the path under which a stage is found in it.
#[derive(Clone)]
pub struct DomainMapping {
    pub(super) domain: DomainName,
    pub(super) key: Option<String>,
}

impl DomainMapping {
    /// The whole domain.
    pub fn of(domain: &DomainName) -> Self {
        Self {
            domain: domain.clone(),
            key: None,
        }
    }

    /// Only what begins with this.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// That a stage is found in a domain.
#[derive(Clone)]
pub struct ApiMapping {
    construct: Construct,
    resource: CfnResource<cfn::apigatewayv2::ApiMapping>,
    mapping: DomainMapping,
}

impl Scope for ApiMapping {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct ApiMappingBuilder {
    site: Site,
    mapping: DomainMapping,
    stage: Construct,
    api: Expr,
    stage_name: String,
}

impl ApiMappingBuilder {
    pub fn build(self) -> ApiMapping {
        let construct = self.site.make("apigatewayv2.ApiMapping");
        if self.mapping.key.as_deref() == Some("") {
            construct.report("the key of a mapping is not empty; leave it out to map the whole domain");
        }
        let properties = cfn::apigatewayv2::ApiMapping::new()
            .api_id(self.api.cast::<String>())
            .domain_name(self.mapping.domain.domain_name())
            .stage(self.stage_name)
            .when_some(
                self.mapping.key.as_deref(),
                cfn::apigatewayv2::ApiMapping::api_mapping_key,
            );
        let resource = CfnResource::new(&construct, "Resource", properties);
        construct.add_dependency(&self.stage);
        ApiMapping {
            construct,
            resource,
            mapping: self.mapping,
        }
    }
}

impl ApiMapping {
    /// The mapping that belongs to a stage itself.
    pub(super) fn of_stage(stage: &Construct, mapping: &DomainMapping, api: &Expr, stage_name: &str) -> Self {
        // The id is aws-cdk-lib's, the word for what is missing included.
        let key = mapping.key.as_deref().unwrap_or("undefined");
        let builder = ApiMappingBuilder {
            site: Site::new(stage, format!("{}{key}", mapping.domain.construct().path())),
            mapping: mapping.clone(),
            stage: stage.clone(),
            api: api.clone(),
            stage_name: stage_name.to_owned(),
        };
        stage.add_dependency(&mapping.domain);
        builder.build()
    }

    #[track_caller]
    pub(super) fn builder(
        scope: &impl Scope,
        id: impl Into<String>,
        mapping: DomainMapping,
        stage: &Construct,
        api: Expr,
        stage_name: &str,
    ) -> ApiMappingBuilder {
        ApiMappingBuilder {
            site: Site::new(scope, id),
            mapping,
            stage: stage.clone(),
            api,
            stage_name: stage_name.to_owned(),
        }
    }

    /// `https://example.com/key`.
    pub fn domain_url(&self) -> Value<String> {
        let key = self.mapping.key.as_deref().unwrap_or_default();
        let name = self.mapping.domain.domain_name().into_expr();
        Expr::concat(["https://".into(), name, format!("/{key}").into()]).cast()
    }

    pub fn resource(&self) -> &CfnResource<cfn::apigatewayv2::ApiMapping> {
        &self.resource
    }
}
