//! What is written to a terminal, and the way back from it. Nobody here waits for ever: a terminal may take no bytes at all.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossterm::terminal::disable_raw_mode;

/// How long the terminal may take to be steered; then its settings are given back all the same, and what it has not taken is
/// lost with the process.
const PATIENCE: Duration = Duration::from_millis(500);

/// A terminal's writing end, for several threads.
#[derive(Debug)]
pub(super) struct Out {
    /// Our own descriptor of standard output, without the buffer of the standard library.
    file: File,
    /// What gives the screen back; nothing for a terminal that only gets words.
    leave: &'static [u8],
    /// Whether the terminal is ours. Whoever writes holds the lock meanwhile: what gives the terminal back never falls into a
    /// frame, and nothing comes after it. Held across writes on purpose, and only by threads that may block.
    ours: Mutex<bool>,
}

impl Out {
    /// The terminal at standard output, not ours yet.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub(super) fn new(leave: &'static [u8]) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            file: File::from(rustix::io::dup(io::stdout())?),
            leave,
            ours: Mutex::new(false),
        }))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Writes, and blocks as long as the terminal does.
    ///
    /// # Errors
    /// The terminal is gone, or it was given back meanwhile.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let ours = self.lock();
        if *ours {
            (&self.file).write_all(bytes)
        } else {
            Err(io::Error::other("the terminal was given back"))
        }
    }

    /// Makes the terminal ours with these bytes.
    pub(super) fn take(self: &Arc<Self>, enter: &'static [u8]) {
        self.soon(move |out| {
            let mut ours = out.lock();
            *ours = true;
            // A terminal that is gone is found out by whoever reads it.
            (&out.file).write_all(enter).ok();
        });
    }

    /// Gives the screen back, and then the settings of the line, as they were when raw mode began. False when the terminal
    /// took nothing: then nobody should say anything to it either.
    pub(super) fn give_back(self: &Arc<Self>) -> bool {
        let taken = self.leave();
        disable_raw_mode().ok();
        taken
    }

    /// The same for who has no time: the settings first.
    pub(super) fn give_back_at_once(self: &Arc<Self>) {
        disable_raw_mode().ok();
        self.leave();
    }

    fn leave(self: &Arc<Self>) -> bool {
        self.soon(|out| {
            let mut ours = out.lock();
            if std::mem::take(&mut *ours) {
                // When the terminal is gone there is nothing to give back.
                (&out.file).write_all(out.leave).ok();
            }
        })
    }

    /// Does something on a thread that may block, and goes on without it when the terminal takes nothing; false then.
    fn soon(self: &Arc<Self>, task: impl FnOnce(&Self) + Send + 'static) -> bool {
        let (done, wait) = sync_channel(1);
        let out = Arc::clone(self);
        let begun = thread::Builder::new().spawn(move || {
            task(&out);
            done.send(()).ok();
        });
        begun.is_ok() && wait.recv_timeout(PATIENCE).is_ok()
    }

    /// A thread that broke off while it wrote leaves nothing behind that is half done here.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the screen back for another process that cannot; false when the terminal took nothing.
pub(super) fn leave_for_another(leave: &'static [u8]) -> bool {
    Out::new(leave).is_ok_and(|out| {
        *out.lock() = true;
        out.leave()
    })
}
