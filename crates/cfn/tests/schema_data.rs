//! The schemas as data: found by name, complete, and as the snapshot says.

use cfn::schema::{self, PropertyType, Replaces};

#[test]
fn a_queue_is_described() {
    let queue = schema::resource("AWS::SQS::Queue").expect("a queue is a resource type");
    assert_eq!(queue.primary_identifier, ["QueueUrl"]);
    assert_eq!(queue.ref_identifier, ["QueueUrl"]);
    assert!(queue.stateful);
    assert_eq!(queue.properties["FifoQueue"].kind, PropertyType::Boolean);
    assert_eq!(queue.properties["FifoQueue"].replaces, Replaces::Always);
    assert_eq!(queue.properties["DelaySeconds"].replaces, Replaces::Never);
    assert_eq!(queue.properties["DelaySeconds"].maximum, Some(900.0));
    assert_eq!(
        queue.properties["Tags"].kind,
        PropertyType::List(Box::new(PropertyType::Tag))
    );
    assert_eq!(queue.attributes["Arn"].kind, PropertyType::String);
}

#[test]
fn nested_types_and_relations_are_described() {
    let function = schema::resource("AWS::Lambda::Function").expect("a function is a resource type");
    assert!(function.properties["Code"].required && function.properties["Role"].required);
    assert_eq!(function.properties["Role"].refers, ["AWS::IAM::Role.Arn"]);
    assert_eq!(
        function.types["VpcConfig"].properties["SubnetIds"].refers,
        ["AWS::EC2::Subnet.SubnetId"]
    );
    assert!(
        function.properties["Runtime"]
            .allowed
            .contains(&"provided.al2023".into())
    );
}

#[test]
fn unknown_types_are_unknown() {
    assert!(schema::resource("AWS::SQS::Nothing").is_none());
    assert!(schema::resource("Custom::Thing").is_none());
    assert!(schema::resource("nonsense").is_none());
}

#[test]
fn every_service_unpacks_and_every_named_type_exists() {
    fn named<'a>(kind: &'a PropertyType, names: &mut Vec<&'a str>) {
        match kind {
            PropertyType::Definition(name) => names.push(name),
            PropertyType::List(item) | PropertyType::Map(item) => named(item, names),
            PropertyType::Union(members) => members.iter().for_each(|member| named(member, names)),
            _ => {}
        }
    }
    let mut count = 0;
    for (type_name, resource) in schema::resources() {
        count += 1;
        let nested = resource.types.values().flat_map(|nested| nested.properties.values());
        let mut names = Vec::new();
        for property in nested
            .chain(resource.properties.values())
            .chain(resource.attributes.values())
        {
            named(&property.kind, &mut names);
            for target in &property.refers {
                let (of, attribute) = target.rsplit_once('.').expect("a target is a type and an attribute");
                let of = schema::resource(of).unwrap_or_else(|| panic!("{type_name} refers to {target}"));
                assert!(
                    of.attributes.contains_key(attribute) || of.ref_identifier == [attribute],
                    "{target}"
                );
            }
        }
        for name in names {
            assert!(resource.types.contains_key(name), "{type_name} has no type {name}");
        }
    }
    assert_eq!(schema::namespaces().len(), 311);
    assert_eq!(count, 1828);
}
