//! Typed projections: which register of a ticket, host, run or session fills which column.
//!
//! A field that is not named here still stands in its register and in the log.

use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OptionalExtension, params};

use super::failure::Outcome;
use crate::domain::ids::EntityId;
use crate::domain::op::Value;
use crate::domain::time::Time;

/// Makes the row of a thing when it is first heard of, and notes that something happened to it.
pub(super) fn touch(conn: &Connection, kind: &str, id: EntityId, at: Time) -> Outcome<()> {
    let id = id.as_bytes();
    match kind {
        "ticket" => {
            let known = conn
                .prepare_cached(
                    "UPDATE ticket SET moved = max(moved, ?2), updated = max(updated, ?2), born = min(born, ?2)
                     WHERE id = ?1",
                )?
                .execute(params![id, at.0])?;
            if known == 0 {
                // Events may have come before the ticket that they are about.
                conn.prepare_cached(
                    "INSERT INTO ticket (id, born, moved, updated) VALUES (?1, ?2, ?2, ?2)",
                )?
                .execute(params![id, at.0])?;
                take_in_events(conn, id)?;
            }
        }
        "host" => insert(conn, "INSERT OR IGNORE INTO host (id) VALUES (?1)", id)?,
        "run" => insert(conn, "INSERT OR IGNORE INTO run (id) VALUES (?1)", id)?,
        "session" => insert(conn, "INSERT OR IGNORE INTO session (id) VALUES (?1)", id)?,
        _ => {}
    }
    Ok(())
}

/// Brings a ticket's last change up to date with its events.
pub(super) fn take_in_events(conn: &Connection, ticket: &[u8; 16]) -> Outcome<()> {
    conn.prepare_cached(
        "UPDATE ticket SET updated =
         max(moved, coalesce((SELECT max(touched) FROM case_event WHERE ticket = ?1), moved)) WHERE id = ?1",
    )?
    .execute(params![ticket])?;
    Ok(())
}

fn insert(conn: &Connection, sql: &str, id: &[u8; 16]) -> Outcome<()> {
    conn.prepare_cached(sql)?.execute(params![id])?;
    Ok(())
}

/// Fills the column of a register. Whether the words of a ticket changed with it.
pub(super) fn register(
    conn: &Connection,
    kind: &str,
    id: EntityId,
    field: &str,
    value: &Value,
) -> Outcome<bool> {
    let Some((sql, cell)) = column(kind, field, value) else {
        return Ok(false);
    };
    conn.prepare_cached(sql)?
        .execute(params![id.as_bytes(), cell])?;
    Ok(kind == "ticket" && matches!(field, "title" | "body"))
}

// tidy: table
/// The statement and the cell for a register, if a column shows it.
fn column(kind: &str, field: &str, value: &Value) -> Option<(&'static str, Cell)> {
    let column = match (kind, field) {
        ("ticket", "ref") => (
            "UPDATE ticket SET ref = ?2 WHERE id = ?1",
            text_or_null(value),
        ),
        ("ticket", "title") => (
            "UPDATE ticket SET title = ?2 WHERE id = ?1",
            text(value, ""),
        ),
        ("ticket", "body") => ("UPDATE ticket SET body = ?2 WHERE id = ?1", text(value, "")),
        ("ticket", "state") => (
            "UPDATE ticket SET state = ?2 WHERE id = ?1",
            text(value, "new"),
        ),
        ("ticket", "priority") => (
            "UPDATE ticket SET priority = ?2 WHERE id = ?1",
            Cell::Integer(value.as_int().unwrap_or(3)),
        ),
        ("ticket", "kind") => (
            "UPDATE ticket SET kind = ?2 WHERE id = ?1",
            text(value, "task"),
        ),
        ("ticket", "queue") => (
            "UPDATE ticket SET queue = ?2 WHERE id = ?1",
            text(value, ""),
        ),
        ("ticket", "owner") => (
            "UPDATE ticket SET owner = ?2 WHERE id = ?1",
            text_or_null(value),
        ),
        ("ticket", "requester") => (
            "UPDATE ticket SET requester = ?2 WHERE id = ?1",
            text_or_null(value),
        ),
        ("ticket", "due") => (
            "UPDATE ticket SET due = ?2 WHERE id = ?1",
            int_or_null(value),
        ),
        ("ticket", "wait_until") => (
            "UPDATE ticket SET wait_until = ?2 WHERE id = ?1",
            int_or_null(value),
        ),
        ("ticket", "created") => (
            "UPDATE ticket SET created = ?2 WHERE id = ?1",
            int_or_null(value),
        ),
        ("ticket", "archived") => ("UPDATE ticket SET archived = ?2 WHERE id = ?1", flag(value)),
        ("host", "name") => (
            "UPDATE host SET name = ?2 WHERE id = ?1",
            text_or_null(value),
        ),
        ("host", "address") => (
            "UPDATE host SET address = ?2 WHERE id = ?1",
            text_or_null(value),
        ),
        ("host", "port") => (
            "UPDATE host SET port = ?2 WHERE id = ?1",
            int_or_null(value),
        ),
        ("host", "user") => (
            "UPDATE host SET user = ?2 WHERE id = ?1",
            text_or_null(value),
        ),
        ("host", "notes") => ("UPDATE host SET notes = ?2 WHERE id = ?1", text(value, "")),
        ("host", "stale") => ("UPDATE host SET stale = ?2 WHERE id = ?1", flag(value)),
        ("host", "config") => (
            "UPDATE host SET config = ?2 WHERE id = ?1",
            text_or_null(value),
        ),
        ("host", "order") => (
            "UPDATE host SET place = ?2 WHERE id = ?1",
            int_or_null(value),
        ),
        ("host", "jump") => (
            "UPDATE host SET jump = ?2 WHERE id = ?1",
            json_text(value, "[]"),
        ),
        ("host", "vars") => (
            "UPDATE host SET vars = ?2 WHERE id = ?1",
            json_text(value, "{}"),
        ),
        ("host", "facts") => (
            "UPDATE host SET facts = ?2 WHERE id = ?1",
            json_text(value, "{}"),
        ),
        ("host", "source") => (
            "UPDATE host SET source = ?2 WHERE id = ?1",
            json_text(value, "{}"),
        ),
        ("host", "archived") => ("UPDATE host SET archived = ?2 WHERE id = ?1", flag(value)),
        ("run", "ref") => ("UPDATE run SET ref = ?2 WHERE id = ?1", text_or_null(value)),
        ("session", "ref") => (
            "UPDATE session SET ref = ?2 WHERE id = ?1",
            text_or_null(value),
        ),
        _ => return None,
    };
    Some(column)
}

/// Puts a ticket's words into the full-text index.
pub(super) fn index(conn: &Connection, id: EntityId) -> Outcome<()> {
    let row: Option<(i64, String, String)> = conn
        .prepare_cached("SELECT n, title, body FROM ticket WHERE id = ?1")?
        .query_row(params![id.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((n, title, body)) = row else {
        return Ok(());
    };
    let notes: Option<String> = conn
        .prepare_cached(
            "SELECT group_concat(text, char(10)) FROM
             (SELECT text FROM note WHERE ent = ?1 AND kind = 'ticket' ORDER BY at, dev, seq)",
        )?
        .query_row(params![id.as_bytes()], |row| row.get(0))?;
    conn.prepare_cached("DELETE FROM ticket_fts WHERE rowid = ?1")?
        .execute(params![n])?;
    conn.prepare_cached(
        "INSERT INTO ticket_fts (rowid, title, body, notes) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![n, title, body, notes.unwrap_or_default()])?;
    Ok(())
}

fn text(value: &Value, otherwise: &str) -> Cell {
    Cell::Text(value.as_text().unwrap_or(otherwise).to_owned())
}

fn text_or_null(value: &Value) -> Cell {
    value
        .as_text()
        .map_or(Cell::Null, |text| Cell::Text(text.to_owned()))
}

fn int_or_null(value: &Value) -> Cell {
    value.as_int().map_or(Cell::Null, Cell::Integer)
}

fn flag(value: &Value) -> Cell {
    Cell::Integer(value.is_true().into())
}

fn json_text(value: &Value, otherwise: &str) -> Cell {
    Cell::Text(match value {
        Value::List(_) | Value::Map(_) => json(value).to_string(),
        _ => otherwise.to_owned(),
    })
}

/// A value as JSON. Bytes that are no text become hexadecimal digits.
pub(super) fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null | Value::Other(_) => serde_json::Value::Null,
        Value::Bool(on) => (*on).into(),
        Value::Int(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        },
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}
