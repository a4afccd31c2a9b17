//! Names that nobody else has, where failing to get one is no answer that a caller could act on.

use crate::chance;

const REASON: &str = "the operating system gives random bytes";

/// A random UUID, as request ids and ARNs have it.
pub fn uuid() -> String {
    chance::uuid().expect(REASON)
}
