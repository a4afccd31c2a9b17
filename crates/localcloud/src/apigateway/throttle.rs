//! The token bucket in front of every method whose stage has limits.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

#[derive(Default)]
pub(crate) struct Throttle {
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    tokens: f64,
    filled: Timestamp,
}

impl Throttle {
    /// Whether a request may pass; `rate` is tokens a second, `burst` the size of the bucket.
    pub fn admits(&self, key: String, rate: f64, burst: f64, now: Timestamp) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(key).or_insert(Bucket {
            tokens: burst,
            filled: now,
        });
        let seconds = now.duration_since(bucket.filled).as_secs_f64().max(0.0);
        bucket.tokens = (bucket.tokens + seconds * rate).min(burst);
        bucket.filled = now;
        let admitted = bucket.tokens >= 1.0;
        if admitted {
            bucket.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_empties_and_fills_with_time() {
        let throttle = Throttle::default();
        let at = |milliseconds| Timestamp::from_millisecond(milliseconds).unwrap();
        let admitted = |time| throttle.admits("m".to_owned(), 2.0, 3.0, at(time));
        assert_eq!(
            [admitted(0), admitted(0), admitted(0), admitted(0)],
            [true, true, true, false]
        );
        assert!(!admitted(400), "0.8 of a token is none");
        assert!(admitted(500));
        assert_eq!(
            [admitted(60_000), admitted(60_000), admitted(60_000), admitted(60_000)],
            [true, true, true, false]
        );
    }
}
