//! The rules of security groups, those inside a group and those beside it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use super::{Direction, Resource, RuleChange, Traffic, differences, members, resources};
use crate::diff::expression::shown;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    group: String,
    traffic: Traffic,
    protocol: Protocol,
    peer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Protocol {
    Everything,
    /// Of TCP and UDP. Bounds are included.
    Ports {
        name: String,
        from: i64,
        to: i64,
    },
    /// Whatever else, as a text.
    Other(String),
}

/// Beyond this many comparisons everything that came counts as broader.
const MOST_COMPARISONS: usize = 1_000_000;

pub fn changes(old: &Value, new: &Value) -> Vec<RuleChange> {
    let (old, new) = (of_template(old), of_template(new));
    let changes = differences(&old, &new);
    let affordable = changes.len().saturating_mul(old.len()) <= MOST_COMPARISONS;
    let mut changes: Vec<RuleChange> = changes
        .into_iter()
        .map(|(change, rule)| RuleChange {
            change,
            broadens: change == Direction::Added && !(affordable && old.iter().any(|known| covers(known, &rule))),
            traffic: rule.traffic,
            protocol: rule.protocol.shown(),
            group: rule.group,
            peer: rule.peer,
        })
        .collect();
    changes.sort_by(|left, right| {
        let key = |row: &RuleChange| (row.group.clone(), row.traffic, row.change);
        key(left).cmp(&key(right)).then_with(|| left.cmp(right))
    });
    changes
}

fn of_template(template: &Value) -> BTreeSet<Rule> {
    let mut found = BTreeSet::new();
    for resource in resources(template) {
        match resource.kind {
            "AWS::EC2::SecurityGroup" => of_group(resource, &mut found),
            "AWS::EC2::SecurityGroupIngress" => {
                found.insert(beside(resource, Traffic::Ingress));
            }
            "AWS::EC2::SecurityGroupEgress" => {
                found.insert(beside(resource, Traffic::Egress));
            }
            _ => {}
        }
    }
    found
}

fn of_group(resource: Resource<'_>, found: &mut BTreeSet<Rule>) {
    let group = resource.attribute("GroupId");
    for (property, traffic) in [
        ("SecurityGroupIngress", Traffic::Ingress),
        ("SecurityGroupEgress", Traffic::Egress),
    ] {
        let rules = members(resource.get(property));
        found.extend(rules.iter().map(|rule| of_rule(group.clone(), traffic, rule)));
        if rules.is_empty() && traffic == Traffic::Egress {
            // EC2 lets everything out of a group until a rule says otherwise:
            // https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html
            for peer in ["0.0.0.0/0", "::/0"] {
                found.insert(Rule {
                    group: group.clone(),
                    traffic,
                    protocol: Protocol::Everything,
                    peer: peer.into(),
                });
            }
        }
    }
}

fn beside(resource: Resource<'_>, traffic: Traffic) -> Rule {
    let group = ["GroupId", "GroupName"]
        .iter()
        .find_map(|property| resource.properties.get(*property))
        .map_or_else(|| resource.reference(), group);
    of_rule(group, traffic, resource.properties)
}

/// A group is named by `Ref` or by `GroupId`; in a VPC both yield its id.
fn group(value: &Value) -> String {
    match value.get("Ref").and_then(Value::as_str) {
        Some(logical_id) => format!("${{{logical_id}.GroupId}}"),
        None => shown(value),
    }
}

fn of_rule(owner: String, traffic: Traffic, rule: &Value) -> Rule {
    let field = |name: &str| rule.get(name).filter(|value| !value.is_null());
    let peer = ["CidrIp", "CidrIpv6"].iter().find_map(|name| field(name).map(shown));
    let peer = peer.or_else(|| {
        [
            "SourceSecurityGroupId",
            "DestinationSecurityGroupId",
            "SourceSecurityGroupName",
        ]
        .iter()
        .find_map(|name| field(name).map(group))
    });
    let peer = peer.or_else(|| {
        ["SourcePrefixListId", "DestinationPrefixListId"]
            .iter()
            .find_map(|name| field(name).map(shown))
    });
    Rule {
        group: owner,
        traffic,
        protocol: Protocol::of(rule),
        // An intrinsic in a rule's place, for example one that a mapping brings.
        peer: peer.unwrap_or_else(|| shown(rule)),
    }
}

impl Protocol {
    fn of(rule: &Value) -> Self {
        let name = rule.get("IpProtocol").map(shown).unwrap_or_default();
        let port = |name: &str| rule.get(name).map(shown);
        let name = match name.as_str() {
            "-1" | "all" => return Protocol::Everything,
            "6" | "tcp" => "TCP".to_owned(),
            "17" | "udp" => "UDP".to_owned(),
            "1" | "icmp" => "ICMP".to_owned(),
            "58" | "icmpv6" => "ICMPv6".to_owned(),
            other => other.to_ascii_uppercase(),
        };
        let (from, to) = (port("FromPort"), port("ToPort"));
        let number = |port: &Option<String>| port.as_ref().and_then(|port| port.parse::<i64>().ok());
        match (name.as_str(), number(&from), number(&to)) {
            ("TCP" | "UDP", Some(-1), _) => Protocol::Ports {
                name,
                from: 0,
                to: 65535,
            },
            ("TCP" | "UDP", Some(from), Some(to)) => Protocol::Ports { name, from, to },
            ("ICMP" | "ICMPv6", None | Some(-1), _) => Protocol::Other(name),
            ("ICMP" | "ICMPv6", Some(kind), _) => Protocol::Other(format!("{name} {kind}")),
            _ => {
                let ports: Vec<String> = from.into_iter().chain(to).collect();
                Protocol::Other(format!("{name} {}", ports.join("-")).trim().to_owned())
            }
        }
    }

    fn shown(&self) -> String {
        match self {
            Protocol::Everything => "everything".to_owned(),
            Protocol::Ports {
                name,
                from: 0,
                to: 65535,
            } => format!("{name} all ports"),
            Protocol::Ports { name, from, to } if from == to => format!("{name} {from}"),
            Protocol::Ports { name, from, to } => format!("{name} {from}-{to}"),
            Protocol::Other(text) => text.clone(),
        }
    }

    fn covers(&self, other: &Protocol) -> bool {
        match (self, other) {
            (Protocol::Everything, _) => true,
            (
                Protocol::Ports { name, from, to },
                Protocol::Ports {
                    name: other,
                    from: low,
                    to: high,
                },
            ) => name == other && from <= low && high <= to,
            (Protocol::Other(known), Protocol::Other(other)) => {
                known == other
                    || (matches!(known.as_str(), "ICMP" | "ICMPv6") && other.starts_with(&format!("{known} ")))
            }
            _ => false,
        }
    }
}

fn covers(known: &Rule, rule: &Rule) -> bool {
    known.group == rule.group
        && known.traffic == rule.traffic
        && known.protocol.covers(&rule.protocol)
        && (known.peer == rule.peer || contains(&known.peer, &rule.peer).unwrap_or(false))
}

/// Whether the first range of addresses holds the second; nothing where one is no range.
fn contains(outer: &str, inner: &str) -> Option<bool> {
    let (outer, outer_bits) = range(outer)?;
    let (inner, inner_bits) = range(inner)?;
    let same_prefix = |outer: u128, inner: u128, width: u32| {
        outer_bits <= width && (outer_bits == 0 || (outer ^ inner) >> (width - outer_bits) == 0)
    };
    Some(
        outer_bits <= inner_bits
            && match (outer, inner) {
                (IpAddr::V4(outer), IpAddr::V4(inner)) => {
                    same_prefix(outer.to_bits().into(), inner.to_bits().into(), 32)
                }
                (IpAddr::V6(outer), IpAddr::V6(inner)) => same_prefix(outer.to_bits(), inner.to_bits(), 128),
                _ => false,
            },
    )
}

fn range(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = text.split_once('/')?;
    Some((address.parse().ok()?, bits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn ranges_hold_smaller_ones() {
        for (outer, inner, expected) in [
            ("0.0.0.0/0", "10.0.0.0/8", Some(true)),
            ("10.0.0.0/8", "10.1.2.0/24", Some(true)),
            ("10.1.0.0/16", "10.2.0.0/24", Some(false)),
            ("10.0.0.0/24", "10.0.0.0/8", Some(false)),
            ("::/0", "0.0.0.0/0", Some(false)),
            ("2001:db8::/32", "2001:db8:1::/48", Some(true)),
            ("0.0.0.0/99", "0.0.0.0/99", Some(false)),
            ("${Vpc.CidrBlock}", "10.0.0.0/8", None),
        ] {
            assert_eq!(contains(outer, inner), expected, "{outer} {inner}");
        }
    }
}
