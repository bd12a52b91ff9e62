//! Runbooks: Markdown to steps, parameters to safe scripts, the plan, and the run as a pure state machine.
//!
//! It opens no file, no socket and reads no clock: text and facts come in, values and orders go out.

mod fence;
mod front;
pub mod machine;
pub mod mask;
pub mod params;
pub mod parse;
pub mod plan;
mod quote;
mod script;
