//! How far a copy is: counted by many, told a few times a second.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::files::{CopyProgress, CopyReport};

/// How often progress is told.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// Over how long the speed is smoothed: half of what was measured this long ago counts.
const HALF: Duration = Duration::from_secs(2);

/// The most words about single files that are kept; further ones are only counted.
const WORDS: usize = 1000;

/// What is counted.
pub(crate) struct Tally {
    // A std mutex: held for arithmetic, never across an await.
    counts: Mutex<Counts>,
    begun: Instant,
}

#[derive(Default)]
struct Counts {
    now: CopyProgress,
    report: CopyReport,
    unsaid: u64,
    speed: Speed,
}

/// Bytes a second, smoothed.
#[derive(Debug, Default)]
struct Speed {
    last: Option<(Instant, u64)>,
    smooth: Option<f64>,
}

impl Speed {
    /// Takes in how many bytes have moved by now, and says how fast.
    fn measure(&mut self, now: Instant, moved: u64) -> u64 {
        let Some((then, before)) = self.last else {
            self.last = Some((now, moved));
            return 0;
        };
        let passed = now.saturating_duration_since(then).as_secs_f64();
        if passed <= 0.0 {
            return self.smooth.unwrap_or(0.0) as u64;
        }
        let fresh = moved.saturating_sub(before) as f64 / passed;
        let kept = 0.5_f64.powf(passed / HALF.as_secs_f64());
        let smooth = match self.smooth {
            None => fresh,
            Some(smooth) => smooth * kept + fresh * (1.0 - kept),
        };
        self.last = Some((now, moved));
        self.smooth = Some(smooth);
        smooth as u64
    }
}

impl Tally {
    pub(crate) fn new() -> Self {
        let mut counts = Counts::default();
        let begun = Instant::now();
        counts.speed.measure(begun, 0);
        Self {
            counts: Mutex::new(counts),
            begun,
        }
    }

    /// One more file is to be copied.
    pub(crate) fn found(&self, bytes: u64) {
        let mut counts = self.lock();
        counts.now.files += 1;
        counts.now.bytes += bytes;
    }

    /// A file's turn has come; `there` bytes of it are there already.
    pub(crate) fn begin(&self, name: String, there: u64, bytes: u64) {
        let mut counts = self.lock();
        (counts.now.file, counts.now.file_bytes) = (name, bytes);
        counts.now.file_done = there;
        counts.now.bytes_done += there;
        counts.report.resumed += there;
    }

    /// Bytes have arrived.
    pub(crate) fn moved(&self, bytes: u64) {
        let mut counts = self.lock();
        counts.now.bytes_done += bytes;
        // What a file of unknown size turns out to hold belongs to the sum.
        counts.now.bytes = counts.now.bytes.max(counts.now.bytes_done);
        let whole = counts.now.file_bytes;
        counts.now.file_done = (counts.now.file_done + bytes).min(whole);
        counts.report.bytes += bytes;
    }

    /// A file is done.
    pub(crate) fn done(&self) {
        let mut counts = self.lock();
        counts.now.files_done += 1;
        counts.report.files += 1;
    }

    /// Something could not be copied.
    pub(crate) fn failed(&self, words: String) {
        let mut counts = self.lock();
        if counts.report.failed.len() < WORDS {
            counts.report.failed.push(words);
        } else {
            counts.unsaid += 1;
        }
    }

    /// Something is worth knowing.
    pub(crate) fn note(&self, words: String) {
        let mut counts = self.lock();
        if counts.report.notes.len() < WORDS {
            counts.report.notes.push(words);
        }
    }

    /// How far it is now.
    pub(crate) fn progress(&self) -> CopyProgress {
        let mut counts = self.lock();
        let moved = counts.report.bytes;
        let speed = counts.speed.measure(Instant::now(), moved);
        counts.now.speed = speed;
        let left = counts.now.bytes.saturating_sub(counts.now.bytes_done);
        counts.now.left_s = (speed > 0).then(|| left.div_ceil(speed));
        counts.now.clone()
    }

    /// What it came to.
    pub(crate) fn report(&self, stopped: bool, lost: Option<String>) -> CopyReport {
        let mut counts = self.lock();
        let mut report = std::mem::take(&mut counts.report);
        if counts.unsaid > 0 {
            let more = format!("and {} more", counts.unsaid);
            report.failed.push(more);
        }
        report.took_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        (report.stopped, report.lost) = (stopped, lost);
        report
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_smooth_and_follows() {
        let start = Instant::now();
        let mut speed = Speed::default();
        assert_eq!(speed.measure(start, 0), 0);
        let mut moved = 0;
        let mut last = 0;
        for tick in 1..=50u32 {
            moved += 200_000;
            last = speed.measure(start + PAUSE * tick, moved);
        }
        assert!((990_000..=1_010_000).contains(&last), "{last}");
        // A stall shows, but not at once as nothing.
        let stalled = speed.measure(start + PAUSE * 51, moved);
        assert!(stalled < last && stalled > last / 2, "{stalled}");
        let after = speed.measure(start + PAUSE * 51 + Duration::from_secs(20), moved);
        assert!(after < last / 500, "{after}");
    }

    #[test]
    fn sums_are_kept() {
        let tally = Tally::new();
        tally.found(10);
        tally.found(0);
        tally.begin("a".to_owned(), 4, 10);
        tally.moved(6);
        tally.done();
        tally.begin("b".to_owned(), 0, 0);
        tally.moved(3);
        tally.failed("b: gone".to_owned());
        let now = tally.progress();
        assert_eq!((now.files_done, now.files), (1, 2));
        assert_eq!((now.bytes_done, now.bytes), (13, 13));
        let report = tally.report(false, None);
        assert_eq!((report.files, report.bytes, report.resumed), (1, 9, 4));
        assert_eq!(report.failed, ["b: gone"]);
    }
}
