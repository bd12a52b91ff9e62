//! The store: an operation log and its projections in SQLite, with one writer thread and read-only readers.
//!
//! Nobody but this room opens `store.db`, and nobody at all opens it with `std::fs`: closing any descriptor of the file
//! drops the locks that SQLite holds in this process.

mod ask;
mod error;
pub mod lock;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::ids::DeviceId;
use crate::domain::time::Time;

pub use ask::{
    Answer, Ask, Batch, COUNT_CAP, Committed, Conflict, DoctorLine, DoctorReport, FileStamps,
    Local, Logged,
};
pub use error::StoreError;

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
    /// Called on a thread of the store after another process committed something. It must not block.
    pub changed: Option<Box<dyn Fn() + Send + 'static>>,
}

struct Inner {
    folder: PathBuf,
    device: DeviceId,
}

impl Store {
    /// Opens the store in `folder`, making and migrating it when that is needed. `seed` is asked once in a folder's
    /// life, for the id of this device.
    pub fn open(
        folder: &Path,
        now: fn() -> Time,
        seed: fn() -> [u8; 32],
        options: Options,
    ) -> Result<Self, StoreError> {
        drop((now, options));
        let device = DeviceId(crate::domain::ids::Mint::new(seed()).entity());
        Ok(Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                device,
            }),
        })
    }

    /// Queues `batch` and returns at once; `reply` is called on a thread of the store when the batch is on the disk or
    /// was refused.
    pub fn append(
        &self,
        batch: Batch,
        reply: impl FnOnce(Result<Committed, StoreError>) + Send + 'static,
    ) {
        drop(batch);
        reply(Err(StoreError::Closed));
    }

    /// Writes `batch` and waits until it is on the disk.
    pub fn append_wait(&self, batch: Batch) -> Result<Committed, StoreError> {
        drop(batch);
        Err(StoreError::Closed)
    }

    /// Queues a question and returns at once; `reply` is called on a thread of the store.
    pub fn ask(&self, ask: Ask, reply: impl FnOnce(Result<Answer, StoreError>) + Send + 'static) {
        drop(ask);
        reply(Err(StoreError::Closed));
    }

    /// Asks and waits for the answer.
    pub fn ask_wait(&self, ask: Ask) -> Result<Answer, StoreError> {
        drop(ask);
        Err(StoreError::Closed)
    }

    /// The id of this device: the owner of the log that this store writes.
    pub fn device(&self) -> DeviceId {
        self.inner.device
    }

    /// The folder that was opened.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }
}
