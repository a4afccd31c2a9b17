//! Construct tree, constructs, assets, assembly and template diff.
