//! Amounts that read as they are meant: `minutes(5)`, `gib(500)`.

use std::time::Duration;

pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

pub const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

pub const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

/// An amount of memory or storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    kibibytes: u32,
}

impl Size {
    pub fn to_bytes(self) -> i64 {
        i64::from(self.kibibytes) * 1024
    }

    /// Whole MiB, rounded down.
    pub const fn to_mebibytes(self) -> u32 {
        self.kibibytes / 1024
    }

    /// Whole GiB, rounded down.
    pub const fn to_gibibytes(self) -> u32 {
        self.kibibytes / (1024 * 1024)
    }
}

pub const fn kib(count: u32) -> Size {
    Size { kibibytes: count }
}

pub const fn mib(count: u32) -> Size {
    Size {
        kibibytes: count * 1024,
    }
}

/// Up to 4095.
pub const fn gib(count: u32) -> Size {
    Size {
        kibibytes: count * 1024 * 1024,
    }
}

/// Whole days of a duration, as CloudFormation's retention properties want them.
pub(crate) const fn whole_days(duration: Duration) -> u64 {
    duration.as_secs() / 86_400
}

/// Whole seconds of a duration, as most properties want them.
pub(crate) fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
