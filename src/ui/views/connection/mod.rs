//! One connection: how it is, how it was secured, what the server said, and everything that rides on it.

mod draw;

use ratatui::layout::Rect;

use super::Cx;
use crate::domain::connection::ConnectionRow;
use crate::model::Model;
use crate::ui::doc::{Doc, Writer};
use crate::ui::paint::Painter;
use crate::ui::views::words::placeholder;

/// What the view remembers.
#[derive(Debug, Default)]
pub(crate) struct ConnectionPage {
    pub(crate) doc: Doc,
    host: String,
    area: Rect,
}

impl ConnectionPage {
    pub(crate) fn opened(&mut self, host: &str) {
        if self.host != host {
            host.clone_into(&mut self.host);
            self.doc = Doc::default();
        }
    }

    pub(crate) fn layout(&mut self, cx: Cx<'_>, id: u64, host: &str, area: Rect) {
        self.area = area;
        let mut writer = Writer::new(area.width);
        if let Some(row) = shown(cx.model, id, host) {
            draw::head(cx, row, &mut writer);
            draw::notes(row, &mut writer);
            draw::riders(cx, row, &mut writer);
            draw::forwards_of(cx.model, host, &mut writer);
        }
        self.doc.layout(writer.finish(), area);
    }

    pub(crate) fn draw(&self, cx: Cx<'_>, id: u64, host: &str, painter: &mut Painter<'_>) {
        if shown(cx.model, id, host).is_none() {
            let again = cx.key(&[crate::command::Scope::Connections], "connection.again");
            let words =
                format!("There is no connection to {host} any more. {again} makes a new one.");
            placeholder(painter, self.area, &words);
        }
        self.doc.draw(painter);
    }
}

/// The connection itself, or the one that took its place.
fn shown<'m>(model: &'m Model, id: u64, host: &str) -> Option<&'m ConnectionRow> {
    let same = model.connections.iter().find(|row| row.id == id);
    same.or_else(|| model.connection(host))
}
