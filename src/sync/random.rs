//! Where nonces and keys come from: the system in the program, a seed in simulations. Nothing here keeps a state that a
//! copied machine could repeat.

use super::SyncError;

/// A source of bytes that nobody can guess.
pub trait Random: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// The system has none to give; nothing may be sealed then.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SyncError>;
}

/// The system's own source (getrandom(2)).
#[derive(Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SyncError> {
        getrandom::fill(bytes).map_err(|why| SyncError::Local {
            attempt: "drawing random bytes from the system".to_owned(),
            why: why.to_string(),
        })
    }
}

/// The next `N` bytes.
pub(crate) fn draw<const N: usize>(random: &mut dyn Random) -> Result<[u8; N], SyncError> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}
