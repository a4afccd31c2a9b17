//! Where requests for a bucket's objects are logged.

use cfn::{Expr, Map};

use super::{Bucket, access};
use crate::iam::Principal;

const SERVICE: &str = "logging.s3.amazonaws.com";

/// How keys of logs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKeyFormat {
    /// Prefix, time and a random text.
    Simple,
    /// Prefix, account, region, bucket and the date that requests happened on.
    PartitionedByEventTime,
    /// The same with the date that the log came on.
    PartitionedByDeliveryTime,
}

#[derive(Default)]
pub(super) struct Logging {
    pub(super) bucket: Option<Bucket>,
    pub(super) prefix: Option<String>,
    pub(super) format: Option<LogKeyFormat>,
}

impl Logging {
    pub(super) fn apply(&self, from: &Bucket) {
        if self.bucket.is_none() && self.prefix.is_none() {
            if self.format.is_some() {
                from.construct
                    .report("a format of logs says nothing where there are none");
            }
            return;
        }
        let mut configuration = Map::new();
        if let Some(bucket) = &self.bucket {
            configuration.insert("DestinationBucketName", bucket.bucket_name());
            if let Some(key) = bucket.encryption_key() {
                key.grant_encrypt_decrypt(Principal::service(SERVICE));
            }
        }
        if let Some(prefix) = &self.prefix {
            configuration.insert("LogFilePrefix", prefix.clone());
        }
        if let Some(format) = self.format {
            let partitioned = |source: &'static str| {
                let by = Expr::map([("PartitionDateSource", source)]);
                Expr::map([("PartitionedPrefix", by)])
            };
            let format = match format {
                LogKeyFormat::Simple => Expr::map([("SimplePrefix", Map::new())]),
                LogKeyFormat::PartitionedByEventTime => partitioned("EventTime"),
                LogKeyFormat::PartitionedByDeliveryTime => partitioned("DeliveryTime"),
            };
            configuration.insert("TargetObjectKeyFormat", format);
        }
        from.set("LoggingConfiguration", configuration.into());
        access::allow_log_delivery(self.bucket.as_ref().unwrap_or(from));
    }
}
