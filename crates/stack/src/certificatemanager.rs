//! Certificates of AWS Certificate Manager.

mod apex;

use cfn::certificatemanager::certificate;
use cfn::{Builder, Expr, IntoValue, Value, id};

use crate::cloudwatch::Metric;
use crate::element::CfnResource;
use crate::route53::HostedZone;
use crate::site::Site;
use crate::tags::Tags;
use crate::tree::{Construct, Scope};
use crate::units::days;

/// What ACM takes as the first name of a certificate.
const MAX_DOMAIN_NAME: usize = 64;
/// What a tag holds.
const MAX_NAME: usize = 255;

/// The kind of key that a certificate is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    Rsa1024,
    Rsa2048,
    Rsa3072,
    Rsa4096,
    EcPrime256v1,
    EcSecp384r1,
    EcSecp521r1,
}

impl KeyAlgorithm {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Rsa1024 => "RSA_1024",
            Self::Rsa2048 => "RSA_2048",
            Self::Rsa3072 => "RSA_3072",
            Self::Rsa4096 => "RSA_4096",
            Self::EcPrime256v1 => "EC_prime256v1",
            Self::EcSecp384r1 => "EC_secp384r1",
            Self::EcSecp521r1 => "EC_secp521r1",
        }
    }
}

/// How ACM learns that the domain is yours.
#[derive(Clone)]
pub struct CertificateValidation(Kind);

#[derive(Clone)]
enum Kind {
    /// By a record in a zone.
    Dns {
        zone: Option<HostedZone>,
        zones: Vec<(String, HostedZone)>,
    },
    /// By a link in a mail to the owner of a domain.
    Email { domains: Vec<(String, Expr)> },
}

impl CertificateValidation {
    /// By a record that ACM writes into the zone, also when it renews.
    pub fn dns(zone: &HostedZone) -> Self {
        Self(Kind::Dns {
            zone: Some(zone.clone()),
            zones: Vec::new(),
        })
    }

    /// By a record that somebody adds by hand; the deployment waits for it.
    pub fn dns_by_hand() -> Self {
        Self(Kind::Dns {
            zone: None,
            zones: Vec::new(),
        })
    }

    /// By records in several zones: the zone for each domain name of the certificate.
    pub fn dns_multi_zone<'a>(zones: impl IntoIterator<Item = (impl Into<String>, &'a HostedZone)>) -> Self {
        let zones = zones.into_iter().map(|(domain, zone)| (domain.into(), zone.clone()));
        Self(Kind::Dns {
            zone: None,
            zones: zones.collect(),
        })
    }

    /// By mails to the owners of the domains; the deployment waits for an answer. Mails go to the registered domain
    /// above each name.
    pub fn email() -> Self {
        Self(Kind::Email { domains: Vec::new() })
    }

    /// As [`CertificateValidation::email`], with the domain that mails about a name go to.
    #[must_use]
    pub fn validation_domain(mut self, name: impl Into<String>, domain: impl IntoValue<String>) -> Self {
        if let Kind::Email { domains } = &mut self.0 {
            domains.push((name.into(), domain.into_value().into_expr()));
        }
        self
    }

    fn options(&self, construct: &Construct, names: &[Expr]) -> Vec<certificate::DomainValidationOption> {
        match &self.0 {
            Kind::Dns { zone, zones } => {
                let of = |name: &Expr| {
                    let found = zones.iter().find(|(domain, _)| name.as_text() == Some(domain));
                    found.map(|(_, zone)| zone).or(zone.as_ref())
                };
                names
                    .iter()
                    .filter(|name| !is_covered(name, names))
                    .filter_map(|name| {
                        let option = certificate::DomainValidationOption::new()
                            .domain_name(name.clone().cast::<String>())
                            .hosted_zone_id(of(name)?.hosted_zone_id());
                        Some(option)
                    })
                    .collect()
            }
            Kind::Email { domains } => names
                .iter()
                .map(|name| {
                    let said = domains.iter().find(|(of, _)| name.as_text() == Some(of));
                    let domain = match (said, name.as_text()) {
                        (Some((_, domain)), _) => domain.clone(),
                        (None, Some(name)) => Expr::text(apex::apex_domain(name)),
                        (None, None) => {
                            construct.report(
                                "the domain that mails go to does not follow from a name that is known at deployment \
                                 only; validate by DNS",
                            );
                            Expr::text("")
                        }
                    };
                    certificate::DomainValidationOption::new()
                        .domain_name(name.clone().cast::<String>())
                        .validation_domain(domain.cast::<String>())
                })
                .collect(),
        }
    }
}

/// The record for `example.com` also serves `*.example.com`.
fn is_covered(name: &Expr, names: &[Expr]) -> bool {
    let parent = name.as_text().and_then(|name| name.strip_prefix("*."));
    parent.is_some_and(|parent| names.iter().any(|name| name.as_text() == Some(parent)))
}

/// A certificate of this app, or one that exists already.
#[derive(Clone)]
pub struct Certificate {
    construct: Construct,
    arn: Expr,
    resource: Option<CfnResource<cfn::certificatemanager::Certificate>>,
}

impl Scope for Certificate {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct CertificateBuilder {
    site: Site,
    domain_name: Expr,
    alternatives: Vec<Expr>,
    validation: CertificateValidation,
    name: Option<Expr>,
    properties: cfn::certificatemanager::Certificate,
}

impl CertificateBuilder {
    /// Further names that the certificate is about.
    pub fn subject_alternative_names(mut self, names: impl IntoIterator<Item = impl IntoValue<String>>) -> Self {
        let names = names.into_iter().map(|name| name.into_value().into_expr());
        self.alternatives.extend(names);
        self
    }

    /// By e-mail if nothing is said.
    pub fn validation(mut self, validation: CertificateValidation) -> Self {
        self.validation = validation;
        self
    }

    /// The tag `Name`; the path of the construct if nothing is said.
    pub fn certificate_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    pub fn key_algorithm(mut self, algorithm: KeyAlgorithm) -> Self {
        self.properties = self.properties.key_algorithm(algorithm.as_str());
        self
    }

    /// Whether the certificate is written to public logs. Browsers want it there.
    pub fn transparency_logging(mut self, on: bool) -> Self {
        let preference = if on { "ENABLED" } else { "DISABLED" };
        self.properties = self.properties.certificate_transparency_logging_preference(preference);
        self
    }

    /// The certificate can be taken out of ACM with its key, at a price.
    pub fn allow_export(mut self) -> Self {
        self.properties = self.properties.certificate_export("ENABLED");
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(
        mut self,
        change: impl FnOnce(cfn::certificatemanager::Certificate) -> cfn::certificatemanager::Certificate,
    ) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> Certificate {
        let construct = self.site.make("certificatemanager.Certificate");
        let too_long = |name: &str| name.len() > MAX_DOMAIN_NAME;
        if self.domain_name.as_text().is_some_and(too_long) {
            construct
                .report("the domain name of a certificate has at most 64 characters; longer ones are alternatives");
        }
        let mut names = vec![self.domain_name.clone()];
        names.extend(self.alternatives.iter().cloned());
        let options = self.validation.options(&construct, &names);
        let method = match self.validation.0 {
            Kind::Dns { .. } => "DNS",
            Kind::Email { .. } => "EMAIL",
        };
        let alternatives = (!self.alternatives.is_empty()).then(|| Expr::List(self.alternatives).cast());
        let properties = self
            .properties
            .domain_name(self.domain_name.cast::<String>())
            .validation_method(method)
            .when_some(alternatives, |properties, names: Value<cfn::List<String>>| {
                properties.subject_alternative_names(names)
            })
            .when_some((!options.is_empty()).then_some(options), |properties, options| {
                properties.domain_validation_options(options)
            });
        let resource = CfnResource::new(&construct, "Resource", properties);
        let name = self.name.unwrap_or_else(|| {
            let path: String = construct.path().chars().take(MAX_NAME).collect();
            Expr::text(path)
        });
        Tags::of(&resource).add("Name", name.cast::<String>());
        Certificate {
            construct,
            arn: resource.reference().into_expr(),
            resource: Some(resource),
        }
    }
}

impl Certificate {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, domain_name: impl IntoValue<String>) -> CertificateBuilder {
        CertificateBuilder {
            site: Site::new(scope, id),
            domain_name: domain_name.into_value().into_expr(),
            alternatives: Vec::new(),
            validation: CertificateValidation::email(),
            name: None,
            properties: cfn::certificatemanager::Certificate::new(),
        }
    }

    /// A certificate that exists already.
    #[track_caller]
    pub fn from_arn(
        scope: &impl Scope,
        id: impl Into<String>,
        arn: impl IntoValue<id::certificatemanager::CertificateArn>,
    ) -> Self {
        Self {
            construct: Site::new(scope, id).make("certificatemanager.Certificate"),
            arn: arn.into_value().into_expr(),
            resource: None,
        }
    }

    pub fn certificate_arn(&self) -> Value<id::certificatemanager::CertificateArn> {
        Value::from_expr(self.arn.clone())
    }

    /// Of a certificate that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::certificatemanager::Certificate> {
        let known = self.resource.clone();
        known.unwrap_or_else(|| CfnResource::elsewhere(&self.construct))
    }

    /// The region in the ARN, where the ARN is known.
    pub(crate) fn known_region(&self) -> Option<&str> {
        self.arn.as_text()?.split(':').nth(3)
    }

    /// Days until it ends: the least within a day.
    pub fn metric_days_to_expiry(&self) -> Metric {
        Metric::new("AWS/CertificateManager", "DaysToExpiry")
            .dimension("CertificateArn", self.certificate_arn())
            .period(days(1))
            .minimum()
    }
}
