//! The first screen: what is going on, and what to press.

mod draw;

use ratatui::layout::Rect;

use super::Cx;
use crate::ui::doc::{Doc, Writer};
use crate::ui::paint::Painter;

/// What the view remembers.
#[derive(Debug, Default)]
pub(crate) struct Home {
    pub(crate) doc: Doc,
    shown: bool,
}

impl Home {
    pub(crate) fn layout(&mut self, cx: Cx<'_>, area: Rect) {
        let mut writer = Writer::new(area.width);
        draw::write(cx, &mut writer);
        self.doc.layout(writer.finish(), area);
        // Enter should do something on the very first screen.
        if !self.shown && self.doc.select_link() {
            self.shown = true;
            self.doc.relayout();
        }
    }

    pub(crate) fn draw(&self, painter: &mut Painter<'_>) {
        self.doc.draw(painter);
    }
}
