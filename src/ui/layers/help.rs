//! What every key does here, made from the live keymap.

use ratatui::layout::Rect;

use super::Reaction;
use super::text_box::{foot, scroll};
use crate::command::Scope;
use crate::domain::key::{Key, KeyCode};
use crate::ui::list::Scroll;
use crate::ui::paint::{Painter, centred};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::views::Cx;

/// Columns of the list of chords.
const CHORDS: usize = 16;

/// The help of some scopes.
#[derive(Debug)]
pub(crate) struct Help {
    scopes: Vec<Scope>,
    lines: Vec<(String, String, Role)>,
    scroll: Scroll,
    area: Rect,
}

impl Help {
    pub(crate) fn new(scopes: &[Scope]) -> Self {
        Self {
            scopes: scopes.to_vec(),
            lines: Vec::new(),
            scroll: Scroll::default(),
            area: Rect::default(),
        }
    }

    pub(crate) fn key(&mut self, key: Key) -> Reaction {
        match key.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | '?') | KeyCode::F(1) => {
                return Reaction::Close;
            }
            _ => scroll(&mut self.scroll, key),
        }
        Reaction::Stay
    }

    pub(crate) fn layout(&mut self, cx: Cx<'_>, area: Rect) {
        self.area = centred(
            area,
            area.width.saturating_sub(4).min(90),
            area.height.saturating_sub(2),
        );
        let width = usize::from(self.area.width.saturating_sub(4)).saturating_sub(CHORDS);
        self.lines = lines(cx, &self.scopes, width);
        self.scroll
            .layout(self.lines.len(), self.area.height.saturating_sub(2));
    }

    pub(crate) fn draw(&self, painter: &mut Painter<'_>) {
        let inside = painter.frame(self.area, "keys", Role::BorderFocus);
        let column = u16::try_from(CHORDS).unwrap_or(0);
        for (row, (chords, words, role)) in
            (0..inside.height).zip(self.lines.iter().skip(self.scroll.offset()))
        {
            painter.put(
                inside,
                row,
                chords,
                if *role == Role::Header {
                    Role::Header
                } else {
                    Role::Key
                },
            );
            painter.put_at(inside, column, row, words, *role);
        }
        foot(painter, self.area, &self.scroll);
    }
}

/// A heading for each scope, then its commands with all their chords that are not hidden by a scope before it.
fn lines(cx: Cx<'_>, scopes: &[Scope], width: usize) -> Vec<(String, String, Role)> {
    let mut lines: Vec<(String, String, Role)> = Vec::new();
    let mut seen = Vec::new();
    for scope in scopes {
        let mut rows: Vec<_> = Vec::new();
        for (_, row) in cx.keymap.bindings(*scope) {
            let chords = cx.keymap.chords(scopes, row.id);
            if !seen.contains(&row.id) && !chords.is_empty() {
                seen.push(row.id);
                rows.push((row, chords));
            }
        }
        if rows.is_empty() {
            continue;
        }
        // The order of the command table, not of the letters: related commands stand together.
        let order: Vec<_> = crate::command::rows().map(|row| row.id).collect();
        rows.sort_by_key(|(row, _)| order.iter().position(|id| *id == row.id));
        if !lines.is_empty() {
            lines.push((String::new(), String::new(), Role::Fg));
        }
        lines.push((title(*scope).to_owned(), String::new(), Role::Header));
        for (row, chords) in rows {
            let chords = text::fit(&chords.join(" "), CHORDS - 1, "~");
            for (index, words) in text::wrap(row.help, width).into_iter().enumerate() {
                let chords = if index == 0 {
                    chords.clone()
                } else {
                    String::new()
                };
                lines.push((chords, words, Role::Fg));
            }
        }
    }
    lines
}

/// What a scope is called.
fn title(scope: Scope) -> &'static str {
    match scope {
        Scope::Global => "everywhere",
        Scope::List => "in lists",
        Scope::Tickets => "tickets",
        Scope::Case => "this ticket",
        Scope::Hosts => "hosts",
        Scope::Host => "this host",
        Scope::Sessions => "sessions",
        Scope::Runs => "runs",
        Scope::Run => "this run",
        Scope::Books => "runbooks",
        Scope::Connections => "connections",
        Scope::Forwards => "forwards",
        Scope::Files => "files",
        Scope::Alarms => "changed host keys",
        Scope::Recording => "this recording",
        Scope::Prefix => "after the prefix",
        Scope::Scrollback | Scope::ScrollbackEmacs => "in copy mode",
    }
}
