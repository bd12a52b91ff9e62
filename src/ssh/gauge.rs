//! What a pane's reader counts for those who want to know: a level, read whenever somebody looks.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::ids::SessionId;
use crate::domain::pane::{Guessing, PaneRow};
use crate::term::Screen;
use crate::term::predict::State;

/// How long bytes are counted for one rate.
const SPAN: Duration = Duration::from_secs(1);

/// How many lines stay unpacked when many scrolled away, about.
const UNPACKED: usize = 1_000;

/// What a cell of a line takes in the emulator, in bytes.
const CELL: u64 = 24;

/// The counters of one pane.
#[derive(Debug)]
pub(crate) struct Gauge {
    // A std mutex: held to add numbers, never across an await.
    state: Mutex<Counted>,
}

#[derive(Debug)]
struct Counted {
    total: u64,
    since: Instant,
    span: u64,
    rate: u64,
    memory: u64,
    guessing: Guessing,
}

impl Default for Gauge {
    fn default() -> Self {
        Self {
            state: Mutex::new(Counted {
                total: 0,
                since: Instant::now(),
                span: 0,
                rate: 0,
                memory: 0,
                guessing: Guessing::Off,
            }),
        }
    }
}

impl Gauge {
    /// So many bytes came.
    pub(crate) fn fed(&self, bytes: usize) {
        let mut state = self.lock();
        state.total += bytes as u64;
        state.span += bytes as u64;
        state.settle(Instant::now());
    }

    /// What is shown, how many bytes of older lines are kept packed, and what is guessed.
    pub(crate) fn shown(&self, screen: &Screen, packed: usize, guessing: State) {
        let lines = screen.history.min(UNPACKED) as u64 + u64::from(screen.size.rows);
        let mut state = self.lock();
        state.memory = lines * u64::from(screen.size.cols) * CELL + packed as u64;
        state.guessing = match guessing {
            State::Off => Guessing::Off,
            State::Near => Guessing::Near,
            State::Blind => Guessing::Paused,
            State::Tentative => Guessing::Begun,
            State::Shown => Guessing::Shown,
        };
    }

    /// For people.
    pub(crate) fn row(&self, session: SessionId) -> PaneRow {
        let mut state = self.lock();
        state.settle(Instant::now());
        PaneRow {
            session,
            bytes_in: state.total,
            bytes_per_second: state.rate,
            memory: state.memory,
            guessing: state.guessing,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn settle(&mut self, now: Instant) {
        let passed = now.duration_since(self.since);
        if passed >= SPAN {
            self.rate = (self.span as f64 / passed.as_secs_f64()) as u64;
            self.span = 0;
            self.since = now;
        }
    }
}
