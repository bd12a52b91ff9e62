//! Reads what can be read of a damaged store into a new file. The damaged one is only read, never written.
//!
//! Only the log is taken: everything else is folded from it again. Where operations of this device are missing, those after
//! the gap go on as the log of a new device, so that every log of the new file is without gaps.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use super::ask::Logged;
use super::failure::{Failure, Outcome};
use super::open::{self, Opener};
use super::{StoreError, carry, log, purge};
use crate::domain::ids::{DeviceId, Mint};
use crate::domain::time::Time;

/// How many row numbers are passed over at first when one cannot be read; it doubles until something can.
const STEP: i64 = 1;

/// How many rows after a fault are tried one by one at most: where the end of the table cannot be read, nobody knows it.
const EACH_MAX: i64 = 10_000_000;

/// What a salvage came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Operations in the new file.
    pub operations: u64,
    /// Operations that are known to be missing.
    pub lost: u64,
    /// Operations of other devices after a gap: they come again with a sync.
    pub later: u64,
    /// Where the new file is.
    pub file: String,
}

impl fmt::Display for Salvaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} operations are in {}, {} cannot be read any more",
            self.operations, self.file, self.lost
        )?;
        if self.later > 0 {
            write!(
                f,
                "; {} of other devices come again when this one syncs",
                self.later
            )?;
        }
        write!(
            f,
            ". The damaged store is as it was; `qd restore {}` puts the new file in its place and keeps it",
            self.file
        )
    }
}

/// Reads the store in `folder` into the new file `to`.
///
/// # Errors
/// `to` exists, the store cannot even be opened, or the new file cannot be written.
pub fn salvage(
    folder: &Path,
    to: &Path,
    now: Time,
    seed: [u8; 32],
) -> Result<Salvaged, StoreError> {
    if to.symlink_metadata().is_ok() {
        return Err(StoreError::Refused {
            why: format!(
                "{} exists already and was left alone; name another file",
                to.display()
            ),
        });
    }
    let damaged = folder.join(open::FILE);
    let from = Connection::open_with_flags(
        &damaged,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|why| Failure::Sql(why).at(&damaged))?;
    let ops = read_all(&from).map_err(|why| why.at(&damaged))?;
    if ops.is_empty() {
        return Err(StoreError::Damaged {
            path: damaged,
            detail: "not one operation can be read".to_owned(),
        });
    }
    let own = open::device(&from, None).ok();
    drop(from);
    write(to, now, seed, own, ops).map_err(|why| why.at(to))
}

/// Every operation that can be read: from the front, from the back, and between bad places.
fn read_all(conn: &Connection) -> Outcome<BTreeMap<(DeviceId, u64), Logged>> {
    let mut found = BTreeMap::new();
    let last = edge(conn, "ORDER BY n DESC").unwrap_or(i64::MAX);
    let (mut from, mut step) = (i64::MIN, STEP);
    // The first row that could not be read since one could.
    let mut bad = None;
    loop {
        let (read, reached) = forward(conn, from, &mut found);
        if read || reached.is_none() {
            if let Some(first) = bad.take() {
                each(conn, first, from, &mut found);
            }
            step = STEP;
        } else {
            step = step.saturating_mul(2);
        }
        // The end, without a fault.
        let Some(at) = reached else { break };
        bad.get_or_insert(at);
        from = at.max(0).saturating_add(step);
        if from > last {
            break;
        }
    }
    if let Some(first) = bad {
        each(conn, first, last.saturating_add(1), &mut found);
    }
    // The other index of the table may lead where its own tree does not.
    by_number(conn, &mut found);
    Ok(found)
}

/// Reads the rows between two numbers one by one: the steps over a bad place grow, so they pass over good rows.
fn each(conn: &Connection, first: i64, end: i64, found: &mut BTreeMap<(DeviceId, u64), Logged>) {
    let Ok(mut statement) = conn.prepare("SELECT dev, seq, hlc, body FROM op WHERE n = ?1") else {
        return;
    };
    let first = first.max(0);
    for n in first..end.min(first.saturating_add(EACH_MAX)) {
        if let Ok(op) = statement.query_row([n], purge::logged) {
            found.entry((op.device, op.seq)).or_insert(op);
        }
    }
}

/// The number of the first row in this order, if it can be read.
fn edge(conn: &Connection, order: &str) -> Option<i64> {
    conn.query_row(&format!("SELECT n FROM op {order} LIMIT 1"), [], |row| {
        row.get(0)
    })
    .ok()
}

/// Reads on from row `from` until the end or a fault. Whether anything was read, and where the fault is.
fn forward(
    conn: &Connection,
    from: i64,
    found: &mut BTreeMap<(DeviceId, u64), Logged>,
) -> (bool, Option<i64>) {
    let (mut read, mut at) = (false, from);
    let Ok(mut statement) =
        conn.prepare("SELECT dev, seq, hlc, body, n FROM op WHERE n >= ?1 ORDER BY n")
    else {
        return (false, None);
    };
    let Ok(mut rows) = statement.query([from]) else {
        return (false, Some(from));
    };
    loop {
        match rows.next() {
            Ok(None) => return (read, None),
            Err(_) => return (read, Some(at)),
            Ok(Some(row)) => match (purge::logged(row), row.get::<_, i64>(4)) {
                (Ok(op), Ok(n)) => {
                    (read, at) = (true, n);
                    found.insert((op.device, op.seq), op);
                }
                _ => return (read, Some(at)),
            },
        }
    }
}

/// Reads by device and number, from the highest down; stops at a fault.
fn by_number(conn: &Connection, found: &mut BTreeMap<(DeviceId, u64), Logged>) {
    for order in [
        "ORDER BY dev, seq",
        "ORDER BY dev DESC, seq DESC",
        "ORDER BY n DESC",
    ] {
        let sql = format!("SELECT dev, seq, hlc, body FROM op {order}");
        let Ok(mut statement) = conn.prepare(&sql) else {
            continue;
        };
        let Ok(mut rows) = statement.query([]) else {
            continue;
        };
        while let Ok(Some(row)) = rows.next() {
            if let Ok(op) = purge::logged(row) {
                found.entry((op.device, op.seq)).or_insert(op);
            }
        }
    }
}

fn write(
    to: &Path,
    now: Time,
    seed: [u8; 32],
    own: Option<DeviceId>,
    ops: BTreeMap<(DeviceId, u64), Logged>,
) -> Outcome<Salvaged> {
    let mut conn = Opener::make(to)?;
    let mut mint = Mint::new(seed);
    let fresh = DeviceId(mint.entity());
    let mut done = Salvaged {
        file: to.display().to_string(),
        ..Salvaged::default()
    };
    let work = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut logs: BTreeMap<DeviceId, Vec<Logged>> = BTreeMap::new();
    for ((device, _), op) in ops {
        logs.entry(device).or_default().push(op);
    }
    // The log may have lost its end, which a remote may know: a new id cannot contradict it.
    work.execute(
        "INSERT OR REPLACE INTO meta (name, value) VALUES ('device', ?1)",
        params![fresh.0.as_bytes()],
    )?;
    let mut moved = Vec::new();
    for (device, ops) in logs {
        let whole = ops
            .iter()
            .zip(1..)
            .take_while(|(op, seq)| op.seq == *seq)
            .count();
        let (keep, rest) = ops.split_at(whole);
        log::absorb(&work, fresh, now, keep)?;
        done.operations += keep.len() as u64;
        if let Some(last) = rest.last() {
            done.lost += last.seq - keep.len() as u64 - rest.len() as u64;
        }
        // Without knowing which device this was, everything is kept rather than lost.
        if own.is_none_or(|own| own == device) {
            moved.push((device, rest.to_vec()));
        } else {
            done.later += rest.len() as u64;
        }
    }
    for (device, rest) in moved {
        done.operations += carry::go_on(&work, device, fresh, &rest)?;
    }
    log::rebuild(&work)?;
    work.commit()?;
    conn.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    Ok(done)
}
