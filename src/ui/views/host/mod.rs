//! One host: how it is, what is known of it and who says so, its tickets, what happened on it.

mod draw;
mod keys;

use keys::offers;

use ratatui::layout::Rect;

use super::Cx;
use crate::ui::doc::{Doc, Writer};
use crate::ui::paint::Painter;
use crate::ui::views::words::placeholder;

/// What the view remembers.
#[derive(Debug, Default)]
pub(crate) struct HostPage {
    pub(crate) doc: Doc,
    name: String,
    area: Rect,
}

impl HostPage {
    pub(crate) fn opened(&mut self, name: &str) {
        if self.name != name {
            name.clone_into(&mut self.name);
            self.doc = Doc::default();
        }
    }

    pub(crate) fn layout(&mut self, cx: Cx<'_>, name: &str, area: Rect) {
        self.area = area;
        let mut writer = Writer::new(area.width);
        if let Some(host) = cx.model.host_named(name) {
            draw::health(cx, host, &mut writer);
            draw::tickets(cx.model, name, &mut writer);
            draw::settings(cx.model, host, &mut writer);
            offers(cx.model, name, &mut writer);
            draw::history(cx.model, name, &mut writer);
        }
        self.doc.layout(writer.finish(), area);
    }

    pub(crate) fn draw(&self, cx: Cx<'_>, name: &str, painter: &mut Painter<'_>) {
        if cx.model.host_named(name).is_none() {
            placeholder(
                painter,
                self.area,
                &format!("{name} is not in the inventory."),
            );
        }
        self.doc.draw(painter);
    }
}
