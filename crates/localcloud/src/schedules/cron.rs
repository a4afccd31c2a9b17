//! AWS's cron expressions: minutes, hours, day of the month, month, day of the week, year.
//!
//! EventBridge Scheduler User Guide, "Cron-based schedules". `L`, `W` and `#` are refused by name.

use jiff::civil::{Date, Weekday};
use jiff::{ToSpan, Zoned};

#[derive(Debug)]
pub(super) struct Cron {
    minutes: Vec<i16>,
    hours: Vec<i16>,
    /// None for `?`.
    days: Option<Vec<i16>>,
    months: Vec<i16>,
    /// 1 is Sunday; None for `?`.
    weekdays: Option<Vec<i16>>,
    years: Vec<i16>,
}

/// A schedule that names a day which never comes (30 February) is given up on after so many days.
const SEARCH_DAYS: usize = 366 * 9;

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Cron {
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays, years] = fields.as_slice() else {
            return Err(format!(
                "a cron expression has six fields, 'cron({text})' has {}",
                fields.len()
            ));
        };
        if (*days == "?") == (*weekdays == "?") {
            return Err(format!(
                "one of day of month and day of week has to be '?' in 'cron({text})'"
            ));
        }
        let day = |field: &str, range, names: &[&str]| match field {
            "?" => Ok(None),
            field => values(field, range, names).map(Some),
        };
        Ok(Self {
            minutes: values(minutes, (0, 59), &[])?,
            hours: values(hours, (0, 23), &[])?,
            days: day(days, (1, 31), &[])?,
            months: values(months, (1, 12), &MONTHS)?,
            weekdays: day(weekdays, (1, 7), &WEEKDAYS)?,
            years: values(years, (1970, 2199), &[])?,
        })
    }

    /// The first time behind `after`, in its time zone. A time that a change of clocks skips comes when it ends.
    pub fn next_after(&self, after: &Zoned) -> Option<Zoned> {
        let mut date = after.date();
        for _ in 0..SEARCH_DAYS {
            if self.has_day(date) {
                for (hour, minute) in self
                    .hours
                    .iter()
                    .flat_map(|hour| self.minutes.iter().map(move |minute| (hour, minute)))
                {
                    let time = date.at(i8::try_from(*hour).ok()?, i8::try_from(*minute).ok()?, 0, 0);
                    let time = time.to_zoned(after.time_zone().clone()).ok()?;
                    if time > *after {
                        return Some(time);
                    }
                }
            }
            date = date.checked_add(1.day()).ok()?;
        }
        None
    }

    fn has_day(&self, date: Date) -> bool {
        let weekday = i16::from(date.weekday().since(Weekday::Sunday)) + 1;
        let has = |days: &Option<Vec<i16>>, day: i16| days.as_ref().is_none_or(|days| days.contains(&day));
        self.years.contains(&date.year())
            && self.months.contains(&i16::from(date.month()))
            && has(&self.days, i16::from(date.day()))
            && has(&self.weekdays, weekday)
    }
}

/// The values that a field allows, in their order.
fn values(field: &str, (least, most): (i16, i16), names: &[&str]) -> Result<Vec<i16>, String> {
    let wrong = || format!("the embedded cloud cannot read '{field}' in a cron expression");
    let number = |text: &str| -> Result<i16, String> {
        let of_name = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = match of_name.and_then(|index| i16::try_from(index + 1).ok()) {
            Some(number) => number,
            None => text.parse().map_err(|_| wrong())?,
        };
        if (least..=most).contains(&number) {
            Ok(number)
        } else {
            Err(wrong())
        }
    };
    let mut values = Vec::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (
                range,
                Some(step.parse::<usize>().ok().filter(|step| *step > 0).ok_or_else(wrong)?),
            ),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from)?, number(to)?),
            None if range == "*" => (least, most),
            None if step.is_some() => (number(range)?, most),
            None => (number(range)?, number(range)?),
        };
        values.extend((from..=to).step_by(step.unwrap_or(1)));
    }
    values.sort_unstable();
    values.dedup();
    if values.is_empty() { Err(wrong()) } else { Ok(values) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, after: &str) -> Option<String> {
        let after: Zoned = format!("{after}[UTC]").parse().unwrap();
        Some(Cron::parse(cron).unwrap().next_after(&after)?.timestamp().to_string())
    }

    #[test]
    fn the_pages_examples_come_when_they_should() {
        // The examples of "Cron-based schedules", from Monday 2026-11-23 on.
        let from = "2026-11-23T10:00:00+00:00";
        for (cron, expected) in [
            ("0 10 * * ? *", "2026-11-24T10:00:00Z"),
            ("15 12 * * ? *", "2026-11-23T12:15:00Z"),
            ("0 18 ? * MON-FRI *", "2026-11-23T18:00:00Z"),
            ("0 8 1 * ? *", "2026-12-01T08:00:00Z"),
            ("0/15 * * * ? *", "2026-11-23T10:15:00Z"),
            ("0/10 * ? * MON-FRI *", "2026-11-23T10:10:00Z"),
            ("0/5 8-17 ? * 1 *", "2026-11-29T08:00:00Z"),
            ("0 0 29 FEB ? *", "2028-02-29T00:00:00Z"),
        ] {
            assert_eq!(next(cron, from).as_deref(), Some(expected), "{cron}");
        }
        assert_eq!(next("0 0 30 2 ? *", from), None);
        assert_eq!(next("0 0 1 1 ? 2020", from), None);
    }

    #[test]
    fn broken_expressions_are_refused() {
        for cron in [
            "* * * * *",
            "0 10 * * * *",
            "0 10 ? * ? *",
            "60 * * * ? *",
            "0 0 L * ? *",
            "0 0 ? * 2#1 *",
            "5-1 * * * ? *",
        ] {
            assert!(Cron::parse(cron).is_err(), "{cron}");
        }
    }
}
