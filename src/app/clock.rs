//! The only place that reads a clock or rolls dice. Everything else is handed the time.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::time::Time;

/// The time now, by the machine's clock.
pub fn now() -> Time {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Bytes from the system that nobody can guess, for ids.
///
/// # Errors
/// The system has no source of randomness; nothing may be named without one.
pub fn seed() -> Result<[u8; 32], getrandom::Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(seed)
}

/// Any number, for pauses that must not be the same everywhere; zero when the system gives none.
pub fn dice() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_or(0, |()| u64::from_be_bytes(bytes))
}
