//! Conditional requests: which ETag a caller wants to find, or not to find.
//!
//! Reads follow RFC 9110 as `GetObject` documents it; writes follow
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.

use jiff::Timestamp;
use serde_json::Value;

use super::bucket::ObjectRecord;
use super::failures::{invalid_argument, no_such_key, precondition_failed};
use crate::members::Members;
use crate::service::ApiError;

/// What a write demands of the object that it is about to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WriteCondition {
    Always,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: ETAG`
    Matches(String),
}

impl WriteCondition {
    pub(super) fn of(input: &Value) -> Result<Self, ApiError> {
        match (input.text("IfMatch"), input.text("IfNoneMatch")) {
            (None, None) => Ok(Self::Always),
            (None, Some("*")) => Ok(Self::Absent),
            (Some(etag), None) => Ok(Self::Matches(etag.to_owned())),
            (None, Some(_)) => Err(ApiError::new(
                501,
                "NotImplemented",
                "A header you provided implies functionality that is not implemented: If-None-Match takes * only",
            )),
            (Some(_), Some(_)) => Err(invalid_argument("If-Match and If-None-Match exclude each other")),
        }
    }

    pub(super) fn check(&self, key: &str, present: Option<&ObjectRecord>) -> Result<(), ApiError> {
        match (self, present) {
            (Self::Always, _) | (Self::Absent, None) => Ok(()),
            (Self::Absent, Some(_)) => Err(precondition_failed("If-None-Match")),
            (Self::Matches(_), None) => Err(no_such_key(key)),
            (Self::Matches(etags), Some(present)) if matches(etags, &present.etag) => Ok(()),
            (Self::Matches(_), Some(_)) => Err(precondition_failed("If-Match")),
        }
    }
}

/// What a read demands; `prefix` is empty, or `CopySource` for the source of a copy.
pub(super) fn check_read(input: &Value, prefix: &str, present: &ObjectRecord) -> Result<(), ApiError> {
    let name = |condition: &str| format!("{prefix}{condition}");
    let time = |condition: &str| input.number(&name(condition)).map(|seconds| seconds as i64);
    let modified = present.modified.as_second();
    let unchanged = || match prefix {
        // A copy has no 304.
        "" => ApiError::new(304, "NotModified", "Not Modified"),
        _ => precondition_failed("x-amz-copy-source-If-None-Match"),
    };
    match input.text(&name("IfMatch")) {
        Some(etags) if !matches(etags, &present.etag) => return Err(precondition_failed("If-Match")),
        // A matching ETag outranks the date.
        Some(_) => {}
        None if time("IfUnmodifiedSince").is_some_and(|time| modified > time) => {
            return Err(precondition_failed("If-Unmodified-Since"));
        }
        None => {}
    }
    match input.text(&name("IfNoneMatch")) {
        Some(etags) if matches(etags, &present.etag) => Err(unchanged()),
        Some(_) => Ok(()),
        None if time("IfModifiedSince").is_some_and(|time| modified <= time) => Err(unchanged()),
        None => Ok(()),
    }
}

fn matches(etags: &str, etag: &str) -> bool {
    let bare = |text: &str| text.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    etags
        .split(',')
        .map(bare)
        .any(|wanted| wanted == "*" || wanted == bare(etag))
}

/// `bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT` as first and last position; `None` for what HTTP says to
/// ignore (another unit, several ranges, nonsense).
pub(super) fn byte_range(range: &str, size: u64) -> Result<Option<(u64, u64)>, ApiError> {
    let Some((first, last)) = range
        .trim()
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let (first, last) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(size.saturating_sub(1))),
        (Ok(first), Err(_)) if last.is_empty() => (first, size.saturating_sub(1)),
        (Err(_), Ok(count)) if first.is_empty() && count > 0 => (size.saturating_sub(count), size.saturating_sub(1)),
        (Err(_), Ok(_)) if first.is_empty() => (size, size),
        _ => return Ok(None),
    };
    if first >= size {
        return Err(ApiError::new(
            416,
            "InvalidRange",
            "The requested range is not satisfiable",
        ));
    }
    Ok(Some((first, last)))
}

/// Seconds are what S3's dates can say.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_http_means_them() {
        for (range, expected) in [
            ("bytes=0-4", Some((0, 4))),
            ("bytes=5-", Some((5, 9))),
            ("bytes=-3", Some((7, 9))),
            ("bytes=-30", Some((0, 9))),
            ("bytes=2-99", Some((2, 9))),
            ("bytes=4-2", None),
            ("lines=1-2", None),
            ("bytes=0-1,3-4", None),
        ] {
            assert_eq!(byte_range(range, 10).unwrap(), expected, "{range}");
        }
        assert_eq!(byte_range("bytes=10-", 10).unwrap_err().code, "InvalidRange");
        assert_eq!(byte_range("bytes=-0", 10).unwrap_err().code, "InvalidRange");
        assert_eq!(byte_range("bytes=0-0", 0).unwrap_err().code, "InvalidRange");
    }

    #[test]
    fn etags_match_with_and_without_quotes_and_in_lists() {
        assert!(matches("\"abc\"", "abc") && matches("abc", "\"abc\"") && matches("x, W/\"abc\"", "abc"));
        assert!(matches("*", "abc") && !matches("ab", "abc"));
    }
}
