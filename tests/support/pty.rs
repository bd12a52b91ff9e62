//! A real pseudo-terminal with the program in it, read through the emulator as a person would read the screen.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use quarterdeck::term::{Emulator, Modes, Size};

/// How long a screen may take to show what a test waits for; generous, because machines are slow and a pass never waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// The question whether a terminal is well (DSR, `CSI 5 n`), and what it answers.
const ASKS: &[u8] = b"\x1b[5n";
const ANSWER: &[u8] = b"\x1b[0n";

/// Longer than two keys are apart that are typed in one go.
pub(crate) const PAUSE: Duration = Duration::from_millis(900);

/// A program in a terminal.
pub(crate) struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    emulator: Emulator,
    /// Held by whoever wants nothing to be read.
    gate: Arc<Mutex<()>>,
    /// Everything that the program wrote, for tests about bytes.
    pub(crate) written: Vec<u8>,
}

impl Terminal {
    /// Starts `program` in a terminal of this size, with these variables and nothing of ours but `PATH`.
    pub(crate) fn start(
        program: &Path,
        args: &[&str],
        variables: &[(&str, &str)],
        size: Size,
    ) -> Self {
        let pair = native_pty_system()
            .openpty(PtySize {
                rows: size.rows,
                cols: size.cols,
                pixel_width: 0,
                pixel_height: 0,
            })
            .expect("a pseudo-terminal can be opened");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_clear();
        if let Some(value) = std::env::var_os("PATH") {
            command.env("PATH", value);
        }
        command.env("HOME", super::home());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        variables
            .iter()
            .for_each(|(name, value)| command.env(name, value));
        let child = pair
            .slave
            .spawn_command(command)
            .expect("the program starts");
        let mut reader = pair
            .master
            .try_clone_reader()
            .expect("the terminal can be read");
        let writer = pair
            .master
            .take_writer()
            .expect("the terminal can be written");
        // Bounded; a reader that is ahead waits for the test.
        let (tx, bytes) = sync_channel(1024);
        let gate = Arc::new(Mutex::new(()));
        let opened = Arc::clone(&gate);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(got @ 1..) = reader.read(&mut buffer) {
                drop(opened.lock().unwrap_or_else(PoisonError::into_inner));
                if tx.send(buffer[..got].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            master: pair.master,
            writer,
            bytes,
            emulator: Emulator::new(size),
            gate,
            written: Vec::new(),
        }
    }

    /// Types text, control characters and all.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.writer
            .write_all(keys.as_bytes())
            .and_then(|()| self.writer.flush())
            .expect("the terminal takes keys");
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&mut self, size: Size) {
        self.master
            .resize(PtySize {
                rows: size.rows,
                cols: size.cols,
                pixel_width: 0,
                pixel_height: 0,
            })
            .expect("the terminal can be resized");
        self.emulator.resize(size);
    }

    /// Waits until the screen shows what `wanted` looks for.
    pub(crate) fn until(&mut self, why: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            match self
                .bytes
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.feed(&bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    unreachable!(
                        "waited in vain until {why}; the screen is:\n{}",
                        self.screen()
                    )
                }
            }
        }
    }

    /// Waits until something is found in everything that the program wrote.
    pub(crate) fn until_written<T>(&mut self, why: &str, wanted: impl Fn(&[u8]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = wanted(&self.written) {
                return found;
            }
            match self
                .bytes
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.feed(&bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    unreachable!(
                        "waited in vain until {why}; the screen is:\n{}",
                        self.screen()
                    )
                }
            }
        }
    }

    /// Waits until the screen shows `text`.
    pub(crate) fn until_shows(&mut self, text: &str) -> String {
        self.until(&format!("{text:?} is shown"), |screen| {
            screen.contains(text)
        })
    }

    /// Types something and tells how long it takes until this text is among what the program writes.
    pub(crate) fn typed_until(&mut self, keys: &str, text: &str) -> Duration {
        let (mut seen, begun) = (Vec::new(), Instant::now());
        let mut looked = 0;
        self.keys(keys);
        loop {
            // Only what is new is searched, and the little before it in which a part of the text or of a question may be.
            let from = looked
                .min(seen.len())
                .saturating_sub(text.len().max(ASKS.len()) - 1);
            let new: &[u8] = seen.get(from..).unwrap_or_default();
            if new.windows(text.len()).any(|part| part == text.as_bytes()) {
                break;
            }
            let left = (PATIENCE * 20).saturating_sub(begun.elapsed());
            let Ok(bytes) = self.bytes.recv_timeout(left) else {
                unreachable!(
                    "waited in vain for {text:?}; the screen is:\n{}",
                    self.screen()
                )
            };
            looked = seen.len();
            seen.extend(bytes);
            // A terminal answers as soon as it has come so far, and whoever asked may wait for it.
            let from = looked.saturating_sub(ASKS.len() - 1);
            let new: &[u8] = seen.get(from..).unwrap_or_default();
            let asked = new.windows(ASKS.len()).filter(|part| *part == ASKS);
            drop(self.writer.write_all(&ANSWER.repeat(asked.count())));
        }
        let took = begun.elapsed();
        self.take(&seen);
        self.emulator.take_replies();
        took
    }

    /// Takes in what comes within a time: for exams that break in at any moment, where the moment is what is tested.
    pub(crate) fn for_a_while(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        let left = || deadline.saturating_duration_since(Instant::now());
        while let Ok(bytes) = self.bytes.recv_timeout(left()) {
            self.feed(&bytes);
        }
    }

    /// Waits for the end of the program and takes in the rest of what it wrote.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self
                .bytes
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.feed(&bytes),
                // The last one who had the terminal open is gone.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    unreachable!(
                        "the program does not end; the screen is:\n{}",
                        self.screen()
                    )
                }
            }
        }
        self.child.wait().expect("the program can be waited for")
    }

    /// From now on nothing is read of what the program writes, as of a terminal that was stopped, while whoever calls holds
    /// this lock.
    pub(crate) fn hold_back(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.gate)
    }

    /// The program's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child
            .process_id()
            .expect("the program has a process id")
    }

    /// The screen as lines, trailing blanks cut.
    pub(crate) fn screen(&mut self) -> String {
        let screen = self.emulator.screen();
        let line = |row: &quarterdeck::term::Row| {
            row.cells
                .iter()
                .map(|cell| cell.text.as_str())
                .collect::<String>()
                .trim_end()
                .to_owned()
        };
        screen
            .rows
            .iter()
            .map(|row| line(row))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The modes that the program set and did not take back.
    pub(crate) fn modes(&self) -> Modes {
        self.emulator.modes()
    }

    /// Sends the program a signal by its number.
    pub(crate) fn signal(&self, number: i32) {
        super::process::signal(self.pid(), number).expect("the program takes signals");
    }

    /// The settings of the terminal, as `stty -a` would print them.
    pub(crate) fn settings(&self) -> String {
        format!("{:?}", self.master.get_termios())
    }

    fn take(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(bytes);
        self.emulator.feed(bytes);
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.take(bytes);
        let replies = self.emulator.take_replies();
        if !replies.is_empty() {
            drop(self.writer.write_all(&replies));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
    }
}
