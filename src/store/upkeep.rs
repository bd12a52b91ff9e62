//! What the writer does when nobody wants anything of it: it empties what a purge left behind, gives free pages back to the
//! file system, and lets the outputs of old runs go. Each slice is short, and none waits for anybody.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, params};

use super::ask::Purge;
use super::failure::Outcome;
use super::open::{self, Opener, PATIENCE};
use super::size::number;
use super::{StoreError, purge};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::time::Time;

/// Pages that are given back in one slice: some milliseconds of work.
const SLICE: u32 = 256;

/// Fewer free pages than this stay: they are used again soon enough.
const FREE_MIN: u64 = 1_024;

/// A share of the file, as a divisor, below which free pages stay.
const FREE_SHARE: u64 = 8;

/// The value of `auto_vacuum` with which pages can be given back in slices (<https://sqlite.org/pragma.html#pragma_auto_vacuum>).
const INCREMENTAL: u64 = 2;

/// How long outputs of runs are looked for again after nothing was found, in milliseconds.
const LOOK: u64 = 3_600_000;

/// The name under which outputs are let go.
const AUTHOR: &str = "retention";

/// Whether a reader copies the file now: free pages are left alone until it is done.
#[derive(Clone, Debug, Default)]
pub(super) struct Copying(Arc<AtomicBool>);

impl Copying {
    pub(super) fn set(&self, on: bool) {
        self.0.store(on, Ordering::Release);
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What is looked after, and how far that is.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    copying: Copying,
    /// How many days the outputs of runs are kept; 0 is for ever.
    output_days: u64,
    /// When outputs were looked for and none was found.
    looked: Option<Time>,
}

impl Upkeep {
    /// For a store that readers may copy, and that keeps the outputs of runs so many days.
    pub(super) fn new(copying: Copying, output_days: u64) -> Self {
        Self {
            copying,
            output_days,
            looked: None,
        }
    }

    /// One slice. What cannot be done now is done in the next pause; what is broken shows in the next write.
    pub(super) fn slice(&mut self, conn: &Connection, device: DeviceId, now: Time) {
        if self.copying.is_on() || !matches!(purge::scrub(conn), Ok(true)) {
            return;
        }
        if matches!(give_back(conn), Ok(false)) {
            drop(self.let_go(conn, device, now));
        }
    }

    /// Purges the outputs of one old run of this device. Whether there was one.
    fn let_go(&mut self, conn: &Connection, device: DeviceId, now: Time) -> Outcome<bool> {
        let rested = self.looked.is_none_or(|at| now.since(at) >= LOOK);
        let Ok(days) = i64::try_from(self.output_days) else {
            return Ok(false);
        };
        if days == 0 || !rested {
            return Ok(false);
        }
        let Some(run) = old_run(conn, device, now.plus(-days.saturating_mul(86_400_000)))? else {
            self.looked = Some(now);
            return Ok(false);
        };
        let wanted = Purge {
            what: format!("R-{}", run.base32(26)),
            field: None,
            author: AUTHOR.to_owned(),
        };
        conn.execute_batch("BEGIN IMMEDIATE")?;
        if purge::outputs(conn, device, now, run, &wanted).is_ok() {
            conn.execute_batch("COMMIT")?;
        } else {
            conn.execute_batch("ROLLBACK")?;
            // A run that cannot be purged is not tried again and again.
            self.looked = Some(now);
        }
        Ok(true)
    }
}

/// A finished run of this device from before `until` with an output that is still there.
fn old_run(conn: &Connection, device: DeviceId, until: Time) -> rusqlite::Result<Option<EntityId>> {
    use rusqlite::OptionalExtension;
    let found: Option<[u8; 16]> = conn
        .prepare_cached(
            "SELECT r.id FROM run r WHERE r.finished < ?1 AND substr(r.finished_by, 9, 16) = ?2 AND EXISTS
             (SELECT 1 FROM run_step s WHERE s.run = r.id AND length(s.output) > 0) ORDER BY r.finished LIMIT 1",
        )?
        .query_row(params![until.0, device.0.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(found.map(EntityId::from_bytes))
}

/// Gives some free pages back when there are many. Whether there was something to do.
pub(super) fn give_back(conn: &Connection) -> rusqlite::Result<bool> {
    let free = number(conn, "freelist_count")?;
    let pages = number(conn, "page_count")?;
    if free < FREE_MIN || free < pages / FREE_SHARE || number(conn, "auto_vacuum")? != INCREMENTAL {
        return Ok(false);
    }
    conn.busy_timeout(Duration::ZERO)?;
    let done = conn.execute_batch(&format!("PRAGMA incremental_vacuum({SLICE})"));
    conn.busy_timeout(PATIENCE)?;
    match done {
        Err(why) if why.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(true),
        other => other.map(|()| true),
    }
}

/// Writes the file anew without free pages, and so that from then on they can be given back in slices. Whether it was
/// needed. Others wait for as long as it takes.
///
/// # Errors
/// The file cannot be written, or somebody else writes for too long.
pub fn reform(folder: &Path) -> Result<bool, StoreError> {
    let path = folder.join(open::FILE);
    let opener = Opener::at(&path);
    let work = || -> Outcome<bool> {
        let conn = opener.write(false)?;
        if number(&conn, "auto_vacuum")? == INCREMENTAL {
            return Ok(false);
        }
        conn.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")?;
        Ok(true)
    };
    work().map_err(|why| why.at(&path))
}
