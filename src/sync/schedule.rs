//! When the next round comes: soon while something moves, ever later while nothing does. Pure.

use std::time::Duration;

/// The shortest pause between rounds.
pub const PAUSE_MIN: Duration = Duration::from_secs(15);
/// The longest.
pub const PAUSE_MAX: Duration = Duration::from_secs(15 * 60);

/// The pause after a round. `quiet` is how many rounds in a row moved nothing or failed, `dice` any number; a fifth of the
/// pause depends on it, so that devices which woke up together do not stay together.
pub fn pause(quiet: u32, dice: u64) -> Duration {
    let doubled = PAUSE_MIN.saturating_mul(1 << quiet.min(16));
    let whole = doubled.min(PAUSE_MAX);
    let millis = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
    let spread = millis / 5;
    Duration::from_millis(millis - spread / 2 + dice % (spread + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_in_bounds() {
        for (quiet, around) in [(0, 15), (1, 30), (3, 120), (6, 900), (u32::MAX, 900)] {
            let pauses = [0, 7, 12_345_678, u64::MAX].map(|dice| pause(quiet, dice));
            for pause in pauses {
                let (low, high) = (around * 900, around * 1100);
                assert!(
                    (low..=high).contains(&pause.as_millis()),
                    "{quiet}: {pause:?}"
                );
            }
            assert_ne!(pauses[0], pauses[2], "jitter");
        }
    }
}
