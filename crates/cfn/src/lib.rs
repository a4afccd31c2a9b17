//! Typed CloudFormation: values, intrinsics, templates and every resource type.
