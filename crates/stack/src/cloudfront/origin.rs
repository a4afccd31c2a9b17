//! Origins: where a distribution gets answers that it does not hold.
//!
//! Each kind has a type of its own with the settings that it knows; [`Origin`] is any of them. An origin that several
//! behaviors name is made once: turn it into an [`Origin`] and clone that.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cfn::{Expr, IntoValue};

use super::access::{AccessLevel, OriginAccessControl, OriginAccessIdentity};
use crate::apigateway::RestApi;
use crate::lambda::FunctionUrl;
use crate::s3::Bucket;

/// How CloudFront speaks to an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginProtocolPolicy {
    HttpOnly,
    HttpsOnly,
    /// As the viewer does.
    MatchViewer,
}

impl OriginProtocolPolicy {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::HttpOnly => "http-only",
            Self::HttpsOnly => "https-only",
            Self::MatchViewer => "match-viewer",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginSslPolicy {
    SslV3,
    TlsV1,
    TlsV1_1,
    TlsV1_2,
}

impl OriginSslPolicy {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::SslV3 => "SSLv3",
            Self::TlsV1 => "TLSv1",
            Self::TlsV1_1 => "TLSv1.1",
            Self::TlsV1_2 => "TLSv1.2",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpAddressType {
    Ipv4,
    Ipv6,
    DualStack,
}

impl IpAddressType {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::DualStack => "dualstack",
        }
    }
}

/// How CloudFront chooses in an origin group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginSelection {
    /// The primary, until it fails.
    Default,
    /// The one whose video is better.
    MediaQualityBased,
}

impl OriginSelection {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::MediaQualityBased => "media-quality-based",
        }
    }
}

/// Any origin. Clones are the same origin.
#[derive(Clone)]
pub struct Origin(pub(super) Rc<Kind>);

impl Origin {
    pub(super) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

pub(super) enum Kind {
    Single(Box<Single>),
    Group(OriginGroup),
}

pub(super) struct Single {
    pub(super) settings: Settings,
    pub(super) access: Access,
}

/// What all origins know.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) domain_name: Expr,
    pub(super) path: Option<Expr>,
    pub(super) connection_timeout: Option<Duration>,
    pub(super) connection_attempts: Option<u8>,
    pub(super) response_completion_timeout: Option<Duration>,
    pub(super) headers: Vec<(String, Expr)>,
    pub(super) shield: Shield,
    pub(super) id: Option<String>,
}

#[derive(Clone)]
pub(super) enum Shield {
    Unsaid,
    Off,
    Region(Expr),
}

impl Settings {
    fn new(domain_name: Expr) -> Self {
        Self {
            domain_name,
            path: None,
            connection_timeout: None,
            connection_attempts: None,
            response_completion_timeout: None,
            headers: Vec::new(),
            shield: Shield::Unsaid,
            id: None,
        }
    }
}

/// How an origin is reached.
pub(super) enum Access {
    Bucket(BucketAccess),
    Web(Web),
    Function {
        web: Web,
        url: Box<FunctionUrl>,
        control: RefCell<Option<OriginAccessControl>>,
    },
}

pub(super) enum BucketAccess {
    /// As the bucket lets everybody.
    Plain,
    Control {
        bucket: Bucket,
        control: RefCell<Option<OriginAccessControl>>,
        levels: Vec<AccessLevel>,
    },
    Identity {
        bucket: Bucket,
        identity: RefCell<Option<OriginAccessIdentity>>,
    },
}

#[derive(Clone)]
pub(super) struct Web {
    pub(super) protocol: OriginProtocolPolicy,
    pub(super) ssl_protocols: Vec<OriginSslPolicy>,
    pub(super) http_port: Option<u16>,
    pub(super) https_port: Option<u16>,
    pub(super) read_timeout: Option<Duration>,
    pub(super) keepalive_timeout: Option<Duration>,
    pub(super) ip_address_type: Option<IpAddressType>,
}

impl Web {
    fn new(protocol: OriginProtocolPolicy) -> Self {
        Self {
            protocol,
            ssl_protocols: vec![OriginSslPolicy::TlsV1_2],
            http_port: None,
            https_port: None,
            read_timeout: None,
            keepalive_timeout: None,
            ip_address_type: None,
        }
    }
}

macro_rules! settings {
    () => {
        /// Stands before the path of requests: `/production`.
        #[must_use]
        pub fn origin_path(mut self, path: impl IntoValue<String>) -> Self {
            self.settings.path = Some(path.into_value().into_expr());
            self
        }

        /// 1 to 10 seconds.
        #[must_use]
        pub fn connection_timeout(mut self, timeout: Duration) -> Self {
            self.settings.connection_timeout = Some(timeout);
            self
        }

        /// 1 to 3.
        #[must_use]
        pub fn connection_attempts(mut self, count: u8) -> Self {
            self.settings.connection_attempts = Some(count);
            self
        }

        /// Until when an answer must be complete, 1 second to an hour.
        #[must_use]
        pub fn response_completion_timeout(mut self, timeout: Duration) -> Self {
            self.settings.response_completion_timeout = Some(timeout);
            self
        }

        /// A header that is added to requests.
        #[must_use]
        pub fn custom_header(mut self, name: impl Into<String>, value: impl IntoValue<String>) -> Self {
            self.settings
                .headers
                .push((name.into(), value.into_value().into_expr()));
            self
        }

        /// All edges ask the origin through a cache in this region.
        #[must_use]
        pub fn origin_shield_region(mut self, region: impl IntoValue<String>) -> Self {
            self.settings.shield = Shield::Region(region.into_value().into_expr());
            self
        }

        /// States that there is no such cache.
        #[must_use]
        pub fn no_origin_shield(mut self) -> Self {
            self.settings.shield = Shield::Off;
            self
        }

        /// Unique in the distribution; made of the path if nothing is said.
        #[must_use]
        pub fn origin_id(mut self, id: impl Into<String>) -> Self {
            self.settings.id = Some(id.into());
            self
        }
    };
}

macro_rules! timeouts {
    () => {
        /// How long CloudFront waits for an answer, and between its parts.
        #[must_use]
        pub fn read_timeout(mut self, timeout: Duration) -> Self {
            self.web.read_timeout = Some(timeout);
            self
        }

        /// How long a connection without requests stays.
        #[must_use]
        pub fn keepalive_timeout(mut self, timeout: Duration) -> Self {
            self.web.keepalive_timeout = Some(timeout);
            self
        }
    };
}

/// A bucket.
pub struct S3BucketOrigin {
    settings: Settings,
    access: BucketAccess,
}

impl S3BucketOrigin {
    fn new(bucket: &Bucket, access: BucketAccess) -> Self {
        Self {
            settings: Settings::new(bucket.bucket_regional_domain_name().into_expr()),
            access,
        }
    }

    /// The bucket lets this distribution in and nobody else. How buckets are reached today.
    pub fn with_origin_access_control(bucket: &Bucket) -> Self {
        let access = BucketAccess::Control {
            bucket: bucket.clone(),
            control: RefCell::new(None),
            levels: vec![AccessLevel::Read],
        };
        Self::new(bucket, access)
    }

    /// The bucket lets a user in that stands for the distribution. How buckets were reached before.
    pub fn with_origin_access_identity(bucket: &Bucket) -> Self {
        let access = BucketAccess::Identity {
            bucket: bucket.clone(),
            identity: RefCell::new(None),
        };
        Self::new(bucket, access)
    }

    /// The bucket's policy stays as it is.
    pub fn with_bucket_defaults(bucket: &Bucket) -> Self {
        Self::new(bucket, BucketAccess::Plain)
    }

    settings!();

    /// This one instead of one of the origin's own. After [`S3BucketOrigin::with_origin_access_control`].
    #[must_use]
    pub fn origin_access_control(self, control: &OriginAccessControl) -> Self {
        if let BucketAccess::Control { control: slot, .. } = &self.access {
            *slot.borrow_mut() = Some(control.clone());
        }
        self
    }

    /// Reading if nothing is said. After [`S3BucketOrigin::with_origin_access_control`].
    #[must_use]
    pub fn origin_access_levels(mut self, allowed: impl IntoIterator<Item = AccessLevel>) -> Self {
        if let BucketAccess::Control { levels, .. } = &mut self.access {
            levels.clear();
            for level in allowed {
                if !levels.contains(&level) {
                    levels.push(level);
                }
            }
        }
        self
    }

    /// This one instead of one of the origin's own. After [`S3BucketOrigin::with_origin_access_identity`].
    #[must_use]
    pub fn origin_access_identity(self, identity: &OriginAccessIdentity) -> Self {
        if let BucketAccess::Identity { identity: slot, .. } = &self.access {
            *slot.borrow_mut() = Some(identity.clone());
        }
        self
    }
}

/// Any server that speaks HTTP.
#[derive(Clone)]
pub struct HttpOrigin {
    settings: Settings,
    web: Web,
}

impl HttpOrigin {
    /// By HTTPS with TLS 1.2.
    pub fn new(domain_name: impl IntoValue<String>) -> Self {
        Self {
            settings: Settings::new(domain_name.into_value().into_expr()),
            web: Web::new(OriginProtocolPolicy::HttpsOnly),
        }
    }

    /// A bucket that is a web site, which speaks HTTP only.
    pub fn website(bucket: &Bucket) -> Self {
        Self {
            settings: Settings::new(bucket.bucket_website_domain_name().into_expr()),
            web: Web::new(OriginProtocolPolicy::HttpOnly),
        }
    }

    settings!();
    timeouts!();

    #[must_use]
    pub fn protocol_policy(mut self, policy: OriginProtocolPolicy) -> Self {
        self.web.protocol = policy;
        self
    }

    #[must_use]
    pub fn origin_ssl_protocols(mut self, protocols: impl IntoIterator<Item = OriginSslPolicy>) -> Self {
        self.web.ssl_protocols = protocols.into_iter().collect();
        self
    }

    /// 80, 443, or 1024 and above.
    #[must_use]
    pub fn http_port(mut self, port: u16) -> Self {
        self.web.http_port = Some(port);
        self
    }

    /// 80, 443, or 1024 and above.
    #[must_use]
    pub fn https_port(mut self, port: u16) -> Self {
        self.web.https_port = Some(port);
        self
    }

    #[must_use]
    pub fn ip_address_type(mut self, kind: IpAddressType) -> Self {
        self.web.ip_address_type = Some(kind);
        self
    }
}

/// The stage of a REST API that its URL is about.
#[derive(Clone)]
pub struct RestApiOrigin {
    settings: Settings,
    web: Web,
}

impl RestApiOrigin {
    pub fn new(api: &RestApi) -> Self {
        let url = api.url().into_expr();
        let path = Expr::concat(["/".into(), part_of_url(&url, 3)]);
        let mut settings = Settings::new(part_of_url(&url, 2));
        settings.path = Some(path);
        Self {
            settings,
            web: Web::new(OriginProtocolPolicy::HttpsOnly),
        }
    }

    settings!();
    timeouts!();
}

/// A function by its URL.
#[derive(Clone)]
pub struct FunctionUrlOrigin {
    settings: Settings,
    web: Web,
    signed: Option<(FunctionUrl, Option<OriginAccessControl>)>,
}

impl FunctionUrlOrigin {
    /// A URL that lets everybody in.
    pub fn new(url: &FunctionUrl) -> Self {
        Self {
            settings: Settings::new(part_of_url(url.url().expr(), 2)),
            web: Web::new(OriginProtocolPolicy::HttpsOnly),
            signed: None,
        }
    }

    /// The function lets this distribution in and nobody else.
    pub fn with_origin_access_control(url: &FunctionUrl) -> Self {
        let mut origin = Self::new(url);
        origin.signed = Some((url.clone(), None));
        origin
    }

    settings!();
    timeouts!();

    #[must_use]
    pub fn ip_address_type(mut self, kind: IpAddressType) -> Self {
        self.web.ip_address_type = Some(kind);
        self
    }

    /// This one instead of one of the origin's own. After [`FunctionUrlOrigin::with_origin_access_control`].
    #[must_use]
    pub fn origin_access_control(mut self, control: &OriginAccessControl) -> Self {
        if let Some((_, slot)) = &mut self.signed {
            *slot = Some(control.clone());
        }
        self
    }
}

/// What stands between the slashes of a URL: 2 is the host, 3 the first part of the path.
fn part_of_url(url: &Expr, index: i64) -> Expr {
    let parts = cfn::intrinsics::split("/", url.clone().cast::<String>());
    cfn::intrinsics::select(index, parts).into_expr()
}

/// An origin, and another that is asked when the first fails.
pub struct OriginGroup {
    pub(super) primary: Origin,
    pub(super) fallback: Origin,
    pub(super) status_codes: Vec<u16>,
    pub(super) selection: Option<OriginSelection>,
}

impl OriginGroup {
    /// The other is asked after a status of 500, 502, 503 or 504.
    pub fn new(primary: impl Into<Origin>, fallback: impl Into<Origin>) -> Self {
        Self {
            primary: primary.into(),
            fallback: fallback.into(),
            status_codes: vec![500, 502, 503, 504],
            selection: None,
        }
    }

    #[must_use]
    pub fn fallback_status_codes(mut self, codes: impl IntoIterator<Item = u16>) -> Self {
        self.status_codes = codes.into_iter().collect();
        self
    }

    #[must_use]
    pub fn selection_criteria(mut self, selection: OriginSelection) -> Self {
        self.selection = Some(selection);
        self
    }
}

fn single(settings: Settings, access: Access) -> Origin {
    Origin(Rc::new(Kind::Single(Box::new(Single { settings, access }))))
}

impl From<S3BucketOrigin> for Origin {
    fn from(origin: S3BucketOrigin) -> Self {
        single(origin.settings, Access::Bucket(origin.access))
    }
}

impl From<HttpOrigin> for Origin {
    fn from(origin: HttpOrigin) -> Self {
        single(origin.settings, Access::Web(origin.web))
    }
}

impl From<RestApiOrigin> for Origin {
    fn from(origin: RestApiOrigin) -> Self {
        single(origin.settings, Access::Web(origin.web))
    }
}

impl From<FunctionUrlOrigin> for Origin {
    fn from(origin: FunctionUrlOrigin) -> Self {
        let access = match origin.signed {
            None => Access::Web(origin.web),
            Some((url, control)) => Access::Function {
                web: origin.web,
                url: Box::new(url),
                control: RefCell::new(control),
            },
        };
        single(origin.settings, access)
    }
}

impl From<OriginGroup> for Origin {
    fn from(group: OriginGroup) -> Self {
        Self(Rc::new(Kind::Group(group)))
    }
}

impl From<&Self> for Origin {
    fn from(origin: &Self) -> Self {
        origin.clone()
    }
}
