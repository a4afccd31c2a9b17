//! Allows or denies API requests by their bearer key.

fn main() {}
