//! The ways in which a caller names a function: by name, `account:function:name` or ARN, each with or without a
//! qualifier.

use serde::{Deserialize, Serialize};

use crate::context::ACCOUNT;
use crate::service::ApiError;

/// A function and, when the caller gave one, its version or alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FunctionName {
    pub name: String,
    pub qualifier: Option<String>,
}

impl FunctionName {
    /// Reads `text`; `qualifier` is the one given beside it and must agree with the one in the text.
    pub fn parse(text: &str, qualifier: Option<&str>) -> Result<Self, ApiError> {
        let invalid = || {
            ApiError::new(
                400,
                "InvalidParameterValueException",
                format!("'{text}' names no function: give a name, a partial ARN or an ARN"),
            )
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (name, inner) = match parts.as_slice() {
            [name] => (*name, None),
            [name, inner] => (*name, Some(*inner)),
            [_account, "function", name] => (*name, None),
            [_account, "function", name, inner] => (*name, Some(*inner)),
            ["arn", _, "lambda", _, _, "function", name] => (*name, None),
            ["arn", _, "lambda", _, _, "function", name, inner] => (*name, Some(*inner)),
            _ => return Err(invalid()),
        };
        let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        if name.is_empty() || !name.chars().all(letters) {
            return Err(invalid());
        }
        let qualifier = match (inner.filter(|inner| !inner.is_empty()), qualifier) {
            (Some(inner), Some(outer)) if inner != outer => {
                return Err(ApiError::new(
                    400,
                    "InvalidParameterValueException",
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ));
            }
            (inner, outer) => outer.or(inner).map(str::to_owned),
        };
        Ok(Self {
            name: name.to_owned(),
            qualifier,
        })
    }
}

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`
pub(crate) fn function_arn(region: &str, name: &str, qualifier: Option<&str>) -> String {
    let arn = format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{name}");
    match qualifier {
        Some(qualifier) => format!("{arn}:{qualifier}"),
        None => arn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_function_is_read() {
        let arn = "arn:aws:lambda:eu-west-1:000000000000:function:health";
        for (text, qualifier) in [
            ("health", None),
            ("health:blue", Some("blue")),
            ("000000000000:function:health", None),
            ("000000000000:function:health:7", Some("7")),
            (arn, None),
            (&format!("{arn}:$LATEST"), Some("$LATEST")),
        ] {
            let name = FunctionName::parse(text, None).unwrap();
            assert_eq!(
                (name.name.as_str(), name.qualifier.as_deref()),
                ("health", qualifier),
                "{text}"
            );
        }
        assert_eq!(
            FunctionName::parse("health", Some("blue"))
                .unwrap()
                .qualifier
                .as_deref(),
            Some("blue")
        );
        assert!(FunctionName::parse("health:blue", Some("green")).is_err());
        assert!(FunctionName::parse("arn:aws:s3:::bucket", None).is_err());
        assert!(FunctionName::parse("", None).is_err());
    }
}
