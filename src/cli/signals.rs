//! Signals that a command line passes on to the app: Ctrl-C, the wish to end, and a new size of the terminal.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals of a command line.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` when whoever started us wants it ignored, as `nohup` does.
    hangup: Option<Signal>,
    resized: Signal,
}

/// What was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Ctrl-C.
    Interrupt,
    /// The process must end, because of the signal of this number.
    End(u8),
    /// The terminal has a new size.
    Resized,
}

/// SIGHUP, by its number.
const HANGUP: u8 = 1;
/// SIGTERM, by its number.
const TERMINATE: u8 = 15;

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn new() -> std::io::Result<Self> {
        let hangup = if ignored(HANGUP) {
            None
        } else {
            Some(signal(SignalKind::hangup())?)
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
            resized: signal(SignalKind::window_change())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.interrupt.recv() => Received::Interrupt,
            _ = self.terminate.recv() => Received::End(TERMINATE),
            () = heard(&mut self.hangup) => Received::End(HANGUP),
            _ = self.resized.recv() => Received::Resized,
        }
    }
}

async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether a signal is ignored. Only the kernel's own table tells without calls that this program forbids itself; where there
/// is none, nothing is taken for ignored.
fn ignored(number: u8) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default();
    mask >> (number - 1) & 1 == 1
}
