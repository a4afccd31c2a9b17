//! What an origin is in a distribution, and what it needs there: signatures, and policies that let them in.

use std::time::Duration;

use cfn::cloudfront::distribution;
use cfn::{Builder, Expr, IntoValue, Value};

use super::access::{OriginAccessControl, OriginAccessIdentity, OriginType};
use super::origin::{Access, BucketAccess, Settings, Shield, Single, Web};
use crate::element::CfnResource;
use crate::iam::{PolicyStatement, Principal};
use crate::lambda::FunctionUrl;
use crate::s3::Bucket;
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};
use crate::units::{hours, seconds, whole_seconds};

const SERVICE: &str = "cloudfront.amazonaws.com";
/// Headers that CloudFront sets or keeps for itself.
const RESERVED_HEADERS: [&str; 22] = [
    "cache-control",
    "connection",
    "content-length",
    "cookie",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "pragma",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "request-range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
];
const RESERVED_PREFIXES: [&str; 2] = ["x-amz-", "x-edge-"];

/// Where an origin is bound.
pub(super) struct Place<'a> {
    /// `Origin1` in the distribution.
    pub(super) scope: &'a Construct,
    pub(super) generated_id: &'a str,
    pub(super) distribution_id: Expr,
}

impl Place<'_> {
    fn distribution_arn(&self, id: Expr) -> Expr {
        Expr::concat([
            "arn:".into(),
            cfn::pseudo::partition().into_expr(),
            ":cloudfront::".into(),
            cfn::pseudo::account_id().into_expr(),
            ":distribution/".into(),
            id,
        ])
    }
}

impl Single {
    pub(super) fn id(&self, place: &Place<'_>) -> String {
        self.settings
            .id
            .clone()
            .unwrap_or_else(|| place.generated_id.to_owned())
    }

    /// The origin as it stands in the distribution.
    pub(super) fn bind(&self, place: &Place<'_>) -> Expr {
        self.settings.check(place.scope);
        let mut origin = self.settings.render(&self.id(place));
        match &self.access {
            Access::Bucket(access) => {
                let mut identity = Expr::text("");
                match access {
                    BucketAccess::Plain => {}
                    BucketAccess::Control {
                        bucket,
                        control,
                        levels,
                    } => {
                        let control = control.borrow_mut().get_or_insert_with(|| own_control(place)).clone();
                        let_in(place, bucket, levels);
                        origin = origin.origin_access_control_id(control.origin_access_control_id());
                    }
                    BucketAccess::Identity { bucket, identity: slot } => {
                        let user = slot
                            .borrow_mut()
                            .get_or_insert_with(|| own_identity(place, bucket))
                            .clone();
                        let read = PolicyStatement::allow(["s3:GetObject"])
                            .on(bucket.arn_for_objects("*"))
                            .by(user.principal());
                        bucket.add_to_resource_policy(read);
                        identity = Expr::concat([
                            "origin-access-identity/cloudfront/".into(),
                            user.origin_access_identity_id().into_expr(),
                        ]);
                    }
                }
                let config = distribution::S3OriginConfig::new().origin_access_identity(identity.cast::<String>());
                origin = origin.s3_origin_config(config);
            }
            Access::Web(web) => {
                web.check(place.scope, self.settings.response_completion_timeout);
                origin = origin.custom_origin_config(web.render());
            }
            Access::Function { web, url, control } => {
                web.check(place.scope, self.settings.response_completion_timeout);
                let control = control
                    .borrow_mut()
                    .get_or_insert_with(|| own_function_control(place))
                    .clone();
                if control.always_signs && url.is_public() {
                    place
                        .scope
                        .report("a function URL whose requests are signed lets in those whom IAM lets, not everybody");
                }
                let_invoke(place, url);
                origin = origin
                    .custom_origin_config(web.render())
                    .origin_access_control_id(control.origin_access_control_id());
            }
        }
        let value: Value<distribution::Origin> = origin.into_value();
        value.into_expr()
    }
}

fn own_control(place: &Place<'_>) -> OriginAccessControl {
    OriginAccessControl::of(Site::new(place.scope, "S3OriginAccessControl"), OriginType::Bucket).build()
}

fn own_function_control(place: &Place<'_>) -> OriginAccessControl {
    let site = Site::new(place.scope, "FunctionUrlOriginAccessControl");
    OriginAccessControl::of(site, OriginType::Function).build()
}

/// In the stack of the bucket, whose policy names it.
fn own_identity(place: &Place<'_>, bucket: &Bucket) -> OriginAccessIdentity {
    let comment = format!("Identity for {}", place.generated_id);
    let stack = Stack::of(bucket);
    if stack.construct().is(Stack::of(place.scope).construct()) {
        return OriginAccessIdentity::new(place.scope, "S3Origin", Some(&comment));
    }
    let id = format!("{}S3Origin", place.scope.unique_id());
    OriginAccessIdentity::new(&stack, id, Some(&comment))
}

/// Lets the distribution into the bucket, and to the key that its objects are encrypted with.
fn let_in(place: &Place<'_>, bucket: &Bucket, levels: &[super::access::AccessLevel]) {
    let mut statement = PolicyStatement::allow(levels.iter().map(|level| level.action()))
        .by(Principal::service(SERVICE))
        .on(bucket.arn_for_objects("*"));
    if levels.contains(&super::access::AccessLevel::List) {
        place
            .scope
            .warn("who asks for `/` is told the names of all objects, unless the distribution has a root object");
        statement = statement.on(bucket.bucket_arn());
    }
    let arn = place.distribution_arn(place.distribution_id.clone());
    bucket.add_to_resource_policy(statement.condition("StringEquals", [("AWS:SourceArn", arn)]));
    if let Some(key) = bucket.encryption_key() {
        // The distribution refers to the bucket and the bucket to its key, so the key cannot refer to the distribution.
        let any = place.distribution_arn("*".into());
        let actions = levels.iter().flat_map(|level| level.key_actions()).copied();
        let statement = PolicyStatement::allow(actions)
            .by(Principal::service(SERVICE))
            .on_all()
            .condition("ArnLike", [("AWS:SourceArn", any)]);
        key.add_to_resource_policy(statement);
        key.construct().warn(
            "every distribution of the account may use the key; once it is deployed, name the distribution in the \
             key's policy",
        );
    }
}

fn let_invoke(place: &Place<'_>, url: &FunctionUrl) {
    let arn = place.distribution_arn(place.distribution_id.clone());
    let permission = |action: &'static str| {
        cfn::lambda::Permission::new()
            .principal(SERVICE)
            .action(action)
            .function_name(url.function_arn())
            .source_arn(arn.clone().cast::<String>())
    };
    let id = place.generated_id;
    CfnResource::new(
        place.scope,
        format!("InvokeFromApiFor{id}"),
        permission("lambda:InvokeFunctionUrl"),
    );
    CfnResource::new(
        place.scope,
        format!("InvokeFunctionFromCloudFrontFor{id}"),
        permission("lambda:InvokeFunction").invoked_via_function_url(true),
    );
}

impl Settings {
    fn check(&self, construct: &Construct) {
        let outside =
            |value: Option<Duration>, most: Duration| value.is_some_and(|value| !(seconds(1)..=most).contains(&value));
        if outside(self.connection_timeout, seconds(10)) {
            construct.report("the connection timeout of an origin lies between 1 and 10 seconds");
        }
        if outside(self.response_completion_timeout, hours(1)) {
            construct.report("an answer is complete after 1 second at the earliest and an hour at the latest");
        }
        if self.connection_attempts.is_some_and(|count| !(1..=3).contains(&count)) {
            construct.report("a connection is attempted 1 to 3 times");
        }
        for (name, _) in &self.headers {
            let lower = name.to_lowercase();
            let reserved = RESERVED_HEADERS.contains(&lower.as_str())
                || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
            if reserved {
                construct.report(format!("CloudFront adds no header `{name}` to requests"));
            }
        }
    }

    fn render(&self, id: &str) -> distribution::Origin<cfn::Set, cfn::Set> {
        let path = self.path.as_ref().map(|path| match path.as_text() {
            Some(text) => Expr::text(format!("/{}", text.trim_start_matches('/').trim_end_matches('/'))),
            None => path.clone(),
        });
        let headers = self.headers.iter().map(|(name, value)| {
            distribution::OriginCustomHeader::new()
                .header_name(name)
                .header_value(value.clone().cast::<String>())
        });
        let headers: Vec<_> = headers.collect();
        let shield = match &self.shield {
            Shield::Unsaid => None,
            Shield::Off => Some(distribution::OriginShield::new().enabled(false)),
            Shield::Region(region) => Some(
                distribution::OriginShield::new()
                    .enabled(true)
                    .origin_shield_region(region.clone().cast::<String>()),
            ),
        };
        distribution::Origin::new()
            .domain_name(self.domain_name.clone().cast::<String>())
            .id(id)
            .when_some(path, |origin, path| origin.origin_path(path.cast::<String>()))
            .when_some(self.connection_attempts, |origin, count| {
                origin.connection_attempts(count)
            })
            .when_some(self.connection_timeout.map(whole_seconds), |origin, timeout| {
                origin.connection_timeout(timeout)
            })
            .when_some(
                self.response_completion_timeout.map(whole_seconds),
                |origin, timeout| origin.response_completion_timeout(timeout),
            )
            .when_some((!headers.is_empty()).then_some(headers), |origin, headers| {
                origin.origin_custom_headers(headers)
            })
            .when_some(shield, |origin, shield| origin.origin_shield(shield))
    }
}

impl Web {
    fn check(&self, construct: &Construct, completion: Option<Duration>) {
        let too_short = |value: Option<Duration>| value.is_some_and(|value| value < seconds(1));
        if too_short(self.read_timeout) || too_short(self.keepalive_timeout) {
            construct.report("the timeouts of an origin are a second at least");
        }
        if let (Some(completion), Some(read)) = (completion, self.read_timeout)
            && completion < read
        {
            construct.report("an answer is not waited for longer than until it must be complete");
        }
        let invalid = |port: Option<u16>| port.is_some_and(|port| !matches!(port, 80 | 443 | 1024..));
        if invalid(self.http_port) || invalid(self.https_port) {
            construct.report("the port of an origin is 80, 443, or 1024 and above");
        }
    }

    fn render(&self) -> distribution::CustomOriginConfig<cfn::Set> {
        let protocols = self.ssl_protocols.iter().map(|protocol| protocol.as_str());
        distribution::CustomOriginConfig::new()
            .origin_protocol_policy(self.protocol.as_str())
            .origin_ssl_protocols(protocols.collect::<Vec<_>>())
            .when_some(self.http_port, |config, port| config.http_port(port))
            .when_some(self.https_port, |config, port| config.https_port(port))
            .when_some(self.read_timeout.map(whole_seconds), |config, timeout| {
                config.origin_read_timeout(timeout)
            })
            .when_some(self.keepalive_timeout.map(whole_seconds), |config, timeout| {
                config.origin_keepalive_timeout(timeout)
            })
            .when_some(self.ip_address_type, |config, kind| {
                config.ip_address_type(kind.as_str())
            })
    }
}
