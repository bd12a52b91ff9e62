//! What can go wrong with the store, in words that say what to do next.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

/// Why the store could not be opened, read or written. Nothing that was acknowledged is ever lost by any of them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Nothing has this name or reference.
    #[error("there is no {what} {reference:?}; list them to see what there is")]
    NotFound {
        /// `ticket`, `host`, `run` or `session`.
        what: &'static str,
        /// As the caller wrote it.
        reference: String,
    },
    /// Two things share a reference since a sync, or the reference was cut too short.
    #[error("{reference} could be any of {}; use one of these longer forms", longer.join(", "))]
    Ambiguous {
        /// As the caller wrote it.
        reference: String,
        /// A form of each that is unique.
        longer: Vec<String>,
    },
    /// A newer program wrote the file.
    #[error(
        "{} was written by a newer Quarterdeck (its schema is {found}, this program knows {known}); update this program, \
         nothing was changed", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema of this program.
        known: i64,
    },
    /// Another program's database.
    #[error(
        "{} belongs to another program; move it away or name another folder with --home, nothing was changed", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// No database at all.
    #[error(
        "{} is not a database; move it away or name another folder with --home, nothing was changed", path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder may not be written.
    #[error(
        "{} may not be written; give this account write permission on the folder and everything in it, or start with \
         --read-only", path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The store was opened for reading and somebody tried to write.
    #[error(
        "the store was opened with --read-only, so nothing was written; start without it to change things"
    )]
    OpenedReadOnly,
    /// No space left.
    #[error(
        "the disk that holds {} is full, so the last change was not stored; free some space and try again, everything \
         acknowledged before is safe", path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The folder is on a network file system.
    #[error(
        "{} is on {kind}, where a database can be damaged; name a folder on a local disk with --home or QD_HOME", path.display()
    )]
    NetworkFs {
        /// The folder.
        path: PathBuf,
        /// The sort of file system.
        kind: &'static str,
    },
    /// Another process held the write lock for too long, or too many writes wait.
    #[error("the store is busy with other writes, so this one was not stored; try again")]
    Busy,
    /// The file is damaged.
    #[error(
        "{} is damaged ({detail}); restore the last backup with `qd restore FILE`, or read what can be read into a new file \
         with `qd doctor --salvage NEW.db`; both leave the damaged file as it is", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The index of words alone is damaged.
    #[error(
        "the search index in {} is damaged, so this was not done; `qd doctor --repair` makes it anew from the log", path.display()
    )]
    Index {
        /// The file.
        path: PathBuf,
    },
    /// Damage was met before, and this process writes nothing more.
    #[error(
        "{} was found damaged ({detail}), so this program writes nothing more to it and the last change was not stored; \
         look with `qd doctor`, then restore the last backup with `qd restore FILE` or read what can be read with \
         `qd doctor --salvage NEW.db`", path.display()
    )]
    Halted {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// Another process made something else of the file while this one had it open.
    #[error(
        "{what}; end this program (`qd server stop` ends the app) and start it again. What was asked was not done, \
         everything acknowledged before is safe in {}", path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// What became of it, in words.
        what: String,
    },
    /// The request made no sense; the text says why.
    #[error("{why}")]
    Refused {
        /// What is wrong with it and what would be right.
        why: String,
    },
    /// The store was closed before it answered.
    #[error("the store has been closed, so the request was not done; start the program again")]
    Closed,
    /// The database library is older than its last known data loss.
    #[error(
        "this program was built with SQLite {found}, which can lose commits; build it with the bundled library (3.51.3 or later)"
    )]
    OldLibrary {
        /// The version found.
        found: String,
    },
    /// Anything else that the system said.
    #[error("{attempt} failed: {why}; check the disk and the folder's permissions, then try again")]
    Io {
        /// What was attempted.
        attempt: String,
        /// What the system said.
        why: String,
    },
}

impl StoreError {
    /// Whether trying the same again is pointless.
    pub const fn is_permanent(&self) -> bool {
        !matches!(self, Self::Busy | Self::Full { .. } | Self::Io { .. })
    }

    /// An error of the file system while `attempt`ing something with `path`.
    pub(super) fn io(attempt: &str, path: &Path, why: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        match why.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::ReadOnly {
                path: path.to_owned(),
            },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full {
                path: path.to_owned(),
            },
            _ => Self::Io {
                attempt: format!("{attempt} {}", path.display()),
                why: why.to_string(),
            },
        }
    }

    /// An error of SQLite on the file `path`.
    pub(super) fn sqlite(path: &Path, why: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let rusqlite::Error::SqliteFailure(code, text) = why else {
            return Self::Io {
                attempt: format!("reading {}", path.display()),
                why: why.to_string(),
            };
        };
        match code.code {
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly { path },
            ErrorCode::DiskFull => Self::Full { path },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::NotADatabase => Self::NotADatabase { path },
            // Its tables are folded from the log, so there is no reason to stop writing that.
            ErrorCode::DatabaseCorrupt
                if code.extended_code == rusqlite::ffi::SQLITE_CORRUPT_VTAB =>
            {
                Self::Index { path }
            }
            ErrorCode::DatabaseCorrupt => Self::Damaged {
                path,
                detail: text.clone().unwrap_or_else(|| why.to_string()),
            },
            // A journal that cannot grow is an input-output error to SQLite; the disk says whether it is full.
            _ if is_full(&path) => Self::Full { path },
            _ => Self::Io {
                attempt: format!("working on {}", path.display()),
                why: text.clone().unwrap_or_else(|| why.to_string()),
            },
        }
    }
}

/// Whether the file system of `path` has no room left for us.
fn is_full(path: &Path) -> bool {
    let folder = path.parent().unwrap_or(path);
    rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_blocks > 0 && disk.f_bavail == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_to_do_and_name_no_types() {
        let path = PathBuf::from("/srv/store.db");
        for (error, part) in [
            (StoreError::Full { path: path.clone() }, "free some space"),
            (StoreError::ReadOnly { path: path.clone() }, "--read-only"),
            (StoreError::Busy, "try again"),
            (StoreError::Foreign { path: path.clone() }, "--home"),
            (
                StoreError::Ambiguous {
                    reference: "T-7K3F".into(),
                    longer: vec!["T-7K3FA".into(), "T-7K3FB".into()],
                },
                "T-7K3FA, T-7K3FB",
            ),
        ] {
            let text = error.to_string();
            assert!(text.contains(part), "{text}");
            assert!(
                !text.contains("StoreError") && !text.contains("rusqlite"),
                "{text}"
            );
        }
        assert!(!StoreError::Busy.is_permanent());
        assert!(StoreError::NotADatabase { path }.is_permanent());
    }
}
