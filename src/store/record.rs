//! Folds records into runs, sessions and case events. Each column remembers which record set it, so that records may
//! come in any order.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::ask::Logged;
use super::failure::Outcome;
use super::{early, project, purge};
use crate::domain::ids::{DeviceId, EntityId};
use crate::domain::op::{Change, Hlc, Op, Value};

/// The particulars of a record, read tolerantly: what is missing or of another type is absent.
struct Fields<'a>(&'a BTreeMap<String, Value>);

impl Fields<'_> {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_text).unwrap_or("")
    }

    fn text_or_none(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_text)
    }

    fn int(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_int)
    }

    fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).and_then(Value::as_bytes)
    }

    fn id(&self, name: &str) -> Option<[u8; 16]> {
        self.bytes(name).and_then(|bytes| bytes.try_into().ok())
    }

    fn json(&self, name: &str, otherwise: &str) -> String {
        match self.0.get(name) {
            Some(value @ (Value::List(_) | Value::Map(_))) => project::json(value).to_string(),
            _ => otherwise.to_owned(),
        }
    }
}

/// Folds one record. A name that this program does not know changes nothing; whether it was known.
pub(super) fn fold(
    conn: &Connection,
    op: &Op,
    name: &str,
    fields: &BTreeMap<String, Value>,
    logged: &Logged,
) -> Outcome<bool> {
    let by = stamp(logged);
    let id = op.id.as_bytes();
    let fields = Fields(fields);
    match (op.entity.as_str(), name) {
        ("run", "run.started" | "step.started" | "step.finished" | "run.finished") => {
            project::touch(conn, "run", op.id, logged.hlc.time())?;
            match name {
                "run.started" => run_started(conn, id, &fields, &by),
                "step.started" => step_started(conn, id, &fields, &by),
                "step.finished" => step_finished(conn, id, &fields, &by),
                _ => run_finished(conn, id, &fields, &by),
            }
        }
        ("session", "session.opened" | "session.closed") => {
            project::touch(conn, "session", op.id, logged.hlc.time())?;
            if name == "session.opened" {
                session_opened(conn, id, &fields, &by)
            } else {
                session_closed(conn, id, &fields, &by)
            }
        }
        ("session", "session.shared") => {
            project::touch(conn, "session", op.id, logged.hlc.time())?;
            session_shared(conn, id, &fields, &by)
        }
        ("case", "case") => case(conn, op.id, logged),
        ("audit", _) => return purge::audited(conn, name, fields.0, logged),
        _ => return Ok(false),
    }?;
    Ok(true)
}

/// A stamp whose bytes sort as stamps do: time, device, number.
fn stamp(logged: &Logged) -> [u8; 32] {
    let mut by = [0; 32];
    by[..8].copy_from_slice(&logged.hlc.0.to_be_bytes());
    by[8..24].copy_from_slice(logged.device.0.as_bytes());
    by[24..].copy_from_slice(&logged.seq.to_be_bytes());
    by
}

fn run_started(conn: &Connection, id: &[u8; 16], fields: &Fields<'_>, by: &[u8]) -> Outcome<()> {
    // A run begins once; should two records claim it, the first does.
    conn.prepare_cached(
        "UPDATE run SET book = ?2, hash = ?3, steps = ?4, hosts = ?5, params = ?6, ticket = ?7, author = ?8,
         started = ?9, started_by = ?10 WHERE id = ?1 AND (started_by IS NULL OR started_by > ?10)",
    )?
    .execute(params![
        id,
        fields.text("book"),
        fields.text("hash"),
        fields.json("steps", "[]"),
        fields.json("hosts", "[]"),
        fields.json("params", "{}"),
        fields.id("ticket"),
        fields.text("author"),
        fields.int("at").unwrap_or(0),
        by
    ])?;
    active(conn, id, by)
}

/// Notes that a run was worked on: a run whose work goes on after its end is not at its end.
fn active(conn: &Connection, id: &[u8; 16], by: &[u8]) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE run SET active_by = ?2 WHERE id = ?1 AND (active_by IS NULL OR active_by < ?2)",
    )?
    .execute(params![id, by])?;
    Ok(())
}

fn step_started(conn: &Connection, id: &[u8; 16], fields: &Fields<'_>, by: &[u8]) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO run_step (run, host, step, attempt, started, started_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (run, host, step) DO UPDATE
         SET attempt = excluded.attempt, started = excluded.started, started_by = excluded.started_by
         WHERE started_by IS NULL OR started_by < excluded.started_by",
    )?
    .execute(params![
        id,
        fields.text("host"),
        fields.int("step").unwrap_or(0),
        fields.int("attempt").unwrap_or(1),
        fields.int("at"),
        by
    ])?;
    active(conn, id, by)
}

fn step_finished(conn: &Connection, id: &[u8; 16], fields: &Fields<'_>, by: &[u8]) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO run_step (run, host, step, state, exit, took_ms, output, dropped, reason, finished_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (run, host, step) DO UPDATE
         SET state = excluded.state, exit = excluded.exit, took_ms = excluded.took_ms, output = excluded.output,
             dropped = excluded.dropped, reason = excluded.reason, finished_by = excluded.finished_by
         WHERE finished_by IS NULL OR finished_by < excluded.finished_by",
    )?
    .execute(params![
        id,
        fields.text("host"),
        fields.int("step").unwrap_or(0),
        fields.text("state"),
        fields.int("exit"),
        fields.int("took_ms"),
        fields.bytes("output"),
        fields.int("dropped").unwrap_or(0),
        fields.text("reason"),
        by
    ])?;
    Ok(())
}

fn run_finished(conn: &Connection, id: &[u8; 16], fields: &Fields<'_>, by: &[u8]) -> Outcome<()> {
    let number = |name| fields.int(name).unwrap_or(0);
    conn.prepare_cached(
        "UPDATE run SET finished = ?2, state = ?3, ok = ?4, failed = ?5, unreachable = ?6, skipped = ?7,
         finished_by = ?8 WHERE id = ?1 AND (finished_by IS NULL OR finished_by < ?8)",
    )?
    .execute(params![
        id,
        number("at"),
        fields.text("state"),
        number("ok"),
        number("failed"),
        number("unreachable"),
        number("skipped"),
        by
    ])?;
    Ok(())
}

fn session_opened(conn: &Connection, id: &[u8; 16], fields: &Fields<'_>, by: &[u8]) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE session SET host = ?2, ticket = ?3, recording = ?4, author = ?5, opened = ?6, opened_by = ?7
         WHERE id = ?1 AND (opened_by IS NULL OR opened_by > ?7)",
    )?
    .execute(params![
        id,
        fields.text("host"),
        fields.id("ticket"),
        fields.text_or_none("recording"),
        fields.text("author"),
        fields.int("at").unwrap_or(0),
        by
    ])?;
    Ok(())
}

fn session_closed(conn: &Connection, id: &[u8; 16], fields: &Fields<'_>, by: &[u8]) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE session SET closed = ?2, exit = ?3, bytes = ?4, reason = ?5, closed_by = ?6
         WHERE id = ?1 AND (closed_by IS NULL OR closed_by < ?6)",
    )?
    .execute(params![
        id,
        fields.int("at").unwrap_or(0),
        fields.int("exit"),
        fields.int("bytes").unwrap_or(0),
        fields.text("reason"),
        by
    ])?;
    Ok(())
}

/// Each device has a word of its own, the newest of which counts; which device is believed is decided when it is read.
fn session_shared(conn: &Connection, id: &[u8; 16], fields: &Fields<'_>, by: &[u8]) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT INTO session_shared (id, dev, blob, bytes, part, hash, shared_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id, dev) DO UPDATE SET blob = excluded.blob, bytes = excluded.bytes, part = excluded.part,
         hash = excluded.hash, shared_by = excluded.shared_by WHERE excluded.shared_by > session_shared.shared_by",
    )?
    .execute(params![
        id,
        by.get(8..24),
        fields.id("blob"),
        fields.int("bytes").unwrap_or(0),
        fields.int("part").unwrap_or(0),
        fields.id("hash").unwrap_or_default(),
        by
    ])?;
    Ok(())
}

/// Puts an event together from all its records, oldest first. There are hardly ever more than two.
fn case(conn: &Connection, id: EntityId, logged: &Logged) -> Outcome<()> {
    conn.prepare_cached(
        "INSERT OR IGNORE INTO case_part (id, hlc, dev, seq) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        id.as_bytes(),
        logged.hlc.0.cast_signed(),
        logged.device.0.as_bytes(),
        logged.seq.cast_signed()
    ])?;
    let mut merged: BTreeMap<String, Value> = BTreeMap::new();
    let mut touched = i64::MIN;
    let mut first = None;
    for (hlc, fields) in parts(conn, id, logged)? {
        first = first.or(Some(hlc.time().0));
        touched = touched.max(Fields(&fields).int("at").unwrap_or(i64::MIN));
        for (name, value) in fields {
            match (merged.get_mut(&name), value) {
                (Some(Value::Map(old)), Value::Map(new)) if name == "data" => old.extend(new),
                (_, value) => {
                    merged.insert(name, value);
                }
            }
        }
    }
    let fields = Fields(&merged);
    let at = fields.int("at").or(first).unwrap_or(0);
    let touched = touched.max(at);
    let before: Option<[u8; 16]> = conn
        .prepare_cached("SELECT ticket FROM case_event WHERE id = ?1")?
        .query_row(params![id.as_bytes()], |row| row.get(0))
        .optional()?
        .flatten();
    conn.prepare_cached(
        "INSERT OR REPLACE INTO case_event (id, at, touched, kind, author, text, ticket, host, session, run, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        id.as_bytes(),
        at,
        touched,
        fields.text("kind"),
        fields.text("author"),
        fields.text("text"),
        fields.id("ticket"),
        fields.text_or_none("host"),
        fields.id("session"),
        fields.id("run"),
        fields.json("data", "{}")
    ])?;
    // An event may have moved from one ticket to another.
    for ticket in before.into_iter().chain(fields.id("ticket")) {
        project::take_in_events(conn, &ticket)?;
    }
    Ok(())
}

/// The particulars of every record of an event, in the order of their stamps.
fn parts(
    conn: &Connection,
    id: EntityId,
    logged: &Logged,
) -> Outcome<Vec<(Hlc, BTreeMap<String, Value>)>> {
    let mut statement = conn.prepare_cached(
        "SELECT hlc, dev, seq FROM case_part WHERE id = ?1 ORDER BY hlc, dev, seq",
    )?;
    let rows = statement.query_map(params![id.as_bytes()], |row| {
        let device = DeviceId(EntityId::from_bytes(row.get(1)?));
        Ok((
            Hlc(row.get::<_, i64>(0)?.cast_unsigned()),
            device,
            row.get::<_, i64>(2)?,
        ))
    })?;
    let mut parts = Vec::new();
    for row in rows {
        let (hlc, device, seq) = row?;
        let body: Option<Vec<u8>> = if (device, seq.cast_unsigned()) == (logged.device, logged.seq)
        {
            Some(logged.body.clone())
        } else {
            early::body(conn, device.0.as_bytes(), seq)?
        };
        let op = body.and_then(|body| Op::decode(&body).ok().flatten());
        if let Some(Op {
            change: Change::Record { fields, .. },
            ..
        }) = op
        {
            parts.push((hlc, fields));
        }
    }
    Ok(parts)
}
