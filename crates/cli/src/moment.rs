//! Times as an operator reads them: UTC to the second, and how long ago in the two largest units.

use jiff::{SignedDuration, Timestamp};

/// `2026-03-01 12:05:03Z`.
pub fn at(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `12:05:03Z` where it is of the same day as `now`, otherwise with its day.
pub fn short(time: Timestamp, now: Timestamp) -> String {
    let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
    if day(time) == day(now) {
        time.strftime("%H:%M:%SZ").to_string()
    } else {
        at(time)
    }
}

/// `8 s`, `12 min`, `3 h 20 min`, `4 d 2 h`.
pub fn lasting(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let of = |large: i64, large_unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => of(minutes, "min", if minutes < 10 { seconds % 60 } else { 0 }, "s"),
        (0, hours, minutes) => of(hours, "h", minutes, "min"),
        (days, hours, _) => of(days, "d", hours, "h"),
    }
}

/// `since 12:05:03Z (3 min)`.
pub fn since(time: Timestamp, now: Timestamp) -> String {
    format!("since {} ({})", short(time, now), lasting(now.duration_since(time)))
}

/// `until 12:05:03Z (in 3 min)`, or that it is over.
pub fn until(time: Timestamp, now: Timestamp) -> String {
    let left = time.duration_since(now);
    if left.is_negative() {
        format!("until {} (over)", short(time, now))
    } else {
        format!("until {} (in {})", short(time, now), lasting(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_at_most() {
        let of = |seconds| lasting(SignedDuration::from_secs(seconds));
        let said: Vec<String> = [-5, 8, 60, 75, 725, 3_600, 12_000, 90_000, 864_000].map(of).into();
        assert_eq!(
            said,
            [
                "0 s",
                "8 s",
                "1 min",
                "1 min 15 s",
                "12 min",
                "1 h",
                "3 h 20 min",
                "1 d 1 h",
                "10 d"
            ]
        );
    }

    #[test]
    fn a_day_is_named_where_it_is_another() {
        let now: Timestamp = "2026-03-02T01:00:00Z".parse().unwrap();
        let before: Timestamp = "2026-03-01T23:00:05Z".parse().unwrap();
        assert_eq!(since(before, now), "since 2026-03-01 23:00:05Z (1 h 59 min)");
        assert_eq!(until(now, before), "until 2026-03-02 01:00:00Z (in 1 h 59 min)");
        assert_eq!(until(now, now + SignedDuration::from_secs(1)), "until 01:00:00Z (over)");
    }
}
