//! Draws the library of runbooks, and the selected one beside it where there is room.

use ratatui::layout::Rect;

use super::Books;
use crate::domain::runbook::Runbook;
use crate::ui::doc::{Doc, Writer};
use crate::ui::paint::{Painter, below};
use crate::ui::theme::Role;
use crate::ui::views::words::{no_match, placeholder};
use crate::ui::views::{Cx, book};
use crate::ui::widgets::table::{self, Column, Line, Places};

const COLUMNS: &[Column] = &[
    Column::new("NAME", 18, 0),
    Column::new("TITLE", 20, 0).growing(),
    Column::new("STEPS", 5, 1).right(),
    Column::new("HOSTS", 12, 3),
    Column::new("TAGS", 14, 2),
];

impl Books {
    pub(crate) fn draw(&self, cx: Cx<'_>, painter: &mut Painter<'_>) {
        let places = Places::new(COLUMNS, self.table.width);
        table::head(painter, self.table, COLUMNS, &places);
        let area = below(self.table, 1);
        if self.list.ids().is_empty() {
            let words = if self.list.query().trim().is_empty() {
                "No runbooks yet. Any Markdown file with shell fences is one: put it into the folder `runbooks` beside your settings (`:info` says where)."
            } else {
                &no_match(self.list.query())
            };
            placeholder(painter, area, words);
        }
        for (at, name) in self.list.visible() {
            let Some(book) = cx.model.books.iter().find(|book| book.name == *name) else {
                continue;
            };
            let line = Line {
                cells: cells(book),
                selected: self.list.is_selected(name),
                marked: false,
                matches: (0, self.list.positions(name)),
            };
            table::row(painter, area, at, COLUMNS, &places, &line);
        }
        self.draw_broken(cx, painter, area);
        if let (Some(area), Some(selected)) = (self.preview, self.selected(cx.model)) {
            let side = painter.look().glyph("│", "|");
            for row in 0..area.height {
                painter.put(area, row, side, Role::Border);
            }
            let inside = Rect {
                x: area.x + 1,
                width: area.width.saturating_sub(1),
                ..area
            };
            let mut writer = Writer::new(inside.width);
            book::describe(selected, &mut writer);
            Doc::still(writer.finish(), inside).draw(painter);
        }
    }

    /// Runbooks that cannot be read are named below the others.
    fn draw_broken(&self, cx: Cx<'_>, painter: &mut Painter<'_>, area: Rect) {
        let used = u16::try_from(self.list.visible().count()).unwrap_or(u16::MAX);
        let area = below(area, used.saturating_add(1));
        for (row, finding) in (0..area.height).zip(&cx.model.broken) {
            painter.put_at(area, 2, row, &finding.to_string(), Role::Crit);
        }
    }
}

fn cells(book: &Runbook) -> Vec<(String, Role)> {
    vec![
        (book.name.clone(), Role::Accent),
        (book.title.clone(), Role::Fg),
        (book.steps.len().to_string(), Role::Fg),
        (book.hosts.clone().unwrap_or_default(), Role::Dim),
        (book.tags.join(" "), Role::Dim),
    ]
}
