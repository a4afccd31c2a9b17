//! Names that the cloud or the user gave, each its own type, so that a stage cannot stand where a deployment belongs.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! identifier {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }
    };
}

identifier!(
    /// An environment of the configuration: `dev`, `staging`, `prod`, `local`.
    EnvironmentName
);
identifier!(
    /// The physical name of a function, not its ARN.
    FunctionName
);
identifier!(
    /// A published, immutable version of a function: `"1"`, `"2"`, … Never `$LATEST`.
    FunctionVersion
);
identifier!(
    /// An alias of a function by its name: `live`.
    AliasName
);
identifier!(
    /// What an alias carries to notice that somebody else changed it; opaque.
    AliasRevision
);
identifier!(
    /// The physical id of a REST API.
    RestApiId
);
identifier!(
    /// An immutable snapshot of a REST API's resources and methods.
    DeploymentId
);
identifier!(
    /// A stage of a REST API by its name: `prod`, `blue`, `green`.
    StageName
);
