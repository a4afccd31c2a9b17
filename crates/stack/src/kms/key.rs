//! Keys: what they are for, and who may use and administer them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use cfn::{Accepts, Expr, IntoValue, Value, id};

use super::alias::Alias;
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::{Grantee, PolicyDocument, PolicyStatement, Principal};
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};
use crate::units::whole_days;

const POLICY: &str = "KeyPolicy";
const ADMIN_ACTIONS: [&str; 14] = [
    "kms:Create*",
    "kms:Describe*",
    "kms:Enable*",
    "kms:List*",
    "kms:Put*",
    "kms:Update*",
    "kms:Revoke*",
    "kms:Disable*",
    "kms:Get*",
    "kms:Delete*",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:ScheduleKeyDeletion",
    "kms:CancelKeyDeletion",
];
const ENCRYPT_ACTIONS: [&str; 3] = ["kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"];
const DECRYPT_ACTIONS: [&str; 1] = ["kms:Decrypt"];

/// What a key is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySpec {
    /// AES with 256 bits.
    SymmetricDefault,
    Rsa2048,
    Rsa3072,
    Rsa4096,
    EccNistP256,
    EccNistP384,
    EccNistP521,
    EccSecgP256k1,
    EccNistEdwards25519,
    Hmac224,
    Hmac256,
    Hmac384,
    Hmac512,
    MlDsa44,
    MlDsa65,
    MlDsa87,
    /// In China only.
    Sm2,
}

impl KeySpec {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SymmetricDefault => "SYMMETRIC_DEFAULT",
            Self::Rsa2048 => "RSA_2048",
            Self::Rsa3072 => "RSA_3072",
            Self::Rsa4096 => "RSA_4096",
            Self::EccNistP256 => "ECC_NIST_P256",
            Self::EccNistP384 => "ECC_NIST_P384",
            Self::EccNistP521 => "ECC_NIST_P521",
            Self::EccSecgP256k1 => "ECC_SECG_P256K1",
            Self::EccNistEdwards25519 => "ECC_NIST_EDWARDS25519",
            Self::Hmac224 => "HMAC_224",
            Self::Hmac256 => "HMAC_256",
            Self::Hmac384 => "HMAC_384",
            Self::Hmac512 => "HMAC_512",
            Self::MlDsa44 => "ML_DSA_44",
            Self::MlDsa65 => "ML_DSA_65",
            Self::MlDsa87 => "ML_DSA_87",
            Self::Sm2 => "SM2",
        }
    }

    /// Whether a key of this kind can be used so.
    const fn serves(self, usage: KeyUsage) -> bool {
        match usage {
            KeyUsage::EncryptDecrypt => matches!(
                self,
                Self::SymmetricDefault | Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 | Self::Sm2
            ),
            KeyUsage::SignVerify => !matches!(
                self,
                Self::SymmetricDefault | Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512
            ),
            KeyUsage::GenerateVerifyMac => {
                matches!(self, Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512)
            }
            KeyUsage::KeyAgreement => {
                matches!(
                    self,
                    Self::EccNistP256 | Self::EccNistP384 | Self::EccNistP521 | Self::Sm2
                )
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUsage {
    EncryptDecrypt,
    SignVerify,
    GenerateVerifyMac,
    KeyAgreement,
}

impl KeyUsage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::EncryptDecrypt => "ENCRYPT_DECRYPT",
            Self::SignVerify => "SIGN_VERIFY",
            Self::GenerateVerifyMac => "GENERATE_VERIFY_MAC",
            Self::KeyAgreement => "KEY_AGREEMENT",
        }
    }
}

/// A key of this app, or one that exists already. Stands wherever a key is wanted: `.encryption_key(&key)`.
#[derive(Clone)]
pub struct Key {
    construct: Construct,
    arn: Expr,
    id: Expr,
    own: Option<Own>,
    aliases: Rc<RefCell<Vec<Alias>>>,
}

/// What a key of this app is made of.
#[derive(Clone)]
struct Own {
    resource: CfnResource<cfn::kms::Key>,
    policy: Rc<RefCell<PolicyDocument>>,
}

impl Scope for Key {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl<T: Accepts<id::kms::KeyArn>> IntoValue<T> for &Key {
    fn into_value(self) -> Value<T> {
        self.key_arn().cast()
    }
}

#[must_use = "nothing is made until `build`"]
pub struct KeyBuilder {
    site: Site,
    properties: cfn::kms::Key,
    alias: Option<String>,
    rotation: Option<bool>,
    rotation_period: Option<Duration>,
    pending_window: Option<Duration>,
    spec: Option<KeySpec>,
    usage: Option<KeyUsage>,
    policy: Option<PolicyDocument>,
    admins: Vec<Grantee>,
    removal_policy: RemovalPolicy,
}

impl KeyBuilder {
    /// A name for the key, with or without `alias/`.
    pub fn alias(mut self, name: impl Into<String>) -> Self {
        self.alias = Some(name.into());
        self
    }

    pub fn description(mut self, description: impl IntoValue<String>) -> Self {
        self.properties = self.properties.description(description);
        self
    }

    /// Whether it gets new material from time to time: every year, unless [`KeyBuilder::rotation_period`] says more.
    pub fn enable_key_rotation(mut self, on: bool) -> Self {
        self.rotation = Some(on);
        self
    }

    /// 90 to 2560 days.
    pub fn rotation_period(mut self, period: Duration) -> Self {
        self.rotation_period = Some(period);
        self
    }

    /// Whether it can be used; it can if nothing is said.
    pub fn enabled(mut self, on: bool) -> Self {
        self.properties = self.properties.enabled(on);
        self
    }

    /// Symmetric if nothing is said.
    pub fn key_spec(mut self, spec: KeySpec) -> Self {
        self.spec = Some(spec);
        self
    }

    /// To encrypt and decrypt if nothing is said.
    pub fn key_usage(mut self, usage: KeyUsage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// The same key can be made in other regions.
    pub fn multi_region(mut self, on: bool) -> Self {
        self.properties = self.properties.multi_region(on);
        self
    }

    /// How long a deleted key can be taken back: 7 to 30 days.
    pub fn pending_window(mut self, window: Duration) -> Self {
        self.pending_window = Some(window);
        self
    }

    /// Instead of what lets the account itself decide, by the policies of identities, who may use the key. Nobody but
    /// whom it names can administer the key then.
    pub fn policy(mut self, policy: PolicyDocument) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Who may administer the key, but not use it.
    pub fn admin(mut self, grantee: impl Into<Grantee>) -> Self {
        self.admins.push(grantee.into());
        self
    }

    /// Kept if nothing is said.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = policy;
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::kms::Key) -> cfn::kms::Key) -> Self {
        self.properties = change(self.properties);
        self
    }

    fn check(&self, construct: &Construct) {
        let spec = self.spec.unwrap_or(KeySpec::SymmetricDefault);
        let usage = self.usage.unwrap_or(KeyUsage::EncryptDecrypt);
        if !spec.serves(usage) {
            construct.report(format!(
                "a key of kind {} is not used for {}",
                spec.as_str(),
                usage.as_str()
            ));
        }
        if self.rotation == Some(true) && spec != KeySpec::SymmetricDefault {
            construct.report("only symmetric keys are rotated");
        }
        let outside = |value: Option<Duration>, least: u64, most: u64| {
            value.is_some_and(|value| !(least..=most).contains(&whole_days(value)))
        };
        if outside(self.rotation_period, 90, 2560) {
            construct.report("a key is rotated every 90 to 2560 days");
        }
        if self.rotation_period.is_some() && self.rotation == Some(false) {
            construct.report("a key that is not rotated has no rotation period");
        }
        if outside(self.pending_window, 7, 30) {
            construct.report("a deleted key can be taken back for 7 to 30 days");
        }
    }

    pub fn build(self) -> Key {
        let construct = self.site.clone().make("kms.Key");
        self.check(&construct);
        let days = |duration: Duration| i64::try_from(whole_days(duration)).unwrap_or(i64::MAX);
        let mut properties = self.properties;
        if let Some(on) = self.rotation.or(self.rotation_period.is_some().then_some(true)) {
            properties = properties.enable_key_rotation(on);
        }
        if let Some(period) = self.rotation_period {
            properties = properties.rotation_period_in_days(days(period));
        }
        if let Some(window) = self.pending_window {
            properties = properties.pending_window_in_days(days(window));
        }
        if let Some(spec) = self.spec {
            properties = properties.key_spec(spec.as_str());
        }
        if let Some(usage) = self.usage {
            properties = properties.key_usage(usage.as_str());
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(self.removal_policy);
        let policy = self.policy.unwrap_or_else(|| {
            let account = PolicyStatement::allow(["kms:*"]).on_all().by(Principal::account_root());
            PolicyDocument::new([account])
        });
        resource.set(POLICY, Some(policy.render()));
        let own = Own {
            resource: resource.clone(),
            policy: Rc::new(RefCell::new(policy)),
        };
        let key = Key {
            construct,
            arn: resource.arn().into_expr(),
            id: resource.reference().into_expr(),
            own: Some(own),
            aliases: Rc::default(),
        };
        for admin in self.admins {
            key.grant_admin(admin);
        }
        if let Some(name) = self.alias {
            key.add_alias(&name);
        }
        key
    }
}

impl Key {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> KeyBuilder {
        KeyBuilder {
            site: Site::new(scope, id),
            properties: cfn::kms::Key::new(),
            alias: None,
            rotation: None,
            rotation_period: None,
            pending_window: None,
            spec: None,
            usage: None,
            policy: None,
            admins: Vec::new(),
            removal_policy: RemovalPolicy::Retain,
        }
    }

    /// A key that exists already. Grants go to the policies of identities; its own policy stays as it is.
    #[track_caller]
    pub fn from_arn(scope: &impl Scope, id: impl Into<String>, arn: impl IntoValue<id::kms::KeyArn>) -> Self {
        let construct = Site::new(scope, id).make("kms.Key");
        let arn = arn.into_value().into_expr();
        let key_id = match arn.as_text().map(|arn| arn.rsplit_once('/')) {
            Some(Some((_, key_id))) => Expr::text(key_id.to_owned()),
            Some(None) => {
                construct.report("the ARN of a key ends with `key/` and its id");
                Expr::text("")
            }
            None => {
                let parts = cfn::intrinsics::split("/", arn.clone().cast::<String>());
                cfn::intrinsics::select(1, parts).into_expr()
            }
        };
        Self {
            construct,
            arn,
            id: key_id,
            own: None,
            aliases: Rc::default(),
        }
    }

    pub fn key_arn(&self) -> Value<id::kms::KeyArn> {
        Value::from_expr(self.arn.clone())
    }

    pub fn key_id(&self) -> Value<id::kms::KeyId> {
        Value::from_expr(self.id.clone())
    }

    /// Of a key that exists already there is none, which is reported.
    pub fn resource(&self) -> CfnResource<cfn::kms::Key> {
        let known = self.own.as_ref().map(|own| own.resource.clone());
        known.unwrap_or_else(|| CfnResource::elsewhere(&self.construct))
    }

    /// A further name, with or without `alias/`.
    #[track_caller]
    pub fn add_alias(&self, name: &str) -> Alias {
        let id = if self.aliases.borrow().is_empty() {
            "Alias".to_owned()
        } else {
            format!("Alias{name}")
        };
        let alias = Alias::new(self, id, name, self).build();
        self.aliases.borrow_mut().push(alias.clone());
        alias
    }

    /// Adds to the policy of the key itself. That of a key that exists already stays as it is.
    pub fn add_to_resource_policy(&self, statement: PolicyStatement) {
        let Some(own) = &self.own else { return };
        let mut policy = own.policy.borrow_mut();
        policy.add(statement);
        own.resource.set(POLICY, Some(policy.render()));
    }

    /// Lets somebody use the key: by the policy of the identity, or by the key's own where there is none or the identity
    /// is of another account or region.
    pub fn grant(&self, grantee: impl Into<Grantee>, actions: impl IntoIterator<Item = impl Into<String>>) {
        let grantee = grantee.into();
        let statement = PolicyStatement::allow(actions);
        let far = grantee.identity().is_some_and(|identity| {
            let environment = |scope: &Construct| Stack::of(scope).known_environment();
            environment(identity.construct()) != environment(&self.construct)
        });
        let (with_policy, outside) = grantee.parties();
        if let Some(identity) = with_policy {
            let statement = statement.clone();
            // Across accounts and regions there is no reference to the key.
            identity.add_to_policy(if far {
                statement.on_all()
            } else {
                statement.on(self.key_arn())
            });
        }
        let named = if far {
            Some(grantee.principal())
        } else {
            outside.cloned()
        };
        if let Some(principal) = named {
            self.add_to_resource_policy(statement.on_all().by(principal));
        }
    }

    pub fn grant_admin(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ADMIN_ACTIONS);
    }

    pub fn grant_decrypt(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, DECRYPT_ACTIONS);
    }

    pub fn grant_encrypt(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ENCRYPT_ACTIONS);
    }

    pub fn grant_encrypt_decrypt(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, [&DECRYPT_ACTIONS[..], &ENCRYPT_ACTIONS].concat());
    }

    pub fn grant_sign(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ["kms:Sign"]);
    }

    pub fn grant_verify(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ["kms:Verify"]);
    }

    pub fn grant_sign_verify(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ["kms:Sign", "kms:Verify"]);
    }

    pub fn grant_generate_mac(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ["kms:GenerateMac"]);
    }

    pub fn grant_verify_mac(&self, grantee: impl Into<Grantee>) {
        self.grant(grantee, ["kms:VerifyMac"]);
    }
}
