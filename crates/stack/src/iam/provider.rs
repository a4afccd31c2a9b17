//! Providers of identities (OpenID Connect and SAML) and instance profiles.

use cfn::{IntoValue, Value};

use super::policy::Principal;
use super::role::Role;
use crate::element::CfnResource;
use crate::site::Site;
use crate::tree::{Construct, Scope};

/// What IAM takes in one provider.
const MOST_CLIENTS: usize = 100;
const MOST_THUMBPRINTS: usize = 5;
const THUMBPRINT_LENGTH: usize = 40;
/// Where the console's sign-in by SAML posts to.
const CONSOLE_AUDIENCE: &str = "https://signin.aws.amazon.com/saml";

/// A provider of OpenID Connect, such as GitHub Actions: who it signs for may take on roles without a stored key.
#[derive(Clone)]
pub struct OidcProvider {
    construct: Construct,
    resource: CfnResource<cfn::iam::OIDCProvider>,
}

impl Scope for OidcProvider {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct OidcProviderBuilder {
    site: Site,
    url: String,
    client_ids: Vec<String>,
    thumbprints: Vec<String>,
}

impl OidcProviderBuilder {
    /// Whom the provider's tokens are for: `sts.amazonaws.com`.
    pub fn client_ids(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.client_ids = ids.into_iter().map(Into::into).collect();
        self
    }

    /// SHA-1 of the provider's certificates, forty hexadecimal digits each; AWS finds them where none are given.
    pub fn thumbprints(mut self, thumbprints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.thumbprints = thumbprints.into_iter().map(Into::into).collect();
        self
    }

    pub fn build(self) -> OidcProvider {
        let construct = self.site.make("iam.OidcProviderNative");
        if !self.url.starts_with("https://") {
            construct.report("the URL of an identity provider begins with https://");
        }
        if self.client_ids.len() > MOST_CLIENTS {
            construct.report(format!("a provider has at most {MOST_CLIENTS} clients"));
        }
        if self.thumbprints.len() > MOST_THUMBPRINTS {
            construct.report(format!("a provider has at most {MOST_THUMBPRINTS} thumbprints"));
        }
        let is_thumbprint =
            |text: &String| text.len() == THUMBPRINT_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(wrong) = self.thumbprints.iter().find(|text| !is_thumbprint(text)) {
            construct.report(format!(
                "a thumbprint has {THUMBPRINT_LENGTH} hexadecimal digits, unlike `{wrong}`"
            ));
        }
        let mut properties = cfn::iam::OIDCProvider::new().url(self.url);
        if !self.client_ids.is_empty() {
            properties = properties.client_id_list(self.client_ids);
        }
        if !self.thumbprints.is_empty() {
            properties = properties.thumbprint_list(self.thumbprints);
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        OidcProvider { construct, resource }
    }
}

impl OidcProvider {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, url: impl Into<String>) -> OidcProviderBuilder {
        OidcProviderBuilder {
            site: Site::new(scope, id),
            url: url.into(),
            client_ids: Vec::new(),
            thumbprints: Vec::new(),
        }
    }

    pub fn provider_arn(&self) -> Value<String> {
        self.resource.reference().cast()
    }

    /// Who the provider signs for. Narrow it with conditions on `PROVIDER:aud` and `PROVIDER:sub`.
    pub fn principal(&self) -> Principal {
        Principal::web_identity(self.provider_arn())
    }

    pub fn resource(&self) -> &CfnResource<cfn::iam::OIDCProvider> {
        &self.resource
    }
}

/// A provider of SAML, such as a company's single sign-on.
#[derive(Clone)]
pub struct SamlProvider {
    construct: Construct,
    resource: CfnResource<cfn::iam::SAMLProvider>,
}

impl Scope for SamlProvider {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl SamlProvider {
    /// `metadata` is the XML document that the provider publishes.
    #[track_caller]
    pub fn new(scope: &impl Scope, id: impl Into<String>, metadata: impl IntoValue<String>) -> Self {
        Self::make(Site::new(scope, id), cfn::iam::SAMLProvider::new(), metadata)
    }

    #[track_caller]
    pub fn named(
        scope: &impl Scope,
        id: impl Into<String>,
        name: impl IntoValue<String>,
        metadata: impl IntoValue<String>,
    ) -> Self {
        Self::make(Site::new(scope, id), cfn::iam::SAMLProvider::new().name(name), metadata)
    }

    fn make(site: Site, properties: cfn::iam::SAMLProvider, metadata: impl IntoValue<String>) -> Self {
        let construct = site.make("iam.SamlProvider");
        let resource = CfnResource::new(&construct, "Resource", properties.saml_metadata_document(metadata));
        Self { construct, resource }
    }

    pub fn provider_arn(&self) -> Value<String> {
        self.resource.reference().cast()
    }

    pub fn principal(&self) -> Principal {
        Principal::saml(self.provider_arn())
    }

    /// Who signs in to the console through it.
    pub fn console_principal(&self) -> Principal {
        self.principal()
            .condition("StringEquals", [("SAML:aud", CONSOLE_AUDIENCE)])
    }

    pub fn resource(&self) -> &CfnResource<cfn::iam::SAMLProvider> {
        &self.resource
    }
}

/// What gives a role to the machines of EC2.
#[derive(Clone)]
pub struct InstanceProfile {
    construct: Construct,
    resource: CfnResource<cfn::iam::InstanceProfile>,
    role: Role,
}

impl Scope for InstanceProfile {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct InstanceProfileBuilder {
    site: Site,
    name: Option<Value<String>>,
    path: Option<Value<String>>,
    role: Option<Role>,
}

impl InstanceProfileBuilder {
    pub fn instance_profile_name(mut self, name: impl IntoValue<String>) -> Self {
        self.name = Some(name.into_value());
        self
    }

    pub fn path(mut self, path: impl IntoValue<String>) -> Self {
        self.path = Some(path.into_value());
        self
    }

    /// Without one a role that machines may take on is made.
    pub fn role(mut self, role: &Role) -> Self {
        self.role = Some(role.clone());
        self
    }

    pub fn build(self) -> InstanceProfile {
        let construct = self.site.make("iam.InstanceProfile");
        let machines = || Principal::service("ec2.amazonaws.com");
        let role = self
            .role
            .unwrap_or_else(|| Role::new(&construct, "InstanceRole", machines()).build());
        let mut properties = cfn::iam::InstanceProfile::new().roles([role.role_name()]);
        if let Some(name) = self.name {
            properties = properties.instance_profile_name(name);
        }
        if let Some(path) = self.path {
            properties = properties.path(path);
        }
        let resource = CfnResource::new(&construct, "Resource", properties);
        InstanceProfile {
            construct,
            resource,
            role,
        }
    }
}

impl InstanceProfile {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> InstanceProfileBuilder {
        InstanceProfileBuilder {
            site: Site::new(scope, id),
            name: None,
            path: None,
            role: None,
        }
    }

    pub fn role(&self) -> &Role {
        &self.role
    }

    pub fn resource(&self) -> &CfnResource<cfn::iam::InstanceProfile> {
        &self.resource
    }
}
