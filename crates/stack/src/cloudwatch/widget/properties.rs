//! What widgets about metrics have in common.

use cfn::{Expr, Map};

/// Keys in the order in which they are set; what is nothing is left out.
#[derive(Default)]
pub(super) struct Properties(pub(super) Map);

impl Properties {
    pub(super) fn set(&mut self, key: &'static str, value: Option<impl Into<Expr>>) {
        if let Some(value) = value {
            self.0.insert(key, value);
        }
    }

    /// From `liveData` to the end.
    pub(super) fn range(&mut self, range: &Range, statistic: Option<&str>) {
        self.set("liveData", range.live_data);
        self.set("setPeriodToTimeRange", range.set_period_to_time_range);
        self.set("period", range.period);
        self.set("stat", statistic.map(str::to_owned));
        self.set("start", range.start.clone());
        self.set("end", range.end.clone());
        self.set("accountId", range.account.clone());
    }
}

pub(super) fn region(named: Option<&str>) -> Expr {
    named.map_or_else(
        || cfn::pseudo::region().into_expr(),
        |region| Expr::text(region.to_owned()),
    )
}

/// From when to when a widget looks, and at how much at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Range {
    pub(super) period: Option<i64>,
    pub(super) set_period_to_time_range: Option<bool>,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    pub(super) live_data: Option<bool>,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
}

impl Range {
    pub(super) fn problem(&self) -> Option<String> {
        let open = self.end.is_some() && self.start.is_none();
        open.then(|| "a widget that ends at a time begins at one, too".to_owned())
    }
}

macro_rules! range {
    () => {
        /// One value for so long; what each metric says if nothing is said.
        #[must_use]
        pub fn period(mut self, period: std::time::Duration) -> Self {
            self.range.period = Some(crate::units::whole_seconds(period));
            self
        }

        /// One value for all that is shown.
        #[must_use]
        pub fn set_period_to_time_range(mut self, on: bool) -> Self {
            self.range.set_period_to_time_range = Some(on);
            self
        }

        /// `-PT6H`, or a time such as `2026-11-22T20:00:00Z`, whatever the dashboard shows.
        #[must_use]
        pub fn start(mut self, start: impl Into<String>) -> Self {
            self.range.start = Some(start.into());
            self
        }

        #[must_use]
        pub fn end(mut self, end: impl Into<String>) -> Self {
            self.range.end = Some(end.into());
            self
        }

        /// Shows the last value before its period is over.
        #[must_use]
        pub fn live_data(mut self, on: bool) -> Self {
            self.range.live_data = Some(on);
            self
        }

        /// Where the metrics are, if not in the account of the dashboard.
        #[must_use]
        pub fn account(mut self, account: impl Into<String>) -> Self {
            self.range.account = Some(account.into());
            self
        }

        #[must_use]
        pub fn region(mut self, region: impl Into<String>) -> Self {
            self.range.region = Some(region.into());
            self
        }
    };
}
pub(super) use range;
