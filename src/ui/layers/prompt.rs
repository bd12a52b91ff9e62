//! A line at the bottom: a command after `:`, or a filter after `/`.

use ratatui::layout::{Position, Rect};

use super::{After, Reaction};
use crate::command::{self, Subject, Surface};
use crate::domain::key::{Key, KeyCode};
use crate::model::Model;
use crate::ui::paint::Painter;
use crate::ui::text;
use crate::ui::theme::Role;
use crate::ui::widgets::field::Field;

/// What the line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A command.
    Command,
    /// A filter of the view below.
    Filter,
    /// A pattern to look for in the pane below.
    Search {
        /// Towards the beginning.
        backward: bool,
    },
}

/// The line.
#[derive(Debug)]
pub(crate) struct Prompt {
    purpose: Purpose,
    field: Field,
    /// What is wrong with the line, until it is edited.
    error: Option<String>,
    /// Earlier lines, oldest first, and which of them is shown.
    history: Vec<String>,
    at: usize,
}

impl Prompt {
    pub(crate) fn command(words: &str, history: Vec<String>, error: Option<String>) -> Self {
        Self {
            purpose: Purpose::Command,
            field: Field::line(words),
            error,
            at: history.len(),
            history,
        }
    }

    pub(crate) fn filter(words: &str) -> Self {
        Self {
            purpose: Purpose::Filter,
            field: Field::line(words),
            error: None,
            at: 0,
            history: Vec::new(),
        }
    }

    /// A pattern to look for, shown as it is typed.
    pub(crate) fn search(backward: bool) -> Self {
        Self {
            purpose: Purpose::Search { backward },
            ..Self::filter("")
        }
    }

    pub(crate) fn key(&mut self, key: Key, model: &Model) -> Reaction {
        let empty = self.field.text().is_empty();
        if let Purpose::Search { backward } = self.purpose {
            match key.code {
                KeyCode::Esc => return Reaction::Then(After::Search(None)),
                KeyCode::Char('c' | 'g') if key.ctrl => return Reaction::Then(After::Search(None)),
                KeyCode::Backspace if empty => return Reaction::Then(After::Search(None)),
                KeyCode::Enter => {
                    return Reaction::Then(After::Search(Some((self.field.text(), backward))));
                }
                _ => {}
            }
        }
        match (key.code, self.purpose) {
            (KeyCode::Esc, Purpose::Command) => return Reaction::Close,
            (KeyCode::Backspace, _) if empty => return Reaction::Close,
            (KeyCode::Char('c'), Purpose::Command) if key.ctrl => return Reaction::Close,
            (KeyCode::Enter, Purpose::Command) => {
                return Reaction::Then(After::Line(self.field.text()));
            }
            (KeyCode::Enter | KeyCode::Down | KeyCode::Up, Purpose::Filter) => {
                return Reaction::Close;
            }
            (KeyCode::Esc, Purpose::Filter) => {
                // Esc takes the filter away first; the prompt, then empty, goes with the next key.
                if empty {
                    return Reaction::Close;
                }
                self.field = Field::line("");
                return Reaction::Filter(String::new());
            }
            (KeyCode::Up, Purpose::Command) => self.remember(-1),
            (KeyCode::Down, Purpose::Command) => self.remember(1),
            (KeyCode::Tab, Purpose::Command) => self.complete(model),
            _ => {
                self.field.key(key);
                self.error = None;
            }
        }
        self.changed()
    }

    pub(crate) fn paste(&mut self, words: &str) -> Reaction {
        self.field.paste(words);
        self.error = None;
        self.changed()
    }

    pub(crate) fn draw(
        &self,
        model: &Model,
        painter: &mut Painter<'_>,
        area: Rect,
    ) -> Option<Position> {
        let last = area.height.checked_sub(1)?;
        let line = Rect {
            y: area.y + last,
            height: 1,
            ..area
        };
        painter.clear(line);
        painter.tint(line, Role::Prompt);
        let sign = match self.purpose {
            Purpose::Command => ":",
            Purpose::Filter | Purpose::Search { backward: false } => "/",
            Purpose::Search { backward: true } => "?",
        };
        painter.put(line, 0, sign, Role::Key);
        let field = Rect {
            x: line.x + 1.min(line.width),
            width: line.width.saturating_sub(1),
            ..line
        };
        let cursor = self.field.draw(painter, field, Role::Prompt);
        if let Some(error) = &self.error {
            let lines: Vec<_> = error
                .lines()
                .filter(|line| !line.trim().is_empty())
                .flat_map(|line| text::wrap(line, usize::from(area.width).saturating_sub(2)))
                .collect();
            let count = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(last);
            for (row, words) in (last - count..last).zip(lines) {
                let above = Rect {
                    y: area.y + row,
                    height: 1,
                    ..area
                };
                painter.clear(above);
                painter.tint(above, Role::Error);
                painter.put(above, 0, &format!(" {words}"), Role::Error);
            }
        } else if self.purpose == Purpose::Command && last > 0 {
            let words = candidates(&self.field.text(), model);
            if !words.is_empty() {
                let above = Rect {
                    y: area.y + last - 1,
                    height: 1,
                    ..area
                };
                painter.clear(above);
                painter.put_at(above, 1, 0, &words.join("  "), Role::Hint);
            }
        }
        cursor
    }

    fn changed(&self) -> Reaction {
        match self.purpose {
            Purpose::Command => Reaction::Stay,
            Purpose::Filter => Reaction::Filter(self.field.text()),
            Purpose::Search { backward } => Reaction::Search(self.field.text(), backward),
        }
    }

    fn remember(&mut self, by: isize) {
        self.at = self.at.saturating_add_signed(by).min(self.history.len());
        let words = self.history.get(self.at).map_or("", String::as_str);
        self.field = Field::line(words);
    }

    /// Replaces the last word by what all candidates have in common.
    fn complete(&mut self, model: &Model) {
        let line = self.field.text();
        let found = candidates(&line, model);
        let Some(first) = found.first() else {
            return;
        };
        let shared = found.iter().fold(first.as_str(), |shared, word| {
            let same = shared
                .char_indices()
                .zip(word.chars())
                .find(|((_, a), b)| a != b);
            let end = same.map_or(shared.len().min(word.len()), |((at, _), _)| at);
            shared.get(..end).unwrap_or(shared)
        });
        let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let mut line = format!("{}{shared}", line.get(..start).unwrap_or_default());
        if found.len() == 1 {
            line.push(' ');
        }
        self.field = Field::line(&line);
    }
}

/// What the last word of a line could be.
fn candidates(line: &str, model: &Model) -> Vec<String> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let last = if line.ends_with(char::is_whitespace) {
        ""
    } else {
        words.pop().unwrap_or_default()
    };
    // Moving about by name is for keys; the names would only hide the others.
    let moves = |row: &command::Row| {
        ["list", "look", "pane", "view"].contains(&row.words().next().unwrap_or_default())
    };
    let here = || command::rows().filter(move |row| row.surface != Surface::Line && !moves(row));
    let mut found: Vec<String> = match words.as_slice() {
        [] => {
            let mut nouns: Vec<_> = here()
                .filter_map(|row| row.words().next())
                .map(str::to_owned)
                .collect();
            nouns.extend(
                [
                    "tickets",
                    "hosts",
                    "sessions",
                    "runs",
                    "runbooks",
                    "connections",
                    "forwards",
                    "alarms",
                    "messages",
                ]
                .map(str::to_owned),
            );
            nouns
        }
        [noun]
            if here().any(|row| row.words().count() == 2 && row.words().next() == Some(noun)) =>
        {
            here()
                .filter(|row| row.words().next() == Some(noun))
                .filter_map(|row| row.words().nth(1))
                .map(str::to_owned)
                .collect()
        }
        [noun, rest @ ..] => {
            let id = rest
                .first()
                .map_or_else(|| (*noun).to_owned(), |verb| format!("{noun}.{verb}"));
            let row = command::row(&id).or_else(|| command::row(noun));
            row.map_or_else(Vec::new, |row| {
                let flags = row.args.iter().filter_map(|arg| match arg.form {
                    command::Form::Switch(_)
                    | command::Form::Flag(_)
                    | command::Form::Repeated(_) => Some(format!("--{}", arg.name)),
                    command::Form::Positional | command::Form::Rest | command::Form::Trailing => {
                        None
                    }
                });
                let subjects = row.args.iter().filter_map(|arg| arg.subject);
                flags
                    .chain(subjects.flat_map(|subject| names(subject, model)))
                    .collect()
            })
        }
    };
    found.retain(|word| word.starts_with(last) && (!last.is_empty() || !word.starts_with("--")));
    found.sort();
    found.dedup();
    found
}

/// The names that a subject can have.
fn names(subject: Subject, model: &Model) -> Vec<String> {
    match subject {
        Subject::Ticket => model
            .tickets
            .rows
            .iter()
            .map(|ticket| ticket.reference.clone())
            .collect(),
        Subject::Host | Subject::Hosts => {
            model.hosts.iter().map(|host| host.name.clone()).collect()
        }
        Subject::Run => model
            .runs
            .rows
            .iter()
            .map(|run| run.reference.clone())
            .collect(),
        Subject::Session => {
            let live = model
                .sessions
                .iter()
                .map(|session| session.reference.clone());
            live.chain(model.recorded.iter().map(|row| row.reference.clone()))
                .collect()
        }
        Subject::Book => model
            .books
            .iter()
            .map(|book| text::fit(&book.name, 60, "~"))
            .collect(),
        Subject::Forward => model
            .forwards
            .iter()
            .map(|row| row.id.to_string())
            .collect(),
        Subject::Copy => model
            .copies
            .running()
            .map(|copy| copy.id.to_string())
            .collect(),
        // What is in a folder is known to the view alone.
        Subject::File => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::model;

    #[test]
    fn words_are_completed_from_the_commands_and_the_model() {
        let model = model();
        for (line, expected) in [
            ("ticket com", "ticket comment "),
            ("tick", "ticket"),
            ("host imp", "host import "),
            ("run start disk-f", "run start disk-full "),
            ("run start disk-full -H we", "run start disk-full -H web"),
            ("nonsense x", "nonsense x"),
            ("run start disk-full --dr", "run start disk-full --dry-run "),
        ] {
            let mut prompt = Prompt::command(line, Vec::new(), None);
            prompt.key(Key::plain(KeyCode::Tab), &model);
            assert_eq!(prompt.field.text(), expected, "{line}");
        }
    }

    #[test]
    fn earlier_lines_come_back() {
        let model = model();
        let mut prompt = Prompt::command("", vec!["one".to_owned(), "two".to_owned()], None);
        for (key, expected) in [
            ("Up", "two"),
            ("Up", "one"),
            ("Up", "one"),
            ("Down", "two"),
            ("Down", ""),
        ] {
            let key: Key = key.parse().expect("the test's key is sound");
            prompt.key(key, &model);
            assert_eq!(prompt.field.text(), expected);
        }
    }
}
