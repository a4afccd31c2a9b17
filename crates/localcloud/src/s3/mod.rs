//! S3: buckets and objects on disk, conditional writes, listings, multipart uploads.
//!
//! Of racing conditional writes exactly one wins: the others are told 412, or 409 when the winner finished while they
//! were sending. The codec has taken off the framing that SDKs put around a body and has checked the digests that came
//! with it. No versions (versioning is kept as a setting only), no access control, no lifecycle at work. The
//! bucket that CDK apps publish their assets into is there from the start.

mod bucket;
mod conditions;
mod failures;
mod listing;
mod multipart;
mod objects;
mod provider;
mod settings;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::context::{ACCOUNT, Context};
use crate::members::Members;
use crate::resource::Provider;
use crate::saved::storage_failure;
use crate::service::{ApiError, Request, Response, Service};
use crate::sink::ObjectSource;
use bucket::{Bucket, Settings};
use failures::{invalid_argument, no_such_bucket};

type Buckets = BTreeMap<String, Bucket>;

pub struct S3 {
    core: Arc<Core>,
}

/// Everything happens here, blocking; [`S3`] keeps it off the threads that serve the network.
struct Core {
    context: Context,
    folder: PathBuf,
    buckets: Mutex<Buckets>,
}

impl S3 {
    pub fn open(context: &Context) -> io::Result<Arc<Self>> {
        let folder = context.folder.join("s3");
        std::fs::create_dir_all(&folder)?;
        let mut buckets = BTreeMap::new();
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if let Some(bucket) = Bucket::load(entry.path())? {
                buckets.insert(entry.file_name().to_string_lossy().into_owned(), bucket);
            }
        }
        let core = Core {
            context: context.clone(),
            folder,
            buckets: Mutex::new(buckets),
        };
        let assets = format!("cdk-hnb659fds-assets-{ACCOUNT}-{}", context.region);
        match core.create_bucket(&json!({"Bucket": assets})) {
            Err(error) if error.code != "BucketAlreadyOwnedByYou" => Err(io::Error::other(error)),
            _ => Ok(Arc::new(Self { core: Arc::new(core) })),
        }
    }

    pub fn providers(self: &Arc<Self>) -> Vec<Arc<dyn Provider>> {
        vec![Arc::new(provider::BucketProvider {
            core: self.core.clone(),
        })]
    }
}

#[async_trait]
impl Service for S3 {
    fn model(&self) -> &'static str {
        "s3"
    }

    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        let core = self.core.clone();
        let served = tokio::task::spawn_blocking(move || core.serve(request)).await;
        served.map_err(|error| storage_failure(io::Error::other(error)))?
    }
}

#[async_trait]
impl ObjectSource for S3 {
    async fn object(&self, bucket: &str, key: &str) -> Result<Bytes, ApiError> {
        let input = json!({"Bucket": bucket, "Key": key});
        let request = Request {
            operation: "GetObject".into(),
            input,
            body: Bytes::new(),
            region: self.core.context.region.clone(),
        };
        self.call(request).await.map(|response| response.body)
    }
}

impl Core {
    fn serve(&self, request: Request) -> Result<Response, ApiError> {
        let (input, body) = (&request.input, request.body);
        match request.operation.as_str() {
            "CreateBucket" => self.create_bucket(input),
            "DeleteBucket" => self.delete_bucket(input),
            "HeadBucket" => self.with_bucket(input, |_, bucket| {
                Ok(json!({"BucketRegion": bucket.settings.region, "BucketArn": format!("arn:aws:s3:::{}", name(input)?)}))
            }),
            "ListBuckets" => Ok(self.list_buckets(input)),
            "GetBucketLocation" => self.with_bucket(input, |_, bucket| {
                let region = bucket.settings.region.as_str();
                Ok(json!({"LocationConstraint": (region != "us-east-1").then_some(region)}))
            }),
            "GetBucketAcl" => self.with_bucket(input, |_, _| {
                let owner = json!({"ID": ACCOUNT, "DisplayName": "local"});
                let mut grantee = owner.clone();
                grantee["Type"] = json!("CanonicalUser");
                Ok(json!({"Owner": owner, "Grants": [{"Grantee": grantee, "Permission": "FULL_CONTROL"}]}))
            }),
            "ListObjectsV2" => self.with_bucket(input, |name, bucket| listing::list_objects_v2(name, bucket, input)),
            "ListObjects" => self.with_bucket(input, |name, bucket| listing::list_objects(name, bucket, input)),
            "ListObjectVersions" => self.with_bucket(input, |name, bucket| listing::list_versions(name, bucket, input)),
            "PutObject" => self.put_object(input, body),
            "GetObject" => self.get_object(input),
            "HeadObject" => self.head_object(input),
            "GetObjectAttributes" => self.object_attributes(input),
            "CopyObject" => self.copy_object(input),
            "DeleteObject" => self.delete_object(input),
            "DeleteObjects" => self.delete_objects(input),
            "GetObjectTagging" | "PutObjectTagging" | "DeleteObjectTagging" => {
                self.object_tagging(&request.operation, input)
            }
            "CreateMultipartUpload" => self.create_upload(input),
            "UploadPart" => self.upload_part(input, body),
            "UploadPartCopy" => self.copy_part(input),
            "ListParts" => self.list_parts(input),
            "ListMultipartUploads" => self.list_uploads(input),
            "AbortMultipartUpload" => self.abort_upload(input),
            "CompleteMultipartUpload" => self.complete_upload(input),
            operation => self.setting(operation, input, &body),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_bucket(
        &self,
        input: &Value,
        act: impl FnOnce(&str, &mut Bucket) -> Result<Value, ApiError>,
    ) -> Result<Response, ApiError> {
        let name = name(input)?;
        let mut buckets = self.lock();
        act(name, of_mut(&mut buckets, name)?).map(Response::from)
    }

    fn create_bucket(&self, input: &Value) -> Result<Response, ApiError> {
        let name = name(input)?;
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let well_formed = (3..=63).contains(&name.len())
            && name.bytes().all(|byte| letters(byte) || b"-.".contains(&byte))
            && name.bytes().next().is_some_and(letters)
            && name.bytes().last().is_some_and(letters)
            && !name.contains("..");
        if !well_formed {
            return Err(ApiError::new(
                400,
                "InvalidBucketName",
                format!("The specified bucket is not valid: {name}"),
            ));
        }
        let configuration = input.member("CreateBucketConfiguration");
        let asked = configuration.and_then(|configuration| configuration.text("LocationConstraint"));
        let region = asked.unwrap_or(&self.context.region).to_owned();
        let mut buckets = self.lock();
        if buckets.contains_key(name) {
            // As every region but us-east-1 answers; ours are alike, so that a client meets the case at home.
            let message = "Your previous request to create the named bucket succeeded and you already own it.";
            return Err(ApiError::new(409, "BucketAlreadyOwnedByYou", message));
        }
        let values = settings::defaults();
        let settings = Settings {
            created: self.now(),
            region,
            values,
        };
        let bucket = Bucket::create(self.folder.join(name), settings).map_err(storage_failure)?;
        buckets.insert(name.to_owned(), bucket);
        Ok(json!({"Location": format!("/{name}"), "BucketArn": format!("arn:aws:s3:::{name}")}).into())
    }

    fn delete_bucket(&self, input: &Value) -> Result<Response, ApiError> {
        let name = name(input)?;
        let mut buckets = self.lock();
        let bucket = of_mut(&mut buckets, name)?;
        if !bucket.objects.is_empty() {
            return Err(ApiError::new(
                409,
                "BucketNotEmpty",
                "The bucket you tried to delete is not empty",
            ));
        }
        // Without its settings the folder is no bucket any more, whatever happens to the rest.
        std::fs::remove_file(bucket.folder().join("bucket.json")).map_err(storage_failure)?;
        std::fs::remove_dir_all(bucket.folder()).map_err(storage_failure)?;
        buckets.remove(name);
        Ok(json!({}).into())
    }

    fn list_buckets(&self, input: &Value) -> Response {
        let prefix = input.text("Prefix").unwrap_or_default();
        let buckets = self.lock();
        let listed: Vec<Value> = buckets
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, bucket)| {
                json!({
                    "Name": name,
                    "CreationDate": bucket.settings.created.as_second(),
                    "BucketRegion": bucket.settings.region,
                    "BucketArn": format!("arn:aws:s3:::{name}"),
                })
            })
            .collect();
        json!({"Buckets": listed, "Owner": {"ID": ACCOUNT, "DisplayName": "local"}}).into()
    }

    fn now(&self) -> jiff::Timestamp {
        conditions::whole_seconds(self.context.clock.now())
    }
}

fn name(input: &Value) -> Result<&str, ApiError> {
    input
        .text("Bucket")
        .ok_or_else(|| invalid_argument("Bucket is missing"))
}

fn key(input: &Value) -> Result<&str, ApiError> {
    let key = input
        .text("Key")
        .filter(|key| !key.is_empty())
        .ok_or_else(|| invalid_argument("Key is missing"))?;
    match key.len() > 1024 {
        true => Err(ApiError::new(400, "KeyTooLongError", "Your key is too long")),
        false => Ok(key),
    }
}

fn of<'b>(buckets: &'b Buckets, name: &str) -> Result<&'b Bucket, ApiError> {
    buckets.get(name).ok_or_else(|| no_such_bucket(name))
}

fn of_mut<'b>(buckets: &'b mut Buckets, name: &str) -> Result<&'b mut Bucket, ApiError> {
    buckets.get_mut(name).ok_or_else(|| no_such_bucket(name))
}

/// The members that S3 gives back as it got them.
fn kept_headers(input: &Value) -> Map<String, Value> {
    const KEPT: [&str; 7] = [
        "ContentType",
        "CacheControl",
        "ContentDisposition",
        "ContentEncoding",
        "ContentLanguage",
        "Expires",
        "WebsiteRedirectLocation",
    ];
    KEPT.iter()
        .filter_map(|name| Some(((*name).to_owned(), input.member(name)?.clone())))
        .collect()
}

#[cfg(test)]
mod tests;
