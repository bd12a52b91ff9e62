//! A text before it is pasted into a session. Only a clear choice sends it; nothing that the remote program says, such as
//! bracketed paste, takes this question away.

use ratatui::layout::Rect;

use super::sheet::Sheet;
use super::{Act, After, Reaction};
use crate::domain::ids::SessionId;
use crate::domain::key::{Key, KeyCode};
use crate::domain::paste::{Inspection, visible};
use crate::ui::paint::Painter;
use crate::ui::theme::Role;
use crate::ui::views::words::plural;

/// How many lines of the text are kept to be shown.
const SHOWN: usize = 200;

/// How much of a line is kept to be shown, in characters.
const WIDE: usize = 200;

/// Where a text would go.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// The session that it is pasted into.
    pub(crate) session: SessionId,
    /// What it is called.
    pub(crate) name: String,
    /// Its environment, if it has one.
    pub(crate) environment: Option<String>,
    /// One of the receivers is a production host.
    pub(crate) production: bool,
    /// Everybody else who gets it, by name.
    pub(crate) others: Vec<String>,
}

/// The question.
#[derive(Debug)]
pub(crate) struct PasteSheet {
    way: Way,
    text: String,
    seen: Inspection,
    preview: Vec<String>,
    chosen: usize,
}

impl PasteSheet {
    pub(crate) fn new(way: Way, text: String) -> Self {
        let seen = Inspection::of(&text);
        let unified = text.replace("\r\n", "\n").replace('\r', "\n");
        let cut = |line: &str| visible(&line.chars().take(WIDE).collect::<String>());
        let preview = unified.lines().take(SHOWN).map(cut).collect();
        Self {
            way,
            text,
            seen,
            preview,
            chosen: 0,
        }
    }

    pub(crate) fn key(&mut self, key: Key) -> Reaction {
        let count = self.buttons().len();
        match key.code {
            KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => return Reaction::Close,
            KeyCode::Char('y' | 'Y' | 'p') => self.chosen = 1,
            KeyCode::Char('w') if count > 2 => self.chosen = 2,
            KeyCode::Right | KeyCode::Tab | KeyCode::Char('l') => {
                self.chosen = (self.chosen + 1) % count;
                return Reaction::Stay;
            }
            KeyCode::Left | KeyCode::Char('h') => {
                self.chosen = (self.chosen + count - 1) % count;
                return Reaction::Stay;
            }
            KeyCode::Enter => {}
            _ => return Reaction::Stay,
        }
        let text = std::mem::take(&mut self.text);
        let text = match self.chosen {
            1 => text,
            2 => text.trim_end_matches(['\r', '\n']).to_owned(),
            _ => return Reaction::Close,
        };
        Reaction::Then(After::Do(Act::Paste(self.way.session, text)))
    }

    fn buttons(&self) -> &'static [&'static str] {
        if self.seen.runs {
            &["Cancel", "Paste (y)", "Without last Enter (w)"]
        } else {
            &["Cancel", "Paste (y)"]
        }
    }

    pub(crate) fn draw(&self, painter: &mut Painter<'_>, area: Rect) {
        let Way {
            name,
            environment,
            production,
            others,
            ..
        } = &self.way;
        let mut title = format!("paste into {name}");
        if let Some(environment) = environment {
            title.push_str(&format!(" ({environment})"));
        }
        if !others.is_empty() {
            title.push_str(&format!(" and {} more", others.len()));
        }
        let mut head = Vec::new();
        if !others.is_empty() {
            let words = format!(" BROADCAST: it also goes to {} ", others.join(", "));
            head.push((words, Role::Broadcast));
        }
        if *production {
            head.push((" PRODUCTION ".to_owned(), Role::Prod));
        }
        let mut counted = format!(
            "{}, {}",
            plural(self.seen.lines, "line"),
            plural(self.seen.bytes, "byte")
        );
        if self.seen.controls > 0 {
            counted.push_str(&format!(
                "; {} shown as ^X, not sent",
                plural(self.seen.controls, "control character")
            ));
        }
        head.push((counted, Role::Dim));
        let mut foot = Vec::new();
        if self.seen.runs {
            foot.push(("It ends with Enter: it will run.".to_owned(), Role::Warn));
        }
        if self.seen.hidden > 0 {
            let words = "It has invisible characters, shown as <U+…>: what it looks like is not what it is.";
            foot.push((words.to_owned(), Role::Crit));
        }
        if !self.seen.dangers.is_empty() {
            let words = format!("Look twice: it {}.", self.seen.dangers.join(", "));
            foot.push((words, Role::Crit));
        }
        let end = painter.look().glyph("⏎", "$");
        let last = self.preview.len().saturating_sub(1);
        let whole = self.preview.len() == self.seen.lines;
        let body = self.preview.iter().enumerate().map(|(at, line)| {
            let ends = at < last || self.seen.runs || !whole;
            let mark = if ends { end } else { "" };
            (format!("  {line}{mark}"), Role::Fg)
        });
        let sheet = Sheet {
            title: &title,
            border: if *production {
                Role::Prod
            } else {
                Role::BorderFocus
            },
            head,
            body: body.collect(),
            more: self.seen.lines.saturating_sub(self.preview.len()),
            foot,
            buttons: self.buttons(),
            chosen: self.chosen,
            hint: "arrows, Enter; Esc",
        };
        sheet.draw(painter, area);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::session_id;

    fn sent(text: &str, keys: &str) -> Option<String> {
        let way = Way {
            session: session_id("web1"),
            name: "web1".to_owned(),
            environment: None,
            production: false,
            others: Vec::new(),
        };
        let mut sheet = PasteSheet::new(way, text.to_owned());
        for key in keys.split(' ') {
            let key: Key = key.parse().expect("the test's key is sound");
            match sheet.key(key) {
                Reaction::Then(After::Do(Act::Paste(_, text))) => return Some(text),
                Reaction::Stay => {}
                _ => return None,
            }
        }
        None
    }

    #[test]
    fn only_a_clear_choice_pastes() {
        for (text, keys, expected) in [
            ("a\n", "Enter", None),
            ("a\n", "Esc", None),
            ("a\n", "n", None),
            ("a\n", "x Space Enter", None),
            ("a\n", "y", Some("a\n")),
            ("a\n", "Right Enter", Some("a\n")),
            ("a\r\n\n", "w", Some("a")),
            ("a\n", "Left Enter", Some("a")),
            ("a\nb", "w Enter", None),
            ("a\nb", "Tab Tab Enter", None),
        ] {
            assert_eq!(sent(text, keys).as_deref(), expected, "{text:?} {keys}");
        }
    }
}
