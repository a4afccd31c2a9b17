//! Queues and streams whose messages invoke a function: Lambda polls them.
//!
//! Who calls functions by itself is subscribed there instead: `topic.subscribe_function`, `Rule` with a target.

use std::time::Duration;

use cfn::lambda::event_source_mapping as mapping;
use cfn::{Builder, Expr, IntoValue, Json, Value};

use super::alias::Alias;
use super::function::Function;
use crate::cloudwatch::json_text::json_text;
use crate::dynamodb::TableReference;
use crate::element::CfnResource;
use crate::iam::Role;
use crate::kinesis::StreamConsumer;
use crate::s3::Bucket;
use crate::site::Site;
use crate::sns::Topic;
use crate::sqs::Queue;
use crate::tree::{Construct, Scope};
use crate::units::whole_seconds;

const LONGEST_BATCHING_WINDOW: i64 = 300;
const LONGEST_TUMBLING_WINDOW: i64 = 900;
/// A minute and a week, in seconds.
const RECORD_AGE: std::ops::RangeInclusive<i64> = 60..=604_800;
const MOST_RECORDS: u32 = 10_000;
/// Without a batching window.
const MOST_MESSAGES: u32 = 10;
/// What the CDK says for streams.
const DEFAULT_RECORDS: u32 = 100;

/// Where a stream is read from when the mapping is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StartingPosition {
    /// The oldest record that is kept.
    TrimHorizon,
    /// Only what comes from now on.
    Latest,
    /// Seconds since 1970; of Kinesis only.
    AtTimestamp(f64),
}

/// Who gets records of a stream that could not be processed.
#[derive(Clone)]
pub enum FailureDestination {
    Queue(Queue),
    Topic(Topic),
    /// Gets the records themselves, where the others get their numbers.
    Bucket(Bucket),
}

impl FailureDestination {
    /// Its ARN, once the function may reach it.
    fn bind(&self, role: &Role) -> Expr {
        match self {
            Self::Queue(queue) => {
                queue.grant_send_messages(role);
                queue.queue_arn().into_expr()
            }
            Self::Topic(topic) => {
                topic.grant_publish(role);
                topic.topic_arn().into_expr()
            }
            Self::Bucket(bucket) => {
                bucket.grant_read_write(role);
                bucket.bucket_arn().into_expr()
            }
        }
    }
}

/// What all mappings can say.
#[derive(Clone, Default)]
struct Options {
    batch_size: Option<u32>,
    max_batching_window: Option<Duration>,
    report_batch_item_failures: bool,
    enabled: Option<bool>,
    filters: Vec<Expr>,
    count_events: bool,
    pollers: Option<(u32, u32)>,
}

macro_rules! options {
    () => {
        /// How many messages the function gets at once at most.
        #[must_use]
        pub fn batch_size(mut self, count: u32) -> Self {
            self.options.batch_size = Some(count);
            self
        }

        /// How long messages are collected before the function is called: five minutes at most.
        #[must_use]
        pub fn max_batching_window(mut self, window: Duration) -> Self {
            self.options.max_batching_window = Some(window);
            self
        }

        /// The function says which messages failed, so that the others do not come again.
        #[must_use]
        pub fn report_batch_item_failures(mut self) -> Self {
            self.options.report_batch_item_failures = true;
            self
        }

        /// Whether messages are read at all; they are if nothing is said.
        #[must_use]
        pub fn enabled(mut self, on: bool) -> Self {
            self.options.enabled = Some(on);
            self
        }

        /// Only messages that match, or that match another filter: `{"body": {"kind": ["a"]}}`, as EventBridge's
        /// content filtering writes it.
        #[must_use]
        pub fn filter(mut self, pattern: impl IntoValue<Json>) -> Self {
            self.options.filters.push(pattern.into_value().into_expr());
            self
        }

        /// Counts messages in metrics: polled, filtered, invoked, failed.
        #[must_use]
        pub fn count_events(mut self) -> Self {
            self.options.count_events = true;
            self
        }
    };
}

/// Messages of a queue. The function's timeout is to be shorter than the queue's visibility timeout.
#[derive(Clone)]
pub struct SqsEventSource {
    queue: Queue,
    options: Options,
    max_concurrency: Option<u32>,
}

impl SqsEventSource {
    pub fn new(queue: &Queue) -> Self {
        Self {
            queue: queue.clone(),
            options: Options::default(),
            max_concurrency: None,
        }
    }

    options!();

    /// How many of the function run for this queue at once: 2 to 1000.
    #[must_use]
    pub fn max_concurrency(mut self, count: u32) -> Self {
        self.max_concurrency = Some(count);
        self
    }

    /// Keeps pollers ready: 2 to 200 at least, 2 to 2000 at most. Not together with
    /// [`SqsEventSource::max_concurrency`].
    #[must_use]
    pub fn provisioned_pollers(mut self, minimum: u32, maximum: u32) -> Self {
        self.options.pollers = Some((minimum, maximum));
        self
    }

    fn map(&self, target: &MappingTarget) -> EventSourceMapping {
        let id = format!("SqsEventSource:{}", self.queue.construct().unique_id());
        let construct = target.construct(&id);
        let batch = self.options.batch_size.unwrap_or(1);
        let most = if self.options.max_batching_window.is_some() {
            MOST_RECORDS
        } else {
            MOST_MESSAGES
        };
        if !(1..=most).contains(&batch) {
            construct.report(format!(
                "a batch holds 1 to {MOST_MESSAGES} messages, or up to {MOST_RECORDS} with a batching window, not {batch}"
            ));
        }
        if self.options.max_batching_window.is_some() && self.queue.is_fifo() {
            construct.report("messages of FIFO queues are not collected; leave the batching window out");
        }
        if self
            .options
            .pollers
            .is_some_and(|(least, most)| !(2..=200).contains(&least) || !(2..=2_000).contains(&most) || least > most)
        {
            construct.report("of the pollers of a queue at least 2 to 200 are kept ready, and at most 2 to 2000");
        }
        let mut properties = self.options.render(&construct).event_source_arn(self.queue.queue_arn());
        if let Some(count) = self.max_concurrency {
            if !(2..=1000).contains(&count) {
                construct.report(format!("the concurrency of a queue is 2 to 1000, not {count}"));
            }
            if self.options.pollers.is_some() {
                construct.report("a queue has a greatest concurrency or provisioned pollers, not both");
            }
            properties = properties.scaling_config(mapping::ScalingConfig::new().maximum_concurrency(count));
        }
        let mapping = target.add(&construct, properties);
        self.queue.grant_consume_messages(&target.role);
        mapping
    }
}

#[derive(Clone)]
enum Stream {
    Table(TableReference),
    Kinesis(crate::kinesis::Stream),
    Consumer(StreamConsumer),
}

impl Stream {
    /// How the CDK calls it in identifiers.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Table(_) => "DynamoDBEventSource",
            Self::Kinesis(_) => "KinesisEventSource",
            Self::Consumer(_) => "KinesisConsumerEventSource",
        }
    }

    fn construct(&self) -> &Construct {
        match self {
            Self::Table(table) => table.construct(),
            Self::Kinesis(stream) => stream.construct(),
            Self::Consumer(consumer) => consumer.construct(),
        }
    }

    fn arn(&self) -> Value<String> {
        match self {
            Self::Table(table) => table.stream_arn().cast(),
            Self::Kinesis(stream) => stream.stream_arn().cast(),
            Self::Consumer(consumer) => consumer.stream_consumer_arn(),
        }
    }

    fn grant_read(&self, role: &Role) {
        match self {
            Self::Table(table) => table.grant_stream_read(role),
            Self::Kinesis(stream) => stream.grant_read(role),
            Self::Consumer(consumer) => consumer.grant_read(role),
        }
    }
}

/// Records of a stream, in order within each shard.
#[derive(Clone)]
pub struct StreamEventSource {
    stream: Stream,
    starting_position: StartingPosition,
    options: Options,
    bisect_batch_on_error: Option<bool>,
    max_record_age: Option<Duration>,
    retry_attempts: Option<i32>,
    parallelization_factor: Option<u32>,
    on_failure: Option<FailureDestination>,
    tumbling_window: Option<Duration>,
}

impl StreamEventSource {
    fn new(stream: Stream, starting_position: StartingPosition) -> Self {
        Self {
            stream,
            starting_position,
            options: Options::default(),
            bisect_batch_on_error: None,
            max_record_age: None,
            retry_attempts: None,
            parallelization_factor: None,
            on_failure: None,
            tumbling_window: None,
        }
    }

    /// The changes of a table that has a stream.
    pub fn table(table: &TableReference, starting_position: StartingPosition) -> Self {
        Self::new(Stream::Table(table.clone()), starting_position)
    }

    /// The records of a stream of Kinesis.
    pub fn kinesis(stream: &crate::kinesis::Stream, starting_position: StartingPosition) -> Self {
        Self::new(Stream::Kinesis(stream.clone()), starting_position)
    }

    /// The records of a stream of Kinesis, by a consumer with a throughput of its own.
    pub fn kinesis_consumer(consumer: &StreamConsumer, starting_position: StartingPosition) -> Self {
        Self::new(Stream::Consumer(consumer.clone()), starting_position)
    }

    options!();

    /// Splits a batch that failed, to find the record that is to blame.
    #[must_use]
    pub fn bisect_batch_on_error(mut self, on: bool) -> Self {
        self.bisect_batch_on_error = Some(on);
        self
    }

    /// Older records are left out: a minute to a week.
    #[must_use]
    pub fn max_record_age(mut self, age: Duration) -> Self {
        self.max_record_age = Some(age);
        self
    }

    /// How often a batch is tried again: 0 to 10,000, or -1 for as long as its records are kept.
    #[must_use]
    pub fn retry_attempts(mut self, count: i32) -> Self {
        self.retry_attempts = Some(count);
        self
    }

    /// How many batches of one shard are processed at once: 1 to 10.
    #[must_use]
    pub fn parallelization_factor(mut self, factor: u32) -> Self {
        self.parallelization_factor = Some(factor);
        self
    }

    #[must_use]
    pub fn on_failure(mut self, destination: FailureDestination) -> Self {
        self.on_failure = Some(destination);
        self
    }

    /// Windows of time over which the function keeps a state: a quarter of an hour at most.
    #[must_use]
    pub fn tumbling_window(mut self, window: Duration) -> Self {
        self.tumbling_window = Some(window);
        self
    }

    fn map(&self, target: &MappingTarget) -> EventSourceMapping {
        let id = format!("{}:{}", self.stream.kind(), self.stream.construct().unique_id());
        let construct = target.construct(&id);
        self.check(&construct);
        let options = Options {
            batch_size: Some(self.options.batch_size.unwrap_or(DEFAULT_RECORDS)),
            ..self.options.clone()
        };
        let (position, timestamp) = match self.starting_position {
            StartingPosition::TrimHorizon => ("TRIM_HORIZON", None),
            StartingPosition::Latest => ("LATEST", None),
            StartingPosition::AtTimestamp(seconds) => ("AT_TIMESTAMP", Some(seconds)),
        };
        use cfn::lambda::EventSourceMapping as Mapping;
        let mut properties = options
            .render(&construct)
            .event_source_arn(self.stream.arn())
            .starting_position(position)
            .when_some(timestamp, Mapping::starting_position_timestamp)
            .when_some(self.bisect_batch_on_error, Mapping::bisect_batch_on_function_error)
            .when_some(
                self.max_record_age.map(whole_seconds),
                Mapping::maximum_record_age_in_seconds,
            )
            .when_some(self.retry_attempts, Mapping::maximum_retry_attempts)
            .when_some(self.parallelization_factor, Mapping::parallelization_factor)
            .when_some(
                self.tumbling_window.map(whole_seconds),
                Mapping::tumbling_window_in_seconds,
            );
        if let Some(destination) = &self.on_failure {
            let arn = destination.bind(&target.role).cast::<String>();
            let on_failure = mapping::OnFailure::new().destination(arn);
            properties = properties.destination_config(mapping::DestinationConfig::new().on_failure(on_failure));
        }
        let mapping = target.add(&construct, properties);
        self.stream.grant_read(&target.role);
        mapping
    }

    fn check(&self, construct: &Construct) {
        let batch = self.options.batch_size.unwrap_or(DEFAULT_RECORDS);
        if !(1..=MOST_RECORDS).contains(&batch) {
            construct.report(format!("a batch holds 1 to {MOST_RECORDS} records, not {batch}"));
        }
        if self
            .max_record_age
            .is_some_and(|age| !RECORD_AGE.contains(&whole_seconds(age)))
        {
            construct.report("the greatest age of a record is a minute to a week");
        }
        if self.retry_attempts.is_some_and(|count| !(-1..=10_000).contains(&count)) {
            construct.report("a batch is tried again 0 to 10000 times, or -1 for as long as it is kept");
        }
        if self
            .parallelization_factor
            .is_some_and(|factor| !(1..=10).contains(&factor))
        {
            construct.report("1 to 10 batches of a shard are processed at once");
        }
        if self
            .tumbling_window
            .is_some_and(|window| whole_seconds(window) > LONGEST_TUMBLING_WINDOW)
        {
            construct.report("a tumbling window is a quarter of an hour at most");
        }
        let by_time = matches!(self.starting_position, StartingPosition::AtTimestamp(_));
        if by_time && matches!(self.stream, Stream::Table(_)) {
            construct.report("the stream of a table is read from its oldest record, or from the latest");
        }
    }
}

impl Options {
    fn render(&self, construct: &Construct) -> cfn::lambda::EventSourceMapping {
        use cfn::lambda::EventSourceMapping as Mapping;
        if self
            .max_batching_window
            .is_some_and(|window| whole_seconds(window) > LONGEST_BATCHING_WINDOW)
        {
            construct.report("messages are collected for five minutes at most");
        }
        let mut properties = Mapping::new()
            .when_some(self.batch_size, Mapping::batch_size)
            .when_some(self.enabled, Mapping::enabled)
            .when_some(
                self.max_batching_window.map(whole_seconds),
                Mapping::maximum_batching_window_in_seconds,
            );
        if self.report_batch_item_failures {
            properties = properties.function_response_types(["ReportBatchItemFailures"]);
        }
        if !self.filters.is_empty() {
            let filter = |pattern: &Expr| mapping::Filter::new().pattern(json_text(pattern).cast::<String>());
            let filters: Vec<_> = self.filters.iter().map(filter).collect();
            properties = properties.filter_criteria(mapping::FilterCriteria::new().filters(filters));
        }
        if self.count_events {
            properties = properties.metrics_config(mapping::MetricsConfig::new().metrics(["EventCount"]));
        }
        if let Some((minimum, maximum)) = self.pollers {
            let config = mapping::ProvisionedPollerConfig::new()
                .minimum_pollers(minimum)
                .maximum_pollers(maximum);
            properties = properties.provisioned_poller_config(config);
        }
        properties
    }
}

/// What invokes a function: a queue or a stream.
#[derive(Clone)]
pub struct EventSource(Source);

#[derive(Clone)]
enum Source {
    Sqs(Box<SqsEventSource>),
    Stream(Box<StreamEventSource>),
}

impl From<SqsEventSource> for EventSource {
    fn from(source: SqsEventSource) -> Self {
        Self(Source::Sqs(Box::new(source)))
    }
}

impl From<StreamEventSource> for EventSource {
    fn from(source: StreamEventSource) -> Self {
        Self(Source::Stream(Box::new(source)))
    }
}

impl EventSource {
    fn map(&self, target: &MappingTarget) -> EventSourceMapping {
        match &self.0 {
            Source::Sqs(source) => source.map(target),
            Source::Stream(source) => source.map(target),
        }
    }
}

/// A function or an alias, as a mapping needs it.
struct MappingTarget {
    scope: Construct,
    name: Value<String>,
    role: Role,
    location: crate::error::Source,
}

impl MappingTarget {
    fn construct(&self, id: &str) -> Construct {
        Site::at(&self.scope, id, self.location).make("lambda.EventSourceMapping")
    }

    fn add(&self, construct: &Construct, properties: cfn::lambda::EventSourceMapping) -> EventSourceMapping {
        let resource = CfnResource::new(construct, "Resource", properties.function_name(self.name.clone()));
        EventSourceMapping {
            construct: construct.clone(),
            resource,
        }
    }
}

/// That messages of a source invoke a function.
#[derive(Clone)]
pub struct EventSourceMapping {
    construct: Construct,
    resource: CfnResource<cfn::lambda::EventSourceMapping>,
}

impl Scope for EventSourceMapping {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl EventSourceMapping {
    pub fn event_source_mapping_id(&self) -> Value<String> {
        self.resource.reference()
    }

    pub fn resource(&self) -> &CfnResource<cfn::lambda::EventSourceMapping> {
        &self.resource
    }
}

impl Function {
    /// Messages of a queue or a stream invoke the code as it was last deployed.
    #[track_caller]
    pub fn add_event_source(&self, source: impl Into<EventSource>) -> EventSourceMapping {
        let target = MappingTarget {
            scope: self.construct().clone(),
            name: self.function_name().cast(),
            role: self.role().clone(),
            location: std::panic::Location::caller(),
        };
        source.into().map(&target)
    }
}

impl Alias {
    /// Messages of a queue or a stream invoke what the alias points at.
    #[track_caller]
    pub fn add_event_source(&self, source: impl Into<EventSource>) -> EventSourceMapping {
        let target = MappingTarget {
            scope: self.construct().clone(),
            name: self.qualified_name(),
            role: self.role().clone(),
            location: std::panic::Location::caller(),
        };
        source.into().map(&target)
    }
}
