//! Secrets that AWS generates. Their values never stand in a template, only dynamic references to them.

use cfn::secretsmanager::secret::{GenerateSecretString, ReplicaRegion};
use cfn::{Builder, Expr, IntoValue, Map, Value, id};

use crate::cloudwatch::json_text::json_text;
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::{Grantee, PolicyStatement, Principal, ResourcePolicy};
use crate::kms::Key;
use crate::site::Site;
use crate::stack::{Arn, ArnFormat, Stack};
use crate::tree::{Construct, Scope};

#[derive(Clone)]
pub struct Secret {
    construct: Construct,
    arn: Value<id::secretsmanager::SecretId>,
    /// How policies name it: of a secret that is known by name only, the end of the ARN is open.
    arn_for_policies: Value<String>,
    /// None of a secret that exists already.
    policy: Option<ResourcePolicy>,
    key: Option<Key>,
}

impl Scope for Secret {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct SecretBuilder {
    site: Site,
    properties: cfn::secretsmanager::Secret,
    generate: GenerateSecretString,
    replica_regions: Vec<Expr>,
    removal_policy: RemovalPolicy,
    key: Option<Key>,
}

impl SecretBuilder {
    pub fn secret_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.name(name);
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    /// JSON into which the generated value is put under `key`.
    pub fn template(mut self, json: &serde_json::Value, key: impl IntoValue<String>) -> Self {
        self.generate = self
            .generate
            .secret_string_template(json.to_string())
            .generate_string_key(key);
        self
    }

    /// As [`SecretBuilder::template`], with references among the fields.
    pub(crate) fn template_of(mut self, fields: Map, key: &'static str) -> Self {
        self.generate = self
            .generate
            .secret_string_template(json_text(&fields.into()).cast::<String>())
            .generate_string_key(key);
        self
    }

    /// Another region that has a copy.
    pub fn replica_region(self, region: impl IntoValue<String>) -> Self {
        self.replica(ReplicaRegion::new().region(region))
    }

    /// As [`SecretBuilder::replica_region`], encrypted with a key of that region.
    pub fn replica_region_with_key(self, region: impl IntoValue<String>, key: impl IntoValue<id::kms::AnyKey>) -> Self {
        self.replica(ReplicaRegion::new().region(region).kms_key_id(key))
    }

    fn replica(mut self, replica: ReplicaRegion<cfn::Set>) -> Self {
        let replica: Value<ReplicaRegion> = replica.into_value();
        self.replica_regions.push(replica.into_expr());
        self
    }

    /// How the value is generated: length, alphabet.
    pub fn generate(mut self, how: impl FnOnce(GenerateSecretString) -> GenerateSecretString) -> Self {
        self.generate = how(self.generate);
        self
    }

    /// Instead of the account's default key for secrets. Its policy lets Secrets Manager use it for the account, and for
    /// those who are granted to read or write the secret.
    pub fn encryption_key(mut self, key: &Key) -> Self {
        self.properties = self.properties.kms_key_id(key);
        self.key = Some(key.clone());
        self
    }

    /// Destroyed if nothing is said.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = policy;
        self
    }

    pub fn build(self) -> Secret {
        let construct = self.site.make("secretsmanager.Secret");
        let mut properties = self.properties.generate_secret_string(self.generate);
        if !self.replica_regions.is_empty() {
            properties = properties.property("ReplicaRegions", Expr::List(self.replica_regions));
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(self.removal_policy);
        if let Some(key) = &self.key {
            let account = Principal::account(Stack::of(&construct).account());
            let account = through_secrets_manager(&construct, account);
            key.grant_encrypt_decrypt(account.clone());
            key.grant(account, ["kms:CreateGrant", "kms:DescribeKey"]);
        }
        Secret::owned(construct, resource.reference(), self.key)
    }
}

impl Secret {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> SecretBuilder {
        Self::at(Site::new(scope, id))
    }

    pub(crate) fn at(site: Site) -> SecretBuilder {
        SecretBuilder {
            site,
            properties: cfn::secretsmanager::Secret::new(),
            generate: GenerateSecretString::new(),
            replica_regions: Vec::new(),
            removal_policy: RemovalPolicy::Destroy,
            key: None,
        }
    }

    fn owned(construct: Construct, arn: Value<id::secretsmanager::SecretId>, key: Option<Key>) -> Self {
        Self {
            construct,
            arn_for_policies: arn.clone().cast(),
            arn,
            policy: Some(ResourcePolicy::new("ResourcePolicy")),
            key,
        }
    }

    /// A secret that exists already, by its ARN with the six characters at the end.
    #[track_caller]
    pub fn from_arn(scope: &impl Scope, id: impl Into<String>, arn: impl IntoValue<String>) -> Self {
        let construct = Site::new(scope, id).make("secretsmanager.Secret");
        let arn = arn.into_value();
        Self::existing(construct, arn.clone(), arn)
    }

    /// A secret that exists already in the stack's account and region, by its name.
    #[track_caller]
    pub fn from_name(scope: &impl Scope, id: impl Into<String>, name: impl IntoValue<String>) -> Self {
        let construct = Site::new(scope, id).make("secretsmanager.Secret");
        let arn = Arn::new("secretsmanager", "secret")
            .name(name.into_value())
            .format(ArnFormat::Colon);
        let arn = Stack::of(&construct).format_arn(arn);
        let for_policies = Expr::concat([arn.clone(), "-??????".into()]);
        Self::existing(construct, arn.cast(), for_policies.cast())
    }

    fn existing(construct: Construct, arn: Value<String>, arn_for_policies: Value<String>) -> Self {
        Self {
            construct,
            arn: arn.cast(),
            arn_for_policies,
            policy: None,
            key: None,
        }
    }

    /// Stands where there is no secret and none was asked for; who asks is told by the construct.
    pub(crate) fn nowhere(construct: &Construct) -> Self {
        let nothing = || Value::from_expr(Expr::text(""));
        Self::existing(construct.clone(), nothing(), nothing())
    }

    pub fn secret_arn(&self) -> Value<id::secretsmanager::SecretId> {
        self.arn.clone()
    }

    /// A reference that CloudFormation replaces by a field of the secret when it deploys.
    pub fn value_of(&self, field: &str) -> Value<String> {
        let parts = [
            "{{resolve:secretsmanager:".into(),
            self.arn.clone().into_expr(),
            format!(":SecretString:{field}::}}}}").into(),
        ];
        Value::from_expr(Expr::concat(parts))
    }

    /// Ties the secret to what it opens, so that host and port are written into it too. The attached secret stands for
    /// the secret from then on.
    #[must_use]
    pub fn attach(&self, target_id: impl IntoValue<String>, target_type: &'static str) -> Self {
        let construct = Site::new(self, "Attachment").make("secretsmanager.SecretTargetAttachment");
        let properties = cfn::secretsmanager::SecretTargetAttachment::new()
            .secret_id(&self.arn)
            .target_id(target_id)
            .target_type(target_type);
        let resource = CfnResource::new(&construct, "Resource", properties);
        Self::owned(construct, resource.reference().cast(), self.key.clone())
    }

    /// The key of a secret that exists already, for grants.
    #[must_use]
    pub fn encrypted_with(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    pub(crate) fn with_key(mut self, key: Option<Key>) -> Self {
        self.key = key;
        self
    }

    pub fn encryption_key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    pub fn grant_read(&self, grantee: impl Into<Grantee>) {
        self.grant_reading(&grantee.into(), None);
    }

    /// As [`Secret::grant_read`], of these stages of its versions only: `AWSCURRENT`.
    pub fn grant_read_stages(&self, grantee: impl Into<Grantee>, stages: impl IntoIterator<Item = impl Into<String>>) {
        let stages = stages.into_iter().map(|stage| Expr::from(stage.into())).collect();
        self.grant_reading(&grantee.into(), Some(Expr::List(stages)));
    }

    fn grant_reading(&self, grantee: &Grantee, stages: Option<Expr>) {
        let actions = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"];
        let mut statement = PolicyStatement::allow(actions).on(&self.arn_for_policies);
        if let Some(stages) = stages {
            statement = statement.condition("ForAnyValue:StringEquals", [("secretsmanager:VersionStage", stages)]);
        }
        self.give(grantee, statement);
        if let Some(key) = &self.key {
            key.grant_decrypt(through_secrets_manager(&self.construct, grantee.principal()));
        }
    }

    pub fn grant_write(&self, grantee: impl Into<Grantee>) {
        let grantee = grantee.into();
        let actions = [
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecret",
            "secretsmanager:UpdateSecretVersionStage",
        ];
        self.give(&grantee, PolicyStatement::allow(actions).on(&self.arn_for_policies));
        if let Some(key) = &self.key {
            key.grant_encrypt(through_secrets_manager(&self.construct, grantee.principal()));
        }
    }

    fn give(&self, grantee: &Grantee, statement: PolicyStatement) {
        let (identity, principal) = grantee.parties();
        if let Some(identity) = identity {
            identity.add_to_policy(statement.clone());
        }
        if let Some(principal) = principal {
            self.add_to_resource_policy(statement.by(principal.clone()));
        }
    }

    /// Keeps everybody of the account from deleting it.
    pub fn deny_account_root_delete(&self) {
        let statement = PolicyStatement::deny(["secretsmanager:DeleteSecret"])
            .on_all()
            .by(Principal::account_root());
        self.add_to_resource_policy(statement);
    }

    /// Adds to the policy of the secret itself, which is made with the first statement. A secret that exists already
    /// keeps the policy that it has.
    pub fn add_to_resource_policy(&self, statement: PolicyStatement) {
        let Some(policy) = &self.policy else { return };
        policy.add(statement, |document| {
            let construct = Site::new(self, "Policy").make("secretsmanager.ResourcePolicy");
            let properties = cfn::secretsmanager::ResourcePolicy::new()
                .secret_id(&self.arn)
                .resource_policy(document);
            CfnResource::new(&construct, "Resource", properties).untyped()
        });
    }
}

/// The same principal, as far as Secrets Manager acts for it.
fn through_secrets_manager(construct: &Construct, principal: Principal) -> Principal {
    let service = cfn::text!["secretsmanager.", Stack::of(construct).region(), ".amazonaws.com"];
    principal.condition("StringEquals", [("kms:ViaService", service)])
}
