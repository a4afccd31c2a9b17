//! Reads the function's settings: the environment variables that the stack sets.
//!
//! The one place of the functions that looks at the process environment. Tests hand in a map instead.

use std::collections::BTreeMap;

/// The environment variables of one function instance.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

/// A variable that is missing or says nothing usable. Its value is not repeated: it may be a secret by mistake.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("environment variable {name} is not set: {purpose}")]
    Missing { name: &'static str, purpose: &'static str },
    #[error("environment variable {name} is not {expected}")]
    Malformed { name: &'static str, expected: &'static str },
}

impl Variables {
    /// The variables of this process, read once when it starts.
    pub fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// The variable's value; one that is set to nothing counts as not set, as templates with conditions leave it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The variable's value, which the function cannot do without; `purpose` says what it is for.
    pub fn required(&self, name: &'static str, purpose: &'static str) -> Result<&str, SettingsError> {
        self.get(name).ok_or(SettingsError::Missing { name, purpose })
    }

    /// The variable read as `T`, or `default` where it is not set; `expected` names the form for the error.
    pub fn parsed<T: std::str::FromStr>(
        &self,
        name: &'static str,
        default: T,
        expected: &'static str,
    ) -> Result<T, SettingsError> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| SettingsError::Malformed { name, expected }),
        }
    }

    /// This function and version as `NAME:VERSION`, as Lambda tells it: how a database sees who is connected.
    pub fn function(&self) -> String {
        format!(
            "{}:{}",
            self.get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or("local"),
            self.get("AWS_LAMBDA_FUNCTION_VERSION").unwrap_or("$LATEST")
        )
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Variables {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(pairs: T) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Variables {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let variables = Variables::from([("REDIS_HOST", "")]);
        assert_eq!(variables.get("REDIS_HOST"), None);
        assert!(variables.required("REDIS_HOST", "the cache").is_err());
    }

    #[test]
    fn a_malformed_variable_is_named_and_not_repeated() {
        let variables = Variables::from([("CACHE_TTL", "hunter2")]);
        let error = variables
            .parsed::<u64>("CACHE_TTL", 300, "a number of seconds")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable CACHE_TTL is not a number of seconds"
        );
    }

    #[test]
    fn a_function_tells_its_version() {
        let variables = Variables::from([
            ("AWS_LAMBDA_FUNCTION_NAME", "health"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
        ]);
        assert_eq!(variables.function(), "health:7");
    }
}
