//! The embedded cloud: AWS wire protocols on loopback.
