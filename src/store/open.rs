//! Opening the file: who it belongs to, which settings every connection needs, and migrations with a copy beforehand.
//!
//! Nothing here may open `store.db` with `std::fs`; its size and permissions come from stat(2) and chmod(2).

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use rusqlite_migration::{M, Migrations};

use super::StoreError;
use super::failure::{Failure, Outcome};
use super::watch::Watch;
use super::{age, aside, copy, lock, network};
use crate::domain::ids::{DeviceId, EntityId, Mint};

/// The name of the file in its folder.
pub(super) const FILE: &str = "store.db";

/// "QDCK": the mark of our files in SQLite's header.
const APPLICATION_ID: i64 = 1_363_428_171;

/// The first version in which a commit cannot be lost to another process's checkpoint
/// (<https://sqlite.org/wal.html>, "The WAL-Reset Bug").
const LIBRARY_MIN: i32 = 3_051_003;

/// How long a connection waits for another process that writes.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Appended, never edited: each file was run on somebody's data.
const MIGRATIONS: &[M<'_>] = &[
    M::up(include_str!("migrations/0001_first.sql")),
    M::up(include_str!("migrations/0002_kept.sql")),
    M::up(include_str!("migrations/0003_early.sql")),
    M::up(include_str!("migrations/0004_care.sql")),
    M::up(include_str!("migrations/0005_shared.sql")),
];

/// Opens connections to one file, all with the same settings.
#[derive(Clone, Debug)]
pub(super) struct Opener {
    pub(super) path: PathBuf,
    /// The file cannot change and SQLite may make no files beside it: a folder that may not be written.
    frozen: bool,
    /// The newest schema of this program.
    known: i64,
}

/// A file that was examined, made or migrated.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) opener: Opener,
    /// Whose log this store writes.
    pub(super) device: DeviceId,
    /// The connection for the writer thread; it cannot write when the store was opened for reading.
    pub(super) conn: Connection,
    /// What a file of an older schema says, folded into a database of its own; readers read that.
    pub(super) aside: Option<Connection>,
}

/// What is at the path before we touch it.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Ours { version: i64 },
}

impl Opener {
    /// Examines the folder and the file, and makes or migrates it unless `read_only`.
    pub(super) fn prepare(
        folder: &Path,
        read_only: bool,
        seed: fn() -> [u8; 32],
    ) -> Result<Prepared, StoreError> {
        Self::prepare_with(folder, read_only, seed, MIGRATIONS)
    }

    fn prepare_with(
        folder: &Path,
        read_only: bool,
        seed: fn() -> [u8; 32],
        migrations: &[M<'_>],
    ) -> Result<Prepared, StoreError> {
        if rusqlite::version_number() < LIBRARY_MIN {
            return Err(StoreError::OldLibrary {
                found: rusqlite::version().to_owned(),
            });
        }
        if read_only {
            return Self::prepare_reading(folder, migrations, Older::Refuse);
        }
        lock::make_folder(folder)?;
        network::refuse(folder)?;
        let opener = Self {
            known: newest(migrations),
            ..Self::at(&folder.join(FILE))
        };
        // Two processes that find no file, or an old one, must not both make the tables.
        let alone = lock::migration(folder)?;
        let found = opener.examine(migrations)?;
        let mut conn = opener
            .write(found == Found::Nothing)
            .map_err(|why| opener.explain(why))?;
        let device = opener
            .migrate(&mut conn, &found, migrations)
            .and_then(|()| device(&conn, Some(seed)))
            .and_then(|device| age::freshen(&mut conn).map(|_| device))
            .map_err(|why| opener.explain(why))?;
        drop(alone);
        Ok(Prepared {
            opener,
            device,
            conn,
            aside: None,
        })
    }

    /// Opens the file for reading, whether its schema is the newest or an older one.
    pub(super) fn prepare_older(folder: &Path) -> Result<Prepared, StoreError> {
        Self::prepare_reading(folder, MIGRATIONS, Older::Fold)
    }

    fn prepare_reading(
        folder: &Path,
        migrations: &[M<'_>],
        older: Older,
    ) -> Result<Prepared, StoreError> {
        network::refuse(folder)?;
        let newest = newest(migrations);
        let mut opener = Self {
            known: newest,
            ..Self::at(&folder.join(FILE))
        };
        let found = match opener.examine(migrations) {
            Err(StoreError::ReadOnly { .. } | StoreError::Io { .. }) if opener.is_at_rest() => {
                opener.frozen = true;
                opener.examine(migrations)?
            }
            other => other?,
        };
        match found {
            Found::Nothing => Err(StoreError::Refused {
                why: format!(
                    "there is no store in {} yet; start once without --read-only",
                    folder.display()
                ),
            }),
            Found::Ours { version } if version < newest && older == Older::Refuse => {
                Err(StoreError::Refused {
                    why: format!(
                        "{} must be brought up to date first; start once without --read-only",
                        opener.path.display()
                    ),
                })
            }
            Found::Ours { version } => {
                let read = || -> Outcome<_> {
                    let conn = opener.read()?;
                    let device = device(&conn, None)?;
                    let aside = (version < newest).then(|| aside::fold(&conn)).transpose()?;
                    Ok((conn, device, aside))
                };
                let (conn, device, aside) = read().map_err(|why| why.at(&opener.path))?;
                Ok(Prepared {
                    opener,
                    device,
                    conn,
                    aside,
                })
            }
        }
    }

    /// Makes a new store at `path`, which must not exist.
    pub(super) fn make(path: &Path) -> Outcome<Connection> {
        let opener = Self::at(path);
        let mut conn = opener.write(true)?;
        opener.migrate(&mut conn, &Found::Nothing, MIGRATIONS)?;
        Ok(conn)
    }

    /// The file at `path`, whatever it is.
    pub(super) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            frozen: false,
            known: newest(MIGRATIONS),
        }
    }

    /// What is looked at before each piece of work on this file.
    pub(super) fn watch(&self) -> Watch {
        Watch::new(&self.path, self.known)
    }

    /// A connection to another store than the one of this home, such as a backup, for reading.
    ///
    /// # Errors
    /// It is no store of ours, or a newer program's.
    pub(super) fn other(path: &Path) -> Result<Connection, StoreError> {
        let mut opener = Self::at(path);
        let found = match opener.examine(MIGRATIONS) {
            // A backup may lie where nothing can be written.
            Err(StoreError::ReadOnly { .. } | StoreError::Io { .. }) if opener.is_at_rest() => {
                opener.frozen = true;
                opener.examine(MIGRATIONS)?
            }
            other => other?,
        };
        match found {
            Found::Nothing => Err(StoreError::Refused {
                why: format!(
                    "there is no store at {}; name a backup that `qd backup` made",
                    path.display()
                ),
            }),
            Found::Ours { .. } => opener.read().map_err(|why| opener.explain(why)),
        }
    }

    /// A connection that may write. `fresh` is a file that we have just made.
    pub(super) fn write(&self, fresh: bool) -> Outcome<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&self.path, flags)?;
        if fresh {
            // By name, not through a descriptor. SQLite gives the files beside it the same permissions.
            fs::set_permissions(&self.path, fs::Permissions::from_mode(0o600))
                .map_err(|why| StoreError::io("protecting", &self.path, &why))?;
        }
        if fresh {
            // Before the first table: later it would take writing the whole file anew.
            conn.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
        }
        settings(&conn)?;
        let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(Failure::refused(format!(
                "{} cannot be used by several processes at once on this file system (SQLite offers only {mode}); name \
                 a folder on a local disk with --home",
                self.path.display()
            )));
        }
        Ok(conn)
    }

    /// A connection that can only read.
    pub(super) fn read(&self) -> Outcome<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = if self.frozen {
            let uri = format!("file:{}?immutable=1", escape(&self.path));
            Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
        } else {
            Connection::open_with_flags(&self.path, flags)?
        };
        settings(&conn)?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(conn)
    }

    /// Looks at the file without changing a byte of it.
    fn examine(&self, migrations: &[M<'_>]) -> Result<Found, StoreError> {
        match fs::metadata(&self.path) {
            Ok(meta) if meta.is_dir() => {
                return Err(StoreError::NotADatabase {
                    path: self.path.clone(),
                });
            }
            Ok(meta) if meta.len() > 0 => {}
            Ok(_) => return Ok(Found::Nothing),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(why) => return Err(StoreError::io("examining", &self.path, &why)),
        }
        let read = || -> Outcome<(i64, i64, i64)> {
            let conn = self.read()?;
            Ok((
                conn.query_row("PRAGMA application_id", [], |row| row.get(0))?,
                conn.query_row("PRAGMA user_version", [], |row| row.get(0))?,
                conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
            ))
        };
        let (application, version, tables) = read().map_err(|why| self.explain(why))?;
        let known = newest(migrations);
        match (application, version, tables) {
            // A process died between making the file and filling it.
            (0, 0, 0) => Ok(Found::Nothing),
            (APPLICATION_ID, found, _) if found > known => Err(StoreError::Newer {
                path: self.path.clone(),
                found,
                known,
            }),
            (APPLICATION_ID, version, _) if version > 0 => Ok(Found::Ours { version }),
            _ => Err(StoreError::Foreign {
                path: self.path.clone(),
            }),
        }
    }

    fn migrate(&self, conn: &mut Connection, found: &Found, migrations: &[M<'_>]) -> Outcome<()> {
        let newest = newest(migrations);
        match found {
            Found::Ours { version } if *version == newest => return Ok(()),
            Found::Ours { version } => {
                // A copy of before is kept: it may be of another store that was restored here.
                let to = copy::free(&self.path, &format!("store-schema-{version}"))?;
                copy::copy(conn, &to)?;
            }
            Found::Nothing => {}
        }
        Migrations::from_slice(migrations)
            .to_latest(conn)
            .map_err(|why| match why {
                rusqlite_migration::Error::RusqliteError { err, .. } => Failure::Sql(err),
                other => Failure::Store(StoreError::Io {
                    attempt: format!("bringing {} up to date", self.path.display()),
                    why: other.to_string(),
                }),
            })
    }

    /// SQLite says "unable to open" of everything; the system knows better why.
    fn explain(&self, why: Failure) -> StoreError {
        let cannot_open = matches!(
            &why,
            Failure::Sql(rusqlite::Error::SqliteFailure(code, _)) if code.code == rusqlite::ErrorCode::CannotOpen
        );
        let folder = self.path.parent().unwrap_or(&self.path);
        if cannot_open && rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_err() {
            return StoreError::ReadOnly {
                path: self.path.clone(),
            };
        }
        why.at(&self.path)
    }

    /// Whether everything is in the main file: no process left pages in the log beside it.
    fn is_at_rest(&self) -> bool {
        let mut wal = self.path.clone().into_os_string();
        wal.push("-wal");
        fs::metadata(wal).map_or(true, |meta| meta.len() == 0) && self.path.is_file()
    }
}

/// What is done with a file of an older schema when it is only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Older {
    Refuse,
    /// Its log is folded into a temporary database.
    Fold,
}

fn newest(migrations: &[M<'_>]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

/// A store in `folder` as a program wrote it that knew only the first `count` schemas.
#[cfg(test)]
pub(super) fn as_of(folder: &Path, count: usize) -> Result<Prepared, StoreError> {
    let first = MIGRATIONS.get(..count).unwrap_or(MIGRATIONS);
    Opener::prepare_with(folder, false, || [1; 32], first)
}

/// How many schemas there were.
#[cfg(test)]
pub(super) const SCHEMAS: usize = MIGRATIONS.len();

/// Lets the exam of power cuts see what another setting would cost.
#[cfg(test)]
pub(super) const DURABILITY: &str = "QD_TEST_SYNCHRONOUS";

/// An empty store in a file without a name, which goes when it is closed (<https://sqlite.org/inmemorydb.html#temp_db>).
pub(super) fn temporary() -> Outcome<Connection> {
    let mut conn = Connection::open("")?;
    conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -65536")?;
    Migrations::from_slice(MIGRATIONS)
        .to_latest(&mut conn)
        .map_err(|why| StoreError::Io {
            attempt: "making tables in a temporary file".to_owned(),
            why: why.to_string(),
        })?;
    Ok(conn)
}

/// What every connection needs: all of these belong to the connection, not to the file.
fn settings(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(PATIENCE)?;
    // What is freed is written over with zeros, so that what was purged is in no free page.
    // FULL, because NORMAL loses acknowledged transactions when the power fails.
    conn.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cache_size = -65536;
         PRAGMA secure_delete = ON;",
    )?;
    #[cfg(test)]
    if let Ok(durability) = std::env::var(DURABILITY) {
        conn.execute_batch(&format!("PRAGMA synchronous = {durability}"))?;
    }
    // These answer with a row, which `execute_batch` would take for an error in some builds.
    conn.query_row("PRAGMA mmap_size = 0", [], |_| Ok(()))
        .optional()?;
    Ok(())
}

/// The id of this device, drawn on the file's first day.
pub(super) fn device(conn: &Connection, seed: Option<fn() -> [u8; 32]>) -> Outcome<DeviceId> {
    let stored = |conn: &Connection| {
        conn.prepare_cached("SELECT value FROM meta WHERE name = 'device'")?
            .query_row([], |row| row.get::<_, [u8; 16]>(0))
            .optional()
    };
    if let Some(bytes) = stored(conn)? {
        return Ok(DeviceId(EntityId::from_bytes(bytes)));
    }
    let Some(seed) = seed else {
        return Err(Failure::refused(
            "this store has never been written; start once without --read-only",
        ));
    };
    let device = DeviceId(Mint::new(seed()).entity());
    conn.execute(
        "INSERT INTO meta (name, value) VALUES ('device', ?1)",
        params![device.0.as_bytes()],
    )?;
    Ok(device)
}

/// A path in a URI (<https://sqlite.org/uri.html>).
fn escape(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    #[test]
    fn an_older_file_is_copied_before_it_is_migrated() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let Prepared { device, conn, .. } = Opener::prepare(folder.path(), false, || [1; 32])?;
        drop(conn);
        let mut later = MIGRATIONS.to_vec();
        later.push(M::up(
            "CREATE TABLE shelf (x INTEGER) STRICT; INSERT INTO shelf VALUES (7);",
        ));
        let Prepared {
            opener,
            device: same,
            conn,
            ..
        } = Opener::prepare_with(folder.path(), false, || [2; 32], &later)?;
        assert_eq!(same, device);
        let value: i64 = conn.query_row("SELECT x FROM shelf", [], |row| row.get(0))?;
        assert_eq!(value, 7);
        let known = i64::try_from(MIGRATIONS.len())?;
        let copy = Connection::open(folder.path().join(format!("store-schema-{known}.db")))?;
        let version: i64 = copy.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        assert_eq!(version, known);
        // The program of before meets the file of after.
        let why = Opener::prepare(folder.path(), false, || [1; 32]).err();
        assert_eq!(
            why,
            Some(StoreError::Newer {
                path: opener.path.clone(),
                found: known + 1,
                known
            })
        );
        Ok(())
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        drop(Opener::prepare(folder.path(), false, || [1; 32])?);
        let mut broken = MIGRATIONS.to_vec();
        broken.push(M::up(
            "CREATE TABLE shelf (x); INSERT INTO nowhere VALUES (1);",
        ));
        let why = Opener::prepare_with(folder.path(), false, || [1; 32], &broken).err();
        assert!(matches!(why, Some(StoreError::Io { .. })), "{why:?}");
        let Prepared { conn, .. } = Opener::prepare(folder.path(), false, || [1; 32])?;
        assert!(conn.prepare("SELECT * FROM shelf").is_err());
        Ok(())
    }

    #[test]
    fn a_frozen_file_is_read_without_files_beside_it() -> Result<(), Box<dyn Error>> {
        let outer = tempfile::tempdir()?;
        let folder = outer.path().join("with space?&%");
        let Prepared {
            opener,
            device,
            conn,
            ..
        } = Opener::prepare(&folder, false, || [1; 32])?;
        drop(conn);
        let frozen = Opener {
            frozen: true,
            ..Opener::at(&opener.path)
        };
        let conn = frozen.read().map_err(|why| why.at(&frozen.path))?;
        let read = super::device(&conn, None).map_err(|why| why.at(&frozen.path))?;
        assert_eq!(read, device);
        assert!(!folder.join("store.db-shm").exists());
        assert!(frozen.is_at_rest());
        Ok(())
    }
}
