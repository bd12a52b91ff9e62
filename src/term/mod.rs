//! The terminal emulator: bytes in, an immutable screen out. Pure.

/// A size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

/// A screen.
#[derive(Clone, Debug)]
pub struct Screen;
