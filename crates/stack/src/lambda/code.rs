//! What a function runs, and on what.

use std::path::PathBuf;

use cfn::lambda::function;
use cfn::{Expr, IntoValue, id};

use crate::asset::AssetOptions;
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::Construct;

/// The environment that runs a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    name: String,
}

impl Runtime {
    /// A runtime that is not listed here.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// A native executable called `bootstrap`, on Amazon Linux 2023: what Rust compiles to.
    pub fn provided_al2023() -> Self {
        Self::named("provided.al2023")
    }

    pub fn nodejs_22() -> Self {
        Self::named("nodejs22.x")
    }

    pub fn nodejs_24() -> Self {
        Self::named("nodejs24.x")
    }

    pub fn python_3_12() -> Self {
        Self::named("python3.12")
    }

    pub fn python_3_13() -> Self {
        Self::named("python3.13")
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is called in it if nothing is said.
    pub(crate) fn default_handler(&self) -> &'static str {
        if self.name.starts_with("provided") {
            "bootstrap"
        } else {
            "index.handler"
        }
    }

    pub(crate) fn takes_inline_code(&self) -> bool {
        self.name.starts_with("nodejs") || self.name.starts_with("python")
    }
}

/// Where a function's code comes from.
#[derive(Clone, Debug)]
pub enum Code {
    /// A directory, or an archive, that is published with the stack. Relative paths begin at the folder that the app is
    /// run in.
    Asset(PathBuf, AssetOptions),
    /// The source itself, in the template; interpreted runtimes only.
    Inline(String),
    /// An archive that is in a bucket already.
    Bucket {
        bucket: Expr,
        key: Expr,
        version: Option<Expr>,
    },
}

impl Code {
    pub fn asset(path: impl Into<PathBuf>) -> Self {
        Self::Asset(path.into(), AssetOptions::new())
    }

    /// As [`Code::asset`], with what is left out, how links are read, what else is hashed.
    pub fn asset_with(path: impl Into<PathBuf>, options: AssetOptions) -> Self {
        Self::Asset(path.into(), options)
    }

    pub fn inline(source: impl Into<String>) -> Self {
        Self::Inline(source.into())
    }

    pub fn bucket(bucket: impl IntoValue<id::s3::BucketName>, key: impl IntoValue<String>) -> Self {
        Self::Bucket {
            bucket: bucket.into_value().into_expr(),
            key: key.into_value().into_expr(),
            version: None,
        }
    }

    pub(crate) fn render(&self, function: &Construct) -> function::Code {
        let code = function::Code::new();
        match self {
            Self::Asset(path, options) => {
                let construct = Site::new(function, "Code").make("assets.Asset");
                let location = Stack::of(function).add_file_asset_with(&construct, path, options.clone());
                code.s3_bucket(location.bucket.cast::<id::s3::BucketName>())
                    .s3_key(location.key)
            }
            Self::Inline(source) => code.zip_file(source),
            Self::Bucket { bucket, key, version } => {
                let code = code
                    .s3_bucket(bucket.clone().cast::<id::s3::BucketName>())
                    .s3_key(key.clone().cast::<String>());
                match version {
                    Some(version) => code.s3_object_version(version.clone().cast::<String>()),
                    None => code,
                }
            }
        }
    }
}
