//! A field to type into, of one line or several; the only file that knows the text area's crate. Secrets have their own
//! field, which keeps no history.

use std::fmt;

use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::Widget;
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox, SecretString};
use tui_textarea::{CursorMove, Input, Key as AreaKey, TextArea, WrapMode};

use crate::domain::key::{Key, KeyCode};
use crate::domain::text;
use crate::ui::paint::Painter;
use crate::ui::theme::Role;

/// Text that is being typed.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    area: TextArea<'static>,
    several: bool,
}

impl Field {
    /// A field of one line that holds `words`, the cursor behind them.
    pub(crate) fn line(words: &str) -> Self {
        Self::new(&text::line(words), false)
    }

    /// A field of several lines.
    pub(crate) fn block(words: &str) -> Self {
        Self::new(&text::block(words), true)
    }

    fn new(words: &str, several: bool) -> Self {
        let mut area = TextArea::new(words.split('\n').map(str::to_owned).collect());
        // The terminal's own cursor is used: screen readers follow it.
        area.set_cursor_style(Style::default());
        area.set_cursor_line_style(Style::default());
        if several {
            area.set_wrap_mode(WrapMode::WordOrGlyph);
        }
        area.move_cursor(CursorMove::Bottom);
        area.move_cursor(CursorMove::End);
        Self { area, several }
    }

    /// Edits by a key; says whether the key means anything to a field.
    pub(crate) fn key(&mut self, key: Key) -> bool {
        match (key.code, key.ctrl, key.alt) {
            (KeyCode::Enter, ..) | (KeyCode::Char('j' | 'm'), true, _) => {
                if self.several {
                    self.area.insert_newline();
                }
                return self.several;
            }
            (KeyCode::Up | KeyCode::Down, ..) if !self.several => return false,
            // As in a shell; the text area's own meaning of these keys is undo.
            (KeyCode::Char('u'), true, false) => return self.area.delete_line_by_head(),
            (KeyCode::Char(c), false, _) if c.is_control() => return false,
            _ => {}
        }
        let code = match key.code {
            KeyCode::Char(c) => AreaKey::Char(c),
            KeyCode::Backspace => AreaKey::Backspace,
            KeyCode::Delete => AreaKey::Delete,
            KeyCode::Left => AreaKey::Left,
            KeyCode::Right => AreaKey::Right,
            KeyCode::Up => AreaKey::Up,
            KeyCode::Down => AreaKey::Down,
            KeyCode::Home => AreaKey::Home,
            KeyCode::End => AreaKey::End,
            KeyCode::PageUp => AreaKey::PageUp,
            KeyCode::PageDown => AreaKey::PageDown,
            KeyCode::Enter | KeyCode::Esc | KeyCode::Tab | KeyCode::Insert | KeyCode::F(_) => {
                return false;
            }
        };
        self.area.input(Input {
            key: code,
            ctrl: key.ctrl,
            alt: key.alt,
            shift: key.shift,
        });
        true
    }

    /// Inserts pasted text; in a field of one line its line breaks become spaces.
    pub(crate) fn paste(&mut self, words: &str) {
        let words = text::block(&words.replace("\r\n", "\n").replace('\r', "\n"));
        let words = if self.several {
            words
        } else {
            words
                .split('\n')
                .map(str::trim)
                .collect::<Vec<_>>()
                .join(" ")
        };
        self.area.insert_str(words);
    }

    /// What it holds.
    pub(crate) fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether the cursor is on the first line, or on the last: where the arrows leave the field.
    pub(crate) fn at_edge(&self, down: bool) -> bool {
        let row = self.area.cursor().0;
        row == if down {
            self.area.lines().len().saturating_sub(1)
        } else {
            0
        }
    }

    /// Draws it; gives the place of its cursor.
    pub(crate) fn draw(
        &self,
        painter: &mut Painter<'_>,
        area: Rect,
        role: Role,
    ) -> Option<Position> {
        let area = area.intersection(painter.buffer().area);
        if area.is_empty() {
            return None;
        }
        painter.tint(area, role);
        self.area.render(area, painter.buffer());
        painter.tint(area, role);
        let (top, left) = self.area.scroll_offset();
        let cursor = self.area.screen_cursor();
        let row = u16::try_from(cursor.row).ok()?.checked_sub(top)?;
        let col = u16::try_from(cursor.col).ok()?.checked_sub(left)?;
        Some(Position::new(
            area.x + col.min(area.width - 1),
            area.y + row.min(area.height - 1),
        ))
    }
}

/// The longest secret in bytes. Room for it is reserved at once, so that growing leaves no copies in memory.
const SECRET_MAX: usize = 4096;

/// A secret that is being typed: never shown, never printed, wiped when dropped.
pub(crate) struct SecretField(SecretBox<String>);

impl SecretField {
    pub(crate) fn new() -> Self {
        Self(SecretBox::new(Box::new(String::with_capacity(SECRET_MAX))))
    }

    /// Edits by a key; says whether the key means anything to a field.
    pub(crate) fn key(&mut self, key: Key) -> bool {
        let text = self.0.expose_secret_mut();
        match key.code {
            KeyCode::Char('u') if key.ctrl => text.clear(),
            KeyCode::Char(c)
                if !key.ctrl && !key.alt && text.len() + c.len_utf8() <= SECRET_MAX =>
            {
                text.push(c);
            }
            KeyCode::Backspace => {
                text.pop();
            }
            _ => return false,
        }
        true
    }

    /// Appends what was pasted, up to its first line break: a password ends there.
    pub(crate) fn paste(&mut self, words: &str) {
        let line = words.split(['\r', '\n']).next().unwrap_or_default();
        let text = self.0.expose_secret_mut();
        if text.len() + line.len() <= SECRET_MAX {
            text.push_str(line);
        }
    }

    /// What it holds, for the one place that must pass it on.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Takes the secret out.
    pub(crate) fn take(&mut self) -> SecretString {
        let secret = SecretString::from(self.0.expose_secret().as_str());
        self.0 = Self::new().0;
        secret
    }
}

impl fmt::Debug for SecretField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretField(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_into(field: &mut Field, text: &str) {
        for c in text.chars() {
            assert!(field.key(Key::char(c)));
        }
    }

    #[test]
    fn a_line_takes_no_line_breaks_and_no_controls() {
        let mut field = Field::line("web");
        type_into(&mut field, "1 ü");
        field.paste("a\r\nb\x1b[2J\tc");
        assert!(!field.key(Key::plain(KeyCode::Enter)));
        assert!(!field.key(Key::char('\x07')));
        assert_eq!(field.text(), "web1 üa b␛[2J    c");
        field.key(Key::ctrl('u'));
        assert_eq!(field.text(), "");
    }

    #[test]
    fn a_block_keeps_its_lines() {
        let mut field = Field::block("one");
        assert!(field.key(Key::plain(KeyCode::Enter)));
        type_into(&mut field, "two");
        field.paste("\nthree");
        assert_eq!(field.text(), "one\ntwo\nthree");
        assert!(field.at_edge(true) && !field.at_edge(false));
    }

    #[test]
    fn a_secret_is_never_printed() {
        let mut field = SecretField::new();
        for c in "hunter2x".chars() {
            field.key(Key::char(c));
        }
        field.key(Key::plain(KeyCode::Backspace));
        field.paste("!\nrm -rf");
        assert!(!format!("{field:?}").contains("hunter"));
        assert_eq!(field.take().expose_secret(), "hunter2!");
        assert_eq!(field.take().expose_secret(), "");
    }
}
