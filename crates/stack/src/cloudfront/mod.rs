//! CloudFront: distributions before buckets, APIs and functions; what they cache, forward and answer; code at the edge.
//!
//! Lambda functions at the edge are made like others, in a stack of us-east-1; the construct that makes such a stack by
//! itself and reads the version across regions is not offered, as it needs code that runs at deployment.

mod access;
mod behavior;
mod cache_policy;
mod distribution;
mod function;
mod headers_policy;
mod key_group;
mod origin;
mod origin_bind;
mod request_policy;
mod settings;

pub use access::{AccessLevel, OriginAccessControl, OriginAccessControlBuilder, OriginAccessIdentity, Signing};
pub use behavior::{AllowedMethods, BehaviorOptions, CachedMethods, EdgeEvent, ViewerProtocolPolicy};
pub use cache_policy::{CacheHeaders, CachePolicy, CachePolicyBuilder, Forwarded};
pub use distribution::{Distribution, DistributionBuilder};
pub use function::{Function, FunctionBuilder, FunctionEvent, FunctionRuntime, KeyValueStore};
pub use headers_policy::{
    CorsBehavior, FrameOption, ReferrerPolicy, ResponseHeadersPolicy, ResponseHeadersPolicyBuilder,
    StrictTransportSecurity, XssProtection,
};
pub use key_group::{KeyGroup, PublicKey};
pub use origin::{
    FunctionUrlOrigin, HttpOrigin, IpAddressType, Origin, OriginGroup, OriginProtocolPolicy, OriginSelection,
    OriginSslPolicy, RestApiOrigin, S3BucketOrigin,
};
pub use request_policy::{OriginRequestPolicy, OriginRequestPolicyBuilder, RequestHeaders};
pub use settings::{ErrorResponse, GeoRestriction, HttpVersion, PriceClass, SecurityPolicyProtocol, SslMethod};
