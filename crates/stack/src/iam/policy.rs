//! Policy documents: statements and principals, rendered as the CDK renders them.
//!
//! One value stands alone and several in a list, equal statements occur once, and keys come in alphabetical order.

use cfn::{Expr, IntoValue, Map, Value};

use crate::stack::OWN_ACCOUNT;

/// Whether a statement allows or denies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    #[default]
    Allow,
    Deny,
}

/// Who is meant by a statement of a resource's policy, or may take on a role.
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    kind: PrincipalKind,
    conditions: Map,
    session_tags: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum PrincipalKind {
    Service(String),
    /// An ARN; `*` for everybody.
    Aws(Expr),
    Account(Expr),
    Federated {
        provider: Expr,
        action: &'static str,
    },
    CanonicalUser(Expr),
    /// `"Principal": "*"`.
    Star,
}

impl Principal {
    fn new(kind: PrincipalKind) -> Self {
        Self {
            kind,
            conditions: Map::new(),
            session_tags: false,
        }
    }

    /// `lambda.amazonaws.com`.
    pub fn service(name: impl Into<String>) -> Self {
        Self::new(PrincipalKind::Service(name.into()))
    }

    pub fn arn(arn: impl IntoValue<String>) -> Self {
        Self::new(PrincipalKind::Aws(arn.into_value().into_expr()))
    }

    /// All that the account itself lets in.
    pub fn account(account: impl IntoValue<String>) -> Self {
        Self::new(PrincipalKind::Account(account.into_value().into_expr()))
    }

    /// The account of the stack.
    pub fn account_root() -> Self {
        Self::account(Value::<String>::from_expr(Expr::reference(OWN_ACCOUNT)))
    }

    /// Everybody, written `{"AWS": "*"}`.
    pub fn any() -> Self {
        Self::new(PrincipalKind::Aws("*".into()))
    }

    /// Everybody and every service, written `"*"`.
    pub fn star() -> Self {
        Self::new(PrincipalKind::Star)
    }

    /// An identity of a web identity provider, such as GitHub Actions.
    pub fn web_identity(provider: impl IntoValue<String>) -> Self {
        let provider = provider.into_value().into_expr();
        Self::new(PrincipalKind::Federated {
            provider,
            action: "sts:AssumeRoleWithWebIdentity",
        })
    }

    /// An identity of a SAML provider, by the provider's ARN.
    pub fn saml(provider: impl IntoValue<String>) -> Self {
        Self::new(PrincipalKind::Federated {
            provider: provider.into_value().into_expr(),
            action: "sts:AssumeRoleWithSAML",
        })
    }

    /// All accounts of an organization: `o-1234567890`.
    pub fn organization(id: impl Into<Expr>) -> Self {
        Self::any().condition("StringEquals", [("aws:PrincipalOrgID", id.into())])
    }

    /// It may also pass tags for the session when it takes on a role.
    #[must_use]
    pub const fn with_session_tags(mut self) -> Self {
        self.session_tags = true;
        self
    }

    pub fn canonical_user(id: impl IntoValue<String>) -> Self {
        Self::new(PrincipalKind::CanonicalUser(id.into_value().into_expr()))
    }

    /// `.condition("StringEquals", [("aws:SourceAccount", "123456789012")])`
    #[must_use]
    pub fn condition<K: Into<cfn::Name>, V: Into<Expr>>(
        mut self,
        operator: impl Into<cfn::Name>,
        values: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        add_condition(&mut self.conditions, operator.into(), values.into_iter().collect());
        self
    }

    /// What it needs to be allowed to take on a role.
    pub(crate) fn assume_actions(&self) -> Vec<&'static str> {
        let assume = match &self.kind {
            PrincipalKind::Federated { action, .. } => action,
            _ => "sts:AssumeRole",
        };
        if self.session_tags {
            vec![assume, "sts:TagSession"]
        } else {
            vec![assume]
        }
    }

    /// What stands in `Principal` of a Lambda permission.
    pub(crate) fn of_permission(&self) -> Option<Expr> {
        match &self.kind {
            PrincipalKind::Service(name) => Some(Expr::text(name.clone())),
            PrincipalKind::Aws(value) | PrincipalKind::Account(value) => Some(value.clone()),
            PrincipalKind::Federated { .. } | PrincipalKind::CanonicalUser(_) | PrincipalKind::Star => None,
        }
    }

    /// `lambda.amazonaws.com`, of a service.
    pub(crate) fn service_name(&self) -> Option<&str> {
        match &self.kind {
            PrincipalKind::Service(name) => Some(name),
            _ => None,
        }
    }

    fn entry(&self) -> Option<(&'static str, Expr)> {
        Some(match &self.kind {
            PrincipalKind::Service(name) => ("Service", Expr::text(name.clone())),
            PrincipalKind::Aws(arn) => ("AWS", arn.clone()),
            PrincipalKind::Account(account) => {
                let parts = [
                    "arn:".into(),
                    cfn::pseudo::partition().into_expr(),
                    ":iam::".into(),
                    account.clone(),
                    ":root".into(),
                ];
                ("AWS", Expr::concat(parts))
            }
            PrincipalKind::Federated { provider, .. } => ("Federated", provider.clone()),
            PrincipalKind::CanonicalUser(id) => ("CanonicalUser", id.clone()),
            PrincipalKind::Star => return None,
        })
    }

    /// How the CDK names it in identifiers.
    pub(crate) fn display(&self) -> String {
        match &self.kind {
            PrincipalKind::Service(name) => format!("ServicePrincipal({name})"),
            PrincipalKind::Aws(arn) => format!("ArnPrincipal({})", arn.as_text().unwrap_or_default()),
            PrincipalKind::Account(account) => format!("AccountPrincipal({})", account.as_text().unwrap_or_default()),
            _ => String::new(),
        }
    }
}

fn add_condition(conditions: &mut Map, operator: cfn::Name, values: Map) {
    if let Expr::Map(existing) = conditions.entry(operator) {
        existing.extend(values);
    }
}

/// A statement of a policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyStatement {
    sid: Option<String>,
    effect: Effect,
    actions: Vec<Expr>,
    not_actions: Vec<Expr>,
    resources: Vec<Expr>,
    /// A single resource stands in a list, too.
    resources_as_list: bool,
    not_resources: Vec<Expr>,
    principals: Vec<Principal>,
    conditions: Map,
}

impl PolicyStatement {
    /// A statement that allows actions.
    pub fn allow(actions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            actions: texts(actions),
            ..Self::default()
        }
    }

    pub fn deny(actions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            effect: Effect::Deny,
            actions: texts(actions),
            ..Self::default()
        }
    }

    /// Denies the action to whoever asks without TLS.
    pub(crate) fn deny_without_tls(action: &str) -> Self {
        Self::deny([action]).condition("Bool", [("aws:SecureTransport", "false")])
    }

    /// Denies all but these actions.
    pub fn deny_all_but(actions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            effect: Effect::Deny,
            not_actions: texts(actions),
            ..Self::default()
        }
    }

    /// Allows all but these actions.
    pub fn allow_all_but(actions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            not_actions: texts(actions),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn sid(mut self, sid: impl Into<String>) -> Self {
        self.sid = Some(sid.into());
        self
    }

    #[must_use]
    pub fn on(mut self, resource: impl IntoValue<String>) -> Self {
        push(&mut self.resources, resource.into_value().into_expr());
        self
    }

    /// On these, written as a list even if it is only one.
    #[must_use]
    pub(crate) fn on_list(mut self, resources: impl IntoIterator<Item = Expr>) -> Self {
        self.resources_as_list = true;
        for resource in resources {
            push(&mut self.resources, resource);
        }
        self
    }

    #[must_use]
    pub fn on_all(self) -> Self {
        self.on("*")
    }

    #[must_use]
    pub fn on_all_but(mut self, resource: impl IntoValue<String>) -> Self {
        push(&mut self.not_resources, resource.into_value().into_expr());
        self
    }

    #[must_use]
    pub fn by(mut self, principal: Principal) -> Self {
        for (operator, values) in principal.conditions.iter() {
            if let Expr::Map(values) = values {
                add_condition(&mut self.conditions, operator.to_owned().into(), values.clone());
            }
        }
        if !self.principals.contains(&principal) {
            self.principals.push(principal);
        }
        self
    }

    /// `.condition("StringEquals", [("cloudwatch:namespace", "Llama")])`
    #[must_use]
    pub fn condition<K: Into<cfn::Name>, V: Into<Expr>>(
        mut self,
        operator: impl Into<cfn::Name>,
        values: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        add_condition(&mut self.conditions, operator.into(), values.into_iter().collect());
        self
    }

    pub(crate) fn sid_text(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// The statement alone, where a property takes one without a document around it.
    pub(crate) fn render_alone(&self) -> Expr {
        self.render().into()
    }

    /// What is wrong with it as part of an identity's policy.
    pub(crate) fn problem_for_identity(&self) -> Option<&'static str> {
        if self.actions.is_empty() && self.not_actions.is_empty() {
            return Some("a statement needs at least one action");
        }
        if self.resources.is_empty() && self.not_resources.is_empty() {
            return Some("a statement of an identity's policy needs at least one resource");
        }
        (!self.principals.is_empty()).then_some("a statement of an identity's policy names no principal")
    }

    /// What is wrong with it as part of a VPC endpoint's policy.
    pub(crate) fn problem_for_endpoint(&self) -> Option<&'static str> {
        self.principals
            .is_empty()
            .then_some("a statement of an endpoint's policy names its principals")
    }

    fn render(&self) -> Map {
        let mut map = Map::new();
        let mut set = |key: &'static str, value: Option<Expr>| {
            if let Some(value) = value {
                map.insert(key, value);
            }
        };
        set("Action", one_or_many(&self.actions));
        set("NotAction", one_or_many(&self.not_actions));
        set(
            "Condition",
            (!self.conditions.is_empty()).then(|| self.conditions.clone().into()),
        );
        set(
            "Effect",
            Some(
                match self.effect {
                    Effect::Allow => "Allow",
                    Effect::Deny => "Deny",
                }
                .into(),
            ),
        );
        set("Principal", self.render_principals());
        let resources = if self.resources_as_list {
            Some(Expr::List(self.resources.clone()))
        } else {
            one_or_many(&self.resources)
        };
        set("Resource", resources);
        set("NotResource", one_or_many(&self.not_resources));
        set("Sid", self.sid.clone().map(Expr::text));
        map
    }

    fn render_principals(&self) -> Option<Expr> {
        if self.principals.is_empty() {
            return None;
        }
        let mut by_kind: Vec<(&'static str, Vec<Expr>)> = Vec::new();
        for principal in &self.principals {
            let Some((kind, value)) = principal.entry() else {
                return Some("*".into());
            };
            match by_kind.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, values)) => push(values, value),
                None => by_kind.push((kind, vec![value])),
            }
        }
        Some(Expr::map(
            by_kind
                .into_iter()
                .filter_map(|(kind, values)| Some((kind, one_or_many(&values)?))),
        ))
    }
}

fn texts(items: impl IntoIterator<Item = impl Into<String>>) -> Vec<Expr> {
    let mut texts = Vec::new();
    for item in items {
        push(&mut texts, Expr::text(item.into()));
    }
    texts
}

fn push(items: &mut Vec<Expr>, item: Expr) {
    if !items.contains(&item) {
        items.push(item);
    }
}

fn one_or_many(items: &[Expr]) -> Option<Expr> {
    match items {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(Expr::List(several.to_vec())),
    }
}

/// Statements together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyDocument {
    statements: Vec<PolicyStatement>,
}

impl PolicyDocument {
    pub fn new(statements: impl IntoIterator<Item = PolicyStatement>) -> Self {
        Self {
            statements: statements.into_iter().collect(),
        }
    }

    pub fn add(&mut self, statement: PolicyStatement) {
        self.statements.push(statement);
    }

    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// As it stands in a template.
    pub fn render(&self) -> Expr {
        document(self.statements())
    }

    /// As [`PolicyDocument::render`], with the position of each statement as its id where it has none.
    pub(crate) fn render_with_ids(&self) -> Expr {
        let mut statements = self.statements();
        for (index, statement) in statements.iter_mut().enumerate() {
            if let Expr::Map(statement) = statement
                && statement.get("Sid").is_none()
            {
                statement.insert("Sid", index.to_string());
            }
        }
        document(statements)
    }

    /// The statements as they stand in a template, equal ones once.
    pub(crate) fn statements(&self) -> Vec<Expr> {
        let mut statements: Vec<Expr> = Vec::new();
        for statement in &self.statements {
            push(&mut statements, statement.render().into());
        }
        statements
    }
}

fn document(statements: Vec<Expr>) -> Expr {
    Expr::map([("Statement", Expr::List(statements)), ("Version", "2012-10-17".into())])
}

impl IntoValue<cfn::Json> for &PolicyDocument {
    fn into_value(self) -> cfn::Value<cfn::Json> {
        cfn::Value::from_expr(self.render())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_stands_alone_and_equal_statements_occur_once() {
        let statement = PolicyStatement::allow(["sns:Publish"]).on("arn");
        let document = PolicyDocument::new([
            statement.clone(),
            statement,
            PolicyStatement::deny(["a:b", "c:d"]).on_all().sid("No"),
        ]);
        assert_eq!(
            document.render().to_json().unwrap(),
            json!({
                "Statement": [
                    { "Action": "sns:Publish", "Effect": "Allow", "Resource": "arn" },
                    { "Action": ["a:b", "c:d"], "Effect": "Deny", "Resource": "*", "Sid": "No" },
                ],
                "Version": "2012-10-17",
            })
        );
    }

    #[test]
    fn a_principal_brings_its_conditions() {
        let principal = Principal::service("s3.amazonaws.com").condition("StringEquals", [("aws:SourceAccount", "1")]);
        let document = PolicyDocument::new([PolicyStatement::allow(["sns:Publish"])
            .by(principal)
            .by(Principal::service("x"))]);
        assert_eq!(
            document.render().to_json().unwrap()["Statement"][0],
            json!({
                "Action": "sns:Publish",
                "Condition": { "StringEquals": { "aws:SourceAccount": "1" } },
                "Effect": "Allow",
                "Principal": { "Service": ["s3.amazonaws.com", "x"] },
            })
        );
    }
}
