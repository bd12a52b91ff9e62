//! The one binary of integration tests: one link for all of them.

mod ssh;
mod support;
