//! Reads runs and sessions. Whether their owner lives is looked up now, never stored.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::Scene;
use crate::domain::ids::{EntityId, RunId, SessionId};
use crate::domain::run::{Cell, CellState, RunRow, RunState, Tally};
use crate::domain::session::SessionRow;
use crate::domain::time::Time;
use crate::store::failure::Outcome;
use crate::store::reference::{self, Noun};
use crate::store::{lock, shared};

/// A run whose work went on after its end is not at its end.
const RUNS: &str = "SELECT r.id, r.ref, r.book, r.hash, r.ticket, t.ref, r.author, r.steps, r.hosts, r.params,
     r.started, iif(coalesce(r.finished_by > r.active_by, 0), r.finished, NULL), r.state, r.ok, r.failed, r.unreachable,
     r.skipped FROM run r LEFT JOIN ticket t ON t.id = r.ticket WHERE r.started IS NOT NULL";

const SESSIONS: &str =
    "SELECT s.id, s.ref, s.host, s.ticket, t.ref, s.opened, s.closed, s.exit, s.bytes, s.recording,
     h.dev, h.blob, h.bytes, h.part, h.hash
     FROM session s LEFT JOIN ticket t ON t.id = s.ticket
     LEFT JOIN session_shared h ON h.id = s.id AND h.dev = substr(s.opened_by, 9, 16) WHERE s.opened IS NOT NULL";

/// Runs without cells, newest first.
pub(super) fn list(
    scene: Scene<'_>,
    ticket: Option<&str>,
    limit: Option<u32>,
) -> Outcome<Vec<RunRow>> {
    let ticket = match ticket {
        Some(text) => Some(reference::find(scene.conn, Noun::Ticket, text)?),
        None => None,
    };
    let limit = limit.map_or(-1, i64::from);
    let order = "ORDER BY r.started DESC, r.id LIMIT ?1";
    match ticket {
        Some(id) => {
            let sql = format!("{RUNS} AND r.ticket = ?2 {order}");
            rows(scene, &sql, params![limit, id.as_bytes()])
        }
        None => rows(scene, &format!("{RUNS} {order}"), params![limit]),
    }
}

/// One run with its cells.
pub(super) fn one(scene: Scene<'_>, text: &str) -> Outcome<RunRow> {
    let id = reference::find(scene.conn, Noun::Run, text)?;
    let sql = format!("{RUNS} AND r.id = ?1");
    let mut found = rows(scene, &sql, params![id.as_bytes()])?;
    let Some(mut run) = found.pop() else {
        return Err(missing("run", text));
    };
    run.cells = cells(scene.conn, id, &run)?;
    Ok(run)
}

/// The references of the runs whose owner died.
pub(in crate::store) fn abandoned(scene: Scene<'_>) -> Outcome<Vec<String>> {
    let sql = format!("{RUNS} AND coalesce(r.finished_by > r.active_by, 0) = 0 ORDER BY r.started");
    let runs = rows(scene, &sql, params![])?;
    Ok(runs
        .into_iter()
        .filter(|run| run.state == RunState::Unknown)
        .map(|run| run.reference)
        .collect())
}

/// Sessions, newest first.
pub(super) fn sessions(scene: Scene<'_>, limit: Option<u32>) -> Outcome<Vec<SessionRow>> {
    let sql = format!("{SESSIONS} ORDER BY s.opened DESC, s.id LIMIT ?1");
    let mut statement = scene.conn.prepare_cached(&sql)?;
    let limit = limit.map_or(-1, i64::from);
    let rows = statement.query_map(params![limit], |row| read_session(scene, row))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One session.
pub(super) fn session(scene: Scene<'_>, text: &str) -> Outcome<SessionRow> {
    let id = reference::find(scene.conn, Noun::Session, text)?;
    let mut statement = scene
        .conn
        .prepare_cached(&format!("{SESSIONS} AND s.id = ?1"))?;
    let mut rows = statement.query_map(params![id.as_bytes()], |row| read_session(scene, row))?;
    match rows.next() {
        Some(session) => Ok(session?),
        None => Err(missing("session", text)),
    }
}

fn missing(what: &'static str, reference: &str) -> crate::store::failure::Failure {
    crate::store::StoreError::NotFound {
        what,
        reference: reference.to_owned(),
    }
    .into()
}

fn rows(scene: Scene<'_>, sql: &str, params: impl rusqlite::Params) -> Outcome<Vec<RunRow>> {
    let mut statement = scene.conn.prepare_cached(sql)?;
    let rows = statement.query_map(params, |row| read_run(scene, row))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read_run(scene: Scene<'_>, row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let id = EntityId::from_bytes(row.get(0)?);
    let finished: Option<i64> = row.get(11)?;
    let state: Option<String> = row.get(12)?;
    let state = match finished {
        Some(_) => state
            .and_then(|state| state.parse().ok())
            .unwrap_or(RunState::Unknown),
        None if lock::is_held(scene.folder, id) => RunState::Running,
        None => RunState::Unknown,
    };
    let number = |column| -> rusqlite::Result<u32> {
        Ok(u32::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
    };
    let tally = match finished {
        Some(_) => Tally {
            ok: number(13)?,
            failed: number(14)?,
            unreachable: number(15)?,
            skipped: number(16)?,
        },
        None => Tally::default(),
    };
    Ok(RunRow {
        id: RunId(id),
        reference: Noun::Run.shown(row.get(1)?, id),
        book: row.get(2)?,
        hash: row.get(3)?,
        state,
        ticket: ticket(row, 4)?,
        author: row.get(6)?,
        steps: from_json(row, 7)?,
        hosts: from_json(row, 8)?,
        params: from_json(row, 9)?,
        started: Time(row.get(10)?),
        finished: finished.map(Time),
        tally,
        cells: Vec::new(),
    })
}

/// The cells in the order of the run's hosts, then of its steps.
fn cells(conn: &Connection, id: EntityId, run: &RunRow) -> Outcome<Vec<Cell>> {
    let mut statement = conn.prepare_cached(
        "SELECT host, step, attempt, started, state, exit, took_ms, output, dropped, reason,
         coalesce(finished_by > started_by, finished_by IS NOT NULL) FROM run_step WHERE run = ?1 ORDER BY step, host",
    )?;
    let rows = statement.query_map(params![id.as_bytes()], |row| read_cell(row, run))?;
    let mut cells: Vec<Cell> = rows.collect::<Result<_, _>>()?;
    let places: BTreeMap<&str, usize> = run
        .hosts
        .iter()
        .enumerate()
        .map(|(place, host)| (host.as_str(), place))
        .collect();
    cells.sort_by_key(|cell| {
        let place = places.get(cell.host.as_str()).copied();
        (place.unwrap_or(usize::MAX), cell.index)
    });
    Ok(cells)
}

fn read_cell(row: &Row<'_>, run: &RunRow) -> rusqlite::Result<Cell> {
    let index = u32::try_from(row.get::<_, i64>(1)?).unwrap_or(u32::MAX);
    let ended: bool = row.get(10)?;
    let mut cell = Cell {
        host: row.get(0)?,
        step: run
            .steps
            .get(index as usize)
            .cloned()
            .unwrap_or_else(|| format!("step {index}")),
        index,
        state: match run.state {
            RunState::Running => CellState::Running,
            _ => CellState::Unknown,
        },
        exit: None,
        attempt: u32::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
        started: row.get::<_, Option<i64>>(3)?.map(Time),
        took_ms: None,
        output: String::new(),
        dropped: 0,
        reason: String::new(),
    };
    if ended {
        let state: Option<String> = row.get(4)?;
        let output: Option<Vec<u8>> = row.get(7)?;
        cell.state = state
            .and_then(|state| state.parse().ok())
            .unwrap_or(CellState::Unknown);
        cell.exit = row
            .get::<_, Option<i64>>(5)?
            .and_then(|exit| i32::try_from(exit).ok());
        cell.took_ms = row.get::<_, Option<i64>>(6)?.map(i64::unsigned_abs);
        cell.output = String::from_utf8_lossy(&output.unwrap_or_default()).into_owned();
        cell.dropped = row.get::<_, i64>(8)?.unsigned_abs();
        cell.reason = row.get(9)?;
    }
    Ok(cell)
}

fn read_session(scene: Scene<'_>, row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    let id = EntityId::from_bytes(row.get(0)?);
    let closed: Option<i64> = row.get(6)?;
    Ok(SessionRow {
        id: SessionId(id),
        reference: Noun::Session.shown(row.get(1)?, id),
        host: row.get(2)?,
        ticket: ticket(row, 3)?,
        opened: Time(row.get(5)?),
        closed: closed.map(Time),
        exit: row.get(7)?,
        bytes: row.get::<_, i64>(8)?.unsigned_abs(),
        recording: row.get(9)?,
        live: closed.is_none() && lock::is_held(scene.folder, id),
        shared: shared::read(row, 10)?,
    })
}

/// The reference of the ticket whose id is in `column` and whose stored reference is in the next.
fn ticket(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    let id: Option<[u8; 16]> = row.get(column)?;
    let stored: Option<String> = row.get(column + 1)?;
    Ok(id.map(|id| Noun::Ticket.shown(stored, EntityId::from_bytes(id))))
}

/// A column that we wrote as JSON; what cannot be read is empty.
fn from_json<T: serde::de::DeserializeOwned + Default>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}
