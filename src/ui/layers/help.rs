//! What every key does here, made from the live keymap.

use ratatui::layout::{Position, Rect};

use super::Reaction;
use super::sheet::{LOW, margin};
use super::text_box::{foot, scroll};
use crate::command::Scope;
use crate::domain::key::{Key, KeyCode};
use crate::ui::list::{Moves, Scroll};
use crate::ui::paint::{Painter, centred};
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::widgets::field::Field;

/// Columns of the list of chords.
const CHORDS: usize = 16;

/// The help of some scopes.
#[derive(Debug)]
pub(crate) struct Help {
    scopes: Vec<Scope>,
    lines: Vec<(String, String, Role)>,
    scroll: Scroll,
    area: Rect,
    /// What is looked for, and whether it is still being typed.
    wanted: Box<Field>,
    typing: bool,
    /// The line where typing began.
    from: usize,
}

impl Help {
    pub(crate) fn new(scopes: &[Scope]) -> Self {
        Self {
            scopes: scopes.to_vec(),
            lines: Vec::new(),
            scroll: Scroll::default(),
            area: Rect::default(),
            wanted: Box::new(Field::line("")),
            typing: false,
            from: 0,
        }
    }

    /// Whether letters are typed into it.
    pub(crate) fn is_typed(&self) -> bool {
        self.typing
    }

    /// Takes words that were pasted, while something is looked for.
    pub(crate) fn paste(&mut self, words: &str) {
        if self.typing {
            self.wanted.paste(words);
            self.find(self.from, true);
        }
    }

    pub(crate) fn key(&mut self, key: Key) -> Reaction {
        if self.typing {
            match key.code {
                KeyCode::Enter => self.typing = false,
                KeyCode::Esc => (self.typing, self.wanted) = (false, Box::new(Field::line(""))),
                _ => {
                    self.wanted.key(key);
                    self.find(self.from, true);
                }
            }
            return Reaction::Stay;
        }
        match key.code {
            KeyCode::Char('/') => {
                (self.typing, self.wanted) = (true, Box::new(Field::line("")));
                self.from = self.scroll.offset();
            }
            KeyCode::Char('n') => self.find(self.scroll.offset() + 1, true),
            KeyCode::Char('N') => self.find(self.scroll.offset(), false),
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | '?') | KeyCode::F(1) => {
                return Reaction::Close;
            }
            _ => scroll(&mut self.scroll, key),
        }
        Reaction::Stay
    }

    /// Whether a line has what is looked for, whatever its capitals.
    fn is_wanted(&self, line: usize) -> bool {
        let wanted = self.wanted.text().to_lowercase();
        let line = self.lines.get(line);
        !wanted.is_empty()
            && line.is_some_and(|(chords, words, _)| {
                chords.to_lowercase().contains(&wanted) || words.to_lowercase().contains(&wanted)
            })
    }

    /// Goes to the line with what is looked for, at or after `from` or before it, and round the end.
    fn find(&mut self, from: usize, onwards: bool) {
        let count = self.lines.len();
        let mut order = (0..count).map(|step| {
            if onwards {
                (from + step) % count
            } else {
                (from + 2 * count - 1 - step) % count
            }
        });
        if let Some(line) = order.find(|line| self.is_wanted(*line)) {
            self.scroll.top();
            self.scroll.step(i64::try_from(line).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn layout(&mut self, cx: Cx<'_>, area: Rect) {
        self.area = centred(
            area,
            margin(area).min(90),
            // A low window has no room beside it.
            area.height
                .saturating_sub(if area.height < LOW { 0 } else { 2 }),
        );
        let width = usize::from(self.area.width.saturating_sub(4)).saturating_sub(CHORDS);
        self.lines = lines(cx, &self.scopes, width);
        self.scroll
            .layout(self.lines.len(), self.area.height.saturating_sub(2));
    }

    /// Draws it; gives the place of the cursor, if something is typed.
    pub(crate) fn draw(&self, painter: &mut Painter<'_>) -> Option<Position> {
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
            if self.is_wanted(self.scroll.offset() + usize::from(row)) {
                let line = Rect {
                    y: inside.y + row,
                    height: 1,
                    ..inside
                };
                painter.tint(line, Role::Selected);
            }
        }
        foot(painter, self.area, &self.scroll);
        self.draw_search(painter)
    }

    /// What is looked for stands in the lower border.
    fn draw_search(&self, painter: &mut Painter<'_>) -> Option<Position> {
        let wanted = self.wanted.text();
        let last = self.area.height.checked_sub(1)?;
        if !self.typing && wanted.is_empty() {
            let hint = " / looks for words ";
            if usize::from(self.area.width) > hint.len() + 16 {
                painter.put_at(self.area, 2, last, hint, Role::Dim);
            }
            return None;
        }
        let found = (0..self.lines.len()).filter(|line| self.is_wanted(*line));
        let words = match (self.typing, found.count()) {
            (_, 0) if !wanted.is_empty() => format!(" /{wanted}  nothing "),
            (true, _) => format!(" /{wanted} "),
            (false, count) => format!(" /{wanted}  {count} lines, n N "),
        };
        painter.put_at(self.area, 2, last, &words, Role::Prompt);
        let col = u16::try_from(text::width(&wanted))
            .unwrap_or(0)
            .saturating_add(4);
        let cursor = Position::new(self.area.x + col, self.area.y + last);
        (self.typing && col < self.area.width).then_some(cursor)
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

#[cfg(test)]
mod tests {
    use crate::ui::scenes::Scene;

    #[test]
    fn words_are_looked_for_in_the_help() {
        let mut scene = Scene::new(80, 24).keys("2 ?");
        assert!(
            scene.text().contains("/ looks for words"),
            "{}",
            scene.text()
        );
        scene.press("/");
        scene = scene.write("SUSPENDS");
        let typed = scene.text();
        assert!(typed.contains("Suspends the program"), "{typed}");
        assert!(
            typed.contains("/SUSPENDS") && typed.contains("cursor "),
            "{typed}"
        );
        scene.press("Enter");
        assert!(scene.text().contains("lines, n N"), "{}", scene.text());
        scene.press("/");
        scene = scene.write("no such words");
        assert!(scene.text().contains("nothing"), "{}", scene.text());
        // Esc leaves the search, and then the help.
        scene.press("Esc");
        assert!(scene.text().contains(" keys "));
        scene.press("q");
        assert!(!scene.text().contains(" keys "));
    }
}
