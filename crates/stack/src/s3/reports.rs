//! What S3 counts and lists of a bucket: metrics, tiers of access, inventories.

use std::time::Duration;

use cfn::{Expr, Map};

use super::Bucket;
use crate::iam::{PolicyStatement, Principal};
use crate::tree::Scope;
use crate::units::whole_days;

const MAX_INVENTORY_ID: usize = 64;

fn tag_filters(tags: &[(String, String)]) -> Option<Expr> {
    let filter = |(key, value): &(String, String)| Expr::map([("Key", key.clone()), ("Value", value.clone())]);
    (!tags.is_empty()).then(|| Expr::List(tags.iter().map(filter).collect()))
}

fn insert(map: &mut Map, key: &'static str, value: Option<impl Into<Expr>>) {
    if let Some(value) = value {
        map.insert(key, value);
    }
}

/// Metrics of requests for some objects.
#[derive(Clone, Debug)]
pub struct MetricsConfiguration {
    id: String,
    prefix: Option<String>,
    tags: Vec<(String, String)>,
}

impl MetricsConfiguration {
    /// Of all objects, under this id.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            prefix: None,
            tags: Vec::new(),
        }
    }

    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    #[must_use]
    pub fn tag_filter(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    pub(super) fn render(&self) -> Expr {
        let mut map = Map::new();
        map.insert("Id", self.id.clone());
        insert(&mut map, "Prefix", self.prefix.clone());
        insert(&mut map, "TagFilters", tag_filters(&self.tags));
        map.into()
    }
}

/// When objects of intelligent tiering that nobody reads go to archives.
#[derive(Clone, Debug)]
pub struct IntelligentTiering {
    name: String,
    prefix: Option<String>,
    tags: Vec<(String, String)>,
    tiers: Vec<(&'static str, Duration)>,
}

impl IntelligentTiering {
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            prefix: None,
            tags: Vec::new(),
            tiers: Vec::new(),
        }
    }

    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    #[must_use]
    pub fn tag_filter(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// 90 to 730 days.
    #[must_use]
    pub fn archive_access_after(mut self, time: Duration) -> Self {
        self.tiers.push(("ARCHIVE_ACCESS", time));
        self
    }

    /// 180 to 730 days.
    #[must_use]
    pub fn deep_archive_access_after(mut self, time: Duration) -> Self {
        self.tiers.push(("DEEP_ARCHIVE_ACCESS", time));
        self
    }

    pub(super) fn render(&self) -> Expr {
        let tier = |(tier, after): &(&'static str, Duration)| {
            let days = i64::try_from(whole_days(*after)).unwrap_or(i64::MAX);
            Expr::map([("AccessTier", Expr::from(*tier)), ("Days", days.into())])
        };
        let mut map = Map::new();
        map.insert("Id", self.name.clone());
        insert(&mut map, "Prefix", self.prefix.clone());
        map.insert("Status", "Enabled");
        insert(&mut map, "TagFilters", tag_filters(&self.tags));
        map.insert("Tierings", Expr::List(self.tiers.iter().map(tier).collect()));
        map.into()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InventoryFormat {
    Csv,
    Orc,
    Parquet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InventoryFrequency {
    Daily,
    Weekly,
}

/// Which versions of objects are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InventoryVersions {
    All,
    Current,
}

/// A list of a bucket's objects, from time to time.
#[derive(Clone)]
pub struct Inventory {
    destination: Bucket,
    destination_prefix: Option<String>,
    destination_owner: Option<String>,
    id: Option<String>,
    enabled: bool,
    format: InventoryFormat,
    frequency: InventoryFrequency,
    versions: InventoryVersions,
    fields: Vec<String>,
    prefix: Option<String>,
}

impl Inventory {
    /// All versions of all objects, every week as CSV into this bucket, which is let be written to.
    pub fn new(destination: &Bucket) -> Self {
        Self {
            destination: destination.clone(),
            destination_prefix: None,
            destination_owner: None,
            id: None,
            enabled: true,
            format: InventoryFormat::Csv,
            frequency: InventoryFrequency::Weekly,
            versions: InventoryVersions::All,
            fields: Vec::new(),
            prefix: None,
        }
    }

    /// Keys of lists begin so.
    #[must_use]
    pub fn destination_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.destination_prefix = Some(prefix.into());
        self
    }

    /// The account that must own the destination.
    #[must_use]
    pub fn destination_owner(mut self, account: impl Into<String>) -> Self {
        self.destination_owner = Some(account.into());
        self
    }

    #[must_use]
    pub fn inventory_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    #[must_use]
    pub fn enabled(mut self, on: bool) -> Self {
        self.enabled = on;
        self
    }

    #[must_use]
    pub fn format(mut self, format: InventoryFormat) -> Self {
        self.format = format;
        self
    }

    #[must_use]
    pub fn frequency(mut self, frequency: InventoryFrequency) -> Self {
        self.frequency = frequency;
        self
    }

    #[must_use]
    pub fn versions(mut self, versions: InventoryVersions) -> Self {
        self.versions = versions;
        self
    }

    /// What is listed beside the key: `Size`, `ETag`, …
    #[must_use]
    pub fn optional_fields(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.fields.extend(fields.into_iter().map(Into::into));
        self
    }

    /// Only objects whose key begins so.
    #[must_use]
    pub fn objects_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    fn render(&self, bucket: &Bucket, index: usize) -> Expr {
        let in_id = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let id = match &self.id {
            Some(id) => {
                if id.len() > MAX_INVENTORY_ID || !id.chars().all(in_id) {
                    bucket.construct.report(format!(
                        "`{id}` is no id of an inventory: letters, digits and `_.-`, at most 64"
                    ));
                }
                id.clone()
            }
            None => {
                let id: String = format!("{}Inventory{index}", bucket.construct().id());
                let id: String = id.chars().filter(|c| in_id(*c)).collect();
                crate::logical_id::last_characters(&id, MAX_INVENTORY_ID).to_owned()
            }
        };
        let mut destination = Map::new();
        destination.insert("BucketArn", self.destination.bucket_arn());
        insert(&mut destination, "BucketAccountId", self.destination_owner.clone());
        insert(&mut destination, "Prefix", self.destination_prefix.clone());
        let format = match self.format {
            InventoryFormat::Csv => "CSV",
            InventoryFormat::Orc => "ORC",
            InventoryFormat::Parquet => "Parquet",
        };
        destination.insert("Format", format);
        let mut map = Map::new();
        map.insert("Id", id);
        map.insert("Destination", destination);
        map.insert("Enabled", self.enabled);
        let versions = match self.versions {
            InventoryVersions::All => "All",
            InventoryVersions::Current => "Current",
        };
        map.insert("IncludedObjectVersions", versions);
        let frequency = match self.frequency {
            InventoryFrequency::Daily => "Daily",
            InventoryFrequency::Weekly => "Weekly",
        };
        map.insert("ScheduleFrequency", frequency);
        insert(
            &mut map,
            "OptionalFields",
            (!self.fields.is_empty()).then(|| self.fields.clone()),
        );
        insert(&mut map, "Prefix", self.prefix.clone());
        map.into()
    }
}

/// Has the lists made, and their destinations let them in when all else is said.
pub(super) fn take_inventories(bucket: &Bucket, inventories: Vec<Inventory>) {
    if inventories.is_empty() {
        return;
    }
    let rendered = inventories.iter().enumerate();
    let rendered = rendered.map(|(index, inventory)| inventory.render(bucket, index));
    bucket.set("InventoryConfigurations", Expr::List(rendered.collect()));
    let from = bucket.bucket_arn();
    bucket.construct.on_synth(move || {
        for inventory in &inventories {
            let prefix = inventory.destination_prefix.as_deref().unwrap_or_default();
            let write = PolicyStatement::allow(["s3:PutObject"])
                .on(inventory.destination.bucket_arn())
                .on(inventory.destination.arn_for_objects(&format!("{prefix}*")))
                .by(Principal::service("s3.amazonaws.com"))
                .condition("ArnLike", [("aws:SourceArn", from.clone())]);
            inventory.destination.add_to_resource_policy(write);
        }
    });
}
