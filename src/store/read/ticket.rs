//! Reads tickets.

use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::{device, entry};
use crate::domain::ids::{DeviceId, EntityId, TicketId};
use crate::domain::op::{Stamp, Value};
use crate::domain::query::Query;
use crate::domain::sync::short_device;
use crate::domain::ticket::{Claimed, Dispute, Priority, Ticket, TicketKind, TicketState};
use crate::domain::time::Time;
use crate::store::ask::{COUNT_CAP, Conflict};
use crate::store::failure::Outcome;
use crate::store::reference::{self, Noun};
use crate::store::{fold, query};

const COLUMNS: &str = "t.id, t.ref, t.title, t.body, t.state, t.priority, t.kind, t.queue, t.owner, t.requester, \
                       t.due, t.wait_until, coalesce(t.created, t.born), t.updated";

/// The tickets that match, newest first, and how many there are.
pub(super) fn list(
    conn: &Connection,
    query: &Query,
    limit: Option<u32>,
) -> Outcome<(Vec<Ticket>, u64)> {
    let sql = query::sql(query);
    let mut order = "coalesce(t.created, t.born) DESC, t.id";
    let mut params = sql.params.clone();
    let mut total = None;
    if let Some(limit) = limit {
        let counted = count(conn, &sql)?;
        total = Some(counted);
        if sql.by_words && counted >= COUNT_CAP {
            // Sorting this many takes seconds; the index has them in the order in which they came.
            order = "f.rowid DESC";
        }
        params.push(Cell::Integer(limit.into()));
    }
    let limited = if limit.is_some() { "LIMIT ?" } else { "" };
    let text = format!(
        "SELECT {COLUMNS} FROM {} WHERE {} ORDER BY {order} {limited}",
        sql.from, sql.condition
    );
    let mut statement = conn.prepare_cached(&text)?;
    let rows = statement.query_map(params_from_iter(params), read)?;
    let mut tickets = Vec::new();
    for row in rows {
        let mut ticket = row?;
        complete(conn, &mut ticket)?;
        tickets.push(ticket);
    }
    let total = total.unwrap_or(tickets.len() as u64);
    Ok((tickets, total))
}

/// The tickets that fit the words of `sql` best, best first. Only for few: every one of them is weighed.
pub(super) fn best(conn: &Connection, sql: &query::Sql, limit: u32) -> Outcome<Vec<Ticket>> {
    let mut params = sql.params.clone();
    params.push(Cell::Integer(limit.max(1).into()));
    let text = format!(
        "SELECT {COLUMNS} FROM {} WHERE {} ORDER BY f.rank, t.id LIMIT ?",
        sql.from, sql.condition
    );
    let mut statement = conn.prepare_cached(&text)?;
    let rows = statement.query_map(params_from_iter(params), read)?;
    let mut tickets = Vec::new();
    for row in rows {
        let mut ticket = row?;
        complete(conn, &mut ticket)?;
        tickets.push(ticket);
    }
    Ok(tickets)
}

/// How many match, up to [`COUNT_CAP`].
pub(super) fn count(conn: &Connection, sql: &query::Sql) -> Outcome<u64> {
    let text = format!(
        "SELECT count(*) FROM (SELECT 1 FROM {} WHERE {} LIMIT {COUNT_CAP})",
        sql.from, sql.condition
    );
    let count: i64 = conn
        .prepare_cached(&text)?
        .query_row(params_from_iter(&sql.params), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// One ticket with its history.
pub(super) fn one(conn: &Connection, text: &str) -> Outcome<Ticket> {
    let id = reference::find(conn, Noun::Ticket, text)?;
    let sql = format!("SELECT {COLUMNS} FROM ticket t WHERE t.id = ?1");
    let mut ticket = conn
        .prepare_cached(&sql)?
        .query_row(params![id.as_bytes()], read)?;
    complete(conn, &mut ticket)?;
    ticket.entries = entry::of_ticket(conn, id)?;
    if !ticket.conflicts.is_empty() {
        ticket.disputes = disputes(conn, id)?;
    }
    Ok(ticket)
}

/// The names of the hosts linked to a ticket.
pub(super) fn hosts(conn: &Connection, text: &str) -> Outcome<Vec<String>> {
    let id = reference::find(conn, Noun::Ticket, text)?;
    members(conn, "ticket", id, "hosts")
}

/// The unsettled fields of a ticket with every value, the one in force first.
pub(super) fn conflicts(conn: &Connection, text: &str) -> Outcome<Vec<Conflict>> {
    let id = reference::find(conn, Noun::Ticket, text)?;
    let mut conflicts = Vec::new();
    for field in conflict_fields(conn, id)? {
        let register = fold::register(conn, "ticket", id, &field)?;
        let values = register
            .heads()
            .into_iter()
            .map(|(stamp, written)| (stamp, Value::from_cbor(&written.value)))
            .collect();
        conflicts.push(Conflict { field, values });
    }
    Ok(conflicts)
}

/// The same for people: who wrote each value, and when.
fn disputes(conn: &Connection, id: EntityId) -> Outcome<Vec<Dispute>> {
    let names = device::names(conn)?;
    let called = |id: DeviceId| names.get(&id).cloned();
    let mut disputes = Vec::new();
    for field in conflict_fields(conn, id)? {
        let mut values = Vec::new();
        for (stamp, written) in fold::register(conn, "ticket", id, &field)?.heads() {
            values.push(Claimed {
                value: shown(&field, &Value::from_cbor(&written.value)),
                device: stamp.device,
                by: called(stamp.device).unwrap_or_else(|| short_device(stamp.device)),
                who: editor(conn, id, stamp, written.seq)?,
                at: stamp.hlc.time(),
            });
        }
        disputes.push(Dispute { field, values });
    }
    Ok(disputes)
}

/// Who made an edit: an operation names nobody, but the entry about the edit was written with it, in the same millisecond,
/// right after its fields.
fn editor(conn: &Connection, id: EntityId, stamp: Stamp, seq: u64) -> Outcome<Option<String>> {
    let millis = (stamp.hlc.0 >> 16).cast_signed();
    let author: Option<String> = conn
        .prepare_cached(
            "SELECT e.author FROM case_event e JOIN case_part p ON p.id = e.id
             WHERE e.ticket = ?1 AND e.kind = 'edit' AND p.dev = ?2 AND p.seq > ?3 AND (p.hlc >> 16) = ?4
             ORDER BY p.seq LIMIT 1",
        )?
        .query_row(
            params![id.as_bytes(), stamp.device.0.as_bytes(), seq.cast_signed(), millis],
            |row| row.get(0),
        )
        .optional()?;
    Ok(author.filter(|author| !author.is_empty()))
}

/// A value of a field as people write it.
fn shown(field: &str, value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Int(at) if matches!(field, "due" | "wait_until") => Time(*at).to_string(),
        Value::Int(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null => String::new(),
        Value::Bytes(_) | Value::List(_) | Value::Map(_) | Value::Other(_) => {
            "(a value that this program cannot show)".to_owned()
        }
    }
}

/// The members of a set, sorted.
pub(super) fn members(
    conn: &Connection,
    kind: &str,
    id: EntityId,
    set: &str,
) -> Outcome<Vec<String>> {
    let mut statement = conn.prepare_cached(
        "SELECT member FROM flag WHERE ent = ?1 AND kind = ?2 AND set_name = ?3 AND present = 1 ORDER BY member",
    )?;
    let rows = statement.query_map(params![id.as_bytes(), kind, set], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn conflict_fields(conn: &Connection, id: EntityId) -> Outcome<Vec<String>> {
    let mut statement = conn.prepare_cached(
        "SELECT DISTINCT field FROM conflict WHERE ent = ?1 AND kind = 'ticket' ORDER BY field",
    )?;
    let rows = statement.query_map(params![id.as_bytes()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn complete(conn: &Connection, ticket: &mut Ticket) -> Outcome<()> {
    let id = ticket.id.0;
    ticket.tags = members(conn, "ticket", id, "tags")?;
    ticket.hosts = members(conn, "ticket", id, "hosts")?;
    ticket.links = members(conn, "ticket", id, "links")?;
    ticket.conflicts = conflict_fields(conn, id)?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Ticket> {
    let id = EntityId::from_bytes(row.get(0)?);
    let (state, kind): (String, String) = (row.get(4)?, row.get(6)?);
    let time = |at: Option<i64>| at.map(Time);
    Ok(Ticket {
        id: TicketId(id),
        reference: Noun::Ticket.shown(row.get(1)?, id),
        title: row.get(2)?,
        body: row.get(3)?,
        // A word of a later program: the ticket needs somebody, whatever it says. The register keeps the word.
        state: state.parse().unwrap_or(TicketState::Open),
        priority: u8::try_from(row.get::<_, i64>(5)?)
            .ok()
            .and_then(Priority::new)
            .unwrap_or(Priority::NORMAL),
        kind: kind.parse().unwrap_or(TicketKind::Task),
        queue: row.get(7)?,
        owner: row.get(8)?,
        requester: row.get(9)?,
        tags: Vec::new(),
        hosts: Vec::new(),
        due: time(row.get(10)?),
        wait_until: time(row.get(11)?),
        created: Time(row.get(12)?),
        updated: Time(row.get(13)?),
        entries: Vec::new(),
        links: Vec::new(),
        conflicts: Vec::new(),
        disputes: Vec::new(),
    })
}
