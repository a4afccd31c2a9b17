use serde_json::{Value, json};

use super::*;

struct Schema;

impl UpdateBehaviors for Schema {
    fn of(&self, _: &str, path: &[&str]) -> UpdateBehavior {
        match path {
            ["Name" | "VpcId", ..] | ["Options", "Fixed", ..] => UpdateBehavior::Replaces,
            ["Engine", ..] => UpdateBehavior::MayReplace,
            _ => UpdateBehavior::InPlace,
        }
    }
}

fn between(old: Value, new: Value) -> TemplateDiff {
    diff(&json!({ "Resources": old }), &json!({ "Resources": new }), &Schema)
}

fn changes(old: Value, new: Value) -> Vec<(String, Change)> {
    let resources = between(old, new).resources.into_iter();
    resources
        .map(|resource| (resource.logical_id, resource.change))
        .collect()
}

/// The paths that differ between two resources' properties, with both values.
fn parts(old: Value, new: Value) -> Vec<String> {
    let resource = |properties: Value| json!({ "A": { "Type": "T", "Properties": properties } });
    let difference = between(resource(old), resource(new));
    let properties = difference.resources.iter().flat_map(|resource| &resource.properties);
    properties
        .map(|part| {
            let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), shown);
            let path = part.path.strip_prefix("Properties/").unwrap_or(&part.path);
            format!("{path}: {} -> {}", value(&part.old), value(&part.new))
        })
        .collect()
}

fn described(differences: &TemplateDiff) -> Vec<String> {
    let resources = differences.resources.iter().map(|resource| {
        let because = resource.properties.iter().filter_map(|property| {
            let cause = property.because_of.as_ref()?;
            let may = if property.certain { "with" } else { "may with" };
            Some(format!("{} {may} {cause}", property.path))
        });
        format!(
            "{} {:?} {}",
            resource.logical_id,
            resource.change,
            because.collect::<Vec<_>>().join(", ")
        )
    });
    resources.collect()
}

#[test]
fn the_same_template_differs_in_nothing() {
    let template = json!({ "Resources": { "A": { "Type": "T" } }, "Outputs": { "O": { "Value": 1 } } });
    assert!(diff(&template, &template, &Schema).is_empty());
}

#[test]
fn what_is_the_same_to_cloudformation_differs_in_nothing() {
    let old = json!({
        "A": { "Type": "T", "DependsOn": "B", "Properties": { "X": 5, "Y": true, "Z": { "Fn::GetAtt": "B.Arn" } } },
        "B": { "Type": "T", "Properties": {} }
    });
    let new = json!({
        "B": { "Type": "T" },
        "A": { "Properties": { "Z": { "Fn::GetAtt": ["B", "Arn"] }, "Y": "true", "X": "5" }, "DependsOn": ["B"], "Type": "T" }
    });
    assert_eq!(changes(old, new), []);
}

#[test]
fn a_difference_names_the_smallest_part() {
    assert_eq!(
        parts(
            json!({ "E": { "V": { "x": 1, "y": 1 } } }),
            json!({ "E": { "V": { "x": 2, "y": 1 } } })
        ),
        ["E/V/x: 1 -> 2"]
    );
}

#[test]
fn elements_of_lists_are_paired_by_their_names() {
    let tag = |key: &str, value: &str| json!({ "Key": key, "Value": value });
    assert_eq!(
        parts(
            json!({ "Tags": [tag("a", "1"), tag("b", "2"), tag("d", "4")] }),
            json!({ "Tags": [tag("c", "3"), tag("a", "1"), tag("b", "9")] }),
        ),
        [
            r#"Tags/[c]: nothing -> {"Key":"c","Value":"3"}"#,
            "Tags/[b]/Value: 2 -> 9",
            r#"Tags/[d]: {"Key":"d","Value":"4"} -> nothing"#
        ]
    );
}

#[test]
fn elements_without_names_are_paired_by_likeness() {
    let rule = |from: u32, to: u32, peer: &str| json!({ "From": from, "To": to, "Peer": peer });
    assert_eq!(
        parts(
            json!({ "Rules": [rule(1, 2, "a"), rule(3, 4, "b")] }),
            json!({ "Rules": [rule(8, 9, "z"), rule(1, 2, "a"), rule(3, 5, "b")] }),
        ),
        [
            r#"Rules/[0]: nothing -> {"From":8,"To":9,"Peer":"z"}"#,
            "Rules/[2]/To: 4 -> 5"
        ]
    );
    assert_eq!(
        parts(json!({ "L": ["a", "b"] }), json!({ "L": ["x", "a"] })),
        ["L/[0]: b -> x"]
    );
    assert_eq!(
        parts(json!({ "L": ["a", "b"] }), json!({ "L": ["x", "y", "b"] })),
        ["L/[0]: nothing -> x", "L/[1]: nothing -> y", "L/[0]: a -> nothing"]
    );
    assert_eq!(
        parts(json!({ "L": ["a", "b"] }), json!({ "L": ["b", "a"] })),
        [r#"L: ["a","b"] -> ["b","a"]"#]
    );
}

#[test]
fn one_action_may_stand_without_a_list() {
    assert_eq!(
        parts(json!({ "L": "b" }), json!({ "L": ["a", "b"] })),
        ["L/[0]: nothing -> a"]
    );
    assert_eq!(
        parts(json!({ "L": ["a", "b"] }), json!({ "L": "a" })),
        ["L/[1]: b -> nothing"]
    );
    assert_eq!(parts(json!({ "L": "a" }), json!({ "L": ["a"] })), [r#"L: a -> ["a"]"#]);
}

#[test]
fn json_in_a_text_is_compared_as_json() {
    let body = |title: &str| {
        json!({ "Body": { "Fn::Join": ["", [
            "{\"widgets\":[{\"type\":\"text\"},{\"region\":\"", { "Ref": "AWS::Region" }, format!("\",\"title\":\"{title}\"}}]}}")
        ]] } })
    };
    assert_eq!(parts(body("a"), body("b")), ["Body/widgets/[1]/title: a -> b"]);
    assert_eq!(
        parts(json!({ "Body": "{\"a\":1}" }), json!({ "Body": "{ \"a\": 1 }" })),
        [r#"Body: {"a":1} -> { "a": 1 }"#]
    );
}

#[test]
fn a_part_that_replaces_does_so_also_when_it_comes_with_the_whole() {
    let with = |properties: Value| json!({ "A": { "Type": "T", "Properties": properties } });
    let none = with(json!({}));
    assert_eq!(
        changes(none.clone(), with(json!({ "Options": { "Free": 1 } }))),
        [("A".into(), Change::Update)]
    );
    let fixed = with(json!({ "Options": { "Free": 1, "Fixed": 1 } }));
    assert_eq!(changes(none, fixed.clone()), [("A".into(), Change::Replace)]);
    let free = with(json!({ "Options": { "Free": 2, "Fixed": 1 } }));
    assert_eq!(changes(fixed, free), [("A".into(), Change::Update)]);
}

#[test]
fn replacement_follows_references_to_the_end() {
    let stack = |name: &str| {
        json!({
            "Vpc": { "Type": "T", "Properties": { "Name": name } },
            "Subnet": { "Type": "T", "Properties": { "VpcId": { "Ref": "Vpc" } } },
            "Group": { "Type": "T", "Properties": { "Subnets": ["x", { "Fn::GetAtt": ["Subnet", "Id"] }] } },
            "Text": { "Type": "T", "Properties": { "Name": { "Fn::Sub": "x-${Subnet.Arn}-${!Literal}" } } },
            "Other": { "Type": "T", "Properties": { "Name": "o" } }
        })
    };
    let differences = between(stack("a"), stack("b"));
    assert_eq!(
        described(&differences),
        [
            "Group Update Properties/Subnets/[1] with Subnet",
            "Subnet Replace Properties/VpcId with Vpc",
            "Text Replace Properties/Name with Subnet",
            "Vpc Replace "
        ]
    );
    assert_eq!(differences.resources[3].reasons(), ["Name"]);
    assert_eq!(differences.resources[2].reasons(), ["Name"]);
}

#[test]
fn what_may_be_replaced_may_replace_others() {
    let stack = |engine: &str| {
        json!({
            "Db": { "Type": "T", "Properties": { "Engine": engine } },
            "User": { "Type": "T", "Properties": { "Name": { "Ref": "Db" } } }
        })
    };
    assert_eq!(
        changes(stack("a"), stack("b")),
        [("Db".into(), Change::MayReplace), ("User".into(), Change::MayReplace)]
    );
}

#[test]
fn an_attribute_that_is_the_changed_property_is_followed() {
    let stack = |value: &str| {
        json!({
            "P": { "Type": "T", "Properties": { "Value": value } },
            "User": { "Type": "T", "Properties": { "Name": { "Fn::GetAtt": ["P", "Value"] } } },
            "Other": { "Type": "T", "Properties": { "Name": { "Fn::GetAtt": ["P", "Type"] } } }
        })
    };
    assert_eq!(
        described(&between(stack("a"), stack("b"))),
        ["P Update ", "User Replace Properties/Name with P"]
    );
}

#[test]
fn mappings_conditions_and_parameters_reach_what_uses_them() {
    let template = |size: &str, default: &str| {
        json!({
            "Parameters": { "Stage": { "Type": "String", "Default": default } },
            "Mappings": { "Sizes": { "a": { "x": size, "y": "1" } } },
            "Conditions": {
                "IsProd": { "Fn::Equals": [{ "Ref": "Stage" }, "prod"] }, "IsTest": { "Fn::Not": [{ "Condition": "IsProd" }] }
            },
            "Resources": {
                "A": { "Type": "T", "Properties": { "Name": { "Fn::FindInMap": ["Sizes", "a", "x"] } } },
                "B": { "Type": "T", "Properties": { "Name": { "Fn::FindInMap": ["Sizes", "a", "y"] } } },
                "C": { "Type": "T", "Properties": { "Name": { "Fn::FindInMap": ["Sizes", { "Ref": "AWS::Region" }, "y"] } } },
                "D": { "Type": "T", "Condition": "IsTest", "Properties": { "X": { "Fn::If": ["IsProd", 1, 2] } } }
            }
        })
    };
    let differences = diff(&template("1", "dev"), &template("2", "dev"), &Schema);
    assert_eq!(
        described(&differences),
        [
            "A Replace Properties/Name with Mappings/Sizes",
            "C MayReplace Properties/Name may with Mappings/Sizes"
        ]
    );
    let differences = diff(&template("1", "dev"), &template("1", "prod"), &Schema);
    assert_eq!(
        described(&differences),
        ["D Update Condition may with Conditions/IsTest, Properties/X may with Conditions/IsProd"]
    );
}

#[test]
fn removal_knows_what_remains() {
    let old = json!({
        "A": { "Type": "T", "DeletionPolicy": "Retain" },
        "B": { "Type": "T", "DeletionPolicy": "RetainExceptOnCreate" },
        "C": { "Type": "T", "DeletionPolicy": "Snapshot" },
        "D": { "Type": "AWS::RDS::DBInstance" },
        "E": { "Type": "AWS::RDS::DBInstance", "Properties": { "DBClusterIdentifier": "c" } }
    });
    let remains: Vec<(Change, Remains)> = between(old, json!({}))
        .resources
        .iter()
        .map(|resource| (resource.change, resource.remains))
        .collect();
    assert_eq!(
        remains,
        [
            (Change::Release, Remains::Everything),
            (Change::Release, Remains::Everything),
            (Change::Remove, Remains::Snapshot),
            (Change::Remove, Remains::Snapshot),
            (Change::Remove, Remains::Nothing)
        ]
    );
    let with =
        |name: &str| json!({ "A": { "Type": "T", "UpdateReplacePolicy": "Retain", "Properties": { "Name": name } } });
    assert_eq!(between(with("a"), with("b")).resources[0].remains, Remains::Everything);
}

#[test]
fn another_type_is_named() {
    let differences = between(json!({ "A": { "Type": "T" } }), json!({ "A": { "Type": "U" } }));
    let resource = &differences.resources[0];
    assert_eq!(
        (resource.change, resource.old_type.as_deref()),
        (Change::Replace, Some("T"))
    );
}

#[test]
fn a_circle_of_references_ends() {
    let stack = |name: &str| {
        json!({
            "A": { "Type": "T", "Properties": { "Name": [name, { "Ref": "B" }] } },
            "B": { "Type": "T", "Properties": { "Name": { "Ref": "A" } } }
        })
    };
    assert_eq!(
        changes(stack("a"), stack("b")),
        [("A".into(), Change::Replace), ("B".into(), Change::Replace)]
    );
}

#[test]
fn a_moved_resource_is_recognized_with_what_belongs_to_it() {
    let stack = |queue: &str, policy: &str| {
        json!({
            queue: { "Type": "Q", "Properties": { "X": 1 }, "Metadata": { "aws:cdk:path": format!("S/{queue}/Resource") } },
            policy: { "Type": "P", "Properties": { "Queues": [{ "Ref": queue }] } }
        })
    };
    let pairs = |old: Value, new: Value| -> Vec<(String, Option<String>, Option<String>)> {
        let resources = between(old, new).resources.into_iter();
        resources
            .map(|resource| (resource.logical_id, resource.looks_like, resource.old_path))
            .collect()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        pairs(stack("A", "PA"), stack("B", "PB")),
        [
            ("A".into(), some("B"), some("S/A/Resource")),
            ("B".into(), some("A"), some("S/A/Resource")),
            ("PA".into(), some("PB"), None),
            ("PB".into(), some("PA"), None)
        ]
    );
    // Two candidates: nobody knows which.
    let twice = json!({ "B": { "Type": "Q" }, "C": { "Type": "Q" } });
    assert!(
        pairs(json!({ "A": { "Type": "Q" } }), twice)
            .iter()
            .all(|(_, looks_like, _)| looks_like.is_none())
    );
}

#[test]
fn bookkeeping_is_folded() {
    let template = |version: u32, path: &str| {
        json!({
            "Parameters": { "BootstrapVersion": { "Default": version } },
            "Rules": { "CheckBootstrapVersion": { "x": version } },
            "Conditions": { "CDKMetadataAvailable": version },
            "Description": "grün",
            "Resources": {
                "CDKMetadata": { "Type": "AWS::CDK::Metadata", "Properties": { "Analytics": version } },
                "A": { "Type": "T", "Metadata": { "aws:cdk:path": path, "aws:asset:path": path } },
                "B": { "Type": "T", "Metadata": { "aws:cdk:path": path, "Mine": path }, "Properties": { "X": "–" } }
            }
        })
    };
    let mut old = template(1, "a");
    old["Description"] = json!("gr?n");
    old["Resources"]["B"]["Properties"]["X"] = json!("?");
    let differences = diff(&old, &template(2, "b"), &Schema);
    assert!(differences.sections.is_empty(), "{:?}", differences.sections);
    assert_eq!(differences.resources.len(), 1);
    let paths: Vec<&str> = differences.resources[0]
        .properties
        .iter()
        .map(|part| part.path.as_str())
        .collect();
    assert_eq!(paths, ["Metadata/Mine"]);
    assert_eq!(differences.folded.len(), 9);
    assert_eq!(strict(&old, &template(2, "b"), &Schema).folded.len(), 0);
}

#[test]
fn sections_show_what_differs_inside() {
    let template = |value: &str| json!({ "Outputs": { "O": { "Value": value, "Export": { "Name": "n" } } } });
    let differences = diff(&template("a"), &template("b"), &Schema);
    let section = &differences.sections[0];
    assert_eq!((section.section.as_str(), section.name.as_str()), ("Outputs", "O"));
    let parts: Vec<&str> = section.parts.iter().map(|part| part.path.as_str()).collect();
    assert_eq!(parts, ["Value"]);
}
