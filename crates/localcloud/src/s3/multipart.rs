//! Multipart uploads: parts in a folder each, put together when the upload is completed.
//!
//! Parts but the last have at least 5 MiB, as in AWS
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>); the ETag is the MD5 of the parts' MD5s.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::bucket::{Part, Upload};
use super::conditions::{WriteCondition, byte_range};
use super::failures::{invalid_argument, no_such_upload};
use super::objects::{NewObject, add, checksums, copy_source, metadata, tags_of_header};
use super::{Core, kept_headers, key, name, of, of_mut};
use crate::chance;
use crate::members::Members;
use crate::saved::storage_failure;
use crate::service::{ApiError, Response};

const SMALLEST_PART: u64 = 5 * 1024 * 1024;

impl Core {
    pub(super) fn create_upload(&self, input: &Value) -> Result<Response, ApiError> {
        let id = chance::letters(chance::LETTERS_AND_DIGITS, 48).map_err(storage_failure)?;
        let upload = Upload {
            key: key(input)?.to_owned(),
            started: self.now(),
            headers: kept_headers(input),
            metadata: metadata(input),
            tags: tags_of_header(input),
            parts: BTreeMap::new(),
        };
        self.with_bucket(input, |name, bucket| {
            bucket.uploads.insert(id.clone(), upload);
            bucket.save_upload(&id).map_err(storage_failure)?;
            Ok(json!({"Bucket": name, "Key": input.text("Key"), "UploadId": id}))
        })
    }

    pub(super) fn upload_part(&self, input: &Value, body: Bytes) -> Result<Response, ApiError> {
        let part = self.keep_part(input, &body, hex::encode(Md5::digest(&body)))?;
        let mut output = json!({"ETag": format!("\"{}\"", part.etag), "ServerSideEncryption": "AES256"});
        add(&mut output, &checksums(input));
        Ok(output.into())
    }

    pub(super) fn copy_part(&self, input: &Value) -> Result<Response, ApiError> {
        let (bucket, key) = copy_source(input)?;
        let (record, mut bytes) = self.read_source(input, &bucket, &key)?;
        if let Some((first, last)) = input
            .text("CopySourceRange")
            .map(|range| byte_range(range, record.size))
            .transpose()?
            .flatten()
        {
            bytes = bytes.slice(first as usize..=last as usize);
        }
        let part = self.keep_part(input, &bytes, hex::encode(Md5::digest(&bytes)))?;
        let result = json!({"ETag": format!("\"{}\"", part.etag), "LastModified": part.modified.as_second()});
        Ok(json!({"CopyPartResult": result}).into())
    }

    fn keep_part(&self, input: &Value, bytes: &[u8], etag: String) -> Result<Part, ApiError> {
        let number = input
            .integer("PartNumber")
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (1..=10_000).contains(number))
            .ok_or_else(|| invalid_argument("Part number must be an integer between 1 and 10000, inclusive"))?;
        let id = input.text("UploadId").unwrap_or_default();
        let part = Part {
            size: bytes.len() as u64,
            etag,
            modified: self.now(),
        };
        let folder = {
            let buckets = self.lock();
            let bucket = of(&buckets, name(input)?)?;
            bucket
                .uploads
                .get(id)
                .filter(|upload| Some(upload.key.as_str()) == input.text("Key"))
                .ok_or_else(no_such_upload)?;
            bucket.upload_folder(id)
        };
        // Sent twice, the later one counts; each is whole in a file of its own before it does.
        let file = tempfile::NamedTempFile::new_in(&folder).map_err(storage_failure)?;
        std::fs::write(file.path(), bytes).map_err(storage_failure)?;
        let mut buckets = self.lock();
        let bucket = of_mut(&mut buckets, name(input)?)?;
        bucket
            .uploads
            .get_mut(id)
            .ok_or_else(no_such_upload)?
            .parts
            .insert(number, part.clone());
        file.persist(folder.join(number.to_string()))
            .map_err(|error| storage_failure(error.error))?;
        bucket.save_upload(id).map_err(storage_failure)?;
        Ok(part)
    }

    pub(super) fn list_parts(&self, input: &Value) -> Result<Response, ApiError> {
        let id = input.text("UploadId").unwrap_or_default();
        let after = input.integer("PartNumberMarker").unwrap_or(0);
        let size = usize::try_from(input.integer("MaxParts").unwrap_or(1000))
            .unwrap_or(0)
            .min(1000);
        self.with_bucket(input, |name, bucket| {
            let upload = bucket.uploads.get(id).ok_or_else(no_such_upload)?;
            let mut rest = upload
                .parts
                .iter()
                .filter(|(number, _)| i64::from(**number) > after)
                .peekable();
            let mut parts = Vec::new();
            while parts.len() < size {
                let Some((number, part)) = rest.next() else { break };
                parts.push(json!({
                    "PartNumber": number,
                    "ETag": format!("\"{}\"", part.etag),
                    "Size": part.size,
                    "LastModified": part.modified.as_second(),
                }));
            }
            Ok(json!({
                "Bucket": name,
                "Key": upload.key,
                "UploadId": id,
                "PartNumberMarker": after.to_string(),
                "NextPartNumberMarker": parts.last().map(|part| part["PartNumber"].to_string()),
                "MaxParts": size,
                "IsTruncated": rest.peek().is_some(),
                "Parts": parts,
                "StorageClass": "STANDARD",
            }))
        })
    }

    pub(super) fn list_uploads(&self, input: &Value) -> Result<Response, ApiError> {
        let prefix = input.text("Prefix").unwrap_or_default();
        self.with_bucket(input, |name, bucket| {
            let mut uploads: Vec<_> = bucket
                .uploads
                .iter()
                .filter(|(_, upload)| upload.key.starts_with(prefix))
                .collect();
            uploads.sort_by(|(_, left), (_, right)| (&left.key, left.started).cmp(&(&right.key, right.started)));
            let uploads: Vec<Value> = uploads
                .into_iter()
                .map(|(id, upload)| {
                    json!({"UploadId": id, "Key": upload.key, "Initiated": upload.started.as_second(),
                        "StorageClass": "STANDARD"})
                })
                .collect();
            Ok(
                json!({"Bucket": name, "Prefix": input.text("Prefix"), "IsTruncated": false, "MaxUploads": 1000,
                "Uploads": uploads}),
            )
        })
    }

    pub(super) fn abort_upload(&self, input: &Value) -> Result<Response, ApiError> {
        let id = input.text("UploadId").unwrap_or_default();
        self.with_bucket(input, |_, bucket| {
            bucket.uploads.get(id).ok_or_else(no_such_upload)?;
            bucket.remove_upload(id).map_err(storage_failure)?;
            Ok(json!({}))
        })
    }

    pub(super) fn complete_upload(&self, input: &Value) -> Result<Response, ApiError> {
        let (bucket_name, key) = (name(input)?, key(input)?);
        let id = input.text("UploadId").unwrap_or_default();
        let asked = input
            .member("MultipartUpload")
            .map(|upload| upload.list("Parts"))
            .unwrap_or_default();
        let (upload, folder) = {
            let buckets = self.lock();
            let bucket = of(&buckets, bucket_name)?;
            let upload = bucket
                .uploads
                .get(id)
                .filter(|upload| upload.key == key)
                .ok_or_else(no_such_upload)?;
            (upload.clone(), bucket.upload_folder(id))
        };
        let numbers = chosen_parts(&upload, asked)?;
        let (mut bytes, mut digests) = (BytesMut::new(), Md5::new());
        for number in &numbers {
            let part = std::fs::read(folder.join(number.to_string())).map_err(storage_failure)?;
            digests.update(Md5::digest(&part));
            bytes.extend_from_slice(&part);
        }
        let object = NewObject {
            bytes: bytes.freeze(),
            etag: format!("{}-{}", hex::encode(digests.finalize()), numbers.len()),
            headers: upload.headers,
            metadata: upload.metadata,
            checksums: Map::new(),
            tags: upload.tags,
        };
        let record = self.write(bucket_name, key, object, &WriteCondition::of(input)?)?;
        let mut buckets = self.lock();
        of_mut(&mut buckets, bucket_name)?
            .remove_upload(id)
            .map_err(storage_failure)?;
        Ok(json!({
            "Bucket": bucket_name,
            "Key": key,
            "ETag": format!("\"{}\"", record.etag),
            "Location": format!("{}/{bucket_name}/{key}", self.context.endpoint),
            "ServerSideEncryption": "AES256",
        })
        .into())
    }
}

/// The numbers of the parts that the caller named, if it named them well.
fn chosen_parts(upload: &Upload, asked: &[Value]) -> Result<Vec<u32>, ApiError> {
    let invalid = || {
        let message = "One or more of the specified parts could not be found. The part may not have been uploaded, or \
                       the specified entity tag may not match the part's entity tag.";
        ApiError::new(400, "InvalidPart", message)
    };
    if asked.is_empty() {
        return Err(ApiError::new(400, "MalformedXML", "You must specify at least one part"));
    }
    let mut numbers: Vec<u32> = Vec::new();
    for (place, part) in asked.iter().enumerate() {
        let number = part
            .integer("PartNumber")
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(invalid)?;
        let present = upload.parts.get(&number).ok_or_else(invalid)?;
        if part
            .text("ETag")
            .is_some_and(|etag| etag.trim_matches('"') != present.etag)
        {
            return Err(invalid());
        }
        if numbers.last().is_some_and(|last| *last >= number) {
            let message = "The list of parts was not in ascending order. The parts list must be specified in order by \
                           part number.";
            return Err(ApiError::new(400, "InvalidPartOrder", message));
        }
        if present.size < SMALLEST_PART && place + 1 < asked.len() {
            let message = "Your proposed upload is smaller than the minimum allowed size";
            return Err(ApiError::new(400, "EntityTooSmall", message));
        }
        numbers.push(number);
    }
    Ok(numbers)
}
