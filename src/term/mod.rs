//! The terminal emulator: bytes in, an immutable screen out; keys, pastes and recordings encoded. Pure: no I/O, no tasks.
//!
//! Everything a remote host sends passes through here before a person sees it, so nothing in a [`Screen`] holds a
//! control character, and no input makes the emulator grow without bound.

mod anew;
pub mod ansi;
pub mod cast;
mod copy;
pub mod deck;
mod emulator;
pub mod encode;
mod envelope;
pub mod film;
pub mod find;
mod foothold;
mod force;
mod grid;
mod guard;
mod history;
mod kitty;
mod links;
mod look;
mod looking;
mod marks;
mod outbox;
mod past;
pub mod predict;
mod screen;
pub mod timed;
mod typed;
pub mod watch;

pub use emulator::Emulator;
pub use links::Links;
pub use look::{Copied, CopyView, Keep, Look, SearchView, ShellState, Span};
pub use outbox::{Mark, Notice};
pub use screen::{
    Cell, Color, CursorShape, Glyph, Keyboard, Modes, Mouse, Passed, Row, Screen, Size, Style,
    Underline,
};

pub use typed::Stroke;

#[cfg(test)]
mod checks;
#[cfg(test)]
mod tests;
