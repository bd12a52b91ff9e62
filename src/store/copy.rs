//! Copies of the whole database: of one moment, complete under their own names or not there, and never over another file.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::failure::Outcome;
use super::open::{FILE, Opener};
use super::{StoreError, lock, network};

/// Copies the store in `folder` into the new file `to`, while everybody goes on working. Its schema may be an older one:
/// a copy needs none, and the time for one is before an upgrade.
///
/// # Errors
/// There is no store, it is a newer program's, or `to` exists already or cannot be written.
pub fn backup(folder: &Path, to: &Path) -> Result<(), StoreError> {
    if to.symlink_metadata().is_ok() {
        return Err(taken(to));
    }
    let live = folder.join(FILE);
    if !live.exists() {
        return Err(StoreError::Refused {
            why: format!(
                "there is no store in {} yet, so there is nothing to copy",
                folder.display()
            ),
        });
    }
    network::refuse(folder)?;
    let conn = Opener::other(&live)?;
    copy(&conn, to).map_err(|why| why.at(&live))
}

/// Why nothing was written to a name that something has.
pub(super) fn taken(to: &Path) -> StoreError {
    StoreError::Refused {
        why: format!(
            "{} exists already and was left alone; name another file",
            to.display()
        ),
    }
}

/// Copies a live database into the new file `to`, which must not exist.
pub(super) fn copy(from: &Connection, to: &Path) -> Outcome<()> {
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    remove_left(folder, &name);
    // A name of its own, so that two copies at once do not meet. The descriptor is closed before SQLite opens the file.
    let part = tempfile::Builder::new()
        .prefix(&format!(".{name}.{}.", std::process::id()))
        .suffix(PART)
        .tempfile_in(folder)
        .map_err(|why| StoreError::io("making a file in", folder, &why))?
        .into_temp_path();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let fill = || -> Outcome<()> {
        let mut target = Connection::open_with_flags(&part, flags)?;
        // All pages in one step, so that the copy is of one moment and no commit makes it begin again.
        if Backup::new(from, &mut target)?.step(-1)? != StepResult::Done {
            return Err(StoreError::Busy.into());
        }
        // A copy in one file, without a log beside it.
        target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        Ok(())
    };
    fill().map_err(|why| why.at(&part))?;
    put(&part, to)?;
    // The bytes were flushed by SQLite; the name is in the folder.
    lock::flush_folder(folder)?;
    Ok(())
}

/// How the name of a copy ends that is not whole.
const PART: &str = ".part";

/// Removes what copies to this name left that were killed on the way. Those of living processes are left alone.
fn remove_left(folder: &Path, name: &str) {
    let prefix = format!(".{name}.");
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let owner = file
            .to_str()
            .and_then(|file| file.strip_prefix(&prefix)?.strip_suffix(PART))
            .and_then(|rest| rest.split('.').next()?.parse().ok())
            .and_then(rustix::process::Pid::from_raw);
        let dead = owner.is_some_and(|owner| {
            rustix::process::test_kill_process(owner) == Err(rustix::io::Errno::SRCH)
        });
        if dead {
            // Somebody else may have been quicker; what stays takes room and nothing else.
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Gives a finished copy its name, unless something has it.
fn put(part: &Path, to: &Path) -> Result<(), StoreError> {
    use std::io::ErrorKind::AlreadyExists;
    let done = fs::hard_link(part, to).or_else(|why| {
        if why.kind() == AlreadyExists {
            return Err(why);
        }
        // FAT knows no links; there the kernel renames without replacing.
        rename_new(part, to).or_else(|why| {
            if why.kind() == AlreadyExists || to.symlink_metadata().is_ok() {
                return Err(AlreadyExists.into());
            }
            // A file system in user space may know neither. It was looked whether the name is free, which is all it offers.
            fs::rename(part, to)
        })
    });
    done.map_err(|why| {
        if why.kind() == AlreadyExists {
            taken(to)
        } else {
            StoreError::io("writing the copy", to, &why)
        }
    })
}

#[cfg(target_os = "linux")]
fn rename_new(from: &Path, to: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags};
    rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(Into::into)
}

#[cfg(not(target_os = "linux"))]
fn rename_new(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The first name beside the store that nothing has: `stem.db`, or `stem-2.db` and so on.
pub(super) fn free(live: &Path, stem: &str) -> Result<PathBuf, StoreError> {
    let first = live.with_file_name(format!("{stem}.db"));
    let more = (2..10_000).map(|number| live.with_file_name(format!("{stem}-{number}.db")));
    std::iter::once(first)
        .chain(more)
        .find(|path| path.symlink_metadata().is_err())
        .ok_or_else(|| StoreError::Refused {
            why: format!(
                "9,999 copies called {stem} are beside {} already; remove those that nobody needs",
                live.display()
            ),
        })
}
