//! Certificates, hosted zones, records and health checks.

use cfn::{IntoValue, Parameter};
use stack::certificatemanager::{Certificate, CertificateValidation, KeyAlgorithm};
use stack::cloudwatch::Alarm;
use stack::ec2::{InterfaceService, SubnetConfiguration, SubnetSelection, SubnetType, Vpc};
use stack::iam::{Principal, Role};
use stack::kms::{Key, KeySpec, KeyUsage};
use stack::route53::{
    ARecord, AaaaRecord, CaaRecord, CaaTag, CaaValue, CnameRecord, Continent, DsRecord, Failover, GeoLocation,
    HealthCheck, HealthCheckType, HostedZone, HttpsRecord, MxRecord, NsRecord, PrivateHostedZone, PublicHostedZone,
    RecordSet, RecordTarget, RecordType, SrvRecord, SrvValue, SvcbRecord, SvcbValue, TxtRecord, ZoneDelegationRecord,
};
use stack::units::{hours, minutes, seconds};
use stack::{App, CfnOutput, CfnParameter, Stack};

pub fn build(app: &App) {
    let stack = Stack::new(app, "Zones").env("123456789012", "eu-west-1").build();
    let vpc = Vpc::new(&stack, "Vpc").max_azs(1).nat_gateways(0).build();
    let zone = PublicHostedZone::new(&stack, "Zone", "example.com")
        .comment("all of it")
        .caa_amazon()
        .build();
    let below = PublicHostedZone::new(&stack, "Below", "api.example.com.")
        .query_logs_log_group_arn("arn:aws:logs:us-east-1:123456789012:log-group:dns")
        .build();
    zone.add_delegation(&below, Some(hours(1)));
    let internal = PrivateHostedZone::new(&stack, "Internal", "llama.internal", &vpc).build();
    let both = HostedZone::new(&stack, "Both", "svc")
        .vpc(&vpc)
        .add_trailing_dot(false)
        .build();
    let other = Vpc::new(&stack, "Other")
        .max_azs(1)
        .nat_gateways(0)
        .subnet_configuration(Vec::<SubnetConfiguration>::new())
        .build();
    both.add_vpc(&other);
    let theirs = HostedZone::from_attributes(&stack, "Theirs", "Z123", "example.org");
    certificates(&stack, &zone, &below, &theirs);
    records(&stack, &zone, &internal, &theirs);
    routing(&stack, &zone);
    let endpoint = vpc
        .add_interface_endpoint("Sqs", InterfaceService::sqs())
        .subnets(SubnetSelection::of_type(SubnetType::Public))
        .build();
    let queues = RecordTarget::interface_endpoint(&endpoint);
    ARecord::new(&stack, "Endpoint", &internal, queues)
        .record_name("queues")
        .build();
    let role = Role::new(&stack, "Delegate", Principal::account("222222222222")).build();
    zone.grant_delegation(&role, &[]);
    zone.grant_delegation(&role, &["dev.example.com", "*.a!b.example.com"]);
    let signing = |id: &str| {
        Key::new(&stack, id)
            .key_spec(KeySpec::EccNistP256)
            .key_usage(KeyUsage::SignVerify)
            .build()
    };
    zone.enable_dnssec(&signing("Signing"), None);
    below.enable_dnssec(&signing("SigningBelow"), Some("below_1"));
    CfnOutput::new(&stack, "ZoneArn", zone.hosted_zone_arn()).build();
    open(app, &theirs);
}

fn open(app: &App, theirs: &HostedZone) {
    let stack = Stack::new(app, "Open").build();
    CnameRecord::new(&stack, "Here", theirs, "there.example.net").build();
    let text = Parameter {
        type_name: "String".into(),
        ..Parameter::default()
    };
    let name = CfnParameter::new(&stack, "Name", text).value::<String>();
    let named = PublicHostedZone::new(&stack, "Named", &name)
        .accelerated_recovery(true)
        .build();
    TxtRecord::new(&stack, "Root", &named, ["x"]).build();
    TxtRecord::new(&stack, "Sub", &named, ["x"]).record_name("sub").build();
    Certificate::new(&stack, "OfParameter", name)
        .validation(CertificateValidation::dns(&named))
        .build();
}

fn certificates(stack: &Stack, zone: &HostedZone, below: &HostedZone, theirs: &HostedZone) {
    Certificate::new(stack, "Simple", "example.com")
        .validation(CertificateValidation::dns(zone))
        .build();
    let zones = [
        ("example.com", zone),
        ("*.api.example.com", below),
        ("example.org", theirs),
    ];
    let wide = Certificate::new(stack, "Wide", "example.com")
        .subject_alternative_names(["*.example.com", "*.api.example.com", "example.org"])
        .certificate_name("wide")
        .key_algorithm(KeyAlgorithm::EcPrime256v1)
        .transparency_logging(false)
        .allow_export()
        .validation(CertificateValidation::dns_multi_zone(zones))
        .build();
    Certificate::new(stack, "ByHand", "hand.example.com")
        .validation(CertificateValidation::dns_by_hand())
        .transparency_logging(true)
        .build();
    Certificate::new(stack, "Mail", "www.example.co.uk")
        .subject_alternative_names(["a.b.example.net"])
        .build();
    Certificate::new(stack, "Mails", "www.example.co.uk")
        .subject_alternative_names(["b.example.net"])
        .key_algorithm(KeyAlgorithm::Rsa4096)
        .validation(CertificateValidation::email().validation_domain("b.example.net", "b.example.net"))
        .build();
    let kept = Certificate::from_arn(stack, "Kept", "arn:aws:acm:us-east-1:123456789012:certificate/1");
    CfnOutput::new(stack, "KeptArn", kept.certificate_arn()).build();
    Alarm::new(stack, "Expiry", wide.metric_days_to_expiry())
        .below(30.0)
        .for_periods(1)
        .build();
}

fn records(stack: &Stack, zone: &HostedZone, internal: &HostedZone, theirs: &HostedZone) {
    let www = ARecord::new(stack, "Www", zone, RecordTarget::addresses(["192.0.2.1", "192.0.2.2"]))
        .record_name("www")
        .ttl(minutes(5))
        .comment("web")
        .build();
    AaaaRecord::new(stack, "Www6", zone, RecordTarget::addresses(["2001:db8::1"]))
        .record_name("www.example.com")
        .build();
    ARecord::new(stack, "Root", zone, RecordTarget::record(&www)).build();
    ARecord::new(stack, "Existing", theirs, RecordTarget::name_in_zone("is.example.org"))
        .record_name("was")
        .build();
    CnameRecord::new(stack, "Cname", zone, www.domain_name())
        .record_name("docs.example.com.")
        .build();
    let long = format!("say \"{}\"", "a".repeat(300));
    TxtRecord::new(stack, "Txt", zone, ["v=spf1 -all", &long]).build();
    SrvRecord::new(stack, "Srv", zone, [SrvValue::new(1, 2, 5060, "sip.example.com")])
        .record_name("_sip._tcp")
        .build();
    let rules = [
        CaaValue::new(128, CaaTag::IssueWild, ";"),
        CaaValue::new(0, CaaTag::Iodef, "mailto:a@example.com"),
    ];
    CaaRecord::new(stack, "Caa", internal, rules).build();
    MxRecord::new(stack, "Mx", zone, [(10, "mx1.example.com"), (20, "mx2.example.com")]).build();
    NsRecord::new(stack, "Ns", zone, ["ns1.example.net.", "ns2.example.net."])
        .record_name("sub")
        .build();
    DsRecord::new(
        stack,
        "Ds",
        zone,
        ["12345 3 1 123456789abcdef67890123456789abcdef67890"],
    )
    .record_name("sub")
    .build();
    ZoneDelegationRecord::new(stack, "Delegated", zone, ["ns1.example.net", "ns2.example.net."])
        .record_name("dev")
        .build();
    let service = SvcbValue::service(1, ".")
        .mandatory(["port"])
        .alpn(["h3", "h2"])
        .no_default_alpn()
        .port(853)
        .ipv4_hint(["192.0.2.1"])
        .ipv6_hint(["2001:db8::1"]);
    SvcbRecord::new(stack, "Svcb", zone, [SvcbValue::alias("dns.example.com"), service])
        .record_name("_dns")
        .build();
    let site = HttpsRecord::values([SvcbValue::service(2, "www.example.com").alpn(["h2"])]);
    HttpsRecord::new(stack, "Https", zone, site).build();
    RecordSet::new(
        stack,
        "Ptr",
        zone,
        RecordType::Ptr,
        RecordTarget::values(["www.example.com"]),
    )
    .record_name("1")
    .build();
}

fn routing(stack: &Stack, zone: &HostedZone) {
    let web = HealthCheck::new(stack, "Web", HealthCheckType::Https)
        .fqdn("www.example.com")
        .build();
    let text = HealthCheck::new(stack, "Text", HealthCheckType::HttpContains("ok".into()))
        .ip_address("192.0.2.1")
        .port(8080)
        .resource_path("/health")
        .failure_threshold(5)
        .request_interval(seconds(10))
        .inverted()
        .measure_latency(true)
        .regions(["us-east-1", "us-west-1", "eu-west-1"])
        .build();
    let tcp = HealthCheck::new(stack, "Tcp", HealthCheckType::Tcp(5432))
        .ip_address("192.0.2.1")
        .build();
    let all = vec![web.clone(), text, tcp.clone()];
    HealthCheck::new(stack, "All", HealthCheckType::Calculated(all)).build();
    HealthCheck::new(stack, "Some", HealthCheckType::Calculated(vec![web.clone(), tcp]))
        .health_threshold(1)
        .build();
    let alarm = HealthCheckType::Alarm {
        name: "errors".into_value(),
        region: "eu-west-1".into_value(),
    };
    HealthCheck::new(stack, "Alarm", alarm).build();
    let record =
        |id: &str, name: &str| ARecord::new(stack, id, zone, RecordTarget::addresses(["192.0.2.1"])).record_name(name);
    let balanced = |id: &str, name: &str, health: bool| {
        let target = RecordTarget::load_balancer("lb-1.eu-west-1.elb.amazonaws.com", "Z32O12XQLNTSW2");
        ARecord::new(stack, id, zone, target.evaluate_target_health(health)).record_name(name)
    };
    record("Heavy", "w").weight(90).health_check(&web).build();
    balanced("Light", "w", false).weight(0).set_identifier("light").build();
    record("AVeryLongNameOfARecordThatIsNearIreland", "l")
        .region("eu-west-1")
        .build();
    let located = |id: &str, location: GeoLocation| record(id, "g").geo_location(location).build();
    located("Europe", GeoLocation::continent(Continent::Europe));
    located("Washington", GeoLocation::subdivision("US", "WA"));
    located("Elsewhere", GeoLocation::elsewhere());
    record("Many", "m").multi_value_answer().build();
    let known = HealthCheck::from_id(stack, "Known", "abc");
    record("First", "f")
        .failover(Failover::Primary)
        .health_check(&known)
        .build();
    balanced("Second", "f", true).failover(Failover::Secondary).build();
    record("Office", "c")
        .cidr_routing("0a1b2c3d-1111-2222-3333-444455556666", "office")
        .set_identifier("office")
        .build();
    let accelerator = RecordTarget::global_accelerator("a.awsglobalaccelerator.com");
    AaaaRecord::new(stack, "Accelerated", zone, accelerator)
        .record_name("ga")
        .build();
    let api = RecordTarget::http_api_domain("d-1.execute-api.eu-west-1.amazonaws.com", "ZLY8HYME6SFDD");
    ARecord::new(stack, "HttpApi", zone, api).record_name("api").build();
}
