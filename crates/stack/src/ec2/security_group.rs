//! Security groups.
//!
//! A rule about an address stands inside the group; a rule about another group, or a port that is only known at
//! deployment, is a resource of its own, since groups may refer to each other.

use std::cell::RefCell;
use std::panic::Location;
use std::rc::Rc;

use cfn::{Builder, Expr, IntoValue, Map, Value, id};

use super::port::{Peer, PeerKind, Port};
use super::vpc::Vpc;
use crate::element::CfnResource;
use crate::error::Source;
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};

/// What a rule is about.
#[derive(Clone)]
pub(crate) enum Rule {
    Group(SecurityGroup),
    Peer(Peer),
}

impl Rule {
    /// How descriptions name it.
    fn unique_id(&self) -> Expr {
        match self {
            Self::Group(group) => group.construct.unique_id().into(),
            Self::Peer(peer) => peer.unique_id().clone(),
        }
    }

    /// How ids name it: what is only known at deployment cannot be part of one.
    fn id_text(&self) -> String {
        self.unique_id().as_text().unwrap_or("{IndirectPeer}").to_owned()
    }

    fn can_inline(&self) -> bool {
        matches!(
            self,
            Self::Peer(Peer(
                PeerKind::Ipv4(_) | PeerKind::Ipv6(_) | PeerKind::SecurityGroupId(_)
            ))
        )
    }

    fn is_ipv6(&self) -> bool {
        matches!(self, Self::Peer(Peer(PeerKind::Ipv6(_))))
    }

    fn add_to(&self, rule: &mut Map, direction: Direction) {
        let (group, list) = match direction {
            Direction::From => ("SourceSecurityGroupId", "SourcePrefixListId"),
            Direction::To => ("DestinationSecurityGroupId", "DestinationPrefixListId"),
        };
        match self {
            Self::Group(other) => rule.insert(group, other.security_group_id()),
            Self::Peer(Peer(PeerKind::Ipv4(block))) => rule.insert("CidrIp", block.clone()),
            Self::Peer(Peer(PeerKind::Ipv6(block))) => rule.insert("CidrIpv6", block.clone()),
            Self::Peer(Peer(PeerKind::PrefixList(id))) => rule.insert(list, id.clone()),
            Self::Peer(Peer(PeerKind::SecurityGroupId(id))) => rule.insert(group, id.clone()),
        };
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    From,
    To,
}

impl Direction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::To => "to",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::From => Self::To,
            Self::To => Self::From,
        }
    }
}

/// A rule that matches nothing, which keeps AWS from adding its own rule that matches everything.
fn no_traffic() -> Map {
    [
        ("CidrIp", Expr::from("255.255.255.255/32")),
        ("Description", "Disallow all traffic".into()),
        ("FromPort", 252.into()),
        ("IpProtocol", "icmp".into()),
        ("ToPort", 86.into()),
    ]
    .into_iter()
    .collect()
}

fn all_traffic(block: (&'static str, &'static str), description: &'static str) -> Map {
    let entries = [(block.0, block.1), ("Description", description), ("IpProtocol", "-1")];
    entries.into_iter().collect()
}

/// A security group: made here, or taken over by its id.
#[derive(Clone)]
pub struct SecurityGroup {
    construct: Construct,
    origin: Origin,
    allow_all_outbound: bool,
    allow_all_ipv6_outbound: bool,
    rules: Rc<RefCell<InlineRules>>,
}

#[derive(Clone)]
enum Origin {
    Made(CfnResource<cfn::ec2::SecurityGroup>),
    /// Rules are resources of their own.
    Imported(Value<id::ec2::SecurityGroupId>),
    /// Gets no rules; others get rules about it.
    Untouched(Value<id::ec2::SecurityGroupId>),
}

#[derive(Default)]
struct InlineRules {
    ingress: Vec<Map>,
    egress: Vec<Map>,
}

impl Scope for SecurityGroup {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct SecurityGroupBuilder {
    scope: Construct,
    id: String,
    location: Source,
    vpc: Vpc,
    name: Option<Expr>,
    description: Option<String>,
    allow_all_outbound: bool,
    allow_all_ipv6_outbound: bool,
}

impl SecurityGroupBuilder {
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    pub fn security_group_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value().into_expr());
        self
    }

    /// Whether its members may connect to anywhere; they may if nothing is said.
    pub fn allow_all_outbound(mut self, on: bool) -> Self {
        self.allow_all_outbound = on;
        self
    }

    pub fn allow_all_ipv6_outbound(mut self, on: bool) -> Self {
        self.allow_all_ipv6_outbound = on;
        self
    }

    pub fn build(self) -> SecurityGroup {
        let construct =
            self.scope
                .construct()
                .add(self.id, "ec2.SecurityGroup", crate::tree::Kind::Plain, self.location);
        let description = self.description.unwrap_or_else(|| construct.path_for_names());
        let mut properties = cfn::ec2::SecurityGroup::new()
            .group_description(description)
            .vpc_id(self.vpc.vpc_id());
        if let Some(name) = self.name {
            properties = properties.property("GroupName", name);
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        let mut egress = vec![if self.allow_all_outbound {
            all_traffic(("CidrIp", "0.0.0.0/0"), "Allow all outbound traffic by default")
        } else {
            no_traffic()
        }];
        if self.allow_all_ipv6_outbound {
            egress.push(all_traffic(
                ("CidrIpv6", "::/0"),
                "Allow all outbound ipv6 traffic by default",
            ));
        }
        let group = SecurityGroup {
            construct,
            origin: Origin::Made(resource),
            allow_all_outbound: self.allow_all_outbound,
            allow_all_ipv6_outbound: self.allow_all_ipv6_outbound,
            rules: Rc::new(RefCell::new(InlineRules {
                ingress: Vec::new(),
                egress,
            })),
        };
        group.render();
        group
    }
}

impl SecurityGroup {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, vpc: &Vpc) -> SecurityGroupBuilder {
        SecurityGroupBuilder {
            scope: scope.construct().clone(),
            id: id.into(),
            location: Location::caller(),
            vpc: vpc.clone(),
            name: None,
            description: None,
            allow_all_outbound: true,
            allow_all_ipv6_outbound: false,
        }
    }

    /// A security group that exists already; everything may go out of it.
    #[track_caller]
    pub fn from_id(
        scope: &impl Scope,
        id: impl Into<String>,
        group_id: impl IntoValue<id::ec2::SecurityGroupId>,
    ) -> Self {
        Self::imported(Site::new(scope, id), Origin::Imported(group_id.into_value()))
    }

    /// A security group that exists already and gets no rules from here.
    #[track_caller]
    pub fn from_immutable_id(
        scope: &impl Scope,
        id: impl Into<String>,
        group_id: impl IntoValue<id::ec2::SecurityGroupId>,
    ) -> Self {
        Self::imported(Site::new(scope, id), Origin::Untouched(group_id.into_value()))
    }

    fn imported(site: Site, origin: Origin) -> Self {
        Self {
            construct: site.make("ec2.SecurityGroup"),
            origin,
            allow_all_outbound: true,
            allow_all_ipv6_outbound: false,
            rules: Rc::default(),
        }
    }

    pub fn security_group_id(&self) -> Value<id::ec2::SecurityGroupId> {
        match &self.origin {
            Origin::Made(resource) => resource.group_id(),
            Origin::Imported(id) | Origin::Untouched(id) => id.clone(),
        }
    }

    pub(crate) fn ids(groups: &[Self]) -> Vec<Value<id::ec2::SecurityGroupId>> {
        groups.iter().map(Self::security_group_id).collect()
    }

    /// Of a security group that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::ec2::SecurityGroup> {
        match &self.origin {
            Origin::Made(resource) => resource.clone(),
            Origin::Imported(_) | Origin::Untouched(_) => CfnResource::elsewhere(&self.construct),
        }
    }

    pub fn connections(&self) -> super::Connections {
        super::Connections::new([self.clone()])
    }

    /// Lets `peer` in. Between security groups, [`super::Connections`] sets both sides.
    pub fn add_ingress_rule(&self, peer: &Peer, port: &Port, description: Option<&str>) {
        self.add_ingress(&Rule::Peer(peer.clone()), port, description, false);
    }

    pub fn add_ingress_rule_from(&self, group: &Self, port: &Port, description: Option<&str>) {
        self.add_ingress(&Rule::Group(group.clone()), port, description, false);
    }

    /// Lets members out to `peer`. Without effect where everything may go out.
    pub fn add_egress_rule(&self, peer: &Peer, port: &Port, description: Option<&str>) {
        self.add_egress(&Rule::Peer(peer.clone()), port, description, false);
    }

    fn render(&self) {
        let Origin::Made(resource) = &self.origin else {
            return;
        };
        let rules = self.rules.borrow();
        let list =
            |rules: &[Map]| (!rules.is_empty()).then(|| Expr::List(rules.iter().cloned().map(Expr::from).collect()));
        resource.set("SecurityGroupIngress", list(&rules.ingress));
        resource.set("SecurityGroupEgress", list(&rules.egress));
    }

    /// `remote`: the rule is about this group but was asked for by the other side.
    pub(crate) fn add_ingress(&self, peer: &Rule, port: &Port, description: Option<&str>, remote: bool) {
        self.add_rule(Direction::From, peer, port, description, remote);
    }

    pub(crate) fn add_egress(&self, peer: &Rule, port: &Port, description: Option<&str>, remote: bool) {
        if if peer.is_ipv6() {
            self.allow_all_ipv6_outbound
        } else {
            self.allow_all_outbound
        } {
            return;
        }
        if !peer.is_ipv6() {
            self.rules.borrow_mut().egress.retain(|rule| *rule != no_traffic());
        }
        self.add_rule(Direction::To, peer, port, description, remote);
        self.render();
    }

    fn add_rule(&self, direction: Direction, peer: &Rule, port: &Port, description: Option<&str>, remote: bool) {
        if matches!(self.origin, Origin::Untouched(_)) {
            return;
        }
        if let Rule::Peer(peer) = peer
            && let Some(problem) = peer.problem()
        {
            self.construct.report(problem);
        }
        let words = direction.as_str();
        let inline = matches!(self.origin, Origin::Made(_)) && peer.can_inline() && port.can_inline();
        let description = description.map_or_else(
            || {
                // The CDK describes rules inside a group by `from` in both directions, and a changed description
                // changes the group.
                let words = if inline { Direction::From.as_str() } else { words };
                Expr::concat([
                    format!("{words} ").into(),
                    peer.unique_id(),
                    format!(":{}", port.text()).into(),
                ])
            },
            |text| text.to_owned().into(),
        );
        let mut rule = Map::new();
        peer.add_to(&mut rule, direction);
        port.add_to(&mut rule);
        if inline {
            let mut rules = self.rules.borrow_mut();
            let list = if direction == Direction::From {
                &mut rules.ingress
            } else {
                &mut rules.egress
            };
            let same = |known: &Map| without_description(known) == without_description(&rule);
            if !list.iter().any(same) {
                rule.insert("Description", description);
                rule.sort_keys();
                list.push(rule);
            }
            drop(rules);
            self.render();
            return;
        }
        rule.insert("Description", description);
        let (scope, id) = match peer {
            Rule::Group(other) if remote && !Stack::of(self).construct().is(Stack::of(other).construct()) => (
                &other.construct,
                format!(
                    "{}:{} {}",
                    self.construct.unique_id(),
                    port.text(),
                    direction.other().as_str()
                ),
            ),
            _ => (
                &self.construct,
                format!("{words} {}:{}", peer.id_text(), port.text()).replacen('/', "_", 1),
            ),
        };
        if scope.find_child(&id.replace('/', "--")).is_some() {
            return;
        }
        rule.insert("GroupId", self.security_group_id());
        match direction {
            Direction::From => {
                let mut resource = cfn::ec2::SecurityGroupIngress::new().ip_protocol("");
                *resource.properties_mut() = rule;
                CfnResource::new(scope, id, resource);
            }
            Direction::To => {
                let mut resource = cfn::ec2::SecurityGroupEgress::new().group_id("").ip_protocol("");
                *resource.properties_mut() = rule;
                CfnResource::new(scope, id, resource);
            }
        }
    }
}

fn without_description(rule: &Map) -> Vec<(&str, &Expr)> {
    let mut entries: Vec<_> = rule.iter().filter(|(key, _)| *key != "Description").collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}
