//! What must hold for a process that has had the store open for long: the file has the schema that this program knows, it is
//! still the file at its path, and nothing in it was found damaged. Where that ends, nothing more is written.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rusqlite::Connection;

use super::StoreError;
use super::failure::Failure;

/// Looked at by every thread of an open store before it works. Clones share what was found.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    path: PathBuf,
    /// The schema of this program.
    known: i64,
    /// Device and inode of the file that was opened.
    file: Option<(u64, u64)>,
    /// Why this process writes nothing more. Set once, by whoever met the damage first.
    halted: Arc<OnceLock<StoreError>>,
}

impl Watch {
    /// For the file that was just opened at `path`.
    pub(super) fn new(path: &Path, known: i64) -> Self {
        Self {
            path: path.to_owned(),
            known,
            file: identity(path),
            halted: Arc::default(),
        }
    }

    /// Whether this program may go on with what `conn` shows now. Inside a transaction the answer holds until its end.
    /// The schema's number is in the first page, so this costs no read.
    pub(super) fn check(&self, conn: &Connection) -> Result<(), StoreError> {
        let found: i64 = conn
            .prepare_cached("PRAGMA user_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(|why| Failure::Sql(why).at(&self.path))?;
        let what = if found > self.known {
            // Short, so that a narrow window shows what to do as well.
            "a newer Quarterdeck upgraded the store"
        } else if found < self.known {
            "a restore put an older schema here"
        } else if identity(&self.path) != self.file {
            "the store was put away and replaced"
        } else {
            return Ok(());
        };
        Err(StoreError::Changed {
            path: self.path.clone(),
            what: what.to_owned(),
        })
    }

    /// Why nothing may be written any more.
    pub(super) fn halted(&self) -> Option<StoreError> {
        self.halted.get().cloned()
    }

    /// Hears of an error. Damage is the end of all writing: what is written into a damaged file may damage more of it.
    pub(super) fn hear(&self, why: &StoreError) {
        let (StoreError::Damaged { path, .. } | StoreError::NotADatabase { path }) = why else {
            return;
        };
        let detail = match why {
            StoreError::Damaged { detail, .. } => detail.clone(),
            _ => "its first page is not that of a database".to_owned(),
        };
        self.halted.get_or_init(|| StoreError::Halted {
            path: path.clone(),
            detail,
        });
    }
}

/// By stat(2): the file is never opened but by SQLite.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}
