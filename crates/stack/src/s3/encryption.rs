//! How objects are encrypted at rest.

use cfn::s3::bucket;
use cfn::{Builder, Value, id};

use crate::kms::Key;
use crate::tree::Construct;

/// With which key, and in how many layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketEncryption {
    /// With a key of S3.
    S3Managed,
    /// With the account's default key for S3.
    KmsManaged,
    /// With a key of KMS: the one that is given, or one of the bucket's own.
    Kms,
    /// As [`BucketEncryption::KmsManaged`], in two layers.
    DsseManaged,
    /// As [`BucketEncryption::Kms`], in two layers.
    Dsse,
}

impl BucketEncryption {
    const fn algorithm(self) -> &'static str {
        match self {
            Self::S3Managed => "AES256",
            Self::KmsManaged | Self::Kms => "aws:kms",
            Self::DsseManaged | Self::Dsse => "aws:kms:dsse",
        }
    }
}

/// What stands in the properties, and the key.
pub(super) fn choose(
    construct: &Construct,
    said: Option<BucketEncryption>,
    key: Option<Key>,
    bucket_key: Option<bool>,
) -> (Option<bucket::BucketEncryption<cfn::Set>>, Option<Key>) {
    let Some(encryption) = said.or(key.is_some().then_some(BucketEncryption::Kms)) else {
        if bucket_key == Some(true) {
            construct.report("a bucket key lies below a key; say how objects are encrypted");
        }
        return (None, None);
    };
    let takes_key = matches!(encryption, BucketEncryption::Kms | BucketEncryption::Dsse);
    if key.is_some() && !takes_key {
        construct.report("a key of one's own goes with the encryptions `Kms` and `Dsse`");
    }
    let key = takes_key.then(|| key.unwrap_or_else(|| own_key(construct, encryption)));
    let arn = key.as_ref().map(Key::key_arn).map(Value::cast::<id::kms::AnyKey>);
    let default = bucket::ServerSideEncryptionByDefault::new()
        .sse_algorithm(encryption.algorithm())
        .when_some(arn, |default, arn: Value<id::kms::AnyKey>| {
            default.kms_master_key_id(arn)
        });
    let rule = bucket::ServerSideEncryptionRule::new()
        .server_side_encryption_by_default(default)
        .when_some(bucket_key, |rule, on| rule.bucket_key_enabled(on));
    let encryption = bucket::BucketEncryption::new().server_side_encryption_configuration([rule]);
    (Some(encryption), key)
}

fn own_key(construct: &Construct, encryption: BucketEncryption) -> Key {
    let key = Key::new(construct, "Key").description(format!("Created by {}", construct.path()));
    // As the CDK does it.
    if encryption == BucketEncryption::Kms {
        key.enable_key_rotation(true).build()
    } else {
        key.build()
    }
}
