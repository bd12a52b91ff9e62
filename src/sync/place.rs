//! Files of our own beside the store: the keys and the description of the space. Written whole and durably, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::SyncError;
use crate::store::lock::Held;

/// Longer than any file of ours.
const FILE_MAX: u64 = 64 << 10;

/// Reads a file that only its owner may read; `None` when it is not there.
pub(crate) fn read_secret(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, SyncError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(failed("reading", path, &why)),
    };
    let meta = file
        .metadata()
        .map_err(|why| failed("examining", path, &why))?;
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(SyncError::refused(format!(
            "{} can be read by others; check who did, then `chmod 600` it",
            path.display()
        )));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(FILE_MAX)
        .read_to_end(&mut bytes)
        .map_err(|why| failed("reading", path, &why))?;
    Ok(Some(bytes))
}

/// Writes a file that only its owner may read, in a folder that only its owner may enter.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), SyncError> {
    let folder = path.parent().unwrap_or(path);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|why| failed("making", folder, &why))?;
    let part = path.with_extension("part");
    // What an interrupted write left.
    drop(fs::remove_file(&part));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|why| failed("writing", path, &why))
}

/// Takes the lock on syncing this store; it ends with what is returned. Two processes at once would be safe for the log but not for
/// a machine that is just getting a new device id.
pub(crate) fn lock(folder: &Path) -> Result<Held, SyncError> {
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|why| failed("opening", &path, &why))?;
    match file.try_lock() {
        Ok(()) => Ok(Held::of(file)),
        Err(fs::TryLockError::WouldBlock) => Err(SyncError::Elsewhere),
        Err(fs::TryLockError::Error(why)) => Err(failed("locking", &path, &why)),
    }
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove(path: &Path) -> Result<(), SyncError> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(failed("removing", path, &why)),
        _ => Ok(()),
    }
}

fn failed(attempt: &str, path: &Path, why: &std::io::Error) -> SyncError {
    SyncError::Local {
        attempt: format!("{attempt} {}", path.display()),
        why: why.to_string(),
    }
}
