//! Our own rules, one a file: what squawk does not look at.

mod long_lock;
mod unbounded_write;
mod unexplained_block;
mod unreadable;
mod write_in_expand;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    for rule in [
        unreadable::check,
        unbounded_write::check,
        unexplained_block::check,
        long_lock::check,
        write_in_expand::check,
    ] {
        rule(report);
    }
}
