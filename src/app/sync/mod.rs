//! Sync as the app uses it.

pub mod host;
