//! Ports, and peers that are no security group.

use cfn::{Expr, IntoValue, Map};

/// A range of ports of a protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    protocol: &'static str,
    from: Option<Expr>,
    to: Option<Expr>,
    /// How the range is named in descriptions and ids.
    text: String,
}

impl Port {
    fn new(protocol: &'static str, from: impl Into<Expr>, to: impl Into<Expr>, text: impl Into<String>) -> Self {
        Self {
            protocol,
            from: Some(from.into()),
            to: Some(to.into()),
            text: text.into(),
        }
    }

    pub fn tcp(port: u16) -> Self {
        Self::new("tcp", u32::from(port), u32::from(port), port.to_string())
    }

    /// A port that is only known when the stack is deployed, such as a database's.
    pub fn tcp_of(port: impl IntoValue<String>) -> Self {
        let port = port.into_value().into_expr();
        Self::new("tcp", port.clone(), port, "{IndirectPort}")
    }

    pub fn tcp_range(from: u16, to: u16) -> Self {
        Self::new("tcp", u32::from(from), u32::from(to), format!("{from}-{to}"))
    }

    pub fn all_tcp() -> Self {
        Self::new("tcp", 0, 65_535, "ALL PORTS")
    }

    pub fn udp(port: u16) -> Self {
        Self::new("udp", u32::from(port), u32::from(port), format!("UDP {port}"))
    }

    pub fn udp_range(from: u16, to: u16) -> Self {
        Self::new("udp", u32::from(from), u32::from(to), format!("UDP {from}-{to}"))
    }

    pub fn all_udp() -> Self {
        Self::new("udp", 0, 65_535, "UDP ALL PORTS")
    }

    pub fn icmp_type_and_code(kind: i32, code: i32) -> Self {
        Self::new("icmp", kind, code, format!("ICMP Type {kind} Code {code}"))
    }

    pub fn icmp_type(kind: i32) -> Self {
        Self::new("icmp", kind, -1, format!("ICMP Type {kind}"))
    }

    pub fn icmp_ping() -> Self {
        Self::icmp_type(8)
    }

    pub fn all_icmp() -> Self {
        Self::new("icmp", -1, -1, "ALL ICMP")
    }

    pub fn all_traffic() -> Self {
        Self {
            protocol: "-1",
            from: None,
            to: None,
            text: "ALL TRAFFIC".into(),
        }
    }

    /// Whether a rule with this port can stand inside the security group: references may be circular.
    pub(crate) fn can_inline(&self) -> bool {
        self.from.iter().chain(&self.to).all(Expr::is_literal)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn add_to(&self, rule: &mut Map) {
        rule.insert("IpProtocol", self.protocol);
        if let (Some(from), Some(to)) = (&self.from, &self.to) {
            rule.insert("FromPort", from.clone());
            rule.insert("ToPort", to.clone());
        }
    }
}

/// Who may be talked to, beside security groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer(pub(crate) PeerKind);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PeerKind {
    Ipv4(Expr),
    Ipv6(Expr),
    PrefixList(Expr),
    SecurityGroupId(Expr),
}

impl Peer {
    /// A block such as `10.0.0.0/16`.
    pub fn ipv4(block: impl IntoValue<String>) -> Self {
        Self(PeerKind::Ipv4(block.into_value().into_expr()))
    }

    pub fn any_ipv4() -> Self {
        Self::ipv4("0.0.0.0/0")
    }

    pub fn ipv6(block: impl IntoValue<String>) -> Self {
        Self(PeerKind::Ipv6(block.into_value().into_expr()))
    }

    pub fn any_ipv6() -> Self {
        Self::ipv6("::/0")
    }

    pub fn prefix_list(id: impl IntoValue<String>) -> Self {
        Self(PeerKind::PrefixList(id.into_value().into_expr()))
    }

    /// A security group that is known by its id.
    pub fn security_group_id(id: impl IntoValue<String>) -> Self {
        Self(PeerKind::SecurityGroupId(id.into_value().into_expr()))
    }

    /// How rules describe it: what it is.
    pub(crate) fn unique_id(&self) -> &Expr {
        match &self.0 {
            PeerKind::Ipv4(id) | PeerKind::Ipv6(id) | PeerKind::PrefixList(id) | PeerKind::SecurityGroupId(id) => id,
        }
    }

    /// What is wrong with it, if anything: what is only known at deployment is not looked at.
    pub(crate) fn problem(&self) -> Option<String> {
        let text = self.unique_id().as_text()?;
        let valid = match &self.0 {
            PeerKind::Ipv4(_) => is_block::<std::net::Ipv4Addr>(text, 32),
            PeerKind::Ipv6(_) => is_block::<std::net::Ipv6Addr>(text, 128),
            PeerKind::PrefixList(_) => text.starts_with("pl-"),
            PeerKind::SecurityGroupId(_) => text.starts_with("sg-"),
        };
        (!valid).then(|| format!("`{text}` is no peer: a block needs its mask (`10.0.0.0/16`), an id its prefix"))
    }
}

fn is_block<A: std::str::FromStr>(text: &str, bits: u8) -> bool {
    text.split_once('/').is_some_and(|(address, mask)| {
        address.parse::<A>().is_ok() && mask.parse::<u8>().is_ok_and(|mask| mask <= bits)
    })
}
