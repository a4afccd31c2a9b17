//! The report over arbitrary templates: text without a panic and without a character that would steer the terminal.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::tests::plain;
use super::*;

/// The same cases every time, unless the environment asks for others.
fn config() -> Config {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

fn arbitrary() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(?s).{0,8}".prop_map(Value::from),
        "(?s)(.{0,40}\n){0,4}".prop_map(Value::from),
        "a{90,120}.{0,3}b{90,120}".prop_map(Value::from),
    ];
    let key = || {
        prop::sample::select(
            &[
                "Ref",
                "Fn::Join",
                "Key",
                "Statement",
                "Effect",
                "Action",
                "\u{1b}[2J",
                "x",
            ][..],
        )
    };
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..4).prop_map(|entries| entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

fn template() -> impl Strategy<Value = Value> {
    let kinds = [
        "AWS::SQS::Queue",
        "AWS::IAM::Role",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupIngress",
        "A\u{7}",
    ];
    let resource = (prop::sample::select(kinds.to_vec()), arbitrary());
    let id = prop::sample::select(&["A", "B", "C\u{1b}[31m"][..]);
    (prop::collection::vec((id, resource), 0..4), arbitrary()).prop_map(|(resources, output)| {
        let resources: serde_json::Map<String, Value> = resources
            .into_iter()
            .map(|(id, (kind, properties))| (id.to_owned(), json!({ "Type": kind, "Properties": properties })))
            .collect();
        json!({ "Resources": resources, "Outputs": { "O": output } })
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn fuzz_a_report_is_text(old in template(), new in template()) {
        let text = plain(&old, &new);
        prop_assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
    }
}
