//! How long to wait before the next attempt: longer each time, never for ever, and not all at the same moment.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(500);

/// The longest.
const LONGEST: Duration = Duration::from_secs(30);

/// The waits of one thing that is tried again and again.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    /// Spreads those who were cut off together.
    salt: u64,
}

impl Backoff {
    /// Waits that differ from those with another `salt`.
    pub(super) fn new(salt: u64) -> Self {
        Self { next: FIRST, salt }
    }

    /// How long to wait now.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        self.salt = self
            .salt
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // Up to a quarter more.
        let share = u32::try_from((self.salt >> 33) % 256).unwrap_or(0);
        wait + wait * share / 1024
    }

    /// It worked: the next wait is short again.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_differ() {
        let mut one = Backoff::new(1);
        let mut other = Backoff::new(2);
        let waits: Vec<Duration> = (0..12).map(|_| one.wait()).collect();
        let others: Vec<Duration> = (0..12).map(|_| other.wait()).collect();
        assert_ne!(waits, others);
        assert!(
            waits
                .iter()
                .all(|wait| *wait >= FIRST && *wait <= LONGEST * 5 / 4)
        );
        assert!(waits.last() >= Some(&LONGEST));
        one.reset();
        assert!(one.wait() < FIRST * 2);
    }
}
