//! A program that has the window's terminal until it ends: an editor, a pager.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use rustix::process::{Pid, Signal as Number, kill_process};
use tokio::process::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long a program may take to end when the window is told to.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs a program until it ends; its status as a shell would say it, 127 when it cannot be started. `None` when the window is to
/// end instead: then the program was told so too. `ends` are the signals for that: to terminate, a hang-up, an interrupt.
///
/// # Errors
/// The system cannot wait for it.
pub(super) async fn run(argv: Vec<String>, ends: &mut [Signal; 3]) -> io::Result<Option<i32>> {
    let Some((program, args)) = argv.split_first() else {
        return Ok(Some(127));
    };
    let Ok(mut child) = Command::new(program).args(args).spawn() else {
        return Ok(Some(127));
    };
    let [terminate, hangup, interrupt] = ends;
    let ended = tokio::select! {
        status = child.wait() => Some(status?),
        _ = terminate.recv() => None,
        _ = hangup.recv() => None,
    };
    // Ctrl-C was typed for the program, and every process of the terminal's job got the signal.
    *interrupt = signal(SignalKind::interrupt())?;
    let Some(status) = ended else {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            kill_process(pid, Number::TERM).ok();
        }
        // One that does not end is left to itself: it may have somebody's words.
        tokio::time::timeout(PATIENCE, child.wait()).await.ok();
        return Ok(None);
    };
    let signal = status.signal().map(|signal| 128 + signal);
    Ok(Some(status.code().or(signal).unwrap_or(1)))
}
