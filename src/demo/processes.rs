//! Every process that the fleet starts, so that none of them outlives it.

use std::collections::HashSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::error::DemoError;

/// The variable that marks the processes of one fleet, however far they detached themselves.
pub(super) const MARK: &str = "QD_DEMO";

/// New processes may appear while old ones are being killed; after so many rounds nothing that forks is left.
const ROUNDS: usize = 50;

/// The running process groups of a fleet.
///
/// The lock is a plain mutex: it is held for one spawn or one signal, never across an await, and dropping the fleet
/// must work without a runtime.
#[derive(Debug)]
pub(super) struct Processes {
    mark: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// No process may start any more.
    closed: bool,
    /// Leaders that were not yet waited for, so their numbers cannot mean anything else.
    leaders: HashSet<Pid>,
}

impl Processes {
    pub(super) fn new() -> Result<Self, DemoError> {
        let mut random = [0u8; 16];
        getrandom::fill(&mut random).map_err(|why| DemoError::Keys {
            why: why.to_string(),
        })?;
        let mark = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            mark,
            state: Mutex::default(),
        })
    }

    /// The value of [`MARK`] in the environment of every process of this fleet.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Starts a process that leads its own group; `start` answers it with its number.
    ///
    /// The spawn happens under the lock, so a fleet that ends in the same moment either sees the process or prevents it.
    pub(super) fn launch<T>(
        &self,
        start: impl FnOnce() -> io::Result<(T, Option<u32>)>,
    ) -> io::Result<(T, Pid)> {
        let mut state = self.lock();
        if state.closed {
            return Err(io::Error::other("the demo has ended"));
        }
        let (child, number) = start()?;
        let leader = number
            .and_then(|number| i32::try_from(number).ok())
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("the process ended before it was seen"))?;
        state.leaders.insert(leader);
        Ok((child, leader))
    }

    /// The leader was waited for: its number may be given to somebody else from now on.
    pub(super) fn finished(&self, leader: Pid) {
        self.lock().leaders.remove(&leader);
    }

    /// Sends `signal` to the group of `leader` and to everything in its session, if it still runs.
    pub(super) fn signal(&self, leader: Pid, signal: Signal) {
        let state = self.lock();
        if state.leaders.contains(&leader) {
            send(leader, signal);
        }
    }

    /// Kills everything and starts nothing any more.
    pub(super) fn end_all(&self) {
        let leaders = {
            let mut state = self.lock();
            state.closed = true;
            std::mem::take(&mut state.leaders)
        };
        for leader in leaders {
            send(leader, Signal::KILL);
        }
        for _ in 0..ROUNDS {
            let left = marked(&self.mark);
            if left.is_empty() {
                break;
            }
            for pid in left {
                // It may be gone already, which is what we want.
                kill_process(pid, Signal::KILL).unwrap_or_default();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is valid after each statement, so a panic elsewhere cannot have broken it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn send(leader: Pid, signal: Signal) {
    // An error says that the group is gone, which is as good.
    kill_process_group(leader, signal).unwrap_or_default();
    for pid in session_of(leader) {
        kill_process(pid, signal).unwrap_or_default();
    }
}

/// The processes whose session `leader` leads: jobs of an interactive shell have groups of their own.
///
/// Only Linux lists processes as files; elsewhere the groups alone have to do.
fn session_of(leader: Pid) -> Vec<Pid> {
    let session = leader.as_raw_nonzero().to_string();
    every(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything; the fields after it are state, parent, group, session (proc(5)).
        let (_, fields) = stat.rsplit_once(')')?;
        Some(fields.split_whitespace().nth(3)? == session)
    })
}

/// The processes that carry the mark of a fleet.
pub(super) fn marked(mark: &str) -> Vec<Pid> {
    let wanted = format!("{MARK}={mark}");
    every(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        Some(
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == wanted.as_bytes()),
        )
    })
}

fn every(wanted: impl Fn(i32) -> Option<bool>) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| wanted(*pid).unwrap_or(false))
        .filter_map(Pid::from_raw)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn sleeper(processes: &Processes) -> io::Result<(Child, Pid)> {
        processes.launch(|| {
            let child = Command::new("/bin/sh")
                .args(["-c", "sleep 600 & sleep 600"])
                .env(MARK, processes.mark())
                .stdin(Stdio::null())
                .process_group(0)
                .spawn()?;
            let number = child.id();
            Ok((child, Some(number)))
        })
    }

    #[test]
    fn the_end_kills_groups_and_closes_the_door() -> Result<(), Box<dyn Error>> {
        let processes = Processes::new()?;
        let (mut child, _) = sleeper(&processes)?;
        processes.end_all();
        assert!(!child.wait()?.success());
        assert_eq!(marked(processes.mark()), []);
        assert!(sleeper(&processes).is_err());
        Ok(())
    }

    #[test]
    fn a_number_that_was_given_back_is_never_signalled() -> Result<(), Box<dyn Error>> {
        let processes = Processes::new()?;
        let (mut child, leader) = sleeper(&processes)?;
        processes.finished(leader);
        processes.signal(leader, Signal::KILL);
        assert!(child.try_wait()?.is_none());
        kill_process_group(leader, Signal::KILL)?;
        child.wait()?;
        Ok(())
    }
}
