//! The text of a recording with the time before each line, as a log has it. Pure.

use super::Emulator;
use super::cast::{Cast, EventKind, clock};
use super::screen::Size;
use crate::domain::time::Time;

/// The times of lines are as exact as this, in milliseconds: what comes within it is looked at in one go.
const EXACT: u64 = 100;

/// How much output is looked at in one go at most, in bytes: so much makes no more lines than the emulator keeps.
const PIECE: usize = 1_024;

/// What [`super::cast::text`] gives, each line with the time at which it was begun: in UTC, or from the start of a recording
/// that does not say when it was made. Spaces at the end of lines are left out.
pub fn timed_text(cast: &Cast) -> String {
    let mut reader = Reader::new(Size::new(cast.header.width, cast.header.height));
    for event in &cast.events {
        match &event.kind {
            EventKind::Output(output) => {
                if event.at.saturating_sub(reader.since) >= EXACT {
                    reader.look();
                }
                for piece in output.as_bytes().chunks(PIECE) {
                    if reader.gathered + piece.len() > PIECE {
                        reader.look();
                    }
                    reader.feed(piece, event.at);
                }
            }
            EventKind::Resize(size) => {
                reader.look();
                reader.emulator.resize(*size);
            }
            EventKind::Input(_) | EventKind::Marker(_) => {}
        }
    }
    let (text, begun) = reader.finish();
    let stamp = |at: u64| match cast.header.timestamp {
        Some(start) => {
            let at = i64::try_from(at).unwrap_or(i64::MAX);
            Time(start.saturating_mul(1_000).saturating_add(at)).to_string()
        }
        None => clock(at),
    };
    let mut out = String::new();
    let mut last = 0;
    for (number, line) in text.lines().enumerate() {
        last = begun.get(number).copied().unwrap_or(last);
        out.push_str(format!("{}  {line}", stamp(last)).trim_end());
        out.push('\n');
    }
    out
}

/// Replays, and knows when each line was begun.
struct Reader {
    emulator: Emulator,
    /// What has left the screen. It ends in the middle of a line when that goes on at the top of the screen.
    text: String,
    /// How many lines of it are whole.
    whole: usize,
    /// When each line was begun, in milliseconds from the start.
    begun: Vec<u64>,
    /// When the output came that was not looked at yet, and how much it is.
    since: u64,
    gathered: usize,
}

impl Reader {
    fn new(size: Size) -> Self {
        Self {
            emulator: Emulator::new(size),
            text: String::new(),
            whole: 0,
            begun: Vec::new(),
            since: 0,
            gathered: 0,
        }
    }

    fn feed(&mut self, piece: &[u8], at: u64) {
        if self.gathered == 0 {
            self.since = at;
        }
        self.gathered += piece.len();
        self.emulator.feed(piece);
        drop(self.emulator.take_replies());
        drop(self.emulator.take_notices());
    }

    /// Gives the lines that are new since the last look their time.
    fn look(&mut self) {
        self.gathered = 0;
        // What a full-screen program draws are no lines, and those below it wait.
        if self.emulator.modes().alt_screen {
            return;
        }
        let gone = self.emulator.take_history();
        self.whole += gone.matches('\n').count();
        self.text.push_str(&gone);
        let lines = self.whole + self.emulator.text().lines().count();
        // What was wiped away was no line of the text; what is written in its place is begun anew.
        self.begun.resize(lines, self.since);
    }

    fn finish(mut self) -> (String, Vec<u64>) {
        self.emulator.stop_sync();
        let last = self
            .emulator
            .modes()
            .alt_screen
            .then(|| self.emulator.text());
        if last.is_some() {
            self.emulator.feed(b"\x1b[?1049l");
        }
        self.look();
        self.text.push_str(&self.emulator.text());
        if let Some(last) = last.filter(|last| !last.is_empty()) {
            self.text.push('\n');
            self.text.push_str(&last);
        }
        (self.text, self.begun)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::cast::{self, Header};
    use super::*;

    fn cast(timestamp: Option<i64>, events: &[(u64, &str)]) -> Cast {
        let (mut recorder, mut file) = cast::Recorder::new(Header {
            width: 20,
            height: 5,
            timestamp,
            title: None,
            env: BTreeMap::new(),
        });
        for (at, text) in events {
            file.extend(recorder.output(*at, text.as_bytes()));
        }
        cast::read(&file).expect("it was just written")
    }

    #[test]
    fn each_line_has_the_time_at_which_it_was_begun() {
        let events = [
            (0, "$ "),
            (2_000, "ls\r\n"),
            (2_050, "a  b\r\n$ "),
            (65_000, "x\r\n\r\nlast"),
        ];
        assert_eq!(
            timed_text(&cast(None, &events)),
            "0:00  $ ls\n0:02  a  b\n0:02  $ x\n1:05\n1:05  last\n"
        );
        let timed = timed_text(&cast(Some(1_795_428_000), &events));
        let first = timed.lines().next().unwrap_or_default();
        assert_eq!(first, format!("{}  $ ls", Time(1_795_428_000_000)));
    }

    #[test]
    fn what_scrolls_away_and_full_screens_keep_their_times() {
        let mut events: Vec<(u64, String)> = (0..60)
            .map(|number| {
                (
                    number * 1_000,
                    format!("line {number} and so on and so on\r\n"),
                )
            })
            .collect();
        events.push((61_000, "\x1b[?1049hdrawn\x1b[?1049l".to_owned()));
        events.push((70_000, "after".to_owned()));
        let events: Vec<(u64, &str)> = events.iter().map(|(at, text)| (*at, &**text)).collect();
        let recording = cast(None, &events);
        let timed = timed_text(&recording);
        let without: Vec<&str> = timed
            .lines()
            .filter_map(|line| Some(line.split_once("  ")?.1))
            .collect();
        assert_eq!(without.join("\n"), cast::text(&recording).trim_end());
        for (number, line) in timed.lines().take(60).enumerate() {
            let wanted = format!("{}  line {number} ", clock(number as u64 * 1_000));
            assert!(line.starts_with(&wanted), "{line:?} is not {wanted:?}");
        }
        assert!(timed.ends_with("1:10  after\n"), "{timed}");
    }
}
