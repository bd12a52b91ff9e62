//! How sync is: what waits, the last round and the next, what is not in order, and the devices of the space.

mod draw;

use ratatui::layout::Rect;

use super::Cx;
use crate::ui::doc::{Doc, Writer};
use crate::ui::paint::Painter;

/// What the view remembers.
#[derive(Debug, Default)]
pub(crate) struct SyncPage {
    pub(crate) doc: Doc,
}

impl SyncPage {
    pub(crate) fn layout(&mut self, cx: Cx<'_>, area: Rect) {
        let mut writer = Writer::new(area.width);
        match &cx.model.sync {
            Some(status) => {
                draw::head(cx, status, &mut writer);
                draw::troubles(status, &mut writer);
                draw::devices(cx, status, &mut writer);
                draw::verbs(&mut writer);
            }
            None => draw::alone(&mut writer),
        }
        self.doc.layout(writer.finish(), area);
    }

    pub(crate) fn draw(&self, painter: &mut Painter<'_>) {
        self.doc.draw(painter);
    }
}
