//! The differ over arbitrary templates: what holds whatever they say. A few seeded cases run with every test;
//! `cargo xtask fuzz` runs many more with other seeds.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Map, Value, json};
use stack::diff::{Change, TemplateDiff, UpdateBehavior, UpdateBehaviors, diff, security, strict};

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

struct Schema;

impl UpdateBehaviors for Schema {
    fn of(&self, _: &str, path: &[&str]) -> UpdateBehavior {
        match path.first().map_or(0, |name| name.len() % 3) {
            1 => UpdateBehavior::Replaces,
            2 => UpdateBehavior::MayReplace,
            _ => UpdateBehavior::InPlace,
        }
    }
}

const IDS: [&str; 5] = ["A", "B", "Bb", "Role", "AWS::Region"];
const KEYS: [&str; 24] = [
    "Ref",
    "Fn::GetAtt",
    "Fn::Sub",
    "Fn::Join",
    "Fn::If",
    "Fn::FindInMap",
    "Condition",
    "Statement",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "Principal",
    "AWS",
    "Key",
    "Value",
    "Name",
    "Roles",
    "CidrIp",
    "IpProtocol",
    "FromPort",
    "ToPort",
    "GroupId",
    "x",
];
const TEXTS: [&str; 16] = [
    "",
    "A",
    "B.Arn",
    "${A.Arn}-${!B}",
    "${",
    "{\"a\":[1]}",
    "{\"Statement\":[{\"Effect\":\"Allow\"}]}",
    "Allow",
    "Deny",
    "*",
    "s3:*",
    "tcp",
    "0.0.0.0/0",
    "line\nline",
    "gr\u{fc}n \u{1b}[31m",
    "true",
];
const TYPES: [&str; 9] = [
    "AWS::SQS::Queue",
    "AWS::IAM::Role",
    "AWS::IAM::Policy",
    "AWS::Lambda::Permission",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::S3::Bucket",
    "AWS::CDK::Metadata",
    "AWS::RDS::DBInstance",
];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2i64..70_000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(&TEXTS[..]).prop_map(Value::from),
        prop::sample::select(&IDS[..]).prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => prop::sample::select(&KEYS[..]).prop_map(str::to_owned),
        1 => ".{0,4}",
    ]
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    vec((key(), value), 0..5).prop_map(|entries| Value::Object(entries.into_iter().collect()))
}

fn arbitrary() -> impl Strategy<Value = Value> {
    let reference = prop_oneof![
        prop::sample::select(&IDS[..]).prop_map(|id| json!({ "Ref": id })),
        prop::sample::select(&IDS[..]).prop_map(|id| json!({ "Fn::GetAtt": [id, "Arn"] })),
        prop::sample::select(&IDS[..]).prop_map(|id| json!({ "Fn::GetAtt": format!("{id}.Arn") })),
    ];
    prop_oneof![3 => scalar(), 1 => reference].prop_recursive(5, 48, 6, |inner| {
        prop_oneof![vec(inner.clone(), 0..6).prop_map(Value::from), object(inner)]
    })
}

/// Mostly what a resource looks like.
fn resource() -> impl Strategy<Value = Value> {
    let attributes = (
        prop::sample::select(&TYPES[..]),
        prop::option::of(object(arbitrary())),
        prop::option::of(arbitrary()),
        prop::option::of(prop::sample::select(&["Delete", "Retain", "Snapshot"][..])),
    );
    let shaped = attributes.prop_map(|(kind, properties, depends_on, policy)| {
        let mut resource = json!({ "Type": kind });
        let given = [
            ("Properties", properties),
            ("DependsOn", depends_on),
            ("DeletionPolicy", policy.map(Value::from)),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                resource[name] = value;
            }
        }
        resource
    });
    prop_oneof![8 => shaped, 1 => arbitrary()]
}

fn template() -> impl Strategy<Value = Value> {
    let resources = vec((prop::sample::select(&IDS[..]), resource()), 0..5);
    let section = prop::sample::select(
        &[
            "Parameters",
            "Mappings",
            "Conditions",
            "Outputs",
            "Metadata",
            "Description",
        ][..],
    );
    let shaped = (resources, vec((section, arbitrary()), 0..3)).prop_map(|(resources, sections)| {
        let mut template: Map<String, Value> = sections
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let resources: Map<String, Value> = resources
            .into_iter()
            .map(|(id, value)| (id.to_owned(), value))
            .collect();
        template.insert("Resources".to_owned(), Value::Object(resources));
        Value::Object(template)
    });
    prop_oneof![9 => shaped, 1 => arbitrary()]
}

/// Two templates, most of them related: the second has one part of the first changed.
fn pair() -> impl Strategy<Value = (Value, Value)> {
    let changed = (template(), arbitrary(), any::<prop::sample::Index>()).prop_map(|(old, part, at)| {
        let mut new = old.clone();
        let count = places(&mut new, &mut |_| {});
        let wanted = at.index(count);
        let mut seen = 0;
        places(&mut new, &mut |value| {
            if seen == wanted {
                *value = part.clone();
            }
            seen += 1;
        });
        (old, new)
    });
    prop_oneof![3 => changed, 1 => (template(), template())]
}

/// Calls for every value inside, parents first; how many there are.
fn places(value: &mut Value, visit: &mut dyn FnMut(&mut Value)) -> usize {
    visit(value);
    let inside: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(map) => map.values_mut().collect(),
        _ => Vec::new(),
    };
    1 + inside.into_iter().map(|inner| places(inner, visit)).sum::<usize>()
}

/// Written in another way that means the same: keys in the reverse order, numbers and flags as texts.
fn rewritten(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(rewritten).collect()),
        Value::Object(map) => Value::Object(
            map.iter()
                .rev()
                .map(|(key, value)| (key.clone(), rewritten(value)))
                .collect(),
        ),
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(flag) => Value::String(flag.to_string()),
        other => other.clone(),
    }
}

/// What CloudFormation makes of a template, said in another way than the differ does: two templates are the same to it
/// when these are equal.
fn meaning(template: &Value) -> Value {
    let mut meaning = Map::new();
    for (section, value) in template.as_object().into_iter().flatten() {
        let value = if section == "Resources" {
            let resources = value.as_object().into_iter().flatten();
            Value::Object(
                resources
                    .map(|(id, value)| (id.clone(), resource_meaning(value)))
                    .collect(),
            )
        } else {
            normal(value)
        };
        if value != json!({}) {
            meaning.insert(section.clone(), value);
        }
    }
    Value::Object(meaning)
}

fn resource_meaning(resource: &Value) -> Value {
    let Value::Object(attributes) = resource else {
        return normal(resource);
    };
    let mut meaning = Map::new();
    for (name, value) in attributes {
        match (name.as_str(), normal(value)) {
            ("DependsOn", Value::Array(items)) => {
                let names: BTreeSet<String> = items.iter().map(Value::to_string).collect();
                if !names.is_empty() {
                    meaning.insert(name.clone(), json!(names));
                }
            }
            ("DependsOn", one) => {
                meaning.insert(name.clone(), json!([one.to_string()]));
            }
            ("Properties", value) if value == json!({}) => {}
            (_, value) => {
                meaning.insert(name.clone(), value);
            }
        }
    }
    Value::Object(meaning)
}

fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(normal).collect()),
        Value::Object(map) => {
            if let (1, Some(Value::String(target))) = (map.len(), map.get("Fn::GetAtt"))
                && let Some((id, attribute)) = target.split_once('.')
            {
                return json!({ "Fn::GetAtt": [id, attribute] });
            }
            let mut entries: Vec<(String, Value)> =
                map.iter().map(|(key, value)| (key.clone(), normal(value))).collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(flag) => Value::String(flag.to_string()),
        other => other.clone(),
    }
}

fn is_nothing(difference: &TemplateDiff) -> bool {
    difference.is_empty() && difference.folded.is_empty()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn fuzz_a_template_differs_from_itself_in_nothing(template in template()) {
        prop_assert!(is_nothing(&strict(&template, &template, &Schema)));
        prop_assert!(is_nothing(&strict(&template, &rewritten(&template), &Schema)));
        prop_assert!(security(&template, &template).is_empty());
    }

    #[test]
    fn fuzz_nothing_differs_exactly_when_cloudformation_sees_the_same((old, new) in pair()) {
        let same = meaning(&old) == meaning(&new);
        prop_assert_eq!(is_nothing(&strict(&old, &new, &Schema)), same, "{} {}", old, new);
    }

    #[test]
    fn fuzz_folding_hides_nothing_but_counts_it((old, new) in pair()) {
        let (all, some) = (strict(&old, &new, &Schema), diff(&old, &new, &Schema));
        prop_assert_eq!(is_nothing(&all), is_nothing(&some));
        prop_assert!(some.resources.len() <= all.resources.len());
    }

    /// What is added one way is removed the other way.
    #[test]
    fn fuzz_both_directions_agree((old, new) in pair()) {
        let ids = |difference: &TemplateDiff, wanted: &[Change]| -> BTreeSet<String> {
            let resources = difference.resources.iter().filter(|resource| wanted.contains(&resource.change));
            resources.map(|resource| resource.logical_id.clone()).collect()
        };
        let (there, back) = (strict(&old, &new, &Schema), strict(&new, &old, &Schema));
        prop_assert_eq!(ids(&there, &[Change::Add]), ids(&back, &[Change::Remove, Change::Release]));
        let (there, back) = (security(&old, &new), security(&new, &old));
        prop_assert_eq!(there.is_empty(), back.is_empty());
        prop_assert_eq!(there.statements.is_empty(), back.statements.is_empty());
        prop_assert_eq!(there.rules.len(), back.rules.len());
    }

    /// A stack that is taken away allows nothing more.
    #[test]
    fn fuzz_deleting_everything_does_not_broaden(template in template()) {
        prop_assert!(!security(&template, &Value::Null).broadens());
    }
}

/// Sizes at which anything quadratic would not come to an end.
#[test]
fn large_templates_come_to_an_end() {
    let many = 8_000;
    let list = |shift: usize| (0..many).map(|number| json!((number + shift) * 7)).collect::<Vec<_>>();
    let objects = |shift: usize| {
        (0..many)
            .map(|number| json!({ "a": number + shift, "b": number }))
            .collect::<Vec<_>>()
    };
    let rules = |shift: usize| -> Vec<Value> {
        (0..5000)
            .map(|number| json!({ "IpProtocol": "tcp", "FromPort": number, "ToPort": number + shift }))
            .collect()
    };
    let template = |shift: usize| {
        let mut resources = Map::new();
        for number in 0..2000 {
            let (next, name) = ((number + 1) % 2000, number + shift);
            let properties = json!({ "a": name, "b": { "Ref": format!("R{next}") }, "c": { "Fn::GetAtt": [format!("R{next}"), "b"] } });
            resources.insert(format!("R{number}"), json!({ "Type": "T", "Properties": properties }));
        }
        resources.insert(
            "List".into(),
            json!({ "Type": "T", "Properties": { "x": list(shift), "y": objects(shift) } }),
        );
        resources.insert(
            "Group".into(),
            json!({ "Type": "AWS::EC2::SecurityGroup", "Properties": { "SecurityGroupIngress": rules(shift) } }),
        );
        json!({ "Resources": resources })
    };
    let difference = diff(&template(0), &template(1), &Schema);
    assert_eq!(difference.resources.len(), 2002);
    assert!(security(&template(0), &template(1)).broadens());
}

#[test]
fn deep_templates_come_to_an_end() {
    // As deep as JSON is read.
    let template = |leaf: &str| -> Value {
        let (open, close) = ("[{\"Fn::If\":".repeat(60), "}]".repeat(60));
        let text =
            format!("{{\"Resources\":{{\"A\":{{\"Type\":\"T\",\"Properties\":{{\"x\":{open}\"{leaf}\"{close}}}}}}}}}");
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(diff(&template("a"), &template("b"), &Schema).resources.len(), 1);
    assert!(security(&template("a"), &template("b")).is_empty());
}
