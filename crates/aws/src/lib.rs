//! The orchestrator's ports over the AWS SDK.
