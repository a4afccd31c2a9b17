//! Database engines, and who their first user is.

/// An engine with a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    pub(crate) name: &'static str,
    pub(crate) version: EngineVersion,
    pub(crate) default_username: &'static str,
}

/// A full version: `15.17`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineVersion(pub(crate) String);

impl Engine {
    /// The family of parameter groups: `postgres15`, `mysql8.4`.
    pub(crate) fn parameter_group_family(&self) -> String {
        let parts = if self.name == "postgres" { 1 } else { 2 };
        let major: Vec<&str> = self.version.0.split('.').take(parts).collect();
        format!("{}{}", self.name, major.join("."))
    }
}

/// PostgreSQL of a version: `postgres("15.17")`.
pub fn postgres(version: impl Into<String>) -> Engine {
    Engine {
        name: "postgres",
        version: EngineVersion(version.into()),
        default_username: "postgres",
    }
}

/// MySQL of a version: `mysql("8.4.5")`.
pub fn mysql(version: impl Into<String>) -> Engine {
    Engine {
        name: "mysql",
        version: EngineVersion(version.into()),
        default_username: "admin",
    }
}

/// The first user of a database. The password is always generated and never seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub(crate) username: String,
    pub(crate) secret_name: Option<String>,
    /// The logical id of the secret follows the characters that its password must not have.
    pub(crate) replace_on_criteria: bool,
}

impl Credentials {
    /// A user with a generated password.
    pub fn username(name: impl Into<String>) -> Self {
        Self {
            username: name.into(),
            secret_name: None,
            replace_on_criteria: false,
        }
    }

    /// As [`Credentials::username`]; a change of what a password may be makes a new secret.
    pub fn generated_secret(name: impl Into<String>) -> Self {
        Self {
            username: name.into(),
            secret_name: None,
            replace_on_criteria: true,
        }
    }

    #[must_use]
    pub fn secret_name(mut self, name: impl Into<String>) -> Self {
        self.secret_name = Some(name.into());
        self
    }
}
