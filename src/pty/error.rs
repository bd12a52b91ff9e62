//! Why a local program could not be started.

/// What was attempted, why it failed, what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no pseudo-terminal to be had.
    #[error(
        "no pseudo-terminal can be opened: {why}; close some sessions, or look at kernel.pty.max"
    )]
    Open {
        /// The system's words.
        why: String,
    },
    /// The program does not start.
    #[error("{program} cannot be started: {why}; is it installed, and in PATH?")]
    Start {
        /// Its name.
        program: String,
        /// The system's words.
        why: String,
    },
}
