//! Mistakes in what stands at the edge: names, certificates, custom domains, distributions.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use stack::certificatemanager::Certificate;
use stack::ec2::Vpc;
use stack::route53::{
    ARecord, Failover, GeoLocation, HealthCheck, HealthCheckType, HostedZone, PublicHostedZone, RecordTarget,
};
use stack::{App, Stack};

/// What is wrong with a stack, in one text.
fn mistakes(build: impl FnOnce(&Stack)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let app = App::new(folder.path());
    build(&Stack::new(&app, "Stack").build());
    app.synth().unwrap_err().to_string()
}

fn assert_says(said: &str, wanted: &[&str]) {
    for text in wanted {
        assert!(said.contains(text), "`{text}` is missing in:\n{said}");
    }
}

#[test]
fn records_that_route_53_refuses() {
    let said = mistakes(|stack| {
        let zone = PublicHostedZone::new(stack, "Zone", "example.com").build();
        let one = || RecordTarget::addresses(["192.0.2.1"]);
        ARecord::new(stack, "Twice", &zone, one())
            .weight(1)
            .region("eu-west-1")
            .build();
        ARecord::new(stack, "Alone", &zone, one()).set_identifier("a").build();
        ARecord::new(stack, "First", &zone, one())
            .failover(Failover::Primary)
            .build();
        let alias = RecordTarget::alias("a.example.net", "Z1");
        ARecord::new(stack, "Second", &zone, alias)
            .failover(Failover::Secondary)
            .build();
        let nowhere = GeoLocation::subdivision("DE", "BY");
        ARecord::new(stack, "Nowhere", &zone, one())
            .geo_location(nowhere)
            .build();
        let nameless = HostedZone::from_id(stack, "Nameless", "Z2");
        ARecord::new(stack, "Lost", &nameless, one()).build();
        nameless.add_vpc(&Vpc::new(stack, "Vpc").build());
        HealthCheck::new(stack, "Blind", HealthCheckType::Https).build();
    });
    let wanted = [
        "one kind of routing",
        "only a record with a routing",
        "needs a health check",
        "evaluates the health",
        "have subdivisions",
        "HostedZone::from_attributes",
        "associated with VPCs where it is made",
        "a domain name or an address",
    ];
    assert_says(&said, &wanted);
}

#[test]
fn names_that_are_too_long() {
    let said = mistakes(|stack| {
        let label = "a".repeat(64);
        HostedZone::new(stack, "Zone", format!("{label}.com")).build();
        Certificate::new(stack, "Certificate", format!("{label}.com")).build();
    });
    assert_says(&said, &["at most 63 characters", "at most 64 characters"]);
}
