//! Recordings that are in the space: which there are, and which of our own are to go there or away from there.

use rusqlite::{Connection, Row, params};

use super::failure::Outcome;
use crate::domain::ids::{DeviceId, EntityId, SessionId};
use crate::domain::session::SharedRecording;
use crate::domain::time::Time;

/// A session of this device that has ended and was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRecording {
    /// The session.
    pub session: SessionId,
    /// Its host.
    pub host: String,
    /// The recording's file name.
    pub file: String,
    /// The bytes in it when the session ended.
    pub bytes: u64,
    /// It is in the space.
    pub shared: Option<SharedRecording>,
}

/// What a session's recording in the space is, from five columns on; nothing when the numbers make no sense.
pub(super) fn read(row: &Row<'_>, from: usize) -> rusqlite::Result<Option<SharedRecording>> {
    let id = |column| -> rusqlite::Result<Option<EntityId>> {
        let bytes: Option<Vec<u8>> = row.get(column)?;
        Ok(bytes.and_then(|bytes| EntityId::from_slice(&bytes)))
    };
    let (Some(device), Some(blob)) = (id(from)?, id(from + 1)?) else {
        return Ok(None);
    };
    let shared = SharedRecording {
        device: DeviceId(device),
        blob,
        bytes: u64::try_from(row.get::<_, i64>(from + 2)?).unwrap_or(0),
        part: u32::try_from(row.get::<_, i64>(from + 3)?).unwrap_or(0),
        hash: id(from + 4)?.unwrap_or(EntityId::from_bytes([0; 16])),
    };
    Ok(shared.parts().map(|_| shared))
}

/// The sessions of `device` that ended, oldest first: those whose recording is in the space, and those that ended at `since`
/// or later.
pub(super) fn own(
    conn: &Connection,
    device: DeviceId,
    since: Option<Time>,
) -> Outcome<Vec<OwnRecording>> {
    let mut statement = conn.prepare_cached(
        "SELECT s.id, s.host, s.recording, s.bytes, h.dev, h.blob, h.bytes, h.part, h.hash FROM session s
         LEFT JOIN session_shared h ON h.id = s.id AND h.dev = ?1
         WHERE s.closed IS NOT NULL AND s.recording IS NOT NULL AND substr(s.opened_by, 9, 16) = ?1
         AND (h.blob IS NOT NULL OR s.closed >= ?2) ORDER BY s.closed, s.id",
    )?;
    let since = since.map(|since| since.0);
    let rows = statement.query_map(params![device.0.as_bytes(), since], |row| {
        Ok(OwnRecording {
            session: SessionId(EntityId::from_bytes(row.get(0)?)),
            host: row.get(1)?,
            file: row.get(2)?,
            bytes: row.get::<_, i64>(3)?.unsigned_abs(),
            shared: read(row, 4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many recordings are in the space, and their bytes.
pub(super) fn tally(conn: &Connection) -> Outcome<(u64, u64)> {
    let mut statement = conn.prepare_cached(
        "SELECT count(*), coalesce(sum(h.bytes), 0) FROM session_shared h JOIN session s ON s.id = h.id
         WHERE h.blob IS NOT NULL AND h.dev = substr(s.opened_by, 9, 16) AND h.bytes BETWEEN 1 AND 1099511627776",
    )?;
    let tally = statement.query_row([], |row| {
        let count: i64 = row.get(0)?;
        let bytes: i64 = row.get(1)?;
        Ok((count.unsigned_abs(), bytes.unsigned_abs()))
    })?;
    Ok(tally)
}
