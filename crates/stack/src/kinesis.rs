//! Kinesis: streams of records, and consumers with a throughput of their own.

use std::time::Duration;

use cfn::kinesis::stream;
use cfn::{Builder, Expr, IntoValue, Value, id};

use crate::cloudwatch::Metric;
use crate::element::{CfnCondition, CfnResource, RemovalPolicy};
use crate::iam::{Grant, Grantee, PolicyStatement, ResourcePolicy};
use crate::kms::Key;
use crate::site::Site;
use crate::stack::{Arn, Stack};
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

const READ: [&str; 8] = [
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
    "kinesis:SubscribeToShard",
    "kinesis:DescribeStream",
    "kinesis:ListStreams",
    "kinesis:DescribeStreamConsumer",
];
const WRITE: [&str; 3] = ["kinesis:ListShards", "kinesis:PutRecord", "kinesis:PutRecords"];
/// What a policy of the stream itself cannot give.
const BY_IDENTITIES_ONLY: [&str; 3] = [
    "kinesis:DescribeStreamConsumer",
    "kinesis:ListStreams",
    "kinesis:SubscribeToShard",
];
const READ_AS_CONSUMER: [&str; 2] = ["kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"];

/// Where the account's default key for Kinesis does not exist.
const WITHOUT_DEFAULT_KEY: [&str; 2] = ["cn-north-1", "cn-northwest-1"];
const WITHOUT_DEFAULT_KEY_ID: &str = "AwsCdkKinesisEncryptedStreamsUnsupportedRegions";
/// Hours that records are kept: a day to a year.
const RETENTION_HOURS: std::ops::RangeInclusive<i64> = 24..=8_760;
const DEFAULT_RETENTION_HOURS: i64 = 24;

/// How much a stream takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamMode {
    /// So many shards.
    Provisioned { shards: u32 },
    /// Shards come and go with the load.
    OnDemand,
}

/// How records are encrypted at rest. If nothing is said, with the account's default key where there is one.
#[derive(Clone)]
pub enum StreamEncryption {
    Unencrypted,
    /// With the account's default key for Kinesis.
    Managed,
    /// With a key that is made for the stream. Who is granted the stream is granted the key.
    CustomerManaged,
    /// With this key. Who is granted the stream is granted the key.
    Key(Key),
}

/// A stream of this app, or one that exists already.
#[derive(Clone)]
pub struct Stream {
    construct: Construct,
    arn: Expr,
    name: Expr,
    key: Option<Key>,
    /// Of streams of this app.
    policy: Option<ResourcePolicy>,
}

impl Scope for Stream {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

#[must_use = "nothing is made until `build`"]
pub struct StreamBuilder {
    site: Site,
    properties: cfn::kinesis::Stream,
    mode: Option<StreamMode>,
    retention: Option<Duration>,
    encryption: Option<StreamEncryption>,
    removal_policy: RemovalPolicy,
}

impl StreamBuilder {
    pub fn stream_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.name(name);
        self
    }

    /// One shard if nothing is said.
    pub fn mode(mut self, mode: StreamMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// For how long records are kept: a day to a year, a day if nothing is said.
    pub fn retention_period(mut self, period: Duration) -> Self {
        self.retention = Some(period);
        self
    }

    pub fn encryption(mut self, encryption: StreamEncryption) -> Self {
        self.encryption = Some(encryption);
        self
    }

    /// Metrics of each shard: `IncomingBytes`, …, or `ALL`.
    pub fn shard_level_metrics(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        self.properties = self.properties.desired_shard_level_metrics(names);
        self
    }

    /// Kept if nothing is said.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = policy;
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::kinesis::Stream) -> cfn::kinesis::Stream) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> Stream {
        let construct = self.site.make("kinesis.Stream");
        let hours = self
            .retention
            .map_or(DEFAULT_RETENTION_HOURS, |period| whole_seconds(period) / 3_600);
        if !RETENTION_HOURS.contains(&hours) {
            construct.report(format!("records are kept for 24 to 8760 hours, not {hours}"));
        }
        let mode = |name: &str| stream::StreamModeDetails::new().stream_mode(name);
        let mut properties = self.properties.retention_period_hours(hours);
        properties = match self.mode {
            None => properties.shard_count(1),
            Some(StreamMode::Provisioned { shards }) => {
                properties.shard_count(shards).stream_mode_details(mode("PROVISIONED"))
            }
            Some(StreamMode::OnDemand) => properties.stream_mode_details(mode("ON_DEMAND")),
        };
        let with_key = |key: Expr| Expr::map([("EncryptionType", "KMS".into()), ("KeyId", key)]);
        let default_key = || with_key("alias/aws/kinesis".into());
        let mut key = None;
        let encryption = match &self.encryption {
            None => Some(default_encryption(&construct, default_key())),
            Some(StreamEncryption::Unencrypted) => None,
            Some(StreamEncryption::Managed) => Some(default_key()),
            Some(StreamEncryption::CustomerManaged) => {
                let description = format!("Created by {}", construct.path());
                let own = Key::new(&construct, "Key").description(description).build();
                Some(with_key(key.insert(own).key_arn().into_expr()))
            }
            Some(StreamEncryption::Key(own)) => Some(with_key(key.insert(own.clone()).key_arn().into_expr())),
        };
        let properties = properties.when_some(
            encryption.map(Expr::cast::<stream::StreamEncryption>),
            cfn::kinesis::Stream::stream_encryption,
        );
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(self.removal_policy);
        Stream {
            arn: resource.arn().into_expr(),
            name: resource.reference().into_expr(),
            key,
            policy: Some(ResourcePolicy::new("ResourcePolicy")),
            construct,
        }
    }
}

/// The default key, but in China, where there is none. The stack has one condition for all streams.
fn default_encryption(construct: &Construct, encryption: Expr) -> Expr {
    let stack = Stack::of(construct);
    let known = stack.construct().find_child(WITHOUT_DEFAULT_KEY_ID);
    let condition = known.map_or_else(
        || {
            let regions = WITHOUT_DEFAULT_KEY.map(|region| cfn::intrinsics::equals(cfn::pseudo::region(), region));
            CfnCondition::new(&stack, WITHOUT_DEFAULT_KEY_ID, cfn::intrinsics::or(regions)).element()
        },
        |construct| construct.node().element(),
    );
    cfn::intrinsics::if_else::<cfn::Json>(condition, cfn::pseudo::no_value::<cfn::Json>(), encryption).into_expr()
}

impl Stream {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>) -> StreamBuilder {
        StreamBuilder {
            site: Site::new(scope, id),
            properties: cfn::kinesis::Stream::new(),
            mode: None,
            retention: None,
            encryption: None,
            removal_policy: RemovalPolicy::Retain,
        }
    }

    /// A stream that exists, by ARN.
    #[track_caller]
    pub fn from_arn(scope: &impl Scope, id: impl Into<String>, arn: impl IntoValue<id::kinesis::StreamArn>) -> Self {
        let arn = arn.into_value().into_expr();
        Self {
            construct: Construct::of_type(scope, id, "kinesis.Stream"),
            name: Arn::name_of(&arn),
            arn,
            key: None,
            policy: None,
        }
    }

    pub fn stream_arn(&self) -> Value<id::kinesis::StreamArn> {
        self.arn.clone().cast()
    }

    pub fn stream_name(&self) -> Value<id::kinesis::StreamName> {
        self.name.clone().cast()
    }

    pub fn grant_read(&self, grantee: impl Into<Grantee>) {
        let grantee = grantee.into();
        self.give(&grantee, &READ);
        if let Some(key) = &self.key {
            key.grant_decrypt(grantee);
        }
    }

    pub fn grant_write(&self, grantee: impl Into<Grantee>) {
        let grantee = grantee.into();
        self.give(&grantee, &WRITE);
        if let Some(key) = &self.key {
            key.grant_encrypt(grantee);
        }
    }

    pub fn grant_read_write(&self, grantee: impl Into<Grantee>) {
        let grantee = grantee.into();
        let writing = WRITE.into_iter().filter(|action| !READ.contains(action));
        let actions: Vec<_> = READ.into_iter().chain(writing).collect();
        self.give(&grantee, &actions);
        if let Some(key) = &self.key {
            key.grant_encrypt_decrypt(grantee);
        }
    }

    pub fn grant(&self, grantee: impl Into<Grantee>, actions: &[&str]) {
        self.give(&grantee.into(), actions);
    }

    fn give(&self, grantee: &Grantee, actions: &[&str]) {
        let (identity, principal) = grantee.parties();
        if let Some(identity) = identity {
            identity.add_to_policy(PolicyStatement::allow(actions.iter().copied()).on(self.stream_arn()));
        }
        let possible: Vec<_> = actions
            .iter()
            .copied()
            .filter(|action| !BY_IDENTITIES_ONLY.contains(action))
            .collect();
        if let Some(principal) = principal
            && self.policy.is_some()
            && !possible.is_empty()
        {
            let statement = PolicyStatement::allow(possible).on(self.stream_arn());
            self.add_to_resource_policy(statement.by(principal.clone()));
        }
    }

    /// Adds to the policy of the stream itself, which is made with the first statement.
    pub fn add_to_resource_policy(&self, statement: PolicyStatement) {
        let Some(policy) = &self.policy else {
            self.construct
                .report("the policy of a stream that exists already is not this app's to say");
            return;
        };
        policy.add(statement, |document| {
            let construct = Site::new(self, "Policy").make("kinesis.ResourcePolicy");
            let properties = cfn::kinesis::ResourcePolicy::new()
                .resource_arn(self.stream_arn())
                .resource_policy(document);
            CfnResource::new(&construct, "Resource", properties).untyped()
        });
    }

    /// A metric of `AWS/Kinesis` about this stream.
    pub fn metric(&self, name: impl Into<String>) -> Metric {
        Metric::new("AWS/Kinesis", name)
            .dimension("StreamName", self.stream_name())
            .attached_to(&self.construct)
    }

    /// How far behind the slowest reader is, in milliseconds: the greatest.
    pub fn metric_get_records_iterator_age_milliseconds(&self) -> Metric {
        self.metric("GetRecords.IteratorAgeMilliseconds").maximum()
    }

    pub fn metric_incoming_records(&self) -> Metric {
        self.metric("IncomingRecords")
    }

    pub fn metric_incoming_bytes(&self) -> Metric {
        self.metric("IncomingBytes")
    }

    pub fn metric_write_provisioned_throughput_exceeded(&self) -> Metric {
        self.metric("WriteProvisionedThroughputExceeded")
    }

    pub fn metric_read_provisioned_throughput_exceeded(&self) -> Metric {
        self.metric("ReadProvisionedThroughputExceeded")
    }
}

/// A reader of a stream that shares its throughput with nobody.
#[derive(Clone)]
pub struct StreamConsumer {
    construct: Construct,
    resource: CfnResource<cfn::kinesis::StreamConsumer>,
    stream: Stream,
}

impl Scope for StreamConsumer {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl StreamConsumer {
    #[track_caller]
    pub fn new(scope: &impl Scope, id: impl Into<String>, stream: &Stream, name: impl IntoValue<String>) -> Self {
        let construct = Site::new(scope, id).make("kinesis.StreamConsumer");
        let properties = cfn::kinesis::StreamConsumer::new()
            .consumer_name(name)
            .stream_arn(stream.stream_arn());
        Self {
            resource: CfnResource::new(&construct, "Resource", properties),
            construct,
            stream: stream.clone(),
        }
    }

    pub fn stream_consumer_arn(&self) -> Value<String> {
        self.resource.attribute("ConsumerARN")
    }

    pub fn grant_read(&self, grantee: impl Into<Grantee>) {
        let grantee = grantee.into();
        self.stream.grant_read(grantee.clone());
        Grant::new(READ_AS_CONSUMER, [self.stream_consumer_arn()]).to(&grantee, |_| {
            self.construct.report(
                "a consumer is granted to identities only; others get a resource `AWS::Kinesis::ResourcePolicy`",
            );
        });
    }

    pub fn resource(&self) -> &CfnResource<cfn::kinesis::StreamConsumer> {
        &self.resource
    }
}
