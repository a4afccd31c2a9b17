//! Who may connect to whom, said once and turned into rules on both sides.

use super::port::{Peer, Port};
use super::security_group::{Rule, SecurityGroup};

/// The network side of a construct: its security groups, or the address it has.
#[derive(Clone)]
pub struct Connections {
    groups: Vec<SecurityGroup>,
    peer: Option<Peer>,
    default_port: Option<Port>,
}

/// Whatever has a network side.
pub trait Connectable {
    fn connections(&self) -> Connections;
}

impl Connectable for Connections {
    fn connections(&self) -> Connections {
        self.clone()
    }
}

impl Connectable for SecurityGroup {
    fn connections(&self) -> Connections {
        Connections::new([self.clone()])
    }
}

impl Connectable for Peer {
    fn connections(&self) -> Connections {
        Connections {
            groups: Vec::new(),
            peer: Some(self.clone()),
            default_port: None,
        }
    }
}

impl<T: Connectable> Connectable for &T {
    fn connections(&self) -> Connections {
        (**self).connections()
    }
}

impl Connections {
    pub fn new(groups: impl IntoIterator<Item = SecurityGroup>) -> Self {
        Self {
            groups: groups.into_iter().collect(),
            peer: None,
            default_port: None,
        }
    }

    /// With the port that others connect to.
    #[must_use]
    pub fn with_default_port(mut self, port: Port) -> Self {
        self.default_port = Some(port);
        self
    }

    pub fn security_groups(&self) -> &[SecurityGroup] {
        &self.groups
    }

    fn rules(&self) -> impl Iterator<Item = Rule> {
        let groups = self.groups.iter().cloned().map(Rule::Group);
        groups.chain(self.peer.clone().map(Rule::Peer))
    }

    /// `other` may connect to this on `port`.
    pub fn allow_from(&self, other: &impl Connectable, port: &Port) {
        self.allow_from_described(other, port, None);
    }

    pub fn allow_from_described(&self, other: &impl Connectable, port: &Port, description: Option<&str>) {
        let other = other.connections();
        self.ingress(&other, port, description, false);
        other.egress(self, port, description, true);
    }

    /// This may connect to `other` on `port`.
    pub fn allow_to(&self, other: &impl Connectable, port: &Port) {
        self.allow_to_described(other, port, None);
    }

    pub fn allow_to_described(&self, other: &impl Connectable, port: &Port, description: Option<&str>) {
        let other = other.connections();
        self.egress(&other, port, description, false);
        other.ingress(self, port, description, true);
    }

    /// Members of this may connect to each other.
    pub fn allow_internally(&self, port: &Port) {
        self.ingress(self, port, None, false);
        self.egress(self, port, None, false);
    }

    pub fn allow_from_any_ipv4(&self, port: &Port, description: Option<&str>) {
        self.allow_from_described(&Peer::any_ipv4(), port, description);
    }

    pub fn allow_to_any_ipv4(&self, port: &Port, description: Option<&str>) {
        self.allow_to_described(&Peer::any_ipv4(), port, description);
    }

    /// `other` may connect to the port that this listens on.
    pub fn allow_default_port_from(&self, other: &impl Connectable) {
        self.allow_default_port_from_described(other, None);
    }

    pub fn allow_default_port_from_described(&self, other: &impl Connectable, description: Option<&str>) {
        match &self.default_port {
            Some(port) => self.allow_from_described(other, port, description),
            None => self.report("nothing is known to listen here: name the port with `allow_from`"),
        }
    }

    pub fn allow_default_port_internally(&self) {
        match &self.default_port {
            Some(port) => self.allow_internally(port),
            None => self.report("nothing is known to listen here: name the port with `allow_internally`"),
        }
    }

    fn report(&self, message: &str) {
        if let Some(group) = self.groups.first() {
            crate::Scope::construct(group).report(message);
        }
    }

    fn ingress(&self, other: &Self, port: &Port, description: Option<&str>, remote: bool) {
        for group in &self.groups {
            for rule in other.rules() {
                group.add_ingress(&rule, port, description, remote);
            }
        }
    }

    fn egress(&self, other: &Self, port: &Port, description: Option<&str>, remote: bool) {
        for group in &self.groups {
            for rule in other.rules() {
                group.add_egress(&rule, port, description, remote);
            }
        }
    }
}
