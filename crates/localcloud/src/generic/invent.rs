//! Plausible identities and attributes, of the type that the schema says.

use cfn::schema::{PropertyType, ResourceSchema};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::context::ACCOUNT;
use crate::identity;
use crate::resource::{Resource, ResourceRequest};

pub struct Inventor<'a> {
    pub endpoint: &'a str,
    pub region: &'a str,
    pub now: Timestamp,
    pub request: &'a ResourceRequest,
}

/// How the ids of EC2's resources begin; of others the type's own name does.
const PREFIXES: &[(&str, &str)] = &[
    ("VPC", "vpc"),
    ("SecurityGroup", "sg"),
    ("SecurityGroupIngress", "sgr"),
    ("SecurityGroupEgress", "sgr"),
    ("InternetGateway", "igw"),
    ("RouteTable", "rtb"),
    ("SubnetRouteTableAssociation", "rtbassoc"),
    ("NatGateway", "nat"),
    ("EIP", "eipalloc"),
    ("Instance", "i"),
    ("NetworkInterface", "eni"),
    ("NetworkAcl", "acl"),
    ("Volume", "vol"),
    ("VPCEndpoint", "vpce"),
    ("LaunchTemplate", "lt"),
    ("FlowLog", "fl"),
    ("TransitGateway", "tgw"),
    ("VPCPeeringConnection", "pcx"),
];

impl Inventor<'_> {
    pub fn resource(&self, schema: &ResourceSchema) -> Resource {
        let mut attributes = Map::new();
        for (name, attribute) in &schema.attributes {
            if let Some(value) = self.attribute(schema, name, &attribute.kind, &attributes) {
                attributes.insert(name.clone(), value);
            }
        }
        let parts: Vec<String> = schema
            .ref_identifier
            .iter()
            .map(|name| self.identifier(name, &attributes))
            .collect();
        // A type that is no more in the registry has no identifier in the schema.
        let physical_id = if parts.is_empty() {
            self.request.generated_name.clone()
        } else {
            parts.join("|")
        };
        Resource {
            physical_id,
            attributes,
        }
    }

    /// A changed resource keeps its identity; attributes that are properties follow them.
    pub fn changed(&self, schema: &ResourceSchema, current: &Resource) -> Resource {
        let mut attributes = current.attributes.clone();
        for name in schema.attributes.keys() {
            if let Some(value) = self.property(name) {
                attributes.insert(name.clone(), value);
            }
        }
        Resource {
            physical_id: current.physical_id.clone(),
            attributes,
        }
    }

    fn identifier(&self, name: &str, attributes: &Map<String, Value>) -> String {
        let value = self.property(name).or_else(|| attributes.get(name).cloned());
        match value {
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) => number.to_string(),
            _ if name.ends_with("Id") => self.id(),
            _ => self.request.generated_name.clone(),
        }
    }

    fn property(&self, path: &str) -> Option<Value> {
        let mut parts = path.split('.');
        let first = self.request.properties.get(parts.next()?)?;
        parts.try_fold(first, |value, key| value.get(key)).cloned()
    }

    fn type_name(&self) -> &str {
        self.request.resource_type.rsplit("::").next().unwrap_or_default()
    }

    /// What the resource is called: the first property of its own that is a name, else the generated name.
    fn name(&self) -> String {
        let own = [format!("{}Name", self.type_name()), "Name".to_owned()];
        let named = own.iter().find_map(|name| self.request.properties.get(name)?.as_str());
        named.unwrap_or(&self.request.generated_name).to_owned()
    }

    fn id(&self) -> String {
        if self.request.resource_type.starts_with("AWS::ApiGateway") {
            return identity::hexadecimal(10);
        }
        if !self.request.resource_type.starts_with("AWS::EC2::") {
            return identity::uuid();
        }
        let found = PREFIXES.iter().find(|(name, _)| *name == self.type_name());
        let prefix = found.map_or_else(|| self.type_name().to_lowercase(), |(_, prefix)| (*prefix).to_owned());
        format!("{prefix}-0{}", identity::hexadecimal(16))
    }

    fn attribute(
        &self,
        schema: &ResourceSchema,
        name: &str,
        kind: &PropertyType,
        so_far: &Map<String, Value>,
    ) -> Option<Value> {
        if let Some(value) = self.property(name) {
            return Some(value);
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        Some(match kind {
            PropertyType::String => Value::String(self.text(schema, name, last, so_far)),
            PropertyType::Timestamp => json!(self.now.to_string()),
            PropertyType::Integer | PropertyType::Number if last.ends_with("Port") => json!(443),
            PropertyType::Integer | PropertyType::Number => json!(1),
            PropertyType::Boolean => json!(false),
            PropertyType::List(item) if **item == PropertyType::String => {
                json!([self.text(schema, name, last.strip_suffix('s').unwrap_or(last), so_far)])
            }
            PropertyType::List(_) => json!([]),
            PropertyType::Map(_) | PropertyType::Json => json!({}),
            // Structures are reached through their members, which have entries of their own.
            PropertyType::Definition(_) | PropertyType::Tag | PropertyType::Union(_) => return None,
        })
    }

    fn text(&self, schema: &ResourceSchema, name: &str, last: &str, so_far: &Map<String, Value>) -> String {
        let lower = last.to_lowercase();
        if lower.ends_with("arn") {
            // The ARN of something else that belongs to the resource is no ARN of the resource.
            let is_own = name == "Arn" || lower == format!("{}arn", self.type_name().to_lowercase());
            let arn = self.arn(schema, so_far);
            return if is_own {
                arn
            } else {
                format!("{arn}/{}", last.trim_end_matches("Arn").to_lowercase())
            };
        }
        match lower.as_str() {
            "id" => self.id(),
            _ if lower.ends_with("url") || lower.ends_with("uri") => {
                format!("{}/{ACCOUNT}/{}", self.endpoint, self.name())
            }
            _ if lower.ends_with("publicip") => format!("198.51.100.{}", 1 + self.number(254)),
            _ if lower.ends_with("ip") || lower.ends_with("ipaddress") => {
                format!("10.0.{}.{}", self.number(256), 1 + self.number(254))
            }
            _ if lower.ends_with("cidrblock") => "10.0.0.0/16".to_owned(),
            _ if lower.ends_with("availabilityzone") => format!("{}a", self.region),
            _ if lower.ends_with("dnsname")
                || lower.ends_with("domainname")
                || lower.ends_with("endpoint")
                || lower.ends_with("hostname") =>
            {
                format!("{}.{}.amazonaws.com", self.name().to_lowercase(), self.region)
            }
            "address" => format!("{}.{}.amazonaws.com", self.name().to_lowercase(), self.region),
            _ if lower.ends_with("port") => "443".to_owned(),
            _ if lower.ends_with("id") && name == last && lower == format!("{}id", self.type_name().to_lowercase()) => {
                self.id()
            }
            _ if lower.ends_with("securitygroup") => format!("sg-0{}", identity::hexadecimal(16)),
            _ if lower.ends_with("networkacl") => format!("acl-0{}", identity::hexadecimal(16)),
            _ if lower.ends_with("id") => self.foreign_id(&lower),
            _ if lower.ends_with("status") || lower.ends_with("state") => "ACTIVE".to_owned(),
            _ if lower.ends_with("time") || lower.ends_with("date") || lower.ends_with("at") => self.now.to_string(),
            _ if lower.ends_with("version") || lower.ends_with("versionnumber") => "1".to_owned(),
            _ => self.name(),
        }
    }

    /// An id of the resource where EC2 calls it so, else one of something else.
    fn foreign_id(&self, attribute: &str) -> String {
        let kind = attribute.trim_end_matches("id");
        let is_own =
            self.type_name().to_lowercase().ends_with(kind) || (kind == "group" && self.type_name() == "SecurityGroup");
        if is_own {
            self.id()
        } else {
            format!("{kind}-0{}", identity::hexadecimal(16))
        }
    }

    fn number(&self, below: u32) -> u32 {
        u32::from_str_radix(&identity::hexadecimal(6), 16).unwrap_or_default() % below
    }

    fn arn(&self, schema: &ResourceSchema, so_far: &Map<String, Value>) -> String {
        let service = self
            .request
            .resource_type
            .split("::")
            .nth(1)
            .unwrap_or_default()
            .to_lowercase();
        let kind = self.type_name().to_lowercase();
        let fallback = format!("arn:${{Partition}}:{service}:${{Region}}:${{Account}}:{kind}/${{Name}}");
        let mut rest = schema.arn.as_deref().unwrap_or(&fallback);
        let mut arn = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else {
                break;
            };
            arn.push_str(before);
            let known = self.property(name).or_else(|| so_far.get(name).cloned());
            arn.push_str(&match (name, known.as_ref().and_then(Value::as_str)) {
                ("Partition", _) => "aws".to_owned(),
                ("Region", _) => self.region.to_owned(),
                ("Account", _) => ACCOUNT.to_owned(),
                (_, Some(text)) => text.to_owned(),
                (_, None) => self.name(),
            });
            rest = after;
        }
        arn.push_str(rest);
        arn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(resource_type: &str, properties: Value) -> Resource {
        let request = ResourceRequest {
            resource_type: resource_type.to_owned(),
            stack_name: "Stack".to_owned(),
            stack_id: "arn:aws:cloudformation:us-east-1:000000000000:stack/Stack/1".into(),
            logical_id: "Thing".to_owned(),
            properties: properties.as_object().unwrap().clone(),
            generated_name: "Stack-Thing-ABC".to_owned(),
            tags: Vec::new(),
        };
        let now = "2026-11-22T18:00:00Z".parse().unwrap();
        let inventor = Inventor {
            endpoint: "http://127.0.0.1:4566",
            region: "eu-west-1",
            now,
            request: &request,
        };
        inventor.resource(cfn::schema::resource(resource_type).unwrap())
    }

    #[test]
    fn identities_look_like_those_of_their_service() {
        let queue = make("AWS::SQS::Queue", json!({"QueueName": "jobs"}));
        assert_eq!(queue.physical_id, "http://127.0.0.1:4566/000000000000/jobs");
        assert_eq!(queue.attributes["Arn"], "arn:aws:sqs:eu-west-1:000000000000:jobs");
        let topic = make("AWS::SNS::Topic", json!({}));
        assert_eq!(topic.physical_id, "arn:aws:sns:eu-west-1:000000000000:Stack-Thing-ABC");
        let vpc = make("AWS::EC2::VPC", json!({"CidrBlock": "10.1.0.0/16"}));
        assert!(
            vpc.physical_id.starts_with("vpc-0") && vpc.physical_id.len() == 21,
            "{}",
            vpc.physical_id
        );
        assert_eq!(vpc.attributes["VpcId"], vpc.physical_id.as_str());
        assert_eq!(vpc.attributes["CidrBlock"], "10.1.0.0/16");
        let group = make("AWS::EC2::SecurityGroup", json!({"GroupDescription": "x"}));
        assert!(group.physical_id.starts_with("sg-0"), "{}", group.physical_id);
        let role = make("AWS::IAM::Role", json!({"RoleName": "r"}));
        assert_eq!(
            (role.physical_id.as_str(), &role.attributes["Arn"]),
            ("r", &json!("arn:aws:iam::000000000000:role/r"))
        );
    }

    #[test]
    fn every_type_of_the_schema_gets_an_identity() {
        for (name, _) in cfn::schema::resources() {
            assert!(!make(name, json!({})).physical_id.is_empty(), "{name}");
        }
    }
}
