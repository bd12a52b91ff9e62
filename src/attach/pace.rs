//! How fast a terminal takes what is sent to it: measured by questions around each frame, which the terminal answers when it
//! has come so far. The time between the two answers is what the frame took, the time to the first is the distance. Pure:
//! it is handed the time. Says when the next frame may come and how long an Escape may be alone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::protocol::Way;

/// Asks the terminal whether it is well (DSR, `CSI 5 n`): a question without consequences that all of them answer.
const PROBE: &[u8] = b"\x1b[5n";

/// How much may be on its way unanswered, in bytes, however slow the terminal is: so that single keys never wait.
const LEAST: f64 = 1_200.0;

/// The most that may be on its way, in bytes.
const MOST: f64 = 64.0 * 1024.0;

/// For how long what is on its way may keep the terminal busy.
const AHEAD: f64 = 0.1;

/// How long an answer is waited for from a terminal that has never answered.
const FIRST: Duration = Duration::from_secs(1);

/// After so many answers that did not come, a terminal that has never answered is not waited for any more.
const SILENT: u32 = 2;

/// How long an answer is waited for from a terminal that does answer.
const LOST: Duration = Duration::from_secs(5);

/// From this round trip on a terminal is not on this machine, in seconds.
const REMOTE: f64 = 0.010;

/// What a terminal elsewhere gets at most in a second as long as its link was never felt, in bytes.
const UNFELT: f64 = 256.0 * 1024.0;

/// What may be sent at once before a rate counts, in bytes.
const BURST: f64 = 8.0 * 1024.0;

/// The shortest and the longest time that an Escape may be alone.
const ESCAPE: (f64, f64) = (0.025, 0.5);

/// Frames from this size on tell how fast a link is, in bytes.
const TELLING: usize = 256;

/// How many questions are remembered.
const ASKED: usize = 64;

/// A question that is not answered yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    bytes: usize,
    /// It stands between a frame and the question before it.
    follows: bool,
    /// Something else was on its way already.
    behind: bool,
}

/// What holds the next frame back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing.
    Now,
    /// Until then at the latest; an answer may be earlier.
    At(Instant),
}

/// What is known of the way to a terminal.
#[derive(Debug)]
pub(super) struct Pace {
    asked: VecDeque<Asked>,
    /// When the last answer came.
    heard: Option<Instant>,
    /// Smoothed round trip and its variation, in seconds.
    round_trip: Option<f64>,
    variation: f64,
    /// Bytes a second, as far as a link was felt.
    rate: Option<f64>,
    missed: u32,
    /// What the settings allow, in bytes a second.
    limit: Option<u32>,
    /// What may be sent at once, in bytes; below zero the next frame waits.
    credit: f64,
    credited: Instant,
    /// What the settings say about Escape.
    escape: Option<Duration>,
}

impl Pace {
    pub(super) fn new(limit: Option<u32>, escape: Option<Duration>, now: Instant) -> Self {
        Self {
            asked: VecDeque::new(),
            heard: None,
            round_trip: None,
            variation: 0.0,
            rate: None,
            missed: 0,
            limit,
            credit: BURST,
            credited: now,
            escape,
        }
    }

    /// The frame as it goes out, with a question after it, and one before it if it is large enough to tell something.
    pub(super) fn sent(&mut self, frame: Vec<u8>, now: Instant) -> Vec<u8> {
        self.refill(now);
        let mut out = frame;
        let large = out.len() >= TELLING;
        if large {
            out = [PROBE, &out].concat();
            self.ask(PROBE.len(), false, now);
        }
        out.extend_from_slice(PROBE);
        self.ask(out.len(), large, now);
        self.credit -= out.len() as f64;
        out
    }

    fn ask(&mut self, bytes: usize, follows: bool, now: Instant) {
        let behind = !self.asked.is_empty();
        // A terminal that does not answer is asked all the same, and what was asked long ago is forgotten.
        if self.asked.len() >= ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back(Asked {
            at: now,
            bytes,
            follows,
            behind,
        });
    }

    /// The terminal has answered the oldest question.
    pub(super) fn answered(&mut self, now: Instant) {
        self.missed = 0;
        let before = self.heard.replace(now);
        // An answer so late that nobody waited for it says nothing but that there are answers.
        let Some(asked) = self.asked.pop_front() else {
            return;
        };
        if let Some(before) = before.filter(|_| asked.follows) {
            // Less than this is the noise of clocks and schedulers.
            let busy = now.duration_since(before).as_secs_f64().max(0.002);
            let rate = asked.bytes as f64 / busy;
            self.rate = Some(self.rate.map_or(rate, |old| 0.6 * old + 0.4 * rate));
        } else if !asked.behind {
            let took = now.duration_since(asked.at).as_secs_f64();
            let old = self.round_trip.unwrap_or(took);
            self.variation = 0.75 * self.variation + 0.25 * (took - old).abs();
            self.round_trip = Some(0.875 * old + 0.125 * took);
        }
    }

    /// When the next frame may come.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        self.refill(now);
        let wait = match self.asked.front() {
            Some(oldest) if self.waits() && self.on_its_way() > self.ahead() => {
                Some(oldest.at + self.patience())
            }
            _ => None,
        };
        if let Some(until) = wait {
            if until > now {
                return Next::At(until);
            }
            // Whatever became of the answers: what is on its way now is not counted any more.
            self.asked.clear();
            self.missed = self.missed.saturating_add(1);
        }
        match self.budget() {
            Some(rate) if self.credit < 0.0 => {
                Next::At(now + Duration::from_secs_f64((-self.credit / rate).min(60.0)))
            }
            _ => Next::Now,
        }
    }

    /// How long an Escape may be alone: the bytes of one key travel together, so what parts them is the unsteadiness of the
    /// way more than its length.
    pub(super) fn escape(&self) -> Duration {
        self.escape.unwrap_or_else(|| {
            let round_trip = self.round_trip.unwrap_or(0.0);
            let wait = ESCAPE.0 + round_trip / 4.0 + 2.0 * self.variation;
            Duration::from_secs_f64(wait.clamp(ESCAPE.0, ESCAPE.1))
        })
    }

    /// For the app.
    pub(super) fn way(&self) -> Way {
        Way {
            round_trip_us: self.round_trip.map(|time| (time * 1e6) as u32),
            bytes_per_second: self.rate.map(|rate| rate as u32),
        }
    }

    /// Whether answers are on their way from a terminal that gives them.
    pub(super) fn awaits(&self) -> bool {
        self.heard.is_some() && !self.asked.is_empty()
    }

    /// Forgets what is on its way: somebody else had the terminal.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
    }

    fn waits(&self) -> bool {
        self.heard.is_some() || self.missed < SILENT
    }

    fn patience(&self) -> Duration {
        match self.heard {
            Some(_) => LOST,
            None => FIRST,
        }
    }

    fn on_its_way(&self) -> f64 {
        self.asked.iter().map(|asked| asked.bytes as f64).sum()
    }

    /// How much may be on its way.
    fn ahead(&self) -> f64 {
        self.rate
            .map_or(LEAST, |rate| (rate * AHEAD).clamp(LEAST, MOST))
    }

    /// What may be sent in a second.
    fn budget(&self) -> Option<f64> {
        let far = self.round_trip.is_some_and(|time| time >= REMOTE);
        match (self.limit, self.rate) {
            (Some(limit), _) => Some(f64::from(limit)),
            (None, Some(rate)) if far => Some((rate / 2.0).clamp(500.0, UNFELT)),
            (None, None) if far => Some(UNFELT),
            (None, _) => None,
        }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.duration_since(self.credited).as_secs_f64();
        self.credited = now;
        let (credit, most) = match self.budget() {
            Some(rate) => (self.credit + passed * rate, BURST.min(rate)),
            None => (BURST, BURST),
        };
        self.credit = credit.min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of so many bytes a second and this round trip, with a terminal at its end: frames go as soon as they may, for
    /// some seconds. How many there were, and the most that was on its way.
    fn flood(pace: &mut Pace, rate: f64, round_trip: f64, frame: usize) -> (usize, f64) {
        let start = Instant::now();
        let mut answers: VecDeque<Instant> = VecDeque::new();
        let (mut free, mut frames, mut most) = (start, 0, 0.0_f64);
        let travel = |bytes: usize| Duration::from_secs_f64(bytes as f64 / rate);
        for millis in 0..10_000 {
            let now = start + Duration::from_millis(millis);
            while answers.front().is_some_and(|at| *at <= now) {
                answers.pop_front();
                pace.answered(now);
            }
            // The app draws at most so often.
            if millis % 16 == 0 && pace.next(now) == Next::Now {
                let out = pace.sent(vec![0; frame], now);
                frames += 1;
                let far = Duration::from_secs_f64(round_trip);
                free = free.max(now);
                if out.starts_with(PROBE) {
                    answers.push_back(free + travel(PROBE.len()) + far);
                }
                free += travel(out.len());
                answers.push_back(free + far);
                most = most.max(free.duration_since(now).as_secs_f64());
            }
        }
        (frames, most)
    }

    #[test]
    fn a_near_terminal_gets_every_frame() {
        let mut pace = Pace::new(None, None, Instant::now());
        let (frames, _) = flood(&mut pace, 100e6, 0.000_2, 4_000);
        assert!(frames > 600, "{frames} of 625");
        assert!(pace.escape() < Duration::from_millis(30));
    }

    #[test]
    fn a_thin_line_has_little_on_its_way_and_half_of_it_is_left_to_others() {
        let mut pace = Pace::new(None, None, Instant::now());
        let (frames, most) = flood(&mut pace, 8_000.0, 0.3, 2_000);
        // 64 kbit/s carry 40 such frames in ten seconds.
        assert!((8..=28).contains(&frames), "{frames}");
        assert!(most < 0.6, "{most} s of output on the way");
    }

    #[test]
    fn keys_on_a_far_line_do_not_wait_for_each_other() {
        let mut pace = Pace::new(None, None, Instant::now());
        let (frames, _) = flood(&mut pace, 1e6, 0.3, 60);
        // In 300 ms twenty of them are on their way at once.
        assert!(frames > 500, "{frames}");
        let escape = pace.escape();
        assert!(escape >= Duration::from_millis(80) && escape <= Duration::from_millis(500));
    }

    #[test]
    fn a_limit_is_kept_and_a_terminal_that_never_answers_is_not_waited_for() {
        let start = Instant::now();
        let mut pace = Pace::new(Some(1_000), Some(Duration::from_millis(7)), start);
        let (frames, _) = flood(&mut pace, 1e9, 0.0, 500);
        assert!((20..=24).contains(&frames), "{frames}");
        assert_eq!(pace.escape(), Duration::from_millis(7));
        let mut pace = Pace::new(None, None, start);
        let mut frames = 0;
        for millis in 0..4_000 {
            let now = start + Duration::from_millis(millis);
            if pace.next(now) == Next::Now {
                pace.sent(vec![0; 3_000], now);
                frames += 1;
            }
        }
        assert!(frames > 1_000, "{frames}");
        assert_eq!(pace.way(), Way::default());
    }
}
