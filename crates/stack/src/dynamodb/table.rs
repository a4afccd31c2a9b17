//! Tables.

use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use cfn::dynamodb::table;
use cfn::{Builder, Expr, IntoValue, Value, id};

use super::capacity::{Capacity, WarmThroughput};
use super::reference::TableReference;
use super::schema::{Attribute, GlobalSecondaryIndex, Index, LocalSecondaryIndex, Schema};
use crate::element::{CfnResource, RemovalPolicy};
use crate::iam::PolicyStatement;
use crate::kms::Key;
use crate::s3::Bucket;
use crate::site::Site;
use crate::tree::{Construct, Scope};
use crate::units::whole_days;

/// How a table is encrypted at rest.
#[derive(Clone)]
pub enum TableEncryption {
    /// With a key of DynamoDB, without cost.
    AwsOwned,
    /// With the account's key for DynamoDB.
    AwsManaged,
    /// With a key that is made for the table. Who is granted the table is granted the key.
    CustomerManaged,
    /// With this key. Who is granted the table is granted the key.
    Key(Key),
}

/// What a stream tells of each change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamView {
    KeysOnly,
    NewImage,
    OldImage,
    NewAndOldImages,
}

impl StreamView {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::KeysOnly => "KEYS_ONLY",
            Self::NewImage => "NEW_IMAGE",
            Self::OldImage => "OLD_IMAGE",
            Self::NewAndOldImages => "NEW_AND_OLD_IMAGES",
        }
    }
}

/// How exactly a Kinesis stream is told when a record was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamPrecision {
    Millisecond,
    Microsecond,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableClass {
    Standard,
    /// Cheaper to keep, dearer to use.
    StandardInfrequentAccess,
}

impl TableClass {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::StandardInfrequentAccess => "STANDARD_INFREQUENT_ACCESS",
        }
    }
}

/// Which keys CloudWatch names that are used most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContributorInsights {
    Off,
    On,
    AccessedAndThrottledKeys,
    ThrottledKeys,
}

impl ContributorInsights {
    pub(super) fn render(self) -> table::ContributorInsightsSpecification<cfn::Set> {
        let specification = table::ContributorInsightsSpecification::new().enabled(self != Self::Off);
        match self {
            Self::Off | Self::On => specification,
            Self::AccessedAndThrottledKeys => specification.mode("ACCESSED_AND_THROTTLED_KEYS"),
            Self::ThrottledKeys => specification.mode("THROTTLED_KEYS"),
        }
    }
}

/// Objects in a bucket that a new table is filled from.
#[derive(Clone)]
pub struct ImportSource {
    bucket: Value<id::s3::BucketName>,
    format: Format,
    compression: Option<&'static str>,
    prefix: Option<String>,
    owner: Option<String>,
}

#[derive(Clone)]
enum Format {
    DynamoDbJson,
    Ion,
    Csv {
        delimiter: Option<char>,
        headers: Vec<String>,
    },
}

impl ImportSource {
    fn new(bucket: &Bucket, format: Format) -> Self {
        Self {
            bucket: bucket.bucket_name(),
            format,
            compression: None,
            prefix: None,
            owner: None,
        }
    }

    pub fn dynamodb_json(bucket: &Bucket) -> Self {
        Self::new(bucket, Format::DynamoDbJson)
    }

    pub fn ion(bucket: &Bucket) -> Self {
        Self::new(bucket, Format::Ion)
    }

    /// Commas separate fields, and the first line names them, if nothing else is said.
    pub fn csv(bucket: &Bucket) -> Self {
        let format = Format::Csv {
            delimiter: None,
            headers: Vec::new(),
        };
        Self::new(bucket, format)
    }

    /// Of CSV: a comma, tab, colon, semicolon, bar or space.
    #[must_use]
    pub fn delimiter(mut self, character: char) -> Self {
        if let Format::Csv { delimiter, .. } = &mut self.format {
            *delimiter = Some(character);
        }
        self
    }

    /// Of CSV: the fields, where the first line does not name them.
    #[must_use]
    pub fn headers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        if let Format::Csv { headers, .. } = &mut self.format {
            headers.extend(names.into_iter().map(Into::into));
        }
        self
    }

    #[must_use]
    pub fn gzip(mut self) -> Self {
        self.compression = Some("GZIP");
        self
    }

    #[must_use]
    pub fn zstd(mut self) -> Self {
        self.compression = Some("ZSTD");
        self
    }

    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// The account that the bucket belongs to, if it is another.
    #[must_use]
    pub fn bucket_owner(mut self, account: impl Into<String>) -> Self {
        self.owner = Some(account.into());
        self
    }

    fn render(&self, construct: &Construct) -> table::ImportSourceSpecification<cfn::Set, cfn::Set> {
        let source = table::S3BucketSource::new()
            .s3_bucket(self.bucket.clone())
            .when_some(self.owner.as_deref(), table::S3BucketSource::s3_bucket_owner)
            .when_some(self.prefix.as_deref(), table::S3BucketSource::s3_key_prefix);
        let specification = table::ImportSourceSpecification::new().s3_bucket_source(source);
        let specification = match &self.format {
            Format::DynamoDbJson => specification.input_format("DYNAMODB_JSON"),
            Format::Ion => specification.input_format("ION"),
            Format::Csv { delimiter, headers } => {
                if delimiter.is_some_and(|delimiter| !",\t:;| ".contains(delimiter)) {
                    construct.report("fields are separated by a comma, tab, colon, semicolon, bar or space");
                }
                let csv = table::Csv::new()
                    .when_some(delimiter.map(String::from), table::Csv::delimiter)
                    .when_some((!headers.is_empty()).then(|| headers.clone()), table::Csv::header_list);
                let options = table::InputFormatOptions::new().csv(csv);
                specification.input_format("CSV").input_format_options(options)
            }
        };
        specification.when_some(
            self.compression,
            table::ImportSourceSpecification::input_compression_type,
        )
    }
}

/// A table of this stack. Dereferences to [`TableReference`], so grants and metrics read `table.grant_read_data(&f)`.
#[derive(Clone)]
pub struct Table {
    construct: Construct,
    resource: CfnResource<cfn::dynamodb::Table>,
    reference: TableReference,
    pub(super) inner: Rc<Inner>,
}

pub(super) struct Inner {
    pub(super) capacity: Capacity,
    /// The names of its global indexes.
    pub(super) global_indexes: Vec<String>,
}

impl Scope for Table {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl Deref for Table {
    type Target = TableReference;

    fn deref(&self) -> &TableReference {
        &self.reference
    }
}

#[must_use = "nothing is made until `build`"]
pub struct TableBuilder {
    site: Site,
    partition: Attribute,
    sort: Option<Attribute>,
    properties: cfn::dynamodb::Table,
    capacity: Capacity,
    indexes: Vec<Index>,
    stream: Option<StreamView>,
    encryption: Option<TableEncryption>,
    import_source: Option<ImportSource>,
    recovery_period: Option<Duration>,
    policies: Vec<PolicyStatement>,
    removal_policy: RemovalPolicy,
}

impl TableBuilder {
    pub fn sort_key(mut self, attribute: Attribute) -> Self {
        self.sort = Some(attribute);
        self
    }

    pub fn table_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.table_name(name);
        self
    }

    /// Five units each, provisioned, if nothing is said.
    pub fn capacity(mut self, capacity: Capacity) -> Self {
        self.capacity = capacity;
        self
    }

    pub fn warm_throughput(mut self, throughput: WarmThroughput) -> Self {
        self.properties = self.properties.warm_throughput(throughput.render());
        self
    }

    pub fn global_secondary_index(mut self, index: GlobalSecondaryIndex) -> Self {
        self.indexes.push(Index::Global(index));
        self
    }

    /// Cannot be added to a table that exists.
    pub fn local_secondary_index(mut self, index: LocalSecondaryIndex) -> Self {
        self.indexes.push(Index::Local(index));
        self
    }

    /// Items go of themselves when the time in this attribute has passed, in seconds since 1970.
    pub fn time_to_live_attribute(mut self, name: impl IntoValue<String>) -> Self {
        let specification = table::TimeToLiveSpecification::new().attribute_name(name).enabled(true);
        self.properties = self.properties.time_to_live_specification(specification);
        self
    }

    /// Tells functions and others of each change.
    pub fn stream(mut self, view: StreamView) -> Self {
        self.stream = Some(view);
        self
    }

    /// Sends changes to this stream, too.
    pub fn kinesis_stream(self, stream: impl IntoValue<id::kinesis::StreamArn>) -> Self {
        self.kinesis(table::KinesisStreamSpecification::new().stream_arn(stream))
    }

    pub fn kinesis_stream_with(
        self,
        stream: impl IntoValue<id::kinesis::StreamArn>,
        precision: StreamPrecision,
    ) -> Self {
        let precision = match precision {
            StreamPrecision::Millisecond => "MILLISECOND",
            StreamPrecision::Microsecond => "MICROSECOND",
        };
        self.kinesis(
            table::KinesisStreamSpecification::new()
                .stream_arn(stream)
                .approximate_creation_date_time_precision(precision),
        )
    }

    fn kinesis(mut self, specification: table::KinesisStreamSpecification<cfn::Set>) -> Self {
        self.properties = self.properties.kinesis_stream_specification(specification);
        self
    }

    /// Backs up continuously, so that any second of the last 35 days can come back.
    pub fn point_in_time_recovery(mut self, on: bool) -> Self {
        let specification = table::PointInTimeRecoverySpecification::new().point_in_time_recovery_enabled(on);
        self.properties = self.properties.point_in_time_recovery_specification(specification);
        self
    }

    /// Backs up continuously and keeps that for so many days: 1 to 35.
    pub fn point_in_time_recovery_for(mut self, period: Duration) -> Self {
        self.recovery_period = Some(period);
        self
    }

    pub fn encryption(mut self, encryption: TableEncryption) -> Self {
        self.encryption = Some(encryption);
        self
    }

    pub fn contributor_insights(mut self, insights: ContributorInsights) -> Self {
        self.properties = self.properties.contributor_insights_specification(insights.render());
        self
    }

    pub fn table_class(mut self, class: TableClass) -> Self {
        self.properties = self.properties.table_class(class.as_str());
        self
    }

    /// Refuses to be deleted until this is taken back.
    pub fn deletion_protection(mut self, on: bool) -> Self {
        self.properties = self.properties.deletion_protection_enabled(on);
        self
    }

    /// Fills the table when it is made.
    pub fn import_source(mut self, source: ImportSource) -> Self {
        self.import_source = Some(source);
        self
    }

    /// A statement of the table's own policy.
    pub fn resource_policy(mut self, statement: PolicyStatement) -> Self {
        self.policies.push(statement);
        self
    }

    /// Kept if nothing is said.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = policy;
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::dynamodb::Table) -> cfn::dynamodb::Table) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> Table {
        let construct = self.site.make("dynamodb.Table");
        let schema = Schema::new(
            &construct,
            &self.partition,
            self.sort.as_ref(),
            &self.indexes,
            self.capacity,
        );
        let mut properties = self
            .properties
            .when_some(
                self.capacity.is_on_demand().then_some("PAY_PER_REQUEST"),
                cfn::dynamodb::Table::billing_mode,
            )
            .when_some(self.capacity.throughput(), cfn::dynamodb::Table::provisioned_throughput)
            .when_some(self.capacity.limits(), cfn::dynamodb::Table::on_demand_throughput);
        if let Some(period) = self.recovery_period {
            let days = whole_days(period);
            if !(1..=35).contains(&days) {
                construct.report(format!("backups are kept for 1 to 35 days, not {days}"));
            }
            let specification = table::PointInTimeRecoverySpecification::new()
                .point_in_time_recovery_enabled(true)
                .recovery_period_in_days(i64::try_from(days).unwrap_or(i64::MAX));
            properties = properties.point_in_time_recovery_specification(specification);
        }
        let mut key = None;
        if let Some(encryption) = &self.encryption {
            key = encryption.key(&construct);
            properties = properties.sse_specification(encryption.render(key.as_ref()));
        }
        if let Some(source) = &self.import_source {
            properties = properties.import_source_specification(source.render(&construct));
        }
        if let Some(view) = self.stream {
            properties =
                properties.stream_specification(table::StreamSpecification::new().stream_view_type(view.as_str()));
        }
        let keys = schema
            .keys
            .into_iter()
            .map(|key| IntoValue::<table::KeySchema>::into_value(key).into_expr());
        let properties = properties
            .key_schema(Expr::List(keys.collect()))
            .attribute_definitions(schema.attributes)
            .when_some(some(schema.global), |properties, indexes| {
                properties.global_secondary_indexes(indexes)
            })
            .when_some(some(schema.local), |properties, indexes| {
                properties.local_secondary_indexes(indexes)
            });
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(self.removal_policy);
        let reference = TableReference::of_resource(
            &construct,
            &resource,
            self.stream.is_some(),
            !self.indexes.is_empty(),
            key,
        );
        let global = self.indexes.iter().filter(|index| matches!(index, Index::Global(_)));
        let inner = Inner {
            capacity: self.capacity,
            global_indexes: global.map(|index| index.name().to_owned()).collect(),
        };
        let table = Table {
            construct,
            resource,
            reference,
            inner: Rc::new(inner),
        };
        for statement in self.policies {
            table.add_to_resource_policy(statement);
        }
        table
    }
}

/// A list that says something.
fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}

impl TableEncryption {
    fn key(&self, table: &Construct) -> Option<Key> {
        match self {
            Self::AwsOwned | Self::AwsManaged => None,
            Self::CustomerManaged => Some(
                Key::new(table, "Key")
                    .description(format!(
                        "Customer-managed key auto-created for encrypting DynamoDB table at {}",
                        table.path()
                    ))
                    .enable_key_rotation(true)
                    .build(),
            ),
            Self::Key(key) => Some(key.clone()),
        }
    }

    fn render(&self, key: Option<&Key>) -> table::SSESpecification<cfn::Set> {
        table::SSESpecification::new()
            .sse_enabled(!matches!(self, Self::AwsOwned))
            .when_some(key, |specification, key| {
                specification.sse_type("KMS").kms_master_key_id(key.key_arn())
            })
    }
}

impl Table {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, partition_key: Attribute) -> TableBuilder {
        TableBuilder {
            site: Site::new(scope, id),
            partition: partition_key,
            sort: None,
            properties: cfn::dynamodb::Table::new(),
            capacity: Capacity::DEFAULT,
            indexes: Vec::new(),
            stream: None,
            encryption: None,
            import_source: None,
            recovery_period: None,
            policies: Vec::new(),
            removal_policy: RemovalPolicy::Retain,
        }
    }

    pub fn resource(&self) -> &CfnResource<cfn::dynamodb::Table> {
        &self.resource
    }
}
