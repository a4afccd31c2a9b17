//! Custom domain names: under which name of one's own an API is reached.

use std::cell::RefCell;
use std::rc::Rc;

use cfn::apigateway::domain_name;
use cfn::{Builder, Expr, IntoValue, Value, id};

use super::rest_api::{EndpointType, RestApi};
use super::stage::Stage;
use crate::certificatemanager::Certificate;
use crate::element::CfnResource;
use crate::s3::Bucket;
use crate::site::Site;
use crate::tree::{Construct, Scope};

/// The oldest TLS that clients may speak, and with which ciphers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityPolicy {
    Tls10,
    Tls12,
    Tls13Of2025,
    Tls13FipsOf2025,
    Tls12PostQuantumOf2025,
    Tls12ForwardSecrecyPostQuantumOf2025,
    EdgeTls13Of2025,
    EdgeTls12ForwardSecrecyOf2025,
    EdgeTls12Of2018,
}

impl SecurityPolicy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tls10 => "TLS_1_0",
            Self::Tls12 => "TLS_1_2",
            Self::Tls13Of2025 => "SecurityPolicy_TLS13_1_3_2025_09",
            Self::Tls13FipsOf2025 => "SecurityPolicy_TLS13_1_3_FIPS_2025_09",
            Self::Tls12PostQuantumOf2025 => "SecurityPolicy_TLS13_1_2_PQ_2025_09",
            Self::Tls12ForwardSecrecyPostQuantumOf2025 => "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09",
            Self::EdgeTls13Of2025 => "SecurityPolicy_TLS13_2025_EDGE",
            Self::EdgeTls12ForwardSecrecyOf2025 => "SecurityPolicy_TLS12_PFS_2025_EDGE",
            Self::EdgeTls12Of2018 => "SecurityPolicy_TLS12_2018_EDGE",
        }
    }

    /// Needs an access mode and goes without mutual TLS.
    const fn is_enhanced(self) -> bool {
        !matches!(self, Self::Tls10 | Self::Tls12)
    }

    const fn is_for_edge(self) -> bool {
        matches!(
            self,
            Self::EdgeTls13Of2025 | Self::EdgeTls12ForwardSecrecyOf2025 | Self::EdgeTls12Of2018
        )
    }
}

/// How strictly a domain name with one of the newer security policies takes connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointAccessMode {
    /// Only as the policy says.
    Strict,
    /// While clients move over.
    Basic,
}

/// What a custom domain name is like.
#[derive(Clone)]
pub struct DomainNameOptions {
    name: Expr,
    certificate: Certificate,
    endpoint_type: EndpointType,
    security_policy: Option<SecurityPolicy>,
    access_mode: Option<EndpointAccessMode>,
    mutual_tls: Option<(Expr, Option<Expr>)>,
    base_path: Option<String>,
}

impl DomainNameOptions {
    /// A regional domain name. The certificate is of the same region; of an edge domain name, of us-east-1.
    pub fn new(name: impl IntoValue<String>, certificate: &Certificate) -> Self {
        Self {
            name: name.into_value().into_expr(),
            certificate: certificate.clone(),
            endpoint_type: EndpointType::Regional,
            security_policy: None,
            access_mode: None,
            mutual_tls: None,
            base_path: None,
        }
    }

    #[must_use]
    pub fn endpoint_type(mut self, endpoint_type: EndpointType) -> Self {
        self.endpoint_type = endpoint_type;
        self
    }

    /// TLS 1.2 if nothing is said.
    #[must_use]
    pub fn security_policy(mut self, policy: SecurityPolicy) -> Self {
        self.security_policy = Some(policy);
        self
    }

    /// Must be said with the newer security policies.
    #[must_use]
    pub fn endpoint_access_mode(mut self, mode: EndpointAccessMode) -> Self {
        self.access_mode = Some(mode);
        self
    }

    /// Clients show certificates, issued by those in this file of a bucket.
    #[must_use]
    pub fn mutual_tls(mut self, bucket: &Bucket, key: &str) -> Self {
        self.mutual_tls = Some((bucket.s3_url_for_object(key).into_expr(), None));
        self
    }

    /// Which version of the file; the latest if nothing is said. After [`DomainNameOptions::mutual_tls`].
    #[must_use]
    pub fn truststore_version(mut self, version: impl IntoValue<String>) -> Self {
        if let Some((_, slot)) = &mut self.mutual_tls {
            *slot = Some(version.into_value().into_expr());
        }
        self
    }

    /// The first part of the path (`v1`), or more of it (`api/v1`), that leads to the API; all of the domain if nothing
    /// is said.
    #[must_use]
    pub fn base_path(mut self, path: impl Into<String>) -> Self {
        self.base_path = Some(path.into());
        self
    }

    fn check(&self, construct: &Construct) {
        let has_capitals = |name: &str| name.chars().any(|c| c.is_ascii_uppercase());
        if self.name.as_text().is_some_and(has_capitals) {
            construct.report("a domain name of API Gateway holds no capital letters");
        }
        let enhanced = self.security_policy.is_some_and(SecurityPolicy::is_enhanced);
        if enhanced && self.mutual_tls.is_some() {
            construct.report("mutual TLS goes with the policies TLS 1.0 and TLS 1.2 only");
        }
        if enhanced && self.access_mode.is_none() {
            construct.report("this security policy needs an access mode: strict, or basic while clients move over");
        }
        if !enhanced && self.access_mode.is_some() {
            construct.report("an access mode goes with the newer security policies only");
        }
        let edge = self.endpoint_type == EndpointType::Edge;
        if let Some(policy) = self.security_policy
            && policy.is_enhanced()
            && policy.is_for_edge() != edge
        {
            let kind = if edge { "an edge" } else { "a regional or private" };
            construct.report(format!("{} is not for {kind} endpoint", policy.as_str()));
        }
        if let Some(region) = self.certificate.known_region()
            && edge
            && region != "us-east-1"
        {
            construct.report(format!(
                "the certificate of an edge domain name is of us-east-1, not of {region}"
            ));
        }
    }
}

/// Which part of a domain name's path leads to which stage of an API.
#[derive(Clone, Default)]
pub struct BasePathMappingOptions {
    base_path: Option<String>,
    stage: Option<Value<id::apigateway::StageName>>,
    any_stage: bool,
}

impl BasePathMappingOptions {
    pub fn new() -> Self {
        Self::default()
    }

    /// `v1`; all of the domain if nothing is said.
    #[must_use]
    pub fn base_path(mut self, path: impl Into<String>) -> Self {
        self.base_path = Some(path.into());
        self
    }

    /// The deployment stage of the API if nothing is said.
    #[must_use]
    pub fn stage(mut self, stage: &Stage) -> Self {
        self.stage = Some(stage.stage_name());
        self
    }

    /// The next part of the path names the stage.
    #[must_use]
    pub fn any_stage(mut self) -> Self {
        self.any_stage = true;
        self
    }
}

/// A custom domain name of this app, or one that exists already.
#[derive(Clone)]
pub struct DomainName {
    construct: Construct,
    name: Expr,
    alias_domain_name: Expr,
    alias_hosted_zone_id: Expr,
    resource: Option<CfnResource<cfn::apigateway::DomainName>>,
    /// What base paths are taken, and what forbids those of several levels.
    taken: Rc<RefCell<Vec<Option<String>>>>,
    single_level: Option<&'static str>,
}

impl Scope for DomainName {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct DomainNameBuilder {
    site: Site,
    options: DomainNameOptions,
    mapping: Option<RestApi>,
}

impl DomainNameBuilder {
    /// The API that is reached, by its deployment stage.
    pub fn mapping(mut self, api: &RestApi) -> Self {
        self.mapping = Some(api.clone());
        self
    }

    pub fn build(self) -> DomainName {
        let construct = self.site.make("apigateway.DomainName");
        let options = self.options;
        options.check(&construct);
        let edge = options.endpoint_type == EndpointType::Edge;
        let endpoint = domain_name::EndpointConfiguration::new().types([options.endpoint_type.as_str()]);
        let mut properties = cfn::apigateway::DomainName::new()
            .domain_name(options.name.cast::<String>())
            .endpoint_configuration(endpoint)
            .when_some(
                options.security_policy.map(SecurityPolicy::as_str),
                cfn::apigateway::DomainName::security_policy,
            )
            .when_some(
                options.access_mode.map(|mode| match mode {
                    EndpointAccessMode::Strict => "STRICT",
                    EndpointAccessMode::Basic => "BASIC",
                }),
                cfn::apigateway::DomainName::endpoint_access_mode,
            );
        let certificate = options.certificate.certificate_arn();
        properties = if edge {
            properties.certificate_arn(certificate)
        } else {
            properties.regional_certificate_arn(certificate.cast::<String>())
        };
        if let Some((uri, version)) = options.mutual_tls {
            let truststore = domain_name::MutualTlsAuthentication::new()
                .truststore_uri(uri.cast::<String>())
                .when_some(
                    version.map(Expr::cast::<String>),
                    domain_name::MutualTlsAuthentication::truststore_version,
                );
            properties = properties.mutual_tls_authentication(truststore);
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        let (alias_domain_name, alias_hosted_zone_id) = if edge {
            (
                resource.distribution_domain_name(),
                resource.distribution_hosted_zone_id(),
            )
        } else {
            (resource.regional_domain_name(), resource.regional_hosted_zone_id())
        };
        let single_level = match options.security_policy {
            _ if edge => Some("a regional domain name"),
            Some(SecurityPolicy::Tls10) => Some("TLS 1.2 or newer"),
            _ => None,
        };
        let domain = DomainName {
            construct,
            name: resource.reference().into_expr(),
            alias_domain_name: alias_domain_name.into_expr(),
            alias_hosted_zone_id: alias_hosted_zone_id.into_expr(),
            resource: Some(resource),
            taken: Rc::default(),
            single_level,
        };
        if let Some(api) = self.mapping {
            domain.map(&api, options.base_path);
        }
        domain
    }
}

impl DomainName {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, options: DomainNameOptions) -> DomainNameBuilder {
        DomainNameBuilder {
            site: Site::new(scope, id),
            options,
            mapping: None,
        }
    }

    /// A domain name that exists already, with what a DNS alias of it leads to.
    #[track_caller]
    pub fn from_attributes(
        scope: &impl Scope,
        id: impl Into<String>,
        name: impl IntoValue<String>,
        alias_domain_name: impl IntoValue<String>,
        alias_hosted_zone_id: impl IntoValue<String>,
    ) -> Self {
        Self {
            construct: Site::new(scope, id).make("apigateway.DomainName"),
            name: name.into_value().into_expr(),
            alias_domain_name: alias_domain_name.into_value().into_expr(),
            alias_hosted_zone_id: alias_hosted_zone_id.into_value().into_expr(),
            resource: None,
            taken: Rc::default(),
            single_level: None,
        }
    }

    fn map(&self, api: &RestApi, base_path: Option<String>) {
        if !base_path.as_deref().is_some_and(has_levels) {
            let options = BasePathMappingOptions {
                base_path,
                ..BasePathMappingOptions::new()
            };
            self.add_base_path_mapping(api, options);
            return;
        }
        match api.deployment_stage() {
            Some(stage) => self.add_api_mapping(&stage, base_path.as_deref()),
            None => self
                .construct
                .report("an API without a stage cannot be reached under a path of several parts"),
        }
    }

    /// Leads a part of the path to an API.
    #[track_caller]
    pub fn add_base_path_mapping(&self, api: &RestApi, options: BasePathMappingOptions) {
        self.take(options.base_path.as_deref());
        if options.base_path.as_deref().is_some_and(has_levels) {
            self.construct
                .report("a base path has one part; `add_api_mapping` takes several");
        }
        let path = options.base_path.as_deref().filter(|path| !path.is_empty());
        let id = format!("Map:{}=>{}", path.unwrap_or("/"), api.construct().unique_id());
        BasePathMapping::new(self, id, self, api, options);
    }

    /// Leads a path, also one of several parts, to a stage.
    #[track_caller]
    pub fn add_api_mapping(&self, stage: &Stage, base_path: Option<&str>) {
        self.take(base_path);
        if base_path.is_some_and(has_levels)
            && let Some(needed) = self.single_level
        {
            self.construct
                .report(format!("a base path of several parts needs {needed}"));
        }
        let id = format!("Map:{}=>{}", base_path.unwrap_or("none"), stage.construct().unique_id());
        let properties = cfn::apigatewayv2::ApiMapping::new()
            .api_id(stage.api().rest_api_id().cast::<id::apigatewayv2::ApiId>())
            .stage(stage.stage_name().cast::<String>())
            .domain_name(self.name.clone().cast::<id::apigatewayv2::DomainName>())
            .when_some(base_path, |properties, path| properties.api_mapping_key(path));
        CfnResource::new(self, id, properties);
    }

    fn take(&self, base_path: Option<&str>) {
        let path = base_path.map(str::to_owned);
        let mut taken = self.taken.borrow_mut();
        if taken.contains(&path) {
            self.construct.report(format!(
                "the base path {} leads somewhere already",
                base_path.unwrap_or("/")
            ));
        }
        taken.push(path);
    }

    pub fn domain_name(&self) -> Value<id::apigateway::DomainName> {
        Value::from_expr(self.name.clone())
    }

    /// What a DNS alias leads to.
    pub fn alias_domain_name(&self) -> Value<String> {
        Value::from_expr(self.alias_domain_name.clone())
    }

    pub fn alias_hosted_zone_id(&self) -> Value<String> {
        Value::from_expr(self.alias_hosted_zone_id.clone())
    }

    /// Of a domain name that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::apigateway::DomainName> {
        let known = self.resource.clone();
        known.unwrap_or_else(|| CfnResource::elsewhere(&self.construct))
    }
}

fn has_levels(path: &str) -> bool {
    path.split('/').filter(|part| !part.is_empty()).count() > 1
}

/// Leads a part of the path of a domain name to an API.
pub enum BasePathMapping {}

impl BasePathMapping {
    #[track_caller]
    #[expect(clippy::new_ret_no_self, reason = "nobody refers to a mapping but by its resource")]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        domain: &DomainName,
        api: &RestApi,
        options: BasePathMappingOptions,
    ) -> CfnResource<cfn::apigateway::BasePathMapping> {
        let construct = Site::new(scope, id).make("apigateway.BasePathMapping");
        if let Some(path) = &options.base_path {
            let valid = |c: char| c.is_ascii_alphanumeric() || "$_.+!*'()-/".contains(c);
            if path.is_empty() || path.starts_with('/') || path.ends_with('/') || path.contains("//") {
                construct.report(format!(
                    "`{path}` is no base path: no slash at its ends, and never two together"
                ));
            } else if !path.chars().all(valid) {
                construct.report(format!(
                    "`{path}` is no base path: it holds letters, digits and `$-_.+!*'()/`"
                ));
            }
        }
        let of_api = || api.deployment_stage().map(|stage| stage.stage_name());
        let stage = options.stage.or_else(|| of_api().filter(|_| !options.any_stage));
        let properties = cfn::apigateway::BasePathMapping::new()
            .domain_name(domain.domain_name())
            .rest_api_id(api.rest_api_id())
            .when_some(options.base_path, |properties, path| properties.base_path(path))
            .when_some(stage, |properties, stage| properties.stage(stage));
        CfnResource::new(&construct, "Resource", properties)
    }
}
