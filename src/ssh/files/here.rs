//! Files on this machine, for threads that may block. Nothing here knows of hosts.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, OFlags};

use crate::domain::files::FileKind;

use super::fault::Fault;
use super::side::{Entry, Meta};

/// Does blocking work on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(Fault::from),
        // The runtime ends.
        Err(_) => Err(Fault::Stopped),
    }
}

pub(crate) fn path(bytes: &[u8]) -> &Path {
    let bytes = if bytes.is_empty() { b"." } else { bytes };
    Path::new(OsStr::from_bytes(bytes))
}

pub(crate) fn stat(bytes: &[u8], follow: bool) -> io::Result<Meta> {
    let path = path(bytes);
    let meta = if follow {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    };
    meta.map(|meta| known(&meta))
}

/// What a file's metadata say.
pub(crate) fn known(meta: &Metadata) -> Meta {
    let kind = meta.file_type();
    Meta {
        kind: if kind.is_dir() {
            FileKind::Folder
        } else if kind.is_symlink() {
            FileKind::Link
        } else if kind.is_file() {
            FileKind::File
        } else {
            FileKind::Other
        },
        stream: kind.is_char_device() || kind.is_fifo(),
        size: meta.size(),
        mode: meta.mode() & 0o7777,
        accessed: Some(meta.atime()),
        modified: Some(meta.mtime()),
        owner: Some((meta.uid(), meta.gid())),
        links: Some(meta.nlink()),
    }
}

pub(crate) fn list(bytes: &[u8]) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path(bytes))? {
        let entry = entry?;
        // It may vanish between the two; then it is no longer there.
        let Ok(meta) = entry.metadata() else { continue };
        entries.push(Entry {
            name: entry.file_name().into_vec(),
            owner: None,
            meta: known(&meta),
        });
    }
    Ok(entries)
}

pub(crate) fn resolve(bytes: &[u8]) -> io::Result<Vec<u8>> {
    Ok(fs::canonicalize(path(bytes))?.into_os_string().into_vec())
}

/// Opens a file to be read. It does not wait for a writer of a pipe.
pub(crate) fn read(bytes: &[u8]) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(flags(OFlags::NONBLOCK))
        .open(path(bytes))
}

/// Makes a file that must not be there yet; nothing that lies there, be it a link, is written through.
pub(crate) fn create(bytes: &[u8], mode: u32) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path(bytes))?;
    lock(&file)?;
    Ok(file)
}

/// Two copies must not write one partial file: the one that is done first would give the name to the other's half.
fn lock(file: &File) -> io::Result<()> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(io::Error::other(
            "another copy to the same name is under way",
        )),
        // File systems without locks are used without.
        Err(_) => Ok(()),
    }
}

/// Removes a partial file that nobody writes any more.
pub(crate) fn clear(bytes: &[u8]) -> io::Result<()> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK))
        .open(path(bytes));
    if let Ok(file) = opened {
        lock(&file)?;
    }
    fs::remove_file(path(bytes))
}

/// Opens a partial file of ours to go on with it: a plain file, no link, nobody else's.
pub(crate) fn go_on(bytes: &[u8]) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK))
        .open(path(bytes))?;
    let meta = file.metadata()?;
    let mine = meta.uid() == rustix::process::geteuid().as_raw();
    if meta.is_file() && mine && meta.nlink() == 1 {
        lock(&file)?;
        Ok(file)
    } else {
        Err(io::Error::other("its partial file is not ours"))
    }
}

/// Opens a file to be written where it stands.
pub(crate) fn overwrite(bytes: &[u8], mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path(bytes))
}

fn flags(flags: OFlags) -> i32 {
    // The bits of open(2) fit by definition.
    i32::try_from(flags.bits()).unwrap_or(0)
}

pub(crate) fn make_folder(bytes: &[u8], mode: u32) -> io::Result<()> {
    fs::DirBuilder::new().mode(mode).create(path(bytes))
}

/// Sets what is given on an open file or folder; times are seconds since 1970, access first.
pub(crate) fn set(file: &File, mode: Option<u32>, times: Option<(i64, i64)>) -> io::Result<()> {
    if let Some((accessed, modified)) = times {
        let times = FileTimes::new()
            .set_accessed(moment(accessed))
            .set_modified(moment(modified));
        file.set_times(times)?;
    }
    if let Some(mode) = mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Gives a file to somebody.
pub(crate) fn give(file: &File, owner: (u32, u32)) -> io::Result<()> {
    std::os::unix::fs::fchown(file, Some(owner.0), Some(owner.1))
}

fn moment(seconds: i64) -> SystemTime {
    let far = Duration::from_secs(seconds.unsigned_abs());
    let moment = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(far)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(far)
    };
    moment.unwrap_or(SystemTime::UNIX_EPOCH)
}
