//! Liveness: a process holds a lock file for as long as it works on a run or owns a session.
//!
//! flock(2) locks belong to an open file description, so a second hold in the same process conflicts as one of another
//! process does, and the kernel releases the lock however the process ends. They are passed on to children until these execute
//! a program, so whoever is done unlocks in words and does not only close.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::StoreError;
use crate::domain::ids::EntityId;

/// Proof that this process works on something. Dropping it, or the end of the process, tells everybody that it stopped.
#[derive(Debug)]
pub struct Held {
    file: File,
}

impl Held {
    /// Takes over a file that is locked already, to release it when it is dropped.
    pub fn of(file: File) -> Self {
        Self { file }
    }
}

impl Drop for Held {
    /// Says so to the kernel: closing alone would leave the lock to a child that another thread has just forked and that
    /// has not come to its `exec` yet.
    fn drop(&mut self) {
        // The descriptor is closed next, and with the process the lock ends in any case.
        flock(&self.file, FlockOperation::Unlock).ok();
    }
}

/// Takes the lock of `id`. [`StoreError::Busy`] when somebody has it.
pub fn hold(folder: &Path, id: EntityId) -> Result<Held, StoreError> {
    let path = path(folder, id);
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    let file = open(&path).map_err(|why| StoreError::io("opening", &path, &why))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Held::of(file)),
            Err(Errno::WOULDBLOCK) => {}
            Err(why) => return Err(StoreError::io("locking", &path, &io::Error::from(why))),
        }
        // Somebody who only looks has a shared lock for a moment, and does not count. An owner's lock is exclusive.
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => std::thread::yield_now(),
            Err(Errno::WOULDBLOCK) => return Err(StoreError::Busy),
            Err(why) => return Err(StoreError::io("locking", &path, &io::Error::from(why))),
        }
    }
}

/// Whether somebody holds the lock of `id`. What cannot be examined counts as held, so that a living run is never
/// condemned by mistake.
pub fn is_held(folder: &Path, id: EntityId) -> bool {
    let path = path(folder, id);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(why) => return why.kind() != io::ErrorKind::NotFound,
    };
    // A shared try is enough to see an exclusive holder, and two readers that look at once do not see each other.
    flock(&file, FlockOperation::NonBlockingLockShared).is_err()
}

/// Waits for the lock that only one process may hold while it makes or migrates the file.
pub(super) fn migration(folder: &Path) -> Result<Held, StoreError> {
    let parent = folder.join("locks");
    make_folder(&parent)?;
    let path = parent.join("migration");
    let file = open(&path).map_err(|why| StoreError::io("opening", &path, &why))?;
    flock(&file, FlockOperation::LockExclusive)
        .map_err(|why| StoreError::io("locking", &path, &io::Error::from(why)))?;
    Ok(Held::of(file))
}

/// Makes a folder that only its owner may enter, if it is not there.
pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|why| StoreError::io("making the folder", path, &why))
}

/// Flushes the names in a folder, so that a file that was put there is there after a power cut (fsync(2)).
pub(super) fn flush_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(|why| StoreError::io("flushing the folder", folder, &why))
}

fn open(path: &Path) -> io::Result<File> {
    // The file stays when the lock is released: removing it would let two processes lock two files of one name.
    OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn path(folder: &Path, id: EntityId) -> PathBuf {
    folder.join("locks").join(id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_lock_is_seen_until_it_is_dropped() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let id = EntityId::derived("run", "one");
        assert!(!is_held(folder.path(), id));
        let held = hold(folder.path(), id)?;
        assert!(is_held(folder.path(), id));
        assert_eq!(hold(folder.path(), id).err(), Some(StoreError::Busy));
        assert!(!is_held(folder.path(), EntityId::derived("run", "two")));
        drop(held);
        assert!(!is_held(folder.path(), id));
        let again = hold(folder.path(), id)?;
        let mode = std::fs::metadata(folder.path().join("locks"))?
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(again);
        Ok(())
    }

    #[test]
    fn a_copy_of_the_descriptor_keeps_nothing_locked() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let id = EntityId::derived("run", "one");
        let held = hold(folder.path(), id)?;
        // What a child has between fork and exec.
        let copy = held.file.try_clone()?;
        drop(held);
        assert!(!is_held(folder.path(), id));
        drop(copy);
        Ok(())
    }
}
