//! Looks for patterns in what a program writes: in whole lines as they are completed, in a line that is still being
//! written when the program pauses, and on the rows that changed while a full-screen program draws.
//!
//! Regular expressions take linear time and lines are cut at [`LINE`], so a flood costs no more than reading it once more.

use std::collections::VecDeque;
use std::sync::Arc;

use regex::{RegexSet, RegexSetBuilder};

use super::screen::{Row, Screen};

/// How much of a line is looked at, in bytes; the rest of it is not.
pub const LINE: usize = 4 * 1024;

/// How many watchers a pane has at most; a further one is refused.
pub const WATCHERS: usize = 32;

/// How many patterns a watcher has at most.
pub const PATTERNS: usize = 32;

/// How large the compiled patterns of a watcher may become, in bytes.
const COMPILED: usize = 1024 * 1024;

/// How many rows are remembered that matched on the alternate screen, so that each is told once while it stays.
const ROWS: usize = 64;

/// Patterns that were understood.
#[derive(Clone, Debug)]
pub struct Patterns(RegexSet);

impl Patterns {
    /// Reads regular expressions as the `regex` crate does.
    ///
    /// # Errors
    /// Says in one line what is wrong with the first that cannot be understood.
    pub fn new(patterns: &[String]) -> Result<Self, String> {
        if patterns.is_empty() || patterns.iter().any(String::is_empty) {
            return Err("an empty pattern would match everything".to_owned());
        }
        if patterns.len() > PATTERNS {
            return Err(format!(
                "at most {PATTERNS} patterns are watched for at once"
            ));
        }
        RegexSetBuilder::new(patterns)
            .size_limit(COMPILED)
            .build()
            .map(Self)
            .map_err(|why| reason(&why))
    }

    /// Whether one of them is in `line`.
    pub fn are_in(&self, line: &str) -> bool {
        self.0.is_match(line)
    }
}

/// The last line of what the library says, which is the reason without its drawing.
fn reason(why: &regex::Error) -> String {
    let text = why.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

/// Everybody who watches one pane, and the line that is being written.
#[derive(Debug, Default)]
pub struct Watches {
    watchers: Vec<Watcher>,
    lines: Lines,
    /// The rows of the alternate screen as they were last looked at.
    seen: Vec<Arc<Row>>,
}

#[derive(Debug)]
struct Watcher {
    id: u64,
    patterns: Patterns,
    /// The line that is being written matched already.
    told: bool,
    /// Rows of the alternate screen that matched and were told, oldest first; at most [`ROWS`].
    rows: VecDeque<String>,
}

/// A line that a watcher waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whose.
    pub id: u64,
    /// The line: no control characters, at most [`LINE`] bytes.
    pub line: String,
}

impl Watches {
    /// Whether nobody watches.
    pub fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    /// Adds a watcher; one of the same id is replaced. With a `screen`, what is on it already counts; else only what comes.
    ///
    /// # Errors
    /// There are [`WATCHERS`] already.
    pub fn add(
        &mut self,
        id: u64,
        patterns: Patterns,
        screen: Option<&Screen>,
    ) -> Result<Option<Found>, String> {
        self.remove(id);
        if self.watchers.len() >= WATCHERS {
            return Err(format!("{WATCHERS} watchers are on this session already"));
        }
        let found = screen.and_then(|screen| {
            let mut lines = logical(screen).into_iter();
            let line = lines.find(|line| patterns.are_in(line))?;
            Some(Found { id, line })
        });
        // What was typed before nobody watched is half a line.
        if self.watchers.is_empty() {
            self.lines = Lines::default();
        }
        self.watchers.push(Watcher {
            id,
            patterns,
            told: false,
            rows: VecDeque::new(),
        });
        Ok(found)
    }

    /// Takes a watcher away.
    pub fn remove(&mut self, id: u64) {
        self.watchers.retain(|watcher| watcher.id != id);
    }

    /// Looks at bytes that the program wrote. On the alternate screen lines mean nothing; see [`Watches::shown`].
    pub fn feed(&mut self, bytes: &[u8], alt_screen: bool) -> Vec<Found> {
        let mut found = Vec::new();
        if self.watchers.is_empty() || alt_screen {
            self.lines = Lines::default();
            return found;
        }
        let watchers = &mut self.watchers;
        self.lines.feed(bytes, |line| {
            for watcher in watchers.iter_mut() {
                let told = std::mem::take(&mut watcher.told);
                if !told && watcher.patterns.are_in(line) {
                    found.push(Found {
                        id: watcher.id,
                        line: line.to_owned(),
                    });
                }
            }
        });
        found
    }

    /// Looks at a screen as it is shown: at the line that is still being written, or at the rows that changed if a
    /// full-screen program draws. A question with the cursor behind it is no whole line and must be found too.
    pub fn shown(&mut self, screen: &Screen) -> Vec<Found> {
        if self.watchers.is_empty() {
            return Vec::new();
        }
        if screen.modes.alt_screen {
            return self.redrawn(screen);
        }
        self.seen.clear();
        let line = self.lines.text();
        let mut found = Vec::new();
        for watcher in &mut self.watchers {
            watcher.rows.clear();
            if !line.is_empty() && !watcher.told && watcher.patterns.are_in(&line) {
                watcher.told = true;
                found.push(Found {
                    id: watcher.id,
                    line: line.clone(),
                });
            }
        }
        found
    }

    fn redrawn(&mut self, screen: &Screen) -> Vec<Found> {
        let mut found = Vec::new();
        let same =
            |at: usize, row: &Arc<Row>| self.seen.get(at).is_some_and(|old| Arc::ptr_eq(old, row));
        let changed: Vec<String> = screen
            .rows
            .iter()
            .enumerate()
            .filter(|(at, row)| !same(*at, row))
            .map(|(_, row)| row.text())
            .filter(|text| !text.is_empty())
            .collect();
        for watcher in &mut self.watchers {
            for text in &changed {
                if !watcher.patterns.are_in(text) || watcher.rows.contains(text) {
                    continue;
                }
                if watcher.rows.len() >= ROWS {
                    watcher.rows.pop_front();
                }
                watcher.rows.push_back(text.clone());
                found.push(Found {
                    id: watcher.id,
                    line: text.clone(),
                });
            }
        }
        self.seen.clone_from(&screen.rows);
        found
    }
}

/// The lines of a screen, those that go on in the next row put together.
fn logical(screen: &Screen) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for row in &screen.rows {
        open.push_str(&row.text());
        if !row.wrapped {
            lines.push(std::mem::take(&mut open));
        }
    }
    lines.push(open);
    lines
}

/// Where in the stream we are, as far as text must be told from control sequences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    /// After an intermediate byte of an escape: one more ends it.
    Charset,
    Csi,
    /// A string that ends with BEL or ST.
    Command,
    /// An escape within it.
    CommandEscape,
}

/// Makes lines of bytes, without control sequences. A return begins the line anew, as a progress bar does.
#[derive(Debug, Default)]
struct Lines {
    state: State,
    line: Vec<u8>,
    /// A return came: what follows, unless it is a line feed, overwrites.
    returned: bool,
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.line).into_owned()
    }

    fn feed(&mut self, bytes: &[u8], mut whole: impl FnMut(&str)) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Text, 0x1b) => State::Escape,
                (State::Text, _) => {
                    self.text_byte(byte, &mut whole);
                    State::Text
                }
                (State::Escape, b'[') => State::Csi,
                (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::Command,
                (State::Escape, b' '..=b'/') => State::Charset,
                (State::Escape, 0x1b) => State::Escape,
                (State::Escape | State::Charset, _) => State::Text,
                (State::Csi, 0x1b) => State::Escape,
                // CAN and SUB break a sequence off; a final byte ends it.
                (State::Csi, 0x18 | 0x1a | 0x40..=0x7e) => State::Text,
                (State::Csi, _) => State::Csi,
                (State::Command | State::CommandEscape, 0x07 | 0x18 | 0x1a) => State::Text,
                (State::Command, 0x1b) => State::CommandEscape,
                (State::Command, _) => State::Command,
                (State::CommandEscape, b'\\') => State::Text,
                (State::CommandEscape, b'[') => State::Csi,
                (State::CommandEscape, _) => State::Text,
            };
        }
    }

    fn text_byte(&mut self, byte: u8, whole: &mut impl FnMut(&str)) {
        match byte {
            b'\n' => {
                whole(&String::from_utf8_lossy(&self.line));
                self.line.clear();
                self.returned = false;
            }
            b'\r' => self.returned = true,
            0x08 => {
                // What a shell does when a letter is rubbed out.
                while let Some(last) = self.line.pop() {
                    if last & 0xc0 != 0x80 {
                        break;
                    }
                }
            }
            0..=0x1f | 0x7f if byte != b'\t' => {}
            _ => {
                if std::mem::take(&mut self.returned) {
                    self.line.clear();
                }
                if self.line.len() < LINE {
                    self.line.push(if byte == b'\t' { b' ' } else { byte });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Emulator, Size};

    fn watching(pattern: &str) -> Watches {
        let mut watches = Watches::default();
        let found = watches.add(7, patterns(pattern), None);
        assert_eq!(found, Ok(None));
        watches
    }

    fn patterns(pattern: &str) -> Patterns {
        Patterns::new(&[pattern.to_owned()]).expect("the test's pattern is sound")
    }

    fn lines(found: &[Found]) -> Vec<&str> {
        found.iter().map(|found| found.line.as_str()).collect()
    }

    #[test]
    fn whole_lines_are_looked_at_without_their_colours() {
        for (written, expected) in [
            ("one\r\ntwo ERROR three\r\n", vec!["two ERROR three"]),
            ("\x1b[31mERR\x1b[0mOR\r\n", vec!["ERROR"]),
            ("\x1b]0;ERROR\x07fine\r\n", vec![]),
            ("\x1bPERROR\x1b\\fine\r\n", vec![]),
            (" 10% ERROR\r100% done\r\n", vec!["done"; 0]),
            ("ERROX\x08R\n", vec!["ERROR"]),
            ("\x1b(BERROR\n", vec!["ERROR"]),
            ("ERROR", vec![]),
        ] {
            let mut whole = watching("ERROR");
            assert_eq!(lines(&whole.feed(written.as_bytes(), false)), expected);
            let mut pieces = watching("ERROR");
            let found: Vec<Found> = written
                .as_bytes()
                .chunks(1)
                .flat_map(|byte| pieces.feed(byte, false))
                .collect();
            assert_eq!(lines(&found), expected, "{written:?} byte by byte");
        }
    }

    #[test]
    fn a_question_is_found_before_its_line_ends_and_told_once() {
        let mut emulator = Emulator::new(Size::new(40, 5));
        let mut watches = watching(r"\[y/N\]");
        assert!(watches.feed(b"Proceed? [y/N] ", false).is_empty());
        assert_eq!(
            lines(&watches.shown(&emulator.screen())),
            ["Proceed? [y/N] "]
        );
        assert!(watches.shown(&emulator.screen()).is_empty());
        assert!(watches.feed(b"y\r\n", false).is_empty(), "it was told");
        assert_eq!(lines(&watches.feed(b"[y/N]\n", false)), ["[y/N]"]);
    }

    #[test]
    fn what_is_on_the_screen_counts_if_that_is_wanted() {
        let mut emulator = Emulator::new(Size::new(10, 5));
        emulator.feed(b"a long line ready\r\n$ ");
        let screen = emulator.screen();
        let mut watches = Watches::default();
        let found = watches.add(1, patterns("line ready"), Some(&screen));
        let line = "a long line ready".to_owned();
        assert_eq!(found, Ok(Some(Found { id: 1, line })));
        assert_eq!(watches.add(2, patterns("line ready"), None), Ok(None));
    }

    #[test]
    fn on_the_alternate_screen_rows_that_changed_are_looked_at() {
        let mut emulator = Emulator::new(Size::new(40, 5));
        let mut watches = watching("db1 down");
        emulator.feed(b"\x1b[?1049h\x1b[2;1Hdb1 \x1b[3;1Hup\x1b[2;5Hdown");
        assert!(watches.feed(b"db1 down\n", true).is_empty());
        assert_eq!(lines(&watches.shown(&emulator.screen())), ["db1 down"]);
        emulator.feed(b"\x1b[2J\x1b[2;1Hdb1 down");
        assert!(
            watches.shown(&emulator.screen()).is_empty(),
            "a program that draws the same again says nothing new"
        );
    }

    #[test]
    fn several_watch_one_pane_and_a_long_line_is_bounded() {
        let mut watches = watching("end$");
        assert_eq!(watches.add(8, patterns("x{5}"), None), Ok(None));
        let mut long = vec![b'x'; 100 * LINE];
        long.extend(b"end\n");
        let found = watches.feed(&long, false);
        assert_eq!(found.iter().map(|found| found.id).collect::<Vec<_>>(), [8]);
        assert!(found.iter().all(|found| found.line.len() <= LINE));
        watches.remove(8);
        assert!(watches.feed(b"xxxxxx\n", false).is_empty());
        for id in 100..100 + WATCHERS as u64 - 1 {
            assert_eq!(watches.add(id, patterns("a"), None), Ok(None));
        }
        assert!(watches.add(9, patterns("a"), None).is_err());
    }

    #[test]
    fn a_bad_pattern_is_told_in_one_line() {
        for bad in ["(", "", "a{1000000}"] {
            let why = Patterns::new(&[bad.to_owned()]).expect_err(bad);
            assert!(!why.contains('\n') && !why.is_empty(), "{why}");
        }
    }
}
