//! Infrastructure as typed Rust, and blue-green deploys that watch themselves.

fn main() {}
