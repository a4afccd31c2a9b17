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

/// An amount of memory or storage, kept in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    kibibytes: u64,
}

impl Size {
    pub const fn to_bytes(self) -> u64 {
        self.kibibytes * 1024
    }

    /// Whole MiB, rounded down.
    pub const fn to_mebibytes(self) -> u64 {
        self.kibibytes / 1024
    }

    /// Whole GiB, rounded down.
    pub const fn to_gibibytes(self) -> u64 {
        self.kibibytes / (1024 * 1024)
    }
}

pub const fn kib(count: u64) -> Size {
    Size { kibibytes: count }
}

pub const fn mib(count: u64) -> Size {
    Size {
        kibibytes: count * 1024,
    }
}

pub const fn gib(count: u64) -> Size {
    Size {
        kibibytes: count * 1024 * 1024,
    }
}

/// Whole days of a duration, as CloudFormation's retention properties want them.
pub(crate) const fn whole_days(duration: Duration) -> u64 {
    duration.as_secs() / 86_400
}
