//! Pauses between attempts: each about twice as long as the one before, up to a limit, and never the same for everybody.

use std::time::Duration;

/// The shortest pause before somebody is connected again.
const FIRST: Duration = Duration::from_secs(1);

/// The longest.
const LONGEST: Duration = Duration::from_secs(60);

/// A row of pauses. Each is drawn between half of its nominal length and the whole, so that many who lost the same host do
/// not come back in the same moment.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
}

impl Default for Backoff {
    /// From about a second to at most a minute.
    fn default() -> Self {
        Self::new(FIRST, LONGEST)
    }
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            tries: 0,
        }
    }

    /// The next pause.
    pub(crate) fn pause(&mut self) -> Duration {
        let nominal = self.nominal();
        self.tries = self.tries.saturating_add(1);
        nominal.mul_f64(0.5 + 0.5 * dice())
    }

    /// It worked: the next pause is short again.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }

    /// How many pauses there were.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }

    /// How long the next pause is at most.
    fn nominal(&self) -> Duration {
        let factor = 2_u32.saturating_pow(self.tries);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

/// A number from 0 to 1; the middle when the system has no randomness for us, which only makes pauses less spread.
fn dice() -> f64 {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit() {
        let mut backoff = Backoff::default();
        let mut nominal = Vec::new();
        for _ in 0..100 {
            let most = backoff.nominal();
            let pause = backoff.pause();
            assert!(pause <= most && pause >= most / 2, "{pause:?} of {most:?}");
            nominal.push(most.as_secs());
        }
        assert_eq!(nominal.get(..8), Some(&[1, 2, 4, 8, 16, 32, 60, 60][..]));
        assert_eq!(nominal.last(), Some(&60), "and it never overflows");
        backoff.reset();
        assert_eq!(backoff.nominal(), FIRST);
    }

    #[test]
    fn pauses_differ() {
        let pauses: std::collections::HashSet<Duration> =
            (0..50).map(|_| Backoff::default().pause()).collect();
        assert!(pauses.len() > 40, "{pauses:?}");
    }
}
