//! Typed characters on the screen before a far host has echoed them. Pure: it is handed keys, screens, acknowledgements and
//! the time.
//!
//! Every guess belongs to an epoch. Guesses of an epoch are only shown once the host has echoed one of them; Enter, control
//! keys and output that no key explains begin a new epoch. So where nothing is echoed nothing is ever shown. A guess is
//! judged when the host is known to have read its key and has had time to answer: a wrong one takes all others with it.

mod line;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthChar;

pub(super) use line::asks_for_secret;

use super::screen::{Cell, Glyph, Mouse, Row, Screen, Style};
use crate::domain::key::{Key, KeyCode};

/// From this round trip on guesses are shown, and below the other not any more.
const SHOW: Duration = Duration::from_millis(60);
const HIDE: Duration = Duration::from_millis(40);

/// How long a program may take to answer a key that its host has read.
const LATE: Duration = Duration::from_millis(50);

/// A guess that waits for longer has guesses shown whatever the round trip was.
const STUCK: Duration = Duration::from_millis(250);

/// Steps of the cursor that are remembered; with more keys on their way nothing is guessed.
const STEPS: usize = 256;

/// When guesses are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// When the round trip is long enough to be felt.
    #[default]
    Far,
    /// Always.
    Always,
    /// Never; nothing is guessed either.
    Never,
}

/// What is being done, for those who want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is switched off.
    Off,
    /// The host is near: guesses are made and not shown.
    Near,
    /// What is typed is not guessed now: a full-screen program, a password, or keys whose effect nobody knows.
    Blind,
    /// Guesses are made; the host has yet to echo the first of them.
    Tentative,
    /// Guesses are shown.
    Shown,
}

/// A key, as far as its effect on a line can be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A character of one column.
    Char(char),
    /// The character before the cursor goes.
    Backspace,
    /// The cursor goes left.
    Left,
    /// The cursor goes right.
    Right,
    /// The line is given.
    Enter,
    /// Anything else.
    Other,
}

impl Typed {
    /// What a key does to a line.
    pub fn of(key: Key) -> Self {
        if key.ctrl || key.alt {
            return Self::Other;
        }
        match key.code {
            KeyCode::Char(c) if c.width() == Some(1) => Self::Char(c),
            KeyCode::Enter => Self::Enter,
            KeyCode::Backspace if !key.shift => Self::Backspace,
            KeyCode::Left if !key.shift => Self::Left,
            KeyCode::Right if !key.shift => Self::Right,
            _ => Self::Other,
        }
    }
}

/// What a cell will hold.
#[derive(Clone, Copy, Debug)]
struct Guess {
    /// `None` is not known, only that it will be something else.
    text: Option<Glyph>,
    style: Style,
    /// What was there.
    original: Cell,
    epoch: u64,
    seq: u64,
    at: Instant,
}

/// Where the cursor is after a key.
#[derive(Clone, Copy, Debug)]
struct Step {
    seq: u64,
    epoch: u64,
    place: (u16, u16),
}

/// What surrounds a line: where it is, the text before it and the row above.
#[derive(Debug)]
struct Around {
    place: (u16, u16),
    before: String,
    above: Option<Arc<Row>>,
}

/// Guesses for one pane.
#[derive(Debug)]
pub struct Predictor {
    when: When,
    epoch: u64,
    /// The latest epoch of which the host echoed something.
    confirmed: u64,
    /// The number of the last key, and of the last that the host has surely answered.
    seq: u64,
    acked: u64,
    /// The host has read keys up to these numbers; it has had time to answer then.
    read: VecDeque<(u64, Instant)>,
    guesses: BTreeMap<(u16, u16), Guess>,
    /// Where the cursor is after each key that is on its way, the last one last.
    steps: VecDeque<Step>,
    /// Nothing is guessed until no key is on its way.
    blind: bool,
    /// A secret is asked for: nothing is guessed until Enter.
    secret: bool,
    /// Where the line begins that is typed into, if that is known.
    floor: Option<(u16, u16)>,
    /// A key of unknown effect was pressed on this line, so that it may begin anywhere.
    edited: bool,
    /// What surrounds the line where guessing began; when that is something else, the line has moved.
    around: Option<Around>,
    /// The cursor and what stood before it when the last key was answered: when they are others now, something else was
    /// written, and nobody knows whether keys are still echoed.
    settled: Option<((u16, u16), String)>,
    round_trip: Option<Duration>,
    far: bool,
}

impl Predictor {
    /// No guesses; epochs count from here.
    pub fn new(when: When) -> Self {
        Self {
            when,
            epoch: 1,
            confirmed: 0,
            seq: 0,
            acked: 0,
            read: VecDeque::new(),
            guesses: BTreeMap::new(),
            steps: VecDeque::new(),
            blind: false,
            secret: false,
            floor: None,
            edited: false,
            around: None,
            settled: None,
            round_trip: None,
            far: false,
        }
    }

    /// A key goes to the host, on a line that now looks like this. `seq` counts keys up by one; where one is missing, nothing
    /// that is on its way is guessed.
    pub fn typed(&mut self, seq: u64, typed: Typed, screen: &Screen, now: Instant) {
        let missing = seq != self.seq + 1;
        if self.when == When::Never {
            self.seq = seq;
            return;
        }
        // What is due is judged as if the key were not there yet: it may settle the line that the key goes on with.
        self.judge(screen, now);
        let quiet = self.acked >= self.seq;
        self.seq = seq;
        if missing || !line::is_open(screen) {
            return self.forget();
        }
        if line::asks_for_secret(screen) {
            self.forget();
            self.secret = true;
        }
        if self.secret {
            self.secret = typed != Typed::Enter;
            return;
        }
        if self.blind && !quiet {
            return;
        }
        let place = match self.steps.back() {
            Some(step) if !self.blind => Some(step.place),
            _ if quiet => self.start(screen),
            _ => None,
        };
        let Some(place) = place.filter(|_| self.steps.len() < STEPS) else {
            return self.lose_track();
        };
        self.blind = false;
        let after = match typed {
            Typed::Char(c) => self.insert(place, c, screen, now),
            Typed::Backspace => self.delete(place, screen, now),
            Typed::Left => self.before(place),
            Typed::Right => self.after(place, screen),
            Typed::Enter | Typed::Other => None,
        };
        match after {
            Some(place) => self.steps.push_back(Step {
                seq,
                epoch: self.epoch,
                place,
            }),
            None => {
                self.edited = typed == Typed::Other || self.edited && typed != Typed::Enter;
                self.lose_track();
            }
        }
    }

    /// The host has read all keys up to this number.
    pub fn acked(&mut self, seq: u64, now: Instant) {
        // The questions are one after the other, so there are few; the newest counts for all before it.
        self.read.truncate(STEPS);
        self.read.push_back((seq, now + LATE));
    }

    /// One round trip took so long.
    pub fn measured(&mut self, took: Duration) {
        let smooth = self.round_trip.map_or(took, |old| (old * 7 + took) / 8);
        self.round_trip = Some(smooth);
        self.far = if self.far {
            smooth >= HIDE
        } else {
            smooth > SHOW
        };
    }

    /// Compares the guesses with what the host wrote.
    pub fn judge(&mut self, screen: &Screen, now: Instant) {
        while let Some((seq, _)) = self.read.front().copied().filter(|(_, due)| *due <= now) {
            self.acked = self.acked.max(seq);
            self.read.pop_front();
        }
        if self.steps.is_empty() && self.guesses.is_empty() {
            return;
        }
        if !line::is_open(screen) || line::asks_for_secret(screen) || self.has_moved(screen) {
            return self.forget();
        }
        let here = screen.cursor;
        // Up to which key the host has surely come: where the cursor is now is where it must be after that one.
        let reached = self
            .steps
            .iter()
            .find(|step| step.seq >= self.acked && Some(step.place) == here)
            .map(|step| step.seq);
        let mut credit = self.confirmed;
        let mut wrong = None;
        self.guesses.retain(|place, guess| {
            let due = guess.seq <= self.acked;
            let early = reached.is_some_and(|reached| guess.seq <= reached);
            let Some(text) = guess.text else {
                return !due;
            };
            let same = line::glyph(screen, *place) == text;
            let changed =
                text != guess.original.text || line::style(screen, *place) != guess.original.style;
            if same && early && changed {
                credit = credit.max(guess.epoch);
            }
            if due && !same {
                wrong = wrong.max(Some(guess.epoch));
            }
            !(due || same && early)
        });
        if let Some(last) = self
            .steps
            .back()
            .copied()
            .filter(|last| last.seq <= self.acked)
        {
            if Some(last.place) != here {
                wrong = wrong.max(Some(last.epoch));
            } else if self.acked >= self.seq {
                self.settled = Some((last.place, line::before(screen, last.place)));
                self.steps.clear();
            }
        }
        let acked = self.acked;
        while self.steps.len() > 1 && self.steps.front().is_some_and(|step| step.seq < acked) {
            self.steps.pop_front();
        }
        if wrong.is_some() {
            // What was shown was wrong, or would have been: nothing that builds on it is kept.
            self.forget();
        } else {
            self.confirmed = credit;
        }
    }

    /// Forgets every guess: the size has changed, or the program that was typed into is not the same any more.
    pub fn forget(&mut self) {
        self.guesses.clear();
        self.settled = None;
        self.lose_track();
    }

    /// Whether there is anything to compare with what the host writes.
    pub fn is_waiting(&self) -> bool {
        !self.guesses.is_empty() || !self.steps.is_empty()
    }

    /// When to judge again, or to show, though nothing comes.
    pub fn due(&self) -> Option<Instant> {
        // Nobody judges where nothing was guessed: an acknowledgement would stay due for ever.
        if !self.is_waiting() {
            return None;
        }
        let read = self.read.front().map(|(_, due)| *due);
        let stuck = self.guesses.values().map(|guess| guess.at + STUCK).min();
        let stuck = stuck.filter(|_| self.when == When::Far && !self.far);
        match (read, stuck) {
            (Some(read), Some(stuck)) => Some(read.min(stuck)),
            (read, stuck) => read.or(stuck),
        }
    }

    /// What is being done.
    pub fn state(&self) -> State {
        match self.when {
            When::Never => State::Off,
            When::Far if !self.far => State::Near,
            _ if self.blind || self.secret => State::Blind,
            _ if self.confirmed < self.epoch => State::Tentative,
            _ => State::Shown,
        }
    }

    /// The screen with the guesses that may be shown over it, underlined; the same screen when there are none.
    pub fn over(&mut self, screen: Arc<Screen>, now: Instant) -> Arc<Screen> {
        let oldest = self.guesses.values().map(|guess| guess.at).min();
        // A line that stalls is slow, whatever it was before; the next round trip decides again.
        self.far |= oldest.is_some_and(|at| now.duration_since(at) >= STUCK);
        let shown = self.when == When::Always || self.when == When::Far && self.far;
        if !shown || self.secret || !self.is_waiting() || !line::is_open(&screen) {
            return screen;
        }
        let mut rows: BTreeMap<u16, Row> = BTreeMap::new();
        for ((row, col), guess) in &self.guesses {
            let known = guess.text.filter(|_| guess.epoch <= self.confirmed);
            let now_there = line::glyph(&screen, (*row, *col));
            // Something was written where the end of the line was: it is not covered.
            let free = !line::is_blank(guess.original.text) || line::is_blank(now_there);
            let (Some(text), true) = (known, free) else {
                continue;
            };
            if let Some(shared) = screen.rows.get(usize::from(*row))
                && now_there != text
            {
                let own = rows.entry(*row).or_insert_with(|| Row::clone(shared));
                if let Some(cell) = own.cells.get_mut(usize::from(*col)) {
                    let style = Style {
                        underline: true,
                        ..guess.style
                    };
                    *cell = Cell { text, style };
                }
            }
        }
        let cursor = self
            .steps
            .back()
            .filter(|step| !self.blind && step.epoch <= self.confirmed)
            .map(|step| step.place);
        if rows.is_empty() && cursor.is_none_or(|cursor| screen.cursor == Some(cursor)) {
            return screen;
        }
        let mut over = Screen::clone(&screen);
        for (row, own) in rows {
            if let Some(shared) = over.rows.get_mut(usize::from(row)) {
                *shared = Arc::new(own);
            }
        }
        over.cursor = cursor.or(over.cursor);
        Arc::new(over)
    }

    /// Nobody knows where the cursor will be: nothing is guessed until the host has answered every key.
    fn lose_track(&mut self) {
        self.epoch += 1;
        self.blind = true;
        self.steps.clear();
    }

    /// Whether the line that is guessed at is not where it was: its program has written something else, or all has scrolled.
    fn has_moved(&self, screen: &Screen) -> bool {
        self.around.as_ref().is_some_and(|around| {
            line::before(screen, around.place) != around.before
                || line::above(screen, around.place) != around.above
        })
    }

    /// Where typing begins, with nothing on its way.
    fn start(&mut self, screen: &Screen) -> Option<(u16, u16)> {
        let place = screen.cursor?;
        let before = line::before(screen, place);
        let known = self.settled.take();
        if known.as_ref().is_none_or(|known| *known != (place, before)) {
            self.epoch += 1;
            self.floor = Some((place.0, if self.edited { 0 } else { place.1 }));
        }
        self.around = Some(Around {
            place,
            before: line::before(screen, place),
            above: line::above(screen, place),
        });
        self.guesses.clear();
        self.steps.clear();
        Some(place)
    }

    fn insert(
        &mut self,
        (row, col): (u16, u16),
        c: char,
        screen: &Screen,
        now: Instant,
    ) -> Option<(u16, u16)> {
        // What happens at the edge differs from program to program.
        if col + 2 >= screen.size.cols {
            return None;
        }
        let end = self.end(row, col, screen);
        let moved: Vec<Option<Glyph>> = (col..end).map(|col| self.text(row, col, screen)).collect();
        let style = match col.checked_sub(1) {
            Some(left) => line::style(screen, (row, left)),
            None => line::style(screen, (row, col)),
        };
        self.put((row, col), Some(Glyph::new(c, &[])), style, screen, now);
        for (index, text) in moved.into_iter().enumerate() {
            let at = col + 1 + u16::try_from(index).ok()?;
            // What is pushed against the edge becomes something that nobody knows.
            let text = text.filter(|_| at + 1 < screen.size.cols);
            if at < screen.size.cols {
                self.put((row, at), text, line::style(screen, (row, at)), screen, now);
            }
        }
        Some((row, col + 1))
    }

    fn delete(&mut self, place: (u16, u16), screen: &Screen, now: Instant) -> Option<(u16, u16)> {
        let (row, col) = self.before(place)?;
        let end = self.end(row, col, screen).max(col + 1);
        for at in col..end {
            let text = if at + 1 < end {
                self.text(row, at + 1, screen)
            } else {
                Some(Glyph::new(' ', &[]))
            };
            self.put((row, at), text, line::style(screen, (row, at)), screen, now);
        }
        Some((row, col))
    }

    /// One to the left, on this row, and not into what was there before the line.
    fn before(&self, (row, col): (u16, u16)) -> Option<(u16, u16)> {
        let col = col.checked_sub(1)?;
        let (line, first) = self.floor?;
        (row == line && col >= first).then_some((row, col))
    }

    /// One to the right, as far as the text goes: beyond it shells take over suggestions.
    fn after(&self, (row, col): (u16, u16), screen: &Screen) -> Option<(u16, u16)> {
        (col < self.end(row, col, screen)).then_some((row, col + 1))
    }

    /// Where the text that goes on at `col` ends: at two blanks, beyond which something else may stand, such as a clock.
    fn end(&self, row: u16, col: u16, screen: &Screen) -> u16 {
        let blank = |at: u16| {
            at >= screen.size.cols || self.text(row, at, screen).is_some_and(line::is_blank)
        };
        (col..screen.size.cols)
            .find(|at| blank(*at) && blank(at + 1))
            .unwrap_or(screen.size.cols)
    }

    /// What a cell will hold as far as that is known.
    fn text(&self, row: u16, col: u16, screen: &Screen) -> Option<Glyph> {
        match self.guesses.get(&(row, col)) {
            Some(guess) => guess.text,
            None => Some(line::glyph(screen, (row, col))),
        }
    }

    fn put(
        &mut self,
        place: (u16, u16),
        text: Option<Glyph>,
        style: Style,
        screen: &Screen,
        now: Instant,
    ) {
        let guess = Guess {
            text,
            style,
            original: line::cell(screen, place),
            epoch: self.epoch,
            seq: self.seq,
            at: now,
        };
        self.guesses.insert(place, guess);
    }
}
