//! Uploads what is not there yet, several objects at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::timeout::TimeoutConfig;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use orchestrator::ports::PortErrorKind;

use super::archive::zip_folder;
use super::manifest::{Asset, AssetManifest, Destination, ObjectLocation, Packaging};
use crate::connection::Aws;
use crate::failure::{Failure, failed};
use crate::stacks::TEMPLATE_BODY_LIMIT;

/// Objects uploaded at the same time; each is in memory while it is.
const PARALLEL_UPLOADS: usize = 4;
/// For one attempt at one object: a function's 250 MB over a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// How often an upload that lasts is told.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// Why the assets are not all in place.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    #[error("the artifact of asset `{asset}` is missing: there is nothing at {}. {}", path.display(), build_advice(.built_by))]
    Missing {
        asset: String,
        path: PathBuf,
        built_by: Option<String>,
    },
    #[error("asset `{asset}` cannot be packed from {}: {cause}", path.display())]
    Unreadable {
        asset: String,
        path: PathBuf,
        cause: std::io::Error,
    },
    #[error(
        "asset `{asset}` has nowhere to go: bucket {bucket} does not exist. Bootstrap the account and region first (`cdk bootstrap aws://{account}/{region}`)"
    )]
    NoBucket {
        asset: String,
        bucket: String,
        account: String,
        region: String,
    },
    #[error("asset `{asset}`: {failure}")]
    Failed { asset: String, failure: Failure },
}

fn build_advice(built_by: &Option<String>) -> String {
    match built_by {
        Some(command) => format!("Build it with `{command}`, then try again"),
        None => "Build it, synthesize again, then try again".to_owned(),
    }
}

/// What happens to one asset, named as the user knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssetEvent {
    AlreadyThere {
        asset: String,
    },
    Uploading {
        asset: String,
        bytes: u64,
    },
    /// Told every few seconds while an upload lasts.
    StillUploading {
        asset: String,
        bytes: u64,
        elapsed: Duration,
    },
    Uploaded {
        asset: String,
    },
}

/// How many objects were where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    pub uploaded: usize,
    pub already_there: usize,
}

type Clients = BTreeMap<Option<String>, aws_sdk_s3::Client>;

impl Aws {
    /// Brings every asset of the manifest to its destinations. The stack's template is left out while it is small
    /// enough to be sent in a call, so that a stack without code needs no bucket. Everything is checked for existence
    /// before the first upload; a failed upload leaves the others in place, which the next try finds.
    pub async fn publish_assets(
        &self,
        manifest: &AssetManifest,
        report: &(dyn Fn(AssetEvent) + Send + Sync),
    ) -> Result<Published, AssetError> {
        let mut jobs = Vec::new();
        for asset in &manifest.assets {
            let size = match std::fs::metadata(&asset.path) {
                Ok(metadata) => metadata.len(),
                Err(_) => {
                    return Err(AssetError::Missing {
                        asset: asset.display_name.clone(),
                        path: asset.path.clone(),
                        built_by: manifest.built_by.clone(),
                    });
                }
            };
            if asset.is_template() && size <= TEMPLATE_BODY_LIMIT as u64 {
                continue;
            }
            jobs.extend(asset.destinations.iter().map(|destination| (asset, destination)));
        }
        let clients = self.clients_for(&jobs).await;
        if self.endpoint_url().is_some() {
            self.make_buckets(&jobs).await?;
        }
        let mut uploads: Vec<BoxFuture<'_, Result<bool, AssetError>>> = Vec::with_capacity(jobs.len());
        for (asset, destination) in jobs {
            let client = clients.get(&destination.role_arn(self)).unwrap_or(self.s3());
            uploads.push(self.bring(asset, destination, client, report).boxed());
        }
        let outcomes: Vec<bool> = futures::stream::iter(uploads)
            .buffer_unordered(PARALLEL_UPLOADS)
            .try_collect()
            .await?;
        let uploaded = outcomes.iter().filter(|uploaded| **uploaded).count();
        Ok(Published {
            uploaded,
            already_there: outcomes.len() - uploaded,
        })
    }

    /// The bootstrap's publishing role where it can be assumed. Where it cannot, our own credentials may well be
    /// allowed to write, so they are tried, as the CDK does.
    async fn clients_for(&self, jobs: &[(&Asset, &Destination)]) -> Clients {
        let mut clients = Clients::new();
        if self.endpoint_url().is_some() {
            return clients;
        }
        for (_, destination) in jobs {
            let Some(role) = destination.role_arn(self) else {
                continue;
            };
            if clients.contains_key(&Some(role.clone())) {
                continue;
            }
            let client = match self.s3_as(&role, destination.assume_role_external_id.as_deref()).await {
                Ok(client) => client,
                Err(failure) => {
                    tracing::info!(%failure, "the publishing role cannot be assumed, going on as ourselves");
                    self.s3().clone()
                }
            };
            clients.insert(Some(role), client);
        }
        clients
    }

    /// The embedded cloud starts without a bootstrap stack; in AWS a bucket needs encryption and policies that are the
    /// bootstrap's to choose.
    async fn make_buckets(&self, jobs: &[(&Asset, &Destination)]) -> Result<(), AssetError> {
        let wanted: BTreeMap<String, &Asset> = jobs
            .iter()
            .map(|(asset, destination)| (destination.location(self).bucket, *asset))
            .collect();
        for (bucket, asset) in wanted {
            if self.s3().head_bucket().bucket(&bucket).send().await.is_ok() {
                continue;
            }
            match self
                .s3()
                .create_bucket()
                .bucket(&bucket)
                .send()
                .await
                .map_err(failed("CreateBucket", &bucket))
            {
                Ok(_) => {}
                Err(failure) if failure.kind == PortErrorKind::Conflict => {}
                Err(failure) => {
                    return Err(AssetError::Failed {
                        asset: asset.display_name.clone(),
                        failure,
                    });
                }
            }
        }
        Ok(())
    }

    /// True if it was uploaded, false if it was there.
    async fn bring(
        &self,
        asset: &Asset,
        destination: &Destination,
        client: &aws_sdk_s3::Client,
        report: &(dyn Fn(AssetEvent) + Send + Sync),
    ) -> Result<bool, AssetError> {
        let location = destination.location(self);
        let name = asset.display_name.clone();
        if self
            .is_there(&location, client)
            .await
            .map_err(|failure| self.explain(&name, &location, failure))?
        {
            report(AssetEvent::AlreadyThere { asset: name });
            return Ok(false);
        }
        let bytes = pack(asset).await?;
        report(AssetEvent::Uploading {
            asset: name.clone(),
            bytes: bytes.len() as u64,
        });
        let timeouts = TimeoutConfig::builder().read_timeout(UPLOAD_TIMEOUT).build();
        let length = bytes.len() as u64;
        let upload = client
            .put_object()
            .bucket(&location.bucket)
            .key(&location.key)
            .set_content_type(content_type(&location.key))
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts))
            .send();
        let begun = tokio::time::Instant::now();
        tokio::pin!(upload);
        let uploaded = loop {
            match tokio::time::timeout(PROGRESS_INTERVAL, &mut upload).await {
                Ok(uploaded) => break uploaded,
                Err(_) => report(AssetEvent::StillUploading {
                    asset: name.clone(),
                    bytes: length,
                    elapsed: begun.elapsed(),
                }),
            }
        };
        // An object is there whole or not at all (Amazon S3 User Guide, "Amazon S3 data consistency model"), so what
        // breaks here leaves nothing that the next try would take for it.
        uploaded
            .map_err(failed(
                "PutObject",
                format!("s3://{}/{}", location.bucket, location.key),
            ))
            .map_err(|failure| self.explain(&name, &location, failure))?;
        report(AssetEvent::Uploaded { asset: name });
        Ok(true)
    }

    async fn is_there(&self, location: &ObjectLocation, client: &aws_sdk_s3::Client) -> Result<bool, Failure> {
        let found = client
            .head_object()
            .bucket(&location.bucket)
            .key(&location.key)
            .send()
            .await
            .map_err(failed(
                "HeadObject",
                format!("s3://{}/{}", location.bucket, location.key),
            ));
        match found {
            Ok(_) => Ok(true),
            Err(failure) if failure.kind == PortErrorKind::NotFound => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    fn explain(&self, asset: &str, location: &ObjectLocation, failure: Failure) -> AssetError {
        if failure.code == "NoSuchBucket" {
            return AssetError::NoBucket {
                asset: asset.to_owned(),
                bucket: location.bucket.clone(),
                account: self.account().to_owned(),
                region: self.region().to_owned(),
            };
        }
        AssetError::Failed {
            asset: asset.to_owned(),
            failure,
        }
    }
}

async fn pack(asset: &Asset) -> Result<Vec<u8>, AssetError> {
    let path = asset.path.clone();
    let packaging = asset.packaging;
    let packed = tokio::task::spawn_blocking(move || match packaging {
        Packaging::Zip => zip_folder(&path),
        Packaging::File => std::fs::read(&path),
    })
    .await
    .unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)));
    packed.map_err(|cause| AssetError::Unreadable {
        asset: asset.display_name.clone(),
        path: asset.path.clone(),
        cause,
    })
}

fn content_type(key: &str) -> Option<String> {
    match key.rsplit_once('.').map(|(_, extension)| extension) {
        Some("zip") => Some("application/zip".to_owned()),
        Some("json") => Some("application/json".to_owned()),
        _ => None,
    }
}
