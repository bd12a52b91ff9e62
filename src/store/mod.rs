//! The store: an operation log and its projections in SQLite, with one writer thread and read-only readers.
//!
//! Nobody but this room opens `store.db`, and nobody at all opens it with `std::fs`: closing any descriptor of the file
//! drops the locks that SQLite holds in this process.

mod age;
mod aside;
mod ask;
mod carry;
mod chain;
mod copy;
mod doctor;
mod early;
mod error;
mod failure;
mod fold;
mod local;
pub mod lock;
mod log;
mod mend;
mod network;
mod open;
mod project;
mod purge;
mod query;
mod read;
mod reader;
mod record;
mod reference;
mod restore;
mod salvage;
mod shared;
mod size;
mod sync;
mod tables;
#[cfg(test)]
mod tests;
mod upkeep;
mod victims;
mod watch;
mod writer;

#[cfg(test)]
pub(crate) use tests::as_a_later_program;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::domain::audit::Purged;
use crate::domain::ids::DeviceId;
use crate::domain::time::Time;

use open::{Opener, Prepared};
use reader::{Question, READERS, Reader};
use upkeep::{Copying, Upkeep};
use writer::{Job, Reply, Whose, Writer};

pub use ask::{
    Answer, Ask, Batch, COUNT_CAP, Committed, Conflict, DeviceRow, DoctorLine, DoctorReport,
    FileStamps, Local, Logged, Purge,
};
pub use carry::{Learned, Piece};
pub use copy::backup;
pub use early::{Ahead, CONTRADICTED, Excerpt, Untrusted};
pub use error::StoreError;
pub use mend::before_repair;
pub use restore::{Restored, restore, verify};
pub use salvage::{Salvaged, salvage};
pub use shared::OwnRecording;
#[cfg(test)]
pub(crate) use tests::{difference, dump, merged};
pub use upkeep::reform;

/// Jobs that may wait for the writer, and questions for the readers. When a queue is full, [`Store::append`] and
/// [`Store::ask`] answer [`StoreError::Busy`] at once; the waiting calls wait.
const QUEUE: usize = 1024;

/// A handle to the open store. Clones share it; dropping the last one stores what is queued and ends the threads.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// How to open the store.
#[derive(Default)]
pub struct Options {
    /// Write nothing, not even a migration.
    pub read_only: bool,
    /// Read a file of an older schema as it was when it was opened; nothing is written then either.
    pub older: bool,
    /// Called on a thread of the store after another process committed something. It must not block.
    pub changed: Option<Box<dyn Fn() + Send + 'static>>,
    /// How many days the outputs of this device's runs are kept while the store is open; 0 is for ever.
    pub output_days: u64,
}

struct Inner {
    folder: PathBuf,
    /// Whose log is written. The writer sets it anew when this machine turns out to be a copy of another.
    device: Whose,
    read_only: bool,
    commits: Arc<AtomicU64>,
    /// Taken when the last handle goes, which is what tells the threads to end.
    queues: Option<(SyncSender<Job>, SyncSender<Question>)>,
    threads: Vec<JoinHandle<()>>,
}

impl Store {
    /// Opens the store in `folder`, making and migrating it when that is needed. `seed` is asked once in a folder's
    /// life, for the id of this device.
    ///
    /// # Errors
    /// The file belongs to a newer or another program, lies on a network file system, or cannot be read or written.
    /// In all of these cases it is left as it was.
    pub fn open(
        folder: &Path,
        now: fn() -> Time,
        seed: fn() -> [u8; 32],
        options: Options,
    ) -> Result<Self, StoreError> {
        let Options {
            read_only,
            older,
            changed,
            output_days,
        } = options;
        let read_only = read_only || older;
        let copying = Copying::default();
        let Prepared {
            opener,
            device,
            conn,
            aside,
        } = if older {
            Opener::prepare_older(folder)?
        } else {
            Opener::prepare(folder, read_only, seed)?
        };
        let watch = opener.watch();
        let commits = Arc::new(AtomicU64::new(0));
        let device = Whose::new(device);
        let counter = Arc::clone(&commits);
        conn.commit_hook(Some(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            false
        }))
        .map_err(|why| StoreError::sqlite(&opener.path, &why))?;
        let (jobs, job_queue) = sync_channel(QUEUE);
        let (questions, question_queue) = sync_channel(QUEUE);
        let mut inner = Inner {
            folder: folder.to_owned(),
            device: device.clone(),
            read_only,
            commits,
            queues: Some((jobs, questions)),
            threads: Vec::new(),
        };
        let writer = Writer {
            // From now on: what another process commits while we still open is not missed.
            seen: writer::data_version(&conn),
            conn,
            opener: opener.clone(),
            device,
            now,
            changed,
            writes: !read_only,
            upkeep: Upkeep::new(copying.clone(), output_days),
            watch: watch.clone(),
        };
        inner.spawn("store-writer", move || writer.run(&job_queue))?;
        let question_queue = Arc::new(Mutex::new(question_queue));
        let readers = match aside {
            Some(aside) => vec![aside],
            None => (0..READERS)
                .map(|_| opener.read().map_err(|why| why.at(&opener.path)))
                .collect::<Result<_, _>>()?,
        };
        for conn in readers {
            let reader = Reader {
                conn,
                opener: opener.clone(),
                folder: folder.to_owned(),
                now,
                copying: copying.clone(),
                watch: watch.clone(),
            };
            let queue = Arc::clone(&question_queue);
            inner.spawn("store-reader", move || reader.run(&queue))?;
        }
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Queues `batch` and returns at once; `reply` is called on a thread of the store when the batch is on the disk or
    /// was refused, and must not block. When too much is queued already, `reply` hears [`StoreError::Busy`] at once.
    pub fn append(
        &self,
        batch: Batch,
        reply: impl FnOnce(Result<Committed, StoreError>) + Send + 'static,
    ) {
        self.try_write(Job::Append(batch, Box::new(reply)));
    }

    /// Writes `batch` and waits until it is on the disk.
    ///
    /// # Errors
    /// Nothing of the batch was written.
    pub fn append_wait(&self, batch: Batch) -> Result<Committed, StoreError> {
        self.write_wait(|reply| Job::Append(batch, reply))
    }

    /// Queues operations of other devices, each device's in order and without gaps; those that are here already are
    /// passed over. `reply` hears how many were new. All of them are written, or none.
    pub fn absorb(
        &self,
        ops: Vec<Logged>,
        reply: impl FnOnce(Result<u64, StoreError>) + Send + 'static,
    ) {
        self.try_write(Job::Absorb(ops, Box::new(reply)));
    }

    /// As [`Store::absorb`], and waits until they are on the disk.
    ///
    /// # Errors
    /// Nothing was written: operations are missing before these, or a device's log is not what it was.
    pub fn absorb_wait(&self, ops: Vec<Logged>) -> Result<u64, StoreError> {
        self.write_wait(|reply| Job::Absorb(ops, reply))
    }

    /// Drops everything that is folded from the log and folds it again; answers how many operations there were.
    ///
    /// # Errors
    /// Everything is as it was.
    pub fn rebuild_wait(&self) -> Result<u64, StoreError> {
        self.write_wait(Job::Rebuild)
    }

    /// Removes the content of what `purge` names, here and, by the operation that says so, on every device that syncs.
    ///
    /// # Errors
    /// There is no such thing, or nothing in it; then nothing was changed.
    pub fn purge_wait(&self, purge: Purge) -> Result<Purged, StoreError> {
        self.write_wait(|reply| Job::Purge(purge, reply))
    }

    /// Queues a question and returns at once; `reply` is called on a thread of the store. When too much is queued
    /// already, `reply` hears [`StoreError::Busy`] at once.
    pub fn ask(&self, ask: Ask, reply: impl FnOnce(Result<Answer, StoreError>) + Send + 'static) {
        self.try_read(Question::Ask(ask, Box::new(reply)));
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// There is no such thing, or the file cannot be read.
    pub fn ask_wait(&self, ask: Ask) -> Result<Answer, StoreError> {
        self.read_wait(|reply| Question::Ask(ask, reply))
    }

    /// Copies the store, as it is at one moment, into the new file `to`, while everybody goes on working.
    ///
    /// # Errors
    /// `to` exists already, or cannot be written.
    pub fn backup_wait(&self, to: &Path) -> Result<(), StoreError> {
        if to.symlink_metadata().is_ok() {
            return Err(copy::taken(to));
        }
        self.read_wait(|reply| Question::Backup(to.to_owned(), reply))
    }

    /// The id of this device: the owner of the log that this store writes.
    pub fn device(&self) -> DeviceId {
        self.inner.device.get()
    }

    /// The folder that was opened.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// How many transactions this handle has committed: with group commit, fewer than batches.
    pub fn commits(&self) -> u64 {
        self.inner.commits.load(Ordering::Relaxed)
    }

    fn try_write(&self, job: Job) {
        if self.inner.read_only {
            return job.refuse(StoreError::OpenedReadOnly);
        }
        let Some((jobs, _)) = &self.inner.queues else {
            return job.refuse(StoreError::Closed);
        };
        match jobs.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => job.refuse(StoreError::Busy),
            Err(TrySendError::Disconnected(job)) => job.refuse(StoreError::Closed),
        }
    }

    fn try_read(&self, question: Question) {
        let Some((_, questions)) = &self.inner.queues else {
            return question.refuse(StoreError::Closed);
        };
        match questions.try_send(question) {
            Ok(()) => {}
            Err(TrySendError::Full(question)) => question.refuse(StoreError::Busy),
            Err(TrySendError::Disconnected(question)) => question.refuse(StoreError::Closed),
        }
    }

    fn write_wait<T: Send + 'static>(
        &self,
        job: impl FnOnce(Reply<T>) -> Job,
    ) -> Result<T, StoreError> {
        if self.inner.read_only {
            return Err(StoreError::OpenedReadOnly);
        }
        let (jobs, _) = self.inner.queues.as_ref().ok_or(StoreError::Closed)?;
        wait(|reply| jobs.send(job(reply)).is_ok())
    }

    fn read_wait<T: Send + 'static>(
        &self,
        question: impl FnOnce(Reply<T>) -> Question,
    ) -> Result<T, StoreError> {
        let (_, questions) = self.inner.queues.as_ref().ok_or(StoreError::Closed)?;
        wait(|reply| questions.send(question(reply)).is_ok())
    }
}

/// Sends something with a reply and waits for it.
fn wait<T: Send + 'static>(send: impl FnOnce(Reply<T>) -> bool) -> Result<T, StoreError> {
    // One slot for one answer: never full. The waiting side may be gone, which is no concern of the store.
    let (answer, slot) = sync_channel(1);
    let sent = send(Box::new(move |result| drop(answer.send(result))));
    if !sent {
        return Err(StoreError::Closed);
    }
    slot.recv().unwrap_or(Err(StoreError::Closed))
}

impl Inner {
    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), StoreError> {
        // A fault that a test planted holds in the threads of its stores.
        #[cfg(test)]
        let work = {
            let fault = crate::domain::planted::now();
            move || {
                crate::domain::planted::plant(fault);
                work();
            }
        };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map_err(|why| StoreError::io("starting a thread for", &self.folder, &why))?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The writer began first and closes last: only who may write can put the log beside the file away, and with it what
        // was purged there.
        let (jobs, questions) = self.queues.take().unzip();
        drop(questions);
        let mut threads = self.threads.drain(..);
        let writer = threads.next();
        threads.for_each(join);
        drop(jobs);
        writer.into_iter().for_each(join);
    }
}

fn join(thread: JoinHandle<()>) {
    // The last handle may live in a reply, and a thread cannot wait for itself.
    if thread.thread().id() != thread::current().id() {
        // A thread that panicked has nothing left to tell.
        drop(thread.join());
    }
}

/// The version of the SQLite library that is built in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
