//! Doors of the network that are open to the whole internet.

use crate::policy::{Resource, Rule, Setting};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::resources("LDP401", "only web servers listen to the whole internet", ingress)
            .reason("what listens there is found and tried within minutes")
            .fix("allow the security group or the address range of those who need it; ports 80 and 443 may be open"),
    ]
}

/// Ports that are meant for everybody.
const WEB: [i64; 2] = [80, 443];
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

fn ingress(resource: &Resource<'_>) -> Option<String> {
    match resource.type_name() {
        "AWS::EC2::SecurityGroup" => resource.setting("SecurityGroupIngress").items().find_map(open),
        "AWS::EC2::SecurityGroupIngress" => open(resource.properties()),
        _ => None,
    }
}

fn open(rule: Setting<'_>) -> Option<String> {
    let from = ["CidrIp", "CidrIpv6"]
        .into_iter()
        .find_map(|name| rule.at(name).text())?;
    if !EVERYWHERE.contains(&from) {
        return None;
    }
    let protocol = match rule.at("IpProtocol") {
        Setting::Unknown | Setting::Absent => return None,
        known => known.text().map_or_else(
            || known.number().map(|number| number.to_string()),
            |text| Some(text.to_owned()),
        )?,
    };
    match protocol.as_str() {
        // Echo and path discovery carry no data of anybody's.
        "icmp" | "icmpv6" | "1" | "58" => None,
        "-1" => Some(format!("every port is open to {from}")),
        protocol => {
            let (first, last) = (rule.at("FromPort"), rule.at("ToPort"));
            if first.is_absent() {
                return Some(format!("every port of {protocol} is open to {from}"));
            }
            let (first, last) = (first.number()?, last.number()?);
            let is_web = first == last && WEB.contains(&first);
            let ports = if first == last {
                format!("port {first}")
            } else {
                format!("ports {first} to {last}")
            };
            (!is_web).then(|| format!("{ports} of {protocol} open to {from}"))
        }
    }
}
