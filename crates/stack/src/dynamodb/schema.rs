//! What a table is ordered by: attributes, keys, and indexes with keys of their own.

use cfn::Builder;
use cfn::dynamodb::table;

use super::capacity::{Capacity, WarmThroughput};
use super::table::ContributorInsights;
use crate::tree::Construct;

/// DynamoDB takes no more attributes in a key.
const MOST_ATTRIBUTES_OF_A_KEY: usize = 4;
/// DynamoDB takes no more local indexes.
const MOST_LOCAL_INDEXES: usize = 5;
/// Over all indexes of a table together.
const MOST_PROJECTED_ATTRIBUTES: usize = 100;

/// An attribute that is part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    name: String,
    kind: &'static str,
}

impl Attribute {
    pub fn string(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: "S",
        }
    }

    pub fn number(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: "N",
        }
    }

    pub fn binary(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: "B",
        }
    }
}

/// Which attributes an index holds beside the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Projection {
    #[default]
    All,
    KeysOnly,
    /// The keys and these.
    Include(Vec<String>),
}

impl Projection {
    pub fn include(attributes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::Include(attributes.into_iter().map(Into::into).collect())
    }

    fn render(&self) -> table::Projection {
        let projection = table::Projection::new();
        match self {
            Self::All => projection.projection_type("ALL"),
            Self::KeysOnly => projection.projection_type("KEYS_ONLY"),
            Self::Include(attributes) => projection
                .projection_type("INCLUDE")
                .non_key_attributes(attributes.clone()),
        }
    }

    fn attributes(&self) -> &[String] {
        match self {
            Self::Include(attributes) => attributes,
            Self::All | Self::KeysOnly => &[],
        }
    }
}

/// An index over all partitions, with keys and capacity of its own.
#[derive(Clone, Debug)]
pub struct GlobalSecondaryIndex {
    name: String,
    partition: Vec<Attribute>,
    sort: Vec<Attribute>,
    projection: Projection,
    capacity: Option<Capacity>,
    warm_throughput: Option<WarmThroughput>,
    contributor_insights: Option<ContributorInsights>,
}

impl GlobalSecondaryIndex {
    pub fn new(name: impl Into<String>, partition_key: Attribute) -> Self {
        Self {
            name: name.into(),
            partition: vec![partition_key],
            sort: Vec::new(),
            projection: Projection::All,
            capacity: None,
            warm_throughput: None,
            contributor_insights: None,
        }
    }

    /// A further attribute of the partition key: four at most.
    #[must_use]
    pub fn and_partition_key(mut self, attribute: Attribute) -> Self {
        self.partition.push(attribute);
        self
    }

    /// An attribute of the sort key, of which there are four at most.
    #[must_use]
    pub fn sort_key(mut self, attribute: Attribute) -> Self {
        self.sort.push(attribute);
        self
    }

    #[must_use]
    pub fn projection(mut self, projection: Projection) -> Self {
        self.projection = projection;
        self
    }

    /// Of the kind that the table has. If nothing is said, five units each, or what is asked for.
    #[must_use]
    pub fn capacity(mut self, capacity: Capacity) -> Self {
        self.capacity = Some(capacity);
        self
    }

    #[must_use]
    pub fn warm_throughput(mut self, throughput: WarmThroughput) -> Self {
        self.warm_throughput = Some(throughput);
        self
    }

    #[must_use]
    pub fn contributor_insights(mut self, insights: ContributorInsights) -> Self {
        self.contributor_insights = Some(insights);
        self
    }
}

/// Another sort key within each partition of the table.
#[derive(Clone, Debug)]
pub struct LocalSecondaryIndex {
    name: String,
    sort: Attribute,
    projection: Projection,
}

impl LocalSecondaryIndex {
    pub fn new(name: impl Into<String>, sort_key: Attribute) -> Self {
        Self {
            name: name.into(),
            sort: sort_key,
            projection: Projection::All,
        }
    }

    #[must_use]
    pub fn projection(mut self, projection: Projection) -> Self {
        self.projection = projection;
        self
    }
}

/// An index of either kind: attributes are defined in the order in which indexes were named.
pub(super) enum Index {
    Global(GlobalSecondaryIndex),
    Local(LocalSecondaryIndex),
}

impl Index {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Global(index) => &index.name,
            Self::Local(index) => &index.name,
        }
    }

    fn projection(&self) -> &Projection {
        match self {
            Self::Global(index) => &index.projection,
            Self::Local(index) => &index.projection,
        }
    }
}

type KeySchema = table::KeySchema<cfn::Set, cfn::Set>;
type GlobalIndex = table::GlobalSecondaryIndex<cfn::Set, cfn::Set, cfn::Set>;
type LocalIndex = table::LocalSecondaryIndex<cfn::Set, cfn::Set, cfn::Set>;

/// Keys, attributes and indexes as they stand in the template.
pub(super) struct Schema {
    pub(super) keys: Vec<KeySchema>,
    pub(super) attributes: Vec<table::AttributeDefinition<cfn::Set, cfn::Set>>,
    pub(super) global: Vec<GlobalIndex>,
    pub(super) local: Vec<LocalIndex>,
}

/// Collects the attributes that keys use.
struct Attributes<'a> {
    construct: &'a Construct,
    known: Vec<Attribute>,
}

impl Attributes<'_> {
    fn key(&mut self, attribute: &Attribute, kind: &'static str) -> KeySchema {
        match self.known.iter().find(|known| known.name == attribute.name) {
            None => self.known.push(attribute.clone()),
            Some(known) if known.kind != attribute.kind => self.construct.report(format!(
                "`{}` cannot be of type {} here and {} elsewhere",
                attribute.name, attribute.kind, known.kind
            )),
            Some(_) => {}
        }
        table::KeySchema::new()
            .attribute_name(attribute.name.as_str())
            .key_type(kind)
    }

    fn keys(&mut self, partition: &[Attribute], sort: &[Attribute]) -> Vec<KeySchema> {
        if partition.len() > MOST_ATTRIBUTES_OF_A_KEY || sort.len() > MOST_ATTRIBUTES_OF_A_KEY {
            self.construct.report("a key is made of four attributes at most");
        }
        let mut keys: Vec<_> = partition.iter().map(|attribute| self.key(attribute, "HASH")).collect();
        keys.extend(sort.iter().map(|attribute| self.key(attribute, "RANGE")));
        keys
    }
}

impl Schema {
    pub(super) fn new(
        construct: &Construct,
        partition: &Attribute,
        sort: Option<&Attribute>,
        indexes: &[Index],
        capacity: Capacity,
    ) -> Self {
        check(construct, sort, indexes);
        let mut attributes = Attributes {
            construct,
            known: Vec::new(),
        };
        let keys = attributes.keys(std::slice::from_ref(partition), sort.map_or(&[], std::slice::from_ref));
        let (mut global, mut local) = (Vec::new(), Vec::new());
        for index in indexes {
            match index {
                Index::Global(index) => {
                    let keys = attributes.keys(&index.partition, &index.sort);
                    global.push(index.render(construct, keys, capacity));
                }
                Index::Local(index) => {
                    let keys = attributes.keys(std::slice::from_ref(partition), std::slice::from_ref(&index.sort));
                    local.push(
                        table::LocalSecondaryIndex::new()
                            .index_name(index.name.as_str())
                            .key_schema(keys)
                            .projection(index.projection.render()),
                    );
                }
            }
        }
        let define = |attribute: Attribute| {
            table::AttributeDefinition::new()
                .attribute_name(attribute.name)
                .attribute_type(attribute.kind)
        };
        Self {
            keys,
            attributes: attributes.known.into_iter().map(define).collect(),
            global,
            local,
        }
    }
}

fn check(construct: &Construct, sort: Option<&Attribute>, indexes: &[Index]) {
    let local = indexes.iter().filter(|index| matches!(index, Index::Local(_))).count();
    if local > 0 && sort.is_none() {
        construct.report("a local index needs a sort key of the table itself; name one with `sort_key`");
    }
    if local > MOST_LOCAL_INDEXES {
        construct.report(format!("a table has {MOST_LOCAL_INDEXES} local indexes at most"));
    }
    let mut projected: Vec<_> = indexes
        .iter()
        .flat_map(|index| index.projection().attributes())
        .collect();
    projected.sort_unstable();
    projected.dedup();
    if projected.len() > MOST_PROJECTED_ATTRIBUTES {
        construct.report(format!(
            "the indexes of a table hold {MOST_PROJECTED_ATTRIBUTES} further attributes at most"
        ));
    }
    for (position, index) in indexes.iter().enumerate() {
        if matches!(index.projection(), Projection::Include(attributes) if attributes.is_empty()) {
            construct.report(format!(
                "the index `{}` includes no attributes; name some, or project the keys only",
                index.name()
            ));
        }
        if indexes[..position].iter().any(|other| other.name() == index.name()) {
            construct.report(format!("two indexes are called `{}`", index.name()));
        }
    }
}

impl GlobalSecondaryIndex {
    fn render(&self, construct: &Construct, keys: Vec<KeySchema>, of_table: Capacity) -> GlobalIndex {
        let capacity = self.capacity.unwrap_or(of_table.of_index());
        if capacity.is_on_demand() != of_table.is_on_demand() {
            construct.report(format!(
                "the index `{}` is paid as its table is: both on demand, or both provisioned",
                self.name
            ));
        }
        table::GlobalSecondaryIndex::new()
            .index_name(self.name.as_str())
            .key_schema(keys)
            .projection(self.projection.render())
            .when_some(capacity.throughput(), GlobalIndex::provisioned_throughput)
            .when_some(capacity.limits(), GlobalIndex::on_demand_throughput)
            .when_some(
                self.warm_throughput.map(WarmThroughput::render),
                GlobalIndex::warm_throughput,
            )
            .when_some(
                self.contributor_insights.map(ContributorInsights::render),
                GlobalIndex::contributor_insights_specification,
            )
    }
}
