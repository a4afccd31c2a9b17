//! Schedule expressions: `rate(5 minutes)`, `cron(0 12 * * ? *)`, `at(2026-11-23T02:00:00)`.
//!
//! EventBridge Scheduler User Guide, "Schedule types in EventBridge Scheduler".

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};

use super::cron::Cron;

#[derive(Debug)]
pub(super) enum Expression {
    /// Seconds.
    Rate(i64),
    Cron(Box<Cron>, TimeZone),
    At(Timestamp),
}

impl Expression {
    /// The error says what is wrong.
    pub fn parse(text: &str, zone: TimeZone) -> Result<Self, String> {
        let wrong =
            || format!("'{text}' is no schedule: write rate(5 minutes), cron(0 12 * * ? *) or at(2030-01-01T00:00:00)");
        let (kind, inner) = text
            .strip_suffix(')')
            .and_then(|text| text.split_once('('))
            .ok_or_else(wrong)?;
        match kind {
            "rate" => {
                let (number, unit) = inner.split_once(' ').ok_or_else(wrong)?;
                let number: i64 = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
                let seconds = match (unit, number) {
                    ("minute" | "minutes", _) => 60,
                    ("hour" | "hours", _) => 3600,
                    ("day" | "days", _) => 86_400,
                    _ => return Err(wrong()),
                };
                // "A value of 1 wants the singular", User Guide.
                if (number == 1) == unit.ends_with('s') {
                    return Err(wrong());
                }
                Ok(Self::Rate(number.checked_mul(seconds).ok_or_else(wrong)?))
            }
            "cron" => Ok(Self::Cron(Box::new(Cron::parse(inner)?), zone)),
            "at" => {
                let time: civil::DateTime = inner.parse().map_err(|_| wrong())?;
                let time = time.to_zoned(zone).map_err(|_| wrong())?;
                Ok(Self::At(time.timestamp()))
            }
            _ => Err(wrong()),
        }
    }

    /// The first time behind `after`; rates count from `anchor`.
    pub fn next_after(&self, after: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Rate(seconds) => {
                let passed = after.as_second().saturating_sub(anchor.as_second()).max(0);
                let next = SignedDuration::from_secs((passed / seconds + 1).checked_mul(*seconds)?);
                anchor.checked_add(next).ok()
            }
            Self::Cron(cron, zone) => cron
                .next_after(&after.to_zoned(zone.clone()))
                .map(|time| time.timestamp()),
            Self::At(time) => (*time > after).then_some(*time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(text: &str, zone: &str, after: &str) -> Option<String> {
        let zone = TimeZone::get(zone).unwrap();
        let anchor: Timestamp = "2026-01-01T00:00:30Z".parse().unwrap();
        let next = Expression::parse(text, zone)
            .unwrap()
            .next_after(after.parse().unwrap(), anchor)?;
        Some(next.to_string())
    }

    #[test]
    fn rates_count_from_the_beginning() {
        let of = |after: &str| next("rate(5 minutes)", "UTC", after);
        assert_eq!(of("2026-01-01T00:00:30Z").as_deref(), Some("2026-01-01T00:05:30Z"));
        assert_eq!(of("2026-01-01T00:05:29Z").as_deref(), Some("2026-01-01T00:05:30Z"));
        assert_eq!(of("2026-01-01T00:05:30Z").as_deref(), Some("2026-01-01T00:10:30Z"));
        assert_eq!(
            next("rate(1 day)", "UTC", "2026-01-03T00:00:00Z").as_deref(),
            Some("2026-01-03T00:00:30Z")
        );
    }

    #[test]
    fn crons_are_of_their_zone() {
        let noon = |zone: &str| next("cron(0 12 * * ? *)", zone, "2026-07-01T09:59:00Z");
        assert_eq!(noon("UTC").as_deref(), Some("2026-07-01T12:00:00Z"));
        assert_eq!(noon("Europe/Berlin").as_deref(), Some("2026-07-01T10:00:00Z"));
    }

    #[test]
    fn a_single_time_comes_once() {
        let at = |after: &str| next("at(2026-02-01T08:00:00)", "UTC", after);
        assert_eq!(at("2026-01-01T00:00:00Z").as_deref(), Some("2026-02-01T08:00:00Z"));
        assert_eq!(at("2026-02-01T08:00:00Z"), None);
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        for text in [
            "rate(1 minutes)",
            "rate(5 minute)",
            "rate(0 minutes)",
            "every(5 minutes)",
            "at(soon)",
            "rate 5",
        ] {
            assert!(Expression::parse(text, TimeZone::UTC).is_err(), "{text}");
        }
    }
}
