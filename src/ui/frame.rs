//! A drawn screen as a value: what a window's encoder turns into bytes.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};

use crate::model::Model;
use crate::term;

use super::Ui;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The cells.
    pub buffer: Buffer,
    /// Where the cursor is, if it is to be seen.
    pub cursor: Option<Position>,
}

impl Ui {
    /// Draws what [`Ui::layout`] computed for a window of this size.
    pub fn frame(&self, model: &Model, size: term::Size) -> Frame {
        let mut buffer = Buffer::empty(Rect::new(0, 0, size.cols, size.rows));
        let cursor = self.draw(model, &mut buffer);
        Frame { buffer, cursor }
    }
}

/// A window's size as the layout takes it.
pub fn extent(size: term::Size) -> Size {
    Size::new(size.cols, size.rows)
}
