//! The one integration test binary: one link instead of many.

mod scenes;
mod sessions;
mod ssh;
mod story;
mod support;
mod sync;
mod tidy;
