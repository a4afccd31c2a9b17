//! The generated text against the snapshot: every resource, property, attribute and known value is there, once.

use crate::schema::{self, PropertySchema};

/// The generated source and the schema of a service that the tests enable.
macro_rules! services {
    ($($namespace:literal: $file:literal;)*) => {
        [$(($namespace, include_str!(concat!(env!("OUT_DIR"), "/", $file, ".rs")))),*]
    };
}

const SERVICES: [(&str, &str); 6] = services! {
    "AWS::ApiGateway": "apigateway";
    "AWS::EC2": "ec2";
    "AWS::KMS": "kms";
    "AWS::Lambda": "lambda";
    "AWS::RDS": "rds";
    "AWS::SQS": "sqs";
};

fn occurrences(text: &str, of: &str) -> usize {
    text.matches(of).count()
}

#[test]
fn every_resource_type_is_a_builder_with_a_handle() {
    for (namespace, source) in SERVICES {
        let service = schema::service(namespace).unwrap();
        for (type_name, resource) in &service.resources {
            let name = type_name.rsplit("::").next().unwrap();
            assert_eq!(
                occurrences(source, &format!("name: \"{type_name}\",")),
                1,
                "{type_name}"
            );
            assert_eq!(
                occurrences(source, &format!("impl rt::Handle<{name}> {{")),
                1,
                "{type_name}"
            );
            for attribute in resource.attributes.keys() {
                assert!(
                    source.contains(&format!("self.attribute(\"{attribute}\")")),
                    "{type_name}.{attribute}"
                );
            }
        }
        let attributes: usize = service
            .resources
            .values()
            .map(|resource| resource.attributes.len())
            .sum();
        assert_eq!(occurrences(source, "self.attribute("), attributes, "{namespace}");
    }
}

#[test]
fn every_property_has_a_setter_and_every_required_one_a_state() {
    for (namespace, source) in SERVICES {
        let service = schema::service(namespace).unwrap();
        let properties = || -> Box<dyn Iterator<Item = (&String, &PropertySchema)>> {
            Box::new(service.resources.values().flat_map(|resource| {
                let nested = resource.types.values().flat_map(|nested| &nested.properties);
                resource.properties.iter().chain(nested)
            }))
        };
        assert_eq!(
            occurrences(source, "rt::put(self.0, "),
            properties().count(),
            "{namespace}"
        );
        for (key, _) in properties() {
            assert!(
                source.contains(&format!("rt::put(self.0, \"{key}\", ")),
                "{namespace} {key}"
            );
        }
        let required = properties().filter(|(_, property)| property.required).count();
        assert_eq!(occurrences(source, " = rt::missing::"), required, "{namespace}");
    }
}

#[test]
fn every_known_value_is_a_constant() {
    for (namespace, source) in SERVICES {
        let service = schema::service(namespace).unwrap();
        for (type_name, resource) in &service.resources {
            for (key, property) in &resource.properties {
                for value in property.allowed.iter().filter_map(serde_json::Value::as_str) {
                    // A value without a letter or digit has no name.
                    let named = value.chars().any(|character| character.is_ascii_alphanumeric());
                    let constant = format!(": &'static str = {value:?};");
                    assert!(!named || source.contains(&constant), "{type_name}.{key}: {value}");
                }
            }
        }
    }
}
