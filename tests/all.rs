//! The one integration test binary: one link instead of many.

mod scenes;
mod ssh;
mod story;
mod support;
mod tidy;
