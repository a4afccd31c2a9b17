//! A bucket's settings: kept and given back. `DefaultEncryption` and the public access block begin as AWS gives them to
//! new buckets since 2023.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Core, name, of_mut};
use crate::members::Members;
use crate::saved::storage_failure;
use crate::service::{ApiError, Response};

/// How one setting is called in the operations' names, in the put operation's input, and what its absence is called.
struct Setting {
    operation: &'static str,
    member: &'static str,
    /// The put operation's members stand at the top of the get operation's output.
    flattened: bool,
    absence: Option<(&'static str, &'static str)>,
}

const SETTINGS: [Setting; 6] = [
    Setting {
        operation: "BucketVersioning",
        member: "VersioningConfiguration",
        flattened: true,
        absence: None,
    },
    Setting {
        operation: "BucketEncryption",
        member: "ServerSideEncryptionConfiguration",
        flattened: false,
        absence: Some((
            "ServerSideEncryptionConfigurationNotFoundError",
            "The server side encryption configuration was not found",
        )),
    },
    Setting {
        operation: "PublicAccessBlock",
        member: "PublicAccessBlockConfiguration",
        flattened: false,
        absence: Some((
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        )),
    },
    Setting {
        operation: "BucketTagging",
        member: "Tagging",
        flattened: true,
        absence: Some(("NoSuchTagSet", "The TagSet does not exist")),
    },
    Setting {
        operation: "BucketLifecycleConfiguration",
        member: "LifecycleConfiguration",
        flattened: true,
        absence: Some((
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
        )),
    },
    Setting {
        operation: "BucketPolicy",
        member: "Policy",
        flattened: false,
        absence: Some(("NoSuchBucketPolicy", "The bucket policy does not exist")),
    },
];

pub(super) fn defaults() -> Map<String, Value> {
    let encryption = json!({"Rules": [{
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": false,
    }]});
    let block = json!({
        "BlockPublicAcls": true,
        "IgnorePublicAcls": true,
        "BlockPublicPolicy": true,
        "RestrictPublicBuckets": true,
    });
    Map::from_iter([
        ("ServerSideEncryptionConfiguration".to_owned(), encryption),
        ("PublicAccessBlockConfiguration".to_owned(), block),
    ])
}

impl Core {
    /// `Put…`, `Get…` and `Delete…` of one setting.
    pub(super) fn setting(&self, operation: &str, input: &Value, body: &Bytes) -> Result<Response, ApiError> {
        let unknown = || ApiError::new(501, "NotImplemented", format!("{operation} is not served"));
        let verb = ["Put", "Get", "Delete"]
            .into_iter()
            .find(|verb| operation.starts_with(verb))
            .ok_or_else(unknown)?;
        // DeleteBucketLifecycle is the one whose name differs from its siblings'.
        let subject = match &operation[verb.len()..] {
            "BucketLifecycle" => "BucketLifecycleConfiguration",
            subject => subject,
        };
        let setting = SETTINGS
            .iter()
            .find(|setting| setting.operation == subject)
            .ok_or_else(unknown)?;
        let mut buckets = self.lock();
        let bucket = of_mut(&mut buckets, name(input)?)?;
        let values = &mut bucket.settings.values;
        if verb == "Get" {
            return got(setting, values.member(setting.member));
        }
        if verb == "Put" {
            let value = match (setting.member, input.member(setting.member)) {
                (_, Some(value)) => value.clone(),
                ("Policy", None) => json!(policy(body)?),
                (_, None) => json!({}),
            };
            values.insert(setting.member.to_owned(), value);
        } else {
            values.remove(setting.member);
            // Encryption cannot be turned off any more: deleting it brings the default back.
            if let ("BucketEncryption", Some(default)) = (subject, defaults().remove(setting.member)) {
                values.insert(setting.member.to_owned(), default);
            }
        }
        bucket.save_settings().map_err(storage_failure)?;
        Ok(json!({}).into())
    }
}

fn got(setting: &Setting, value: Option<&Value>) -> Result<Response, ApiError> {
    match (value, setting.absence) {
        (None, None) => Ok(json!({}).into()),
        (None, Some((code, message))) => Err(ApiError::new(404, code, message)),
        (Some(value), _) if setting.flattened => Ok(value.clone().into()),
        (Some(value), _) => {
            let body = value
                .as_str()
                .map(|text| Bytes::copy_from_slice(text.as_bytes()))
                .unwrap_or_default();
            Ok(Response {
                output: json!({setting.member: value}),
                body,
            })
        }
    }
}

fn policy(body: &Bytes) -> Result<String, ApiError> {
    let text = String::from_utf8_lossy(body).into_owned();
    match serde_json::from_str::<Map<String, Value>>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(ApiError::new(
            400,
            "MalformedPolicy",
            format!("This policy contains invalid Json: {error}"),
        )),
    }
}
