//! Processes of a test, by their numbers.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

use super::lab::Failed;
use super::sshd::GUARD;

/// Sends a signal by its number.
pub(crate) fn signal(pid: u32, number: i32) -> Result<(), Failed> {
    let done = Command::new("kill")
        .args([format!("-{number}"), pid.to_string()])
        .status()?;
    if done.success() {
        Ok(())
    } else {
        Err(format!("kill -{number} {pid} failed").into())
    }
}

/// Waits until a process is gone; one that only waits to be counted is.
pub(crate) fn gone(pid: i32) -> Result<(), Failed> {
    until(&format!("process {pid} is gone"), || {
        state(pid).is_none_or(|state| state == 'Z')
    })
}

/// Waits for the end of a program; one that does not end is killed and told.
pub(crate) fn ended(child: &mut Child) -> Result<ExitStatus, Failed> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        // A disk that is busy with other tests makes the last flush of a store slow.
        if begun.elapsed() > GUARD * 4 {
            child.kill()?;
            return Err("waited in vain until the program ends".into());
        }
        std::thread::yield_now();
    }
}

/// Waits until a process has stopped.
pub(crate) fn stopped(pid: u32) -> Result<(), Failed> {
    until(&format!("process {pid} has stopped"), || {
        i32::try_from(pid).ok().and_then(state) == Some('T')
    })
}

/// The parent of a process.
pub(crate) fn parent(pid: u32) -> Result<u32, Failed> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = text.rsplit_once(')').ok_or("no name")?.1;
    let parent = rest.split_whitespace().nth(1).ok_or("no parent")?;
    Ok(parent.parse()?)
}

/// The children of a process of one thread.
pub(crate) fn children(parent: u32) -> Result<Vec<u32>, Failed> {
    let text = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    let pids = text.split_whitespace();
    Ok(pids.filter_map(|pid| pid.parse().ok()).collect())
}

fn state(pid: i32) -> Option<char> {
    let text = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat"))).ok()?;
    text.rsplit_once(')')?.1.trim_start().chars().next()
}

/// Waits for a condition that always comes.
pub(crate) fn until(what: &str, done: impl Fn() -> bool) -> Result<(), Failed> {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > GUARD {
            return Err(format!("waited in vain until {what}").into());
        }
        std::thread::yield_now();
    }
    Ok(())
}
