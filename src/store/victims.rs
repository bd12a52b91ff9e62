//! Which operations hold the content of a thing: what a purge blanks, and what is written in their place.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::ask::{Logged, Purge};
use super::failure::{Failure, Outcome};
use super::purge::{NAME, Target, ops_about};
use super::reference::{self, Noun};
use crate::domain::ids::EntityId;
use crate::domain::op::{Change, Draft, Entity, EntityKind, Op, Value, digest};

/// What stands where a title was.
const TITLE: &str = "(purged)";

/// What is to go.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In words, without any of the content.
    pub(super) what: String,
    pub(super) targets: BTreeSet<Target>,
    /// Names of recordings.
    pub(super) recordings: Vec<String>,
    /// The ticket on which an entry tells of it.
    pub(super) ticket: Option<EntityId>,
    /// What is written in the place of what goes.
    pub(super) instead: Vec<Draft>,
}

impl Found {
    fn take(&mut self, op: &Logged) {
        self.targets.insert(Target {
            device: op.device,
            seq: op.seq,
            digest: digest(&op.body),
        });
    }
}

/// Finds what `wanted` names: a ticket, a run or a session by reference, an entry by its id.
pub(super) fn find(conn: &Connection, wanted: &Purge) -> Outcome<Found> {
    let text = wanted.what.trim();
    let upper = text.to_ascii_uppercase();
    if let Some(id) = EntityId::parse(&text.to_ascii_lowercase()) {
        return entry(conn, id);
    }
    let (noun, kind) = match upper.get(..2) {
        Some("R-") => (Noun::Run, "run"),
        Some("S-") => (Noun::Session, "session"),
        _ => (Noun::Ticket, "ticket"),
    };
    let id = reference::find(conn, noun, text)?;
    let sql = format!("SELECT ref FROM {kind} WHERE id = ?1");
    let stored: Option<String> = conn.query_row(&sql, [id.as_bytes()], |row| row.get(0))?;
    let shown = noun.shown(stored, id);
    match (noun, &wanted.field) {
        (Noun::Ticket, None) => ticket(conn, id, &shown),
        (Noun::Ticket, Some(field)) => field_of(conn, id, &shown, field),
        (_, Some(_)) => Err(Failure::refused(format!(
            "{shown} is no ticket, so it has no fields; leave --field out"
        ))),
        (Noun::Run, None) => run(conn, id, &shown),
        (Noun::Session, None) => session(conn, id, &shown),
    }
}

/// Everything that was ever said of a ticket and on it. It stays in the list as a closed ticket without words.
fn ticket(conn: &Connection, id: EntityId, shown: &str) -> Outcome<Found> {
    let mut found = Found {
        what: format!("everything that {shown} said"),
        ticket: Some(id),
        ..Found::default()
    };
    for (op, logged) in ops_about(conn, id)? {
        let own = op.entity == "ticket" && op.id == id;
        // Its reference is made of its id, so it tells nothing, and people look for it.
        if own && !matches!(&op.change, Change::Set { field, .. } if field == "ref") {
            found.take(&logged);
        }
    }
    events(conn, "ticket", id, &mut found, |_| true)?;
    found.instead = vec![set(id, "title", TITLE), set(id, "state", "closed")];
    Ok(found)
}

/// Every value that a field of a ticket ever had, and the entries that told of edits.
fn field_of(conn: &Connection, id: EntityId, shown: &str, name: &str) -> Outcome<Found> {
    let mut found = Found {
        what: format!("the {name} of {shown}, with every value it had"),
        ticket: Some(id),
        ..Found::default()
    };
    if name == "ref" {
        return Err(Failure::refused(
            "a reference is made of random bits and holds nothing; name another field",
        ));
    }
    for (op, logged) in ops_about(conn, id)? {
        let meant = match &op.change {
            Change::Set { field, .. } => field == name,
            Change::Flag { set, .. } => set == name,
            Change::Note { .. } | Change::Record { .. } => false,
        };
        if meant && op.entity == "ticket" && op.id == id {
            found.take(&logged);
        }
    }
    if found.targets.is_empty() {
        return Ok(found);
    }
    // An entry about an edit names values.
    events(conn, "ticket", id, &mut found, |kind| kind == "edit")?;
    if name == "title" {
        found.instead = vec![set(id, "title", TITLE)];
    }
    Ok(found)
}

/// What the steps of a run wrote and the parameters it had. That it ran, and how each step ended, stays.
fn run(conn: &Connection, id: EntityId, shown: &str) -> Outcome<Found> {
    let mut found = Found {
        what: format!("the output and the parameters of {shown}"),
        ..Found::default()
    };
    records(conn, id, &mut found, true)?;
    found.ticket = ticket_of(conn, "run", id)?;
    events(conn, "run", id, &mut found, |_| true)?;
    Ok(found)
}

/// Only what the steps of a run wrote; no ticket is told of it.
pub(super) fn outputs(conn: &Connection, id: EntityId) -> Outcome<Found> {
    let stored: Option<String> = conn.query_row(
        "SELECT ref FROM run WHERE id = ?1",
        [id.as_bytes()],
        |row| row.get(0),
    )?;
    let mut found = Found {
        what: format!("the output of {}", Noun::Run.shown(stored, id)),
        ..Found::default()
    };
    records(conn, id, &mut found, false)?;
    Ok(found)
}

fn records(conn: &Connection, id: EntityId, found: &mut Found, params: bool) -> Outcome<()> {
    for (mut op, logged) in ops_about(conn, id)? {
        if op.entity != "run" || op.id != id {
            continue;
        }
        let Change::Record { name, fields } = &mut op.change else {
            continue;
        };
        let secret: &[&str] = match name.as_str() {
            "step.finished" if params => &["output", "reason"],
            "step.finished" => &["output"],
            "run.started" if params => &["params"],
            _ => continue,
        };
        let told = |value: &Value| match value {
            Value::Bytes(bytes) => !bytes.is_empty(),
            Value::Text(text) => !text.is_empty() && text != "purged",
            Value::Map(map) => !map.is_empty(),
            _ => false,
        };
        if !secret
            .iter()
            .any(|field| fields.get(*field).is_some_and(told))
        {
            continue;
        }
        found.take(&logged);
        for field in secret {
            fields.remove(*field);
        }
        if params && name == "step.finished" {
            fields.insert("reason".to_owned(), Value::from("purged"));
        }
        found.instead.push(Draft::Record {
            entity: Entity {
                kind: EntityKind::Run,
                id,
            },
            name: name.clone(),
            fields: std::mem::take(fields),
        });
    }
    Ok(())
}

/// The recording of a session, and the entries that tell of it.
fn session(conn: &Connection, id: EntityId, shown: &str) -> Outcome<Found> {
    let recording: Option<String> = conn.query_row(
        "SELECT recording FROM session WHERE id = ?1",
        [id.as_bytes()],
        |row| row.get(0),
    )?;
    let usual = format!("{id}.cast");
    let other = recording.filter(|name| *name != usual);
    let recordings = std::iter::once(usual).chain(other).collect();
    let mut found = Found {
        what: format!("the recording of {shown} and what was noted of it"),
        // A session may have been recorded later than from its start, and one that was fetched has this name too.
        recordings,
        ticket: ticket_of(conn, "session", id)?,
        ..Found::default()
    };
    events(conn, "session", id, &mut found, |_| true)?;
    Ok(found)
}

fn ticket_of(conn: &Connection, table: &str, id: EntityId) -> Outcome<Option<EntityId>> {
    let sql = format!("SELECT ticket FROM {table} WHERE id = ?1");
    let ticket: Option<[u8; 16]> = conn.query_row(&sql, [id.as_bytes()], |row| row.get(0))?;
    Ok(ticket.map(EntityId::from_bytes))
}

/// One entry: a comment, or an event with all its records, or what only the audit tells.
fn entry(conn: &Connection, id: EntityId) -> Outcome<Found> {
    let note: Option<([u8; 16], i64, [u8; 16], String)> = conn
        .prepare_cached("SELECT dev, seq, ent, kind FROM note WHERE id = ?1")?
        .query_row(params![id.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let mut found = Found {
        what: format!("the entry {id}"),
        ..Found::default()
    };
    if let Some((device, seq, thing, kind)) = note {
        take_one(conn, &device, seq, &mut found)?;
        found.ticket = (kind == "ticket").then(|| EntityId::from_bytes(thing));
    }
    let event: Option<Option<[u8; 16]>> = conn
        .prepare_cached("SELECT ticket FROM case_event WHERE id = ?1")?
        .query_row(params![id.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(ticket) = event {
        parts(conn, id.as_bytes(), &mut found)?;
        found.ticket = ticket.map(EntityId::from_bytes);
    }
    // Later words about a comment, and records that are in no list but the audit's.
    for (op, logged) in ops_about(conn, id)? {
        let purge = matches!(&op.change, Change::Record { name, .. } if name == NAME);
        if op.id == id && matches!(op.entity.as_str(), "note" | "audit") && !purge {
            found.take(&logged);
        }
    }
    if found.targets.is_empty() {
        return Err(super::StoreError::NotFound {
            what: "entry",
            reference: id.to_string(),
        }
        .into());
    }
    Ok(found)
}

/// The records of the events whose column `of` is `id` and whose kind is wanted.
fn events(
    conn: &Connection,
    of: &str,
    id: EntityId,
    found: &mut Found,
    wanted: impl Fn(&str) -> bool,
) -> Outcome<()> {
    let mut statement =
        conn.prepare(&format!("SELECT id, kind FROM case_event WHERE {of} = ?1"))?;
    let mut rows = statement.query(params![id.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let (event, kind): ([u8; 16], String) = (row.get(0)?, row.get(1)?);
        // What tells of an earlier purge holds nothing.
        if wanted(&kind) && !is_word_of_purge(conn, &event)? {
            parts(conn, &event, found)?;
        }
    }
    Ok(())
}

fn is_word_of_purge(conn: &Connection, event: &[u8; 16]) -> Outcome<bool> {
    let text: String = conn
        .prepare_cached("SELECT text FROM case_event WHERE id = ?1")?
        .query_row([event], |row| row.get(0))?;
    Ok(text.starts_with("purged everything that") || text.starts_with("purged the "))
}

fn parts(conn: &Connection, event: &[u8; 16], found: &mut Found) -> Outcome<()> {
    let mut statement = conn.prepare_cached("SELECT dev, seq FROM case_part WHERE id = ?1")?;
    let mut rows = statement.query([event])?;
    while let Some(row) = rows.next()? {
        take_one(conn, &row.get(0)?, row.get(1)?, found)?;
    }
    Ok(())
}

fn take_one(conn: &Connection, device: &[u8; 16], seq: i64, found: &mut Found) -> Outcome<()> {
    // Its log may not have come as far yet.
    let op = conn
        .prepare_cached(
            "SELECT dev, seq, hlc, body FROM op WHERE dev = ?1 AND seq = ?2
             UNION ALL SELECT dev, seq, hlc, body FROM early WHERE dev = ?1 AND seq = ?2",
        )?
        .query_row(params![device, seq], super::purge::logged)?;
    // What is blank or cannot be read has nothing to give away that this program knows of.
    if matches!(Op::decode(&op.body), Ok(Some(_))) {
        found.take(&op);
    }
    Ok(())
}

fn set(id: EntityId, field: &str, value: &str) -> Draft {
    Draft::Set {
        entity: Entity {
            kind: EntityKind::Ticket,
            id,
        },
        field: field.to_owned(),
        value: Value::from(value),
    }
}
