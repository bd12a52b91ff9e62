//! Copy mode in words: how far back somebody looks, the line of the cursor, the character or word it came to, what is selected,
//! found and copied. It says what has changed since it was heard last, and nothing twice.

use std::sync::Arc;

use super::Said;
use crate::domain::look::Shape;
use crate::domain::time::Time;
use crate::model::Model;
use crate::term::{CopyView, Screen, SearchView};

/// How much of what was copied is read out, in characters.
const READ: usize = 400;

/// How long after its end something that was copied in it is said, in milliseconds.
const LATE: u64 = 2_000;

/// What was heard of copy mode.
#[derive(Debug)]
pub(super) struct Looking {
    begun: bool,
    /// The line of the cursor as a number from the oldest that was ever there, its text, and the cell in it.
    line: u64,
    text: String,
    at: usize,
    shape: Option<Shape>,
    search: Option<SearchView>,
    copied: Option<Arc<str>>,
    /// When it ended; what was copied on the way out may still be under way.
    ended: Option<Time>,
}

impl Looking {
    /// Nothing was heard yet; what was copied before is no news.
    pub(super) fn new(model: &Model) -> Self {
        Self {
            begun: false,
            line: 0,
            text: String::new(),
            at: 0,
            shape: None,
            search: None,
            copied: model.copied.clone(),
            ended: None,
        }
    }

    /// Says what is new in the view.
    pub(super) fn hear(&mut self, said: &mut Said, screen: &Screen, view: &CopyView) {
        let line = view.gone + view.line;
        let (text, at) = under(screen, view);
        let shape = std::mem::replace(&mut self.shape, view.shape);
        if let Some(words) = selection(shape, view.shape) {
            said.line(words);
        }
        if view.search != self.search {
            self.search.clone_from(&view.search);
            if let Some(search) = &self.search {
                said.line(&found(search));
            }
        }
        let far = !self.begun || line.abs_diff(self.line) > 1;
        if far {
            let mode = if self.begun { "" } else { "Copy mode. " };
            let back = view.lines.saturating_sub(view.line);
            let back = match back {
                0 => "At the last line".to_owned(),
                1 => "Looking back 1 line".to_owned(),
                back => format!("Looking back {back} lines"),
            };
            said.line(&format!("{mode}{back}"));
        }
        if far || line != self.line || text != self.text {
            said.line(or_blank(&text));
        } else if at != self.at {
            said.line(&passed(&text, self.at, at));
        }
        if far && view.older {
            said.line("Older lines are not kept here.");
        }
        (self.begun, self.line, self.text, self.at) = (true, line, text, at);
    }

    /// Says what was copied, once it is.
    pub(super) fn copied(&mut self, said: &mut Said, model: &Model) {
        let Some(text) = &model.copied else { return };
        if self
            .copied
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, text))
        {
            return;
        }
        self.copied = Some(Arc::clone(text));
        let words: String = text.chars().take(READ).collect();
        let lines = text.lines().count();
        if lines > 1 {
            said.line(&format!("Copied, {lines} lines:"));
        } else {
            said.line("Copied:");
        }
        words.lines().for_each(|line| said.line(or_blank(line)));
        if words.len() < text.len() {
            said.line("and more.");
        }
    }

    /// Says that it is over.
    pub(super) fn end(&mut self, said: &mut Said, now: Time) {
        if self.ended.is_none() {
            self.ended = Some(now);
            said.line("Copy mode has ended.");
        }
    }

    /// Whether nothing more is to be said.
    pub(super) fn is_over(&self, now: Time) -> bool {
        self.ended.is_some_and(|at| now.since(at) > LATE)
    }

    /// Whether it goes on.
    pub(super) fn is_on(&self) -> bool {
        self.ended.is_none()
    }
}

/// The line of the cursor, as far as it can be seen, and the place of the cursor in it in characters.
fn under(screen: &Screen, view: &CopyView) -> (String, usize) {
    let (row, col) = (usize::from(view.cursor.0), usize::from(view.cursor.1));
    let wrapped = |row: usize| screen.rows.get(row).is_some_and(|row| row.wrapped);
    let mut first = row;
    while first > 0 && wrapped(first - 1) {
        first -= 1;
    }
    let (mut text, mut at, mut next) = (String::new(), 0, first);
    while let Some(cells) = screen.rows.get(next).map(|row| &row.cells) {
        if next == row {
            let before = cells.iter().take(col);
            at = text.chars().count() + before.map(|cell| cell.text.chars().count()).sum::<usize>();
        }
        cells.iter().for_each(|cell| text.push_str(&cell.text));
        if !wrapped(next) {
            break;
        }
        next += 1;
    }
    text.truncate(text.trim_end().len());
    (text, at)
}

/// What the cursor came to within a line: a character after one step, else the rest of the word.
fn passed(text: &str, from: usize, to: usize) -> String {
    let rest = text.chars().skip(to);
    let words: String = if from.abs_diff(to) == 1 {
        rest.take(1).collect()
    } else {
        rest.take_while(|c| !c.is_whitespace()).collect()
    };
    match words.trim() {
        "" if to >= text.chars().count() => "end of line".to_owned(),
        "" => "space".to_owned(),
        words => words.to_owned(),
    }
}

fn or_blank(line: &str) -> &str {
    if line.trim().is_empty() {
        "blank"
    } else {
        line
    }
}

fn selection(before: Option<Shape>, now: Option<Shape>) -> Option<&'static str> {
    if before == now {
        return None;
    }
    Some(match now {
        None => "Selection ends.",
        Some(Shape::Chars) => "Selection of characters begins here.",
        Some(Shape::Words) => "Selection of words begins here.",
        Some(Shape::Lines) => "Selection of lines begins here.",
        Some(Shape::Block) => "Selection of a rectangle begins here.",
    })
}

fn found(search: &SearchView) -> String {
    let pattern = &search.pattern;
    let more = if search.more { " or more" } else { "" };
    match (search.at, search.count) {
        (_, 0) => format!("{pattern} is not found."),
        (Some(at), count) => format!("{pattern}, match {at} of {count}{more}."),
        (None, count) => format!("{pattern}, {count}{more} matches."),
    }
}
