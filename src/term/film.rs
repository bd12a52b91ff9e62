//! A recording that is played: read whole, kept small, gone through forwards and backwards.
//!
//! An emulator only goes forwards. To go back, one that waits further back goes on from there; a few of them are parked
//! along the recording while nobody needs the time.

use std::sync::Arc;

use regex::Regex;

use super::cast::{CastError, EventKind, Header, Reading};
use super::{Emulator, Row, Screen, Size};

/// How many emulators wait along a recording. Each may hold a few megabytes.
const PARKED: usize = 8;

/// So little is fed at once when text is looked for that nothing scrolls out of history unseen.
pub(super) const PIECE: usize = 2_000;

/// A recording, ready to be played.
#[derive(Debug, Default)]
pub struct Film {
    /// Its first line.
    pub header: Header,
    /// The last line was cut off, as by a crash or because it is still being written.
    pub truncated: bool,
    /// All that was written, one after the other.
    text: String,
    shots: Vec<Shot>,
    markers: Vec<(u64, String)>,
}

/// One event; outputs are places in the text.
#[derive(Clone, Copy, Debug)]
struct Shot {
    at: u64,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Output { start: u32, len: u32 },
    Resize(Size),
}

impl Film {
    /// Reads a recording.
    ///
    /// # Errors
    /// As [`super::cast::read`].
    pub fn read(text: &str) -> Result<Self, CastError> {
        let mut film = Self::default();
        let mut reading = Reading::default();
        for line in text.split_inclusive('\n') {
            let Some(event) = reading.line(line)? else {
                continue;
            };
            film.add(event.at, event.kind);
        }
        film.header = reading.finish()?;
        film.truncated = reading.truncated;
        film.text.shrink_to_fit();
        Ok(film)
    }

    fn add(&mut self, at: u64, kind: EventKind) {
        let what = match kind {
            EventKind::Output(output) => {
                let start = u32::try_from(self.text.len());
                let len = u32::try_from(output.len());
                // Recordings of four gigabytes are not read whole in the first place.
                let (Ok(start), Ok(len)) = (start, len) else {
                    return;
                };
                self.text.push_str(&output);
                What::Output { start, len }
            }
            EventKind::Resize(size) => What::Resize(size),
            EventKind::Marker(label) => return self.markers.push((at, label)),
            EventKind::Input(_) => return,
        };
        self.shots.push(Shot { at, what });
    }

    /// When the last thing happened, in milliseconds.
    pub fn length(&self) -> u64 {
        let shot = self.shots.last().map_or(0, |shot| shot.at);
        shot.max(self.markers.last().map_or(0, |(at, _)| *at))
    }

    /// The markers, in order: when, and what they say.
    pub fn markers(&self) -> &[(u64, String)] {
        &self.markers
    }

    /// How many bytes were written in it.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    fn start_size(&self) -> Size {
        Size::new(self.header.width, self.header.height)
    }

    fn output(&self, start: u32, len: u32) -> &str {
        let (start, len) = (start as usize, len as usize);
        self.text.get(start..start + len).unwrap_or_default()
    }
}

/// An emulator at a place of the film.
struct Place {
    emulator: Emulator,
    /// The first event that it has not seen.
    next: usize,
}

impl Place {
    fn start(film: &Film) -> Self {
        Self {
            emulator: Emulator::new(film.start_size()),
            next: 0,
        }
    }

    /// Sees the next event; says how many bytes it had. `None` at the end.
    fn see(&mut self, film: &Film) -> Option<usize> {
        let shot = film.shots.get(self.next)?;
        self.next += 1;
        Some(match shot.what {
            What::Resize(size) => {
                self.emulator.resize(size);
                0
            }
            What::Output { start, len } => {
                self.emulator.feed(film.output(start, len).as_bytes());
                // Nobody reads the answers, the titles and the bells of the past.
                drop(self.emulator.take_replies());
                drop(self.emulator.take_notices());
                len as usize
            }
        })
    }
}

/// Goes through a film.
pub struct Player {
    film: Arc<Film>,
    here: Place,
    /// Where it is, in milliseconds; between two events it is at the time that was asked for.
    at: u64,
    parked: Vec<Place>,
    /// One that is on its way to where it will be parked, and that place.
    walking: Option<(Place, usize)>,
    /// Places that still want an emulator, as numbers of events, the last first.
    wanted: Vec<usize>,
}

impl std::fmt::Debug for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Player")
            .field("at", &self.at)
            .field("next", &self.here.next)
            .field("parked", &self.parked.len())
            .finish_non_exhaustive()
    }
}

impl Player {
    /// At the beginning.
    pub fn new(film: Arc<Film>) -> Self {
        let count = film.shots.len();
        // A short film is gone through from its start faster than anybody can see.
        let wanted = if film.bytes() < 1024 * 1024 {
            Vec::new()
        } else {
            (1..PARKED).map(|part| count * part / PARKED).collect()
        };
        Self {
            here: Place::start(&film),
            film,
            at: 0,
            parked: Vec::new(),
            walking: None,
            wanted,
        }
    }

    /// The film.
    pub fn film(&self) -> &Arc<Film> {
        &self.film
    }

    /// Where it is, in milliseconds.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// When the next thing happens; `None` at the end.
    pub fn next_at(&self) -> Option<u64> {
        self.film.shots.get(self.here.next).map(|shot| shot.at)
    }

    /// What is to be seen.
    pub fn screen(&mut self) -> Arc<Screen> {
        // An update that a program began is shown as far as it came: time stands still here.
        self.here.emulator.screen()
    }

    /// Goes to a time, forwards or backwards.
    pub fn seek(&mut self, to: u64) {
        let to = to.min(self.film.length());
        let target = self.film.shots.partition_point(|shot| shot.at <= to);
        self.go(target);
        self.at = to;
    }

    /// Goes `by` outputs on, or back when negative.
    pub fn step(&mut self, by: i64) {
        let shots = &self.film.shots;
        let is_output = |shot: &Shot| matches!(shot.what, What::Output { .. });
        let mut target = self.here.next;
        for _ in 0..by.unsigned_abs() {
            if by > 0 {
                let ahead = shots.get(target..).unwrap_or_default();
                match ahead.iter().position(is_output) {
                    Some(more) => target += more + 1,
                    None => target = shots.len(),
                }
            } else {
                // The picture before the last output: everything up to it, and not it.
                let behind = shots.get(..target).unwrap_or_default();
                target = behind.iter().rposition(is_output).unwrap_or(0);
            }
        }
        self.go(target);
        let seen = target
            .checked_sub(1)
            .and_then(|last| self.film.shots.get(last));
        self.at = seen.map_or(0, |shot| shot.at);
    }

    /// Goes to where all was written that lies further back than the last `lines` of the whole film. Lines are counted from the
    /// end, because a recording need not have begun with its session.
    pub fn before_last(&mut self, lines: u64) {
        let mut place = Place::start(&self.film);
        // The event after which the cursor was in a line, where that is another line than after the event before.
        let mut steps: Vec<(usize, u64)> = Vec::new();
        while place.see(&self.film).is_some() {
            let line = place.emulator.line_of_cursor();
            if let Some(line) =
                line.filter(|line| steps.last().is_none_or(|(_, last)| last != line))
            {
                steps.push((place.next, line));
            }
        }
        let target = place.emulator.line_count().saturating_sub(lines);
        let beyond = steps.iter().position(|(_, line)| *line > target);
        // What a flood wrote at once may reach far beyond it; then what was there before is shown.
        let next = beyond
            .and_then(|at| steps.get(at))
            .map_or(self.film.shots.len(), |(next, _)| next.saturating_sub(1));
        self.go(next);
        let seen = next
            .checked_sub(1)
            .and_then(|last| self.film.shots.get(last));
        self.at = seen.map_or(0, |shot| shot.at);
    }

    /// Goes on until a row appears with what is looked for, which was not there before; false leaves everything as it was.
    pub fn find(&mut self, wanted: &Regex) -> bool {
        let (before, at) = (self.here.next, self.at);
        let mut known = matching(&self.screen().rows, wanted);
        let mut last: Option<Arc<Screen>> = None;
        while self.here.see(&self.film).is_some() {
            let screen = self.here.emulator.screen();
            let same = last.as_ref().is_some_and(|last| Arc::ptr_eq(last, &screen));
            if same {
                continue;
            }
            let now = matching(&screen.rows, wanted);
            if now.iter().any(|row| !known.contains(row)) {
                let seen = self.here.next.checked_sub(1);
                let shot = seen.and_then(|seen| self.film.shots.get(seen));
                self.at = shot.map_or(at, |shot| shot.at);
                return true;
            }
            known = now;
            last = Some(screen);
        }
        self.go(before);
        self.at = at;
        false
    }

    /// Brings an emulator a little nearer to where it is to wait, about `bytes` of the film; false when all wait.
    pub fn prepare(&mut self, bytes: usize) -> bool {
        let mut left = bytes;
        while left > 0 {
            if self.walking.is_none() {
                let Some(target) = self.wanted.pop() else {
                    return false;
                };
                self.walking = Some((Place::start(&self.film), target));
            }
            let Some((place, target)) = &mut self.walking else {
                return false;
            };
            if place.next >= *target {
                self.parked
                    .extend(self.walking.take().map(|(place, _)| place));
                continue;
            }
            // Events cost something even when they are empty.
            left = left.saturating_sub(place.see(&self.film).unwrap_or(0) + 64);
        }
        true
    }

    /// Goes to where `target` is the next event, from the nearest place before it.
    fn go(&mut self, target: usize) {
        let best = self
            .parked
            .iter()
            .enumerate()
            .filter(|(_, place)| place.next <= target)
            .max_by_key(|(_, place)| place.next)
            .map(|(index, place)| (index, place.next));
        let here = (self.here.next <= target).then_some(self.here.next);
        match (here, best) {
            (Some(here), Some((index, parked))) if parked > here => self.change(Some(index)),
            (Some(_), _) => {}
            (None, Some((index, _))) => self.change(Some(index)),
            (None, None) => self.change(None),
        }
        while self.here.next < target && self.here.see(&self.film).is_some() {}
    }

    /// Goes on from a parked place, or from the start. Where it was becomes a place to come back to, and what was parked is
    /// parked again when there is time.
    fn change(&mut self, parked: Option<usize>) {
        let place = match parked {
            Some(index) => {
                let place = self.parked.swap_remove(index);
                if self.film.bytes() >= 1024 * 1024 && place.next > 0 {
                    self.wanted.push(place.next);
                }
                place
            }
            None => Place::start(&self.film),
        };
        let left = std::mem::replace(&mut self.here, place);
        if self.parked.len() + self.wanted.len() < 2 * PARKED && left.next > 0 {
            self.parked.push(left);
        }
    }
}

/// The rows with what is looked for.
fn matching(rows: &[Arc<Row>], wanted: &Regex) -> Vec<String> {
    rows.iter()
        .map(|row| row.text())
        .filter(|text| wanted.is_match(text))
        .collect()
}

/// What people mean by a text: capital letters count only if there are any.
///
/// # Errors
/// Says in one line what is wrong with a regular expression.
pub fn pattern(wanted: &str, regex: bool) -> Result<Regex, String> {
    let text = if regex {
        wanted.to_owned()
    } else {
        regex::escape(wanted)
    };
    if wanted.is_empty() {
        return Err("nothing is looked for; give a text".to_owned());
    }
    regex::RegexBuilder::new(&text)
        .case_insensitive(!regex && !wanted.chars().any(char::is_uppercase))
        .size_limit(1024 * 1024)
        .build()
        .map_err(|why| {
            let why = why.to_string();
            let last = why.lines().last().unwrap_or_default();
            let last = last.trim_start_matches("error: ");
            format!("{wanted:?} is no regular expression: {last}")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film() -> Arc<Film> {
        let mut text = "{\"version\": 2, \"width\": 20, \"height\": 5}\n".to_owned();
        for line in 0..100 {
            text.push_str(&format!("[{line}.5, \"o\", \"line {line}\\r\\n\"]\n"));
            if line % 10 == 0 {
                text.push_str(&format!("[{line}.6, \"m\", \"mark {line}\"]\n"));
            }
        }
        text.push_str("[100, \"r\", \"30x6\"]\n");
        Arc::new(Film::read(&text).expect("it is a recording"))
    }

    fn shown(player: &mut Player) -> String {
        player.screen().text()
    }

    #[test]
    fn every_place_looks_the_same_from_both_sides() {
        let film = film();
        assert_eq!(film.length(), 100_000);
        assert_eq!(film.markers().len(), 10);
        let mut player = Player::new(Arc::clone(&film));
        for to in [0, 500, 7_000, 99_999, 100_000, 42_000, 41_500, 3_000, 0] {
            player.seek(to);
            let mut fresh = Player::new(Arc::clone(&film));
            fresh.seek(to);
            assert_eq!(shown(&mut player), shown(&mut fresh), "{to}");
            assert_eq!(player.at(), to);
        }
        player.seek(100_000);
        assert_eq!(player.screen().size, Size::new(30, 6));
        assert_eq!(player.next_at(), None);
    }

    #[test]
    fn it_stands_where_the_last_lines_begin() {
        let mut player = Player::new(film());
        for (lines, last) in [(40, "line 60"), (10, "line 90"), (100, "line 0"), (500, "")] {
            player.before_last(lines);
            let screen = shown(&mut player);
            assert_eq!(screen.lines().last().unwrap_or_default(), last, "{lines}");
        }
        // What was left out at the beginning changes no place, because it is counted from the end.
        let mut text = "{\"version\": 2, \"width\": 20, \"height\": 5}\n".to_owned();
        for line in 50..100 {
            text.push_str(&format!("[{line}.5, \"o\", \"line {line}\\r\\n\"]\n"));
        }
        let film = Arc::new(Film::read(&text).expect("it is a recording"));
        let mut player = Player::new(film);
        player.before_last(40);
        assert_eq!(shown(&mut player).lines().last(), Some("line 60"));
    }

    #[test]
    fn steps_go_one_output_at_a_time() {
        let mut player = Player::new(film());
        player.step(1);
        assert_eq!((shown(&mut player).as_str(), player.at()), ("line 0", 500));
        player.step(2);
        assert_eq!(shown(&mut player), "line 0\nline 1\nline 2");
        player.step(-1);
        assert_eq!(
            (shown(&mut player).as_str(), player.at()),
            ("line 0\nline 1", 1_500)
        );
        player.step(-9);
        assert_eq!((shown(&mut player).as_str(), player.at()), ("", 0));
        player.step(1_000);
        assert_eq!(player.next_at(), None);
    }

    #[test]
    fn a_text_is_found_when_it_appears_and_not_while_it_stays() {
        let mut player = Player::new(film());
        let wanted = pattern("LINE 7", false).expect("a pattern");
        assert!(!player.find(&wanted), "capital letters count");
        assert_eq!(player.at(), 0);
        let wanted = pattern("line 7", false).expect("a pattern");
        assert!(player.find(&wanted));
        assert_eq!(player.at(), 7_500);
        assert!(player.find(&wanted));
        assert_eq!(player.at(), 70_500, "the next is line 70");
        assert!(pattern("(", true).is_err_and(|why| why.contains("no regular expression")));
    }

    #[test]
    fn what_waits_along_the_way_changes_nothing() {
        let film = film();
        let mut player = Player::new(Arc::clone(&film));
        player.wanted = vec![20, 50, 80];
        while player.prepare(100) {}
        assert_eq!(player.parked.len(), 3);
        for to in [90_000, 55_000, 10_000, 85_000, 84_000] {
            player.seek(to);
            let mut fresh = Player::new(Arc::clone(&film));
            fresh.seek(to);
            assert_eq!(shown(&mut player), shown(&mut fresh), "{to}");
        }
        assert!(player.parked.len() < 2 * PARKED);
    }
}
