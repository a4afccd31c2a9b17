//! Ports of the oracle's cases, compared with aws-cdk-lib's templates.

fn main() {}
