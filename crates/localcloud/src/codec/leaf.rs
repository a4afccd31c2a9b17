//! Values that travel as text: in query parameters, XML, headers and paths.

use jiff::Timestamp;
use serde_json::{Number, Value};

use super::model::{Kind, Shape};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    Iso8601,
    HttpDate,
    Epoch,
}

impl TimeFormat {
    /// The format that a model names, else the protocol's own.
    pub fn of(named: Option<&str>, otherwise: Self) -> Self {
        match named {
            Some("iso8601") => Self::Iso8601,
            Some("rfc822") => Self::HttpDate,
            Some("unixTimestamp") => Self::Epoch,
            _ => otherwise,
        }
    }
}

/// Text as the value that the shape says, or `None` when it is no such value.
pub fn parse(shape: &Shape, text: &str) -> Option<Value> {
    match shape.kind {
        Kind::Boolean => match text {
            "true" | "True" | "TRUE" => Some(Value::Bool(true)),
            "false" | "False" | "FALSE" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Integer | Kind::Long => text.parse::<i64>().ok().map(Value::from),
        Kind::Float | Kind::Double => text.parse::<f64>().ok().map(float),
        Kind::Timestamp => parse_time(text),
        Kind::String | Kind::Character | Kind::Blob => Some(Value::String(text.to_owned())),
        Kind::Structure | Kind::List | Kind::Map => None,
    }
}

/// A number, or the name of what JSON has no number for.
pub fn float(number: f64) -> Value {
    Number::from_f64(number).map_or_else(|| Value::String(number.to_string()), Value::Number)
}

/// Epoch seconds from any format that a client writes.
pub fn parse_time(text: &str) -> Option<Value> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(Value::from(seconds));
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return Some(float(seconds));
    }
    let timestamp = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok())?;
    Some(seconds(timestamp))
}

/// A timestamp by our convention: a number of epoch seconds.
pub fn seconds(timestamp: Timestamp) -> Value {
    if timestamp.subsec_nanosecond() == 0 {
        Value::from(timestamp.as_second())
    } else {
        float(timestamp.as_millisecond() as f64 / 1000.0)
    }
}

/// A leaf as text; `None` for what is no leaf.
pub fn format(shape: &Shape, value: &Value, time: TimeFormat) -> Option<String> {
    match (shape.kind, value) {
        (Kind::Timestamp, Value::Number(number)) => format_time(number.as_f64()?, time),
        (Kind::Integer | Kind::Long, Value::Number(number)) => Some(match number.as_i64() {
            Some(whole) => whole.to_string(),
            None => format!("{:.0}", number.as_f64()?),
        }),
        (_, Value::String(text)) => Some(text.clone()),
        (_, Value::Bool(flag)) => Some(flag.to_string()),
        (_, Value::Number(number)) => Some(number.to_string()),
        (_, Value::Null | Value::Array(_) | Value::Object(_)) => None,
    }
}

pub fn format_time(seconds: f64, format: TimeFormat) -> Option<String> {
    let timestamp = Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()?;
    Some(match format {
        TimeFormat::Iso8601 => timestamp.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        TimeFormat::HttpDate => timestamp.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        TimeFormat::Epoch => seconds.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_format_is_read_as_epoch_seconds() {
        for text in [
            "2026-11-22T18:00:00Z",
            "2026-11-22T18:00:00.000Z",
            "1795370400",
            "Sun, 22 Nov 2026 18:00:00 GMT",
        ] {
            assert_eq!(parse_time(text), Some(Value::from(1_795_370_400)), "{text}");
        }
        assert_eq!(parse_time("yesterday"), None);
        assert_eq!(
            format_time(1_795_370_400.0, TimeFormat::HttpDate).unwrap(),
            "Sun, 22 Nov 2026 18:00:00 GMT"
        );
    }
}
