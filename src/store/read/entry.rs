//! Reads the timeline: case events and notes as one list, by time.

use rusqlite::{Connection, Params, Row, params};

use crate::domain::case::{Entry, EntryKind};
use crate::domain::ids::{EntityId, HostId};
use crate::domain::time::Time;
use crate::store::failure::Outcome;
use crate::store::reference::Noun;

const EVENTS: &str =
    "SELECT c.id, c.at, c.kind, c.author, c.text, c.host, c.session, s.ref, c.run, r.ref,
     c.ticket, t.ref, c.data FROM case_event c LEFT JOIN session s ON s.id = c.session
     LEFT JOIN run r ON r.id = c.run LEFT JOIN ticket t ON t.id = c.ticket";

/// The same columns for notes.
const NOTES: &str = "SELECT n.id, n.at, n.sort, n.author, n.text, h.name, NULL, NULL, NULL, NULL,
     iif(n.kind = 'ticket', n.ent, NULL), t.ref, '{}' FROM note n
     LEFT JOIN ticket t ON n.kind = 'ticket' AND t.id = n.ent LEFT JOIN host h ON n.kind = 'host' AND h.id = n.ent";

/// Everything that happened to a ticket.
pub(super) fn of_ticket(conn: &Connection, id: EntityId) -> Outcome<Vec<Entry>> {
    let id = id.as_bytes();
    let mut entries = rows(conn, &format!("{EVENTS} WHERE c.ticket = ?1"), params![id])?;
    let notes = format!("{NOTES} WHERE n.ent = ?1 AND n.kind = 'ticket'");
    entries.extend(rows(conn, &notes, params![id])?);
    // An entry inside its own ticket need not say which.
    for entry in &mut entries {
        entry.ticket = None;
    }
    sort(&mut entries, u32::MAX);
    Ok(entries)
}

/// The newest entries that name a host.
pub(super) fn of_host(conn: &Connection, name: &str, limit: u32) -> Outcome<Vec<Entry>> {
    let events = format!("{EVENTS} WHERE c.host = ?1 ORDER BY c.at DESC, c.id DESC LIMIT ?2");
    let mut entries = rows(conn, &events, params![name, limit])?;
    let notes = format!(
        "{NOTES} WHERE n.ent = ?1 AND n.kind = 'host' ORDER BY n.at DESC, n.id DESC LIMIT ?2"
    );
    let host = HostId::of(name);
    entries.extend(rows(conn, &notes, params![host.0.as_bytes(), limit])?);
    sort(&mut entries, limit);
    Ok(entries)
}

/// The newest entries of all.
pub(super) fn newest(conn: &Connection, since: Option<Time>, limit: u32) -> Outcome<Vec<Entry>> {
    let since = since.map_or(i64::MIN, |since| since.0);
    let events = format!("{EVENTS} WHERE c.at >= ?1 ORDER BY c.at DESC, c.id DESC LIMIT ?2");
    let mut entries = rows(conn, &events, params![since, limit])?;
    let notes = format!("{NOTES} WHERE n.at >= ?1 ORDER BY n.at DESC, n.id DESC LIMIT ?2");
    entries.extend(rows(conn, &notes, params![since, limit])?);
    sort(&mut entries, limit);
    Ok(entries)
}

fn rows(conn: &Connection, sql: &str, params: impl Params) -> Outcome<Vec<Entry>> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// By time, then by id, so that every device shows one order; keeps the newest.
fn sort(entries: &mut Vec<Entry>, limit: u32) {
    entries.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    let surplus = entries.len().saturating_sub(limit as usize);
    entries.drain(..surplus);
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let kind: String = row.get(2)?;
    let data: String = row.get(12)?;
    let shown = |noun: Noun, id: Option<[u8; 16]>, stored: Option<String>| {
        id.map(|id| noun.shown(stored, EntityId::from_bytes(id)))
    };
    Ok(Entry {
        id: EntityId::from_bytes(row.get(0)?).to_string(),
        at: Time(row.get(1)?),
        // A word of a later program; the text still says what happened.
        kind: kind.parse().unwrap_or(EntryKind::Comment),
        author: row.get(3)?,
        text: row.get(4)?,
        host: row.get(5)?,
        session: shown(Noun::Session, row.get(6)?, row.get(7)?),
        run: shown(Noun::Run, row.get(8)?, row.get(9)?),
        ticket: shown(Noun::Ticket, row.get(10)?, row.get(11)?),
        data: serde_json::from_str(&data).unwrap_or_default(),
    })
}
