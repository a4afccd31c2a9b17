//! Random passwords, with the options of `GetRandomPassword` and of a template's `GenerateSecretString` (they are the
//! same, <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html>).

use std::io;

use serde_json::{Map, Value};

use crate::chance;
use crate::members::Members;
use crate::service::ApiError;

const LOWERCASE: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPERCASE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMBERS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// A password as `options` ask for it; 32 characters unless told.
pub fn generate(options: &impl Members) -> Result<String, ApiError> {
    let length = usize::try_from(options.integer("PasswordLength").unwrap_or(32)).unwrap_or(0);
    if !(1..=4096).contains(&length) {
        return Err(invalid("Password length must be between 1 and 4096"));
    }
    let excluded = options.text("ExcludeCharacters").unwrap_or_default();
    let on = |name| options.flag(name) == Some(true);
    let classes: Vec<Vec<u8>> = [
        (!on("ExcludeLowercase"), LOWERCASE),
        (!on("ExcludeUppercase"), UPPERCASE),
        (!on("ExcludeNumbers"), NUMBERS),
        (!on("ExcludePunctuation"), PUNCTUATION),
        (on("IncludeSpace"), " "),
    ]
    .into_iter()
    .filter(|(wanted, _)| *wanted)
    .map(|(_, letters)| {
        letters
            .bytes()
            .filter(|letter| !excluded.contains(char::from(*letter)))
            .collect()
    })
    .filter(|letters: &Vec<u8>| !letters.is_empty())
    .collect();
    let alphabet = classes.concat();
    if alphabet.is_empty() {
        return Err(invalid("All characters are excluded: a password needs some"));
    }
    let mut password = chance::letters(&alphabet, length)
        .map_err(crate::saved::storage_failure)?
        .into_bytes();
    if options.flag("RequireEachIncludedType") != Some(false) {
        if length < classes.len() {
            return Err(invalid("Password length is too short for the required types"));
        }
        require_each(&mut password, &classes).map_err(crate::saved::storage_failure)?;
    }
    Ok(password.into_iter().map(char::from).collect())
}

/// Puts one letter of each class at places of their own.
fn require_each(password: &mut [u8], classes: &[Vec<u8>]) -> io::Result<()> {
    let mut places: Vec<usize> = (0..password.len()).collect();
    for class in classes {
        let place = places.swap_remove(chance::below(places.len())?);
        password[place] = class[chance::below(class.len())?];
    }
    Ok(())
}

/// The secret that a template's `GenerateSecretString` describes: the password alone, or under `GenerateStringKey` in
/// the JSON object `SecretStringTemplate`.
pub fn generate_secret(options: &Value) -> Result<String, ApiError> {
    let password = generate(options)?;
    match (options.text("SecretStringTemplate"), options.text("GenerateStringKey")) {
        (None, None) => Ok(password),
        (Some(template), Some(key)) => {
            let mut secret: Map<String, Value> = serde_json::from_str(template)
                .map_err(|error| invalid(&format!("SecretStringTemplate is not a JSON object: {error}")))?;
            secret.insert(key.to_owned(), Value::String(password));
            Ok(Value::Object(secret).to_string())
        }
        _ => Err(invalid(
            "GenerateStringKey and SecretStringTemplate have to be given together",
        )),
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(400, "InvalidParameterException", message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn a_password_has_its_length_each_class_and_nothing_excluded(length in 4_usize..80) {
            let options = json!({"PasswordLength": length, "ExcludeCharacters": " %+~`#$&*()|[]{}:;<>?!'/@\"\\"});
            let password = generate(&options).unwrap();
            prop_assert_eq!(password.len(), length);
            prop_assert!(!password.contains(|letter| options["ExcludeCharacters"].as_str().unwrap().contains(letter)));
            for class in [LOWERCASE, UPPERCASE, NUMBERS, PUNCTUATION] {
                prop_assert!(password.contains(|letter| class.contains(letter)), "{class} is missing in {password}");
            }
        }
    }

    #[test]
    fn impossible_wishes_are_refused() {
        let nothing = json!({"ExcludeLowercase": true, "ExcludeUppercase": true, "ExcludeNumbers": true,
            "ExcludePunctuation": true});
        for options in [nothing, json!({"PasswordLength": 3}), json!({"PasswordLength": 5000})] {
            assert_eq!(
                generate(&options).unwrap_err().code,
                "InvalidParameterException",
                "{options}"
            );
        }
        let only_key = json!({"GenerateStringKey": "password"});
        assert_eq!(
            generate_secret(&only_key).unwrap_err().code,
            "InvalidParameterException"
        );
    }

    #[test]
    fn a_template_gets_the_password_under_its_key() {
        let options = json!({"SecretStringTemplate": "{\"username\":\"postgres\"}", "GenerateStringKey": "password",
            "ExcludePunctuation": true, "PasswordLength": 30});
        let secret: Value = serde_json::from_str(&generate_secret(&options).unwrap()).unwrap();
        assert_eq!(secret["username"], "postgres");
        assert_eq!(secret["password"].as_str().unwrap().len(), 30);
    }
}
