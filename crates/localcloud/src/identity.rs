//! Names that nobody else has, where failing to get one is no answer that a caller could act on.

use crate::chance;

const REASON: &str = "the operating system gives random bytes";

/// A random UUID, as request ids and ARNs have it.
pub fn uuid() -> String {
    chance::uuid().expect(REASON)
}
/// Random hexadecimal digits, as in `vpc-0a1b2c3d4e5f60718`.
pub fn hexadecimal(length: usize) -> String {
    chance::letters(b"0123456789abcdef", length).expect(REASON)
}

/// Random capitals and digits, as CloudFormation ends generated names with.
pub fn tail(length: usize) -> String {
    chance::letters(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", length).expect(REASON)
}
