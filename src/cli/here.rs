//! Another program in this terminal: the system's `ssh`, in our place or as our child.

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

use crate::domain::run::Exit;
use crate::pty;

/// Becomes the program; comes back only if it cannot be started, with the reason.
pub(super) fn replace(argv: &[String]) -> String {
    let Some((program, arguments)) = argv.split_first() else {
        return "no program was named".to_owned();
    };
    let why = Command::new(program).args(arguments).exec();
    format!(
        "{program} cannot be started: {why}; install OpenSSH's client, or take the host out of openssh_hosts"
    )
}

/// Runs the program in this terminal and waits for its end. When it suspends itself, so do we. Blocks.
pub(super) fn run(argv: &[String]) -> Exit {
    let Some((program, arguments)) = argv.split_first() else {
        return Exit::Unreachable("no program was named".to_owned());
    };
    let child = match Command::new(program).args(arguments).spawn() {
        Ok(child) => child,
        Err(why) => {
            return Exit::Unreachable(format!(
                "{program} cannot be started: {why}; install OpenSSH's client, or take the host out of openssh_hosts"
            ));
        }
    };
    let lost = |why: String| Exit::Unreachable(format!("{program} cannot be waited for: {why}"));
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return lost("its number is none".to_owned());
    };
    loop {
        match waitpid(Some(pid), WaitOptions::UNTRACED) {
            Ok(Some((_, status))) if status.stopped() => {
                // The shell that started us must see us stop, or the terminal would be nobody's.
                kill_process(getpid(), Signal::TSTP).ok();
                kill_process(pid, Signal::CONT).ok();
            }
            Ok(Some((_, status))) => {
                return match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Exit::Code(code),
                    (None, Some(signal)) => Exit::Signal(pty::signal_name(signal)),
                    (None, None) => lost("it ended without a status".to_owned()),
                };
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(why) => return lost(why.to_string()),
        }
    }
}
