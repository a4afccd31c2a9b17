//! Names of machine types: `InstanceType::new(InstanceClass::R6G, InstanceSize::XLarge2)` is `r6g.2xlarge`.

use std::fmt;

/// Family and size of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceType(String);

impl InstanceType {
    pub fn new(class: InstanceClass, size: InstanceSize) -> Self {
        Self(format!("{}.{}", class.as_str(), size.as_str()))
    }

    /// A type that is not listed here.
    pub fn named(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for InstanceType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $($variant),* }

        impl $type {
            const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

names! {
    /// The families that databases, caches and services usually run on; [`InstanceType::named`] takes any other.
    InstanceClass {
        T3 = "t3", T3A = "t3a", T4G = "t4g",
        M5 = "m5", M6G = "m6g", M6I = "m6i", M7G = "m7g", M7I = "m7i", M8G = "m8g",
        R5 = "r5", R6G = "r6g", R6I = "r6i", R7G = "r7g", R7I = "r7i", R8G = "r8g",
        C5 = "c5", C6G = "c6g", C6I = "c6i", C7G = "c7g", C7I = "c7i", C8G = "c8g",
        X2G = "x2g",
    }
}

names! {
    InstanceSize {
        Nano = "nano", Micro = "micro", Small = "small", Medium = "medium", Large = "large", XLarge = "xlarge",
        XLarge2 = "2xlarge", XLarge4 = "4xlarge", XLarge8 = "8xlarge", XLarge12 = "12xlarge", XLarge16 = "16xlarge",
        XLarge24 = "24xlarge", XLarge32 = "32xlarge", Metal = "metal",
    }
}
