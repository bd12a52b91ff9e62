//! Looks for a text in what a recording showed: in lines as a person read them, never in escape sequences.
//!
//! It takes a recording line by line and holds no more of it than a screen and its history, however long it is.

use regex::Regex;

use super::Emulator;
use super::cast::{CastError, EventKind, Reading};
use super::film::PIECE;
use super::screen::Size;

/// How long output is gathered before it is looked at, in milliseconds of the recording: the times of what is found are as
/// exact as that.
const GATHER: u64 = 900;

/// How much of a line is kept, in characters.
const LINE: usize = 1_000;

/// A line that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// When it appeared, in milliseconds from the start.
    pub at: u64,
    /// The line, without control characters.
    pub line: String,
}

/// Looks through one recording.
#[derive(Debug)]
pub struct Finder {
    wanted: Regex,
    reading: Reading,
    emulator: Option<Emulator>,
    /// Output that waits to be looked at, and when its first piece came.
    gathered: String,
    since: u64,
    /// Lines that match and are in view: they may still grow.
    followed: Vec<Hit>,
    found: Vec<Hit>,
}

impl Finder {
    /// Looks for `wanted`.
    pub fn new(wanted: Regex) -> Self {
        Self {
            wanted,
            reading: Reading::default(),
            emulator: None,
            gathered: String::new(),
            since: 0,
            followed: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Takes the next line of the file; what was found so far can be taken.
    ///
    /// # Errors
    /// It is no recording.
    pub fn line(&mut self, line: &str) -> Result<(), CastError> {
        let event = self.reading.line(line)?;
        if self.emulator.is_none()
            && let Some(header) = self.reading.header()
        {
            self.emulator = Some(Emulator::new(Size::new(header.width, header.height)));
        }
        let Some(event) = event else {
            return Ok(());
        };
        match event.kind {
            EventKind::Output(output) => {
                if self.gathered.is_empty() {
                    self.since = event.at;
                } else if event.at.saturating_sub(self.since) > GATHER {
                    self.look();
                    self.since = event.at;
                }
                self.gathered.push_str(&output);
                if self.gathered.len() >= PIECE {
                    self.look();
                }
            }
            EventKind::Resize(size) => {
                self.look();
                if let Some(emulator) = &mut self.emulator {
                    emulator.resize(size);
                }
            }
            EventKind::Input(_) | EventKind::Marker(_) => {}
        }
        Ok(())
    }

    /// What was found and is settled, in the order in which it left the screen. Taking empties it.
    pub fn take(&mut self) -> Vec<Hit> {
        std::mem::take(&mut self.found)
    }

    /// Everything else that was found.
    pub fn finish(mut self) -> Vec<Hit> {
        self.look();
        if let Some(emulator) = &mut self.emulator
            && emulator.sync_deadline().is_some()
        {
            emulator.stop_sync();
            let view = View::of(emulator);
            self.compare(&view);
        }
        self.found.append(&mut self.followed);
        self.found
    }

    fn look(&mut self) {
        let gathered = std::mem::take(&mut self.gathered);
        for piece in gathered.as_bytes().chunks(PIECE) {
            let Some(emulator) = &mut self.emulator else {
                return;
            };
            emulator.feed(piece);
            drop(emulator.take_replies());
            drop(emulator.take_notices());
            let view = View::of(emulator);
            let shows = self.wanted.is_match(&view.past) || self.wanted.is_match(&view.screen);
            if shows || !self.followed.is_empty() {
                self.compare(&view);
            }
        }
    }

    /// Compares the lines that match now with those that did before: what is gone is settled, what is new is followed as
    /// long as it is on the screen.
    fn compare(&mut self, view: &View) {
        let mut before = std::mem::take(&mut self.followed);
        for (on_screen, text) in [(false, &view.past), (true, &view.screen)] {
            for line in text.lines().filter(|line| self.wanted.is_match(line)) {
                let line: String = line.trim().chars().take(LINE).collect();
                let hit = known(&mut before, line, self.since);
                if on_screen {
                    self.followed.push(hit);
                } else {
                    self.found.push(hit);
                }
            }
        }
        self.found.append(&mut before);
    }
}

/// The hit that a line is: one that was there before, or a new one. A line that is being typed grows, and one that is edited
/// shrinks.
fn known(before: &mut Vec<Hit>, line: String, now: u64) -> Hit {
    let same = before
        .iter()
        .position(|hit| line.starts_with(&hit.line) || hit.line.starts_with(&line));
    match same {
        Some(index) => {
            let hit = before.remove(index);
            let longer = line.len() > hit.line.len();
            Hit {
                at: hit.at,
                line: if longer { line } else { hit.line },
            }
        }
        None => Hit { at: now, line },
    }
}

/// What there is to see.
struct View {
    /// Lines that scrolled off the screen since the last look.
    past: String,
    /// The lines on the screen.
    screen: String,
}

impl View {
    fn of(emulator: &mut Emulator) -> Self {
        let mut past = emulator.take_history();
        // A line that goes on at the top of the screen has no line feed, and belongs to the screen.
        let whole = past.rfind('\n').map_or(0, |at| at + 1);
        let mut screen = past.split_off(whole);
        screen.push_str(&emulator.text());
        Self { past, screen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::film::pattern;

    fn find(wanted: &str, events: &[(f64, &str)]) -> Vec<(u64, String)> {
        let mut finder = Finder::new(pattern(wanted, false).expect("a pattern"));
        let mut found = Vec::new();
        finder
            .line("{\"version\": 2, \"width\": 20, \"height\": 4}\n")
            .expect("a header");
        for (at, output) in events {
            let line = format!("[{at}, \"o\", {}]\n", serde_json::Value::from(*output));
            finder.line(&line).expect("an event");
            found.extend(finder.take());
        }
        found.extend(finder.finish());
        found.into_iter().map(|hit| (hit.at, hit.line)).collect()
    }

    #[test]
    fn lines_are_found_as_they_were_read() {
        let hit = |at, line: &str| (at, line.to_owned());
        // Colours do not tear a word, and neither does the edge of the screen.
        assert_eq!(
            find(
                "error",
                &[(1.0, "an \u{1b}[31mer\u{1b}[1mror\u{1b}[0m\r\n")]
            ),
            [hit(1_000, "an error")]
        );
        assert_eq!(
            find("twenty", &[(1.0, "0123456789012345 twenty one\r\n")]),
            [hit(1_000, "0123456789012345 twenty one")]
        );
        // A line that is typed is one line, from when it began to match; echoing it again is another.
        let typed = [
            (1.0, "$ d"),
            (2.0, "f"),
            (3.0, " -h"),
            (4.0, "\r\nFull\r\n$ df"),
        ];
        assert_eq!(
            find("df", &typed),
            [hit(2_000, "$ df -h"), hit(4_000, "$ df")]
        );
        // It is told once, however long it stays or is drawn again.
        let top = "\u{1b}[Hload average 3\u{1b}[K";
        assert_eq!(
            find("load", &[(1.0, top), (3.0, top), (5.0, top)]),
            [hit(1_000, "load average 3")]
        );
        // What only the raw bytes have is not found.
        assert!(find("31m", &[(1.0, "\u{1b}[31mred")]).is_empty());
        // The same line again and again is as many lines.
        let many: String = "same\r\n".repeat(1_000);
        assert_eq!(find("same", &[(1.0, &many)]).len(), 1_000);
    }

    #[test]
    fn what_is_no_recording_is_refused() {
        let mut finder = Finder::new(pattern("x", false).expect("a pattern"));
        assert!(finder.line("hello\n").is_err());
    }
}
