//! stub
mod screen;
pub use screen::{Cell, Color, CursorShape, Glyph, Modes, Mouse, Row, Screen, Size, Style};
