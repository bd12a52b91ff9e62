//! Signals that a command line passes on to the app: Ctrl-C and a new size of the terminal.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals of a command line.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    resized: Signal,
}

/// What was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Ctrl-C.
    Interrupt,
    /// The process must end.
    End,
    /// The terminal has a new size.
    Resized,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            resized: signal(SignalKind::window_change())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.interrupt.recv() => Received::Interrupt,
            _ = self.terminate.recv() => Received::End,
            _ = self.hangup.recv() => Received::End,
            _ = self.resized.recv() => Received::Resized,
        }
    }
}
