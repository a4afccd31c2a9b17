//! Custom domain names of REST APIs and their mappings.

use stack::apigateway::{
    BasePathMapping, BasePathMappingOptions, Deployment, DomainName, DomainNameOptions, EndpointAccessMode,
    EndpointType, MethodOptions, MockIntegration, RestApi, SecurityPolicy, StageOptions,
};
use stack::certificatemanager::{Certificate, CertificateValidation};
use stack::route53::{ARecord, AaaaRecord, PublicHostedZone, RecordTarget};
use stack::s3::Bucket;
use stack::{App, CfnOutput, Stack};

pub fn build(app: &App) {
    let stack = Stack::new(app, "Domains").env("123456789012", "us-east-1").build();
    let zone = PublicHostedZone::new(&stack, "Zone", "example.com").build();
    let certificate = Certificate::new(&stack, "Certificate", "*.example.com")
        .validation(CertificateValidation::dns(&zone))
        .build();
    let named = |name: &str| DomainNameOptions::new(name, &certificate);
    let api = RestApi::new(&stack, "Api")
        .cloud_watch_role(false)
        .domain_name(named("api.example.com").security_policy(SecurityPolicy::Tls12))
        .build();
    api.root()
        .add_method("GET", MockIntegration::new(), MethodOptions::new());
    let second = named("v1.example.com")
        .endpoint_type(EndpointType::Edge)
        .base_path("v1");
    api.add_domain_name("Second", second);
    ARecord::new(&stack, "ApiAlias", &zone, RecordTarget::rest_api(&api))
        .record_name("api")
        .build();
    let bucket = Bucket::new(&stack, "Trust").build();
    let trusting = named("plain.example.com")
        .mutual_tls(&bucket, "ca.pem")
        .truststore_version("3");
    let plain = DomainName::new(&stack, "Plain", trusting).build();
    AaaaRecord::new(&stack, "PlainAlias", &zone, RecordTarget::rest_api_domain(&plain))
        .record_name("plain")
        .build();
    let at = |path: &str| BasePathMappingOptions::new().base_path(path);
    plain.add_base_path_mapping(&api, BasePathMappingOptions::new());
    plain.add_base_path_mapping(&api, at("a").any_stage());
    let other = RestApi::new(&stack, "Other")
        .cloud_watch_role(false)
        .deploy(false)
        .build();
    other
        .root()
        .add_method("GET", MockIntegration::new(), MethodOptions::new());
    let deployment = Deployment::new(&stack, "Release", &other).build();
    let stage = stack::apigateway::Stage::new(&stack, "Blue", &deployment)
        .options(StageOptions::new().named("blue"))
        .build();
    plain.add_base_path_mapping(&other, at("b").stage(&stage));
    plain.add_base_path_mapping(&other, at("c"));
    plain.add_api_mapping(&stage, Some("deep/er"));
    plain.add_api_mapping(&stage, Some("flat"));
    let deep = named("deep.example.com")
        .base_path("orders/v1")
        .security_policy(SecurityPolicy::Tls12PostQuantumOf2025)
        .endpoint_access_mode(EndpointAccessMode::Strict);
    DomainName::new(&stack, "Deep", deep).mapping(&api).build();
    let kept = Certificate::from_arn(&stack, "Kept", "arn:aws:acm:us-east-1:123456789012:certificate/1");
    let edge = DomainNameOptions::new("edge.example.com", &kept)
        .endpoint_type(EndpointType::Edge)
        .security_policy(SecurityPolicy::EdgeTls13Of2025)
        .endpoint_access_mode(EndpointAccessMode::Basic);
    DomainName::new(&stack, "Edge", edge).mapping(&api).build();
    let existing = DomainName::from_attributes(
        &stack,
        "Existing",
        "was.example.com",
        "d-1.execute-api.us-east-1.amazonaws.com",
        "Z1UJRXOUMOOFQ8",
    );
    let staged = match api.deployment_stage() {
        Some(stage) => at("x").stage(&stage),
        None => at("x"),
    };
    BasePathMapping::new(&stack, "OfExisting", &existing, &api, staged);
    ARecord::new(&stack, "WasAlias", &zone, RecordTarget::rest_api_domain(&existing))
        .record_name("was")
        .build();
    CfnOutput::new(&stack, "Name", plain.domain_name()).build();
}
