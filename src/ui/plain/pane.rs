//! A session in words: lines when they are complete, and the line that is written to when it has come to rest.

use std::sync::Arc;

use super::Said;
use crate::domain::ids::SessionId;
use crate::domain::time::Time;
use crate::model::{Model, SessionState};
use crate::term::Screen;

/// How long a line must be the same to have come to rest, in milliseconds.
const REST: u64 = 250;

/// What was heard of a session.
#[derive(Debug, Default)]
pub(super) struct Heard {
    screen: Option<Arc<Screen>>,
    /// The complete lines that were on the screen.
    lines: Vec<String>,
    /// The line with the cursor, since when it is so, and how much of it was said.
    line: String,
    since: Option<Time>,
    said: Option<String>,
    full: bool,
    ended: bool,
}

impl Heard {
    /// Says what is new in a session.
    pub(super) fn hear(&mut self, said: &mut Said, model: &Model, id: SessionId) {
        let Some(session) = model.session(id) else {
            return;
        };
        if let Some(screen) = &session.screen {
            let same = self
                .screen
                .as_ref()
                .is_some_and(|old| Arc::ptr_eq(old, screen));
            if !same {
                self.look(said, screen, model.now);
                self.screen = Some(Arc::clone(screen));
            }
            self.settle(said, model.now);
        }
        if let SessionState::Closed(why) = &session.state
            && !std::mem::replace(&mut self.ended, true)
        {
            said.line(&format!("The session has ended: {why}"));
        }
    }

    fn look(&mut self, said: &mut Said, screen: &Screen, now: Time) {
        let full = screen.modes.alt_screen;
        if full != std::mem::replace(&mut self.full, full) {
            self.lines.clear();
            self.said = None;
            said.line(if full {
                "A program uses the whole screen; the line with the cursor is read."
            } else {
                "The program has left the whole screen."
            });
        }
        let (lines, line) = logical(screen);
        if !full {
            let known = overlap(&self.lines, &lines);
            if lines.len() > known {
                // The line with the cursor is another one, even if it says the same, as prompts do.
                self.line.clear();
            }
            for new in lines.iter().skip(known) {
                // The first of them was begun before.
                match self.said.take().and_then(|begun| new.strip_prefix(&begun)) {
                    Some(rest) if said.open => {
                        said.more(rest);
                        said.end();
                    }
                    _ => said.line(new),
                }
            }
            self.lines = lines;
        }
        if line != self.line {
            let begun = !self.line.is_empty();
            self.line = line;
            self.since = Some(now);
            // What is typed into a line that was said is heard at once.
            if let Some(begun) = self.said.take().filter(|_| begun) {
                match self.line.strip_prefix(begun.as_str()) {
                    Some(more) if said.open => {
                        said.more(more);
                        self.said = Some(self.line.clone());
                    }
                    _ => {}
                }
            }
        }
    }

    /// The line with the cursor is said when it has not changed for a while: a prompt, a question.
    fn settle(&mut self, said: &mut Said, now: Time) {
        let rested = self.since.is_some_and(|since| now.since(since) >= REST);
        if rested && self.said.is_none() && !self.line.is_empty() {
            said.part(&self.line);
            self.said = Some(self.line.clone());
            self.since = None;
        }
    }
}

/// The lines above the cursor and the line with it; what was only wrapped is one line.
fn logical(screen: &Screen) -> (Vec<String>, String) {
    let (mut lines, mut line, mut cursor) = (Vec::new(), String::new(), None);
    let at = screen.cursor.map(|(row, _)| usize::from(row));
    for (index, row) in screen.rows.iter().enumerate() {
        line.push_str(&row.text());
        if at == Some(index) {
            cursor = Some(lines.len());
        }
        if !row.wrapped {
            lines.push(std::mem::take(&mut line));
        }
    }
    let end = cursor.unwrap_or_else(|| {
        let last = lines.iter().rposition(|line| !line.is_empty());
        last.map_or(0, |last| last + 1)
    });
    let current = lines.get(end).cloned().unwrap_or_default();
    lines.truncate(end);
    (lines, current)
}

/// How many of the lines were there before, and may have moved up.
fn overlap(old: &[String], new: &[String]) -> usize {
    let kept = (0..=old.len()).find_map(|gone| {
        let kept = old.get(gone..)?;
        new.starts_with(kept).then_some(kept.len())
    });
    kept.unwrap_or(0)
}
