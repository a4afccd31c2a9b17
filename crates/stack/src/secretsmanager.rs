//! Secrets that AWS generates. Their values never stand in a template, only dynamic references to them.

use cfn::secretsmanager::secret::GenerateSecretString;
use cfn::{Expr, IntoValue, Value, id};

use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::{Grant, Grantee, PolicyStatement, ResourcePolicy};
use crate::site::Site;
use crate::tree::{Construct, Scope};

#[derive(Clone)]
pub struct Secret {
    construct: Construct,
    arn: Value<id::secretsmanager::SecretId>,
    policy: ResourcePolicy,
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
    removal_policy: RemovalPolicy,
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

    /// How the value is generated: length, alphabet.
    pub fn generate(mut self, how: impl FnOnce(GenerateSecretString) -> GenerateSecretString) -> Self {
        self.generate = how(self.generate);
        self
    }

    pub fn encryption_key(mut self, key: impl IntoValue<id::kms::AnyKey>) -> Self {
        self.properties = self.properties.kms_key_id(key);
        self
    }

    /// Destroyed if nothing is said.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = policy;
        self
    }

    pub fn build(self) -> Secret {
        let construct = self.site.make("secretsmanager.Secret");
        let resource = CfnResource::new(
            &construct,
            "Resource",
            self.properties.generate_secret_string(self.generate),
        );
        resource.apply_removal_policy(self.removal_policy);
        Secret {
            construct,
            arn: resource.reference(),
            policy: ResourcePolicy::new("ResourcePolicy"),
        }
    }
}

impl Secret {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> SecretBuilder {
        SecretBuilder {
            site: Site::new(scope, id),
            properties: cfn::secretsmanager::Secret::new(),
            generate: GenerateSecretString::new(),
            removal_policy: RemovalPolicy::Destroy,
        }
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
        Self {
            construct,
            arn: resource.reference().cast(),
            policy: ResourcePolicy::new("ResourcePolicy"),
        }
    }

    pub fn grant_read(&self, grantee: impl Into<Grantee>) {
        let grant = Grant::new(
            ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            [self.arn.clone()],
        );
        grant.to(&grantee.into(), |statement| self.add_to_resource_policy(statement));
    }

    pub fn grant_write(&self, grantee: impl Into<Grantee>) {
        let actions = [
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecret",
            "secretsmanager:UpdateSecretVersionStage",
        ];
        Grant::new(actions, [self.arn.clone()]).to(&grantee.into(), |statement| self.add_to_resource_policy(statement));
    }

    /// Adds to the policy of the secret itself, which is made with the first statement.
    pub fn add_to_resource_policy(&self, statement: PolicyStatement) {
        self.policy.add(statement, |document| {
            let construct = Site::new(self, "Policy").make("secretsmanager.ResourcePolicy");
            let properties = cfn::secretsmanager::ResourcePolicy::new()
                .secret_id(&self.arn)
                .resource_policy(document);
            CfnResource::new(&construct, "Resource", properties).untyped()
        });
    }
}
