//! The MD5 sums by which clients of SQS check what they sent.
//!
//! SQS Developer Guide, "Calculating the MD5 message digest for message attributes".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::Value;

use crate::members::Members;

pub(super) fn of_body(body: &str) -> String {
    hex::encode(Md5::digest(body))
}

/// None without attributes.
pub(super) fn of_attributes(attributes: &Value) -> Option<String> {
    let attributes = attributes.as_object().filter(|attributes| !attributes.is_empty())?;
    let mut names: Vec<&String> = attributes.keys().collect();
    names.sort();
    let mut digest = Md5::new();
    for name in names {
        let attribute = &attributes[name];
        add(&mut digest, name.as_bytes());
        add(&mut digest, attribute.text("DataType").unwrap_or_default().as_bytes());
        // How the value travels stands before it, without a length.
        match attribute.text("BinaryValue") {
            Some(binary) => {
                digest.update([2]);
                add(&mut digest, &STANDARD.decode(binary).unwrap_or_default());
            }
            None => {
                digest.update([1]);
                add(
                    &mut digest,
                    attribute.text("StringValue").unwrap_or_default().as_bytes(),
                );
            }
        }
    }
    Some(hex::encode(digest.finalize()))
}

fn add(digest: &mut Md5, bytes: &[u8]) {
    digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(bytes);
}
