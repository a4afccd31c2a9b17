//! The asset manifest of a cloud assembly, `<Stack>.assets.json`.
//!
//! Schema: `AssetManifest` of `@aws-cdk/cloud-assembly-schema`. Container images and files that a command makes are
//! refused by name, because publishing half of a stack's assets would fail later and further away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::connection::Aws;

/// Where an object lies in S3.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectLocation {
    pub bucket: String,
    pub key: String,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("the asset manifest {} cannot be read: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: std::io::Error },
    #[error("the asset manifest {} is not one: {cause}", path.display())]
    Malformed { path: PathBuf, cause: serde_json::Error },
    #[error("the asset manifest {} holds the container image `{asset}`, which is not supported: deploy it another way, or package the function as a zip", path.display())]
    ContainerImage { path: PathBuf, asset: String },
    #[error("the asset manifest {} makes `{asset}` by running a command, which is not supported: build it before the synthesis and use its folder", path.display())]
    MadeByCommand { path: PathBuf, asset: String },
}

/// The assets of one stack.
#[derive(Clone, Debug)]
pub struct AssetManifest {
    pub(crate) assets: Vec<Asset>,
    pub(crate) built_by: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Asset {
    pub display_name: String,
    pub path: PathBuf,
    pub packaging: Packaging,
    pub destinations: Vec<Destination>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Packaging {
    #[default]
    File,
    Zip,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Destination {
    bucket_name: String,
    object_key: String,
    assume_role_arn: Option<String>,
    pub assume_role_external_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    files: BTreeMap<String, File>,
    #[serde(default)]
    docker_images: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    display_name: Option<String>,
    source: Source,
    destinations: BTreeMap<String, Destination>,
}

#[derive(Deserialize)]
struct Source {
    path: Option<PathBuf>,
    #[serde(default)]
    packaging: Packaging,
}

impl AssetManifest {
    /// The keys of all objects that are to be published; they hold the assets' hashes.
    pub fn object_keys(&self) -> Vec<String> {
        let destinations = self.assets.iter().flat_map(|asset| &asset.destinations);
        destinations.map(|destination| destination.object_key.clone()).collect()
    }

    /// Reads `<Stack>.assets.json`. Paths in it are relative to its folder.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let text = std::fs::read(path).map_err(|cause| ManifestError::Unreadable {
            path: path.to_owned(),
            cause,
        })?;
        let document: Document = serde_json::from_slice(&text).map_err(|cause| ManifestError::Malformed {
            path: path.to_owned(),
            cause,
        })?;
        if let Some(asset) = document.docker_images.into_keys().next() {
            return Err(ManifestError::ContainerImage {
                path: path.to_owned(),
                asset,
            });
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut assets = Vec::with_capacity(document.files.len());
        for (id, file) in document.files {
            let Some(source) = file.source.path else {
                return Err(ManifestError::MadeByCommand {
                    path: path.to_owned(),
                    asset: id,
                });
            };
            assets.push(Asset {
                display_name: file.display_name.unwrap_or(id),
                path: folder.join(source),
                packaging: file.source.packaging,
                destinations: file.destinations.into_values().collect(),
            });
        }
        Ok(Self { assets, built_by: None })
    }

    /// Names the command that builds the artifacts, for the error that a missing one causes.
    #[must_use]
    pub fn built_by(mut self, command: impl Into<String>) -> Self {
        self.built_by = Some(command.into());
        self
    }

    /// Where the first asset but the template goes.
    pub fn first_location(&self, aws: &Aws) -> Option<ObjectLocation> {
        let asset = self.assets.iter().find(|asset| !asset.is_template())?;
        Some(asset.destinations.first()?.location(aws))
    }

    /// Where the stack's own template goes when it is too large to be sent in a call. `file_name` is the template's,
    /// for example `Phase2Stack.template.json`.
    pub fn template_location(&self, file_name: &str, aws: &Aws) -> Option<ObjectLocation> {
        let template = self
            .assets
            .iter()
            .find(|asset| asset.path.file_name().is_some_and(|name| name == file_name))?;
        Some(template.destinations.first()?.location(aws))
    }
}

impl Asset {
    /// The stack's template itself is listed among its assets.
    pub(crate) fn is_template(&self) -> bool {
        self.packaging == Packaging::File && self.path.to_string_lossy().ends_with(".template.json")
    }
}

impl Destination {
    pub(crate) fn location(&self, aws: &Aws) -> ObjectLocation {
        ObjectLocation {
            bucket: fill(&self.bucket_name, aws),
            key: fill(&self.object_key, aws),
        }
    }

    pub(crate) fn role_arn(&self, aws: &Aws) -> Option<String> {
        self.assume_role_arn.as_deref().map(|arn| fill(arn, aws))
    }
}

/// The placeholders of the CDK's schema, which an app writes when it does not know where it will be deployed.
fn fill(text: &str, aws: &Aws) -> String {
    substitute(text, aws.account(), aws.region(), aws.partition())
}

fn substitute(text: &str, account: &str, region: &str, partition: &str) -> String {
    text.replace("${AWS::AccountId}", account)
        .replace("${AWS::Region}", region)
        .replace("${AWS::Partition}", partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &str) -> Result<AssetManifest, ManifestError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Stack.assets.json");
        std::fs::write(&path, document).unwrap();
        AssetManifest::read(&path)
    }

    #[test]
    fn reads_what_the_cdk_writes() {
        let manifest = read(
            r#"{"version":"48.0.0","files":{
                "abc":{"displayName":"Fn/Code","source":{"path":"asset.abc","packaging":"zip"},"destinations":{
                    "current_account-current_region-1":{"bucketName":"cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}",
                    "objectKey":"abc.zip","assumeRoleArn":"arn:${AWS::Partition}:iam::${AWS::AccountId}:role/publisher"}}},
                "def":{"source":{"path":"Stack.template.json","packaging":"file"},"destinations":{
                    "current_account-current_region-2":{"bucketName":"b","objectKey":"def.json"}}}},
                "dockerImages":{}}"#,
        )
        .unwrap();
        let [code, template] = &manifest.assets[..] else {
            panic!("two assets, not {:?}", manifest.assets)
        };
        assert_eq!(code.display_name, "Fn/Code");
        assert_eq!(code.packaging, Packaging::Zip);
        assert!(code.path.ends_with("asset.abc"));
        assert!(!code.is_template());
        assert!(template.is_template());
        assert_eq!(template.display_name, "def");
    }

    #[test]
    fn placeholders_become_the_environment() {
        let text = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/r-${AWS::Region}";
        assert_eq!(
            substitute(text, "123456789012", "eu-west-1", "aws-cn"),
            "arn:aws-cn:iam::123456789012:role/r-eu-west-1"
        );
    }

    #[test]
    fn what_cannot_be_published_is_refused_by_name() {
        let image = read(r#"{"version":"1","dockerImages":{"img1":{}}}"#).unwrap_err();
        assert!(
            matches!(&image, ManifestError::ContainerImage { asset, .. } if asset == "img1"),
            "{image}"
        );
        let command =
            read(r#"{"version":"1","files":{"x":{"source":{"executable":["make"]},"destinations":{}}}}"#).unwrap_err();
        assert!(
            matches!(&command, ManifestError::MadeByCommand { asset, .. } if asset == "x"),
            "{command}"
        );
        assert!(matches!(read("{").unwrap_err(), ManifestError::Malformed { .. }));
    }
}
