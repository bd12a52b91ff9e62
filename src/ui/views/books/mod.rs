//! The library of runbooks.

mod draw;

use ratatui::layout::{Position, Rect};

use crate::domain::runbook::Runbook;
use crate::model::Model;
use crate::ui::list::ListState;
use crate::ui::paint::below;
use crate::ui::views::tickets::split;

/// What the list remembers.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) list: ListState<String>,
    table: Rect,
    preview: Option<Rect>,
}

impl Books {
    pub(crate) fn sync(&mut self, model: &Model) {
        self.list.sync(&model.books, |book| book.name.clone(), text);
    }

    pub(crate) fn layout(&mut self, area: Rect) {
        (self.table, self.preview) = split(area);
        self.list.layout(below(self.table, 1).height);
    }

    pub(crate) fn selected<'m>(&self, model: &'m Model) -> Option<&'m Runbook> {
        let name = self.list.selected()?;
        model.books.iter().find(|book| book.name == *name)
    }

    pub(crate) fn click(&mut self, position: Position) -> bool {
        let rows = below(self.table, 1);
        rows.contains(position) && self.list.click(position.y - rows.y)
    }
}

/// What the filter looks at; the name first, because its letters are shown as matches.
fn text(book: &Runbook) -> String {
    format!("{} {} {}", book.name, book.title, book.tags.join(" "))
}
