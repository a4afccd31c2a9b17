//! The platform's own stacks.

fn main() {}
