//! How much a table or an index takes, and how it is paid.

use cfn::Builder;
use cfn::dynamodb::table;

/// The units that the CDK provisions if nothing is said.
const DEFAULT_UNITS: u32 = 5;

/// What a table, or an index of it, can read and write in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// So many units, paid whether they are used or not.
    Provisioned { read: u32, write: u32 },
    /// Whatever is asked for, paid by request, up to a limit where one is set.
    OnDemand {
        max_read: Option<u32>,
        max_write: Option<u32>,
    },
}

impl Capacity {
    pub const fn provisioned(read: u32, write: u32) -> Self {
        Self::Provisioned { read, write }
    }

    pub const fn on_demand() -> Self {
        Self::OnDemand {
            max_read: None,
            max_write: None,
        }
    }

    /// On demand, with at most so many units in a second.
    pub const fn on_demand_up_to(max_read: u32, max_write: u32) -> Self {
        Self::OnDemand {
            max_read: Some(max_read),
            max_write: Some(max_write),
        }
    }

    pub(super) const fn is_on_demand(self) -> bool {
        matches!(self, Self::OnDemand { .. })
    }

    /// What an index of a table with this capacity gets if nothing is said.
    pub(super) const fn of_index(self) -> Self {
        match self {
            Self::Provisioned { .. } => Self::DEFAULT,
            Self::OnDemand { .. } => Self::on_demand(),
        }
    }

    pub(super) const DEFAULT: Self = Self::provisioned(DEFAULT_UNITS, DEFAULT_UNITS);

    pub(super) fn throughput(self) -> Option<table::ProvisionedThroughput<cfn::Set, cfn::Set>> {
        match self {
            Self::Provisioned { read, write } => Some(
                table::ProvisionedThroughput::new()
                    .read_capacity_units(read)
                    .write_capacity_units(write),
            ),
            Self::OnDemand { .. } => None,
        }
    }

    pub(super) fn limits(self) -> Option<table::OnDemandThroughput> {
        let Self::OnDemand { max_read, max_write } = self else {
            return None;
        };
        if max_read.is_none() && max_write.is_none() {
            return None;
        }
        Some(
            table::OnDemandThroughput::new()
                .when_some(max_read, table::OnDemandThroughput::max_read_request_units)
                .when_some(max_write, table::OnDemandThroughput::max_write_request_units),
        )
    }
}

/// What a table or an index can take at once, right after it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WarmThroughput {
    read: Option<u32>,
    write: Option<u32>,
}

impl WarmThroughput {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub const fn read_units_per_second(mut self, units: u32) -> Self {
        self.read = Some(units);
        self
    }

    #[must_use]
    pub const fn write_units_per_second(mut self, units: u32) -> Self {
        self.write = Some(units);
        self
    }

    pub(super) fn render(self) -> table::WarmThroughput {
        table::WarmThroughput::new()
            .when_some(self.read, table::WarmThroughput::read_units_per_second)
            .when_some(self.write, table::WarmThroughput::write_units_per_second)
    }
}
