//! Global tables: one table in several regions.
//!
//! They are paid by request here; provisioned ones, whose writing must scale of itself, are said with
//! [`GlobalTableBuilder::with`]. So are tags of single replicas.

use std::ops::Deref;
use std::time::Duration;

use cfn::dynamodb::{global_table, table};
use cfn::{Builder, Expr, IntoValue, List, Map, Value, id};

use super::capacity::{Capacity, WarmThroughput};
use super::reference::TableReference;
use super::schema::{Attribute, GlobalSecondaryIndex, Index, LocalSecondaryIndex, Schema};
use super::table::{ContributorInsights, StreamView, TableClass};
use crate::element::{CfnResource, RemovalPolicy};
use crate::kms::Key;
use crate::site::Site;
use crate::stack::Stack;
use crate::tree::{Construct, Scope};
use crate::units::whole_days;

/// How a global table is encrypted at rest.
#[derive(Clone)]
pub enum GlobalTableEncryption {
    /// With a key of DynamoDB, without cost.
    AwsOwned,
    /// With the account's key for DynamoDB.
    AwsManaged,
    /// With this key, and with keys of the other regions, by ARN: `("eu-central-1", "arn:…")`.
    CustomerManaged(Key, Vec<(String, Value<id::kms::KeyArn>)>),
}

/// What a table has in one region.
#[derive(Clone, Default)]
struct Settings {
    deletion_protection: Option<bool>,
    table_class: Option<TableClass>,
    contributor_insights: Option<ContributorInsights>,
    point_in_time_recovery: Option<(bool, Option<Duration>)>,
    max_read_request_units: Option<u32>,
    kinesis_stream: Option<Expr>,
}

macro_rules! settings {
    () => {
        /// Refuses to be deleted until this is taken back.
        pub fn deletion_protection(mut self, on: bool) -> Self {
            self.settings.deletion_protection = Some(on);
            self
        }

        pub fn table_class(mut self, class: TableClass) -> Self {
            self.settings.table_class = Some(class);
            self
        }

        pub fn contributor_insights(mut self, insights: ContributorInsights) -> Self {
            self.settings.contributor_insights = Some(insights);
            self
        }

        /// Backs up continuously, so that any second of the last 35 days can come back.
        pub fn point_in_time_recovery(mut self, on: bool) -> Self {
            self.settings.point_in_time_recovery = Some((on, None));
            self
        }

        /// Backs up continuously and keeps that for so many days: 1 to 35.
        pub fn point_in_time_recovery_for(mut self, period: Duration) -> Self {
            self.settings.point_in_time_recovery = Some((true, Some(period)));
            self
        }

        /// Reads at most so many units in a second.
        pub fn max_read_request_units(mut self, units: u32) -> Self {
            self.settings.max_read_request_units = Some(units);
            self
        }

        /// Sends changes to this stream of Kinesis, too.
        pub fn kinesis_stream(mut self, stream: impl IntoValue<id::kinesis::StreamArn>) -> Self {
            self.settings.kinesis_stream = Some(stream.into_value().into_expr());
            self
        }
    };
}

/// The table in another region. What is not said is as in the region of the stack.
#[must_use = "nothing comes of a replica until a table takes it"]
#[derive(Clone)]
pub struct Replica {
    region: String,
    settings: Settings,
}

impl Replica {
    pub fn new(region: impl Into<String>) -> Self {
        Self {
            region: region.into(),
            settings: Settings::default(),
        }
    }

    settings!();
}

/// A table of this stack that may be in other regions, too. Dereferences to [`TableReference`], so grants and metrics
/// read `table.grant_read_data(&f)`; grants are about the region of the stack.
#[derive(Clone)]
pub struct GlobalTable {
    construct: Construct,
    resource: CfnResource<cfn::dynamodb::GlobalTable>,
    reference: TableReference,
}

impl Scope for GlobalTable {
    fn construct(&self) -> &Construct {
        &self.construct
    }
}

impl Deref for GlobalTable {
    type Target = TableReference;

    fn deref(&self) -> &TableReference {
        &self.reference
    }
}

#[must_use = "nothing is made until `build`"]
pub struct GlobalTableBuilder {
    site: Site,
    partition: Attribute,
    sort: Option<Attribute>,
    properties: cfn::dynamodb::GlobalTable,
    indexes: Vec<Index>,
    replicas: Vec<Replica>,
    settings: Settings,
    encryption: Option<GlobalTableEncryption>,
    stream: Option<StreamView>,
    removal_policy: RemovalPolicy,
}

impl GlobalTableBuilder {
    settings!();

    pub fn sort_key(mut self, attribute: Attribute) -> Self {
        self.sort = Some(attribute);
        self
    }

    pub fn table_name(mut self, name: impl IntoValue<String>) -> Self {
        self.properties = self.properties.table_name(name);
        self
    }

    /// Writes at most so many units in a second.
    pub fn max_write_request_units(mut self, units: u32) -> Self {
        let settings = global_table::WriteOnDemandThroughputSettings::new().max_write_request_units(units);
        self.properties = self.properties.write_on_demand_throughput_settings(settings);
        self
    }

    pub fn warm_throughput(mut self, throughput: WarmThroughput) -> Self {
        let throughput = IntoValue::<table::WarmThroughput>::into_value(throughput.render());
        let throughput: Value<global_table::WarmThroughput> = throughput.cast();
        self.properties = self.properties.warm_throughput(throughput);
        self
    }

    /// With a capacity on demand, if any.
    pub fn global_secondary_index(mut self, index: GlobalSecondaryIndex) -> Self {
        self.indexes.push(Index::Global(index));
        self
    }

    /// Cannot be added to a table that exists.
    pub fn local_secondary_index(mut self, index: LocalSecondaryIndex) -> Self {
        self.indexes.push(Index::Local(index));
        self
    }

    /// In another region, which the region of the stack must be known for.
    pub fn replica(mut self, replica: Replica) -> Self {
        self.replicas.push(replica);
        self
    }

    /// Items go of themselves when the time in this attribute has passed, in seconds since 1970.
    pub fn time_to_live_attribute(mut self, name: impl IntoValue<String>) -> Self {
        let specification = global_table::TimeToLiveSpecification::new()
            .attribute_name(name)
            .enabled(true);
        self.properties = self.properties.time_to_live_specification(specification);
        self
    }

    /// What the stream tells of each change; tables with replicas tell all if nothing is said.
    pub fn stream(mut self, view: StreamView) -> Self {
        self.stream = Some(view);
        self
    }

    pub fn encryption(mut self, encryption: GlobalTableEncryption) -> Self {
        self.encryption = Some(encryption);
        self
    }

    /// `EVENTUAL`, as if nothing is said, or `STRONG`.
    pub fn multi_region_consistency(mut self, consistency: impl IntoValue<String>) -> Self {
        self.properties = self.properties.multi_region_consistency(consistency);
        self
    }

    /// Kept if nothing is said.
    pub fn removal_policy(mut self, policy: RemovalPolicy) -> Self {
        self.removal_policy = policy;
        self
    }

    /// Sets what is not offered here on the resource itself.
    pub fn with(mut self, change: impl FnOnce(cfn::dynamodb::GlobalTable) -> cfn::dynamodb::GlobalTable) -> Self {
        self.properties = change(self.properties);
        self
    }

    pub fn build(self) -> GlobalTable {
        let construct = self.site.clone().make("dynamodb.TableV2");
        self.check(&construct);
        let schema = Schema::new(
            &construct,
            &self.partition,
            self.sort.as_ref(),
            &self.indexes,
            Capacity::on_demand(),
        );
        let keys = exprs::<table::KeySchema, _>(schema.keys);
        let attributes = exprs::<table::AttributeDefinition, _>(schema.attributes);
        let local = exprs::<table::LocalSecondaryIndex, _>(schema.local);
        let indexes: Vec<_> = exprs::<table::GlobalSecondaryIndex, _>(schema.global)
            .into_iter()
            .map(SplitIndex::of)
            .collect();
        let replicas = self.render_replicas(&construct, &indexes);
        let global: Vec<Expr> = indexes.into_iter().map(|index| index.everywhere.into()).collect();
        let default_view = (!self.replicas.is_empty()).then_some(StreamView::NewAndOldImages);
        let sse = self.encryption.as_ref().map(|encryption| match encryption {
            GlobalTableEncryption::AwsOwned => Expr::map([("SSEEnabled", Expr::Bool(false))]),
            GlobalTableEncryption::AwsManaged | GlobalTableEncryption::CustomerManaged(..) => {
                Expr::map([("SSEEnabled", Expr::Bool(true)), ("SSEType", "KMS".into())])
            }
        });
        let properties = self
            .properties
            .billing_mode("PAY_PER_REQUEST")
            .key_schema(list(keys))
            .attribute_definitions(list(attributes))
            .replicas(list::<global_table::ReplicaSpecification>(replicas.clone()))
            .when_some(some(global), |properties, indexes| {
                properties.global_secondary_indexes(list(indexes))
            })
            .when_some(some(local), |properties, indexes| {
                properties.local_secondary_indexes(list(indexes))
            })
            .when_some(self.stream.or(default_view), |properties, view| {
                let specification = global_table::StreamSpecification::new().stream_view_type(view.as_str());
                properties.stream_specification(specification)
            })
            .when_some(sse, |properties, sse| {
                properties.sse_specification(sse.cast::<global_table::SSESpecification>())
            });
        let resource = CfnResource::new(&construct, "Resource", properties);
        resource.apply_removal_policy(self.removal_policy);
        let key = match self.encryption {
            Some(GlobalTableEncryption::CustomerManaged(key, _)) => Some(key),
            _ => None,
        };
        let at = resource.clone();
        let set_policy = move |document: Expr| {
            let policy = Expr::map([("PolicyDocument", document)]);
            let with_policy = replicas.iter().cloned().map(|mut replica| {
                if let Expr::Map(replica) = &mut replica {
                    replica.insert("ResourcePolicy", policy.clone());
                }
                replica
            });
            at.set("Replicas", Some(Expr::List(with_policy.collect())));
        };
        let reference = TableReference::of_global(&construct, &resource, !self.indexes.is_empty(), key, set_policy);
        GlobalTable {
            construct,
            resource,
            reference,
        }
    }

    fn check(&self, construct: &Construct) {
        let (_, here) = Stack::of(construct).known_environment();
        if here.is_none() && !self.replicas.is_empty() {
            construct.report("a table has replicas only where the region of its stack is known");
        }
        for (index, replica) in self.replicas.iter().enumerate() {
            if here.as_ref() == Some(&replica.region) {
                construct.report(format!("the table itself is in {} already", replica.region));
            }
            let again = self.replicas[..index]
                .iter()
                .any(|other| other.region == replica.region);
            if again {
                construct.report(format!("two replicas are in {}", replica.region));
            }
        }
        let settings = self
            .replicas
            .iter()
            .map(|replica| &replica.settings)
            .chain([&self.settings]);
        for (_, period) in settings.filter_map(|settings| settings.point_in_time_recovery) {
            if period.is_some_and(|period| !(1..=35).contains(&whole_days(period))) {
                construct.report("backups are kept for 1 to 35 days");
            }
        }
    }

    /// The other regions, then that of the stack.
    fn render_replicas(&self, construct: &Construct, indexes: &[SplitIndex]) -> Vec<Expr> {
        let own = self.settings.clone();
        let region = Stack::of(construct).region().into_expr();
        let others = self.replicas.iter().map(|replica| {
            (
                Expr::text(replica.region.clone()),
                replica.settings.over(&self.settings),
            )
        });
        others
            .chain([(region, own)])
            .map(|(region, settings)| {
                let mut replica = settings.render();
                let key = self.key_in(construct, &region);
                replica.extend(key.map(|key| ("SSESpecification", Expr::map([("KMSMasterKeyId", key)]))));
                let insights = self.settings.contributor_insights;
                let here: Vec<Expr> = indexes.iter().map(|index| index.here(insights).into()).collect();
                replica.extend(some(here).map(|list| ("GlobalSecondaryIndexes", Expr::List(list))));
                replica.insert("Region", region);
                replica.into()
            })
            .collect()
    }

    fn key_in(&self, construct: &Construct, region: &Expr) -> Option<Expr> {
        let Some(GlobalTableEncryption::CustomerManaged(key, others)) = &self.encryption else {
            return None;
        };
        if *region == Stack::of(construct).region().into_expr() {
            return Some(key.key_arn().into_expr());
        }
        let name = region.as_text().unwrap_or_default();
        let other = others.iter().find(|(region, _)| region == name);
        if other.is_none() {
            construct.report(format!("no key is named for {name}"));
        }
        other.map(|(_, key)| key.clone().into_expr())
    }
}

impl Settings {
    /// What is not said here is as there.
    fn over(&self, other: &Self) -> Self {
        Self {
            deletion_protection: self.deletion_protection.or(other.deletion_protection),
            table_class: self.table_class.or(other.table_class),
            contributor_insights: self.contributor_insights.or(other.contributor_insights),
            point_in_time_recovery: self.point_in_time_recovery.or(other.point_in_time_recovery),
            max_read_request_units: self.max_read_request_units.or(other.max_read_request_units),
            kinesis_stream: self.kinesis_stream.clone(),
        }
    }

    fn render(&self) -> Map {
        let mut map = Map::new();
        map.extend(
            self.deletion_protection
                .map(|on| ("DeletionProtectionEnabled", Expr::Bool(on))),
        );
        map.extend(self.table_class.map(|class| ("TableClass", Expr::text(class.as_str()))));
        map.extend(
            self.contributor_insights
                .map(|insights| ("ContributorInsightsSpecification", render_insights(insights))),
        );
        if let Some((on, period)) = self.point_in_time_recovery {
            let mut recovery: Map = [("PointInTimeRecoveryEnabled", Expr::Bool(on))].into_iter().collect();
            let days = period.map(|period| i64::try_from(whole_days(period)).unwrap_or(i64::MAX));
            recovery.extend(days.map(|days| ("RecoveryPeriodInDays", Expr::from(days))));
            map.insert("PointInTimeRecoverySpecification", recovery);
        }
        map.extend(self.max_read_request_units.map(|units| {
            let settings = Expr::map([("MaxReadRequestUnits", i64::from(units))]);
            ("ReadOnDemandThroughputSettings", settings)
        }));
        map.extend(
            self.kinesis_stream
                .clone()
                .map(|arn| ("KinesisStreamSpecification", Expr::map([("StreamArn", arn)]))),
        );
        map
    }
}

fn render_insights(insights: ContributorInsights) -> Expr {
    IntoValue::<table::ContributorInsightsSpecification>::into_value(insights.render()).into_expr()
}

/// A global index as global tables write it: keys and writing once, reading for each region.
struct SplitIndex {
    everywhere: Map,
    here: Map,
    own_insights: Option<Expr>,
}

impl SplitIndex {
    /// `index` is as other tables write it.
    fn of(index: Expr) -> Self {
        let Expr::Map(mut everywhere) = index else {
            return Self {
                everywhere: Map::new(),
                here: Map::new(),
                own_insights: None,
            };
        };
        let mut here = Map::new();
        here.extend(everywhere.get("IndexName").cloned().map(|name| ("IndexName", name)));
        let own_insights = everywhere.remove("ContributorInsightsSpecification");
        if let Some(Expr::Map(mut limits)) = everywhere.remove("OnDemandThroughput") {
            let mut one = |key: &'static str| limits.remove(key).map(|units| Expr::map([(key, units)]));
            let (read, write) = (one("MaxReadRequestUnits"), one("MaxWriteRequestUnits"));
            here.extend(read.map(|read| ("ReadOnDemandThroughputSettings", read)));
            everywhere.extend(write.map(|write| ("WriteOnDemandThroughputSettings", write)));
        }
        Self {
            everywhere,
            here,
            own_insights,
        }
    }

    /// In one region; `insights` are the table's.
    fn here(&self, insights: Option<ContributorInsights>) -> Map {
        let mut map = self.here.clone();
        let insights = self.own_insights.clone().or(insights.map(render_insights));
        map.extend(insights.map(|insights| ("ContributorInsightsSpecification", insights)));
        map
    }
}

fn exprs<T, I: IntoValue<T>>(items: Vec<I>) -> Vec<Expr> {
    items.into_iter().map(|item| item.into_value().into_expr()).collect()
}

fn list<T>(items: Vec<Expr>) -> Value<List<T>> {
    Expr::List(items).cast()
}

/// A list that says something.
fn some(items: Vec<Expr>) -> Option<Vec<Expr>> {
    (!items.is_empty()).then_some(items)
}

impl GlobalTable {
    #[track_caller]
    #[expect(
        clippy::new_ret_no_self,
        reason = "every construct begins with `new` and ends with `build`"
    )]
    pub fn new(scope: &impl Scope, id: impl Into<String>, partition_key: Attribute) -> GlobalTableBuilder {
        GlobalTableBuilder {
            site: Site::new(scope, id),
            partition: partition_key,
            sort: None,
            properties: cfn::dynamodb::GlobalTable::new(),
            indexes: Vec::new(),
            replicas: Vec::new(),
            settings: Settings::default(),
            encryption: None,
            stream: None,
            removal_policy: RemovalPolicy::Retain,
        }
    }

    pub fn resource(&self) -> &CfnResource<cfn::dynamodb::GlobalTable> {
        &self.resource
    }
}
