//! A session in words: lines when they are complete, and the line that is written to when it has come to rest.

use std::sync::Arc;

use super::Said;
use super::looking::Looking;
use super::lost::Losses;
use crate::domain::ids::SessionId;
use crate::domain::time::Time;
use crate::model::{Model, SessionState};
use crate::term::{Passed, Screen, Size};

/// How long a line must be the same to have come to rest, in milliseconds.
const REST: u64 = 250;

/// What was heard of a session.
#[derive(Debug, Default)]
pub(super) struct Heard {
    screen: Option<Arc<Screen>>,
    /// What was said of copy mode, while somebody looks around.
    looking: Option<Looking>,
    size: Option<Size>,
    /// The complete lines that were on the screen, and the number of the first, counted from the first ever written.
    lines: Vec<String>,
    top: Option<u64>,
    /// The line with the cursor, since when it is so, and how much of it was said.
    line: String,
    since: Option<Time>,
    said: Option<String>,
    full: bool,
    ended: bool,
    /// What was said of its lost connection.
    lost: Losses,
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
                match &screen.copy {
                    // What the program writes meanwhile is said when somebody listens to it again.
                    Some(view) => {
                        self.looking.take_if(|looking| !looking.is_on());
                        let looking = self.looking.get_or_insert_with(|| Looking::new(model));
                        looking.hear(said, screen, view);
                    }
                    None => {
                        if let Some(looking) = &mut self.looking {
                            looking.end(said, model.now);
                        }
                        self.look(said, screen, model.now);
                    }
                }
                self.screen = Some(Arc::clone(screen));
            }
            if let Some(looking) = &mut self.looking {
                looking.copied(said, model);
            }
            self.looking.take_if(|looking| looking.is_over(model.now));
            if self.looking.as_ref().is_none_or(|looking| !looking.is_on()) {
                self.settle(said, model.now);
            }
        }
        if let SessionState::Closed(why) = &session.state
            && !std::mem::replace(&mut self.ended, true)
        {
            said.line(&format!("The session has ended: {why}"));
        }
        self.lost.hear(said, session.lost.as_ref(), model.now);
    }

    fn look(&mut self, said: &mut Said, screen: &Screen, now: Time) {
        let full = screen.modes.alt_screen;
        if full != std::mem::replace(&mut self.full, full) {
            self.lines.clear();
            self.top = None;
            self.said = None;
            said.line(if full {
                "A program uses the whole screen; the line with the cursor is read."
            } else {
                "The program has left the whole screen."
            });
        }
        let (mut lines, line) = logical(screen);
        if !full {
            let resized = self.size.replace(screen.size) != Some(screen.size);
            let on_screen = lines.len();
            let missed = self.add_passed(screen.passed.as_deref(), &mut lines);
            if missed > 0 {
                said.line(&format!("{missed} lines passed, not read."));
                self.said = None;
            }
            let known = overlap(&self.lines, &lines, resized);
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
            let above = lines.len().saturating_sub(on_screen);
            self.lines = lines.split_off(above);
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

    /// Puts what has left the screen since the last look before its lines; how many lines have left it that nobody has.
    fn add_passed(&mut self, passed: Option<&Passed>, lines: &mut Vec<String>) -> u64 {
        let before = std::mem::replace(&mut self.top, passed.map(Passed::top));
        let Some(passed) = passed else { return 0 };
        // The line that goes on at the top of the screen is said whole.
        if let Some(first) = lines.first_mut() {
            first.insert_str(0, &passed.begun);
        }
        // A program may have wiped away what is above the screen; what is on it is news then as ever.
        let Some(before) = before.filter(|before| *before <= passed.top()) else {
            return 0;
        };
        let from = before.max(passed.first);
        let skipped = usize::try_from(from - passed.first).unwrap_or(usize::MAX);
        lines.splice(0..0, passed.lines.iter().skip(skipped).cloned());
        let lost = from - before;
        let heard = self.lines.len() as u64;
        self.lines
            .drain(..usize::try_from(lost.min(heard)).unwrap_or_default());
        lost.saturating_sub(heard)
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

/// How many of the lines were there before, and may have moved up, or down in a screen that has become higher. Of the first the
/// beginning may have left the screen.
fn overlap(old: &[String], new: &[String], resized: bool) -> usize {
    let same = |(at, (old, new)): (usize, (&String, &String))| {
        old == new || (at == 0 && !new.is_empty() && old.ends_with(new.as_str()))
    };
    let kept = (0..=old.len()).find_map(|gone| {
        let kept = old.get(gone..)?;
        let begins = kept.len() <= new.len() && kept.iter().zip(new).enumerate().all(same);
        begins.then_some(kept.len())
    });
    match kept.unwrap_or(0) {
        0 if resized && !old.is_empty() => {
            let back = (1..new.len()).find(|at| {
                let below = new.get(*at..).unwrap_or_default();
                // What was half a line is whole again.
                let grown = |(at, (old, new)): (usize, (&String, &String))| {
                    old == new || (at == 0 && !old.is_empty() && new.ends_with(old.as_str()))
                };
                old.len() <= below.len() && old.iter().zip(below).enumerate().all(grown)
            });
            back.map_or(0, |at| at + old.len())
        }
        kept => kept,
    }
}
