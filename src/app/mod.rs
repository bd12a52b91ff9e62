//! The loop: events in, a pure update, effects out, and the runtime that alone holds handles.
//!
//! What happens is an [`event::Event`]; what to do is an [`effect::Effect`]; both are plain data. [`update::update`] turns
//! one into the other and never waits, reads no clock and opens no file.

mod client;
pub mod clock;
mod copied;
pub mod effect;
pub mod event;
mod files;
mod lines;
mod local;
mod logout;
mod purpose;
pub mod recordings;
pub mod reel;
pub mod runtime;
pub mod search;
pub mod start;
pub mod state;
pub mod sync;
pub mod update;
