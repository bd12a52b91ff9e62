//! Opening the file: who it belongs to, which settings every connection needs, and migrations with a copy beforehand.
//!
//! Nothing here may open `store.db` with `std::fs`; its size and permissions come from stat(2) and chmod(2).

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use rusqlite_migration::{M, Migrations};

use super::StoreError;
use super::failure::{Failure, Outcome};
use super::lock;
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
}

/// A file that was examined, made or migrated.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) opener: Opener,
    /// Whose log this store writes.
    pub(super) device: DeviceId,
    /// The connection for the writer thread; it cannot write when the store was opened for reading.
    pub(super) conn: Connection,
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
            return Self::prepare_reading(folder, migrations);
        }
        lock::make_folder(folder)?;
        refuse_network(folder)?;
        let opener = Self {
            path: folder.join(FILE),
            frozen: false,
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
            .map_err(|why| opener.explain(why))?;
        drop(alone);
        Ok(Prepared {
            opener,
            device,
            conn,
        })
    }

    fn prepare_reading(folder: &Path, migrations: &[M<'_>]) -> Result<Prepared, StoreError> {
        refuse_network(folder)?;
        let mut opener = Self {
            path: folder.join(FILE),
            frozen: false,
        };
        let found = match opener.examine(migrations) {
            Err(StoreError::ReadOnly { .. } | StoreError::Io { .. }) if opener.is_at_rest() => {
                opener.frozen = true;
                opener.examine(migrations)?
            }
            other => other?,
        };
        let newest = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
        match found {
            Found::Nothing => Err(StoreError::Refused {
                why: format!(
                    "there is no store in {} yet; start once without --read-only",
                    folder.display()
                ),
            }),
            Found::Ours { version } if version < newest => Err(StoreError::Refused {
                why: format!(
                    "{} must be brought up to date first; start once without --read-only",
                    opener.path.display()
                ),
            }),
            Found::Ours { .. } => {
                let conn = opener.read().map_err(|why| why.at(&opener.path))?;
                let device = device(&conn, None).map_err(|why| why.at(&opener.path))?;
                Ok(Prepared {
                    opener,
                    device,
                    conn,
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
        }
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
        let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
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
        let newest = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
        match found {
            Found::Ours { version } if *version == newest => return Ok(()),
            Found::Ours { version } => {
                let copy = self
                    .path
                    .with_file_name(format!("store-schema-{version}.db"));
                backup(conn, &copy)?;
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

/// Copies a live database into the new file `to`, which must not exist.
pub(super) fn backup(from: &Connection, to: &Path) -> Outcome<()> {
    let part = to.with_extension("part");
    // What an interrupted copy left; a copy is complete only under its own name.
    match fs::remove_file(&part) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::io("removing", &part, &why).into());
        }
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copy = || -> Outcome<()> {
        let mut target = Connection::open_with_flags(&part, flags)?;
        // All pages in one step, so that the copy is of one moment and no commit makes it begin again.
        if Backup::new(from, &mut target)?.step(-1)? != StepResult::Done {
            return Err(StoreError::Busy.into());
        }
        // A copy in one file, without a log beside it.
        target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        Ok(())
    };
    copy().map_err(|why| why.at(&part))?;
    fs::set_permissions(&part, fs::Permissions::from_mode(0o600))
        .and_then(|()| fs::rename(&part, to))
        .map_err(|why| StoreError::io("writing the copy", to, &why))?;
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

/// WAL shares memory between processes, which file systems of several machines cannot do.
fn refuse_network(folder: &Path) -> Result<(), StoreError> {
    #[cfg(target_os = "linux")]
    {
        let stat = rustix::fs::statfs(folder)
            .map_err(|why| StoreError::io("examining", folder, &std::io::Error::from(why)))?;
        // The type is a 32 bit number that some platforms sign-extend.
        let magic = stat.f_type as u32;
        let kind = network_kind(magic).or_else(|| {
            // A file system in user space may be anything: only its name tells.
            let mounts = if magic == FUSE {
                fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()
            } else {
                String::new()
            };
            let place = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
            fuse_kind(&mounts, &place)
        });
        if let Some(kind) = kind {
            return Err(StoreError::NetworkFs {
                path: folder.to_owned(),
                kind,
            });
        }
    }
    #[cfg(not(target_os = "linux"))]
    drop(folder);
    Ok(())
}

/// The number of every file system in user space, in statfs(2).
#[cfg(target_os = "linux")]
const FUSE: u32 = 0x6573_5546;

/// Which network file system in user space holds `place`, from the text of proc_pid_mountinfo(5): the fifth field of a line
/// is where it is mounted, and the one after the dash is its type. The longest place that leads to ours counts, the last
/// of several.
#[cfg(target_os = "linux")]
fn fuse_kind(mounts: &str, place: &Path) -> Option<&'static str> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let (Some(at), Some((_, rest))) = (line.split(' ').nth(4), line.split_once(" - ")) else {
            continue;
        };
        // Blanks in it are written as \\040.
        let at = at.replace("\\040", " ");
        let kind = rest.split(' ').next().unwrap_or_default();
        if place.starts_with(&at) && best.is_none_or(|(length, _)| at.len() >= length) {
            best = Some((at.len(), kind));
        }
    }
    match best?.1 {
        "fuse.sshfs" => Some("sshfs"),
        "fuse.rclone" => Some("rclone"),
        "fuse.s3fs" | "fuse.goofys" | "fuse.gcsfuse" => Some("a bucket"),
        "fuse.glusterfs" => Some("GlusterFS"),
        "fuse.ceph" | "fuse.ceph-fuse" => Some("Ceph"),
        "fuse.davfs" | "fuse.davfs2" => Some("WebDAV"),
        "fuse.smbnetfs" | "fuse.gvfsd-fuse" | "fuse.kio-fuse" => Some("a share of a desktop"),
        _ => None,
    }
}

/// The numbers in statfs(2).
#[cfg(target_os = "linux")]
fn network_kind(magic: u32) -> Option<&'static str> {
    match magic {
        0x6969 => Some("NFS"),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some("an SMB share"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        0x7375_7245 => Some("Coda"),
        0x00c3_6400 => Some("Ceph"),
        0x0bd0_0bd0 => Some("Lustre"),
        0x0102_1997 => Some("9p, a folder of another machine,"),
        0x4750_4653 => Some("GPFS"),
        0x0116_1970 => Some("GFS2"),
        0x7461_636f => Some("OCFS2"),
        _ => None,
    }
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
        } = Opener::prepare(&folder, false, || [1; 32])?;
        drop(conn);
        let frozen = Opener {
            path: opener.path,
            frozen: true,
        };
        let conn = frozen.read().map_err(|why| why.at(&frozen.path))?;
        let read = super::device(&conn, None).map_err(|why| why.at(&frozen.path))?;
        assert_eq!(read, device);
        assert!(!folder.join("store.db-shm").exists());
        assert!(frozen.is_at_rest());
        Ok(())
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        for (magic, kind) in [
            (0x6969, Some("NFS")),
            (0xfe53_4d42, Some("an SMB share")),
            (0xff53_4d42, Some("an SMB share")),
            (0x6b41_4653, Some("AFS")),
            (0x0102_1997, Some("9p, a folder of another machine,")),
            (0xef53, None),
            (0x0102_1994, None),
            (0x794c_7630, None),
        ] {
            assert_eq!(network_kind(magic), kind, "{magic:x}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_in_user_space_is_known_by_its_name() {
        let mounts = "29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      80 29 0:50 / /home/ann/far\\040away rw shared:9 - fuse.sshfs ann@db1:/ rw\n\
                      81 29 0:51 / /home/ann/usb rw shared:9 - fuseblk /dev/sdb1 rw\n";
        for (place, kind) in [
            ("/home/ann/far away/qd", Some("sshfs")),
            ("/home/ann/usb/qd", None),
            ("/home/ann", None),
            ("/home/ann/far", None),
        ] {
            assert_eq!(fuse_kind(mounts, Path::new(place)), kind, "{place}");
        }
    }
}
