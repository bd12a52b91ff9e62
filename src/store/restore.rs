//! Puts a backup in the place of the store: examined first, and what was there before is kept.
//!
//! The live file is replaced through SQLite's backup, in one transaction, so that other processes see either the old or
//! the new; it is never opened in any other way.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::ask::DoctorReport;
use super::failure::{Failure, Outcome};
use super::open::{self, Opener};
use super::read::Scene;
use super::{StoreError, copy, doctor, lock};
use crate::domain::time::Time;

/// What became of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Where the store of before is kept, if there was one.
    pub kept: Option<PathBuf>,
    /// What the backup holds, as it was found.
    pub report: DoctorReport,
}

/// Examines a backup without changing anything: whose it is, every page, every log.
///
/// # Errors
/// It is no store, a newer program's, or cannot be read.
pub fn verify(file: &Path, now: Time) -> Result<DoctorReport, StoreError> {
    let conn = Opener::other(file)?;
    let folder = file.parent().unwrap_or(file);
    let scene = Scene {
        conn: &conn,
        folder,
        now,
    };
    doctor::contents(scene).map_err(|why| why.at(file))
}

/// Makes the store of `folder` what the backup `file` holds.
///
/// # Errors
/// The backup is not in order, or the store cannot be kept or written: then nothing was changed.
pub fn restore(folder: &Path, file: &Path, now: Time) -> Result<Restored, StoreError> {
    let report = verify(file, now)?;
    if let Some(bad) = report.lines.iter().find(|line| !line.ok) {
        return Err(StoreError::Refused {
            why: format!(
                "{} was not restored, its {} is not in order: {}; take an older backup. Nothing was changed",
                file.display(),
                bad.name,
                bad.detail
            ),
        });
    }
    lock::make_folder(folder)?;
    let alone = lock::migration(folder)?;
    let live = folder.join(open::FILE);
    if fs::canonicalize(file)
        .is_ok_and(|file| fs::canonicalize(&live).is_ok_and(|live| live == file))
    {
        return Err(StoreError::Refused {
            why: format!("{} is the store itself; name a backup", file.display()),
        });
    }
    let source = Opener::other(file)?;
    let kept = replace(&source, &live)?;
    drop(alone);
    Ok(Restored { kept, report })
}

/// Keeps what is there under another name, a copy where it can be read, else the very files; then puts `source` there.
fn replace(source: &Connection, live: &Path) -> Result<Option<PathBuf>, StoreError> {
    let at = |why: Failure| why.at(live);
    if !fs::metadata(live).is_ok_and(|meta| meta.len() > 0) {
        over(source, live, || Ok(())).map_err(at)?;
        return Ok(None);
    }
    // A newer program's store can be copied like any other; another program's database is put away as it is.
    let readable = matches!(Opener::other(live), Ok(_) | Err(StoreError::Newer { .. }));
    if readable {
        let kept = copy::free(live, KEPT)?;
        let keep = || copy::copy(&Opener::at(live).read()?, &kept);
        match over(source, live, keep).map_err(at) {
            Ok(()) => return Ok(Some(kept)),
            // Some of it cannot be read after all.
            Err(
                StoreError::Damaged { .. }
                | StoreError::NotADatabase { .. }
                | StoreError::Io { .. },
            ) => {}
            Err(why) => return Err(why),
        }
    }
    // It cannot be read as a whole; then its files are the best there is, and a new one takes their place. Who has them open
    // sees that before the next write.
    let kept = copy::free(live, KEPT)?;
    for end in ["-shm", "-wal", ""] {
        let (from, to) = (with_end(live, end), with_end(&kept, end));
        match fs::rename(&from, &to) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io("keeping", &from, &why));
            }
            _ => {}
        }
    }
    over(source, live, || Ok(())).map_err(at)?;
    lock::flush_folder(live.parent().unwrap_or(live))?;
    Ok(Some(kept))
}

/// How the names begin under which a store of before is kept.
const KEPT: &str = "store-before-restore";

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Writes all of `source` over the live file, in one transaction. `keep` runs when nobody else can write any more: what was
/// acknowledged until then is in what it keeps, and what comes afterwards is written onto the new content.
fn over(source: &Connection, live: &Path, keep: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let fresh = live.symlink_metadata().is_err();
    let opener = Opener::at(live);
    let mut target = opener.write(fresh)?;
    let backup = Backup::new(source, &mut target)?;
    // No page is copied yet, but the first step takes the right to write and keeps it until the last
    // (<https://sqlite.org/c3ref/backup_finish.html>). Others can still read, which is what `keep` does.
    if backup.step(0)? != StepResult::More {
        return Err(Failure::Store(StoreError::Busy));
    }
    keep()?;
    if backup.step(-1)? != StepResult::Done {
        return Err(Failure::Store(StoreError::Busy));
    }
    drop(backup);
    // The copy says that it keeps no log beside it; the live file does.
    drop(target);
    opener.write(false).map(drop)
}
