//! Serves the health of the platform's API.

fn main() {}
