//! A text to read, over everything: the answer of a command.

use ratatui::layout::Rect;

use super::Reaction;
use crate::domain::key::{Key, KeyCode};
use crate::ui::list::{Moves, Scroll};
use crate::ui::paint::{Painter, centred};
use crate::ui::text;
use crate::ui::theme::Role;

/// A text with a title.
#[derive(Debug)]
pub(crate) struct TextBox {
    title: String,
    text: String,
    lines: Vec<String>,
    scroll: Scroll,
    area: Rect,
}

impl TextBox {
    pub(crate) fn new(title: &str, text: &str) -> Self {
        Self {
            title: title.to_owned(),
            text: text.trim_end().to_owned(),
            lines: Vec::new(),
            scroll: Scroll::default(),
            area: Rect::default(),
        }
    }

    pub(crate) fn key(&mut self, key: Key) -> Reaction {
        match key.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => return Reaction::Close,
            _ => scroll(&mut self.scroll, key),
        }
        Reaction::Stay
    }

    pub(crate) fn layout(&mut self, area: Rect) {
        let width = area.width.saturating_sub(4).min(100);
        self.lines = text::wrap(&self.text, usize::from(width.saturating_sub(4)));
        let lines = u16::try_from(self.lines.len()).unwrap_or(u16::MAX);
        let height = lines.saturating_add(2).min(area.height.saturating_sub(2));
        self.area = centred(area, width, height);
        self.scroll
            .layout(self.lines.len(), self.area.height.saturating_sub(2));
    }

    pub(crate) fn draw(&self, painter: &mut Painter<'_>) {
        let inside = painter.frame(self.area, &self.title, Role::BorderFocus);
        for (row, line) in (0..inside.height).zip(self.lines.iter().skip(self.scroll.offset())) {
            painter.put(inside, row, line, Role::Fg);
        }
        foot(painter, self.area, &self.scroll);
    }
}

/// Says at the lower border which part is shown.
pub(super) fn foot(painter: &mut Painter<'_>, area: Rect, scroll: &Scroll) {
    if let (Some(place), Some(last)) = (scroll.place(), area.height.checked_sub(1)) {
        let inside = Rect {
            width: area.width.saturating_sub(2),
            ..area
        };
        painter.put_right(inside, last, &format!(" {place} "), Role::Dim);
    }
}

/// The keys of a pager.
pub(super) fn scroll(scroll: &mut Scroll, key: Key) {
    let page = scroll.page();
    match (key.code, key.ctrl) {
        (KeyCode::Char('j') | KeyCode::Down, _) => scroll.step(1),
        (KeyCode::Char('k') | KeyCode::Up, _) => scroll.step(-1),
        (KeyCode::Char('d'), true) => scroll.step(page / 2),
        (KeyCode::Char('u'), true) => scroll.step(-page / 2),
        (KeyCode::Char('f'), true) | (KeyCode::PageDown | KeyCode::Char(' '), _) => {
            scroll.step(page)
        }
        (KeyCode::Char('b'), true) | (KeyCode::PageUp, _) => scroll.step(-page),
        (KeyCode::Char('g') | KeyCode::Home, _) => scroll.top(),
        (KeyCode::Char('G') | KeyCode::End, _) => scroll.bottom(),
        _ => {}
    }
}
