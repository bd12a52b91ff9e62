//! A drawn screen as a value: what a window's encoder turns into bytes.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::model::Model;

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
    /// Draws what [`Ui::layout`] computed.
    pub fn frame(&self, model: &Model) -> Frame {
        let mut buffer = Buffer::empty(Rect::from((Position::ORIGIN, self.size)));
        let cursor = self.draw(model, &mut buffer);
        Frame { buffer, cursor }
    }
}
