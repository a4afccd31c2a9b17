//! The built-in pack. The hundreds of an id say what a rule is about: 1 encryption, 2 public access, 3 permissions,
//! 4 networks, 5 recovery, 6 support, 7 secrets. An id is never given to another rule.
//!
//! A rule finds what is wrong for nearly everybody. Where a service's default is safe (S3 and SQS encrypt by themselves,
//! DynamoDB cannot do without) only turning it off is a finding.

mod encryption;
mod exposure;
mod networks;
mod permissions;
mod recovery;
mod secrets;
mod support;

use super::Rule;

pub(super) fn rules() -> Vec<Rule> {
    [
        encryption::rules(),
        exposure::rules(),
        permissions::rules(),
        networks::rules(),
        recovery::rules(),
        support::rules(),
        secrets::rules(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
