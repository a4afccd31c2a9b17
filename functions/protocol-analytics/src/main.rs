//! Serves a protocol's performance metrics.

fn main() {}
