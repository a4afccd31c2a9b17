//! Durations as people write them: `500ms`, `30s`, `5m`, `24h`, `1h30m`.

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer};

/// A duration in the settings file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub SignedDuration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Span).map_err(serde::de::Error::custom)
    }
}

/// A sum of numbers with the units ms, s, m and h.
pub fn parse(text: &str) -> Result<SignedDuration, String> {
    let refuse = || format!("'{text}' is no duration: write for example 500ms, 30s, 5m, 24h or 1h30m");
    let mut total = SignedDuration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(refuse());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|character: char| !character.is_ascii_digit())
            .ok_or_else(refuse)?;
        let amount: i64 = rest[..digits].parse().map_err(|_| refuse())?;
        let tail = &rest[digits..];
        let unit_length = tail
            .find(|character: char| character.is_ascii_digit())
            .unwrap_or(tail.len());
        let milliseconds = match &tail[..unit_length] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(refuse()),
        };
        let part = SignedDuration::from_millis(amount.checked_mul(milliseconds).ok_or_else(refuse)?);
        total = total.checked_add(part).ok_or_else(refuse)?;
        rest = &tail[unit_length..];
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up() {
        assert_eq!(parse("1h30m"), Ok(SignedDuration::from_secs(5400)));
        assert_eq!(parse("500ms"), Ok(SignedDuration::from_millis(500)));
        assert_eq!(parse("5m"), Ok(SignedDuration::from_secs(300)));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "m", "5 m", "5d", "-5s", "5s3", "99999999999999999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
