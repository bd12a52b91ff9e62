//! One runbook: what it is for, what it asks, what it does.

mod draw;

pub(crate) use draw::describe;

use ratatui::layout::Rect;

use super::Cx;
use crate::model::Model;
use crate::ui::doc::{Doc, DocLine, Writer};
use crate::ui::list::Scroll;
use crate::ui::paint::Painter;
use crate::ui::views::words::placeholder;

/// What the view remembers.
#[derive(Debug, Default)]
pub(crate) struct BookPage {
    pub(crate) scroll: Scroll,
    lines: Vec<DocLine>,
    area: Rect,
}

impl BookPage {
    pub(crate) fn layout(&mut self, model: &Model, name: &str, area: Rect) {
        self.area = area;
        let mut writer = Writer::new(area.width);
        if let Some(book) = model.books.iter().find(|book| book.name == name) {
            draw::describe(book, &mut writer);
        }
        self.lines = writer.finish();
        self.scroll.layout(self.lines.len(), area.height);
    }

    pub(crate) fn draw(&self, _cx: Cx<'_>, name: &str, painter: &mut Painter<'_>) {
        if self.lines.is_empty() {
            placeholder(
                painter,
                self.area,
                &format!("There is no runbook {name} in the library."),
            );
        }
        let shown: Vec<_> = self
            .lines
            .iter()
            .skip(self.scroll.offset())
            .take(usize::from(self.area.height))
            .cloned()
            .collect();
        Doc::still(shown, self.area).draw(painter);
    }
}
