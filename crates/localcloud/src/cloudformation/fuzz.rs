//! The template reader over arbitrary bodies: an error that says why, never a panic. A few seeded cases run with every
//! test; `cargo xtask fuzz` runs many more with other seeds.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Map, Value, json};

use super::template::Template;

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

const WORDS: [&str; 34] = [
    "Resources",
    "Parameters",
    "Conditions",
    "Mappings",
    "Outputs",
    "Rules",
    "Transform",
    "Metadata",
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "Retain",
    "Ref",
    "Fn::GetAtt",
    "Fn::Sub",
    "Fn::If",
    "Fn::And",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::ImportValue",
    "Fn::Join",
    "Value",
    "Export",
    "Default",
    "A",
    "B",
    "A.Arn",
    "${A.Arn}",
    "${",
    "${!",
    "AWS::SQS::Queue",
    "AWS::NoValue",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![12 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned), 1 => "[ -~äß]{0,5}"]
}

fn arbitrary() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        6 => word().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((word(), inner), 0..5).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Close enough to a template to come past the first checks.
fn template() -> impl Strategy<Value = Value> {
    let id = || prop::sample::select(&["A", "B", "C"][..]);
    let resource = (arbitrary(), prop::option::of(arbitrary())).prop_map(|(properties, depends_on)| {
        let mut resource = json!({ "Type": "AWS::SQS::Queue", "Properties": { "QueueName": properties } });
        if let Some(depends_on) = depends_on {
            resource["DependsOn"] = depends_on;
        }
        resource
    });
    let section = prop::sample::select(&["Parameters", "Conditions", "Mappings", "Outputs", "Rules"][..]);
    let entries = vec((id(), arbitrary()), 0..3);
    (vec((id(), resource), 1..4), vec((section, entries), 0..4)).prop_map(|(resources, sections)| {
        let object = |entries: Vec<(&str, Value)>| -> Value {
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect(),
            )
        };
        let mut template: Map<String, Value> = sections
            .into_iter()
            .map(|(name, entries)| (name.to_owned(), object(entries)))
            .collect();
        template.insert("Resources".to_owned(), object(resources));
        Value::Object(template)
    })
}

fn read(text: &str) -> Result<Template, String> {
    let read = Template::parse(text);
    match &read {
        Ok(template) => {
            template.dependencies();
            template.capabilities();
        }
        Err(message) => assert!(!message.is_empty()),
    }
    read
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn fuzz_any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn fuzz_any_json_is_read_or_refused(value in prop_oneof![arbitrary(), template()]) {
        let _ = read(&value.to_string());
    }

    /// YAML is more than JSON: anchors, tags, documents, keys that are no texts.
    #[test]
    fn fuzz_any_yaml_is_read_or_refused(lines in vec("[ ]{0,6}([-?&*!|>%]?[ ]?[A-C]{0,2}[:]?[ ]?(!Ref|!Sub|!GetAtt|!If|[\\[\\]{}'\",#]|&a|\\*a|<<)?[ ]?[a-c.0-9]{0,3}){1,3}", 0..12)) {
        let _ = read(&lines.join("\n"));
    }

    /// JSON is YAML, so both readers agree.
    #[test]
    fn fuzz_json_read_as_yaml_is_the_same(value in template()) {
        let as_yaml = format!("# a comment makes it YAML\n{value}");
        prop_assert_eq!(super::yaml::parse(&as_yaml).ok(), Some(value));
    }
}

#[test]
fn conditions_that_hold_on_themselves_are_refused() {
    let template = |conditions: Value| json!({ "Conditions": conditions, "Resources": { "A": { "Type": "AWS::SQS::Queue", "Condition": "X" } } });
    for conditions in [
        json!({ "X": { "Condition": "X" } }),
        json!({ "X": { "Fn::Not": [{ "Condition": "Y" }] }, "Y": { "Fn::And": [{ "Condition": "X" }, { "Condition": "X" }] } }),
    ] {
        let refused = Template::parse(&template(conditions).to_string()).unwrap_err();
        assert!(refused.contains("Circular dependency between conditions"), "{refused}");
    }
}

#[test]
fn a_template_of_more_than_500_resources_is_refused() {
    let template = |count: usize| {
        let resources = (0..count).map(|number| (format!("Q{number}"), json!({ "Type": "AWS::SQS::Queue" })));
        json!({ "Resources": resources.collect::<Map<String, Value>>() }).to_string()
    };
    assert!(Template::parse(&template(500)).is_ok());
    let refused = Template::parse(&template(501)).unwrap_err();
    assert!(
        refused.contains("Number of resources, 501, is greater than maximum allowed, 500"),
        "{refused}"
    );
}

#[test]
fn what_is_nested_without_end_is_refused() {
    for text in ["[", "{\"a\":", "- ", "? "] {
        assert!(Template::parse(&text.repeat(50_000)).is_err());
    }
    // Every anchor doubles what the one before it stands for.
    let mut bomb = "a0: &a0 [x]\n".to_owned();
    for level in 1..40 {
        bomb.push_str(&format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1));
    }
    assert!(Template::parse(&bomb).is_err());
}
