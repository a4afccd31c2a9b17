//! Behaviors: what a distribution does with requests for some paths.

use cfn::cloudfront::distribution;
use cfn::{Builder, Expr, IntoValue, Value, id};

use super::cache_policy::CachePolicy;
use super::function::{Function, FunctionEvent};
use super::headers_policy::ResponseHeadersPolicy;
use super::key_group::KeyGroup;
use super::request_policy::OriginRequestPolicy;
use crate::iam::Principal;
use crate::lambda::{Invocable, Version};
use crate::tree::{Construct, Scope};

/// How viewers may speak to the distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerProtocolPolicy {
    HttpsOnly,
    RedirectToHttps,
    AllowAll,
}

impl ViewerProtocolPolicy {
    const fn as_str(self) -> &'static str {
        match self {
            Self::HttpsOnly => "https-only",
            Self::RedirectToHttps => "redirect-to-https",
            Self::AllowAll => "allow-all",
        }
    }
}

/// Which HTTP methods are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowedMethods {
    GetHead,
    GetHeadOptions,
    All,
}

impl AllowedMethods {
    const fn methods(self) -> &'static [&'static str] {
        match self {
            Self::GetHead => &["GET", "HEAD"],
            Self::GetHeadOptions => &["GET", "HEAD", "OPTIONS"],
            Self::All => &["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"],
        }
    }
}

/// To which HTTP methods answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CachedMethods {
    GetHead,
    GetHeadOptions,
}

/// When a Lambda function runs at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeEvent {
    ViewerRequest,
    OriginRequest,
    OriginResponse,
    ViewerResponse,
}

impl EdgeEvent {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ViewerRequest => "viewer-request",
            Self::OriginRequest => "origin-request",
            Self::OriginResponse => "origin-response",
            Self::ViewerResponse => "viewer-response",
        }
    }
}

#[derive(Clone)]
struct EdgeFunction {
    version: Version,
    event: EdgeEvent,
    include_body: bool,
}

/// What is done with requests.
#[derive(Clone, Default)]
pub struct BehaviorOptions {
    viewer_protocol: Option<ViewerProtocolPolicy>,
    allowed_methods: Option<AllowedMethods>,
    cached_methods: Option<CachedMethods>,
    cache_policy: Option<CachePolicy>,
    origin_request_policy: Option<OriginRequestPolicy>,
    response_headers_policy: Option<ResponseHeadersPolicy>,
    realtime_log_config: Option<Expr>,
    compress: Option<bool>,
    smooth_streaming: Option<bool>,
    grpc: Option<bool>,
    functions: Vec<(FunctionEvent, Function)>,
    edge_functions: Vec<EdgeFunction>,
    key_groups: Vec<KeyGroup>,
}

impl BehaviorOptions {
    pub fn new() -> Self {
        Self::default()
    }

    /// HTTP and HTTPS if nothing is said.
    #[must_use]
    pub fn viewer_protocol_policy(mut self, policy: ViewerProtocolPolicy) -> Self {
        self.viewer_protocol = Some(policy);
        self
    }

    /// GET and HEAD if nothing is said.
    #[must_use]
    pub fn allowed_methods(mut self, methods: AllowedMethods) -> Self {
        self.allowed_methods = Some(methods);
        self
    }

    /// GET and HEAD if nothing is said.
    #[must_use]
    pub fn cached_methods(mut self, methods: CachedMethods) -> Self {
        self.cached_methods = Some(methods);
        self
    }

    /// [`CachePolicy::caching_optimized`] if nothing is said.
    #[must_use]
    pub fn cache_policy(mut self, policy: CachePolicy) -> Self {
        self.cache_policy = Some(policy);
        self
    }

    #[must_use]
    pub fn origin_request_policy(mut self, policy: OriginRequestPolicy) -> Self {
        self.origin_request_policy = Some(policy);
        self
    }

    #[must_use]
    pub fn response_headers_policy(mut self, policy: ResponseHeadersPolicy) -> Self {
        self.response_headers_policy = Some(policy);
        self
    }

    /// Where requests are logged as they happen.
    #[must_use]
    pub fn realtime_log_config(mut self, arn: impl IntoValue<id::cloudfront::RealtimeLogConfigArn>) -> Self {
        self.realtime_log_config = Some(arn.into_value().into_expr());
        self
    }

    /// Whether answers are compressed; they are if nothing is said.
    #[must_use]
    pub fn compress(mut self, on: bool) -> Self {
        self.compress = Some(on);
        self
    }

    /// For video of Microsoft's Smooth Streaming.
    #[must_use]
    pub fn smooth_streaming(mut self, on: bool) -> Self {
        self.smooth_streaming = Some(on);
        self
    }

    /// Needs all methods and HTTP/2.
    #[must_use]
    pub fn enable_grpc(mut self, on: bool) -> Self {
        self.grpc = Some(on);
        self
    }

    #[must_use]
    pub fn function(mut self, event: FunctionEvent, function: &Function) -> Self {
        self.functions.push((event, function.clone()));
        self
    }

    /// A Lambda function of us-east-1, without environment variables.
    #[must_use]
    pub fn edge_function(mut self, event: EdgeEvent, version: &Version) -> Self {
        self.edge_functions.push(EdgeFunction {
            version: version.clone(),
            event,
            include_body: false,
        });
        self
    }

    /// As [`BehaviorOptions::edge_function`], of a request with its body.
    #[must_use]
    pub fn edge_function_with_body(mut self, event: EdgeEvent, version: &Version) -> Self {
        self.edge_functions.push(EdgeFunction {
            version: version.clone(),
            event,
            include_body: true,
        });
        self
    }

    /// Only requests are answered that one of these has signed.
    #[must_use]
    pub fn trusted_key_group(mut self, group: &KeyGroup) -> Self {
        self.key_groups.push(group.clone());
        self
    }

    pub(super) fn is_grpc(&self) -> bool {
        self.grpc == Some(true)
    }

    /// Checks, and lets CloudFront run the functions at the edge.
    pub(super) fn prepare(&self, construct: &Construct) {
        if self.is_grpc() {
            if self.allowed_methods != Some(AllowedMethods::All) {
                construct.report("gRPC needs all methods to be allowed");
            }
            if !self.edge_functions.is_empty() {
                construct.report("gRPC goes without Lambda functions at the edge");
            }
        }
        for edge in &self.edge_functions {
            let is_request = matches!(edge.event, EdgeEvent::OriginRequest | EdgeEvent::ViewerRequest);
            if edge.include_body && !is_request {
                construct.report("only requests come with a body");
            }
            let function = edge.version.function().clone();
            function
                .role()
                .add_trust(Principal::service("edgelambda.amazonaws.com"));
            construct.on_synth(move || {
                if function.resource().property("Environment").is_some() {
                    function
                        .construct()
                        .report("a function at the edge has no environment variables");
                }
            });
        }
    }

    pub(super) fn render(&self, path: Option<&str>, origin_id: &str) -> Expr {
        let cache_policy = self.cache_policy.clone().unwrap_or_else(CachePolicy::caching_optimized);
        let functions = self.functions.iter().map(|(event, function)| {
            distribution::FunctionAssociation::new()
                .event_type(event.as_str())
                .function_arn(function.function_arn())
        });
        let functions: Vec<_> = functions.collect();
        let edge_functions = self.edge_functions.iter().map(|edge| {
            distribution::LambdaFunctionAssociation::new()
                .event_type(edge.event.as_str())
                .lambda_function_arn(edge.version.invocable_arn().cast::<id::lambda::VersionFunctionArn>())
                .when_some(edge.include_body.then_some(true), |association, on| {
                    association.include_body(on)
                })
        });
        let edge_functions: Vec<_> = edge_functions.collect();
        let cached = self.cached_methods.map(|methods| match methods {
            CachedMethods::GetHead => AllowedMethods::GetHead.methods(),
            CachedMethods::GetHeadOptions => AllowedMethods::GetHeadOptions.methods(),
        });
        let groups: Vec<_> = self.key_groups.iter().map(KeyGroup::key_group_id).collect();
        let protocol = self.viewer_protocol.unwrap_or(ViewerProtocolPolicy::AllowAll);
        let behavior: Value<distribution::CacheBehavior> = distribution::CacheBehavior::new()
            .path_pattern(path.unwrap_or("*"))
            .target_origin_id(origin_id)
            .viewer_protocol_policy(protocol.as_str())
            .cache_policy_id(cache_policy.cache_policy_id())
            .compress(self.compress.unwrap_or(true))
            .when_some(self.allowed_methods, |behavior, methods| {
                behavior.allowed_methods(methods.methods())
            })
            .when_some(cached, |behavior, methods| behavior.cached_methods(methods))
            .when_some(self.origin_request_policy.as_ref(), |behavior, policy| {
                behavior.origin_request_policy_id(policy.origin_request_policy_id())
            })
            .when_some(self.response_headers_policy.as_ref(), |behavior, policy| {
                behavior.response_headers_policy_id(policy.response_headers_policy_id())
            })
            .when_some(self.realtime_log_config.clone(), |behavior, arn| {
                behavior.realtime_log_config_arn(arn.cast::<String>())
            })
            .when_some(self.smooth_streaming, |behavior, on| behavior.smooth_streaming(on))
            .when_some(self.grpc, |behavior, on| {
                behavior.grpc_config(distribution::GrpcConfig::new().enabled(on))
            })
            .when_some((!functions.is_empty()).then_some(functions), |behavior, functions| {
                behavior.function_associations(functions)
            })
            .when_some(
                (!edge_functions.is_empty()).then_some(edge_functions),
                |behavior, functions| behavior.lambda_function_associations(functions),
            )
            .when_some((!groups.is_empty()).then_some(groups), |behavior, groups| {
                behavior.trusted_key_groups(groups)
            })
            .into_value();
        let mut behavior = behavior.into_expr();
        // The default behavior is the same but for the paths that it is about.
        if path.is_none()
            && let Some(map) = behavior.as_map_mut()
        {
            map.remove("PathPattern");
        }
        behavior
    }
}
