//! Operations on one object, or on several by name.

use std::io::{Read, Seek, SeekFrom};

use bytes::Bytes;
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::bucket::{ObjectRecord, write_content};
use super::conditions::{WriteCondition, byte_range, check_read};
use super::failures::{conditional_conflict, invalid_argument, invalid_request, no_such_key};
use super::{Core, kept_headers, key, name, of, of_mut};
use crate::members::Members;
use crate::percent::percent_decoded;
use crate::saved::storage_failure;
use crate::service::{ApiError, Response};

/// An object about to be written.
pub(super) struct NewObject {
    pub bytes: Bytes,
    pub etag: String,
    pub headers: Map<String, Value>,
    pub metadata: Map<String, Value>,
    pub checksums: Map<String, Value>,
    pub tags: Value,
}

impl Core {
    pub(super) fn put_object(&self, input: &Value, body: Bytes) -> Result<Response, ApiError> {
        let object = NewObject {
            etag: hex::encode(Md5::digest(&body)),
            bytes: body,
            headers: kept_headers(input),
            metadata: metadata(input),
            checksums: checksums(input),
            tags: tags_of_header(input),
        };
        let record = self.write(name(input)?, key(input)?, object, &WriteCondition::of(input)?)?;
        let mut output = json!({
            "ETag": format!("\"{}\"", record.etag),
            "ServerSideEncryption": "AES256",
            "Size": record.size,
        });
        add(&mut output, &record.checksums);
        Ok(output.into())
    }

    /// Writes an object under a condition. The condition is checked when the write arrives and again when its bytes
    /// are on disk; somebody else's write in between is a conflict.
    pub(super) fn write(
        &self,
        bucket_name: &str,
        key: &str,
        object: NewObject,
        condition: &WriteCondition,
    ) -> Result<ObjectRecord, ApiError> {
        let (folder, arrived) = {
            let buckets = self.lock();
            let bucket = of(&buckets, bucket_name)?;
            let present = bucket.objects.get(key);
            condition.check(key, present)?;
            (bucket.folder().to_owned(), present.map(|record| record.content.clone()))
        };
        let content = write_content(&folder, &object.bytes).map_err(storage_failure)?;
        let record = ObjectRecord {
            key: key.to_owned(),
            content: content.clone(),
            size: object.bytes.len() as u64,
            etag: object.etag,
            modified: self.now(),
            headers: object.headers,
            metadata: object.metadata,
            checksums: object.checksums,
            tags: object.tags,
        };
        let mut buckets = self.lock();
        let committed = of_mut(&mut buckets, bucket_name).and_then(|bucket| {
            let present = bucket.objects.get(key).map(|record| record.content.clone());
            if *condition != WriteCondition::Always && present != arrived {
                return Err(conditional_conflict(key));
            }
            bucket.commit(record.clone()).map_err(storage_failure)
        });
        if committed.is_err() {
            // What is left of a lost race; should this fail too, the next start removes it.
            let _ = std::fs::remove_file(folder.join("contents").join(content));
        }
        committed.map(|()| record)
    }

    pub(super) fn get_object(&self, input: &Value) -> Result<Response, ApiError> {
        let (record, mut file) = {
            let buckets = self.lock();
            let bucket = of(&buckets, name(input)?)?;
            let record = bucket
                .objects
                .get(key(input)?)
                .ok_or_else(|| no_such_key(key(input).unwrap_or_default()))?;
            check_read(input, "", record)?;
            // Opened under the lock: a later write removes the file, what is open stays readable.
            (record.clone(), bucket.open_content(record).map_err(storage_failure)?)
        };
        let mut output = described(&record, input);
        let range = input
            .text("Range")
            .map(|range| byte_range(range, record.size))
            .transpose()?
            .flatten();
        let mut bytes = Vec::new();
        match range {
            None => {
                file.read_to_end(&mut bytes).map_err(storage_failure)?;
            }
            Some((first, last)) => {
                file.seek(SeekFrom::Start(first)).map_err(storage_failure)?;
                file.take(last - first + 1)
                    .read_to_end(&mut bytes)
                    .map_err(storage_failure)?;
                output["ContentRange"] = json!(format!("bytes {first}-{last}/{}", record.size));
            }
        }
        output["ContentLength"] = json!(bytes.len());
        if range.is_none() && input.text("ChecksumMode") == Some("ENABLED") {
            add(&mut output, &record.checksums);
        }
        Ok(Response {
            output,
            body: bytes.into(),
        })
    }

    pub(super) fn head_object(&self, input: &Value) -> Result<Response, ApiError> {
        let buckets = self.lock();
        let bucket = of(&buckets, name(input)?)?;
        let key = key(input)?;
        let record = bucket.objects.get(key).ok_or_else(|| no_such_key(key))?;
        check_read(input, "", record)?;
        let mut output = described(record, input);
        output["ContentLength"] = json!(record.size);
        if input.text("ChecksumMode") == Some("ENABLED") {
            add(&mut output, &record.checksums);
        }
        Ok(output.into())
    }

    pub(super) fn object_attributes(&self, input: &Value) -> Result<Response, ApiError> {
        let asked = input.texts("ObjectAttributes");
        let buckets = self.lock();
        let bucket = of(&buckets, name(input)?)?;
        let key = key(input)?;
        let record = bucket.objects.get(key).ok_or_else(|| no_such_key(key))?;
        let mut output = json!({"LastModified": record.modified.as_second()});
        for (attribute, value) in [
            ("ETag", json!(record.etag)),
            ("ObjectSize", json!(record.size)),
            ("StorageClass", json!("STANDARD")),
            ("Checksum", json!(record.checksums)),
        ] {
            if asked.iter().any(|asked| asked == attribute) {
                output[attribute] = value;
            }
        }
        Ok(output.into())
    }

    pub(super) fn copy_object(&self, input: &Value) -> Result<Response, ApiError> {
        let (source_bucket, source_key) = copy_source(input)?;
        let replace = input.text("MetadataDirective") == Some("REPLACE");
        let (bucket_name, key) = (name(input)?, key(input)?);
        if (source_bucket.as_str(), source_key.as_str()) == (bucket_name, key) && !replace {
            return Err(invalid_request(
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        let (source, bytes) = self.read_source(input, &source_bucket, &source_key)?;
        let (headers, metadata) = match replace {
            true => (kept_headers(input), metadata(input)),
            false => (source.headers, source.metadata),
        };
        let tags = match input.text("TaggingDirective") {
            Some("REPLACE") => tags_of_header(input),
            _ => source.tags,
        };
        let etag = hex::encode(Md5::digest(&bytes));
        let object = NewObject {
            bytes,
            etag,
            headers,
            metadata,
            checksums: source.checksums,
            tags,
        };
        let record = self.write(bucket_name, key, object, &WriteCondition::of(input)?)?;
        let mut result = json!({"ETag": format!("\"{}\"", record.etag), "LastModified": record.modified.as_second()});
        add(&mut result, &record.checksums);
        Ok(json!({"CopyObjectResult": result, "ServerSideEncryption": "AES256"}).into())
    }

    /// The whole source of a copy, under the copy's conditions.
    pub(super) fn read_source(
        &self,
        input: &Value,
        bucket: &str,
        key: &str,
    ) -> Result<(ObjectRecord, Bytes), ApiError> {
        let (record, mut file) = {
            let buckets = self.lock();
            let bucket = of(&buckets, bucket)?;
            let record = bucket.objects.get(key).ok_or_else(|| no_such_key(key))?;
            check_read(input, "CopySource", record)?;
            (record.clone(), bucket.open_content(record).map_err(storage_failure)?)
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(storage_failure)?;
        Ok((record, bytes.into()))
    }

    pub(super) fn delete_object(&self, input: &Value) -> Result<Response, ApiError> {
        let mut buckets = self.lock();
        let bucket = of_mut(&mut buckets, name(input)?)?;
        let key = key(input)?;
        if let Some(etag) = input.text("IfMatch") {
            WriteCondition::Matches(etag.to_owned()).check(key, bucket.objects.get(key))?;
        }
        bucket.remove(key).map_err(storage_failure)?;
        Ok(json!({}).into())
    }

    pub(super) fn delete_objects(&self, input: &Value) -> Result<Response, ApiError> {
        let delete = input
            .member("Delete")
            .ok_or_else(|| invalid_argument("Delete is missing"))?;
        let mut buckets = self.lock();
        let bucket = of_mut(&mut buckets, name(input)?)?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in delete.list("Objects") {
            let key = object.text("Key").unwrap_or_default();
            let allowed = match object.text("ETag") {
                Some(etag) => WriteCondition::Matches(etag.to_owned()).check(key, bucket.objects.get(key)),
                None => Ok(()),
            };
            match allowed.and_then(|()| bucket.remove(key).map_err(storage_failure)) {
                Ok(()) => deleted.push(json!({"Key": key})),
                Err(error) => errors.push(json!({"Key": key, "Code": error.code, "Message": error.message})),
            }
        }
        match delete.flag("Quiet") {
            Some(true) => Ok(json!({"Errors": errors}).into()),
            _ => Ok(json!({"Deleted": deleted, "Errors": errors}).into()),
        }
    }

    pub(super) fn object_tagging(&self, operation: &str, input: &Value) -> Result<Response, ApiError> {
        let mut buckets = self.lock();
        let bucket = of_mut(&mut buckets, name(input)?)?;
        let key = key(input)?;
        let mut record = bucket.objects.get(key).cloned().ok_or_else(|| no_such_key(key))?;
        record.tags = match operation {
            "GetObjectTagging" => return Ok(json!({"TagSet": record.tags}).into()),
            "PutObjectTagging" => {
                let tagging = input
                    .member("Tagging")
                    .ok_or_else(|| invalid_argument("Tagging is missing"))?;
                Value::Array(tagging.list("TagSet").to_vec())
            }
            _ => json!([]),
        };
        bucket.commit(record).map_err(storage_failure)?;
        Ok(json!({}).into())
    }
}

/// `BUCKET/KEY`, percent-encoded, with or without a slash in front; or an ARN of it.
pub(super) fn copy_source(input: &Value) -> Result<(String, String), ApiError> {
    let source = input
        .text("CopySource")
        .ok_or_else(|| invalid_argument("Copy Source must be given"))?;
    let source = percent_decoded(source.split("?versionId=").next().unwrap_or(source));
    let source = source.strip_prefix("arn:aws:s3:::").unwrap_or(&source);
    match source.trim_start_matches('/').split_once('/') {
        Some((bucket, key)) if !key.is_empty() => Ok((bucket.to_owned(), key.to_owned())),
        _ => Err(invalid_argument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        )),
    }
}

/// `ChecksumCRC32` and its like, which readers check the bytes against.
pub(super) fn checksums(input: &Value) -> Map<String, Value> {
    let members = input.as_object().into_iter().flatten();
    let given = members.filter(|(name, value)| {
        let is_digest = !["ChecksumAlgorithm", "ChecksumType", "ChecksumMode"].contains(&name.as_str());
        name.starts_with("Checksum") && is_digest && value.is_string()
    });
    given.map(|(name, value)| (name.clone(), value.clone())).collect()
}

pub(super) fn metadata(input: &Value) -> Map<String, Value> {
    input
        .member("Metadata")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// The header `x-amz-tagging`: `a=1&b=2`.
pub(super) fn tags_of_header(input: &Value) -> Value {
    let pairs = input
        .text("Tagging")
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty());
    let decoded = |text: &str| percent_decoded(&text.replace('+', " "));
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            json!({"Key": decoded(key), "Value": decoded(value)})
        })
        .collect()
}

fn described(record: &ObjectRecord, input: &Value) -> Value {
    let mut output = json!({
        "AcceptRanges": "bytes",
        "ContentType": "binary/octet-stream",
        "ETag": format!("\"{}\"", record.etag),
        "LastModified": record.modified.as_second(),
        "Metadata": record.metadata,
        "ServerSideEncryption": "AES256",
    });
    add(&mut output, &record.headers);
    // A reader may ask for other headers than the writer gave.
    for header in [
        "CacheControl",
        "ContentDisposition",
        "ContentEncoding",
        "ContentLanguage",
        "ContentType",
        "Expires",
    ] {
        if let Some(value) = input.member(&format!("Response{header}")) {
            output[header] = value.clone();
        }
    }
    if let Some(tags) = record.tags.as_array().filter(|tags| !tags.is_empty()) {
        output["TagCount"] = json!(tags.len());
    }
    output
}

pub(super) fn add(output: &mut Value, members: &Map<String, Value>) {
    for (name, value) in members {
        output[name] = value.clone();
    }
}
