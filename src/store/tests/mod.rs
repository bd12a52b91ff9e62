//! Tests of the whole room, on real files.

mod audit;
mod care;
mod carry;
mod crash;
mod early;
mod exam;
mod files;
mod mending;
mod merge;
mod older;
mod power;
mod purge;
mod purge_ahead;
mod rows;
mod search;
mod things;
mod upkeep;

use std::error::Error;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::*;
use crate::domain::ids::{EntityId, TicketId};
use crate::domain::op::{Draft, Entity, EntityKind, Hlc, Value};
use crate::domain::ticket::Ticket;

type Tested = Result<(), Box<dyn Error>>;

/// The time in all of these tests unless one says otherwise.
const NOW: Time = Time(1_795_428_000_000);

fn now() -> Time {
    NOW
}

fn open(folder: &Path) -> Result<Store, StoreError> {
    Store::open(folder, now, || [1; 32], Options::default())
}

/// A raw connection, for what no handle shows. It goes through SQLite, as everything must.
fn raw(folder: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        folder.join("store.db"),
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(conn)
}

/// Writes into this device's own log as a later program would: what today's cannot write. Returns what it wrote.
pub(crate) fn as_a_later_program(
    store: &Store,
    bodies: Vec<Vec<u8>>,
) -> Result<Vec<Logged>, Box<dyn Error>> {
    let conn = raw(store.folder())?;
    let device = store.device();
    let mut wrote = Vec::new();
    conn.execute_batch("BEGIN IMMEDIATE")?;
    for body in bodies {
        let (seq, before) = log::head(&conn, device)?;
        let op = Logged {
            device,
            seq: seq + 1,
            hlc: Hlc((NOW.0.cast_unsigned() << 16) + seq + 1),
            body,
        };
        if log::insert(&conn, &op, &log::link(&before, &op)).is_err() {
            return Err("the operation could not be written".into());
        }
        wrote.push(op);
    }
    conn.execute_batch("COMMIT")?;
    Ok(wrote)
}

fn ticket(name: &str) -> Entity {
    Entity {
        kind: EntityKind::Ticket,
        id: EntityId::derived("ticket", name),
    }
}

fn set(entity: Entity, field: &str, value: impl Into<Value>) -> Draft {
    Draft::Set {
        entity,
        field: field.to_owned(),
        value: value.into(),
    }
}

fn flag(entity: Entity, set: &str, member: &str, on: bool) -> Draft {
    Draft::Flag {
        entity,
        set: set.to_owned(),
        member: member.to_owned(),
        on,
    }
}

fn note(entity: Entity, kind: &str, text: &str, at: i64) -> Draft {
    Draft::Note {
        entity,
        kind: kind.to_owned(),
        author: "mira".to_owned(),
        text: text.to_owned(),
        at,
    }
}

fn batch(drafts: impl IntoIterator<Item = Draft>) -> Batch {
    Batch::from(drafts.into_iter().collect::<Vec<_>>())
}

/// A ticket with a title and a reference; answers the reference.
fn add(
    store: &Store,
    name: &str,
    more: impl IntoIterator<Item = Draft>,
) -> Result<String, StoreError> {
    let entity = ticket(name);
    let mut drafts = vec![set(entity, "title", name), Draft::Reference { entity }];
    drafts.extend(more);
    let committed = store.append_wait(batch(drafts))?;
    let given = committed.references.into_iter().next();
    given.map(|(_, text)| text).ok_or(StoreError::Closed)
}

fn show(store: &Store, reference: &str) -> Result<Ticket, StoreError> {
    match store.ask_wait(Ask::Ticket {
        reference: reference.to_owned(),
    })? {
        Answer::Ticket(ticket) => Ok(*ticket),
        other => unreachable!("a ticket was asked, not {other:?}"),
    }
}

/// Every projection as text, without the row numbers, which say only what came first.
pub(crate) fn dump(folder: &Path) -> Result<Vec<String>, rusqlite::Error> {
    let conn = raw(folder)?;
    let mut lines = Vec::new();
    for table in tables::folded_names() {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}"))?;
        let columns: Vec<String> = statement
            .column_names()
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mut line = table.to_owned();
            for (index, name) in columns.iter().enumerate().filter(|(_, name)| *name != "n") {
                let cell: rusqlite::types::Value = row.get(index)?;
                line.push_str(&format!(" {name}={cell:?}"));
            }
            lines.push(line);
        }
    }
    conn.execute_batch(
        "CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, ticket_fts, instance)",
    )?;
    let mut statement = conn.prepare(
        "SELECT term, hex(t.id), col, offset FROM words w LEFT JOIN ticket t ON t.n = w.doc",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (term, id): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let (column, offset): (String, i64) = (row.get(2)?, row.get(3)?);
        lines.push(format!("word {term} {id:?} {column} {offset}"));
    }
    lines.sort();
    Ok(lines)
}

fn ticket_id(name: &str) -> TicketId {
    TicketId(ticket(name).id)
}

/// What two dumps do not share; the whole of them would fill the screen.
pub(crate) fn difference(a: &[String], b: &[String]) -> Vec<String> {
    let only = |mark: &str, a: &[String], b: &[String]| -> Vec<String> {
        a.iter()
            .filter(|line| !b.contains(line))
            .map(|line| format!("{mark} {line}"))
            .collect()
    };
    let mut lines = only("-", a, b);
    lines.extend(only("+", b, a));
    if lines.is_empty() && a.len() != b.len() {
        lines.push("some lines stand in one of them more often".to_owned());
    }
    lines
}

/// What the merge tables hold, in a form that an independent model can make from the log alone.
pub(crate) fn merged(folder: &Path) -> Result<Vec<String>, rusqlite::Error> {
    let conn = raw(folder)?;
    let mut lines = Vec::new();
    for (table, sql) in [
        (
            "reg",
            "SELECT hex(ent), kind, field, hex(dev), hlc, seq, hex(val) FROM reg WHERE hlc > 0",
        ),
        (
            "flag",
            "SELECT hex(ent), kind, set_name, member, hlc, hex(dev), seq, present FROM flag",
        ),
        ("note", "SELECT hex(dev), seq, hex(ent), text FROM note"),
        (
            "conflict",
            "SELECT hex(ent), kind, field, hex(dev), seq FROM conflict",
        ),
        ("shown", "SELECT hex(id), title, body FROM ticket"),
    ] {
        let mut statement = conn.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mut line = table.to_owned();
            for index in 0..columns {
                line.push(' ');
                line.push_str(&match row.get_ref(index)? {
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    other => other.as_str().unwrap_or_default().to_lowercase(),
                });
            }
            lines.push(line);
        }
    }
    lines.sort();
    Ok(lines)
}
