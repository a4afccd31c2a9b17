//! Secrets that anybody who may read the template can read. Messages never hold the value.

use crate::policy::{Declaration, Resource, Rule, Setting};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::parameters("LDP701", "secret parameters are not shown", parameter)
            .reason("the console and every description of the stack show it")
            .fix("keep it in Secrets Manager and refer to it; a parameter needs `NoEcho` and no default at the least"),
        Rule::resources("LDP702", "the environment holds no secrets", environment)
            .reason("whoever may look at the function's settings or at the template reads it")
            .fix("keep it in Secrets Manager or in a SecureString parameter and let the function read it"),
        Rule::resources("LDP703", "passwords do not stand in templates", password)
            .reason("the template, its history and the stack's description hold it in plain")
            .fix("let Secrets Manager generate it and refer to it by `{{resolve:secretsmanager:…}}`"),
    ]
}

const SECRET_WORDS: [&str; 7] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "credentials",
];
const SECRET_KEYS: [&str; 5] = ["api", "private", "secret", "access", "encryption"];

/// Whether a name says that its value is a secret. `DB_SECRET_ARN` names a secret, `DB_SECRET` is one.
fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    match words.as_slice() {
        [.., last] if SECRET_WORDS.contains(&last.as_str()) => true,
        [.., kind, last] if last == "key" => SECRET_KEYS.contains(&kind.as_str()),
        [only] => only == "apikey" || only.ends_with("password"),
        _ => false,
    }
}

/// The words of `camelCase`, `PascalCase`, `SNAKE_CASE` and `kebab-case`, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous = '_';
    for character in name.chars() {
        let begins = !previous.is_alphanumeric() || previous.is_lowercase() && character.is_uppercase();
        if character.is_alphanumeric() {
            if begins {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(character.to_lowercase());
            }
        }
        previous = character;
    }
    words
}

/// A text that is a value and not a reference that CloudFormation resolves.
fn is_plain(value: Setting<'_>) -> bool {
    value
        .text()
        .is_some_and(|text| !text.is_empty() && !text.contains("{{resolve:"))
}

/// Access keys of AWS have a shape of their own
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>).
fn is_access_key(text: &str) -> bool {
    text.len() == 20 && text.starts_with("AKIA") && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn parameter(declaration: &Declaration<'_>) -> Option<String> {
    let no_echo = declaration.setting("NoEcho").is_on();
    if no_echo {
        return is_plain(declaration.setting("Default")).then(|| "its default shows the secret".to_owned());
    }
    // Of other types than these the value is a name in a store.
    let is_text = matches!(
        declaration.setting("Type").text(),
        Some("String" | "CommaDelimitedList")
    );
    (is_text && is_secret_name(without_hash(declaration.logical_id())))
        .then(|| "it looks like a secret and is shown".to_owned())
}

/// A logical id without the eight digits that the CDK, and we, append to what stands deeper in a tree.
fn without_hash(logical_id: &str) -> &str {
    const LENGTH: usize = 8;
    let is_digit = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
    match logical_id
        .len()
        .checked_sub(LENGTH)
        .and_then(|at| logical_id.split_at_checked(at))
    {
        Some((name, hash)) if hash.chars().all(is_digit) => name,
        _ => logical_id,
    }
}

fn environment(resource: &Resource<'_>) -> Option<String> {
    let variables: Vec<(&str, Setting<'_>)> = match resource.type_name() {
        "AWS::Lambda::Function" | "AWS::Serverless::Function" => {
            resource.setting("Environment.Variables").entries().collect()
        }
        "AWS::ECS::TaskDefinition" => resource
            .setting("ContainerDefinitions")
            .items()
            .flat_map(|container| container.at("Environment").items())
            .filter_map(|variable| Some((variable.at("Name").text()?, variable.at("Value"))))
            .collect(),
        "AWS::CodeBuild::Project" => resource
            .setting("Environment.EnvironmentVariables")
            .items()
            .filter(|variable| matches!(variable.at("Type").text(), None | Some("PLAINTEXT")))
            .filter_map(|variable| Some((variable.at("Name").text()?, variable.at("Value"))))
            .collect(),
        _ => return None,
    };
    let secrets: Vec<&str> = variables
        .into_iter()
        .filter(|(name, value)| is_plain(*value) && is_secret_name(name) || value.text().is_some_and(is_access_key))
        .map(|(name, _)| name)
        .collect();
    (!secrets.is_empty()).then(|| format!("{} in plain text", secrets.join(", ")))
}

const PASSWORDS: [(&str, &str); 8] = [
    ("AWS::RDS::DBInstance", "MasterUserPassword"),
    ("AWS::RDS::DBCluster", "MasterUserPassword"),
    ("AWS::Redshift::Cluster", "MasterUserPassword"),
    ("AWS::DocDB::DBCluster", "MasterUserPassword"),
    ("AWS::ElastiCache::ReplicationGroup", "AuthToken"),
    ("AWS::SecretsManager::Secret", "SecretString"),
    ("AWS::IAM::User", "LoginProfile.Password"),
    ("AWS::DirectoryService::MicrosoftAD", "Password"),
];

fn password(resource: &Resource<'_>) -> Option<String> {
    let (_, property) = PASSWORDS
        .iter()
        .find(|(type_name, property)| resource.is(type_name) && is_plain(resource.setting(property)))?;
    Some(format!("its `{property}` stands in the template"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_secrets_from_what_leads_to_them() {
        for name in [
            "DB_PASSWORD",
            "apiKey",
            "API_KEY",
            "StripeSecret",
            "GITHUB_TOKEN",
            "dbpassword",
            "Password",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "DB_SECRET_ARN",
            "SECRET_NAME",
            "TOKEN_TTL_SECONDS",
            "PARTITION_KEY",
            "KEY",
            "TOKENS",
            "PASSWORD_POLICY",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
