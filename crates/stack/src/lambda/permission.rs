//! Who may invoke a function, a version or an alias.

use cfn::{Expr, IntoValue, Value};

use crate::element::CfnResource;
use crate::iam::{Grantee, PolicyStatement, Principal};
use crate::logical_id::sha256_base64;
use crate::tree::{Construct, Scope};

/// A permission in the policy of a function.
#[derive(Clone, Debug)]
pub struct Permission {
    principal: Principal,
    action: String,
    source_arn: Option<Expr>,
    source_account: Option<Expr>,
    url_auth_type: Option<&'static str>,
    through_url: bool,
}

impl Permission {
    /// `principal` may invoke.
    pub fn new(principal: Principal) -> Self {
        Self {
            principal,
            action: "lambda:InvokeFunction".into(),
            source_arn: None,
            source_account: None,
            url_auth_type: None,
            through_url: false,
        }
    }

    #[must_use]
    pub fn action(mut self, action: impl Into<String>) -> Self {
        self.action = action.into();
        self
    }

    /// Only on behalf of this resource.
    #[must_use]
    pub fn source_arn(mut self, arn: impl IntoValue<String>) -> Self {
        self.source_arn = Some(arn.into_value().into_expr());
        self
    }

    /// Only through a URL of this kind.
    pub(crate) fn url_auth_type(mut self, kind: &'static str) -> Self {
        self.url_auth_type = Some(kind);
        self
    }

    /// Only through a URL.
    pub(crate) fn through_url(mut self) -> Self {
        self.through_url = true;
        self
    }

    /// Only on behalf of this account.
    #[must_use]
    pub fn source_account(mut self, account: impl IntoValue<String>) -> Self {
        self.source_account = Some(account.into_value().into_expr());
        self
    }
}

/// What can be invoked: a function, a version of it, or an alias.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot be invoked",
    label = "a function, a version or an alias belongs here"
)]
pub trait Invocable: Scope {
    /// With the qualifier, for versions and aliases.
    fn invocable_arn(&self) -> Value<String>;

    /// The ARNs that a grant to invoke is about.
    fn arns_to_invoke(&self) -> Vec<Value<String>> {
        vec![self.invocable_arn()]
    }

    /// The name that the function was given, if it was.
    fn given_name(&self) -> GivenName;

    /// Adds a permission as a resource called `id` in this construct.
    #[track_caller]
    fn add_permission(&self, id: &str, permission: &Permission) -> CfnResource<cfn::lambda::Permission> {
        self.add_permission_in(self.construct(), id, permission)
    }

    /// As [`Invocable::add_permission`], with the resource in another construct.
    #[track_caller]
    fn add_permission_in(
        &self,
        scope: &Construct,
        id: &str,
        permission: &Permission,
    ) -> CfnResource<cfn::lambda::Permission> {
        let principal = permission.principal.of_permission().unwrap_or_else(|| {
            self.construct()
                .report("a permission of a function names a service, an account or an ARN");
            Expr::text("")
        });
        let mut properties = cfn::lambda::Permission::new()
            .action(permission.action.as_str())
            .function_name(self.invocable_arn())
            .principal(principal.cast::<String>());
        if let Some(arn) = &permission.source_arn {
            properties = properties.source_arn(arn.clone().cast::<String>());
        }
        if let Some(account) = &permission.source_account {
            properties = properties.source_account(account.clone().cast::<String>());
        }
        if let Some(kind) = permission.url_auth_type {
            properties = properties.function_url_auth_type(kind);
        }
        if permission.through_url {
            properties = properties.invoked_via_function_url(true);
        }
        CfnResource::new(scope, id, properties)
    }

    fn grant_invoke(&self, grantee: impl Into<Grantee>)
    where
        Self: Sized,
    {
        let grantee = grantee.into();
        let (identity, principal) = grantee.parties();
        if let Some(identity) = identity {
            let mut statement = PolicyStatement::allow(["lambda:InvokeFunction"]);
            for arn in self.arns_to_invoke() {
                statement = statement.on(arn);
            }
            identity.add_to_policy(statement);
        }
        if let Some(principal) = principal {
            // The id that the CDK gives: a hash of the principal, with what base64 holds beside letters and digits.
            let subject = format!(r#"{{"principal":"{}","conditions":{{}}}}"#, principal.display());
            let id = format!("Invoke{}", sha256_base64(&subject));
            if self.construct().find_child(&id.replace('/', "--")).is_none() {
                self.add_permission(&id, &Permission::new(principal.clone()));
            }
        }
    }
}

/// What is known of a function's name when the app runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenName {
    /// CloudFormation will make one up.
    None,
    Given(String),
    /// Known at deployment only.
    Unknown,
}
