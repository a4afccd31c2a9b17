//! Lists of keys: `ListObjectsV2`, the older `ListObjects`, `ListObjectVersions`.
//!
//! Keys come in the order of their UTF-8 bytes; with a delimiter all keys that share what stands before it count as
//! one entry (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::bucket::{Bucket, ObjectRecord};
use super::failures::invalid_argument;
use crate::context::ACCOUNT;
use crate::members::Members;
use crate::percent::percent_encoded;
use crate::service::ApiError;

struct Page<'b> {
    objects: Vec<&'b ObjectRecord>,
    prefixes: Vec<String>,
    /// The last entry of the page when more follow: a key or a common prefix.
    last: Option<String>,
}

/// The entries after `after`, at most `size`.
fn page<'b>(bucket: &'b Bucket, prefix: &str, delimiter: &str, after: &str, size: usize) -> Page<'b> {
    let mut page = Page {
        objects: Vec::new(),
        prefixes: Vec::new(),
        last: None,
    };
    let mut last: Option<String> = None;
    for (key, record) in bucket.objects.range(prefix.to_owned()..) {
        let Some(rest) = key.strip_prefix(prefix) else { break };
        let common = match rest.find(delimiter) {
            Some(place) if !delimiter.is_empty() => Some(&key[..prefix.len() + place + delimiter.len()]),
            _ => None,
        };
        let entry = common.unwrap_or(key);
        let listed = page
            .prefixes
            .last()
            .is_some_and(|present| Some(present.as_str()) == common);
        if listed || (!after.is_empty() && entry <= after) {
            continue;
        }
        if page.objects.len() + page.prefixes.len() == size {
            page.last = last;
            return page;
        }
        last = Some(entry.to_owned());
        match common {
            Some(common) => page.prefixes.push(common.to_owned()),
            None => page.objects.push(record),
        }
    }
    page
}

pub(super) fn list_objects_v2(name: &str, bucket: &Bucket, input: &Value) -> Result<Value, ApiError> {
    let (prefix, delimiter, size) = asked(input)?;
    let after = match input.text("ContinuationToken") {
        Some(token) => STANDARD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| invalid_argument("The continuation token provided is incorrect"))?,
        None => input.text("StartAfter").unwrap_or_default().to_owned(),
    };
    let page = page(bucket, prefix, delimiter, &after, size);
    let spelt = spelling(input);
    let mut output = described(name, &page, input, size, "Contents");
    output["KeyCount"] = json!(page.objects.len() + page.prefixes.len());
    output["ContinuationToken"] = json!(input.text("ContinuationToken"));
    output["NextContinuationToken"] = json!(page.last.map(|last| STANDARD.encode(last)));
    output["StartAfter"] = json!(input.text("StartAfter").map(spelt));
    Ok(output)
}

pub(super) fn list_objects(name: &str, bucket: &Bucket, input: &Value) -> Result<Value, ApiError> {
    let (prefix, delimiter, size) = asked(input)?;
    let marker = input.text("Marker").unwrap_or_default();
    let page = page(bucket, prefix, delimiter, marker, size);
    let spelt = spelling(input);
    let mut output = described(name, &page, input, size, "Contents");
    output["Marker"] = json!(spelt(marker));
    if !delimiter.is_empty() {
        output["NextMarker"] = json!(page.last.as_deref().map(spelt));
    }
    Ok(output)
}

/// Every object is its own only version: versions are not kept.
pub(super) fn list_versions(name: &str, bucket: &Bucket, input: &Value) -> Result<Value, ApiError> {
    let (prefix, delimiter, size) = asked(input)?;
    let marker = input.text("KeyMarker").unwrap_or_default();
    let page = page(bucket, prefix, delimiter, marker, size);
    let spelt = spelling(input);
    let mut output = described(name, &page, input, size, "Versions");
    for version in output["Versions"].as_array_mut().into_iter().flatten() {
        version["VersionId"] = json!("null");
        version["IsLatest"] = json!(true);
    }
    output["KeyMarker"] = json!(spelt(marker));
    output["NextKeyMarker"] = json!(page.last.as_deref().map(&spelt));
    output["NextVersionIdMarker"] = json!(page.last.as_deref().map(|_| "null"));
    Ok(output)
}

fn asked(input: &Value) -> Result<(&str, &str, usize), ApiError> {
    let size = input.integer("MaxKeys").unwrap_or(1000);
    let size = usize::try_from(size)
        .map_err(|_| invalid_argument("Argument maxKeys must be an integer between 0 and 2147483647"))?;
    Ok((
        input.text("Prefix").unwrap_or_default(),
        input.text("Delimiter").unwrap_or_default(),
        size.min(1000),
    ))
}

fn described(name: &str, page: &Page<'_>, input: &Value, size: usize, member: &str) -> Value {
    let spelt = spelling(input);
    let contents: Vec<Value> = page
        .objects
        .iter()
        .map(|object| {
            json!({
                "Key": spelt(&object.key),
                "LastModified": object.modified.as_second(),
                "ETag": format!("\"{}\"", object.etag),
                "Size": object.size,
                "StorageClass": "STANDARD",
                "Owner": {"ID": ACCOUNT, "DisplayName": "local"},
            })
        })
        .collect();
    let prefixes: Vec<Value> = page
        .prefixes
        .iter()
        .map(|prefix| json!({"Prefix": spelt(prefix)}))
        .collect();
    json!({
        "Name": name,
        "Prefix": spelt(input.text("Prefix").unwrap_or_default()),
        "Delimiter": input.text("Delimiter").map(&spelt),
        "MaxKeys": size,
        "EncodingType": input.text("EncodingType"),
        "IsTruncated": page.last.is_some(),
        member: contents,
        "CommonPrefixes": prefixes,
    })
}

/// How keys are written: as they are, or percent-encoded for callers that asked so because XML cannot hold every
/// character.
fn spelling(input: &Value) -> impl Fn(&str) -> String + use<> {
    let encode = input.text("EncodingType") == Some("url");
    move |key: &str| if encode { percent_encoded(key) } else { key.to_owned() }
}
