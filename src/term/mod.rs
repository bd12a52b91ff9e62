//! The terminal emulator: bytes in, an immutable screen out; keys, pastes and recordings encoded. Pure: no I/O, no tasks.
//!
//! Everything a remote host sends passes through here before a person sees it, so nothing in a [`Screen`] holds a
//! control character, and no input makes the emulator grow without bound.

pub mod cast;
mod emulator;
pub mod encode;
mod envelope;
mod outbox;
pub mod predict;
mod screen;

pub use emulator::{Emulator, HISTORY};
pub use outbox::{Mark, Notice};
pub use screen::{Cell, Color, CursorShape, Glyph, Modes, Mouse, Row, Screen, Size, Style};

#[cfg(test)]
mod tests;
