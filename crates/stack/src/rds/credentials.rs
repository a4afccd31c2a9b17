//! Who the first user of a database is, and the secret that holds the password.

use cfn::secretsmanager::secret::GenerateSecretString;
use cfn::{IntoValue, Value};
use serde_json::json;

use super::engine::Product;
use crate::kms::Key;
use crate::logical_id::{last_characters, md5_hex};
use crate::secretsmanager::Secret;
use crate::site::Site;
use crate::tree::{Construct, Scope};

/// Characters that break connection strings or shells.
const EXCLUDED_CHARACTERS: &str = " %+~`#$&*()|[]{}:;<>?!'/@\"\\";
const PASSWORD_LENGTH: u32 = 30;
const MOST_CHARACTERS_OF_A_LOGICAL_ID: usize = 255;

/// What a generated secret is like.
#[derive(Clone, Default)]
struct Generated {
    secret_name: Option<String>,
    encryption_key: Option<Key>,
    excluded_characters: Option<String>,
    replica_regions: Vec<String>,
    /// The logical id of the secret follows the characters that its password must not have.
    replace_on_criteria: bool,
}

/// The first user of a database. Passwords never stand in a template.
#[derive(Clone)]
pub struct Credentials(Kind);

#[derive(Clone)]
enum Kind {
    Generated { username: String, how: Generated },
    Secret { username: Option<String>, secret: Secret },
    Password { username: String, password: Value<String> },
    Managed { username: String, key: Option<Key> },
}

impl Credentials {
    /// A user with a generated password.
    pub fn username(name: impl Into<String>) -> Self {
        Self(Kind::Generated {
            username: name.into(),
            how: Generated::default(),
        })
    }

    /// As [`Credentials::username`]; a change of what a password may be makes a new secret.
    pub fn generated_secret(name: impl Into<String>) -> Self {
        let how = Generated {
            replace_on_criteria: true,
            ..Generated::default()
        };
        Self(Kind::Generated {
            username: name.into(),
            how,
        })
    }

    /// The fields `username` and `password` of a secret.
    pub fn secret(secret: &Secret) -> Self {
        Self(Kind::Secret {
            username: None,
            secret: secret.clone(),
        })
    }

    /// As [`Credentials::secret`], for a secret that does not name the user.
    pub fn secret_of(username: impl Into<String>, secret: &Secret) -> Self {
        Self(Kind::Secret {
            username: Some(username.into()),
            secret: secret.clone(),
        })
    }

    /// A password that a reference yields: `Secret::value_of`, `{{resolve:ssm-secure:name}}`, or a parameter that is not
    /// shown. A literal password is refused. The database has no [`secret`](super::DatabaseInstance::secret) then.
    pub fn password(username: impl Into<String>, password: impl IntoValue<String>) -> Self {
        Self(Kind::Password {
            username: username.into(),
            password: password.into_value(),
        })
    }

    /// RDS makes the secret, and changes the password by itself.
    pub fn managed(username: impl Into<String>) -> Self {
        Self(Kind::Managed {
            username: username.into(),
            key: None,
        })
    }

    fn generated(mut self, change: impl FnOnce(&mut Generated)) -> Self {
        if let Kind::Generated { how, .. } = &mut self.0 {
            change(how);
        }
        self
    }

    /// Of the generated secret.
    #[must_use]
    pub fn secret_name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.generated(|how| how.secret_name = Some(name))
    }

    /// Encrypts the secret, whether it is generated or managed.
    #[must_use]
    pub fn encryption_key(mut self, key: &Key) -> Self {
        let key = key.clone();
        if let Kind::Managed { key: slot, .. } = &mut self.0 {
            *slot = Some(key);
            return self;
        }
        self.generated(|how| how.encryption_key = Some(key))
    }

    /// What the generated password must not hold, instead of what breaks connection strings.
    #[must_use]
    pub fn exclude_characters(self, characters: impl Into<String>) -> Self {
        let characters = characters.into();
        self.generated(|how| how.excluded_characters = Some(characters))
    }

    /// Another region that has a copy of the generated secret.
    #[must_use]
    pub fn replica_region(self, region: impl Into<String>) -> Self {
        let region = region.into();
        self.generated(|how| how.replica_regions.push(region))
    }
}

/// What a database is told about its first user.
#[derive(Default)]
pub(super) struct Login {
    pub(super) username: Option<Value<String>>,
    pub(super) password: Option<Value<String>>,
    pub(super) secret: Option<Secret>,
    /// RDS keeps the password, under this key if there is one.
    pub(super) managed: Option<Option<Key>>,
}

impl Login {
    /// Makes the secret, with `id`, if one is wanted.
    pub(super) fn make(database: &Construct, id: &str, product: &Product, credentials: Option<&Credentials>) -> Self {
        let usual = Credentials::username(product.default_username);
        match &credentials.unwrap_or(&usual).0 {
            Kind::Generated { username, how } => {
                let secret = how.make(Site::new(database, id), username, None, None);
                Self {
                    username: Some(if how.replace_on_criteria {
                        username.into_value()
                    } else {
                        secret.value_of("username")
                    }),
                    password: Some(secret.value_of("password")),
                    secret: Some(secret),
                    managed: None,
                }
            }
            Kind::Secret { username, secret } => Self {
                username: Some(match username {
                    Some(name) => name.into_value(),
                    None => secret.value_of("username"),
                }),
                password: Some(secret.value_of("password")),
                secret: Some(secret.clone()),
                managed: None,
            },
            Kind::Password { username, password } => {
                let text = password.expr().as_text();
                if text.is_some_and(|text| !text.starts_with("{{resolve:")) {
                    database.report(
                        "a password would stand in the template for everybody to read; give a reference to a secret",
                    );
                }
                Self {
                    username: Some(username.into_value()),
                    password: Some(password.clone()),
                    ..Self::default()
                }
            }
            Kind::Managed { username, key } => Self {
                username: Some(username.into_value()),
                managed: Some(key.clone()),
                ..Self::default()
            },
        }
    }
}

/// A secret as databases want it: user, generated password, and later host and port.
#[derive(Clone)]
#[must_use = "nothing is made until `build`"]
pub struct DatabaseSecret {
    site: Site,
    username: String,
    database_name: Option<String>,
    master_secret: Option<Secret>,
    how: Generated,
}

impl DatabaseSecret {
    #[track_caller]
    pub fn new(scope: &impl Scope, id: impl Into<String>, username: impl Into<String>) -> Self {
        Self {
            site: Site::new(scope, id),
            username: username.into(),
            database_name: None,
            master_secret: None,
            how: Generated::default(),
        }
    }

    pub fn secret_name(mut self, name: impl Into<String>) -> Self {
        self.how.secret_name = Some(name.into());
        self
    }

    pub fn encryption_key(mut self, key: &Key) -> Self {
        self.how.encryption_key = Some(key.clone());
        self
    }

    /// What the password must not hold, instead of what breaks connection strings.
    pub fn exclude_characters(mut self, characters: impl Into<String>) -> Self {
        self.how.excluded_characters = Some(characters.into());
        self
    }

    /// A change of what the password may be makes a new secret.
    pub fn replace_on_password_criteria_changes(mut self) -> Self {
        self.how.replace_on_criteria = true;
        self
    }

    pub fn replica_region(mut self, region: impl Into<String>) -> Self {
        self.how.replica_regions.push(region.into());
        self
    }

    /// Written into the secret as `dbname`.
    pub fn database_name(mut self, name: impl Into<String>) -> Self {
        self.database_name = Some(name.into());
        self
    }

    /// The secret of the user that may change this user's password, written into the secret as `masterarn`.
    pub fn master_secret(mut self, secret: &Secret) -> Self {
        self.master_secret = Some(secret.clone());
        self
    }

    pub fn build(self) -> Secret {
        let Self {
            site,
            username,
            database_name,
            master_secret,
            how,
        } = self;
        how.make(site, &username, database_name.as_deref(), master_secret.as_ref())
    }
}

impl Generated {
    fn make(&self, site: Site, username: &str, database_name: Option<&str>, master: Option<&Secret>) -> Secret {
        let description = cfn::text!["Generated by the CDK for stack: ", cfn::pseudo::stack_name()];
        let excluded = self.excluded_characters.as_deref().unwrap_or(EXCLUDED_CHARACTERS);
        let mut fields = cfn::Map::new();
        fields.insert("username", username.to_owned());
        if let Some(name) = database_name {
            fields.insert("dbname", name.to_owned());
        }
        if let Some(master) = master {
            fields.insert("masterarn", master.secret_arn());
        }
        let mut secret = Secret::at(site)
            .description(description)
            .template_of(fields, "password")
            .generate(|generate: GenerateSecretString| {
                generate.password_length(PASSWORD_LENGTH).exclude_characters(excluded)
            });
        if let Some(name) = &self.secret_name {
            secret = secret.secret_name(name);
        }
        if let Some(key) = &self.encryption_key {
            secret = secret.encryption_key(key);
        }
        for region in &self.replica_regions {
            secret = secret.replica_region(region);
        }
        let secret = secret.build();
        if self.replace_on_criteria {
            let criteria = json!({ "excludeCharacters": excluded }).to_string();
            let id = format!("{}{}", secret.construct().unique_id(), md5_hex(&criteria));
            secret
                .construct()
                .resource()
                .override_logical_id(last_characters(&id, MOST_CHARACTERS_OF_A_LOGICAL_ID));
        }
        secret
    }
}
