//! Local programs in a pseudo-terminal: plain data in, bytes and an exit status out. It knows no emulator and no screen.
//!
//! Two threads belong to each program: one always reads what it writes, one writes what is typed. Neither outlives it for long.

mod error;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::{mpsc, oneshot};

use crate::domain::run::Exit;

pub use error::Error;

/// How many pieces of output wait for their reader. When it is full the program waits, as before a terminal that was stopped.
const OUTPUT: usize = 64;

/// How many pieces of input wait for a program that does not read. When it is full whoever writes waits.
const INPUT: usize = 64;

/// The most bytes in one piece of output.
const PIECE: usize = 16 * 1024;

/// What to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments; empty is the account's shell as a login shell.
    pub argv: Vec<String>,
    /// Variables to set besides our own.
    pub env: Vec<(String, OsString)>,
    /// Variables of our own that it does not get.
    pub without: Vec<OsString>,
    /// The folder to start in; `None` is the home.
    pub folder: Option<PathBuf>,
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

/// A program that runs. Dropping it hangs up on the program.
pub struct Pty {
    master: Box<dyn MasterPty + Send>,
    pid: Option<Pid>,
    input: mpsc::Sender<Vec<u8>>,
}

/// What comes out of a program.
#[derive(Debug)]
pub struct Outlet {
    /// What it writes, in pieces of at most 16 KiB; ends when nobody has its terminal open any more.
    pub output: mpsc::Receiver<Vec<u8>>,
    /// How it ended.
    pub exit: oneshot::Receiver<Exit>,
}

/// Starts a program in a pseudo-terminal of its own, as the leader of a session of its own.
///
/// # Errors
/// The system has no pseudo-terminal left, or the program cannot be started.
pub fn spawn(program: &Program) -> Result<(Pty, Outlet), Error> {
    let open = |why: String| Error::Open { why };
    let pair = native_pty_system()
        .openpty(size(program.cols, program.rows))
        .map_err(|why| open(why.to_string()))?;
    let mut command = match program.argv.as_slice() {
        [] => CommandBuilder::new_default_prog(),
        argv => CommandBuilder::from_argv(argv.iter().map(Into::into).collect()),
    };
    if let Some(folder) = &program.folder {
        command.cwd(folder);
    }
    for name in &program.without {
        command.env_remove(name);
    }
    for (name, value) in &program.env {
        command.env(name, value);
    }
    let reader = pair
        .master
        .try_clone_reader()
        .map_err(|why| open(why.to_string()))?;
    let writer = pair
        .master
        .take_writer()
        .map_err(|why| open(why.to_string()))?;
    let child = pair
        .slave
        .spawn_command(command)
        .map_err(|why| Error::Start {
            program: program
                .argv
                .first()
                .map_or_else(|| "the login shell".to_owned(), Clone::clone),
            why: why.to_string(),
        })?;
    // Only the program may hold its side, or the end of its output would never come.
    drop(pair.slave);
    let pid = child
        .process_id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    // See OUTPUT and INPUT for what happens when they are full.
    let (output_in, output) = mpsc::channel(OUTPUT);
    let (input, input_out) = mpsc::channel(INPUT);
    let (ended, exit) = oneshot::channel();
    drop(std::thread::spawn(move || read(reader, &output_in)));
    drop(std::thread::spawn(move || write(writer, input_out)));
    drop(std::thread::spawn(move || {
        drop(ended.send(wait(child)));
    }));
    let pty = Pty {
        master: pair.master,
        pid,
        input,
    };
    Ok((pty, Outlet { output, exit }))
}

impl Pty {
    /// The way to what the program reads; bytes sent there are typed.
    pub fn input(&self) -> mpsc::Sender<Vec<u8>> {
        self.input.clone()
    }

    /// Gives its terminal another size.
    pub fn resize(&self, cols: u16, rows: u16) {
        // A terminal whose program is gone has no size; nobody looks at it either.
        drop(self.master.resize(size(cols, rows)));
    }

    /// Tells the program that its terminal is gone.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Ends the program at once.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // It may have ended by itself meanwhile.
            kill_process_group(pid, signal).ok();
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.hang_up();
    }
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn read(mut reader: Box<dyn Read + Send>, output: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; PIECE];
    loop {
        match reader.read(&mut buffer) {
            Err(why) if why.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(got) => {
                let piece = buffer.get(..got).unwrap_or_default().to_vec();
                if output.blocking_send(piece).is_err() {
                    return;
                }
            }
        }
    }
}

fn write(mut writer: Box<dyn Write + Send>, mut input: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = input.blocking_recv() {
        if writer
            .write_all(&bytes)
            .and_then(|()| writer.flush())
            .is_err()
        {
            return;
        }
    }
}

/// Waits for the end. The crate tells a signal by its description only, so the child is asked itself.
fn wait(child: Box<dyn Child + Send + Sync>) -> Exit {
    let child: Box<dyn Child> = child;
    let gone = |why: String| Exit::Unreachable(format!("the program cannot be waited for: {why}"));
    match child.downcast::<std::process::Child>() {
        Ok(mut child) => match child.wait() {
            Ok(status) => exit_of(status),
            Err(why) => gone(why.to_string()),
        },
        Err(mut child) => match child.wait() {
            Ok(status) => Exit::Code(i32::try_from(status.exit_code()).unwrap_or(i32::MAX)),
            Err(why) => gone(why.to_string()),
        },
    }
}

/// How a process of this machine ended.
pub fn exit_of(status: std::process::ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal_name(signal)),
        (None, None) => Exit::Unreachable("the program ended without an exit status".to_owned()),
    }
}

/// The name without `SIG`, as RFC 4254 spells it, or the number.
pub fn signal_name(number: i32) -> String {
    let known = [
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::ILL, "ILL"),
        (Signal::ABORT, "ABRT"),
        (Signal::FPE, "FPE"),
        (Signal::KILL, "KILL"),
        (Signal::USR1, "USR1"),
        (Signal::SEGV, "SEGV"),
        (Signal::USR2, "USR2"),
        (Signal::PIPE, "PIPE"),
        (Signal::ALARM, "ALRM"),
        (Signal::TERM, "TERM"),
    ];
    known
        .iter()
        .find(|(signal, _)| signal.as_raw() == number)
        .map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests;
