//! What distributions are told: versions of protocols, prices, countries, answers to errors.

use std::time::Duration;

use cfn::Builder;
use cfn::cloudfront::distribution;

use crate::tree::Construct;
use crate::units::whole_seconds;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    Http1_1,
    Http2,
    Http2And3,
    Http3,
}

impl HttpVersion {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Http1_1 => "http1.1",
            Self::Http2 => "http2",
            Self::Http2And3 => "http2and3",
            Self::Http3 => "http3",
        }
    }
}

/// Which edges answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceClass {
    /// In North America and Europe.
    Class100,
    /// And in most of the world but South America and Oceania.
    Class200,
    All,
}

impl PriceClass {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Class100 => "PriceClass_100",
            Self::Class200 => "PriceClass_200",
            Self::All => "PriceClass_All",
        }
    }
}

/// The oldest TLS that viewers may speak, and with which ciphers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityPolicyProtocol {
    SslV3,
    TlsV1,
    TlsV1Of2016,
    TlsV1_1Of2016,
    TlsV1_2Of2018,
    TlsV1_2Of2019,
    TlsV1_2Of2021,
    TlsV1_2Of2025,
    TlsV1_3Of2025,
}

impl SecurityPolicyProtocol {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::SslV3 => "SSLv3",
            Self::TlsV1 => "TLSv1",
            Self::TlsV1Of2016 => "TLSv1_2016",
            Self::TlsV1_1Of2016 => "TLSv1.1_2016",
            Self::TlsV1_2Of2018 => "TLSv1.2_2018",
            Self::TlsV1_2Of2019 => "TLSv1.2_2019",
            Self::TlsV1_2Of2021 => "TLSv1.2_2021",
            Self::TlsV1_2Of2025 => "TLSv1.2_2025",
            Self::TlsV1_3Of2025 => "TLSv1.3_2025",
        }
    }
}

/// How viewers say which certificate they want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMethod {
    /// By name, as all of today do.
    Sni,
    /// By an address of the distribution's own, at a price.
    Vip,
    StaticIp,
}

impl SslMethod {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sni => "sni-only",
            Self::Vip => "vip",
            Self::StaticIp => "static-ip",
        }
    }
}

/// Viewers of which countries are answered, by the codes of ISO 3166-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeoRestriction {
    Only(Vec<String>),
    AllBut(Vec<String>),
}

impl GeoRestriction {
    pub fn only(countries: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::Only(countries.into_iter().map(Into::into).collect())
    }

    pub fn all_but(countries: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::AllBut(countries.into_iter().map(Into::into).collect())
    }

    pub(super) fn render(&self, construct: &Construct) -> distribution::Restrictions<cfn::Set> {
        let (kind, countries) = match self {
            Self::Only(countries) => ("whitelist", countries),
            Self::AllBut(countries) => ("blacklist", countries),
        };
        let valid = |code: &String| code.len() == 2 && code.chars().all(|c| c.is_ascii_uppercase());
        if countries.is_empty() || !countries.iter().all(valid) {
            construct.report("a restriction names countries by the two capital letters of ISO 3166-1");
        }
        let restriction = distribution::GeoRestriction::new()
            .restriction_type(kind)
            .locations(countries);
        distribution::Restrictions::new().geo_restriction(restriction)
    }
}

/// What is answered instead of an error of the origin.
#[derive(Clone, Debug)]
pub struct ErrorResponse {
    status: u16,
    response_status: Option<u16>,
    page: Option<String>,
    ttl: Option<Duration>,
}

impl ErrorResponse {
    /// When the origin answers with this status. Say what happens then.
    pub const fn of(status: u16) -> Self {
        Self {
            status,
            response_status: None,
            page: None,
            ttl: None,
        }
    }

    /// With which status; that of the origin if nothing is said.
    #[must_use]
    pub const fn response_status(mut self, status: u16) -> Self {
        self.response_status = Some(status);
        self
    }

    /// A page of the distribution: `/index.html`.
    #[must_use]
    pub fn response_page_path(mut self, path: impl Into<String>) -> Self {
        self.page = Some(path.into());
        self
    }

    /// How long the error is kept.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    pub(super) fn render(&self, construct: &Construct) -> distribution::CustomErrorResponse<cfn::Set> {
        if self.response_status.is_none() && self.page.is_none() && self.ttl.is_none() {
            construct.report(format!(
                "nothing is said about what happens when the origin answers {}",
                self.status
            ));
        }
        let status = self.response_status.or(self.page.is_some().then_some(self.status));
        distribution::CustomErrorResponse::new()
            .error_code(self.status)
            .when_some(status, |response, status| response.response_code(status))
            .when_some(self.page.as_ref(), |response, page| response.response_page_path(page))
            .when_some(self.ttl.map(whole_seconds), |response, ttl| {
                response.error_caching_min_ttl(ttl)
            })
    }
}
