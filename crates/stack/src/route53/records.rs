//! Records of one type each, which know how their values are written.

use cfn::{Expr, IntoValue, List};

use super::record_set::{RecordSet, RecordSetBuilder, RecordType};
use super::target::RecordTarget;
use super::zone::HostedZone;
use crate::tree::Scope;
use crate::units::days;

/// The longest string in a TXT record; longer texts are several strings.
const MAX_TXT_STRING: usize = 255;

macro_rules! records {
    ($($(#[$doc:meta])* $name:ident($record_type:ident, $argument:ident: $type:ty) => $target:expr;)*) => { $(
        $(#[$doc])*
        pub enum $name {}

        impl $name {
            #[track_caller]
            #[expect(
                clippy::new_ret_no_self,
                reason = "every construct begins with `new` and ends with `build`"
            )]
            pub fn new(
                scope: &impl Scope,
                id: impl Into<String>,
                zone: &HostedZone,
                $argument: $type,
            ) -> RecordSetBuilder {
                RecordSet::new(scope, id, zone, RecordType::$record_type, $target)
            }
        }
    )* };
}

records! {
    /// IPv4 addresses of a name.
    ARecord(A, target: RecordTarget) => target;
    /// IPv6 addresses of a name.
    AaaaRecord(Aaaa, target: RecordTarget) => target;
    /// Another name for a name.
    CnameRecord(Cname, domain_name: impl IntoValue<String>) => RecordTarget::values([domain_name]);
    /// Any text.
    TxtRecord(Txt, values: impl IntoIterator<Item = impl Into<String>>) =>
        RecordTarget::values(values.into_iter().map(|value| quoted(&value.into())));
    /// Where a service is.
    SrvRecord(Srv, values: impl IntoIterator<Item = SrvValue>) =>
        RecordTarget::values(values.into_iter().map(|value| value.render().cast::<String>()));
    /// Who may issue certificates.
    CaaRecord(Caa, values: impl IntoIterator<Item = CaaValue>) =>
        RecordTarget::values(values.into_iter().map(|value| value.render()));
    /// Who takes mail: priority, the lowest first, and host.
    MxRecord(Mx, values: impl IntoIterator<Item = (u16, impl IntoValue<String>)>) =>
        RecordTarget::values(values.into_iter().map(|(priority, host)| {
            let parts = [format!("{priority} ").into(), host.into_value().into_expr()];
            Expr::concat(parts).cast::<String>()
        }));
    /// The servers of a zone.
    NsRecord(Ns, values: impl IntoIterator<Item = impl IntoValue<String>>) => RecordTarget::values(values);
    /// The digests of the keys of a zone below.
    DsRecord(Ds, values: impl IntoIterator<Item = impl IntoValue<String>>) => RecordTarget::values(values);
    /// How a service is reached.
    SvcbRecord(Svcb, values: impl IntoIterator<Item = SvcbValue>) =>
        RecordTarget::values(values.into_iter().map(|value| value.render()));
    /// How a web site is reached: an alias, or [`HttpsRecord::values`].
    HttpsRecord(Https, target: RecordTarget) => target;
}

impl HttpsRecord {
    /// What an HTTPS record answers.
    pub fn values(values: impl IntoIterator<Item = SvcbValue>) -> RecordTarget {
        RecordTarget::values(values.into_iter().map(|value| value.render()))
    }
}

/// Names the servers of a zone below, for two days if nothing is said.
pub enum ZoneDelegationRecord {}

impl ZoneDelegationRecord {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(
        scope: &impl Scope,
        id: impl Into<String>,
        zone: &HostedZone,
        name_servers: impl IntoValue<List<String>>,
    ) -> RecordSetBuilder {
        let servers = match name_servers.into_value().into_expr() {
            Expr::List(servers) => Expr::List(servers.into_iter().map(with_dot).collect()),
            reference => reference,
        };
        let target = RecordTarget::list(servers.cast::<List<String>>());
        RecordSet::new(scope, id, zone, RecordType::Ns, target).ttl(days(2))
    }
}

fn with_dot(server: Expr) -> Expr {
    match server.as_text() {
        Some(name) if !name.ends_with('.') => Expr::text(format!("{name}.")),
        _ => server,
    }
}

/// A text as quoted strings of at most 255 characters, one after another.
fn quoted(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let strings = characters.chunks(MAX_TXT_STRING);
    strings
        .map(|string| serde_json::Value::String(string.iter().collect()).to_string())
        .collect()
}

/// Where a service is, of a [`SrvRecord`].
#[derive(Clone, Debug)]
pub struct SrvValue {
    priority: u16,
    weight: u16,
    port: u16,
    host: Expr,
}

impl SrvValue {
    /// The lowest priority is tried first; weights choose among equal ones.
    pub fn new(priority: u16, weight: u16, port: u16, host: impl IntoValue<String>) -> Self {
        Self {
            priority,
            weight,
            port,
            host: host.into_value().into_expr(),
        }
    }

    fn render(self) -> Expr {
        let numbers = format!("{} {} {} ", self.priority, self.weight, self.port);
        Expr::concat([numbers.into(), self.host])
    }
}

/// What a [`CaaValue`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaaTag {
    /// Who may issue certificates.
    Issue,
    /// Who may issue certificates for all names below.
    IssueWild,
    /// The URL that violations are reported to.
    Iodef,
}

/// A rule for those who issue certificates, of a [`CaaRecord`].
#[derive(Clone, Debug)]
pub struct CaaValue {
    flag: u8,
    tag: CaaTag,
    value: String,
}

impl CaaValue {
    /// `CaaValue::new(0, CaaTag::Issue, "amazon.com")`. A flag of 128 refuses those who do not know the tag.
    pub fn new(flag: u8, tag: CaaTag, value: impl Into<String>) -> Self {
        Self {
            flag,
            tag,
            value: value.into(),
        }
    }

    fn render(&self) -> String {
        let tag = match self.tag {
            CaaTag::Issue => "issue",
            CaaTag::IssueWild => "issuewild",
            CaaTag::Iodef => "iodef",
        };
        format!("{} {tag} \"{}\"", self.flag, self.value)
    }
}

/// How a service is reached (RFC 9460), of a [`SvcbRecord`] or an [`HttpsRecord`].
#[derive(Clone, Debug)]
pub struct SvcbValue {
    priority: u16,
    target: String,
    parameters: Vec<String>,
}

impl SvcbValue {
    /// All is as said of another name.
    pub fn alias(target: impl Into<String>) -> Self {
        Self {
            priority: 0,
            target: target.into(),
            parameters: Vec::new(),
        }
    }

    /// An endpoint; `.` is the name of the record itself. `alpn` names protocols: `h3`, `h2`.
    pub fn service(priority: u16, target: impl Into<String>) -> Self {
        Self {
            priority,
            target: target.into(),
            parameters: Vec::new(),
        }
    }

    fn list(mut self, key: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        self.parameters.push(format!("{key}=\"{}\"", values.join(",")));
        self
    }

    /// Parameters that a client must understand. Before the others.
    #[must_use]
    pub fn mandatory(self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.list("mandatory", keys)
    }

    #[must_use]
    pub fn alpn(self, protocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.list("alpn", protocols)
    }

    #[must_use]
    pub fn no_default_alpn(mut self) -> Self {
        self.parameters.push("no-default-alpn".to_owned());
        self
    }

    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.parameters.push(format!("port={port}"));
        self
    }

    #[must_use]
    pub fn ipv4_hint(self, addresses: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.list("ipv4hint", addresses)
    }

    #[must_use]
    pub fn ipv6_hint(self, addresses: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.list("ipv6hint", addresses)
    }

    fn render(&self) -> String {
        let mut parts = vec![self.priority.to_string(), self.target.clone()];
        parts.extend(self.parameters.iter().cloned());
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_several_strings() {
        assert_eq!(quoted("v=spf1 \"x\""), r#""v=spf1 \"x\"""#);
        assert_eq!(quoted(&"a".repeat(256)), format!("\"{}\"\"a\"", "a".repeat(255)));
        assert_eq!(quoted(""), "");
    }
}
